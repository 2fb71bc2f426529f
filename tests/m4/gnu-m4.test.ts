/**
 * Our macro processor beside GNU m4, on random texts.
 *
 * `npx tsx tests/m4/compare.ts 1 50000` compares in volume.
 */
import { describe, expect, test } from 'vitest';
import { generateTexts } from './generate.ts';
import { compareWithGnu, gnuM4 } from './gnu-m4.ts';

const SEEDS_PER_TEST = 100;

describe.skipIf(gnuM4 === undefined)('the text of GNU m4', () => {
  test.each([0, 1, 2, 3, 4, 5, 6, 7])('on random texts, part %i', (part) => {
    if (gnuM4 === undefined) return;
    for (let seed = part * SEEDS_PER_TEST + 1; seed <= (part + 1) * SEEDS_PER_TEST; seed++) {
      const { kind, ours, theirs } = compareWithGnu(gnuM4, generateTexts(seed), seed % 2 === 0);
      if (kind !== 'endless') expect(ours, `seed ${seed}`).toBe(theirs);
    }
  });
});
