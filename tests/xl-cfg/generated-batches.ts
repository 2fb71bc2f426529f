/**
 * The generated texts that `generated.test.ts` asks about, and the recorded digests of libxlutil's answers to them.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { corpusFiles } from './corpus-files.ts';
import { generateTexts } from './generate-texts.ts';

/** A file of the corpus that is longer than this is left as it is: mutations of it would hit nothing of interest. */
const MUTABLE_SIZE = 4000;

/** The files of the corpus that generated texts are made of. */
export function mutableTexts(): string[] {
  return corpusFiles()
    .map((file) => file.text)
    .filter((text) => text.length < MUTABLE_SIZE);
}

/** Texts that the same seed gives again. */
export interface Batch {
  readonly seed: number;
  readonly texts: readonly string[];
}

const SEED = 20_170_405;
const BATCHES = 20;
const BATCH_SIZE = 200;

/** The batches of the test. */
export function testBatches(): Batch[] {
  const files = mutableTexts();
  return Array.from({ length: BATCHES }, (_, index) => ({
    seed: SEED + index,
    texts: generateTexts(SEED + index, BATCH_SIZE, files),
  }));
}

/** Where the digests are: a line for each batch, its seed and the SHA-256 of libxlutil's answers. */
export const DIGESTS: URL = new URL('generated.sha256', import.meta.url);

/** The digest of the answers to one batch. */
export function digestOf(answers: readonly string[]): string {
  return createHash('sha256').update(answers.join('\n'), 'latin1').digest('hex');
}

/** The recorded digests by seed. */
export function recordedDigests(): ReadonlyMap<number, string> {
  const lines = readFileSync(DIGESTS, 'latin1').trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [seed = '', digest = ''] = line.split(' ');
      return [Number(seed), digest];
    }),
  );
}
