/**
 * Generated policies and mutated real ones: what checkpolicy refuses we refuse, what it accepts becomes the same bytes.
 *
 * A slice of what `compare-generated.ts` compares in volume.
 */
import { compileText } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { checkpolicy } from './checkpolicy.ts';
import { type Comparison, comparePolicy, settingsOf } from './comparison.ts';
import { generateEdge } from './generator/edges.ts';
import { type GeneratedPolicy, generatePolicy } from './generator/generate.ts';
import { makeMutator } from './generator/mutate.ts';

const SLICE = 25;
const TIMEOUT = 240_000;

const slices = (count: number): number[] => Array.from({ length: count }, (_, i) => 1 + i * SLICE);
const mutated = makeMutator();

/** What came of the seeds of one slice: the differences, and how many policies both accepted. */
function compareSlice(
  first: number,
  make: (seed: number) => GeneratedPolicy,
): { differences: (Comparison & { seed: number })[]; equal: number } {
  const differences: (Comparison & { seed: number })[] = [];
  let equal = 0;
  if (checkpolicy === undefined) return { differences, equal };
  for (let seed = first; seed < first + SLICE; seed++) {
    const policy = make(seed);
    const found = comparePolicy(checkpolicy, policy, settingsOf(seed, policy));
    if (found.kind === 'different') differences.push({ ...found, seed });
    if (found.kind === 'equal') equal++;
  }
  return { differences, equal };
}

// Without checkpolicy there is nothing to compare with; `DEWAR_REQUIRE_TOOLS=1` makes that a failure.
describe.skipIf(checkpolicy === undefined)('checkpolicy and Dewar agree', () => {
  test.each(slices(8))('on generated policies from seed %i on', { timeout: TIMEOUT }, (first) => {
    const { differences, equal } = compareSlice(first, (seed) => generatePolicy(seed));
    expect(differences).toEqual([]);
    expect(equal).toBeGreaterThan(SLICE / 3);
  });

  test.each(slices(4))('on policies with optional blocks from seed %i on', { timeout: TIMEOUT }, (first) => {
    expect(compareSlice(first, (seed) => generatePolicy(seed, true)).differences).toEqual([]);
  });

  test.each(slices(4))('on policies with odd statements from seed %i on', { timeout: TIMEOUT }, (first) => {
    expect(compareSlice(first, generateEdge).differences).toEqual([]);
  });

  test.each(slices(4))('on mutated policies from seed %i on', { timeout: TIMEOUT }, (first) => {
    expect(compareSlice(first, mutated).differences).toEqual([]);
  });
});

describe('the generator', () => {
  test('gives the same policy for the same seed, and others for other seeds', () => {
    expect(generatePolicy(7)).toEqual(generatePolicy(7));
    expect(new Set([1, 2, 3, 4, 5].map((seed) => generatePolicy(seed).text)).size).toBe(5);
  });

  test('makes policies most of which compile', { timeout: TIMEOUT }, () => {
    const seeds = Array.from({ length: 20 }, (_, i) => 500 + i);
    const compiled = seeds.filter((seed) => {
      const { text, isMls } = generatePolicy(seed);
      return compileText(new SourceText('policy.conf', text), { isMls }).bytes !== undefined;
    });
    expect(compiled.length).toBeGreaterThan(seeds.length / 2);
  });
});
