/**
 * Compares Dewar with checkpolicy on generated policies, or on mutated real ones:
 *
 *     npx tsx tests/checkpolicy/compare-generated.ts FIRST COUNT [mutate | optional | edges]
 *
 * Takes the policies of COUNT seeds from FIRST on, at version 24 or 30, some optimized; with `optional` each has optional
 * blocks, and with `edges` each is a small one with odd statements. Prints each difference and ends with 1 where there was one. `DEWAR_KEEP_DIFFERENT` names a folder in which the policies that differ are kept.
 */
import { writeFileSync } from 'node:fs';
import { checkpolicy } from './checkpolicy.ts';
import { type Comparison, comparePolicy, settingsOf } from './comparison.ts';
import { generateEdge } from './generator/edges.ts';
import { generatePolicy } from './generator/generate.ts';
import { makeMutator } from './generator/mutate.ts';

const [first, count, ...words] = process.argv.slice(2);
const FIRST = Number(first);
const COUNT = Number(count);
if (!Number.isInteger(FIRST) || !Number.isInteger(COUNT) || checkpolicy === undefined) {
  console.error(
    checkpolicy === undefined
      ? 'checkpolicy is not installed'
      : 'usage: compare-generated.ts FIRST COUNT [mutate | optional | edges]',
  );
  process.exit(2);
}
const make = words.includes('mutate')
  ? makeMutator()
  : words.includes('edges')
    ? generateEdge
    : (seed: number) => generatePolicy(seed, words.includes('optional'));
const keepIn = process.env['DEWAR_KEEP_DIFFERENT'];

const counts: Record<Comparison['kind'], number> = { equal: 0, refused: 0, broken: 0, different: 0 };
const reasons = new Map<string, number>();
/** How many of each there were so far. */
function summary(): string {
  const { equal, refused, different, broken } = counts;
  return `${equal} equal, ${refused} refused by both, ${different} different, ${broken} without an answer of checkpolicy`;
}

for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
  const policy = make(seed);
  const settings = settingsOf(seed, policy);
  const found = comparePolicy(checkpolicy, policy, settings);
  counts[found.kind]++;
  if ((seed + 1 - FIRST) % 200 === 0) console.error(`${seed + 1 - FIRST} policies: ${summary()}`);
  if (found.kind === 'broken') console.log(`seed ${seed}: checkpolicy crashed or did not end`);
  if (found.kind === 'refused') reasons.set(found.why, (reasons.get(found.why) ?? 0) + 1);
  if (found.kind !== 'different') continue;
  console.log(`seed ${seed} version ${settings.version}: ${found.what}\n${found.ours}\n${found.theirs}`);
  if (keepIn === undefined) continue;
  const flags = `${policy.isMls ? '-mls' : ''}${settings.isOptimized === true ? '-optimized' : ''}`;
  writeFileSync(`${keepIn}/${seed}-v${settings.version}${flags}.conf`, policy.text, 'latin1');
}
for (const [why, times] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 15)) console.log(`${times}\t${why}`);
console.log(summary());
process.exitCode = counts.different === 0 ? 0 : 1;
