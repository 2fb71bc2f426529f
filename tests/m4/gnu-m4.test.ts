/**
 * Our macro processor beside GNU m4, on random texts.
 *
 * `npx tsx tests/m4/compare.ts 1 50000` compares in volume.
 */
import { describe, expect, test } from 'vitest';
import { generateTexts } from './generate.ts';
import { generateEdgeTexts } from './generate-edges.ts';
import { generateGrowingTexts } from './generate-growing.ts';
import { compareWithGnu, gnuM4 } from './gnu-m4.ts';

const SEEDS_PER_TEST = 100;

describe.skipIf(gnuM4 === undefined)('the text of GNU m4', () => {
  const expectSame = (part: number, generate: (seed: number) => readonly string[]): void => {
    if (gnuM4 === undefined) return;
    for (let seed = part * SEEDS_PER_TEST + 1; seed <= (part + 1) * SEEDS_PER_TEST; seed++) {
      const { kind, ours, theirs } = compareWithGnu(gnuM4, generate(seed), seed % 2 === 0);
      if (kind !== 'endless') expect(ours, `seed ${seed}`).toBe(theirs);
    }
  };

  test.each([0, 1, 2, 3, 4, 5, 6, 7])('on random texts, part %i', (part) => expectSame(part, generateTexts));

  test.each([0, 1, 2, 3, 4, 5])('on odd arguments, part %i', (part) => expectSame(part, generateEdgeTexts));

  test.each([0, 1, 2, 3])('on macros that append to others, part %i', (part) => expectSame(part, generateGrowingTexts));

  test('on all conversions of `format` with all that may stand before them', () => {
    if (gnuM4 === undefined) return;
    const flags = ['', "'", '+', ' ', '0', '-', '#', '+0', '# '];
    const lines = flags.flatMap((flag) =>
      ['', '6', '.0', '6.2', '.-1', '*'].flatMap((field) =>
        ['', 'h', 'hh', 'l', 'll'].flatMap((length) =>
          [...'diouxXcsfFeEgGaAzn'].map((kind) => `format([%${flag}${field}${length}${kind}],65,66)`),
        ),
      ),
    );
    lines.push(
      'format([a%cb],0)|format([a%5cb],0)|format([a%-5cb%s],0,x)|format([%c%c],0,65)|format([%*d|%-*d|],5,1,5,2)',
    );
    const { ours, theirs } = compareWithGnu(gnuM4, [`changequote([,])dnl\n${lines.join('\n')}\n`], false);
    expect(ours).toBe(theirs);
  });
});
