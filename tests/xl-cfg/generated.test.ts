/**
 * Texts made after the grammar with slips, and files of the corpus with bytes changed: our reader answers as libxlutil.
 *
 * `generated.sha256` was recorded from libxlutil 4.17; where the library is installed it is asked again.
 * `compare.ts` asks in volume.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { digestOf, recordedDigests, testBatches } from './generated-batches.ts';
import { ourAnswer } from './our-answer.ts';
import { xluReference } from './xlu-reference.ts';

const batches = testBatches();
const digests = recordedDigests();

const reference = xluReference();
afterAll(() => {
  if ('dispose' in reference) reference.dispose();
});

describe('generated texts', () => {
  test('hold files that libxlutil takes, files that it refuses and files that kill it', () => {
    const ends = batches.flatMap(({ texts }) => texts.map((text) => /"error":(\w+|"\w+")/.exec(ourAnswer(text))?.[1]));
    for (const end of ['null', '"EINVAL"', '"SIGABRT"']) {
      expect(ends.filter((found) => found === end).length, end).toBeGreaterThan(10);
    }
  });

  test.each(batches)('of seed $seed get the answers that were recorded from libxlutil', ({ seed, texts }) => {
    expect(digestOf(texts.map(ourAnswer))).toBe(digests.get(seed));
  });

  test.for(batches)('of seed $seed get the answers of the installed libxlutil', ({ texts }, { skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    const theirs = reference.ask(texts);
    for (const [index, text] of texts.entries()) expect(ourAnswer(text), JSON.stringify(text)).toBe(theirs[index]);
  });
});
