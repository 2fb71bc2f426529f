/**
 * Compares Dewar with checkpolicy on generated policies, or on mutated real ones:
 *
 *     npx tsx tests/checkpolicy/compare-generated.ts FIRST COUNT [mutate] [optimize]
 *
 * Takes the policies of COUNT seeds from FIRST on, each at versions 24 and 30. Prints each difference and ends with 1
 * where there was one.
 */
import { writeFileSync } from 'node:fs';
import { checkpolicy } from './checkpolicy.ts';
import { type Comparison, comparePolicy } from './comparison.ts';
import { generatePolicy } from './generator/generate.ts';
import { makeMutator } from './generator/mutate.ts';

const [first, count, ...words] = process.argv.slice(2);
const FIRST = Number(first);
const COUNT = Number(count);
if (!Number.isInteger(FIRST) || !Number.isInteger(COUNT) || checkpolicy === undefined) {
  console.error(
    checkpolicy === undefined
      ? 'checkpolicy is not installed'
      : 'usage: compare-generated.ts FIRST COUNT [mutate] [optimize]',
  );
  process.exit(2);
}
const make = words.includes('mutate') ? makeMutator() : generatePolicy;
const isOptimized = words.includes('optimize');
const keepIn = process.env['DEWAR_KEEP_DIFFERENT'];

const counts: Record<Comparison['kind'], number> = { equal: 0, refused: 0, different: 0 };
const reasons = new Map<string, number>();
for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
  const policy = make(seed);
  for (const version of [24, 30] as const) {
    const found = comparePolicy(checkpolicy, policy, { version, isMls: policy.isMls, isOptimized });
    counts[found.kind]++;
    if (found.kind === 'refused') reasons.set(found.why, (reasons.get(found.why) ?? 0) + 1);
    if (found.kind !== 'different') continue;
    console.log(`seed ${seed} version ${version}: ${found.what}\n${found.ours}\n${found.theirs}`);
    if (keepIn !== undefined) writeFileSync(`${keepIn}/${seed}${policy.isMls ? '-mls' : ''}.conf`, policy.text, 'latin1');
  }
}
for (const [why, times] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 15)) console.log(`${times}\t${why}`);
console.log(`${counts.equal} equal, ${counts.refused} refused by both, ${counts.different} different`);
process.exitCode = counts.different === 0 ? 0 : 1;
