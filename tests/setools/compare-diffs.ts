/**
 * Compares `dewar diff` with sediff on pairs of the `.conf` files of a folder:
 *
 *     npx tsx tests/setools/compare-diffs.ts FOLDER [PAIRS] [SEED]
 *
 * Policies that follow one another by name are compared (releases of Xen, say), then so many random pairs (20 otherwise).
 * Files with `mls` in their name are compiled with MLS; those that do not compile are left out. Ends with 1 where the two
 * differ; why they may is in differences.md.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileText } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { Random } from '@dewar/testkit';
import { askSediff, ourComparison, sediff, withoutConstants } from './sediff.ts';

const [folder, pairs = '20', seed = '1'] = process.argv.slice(2);
if (folder === undefined || sediff === undefined) {
  console.error(folder === undefined ? 'usage: compare-diffs.ts FOLDER [PAIRS] [SEED]' : 'sediff is not installed');
  process.exit(2);
}
const policies = readdirSync(folder)
  .filter((name) => name.endsWith('.conf'))
  .sort()
  .flatMap((name) => {
    const text = readFileSync(join(folder, name), 'latin1');
    const { bytes } = compileText(new SourceText(name, text), { version: 30, isMls: name.includes('mls') });
    return bytes === undefined ? [] : [{ name, bytes }];
  });
const random = new Random(Number(seed));
const chosen = policies.slice(1).map((next, i) => [policies[i] ?? next, next] as const);
for (let i = 0; i < Number(pairs); i++) chosen.push([random.pick(policies), random.pick(policies)]);

const totals = { pairs: 0, sections: 0, lines: 0, unanswered: 0, different: 0 };
for (const [old, next] of chosen) {
  totals.pairs++;
  const ours = ourComparison(old.bytes, next.bytes);
  for (const [option, answer] of askSediff(sediff, old.bytes, next.bytes)) {
    if (answer === undefined) {
      totals.unanswered++;
      continue;
    }
    totals.sections++;
    totals.lines += answer.length;
    const [theirs, own] = withoutConstants(answer, ours.get(option) ?? []);
    if (JSON.stringify(theirs) === JSON.stringify(own)) continue;
    totals.different++;
    console.log(`${old.name} and ${next.name}, ${option}:`);
    const [sediffs, dewars] = [new Set(theirs), new Set(own)];
    for (const line of theirs.filter((one) => !dewars.has(one)).slice(0, 5)) console.log(`  sediff alone: ${line}`);
    for (const line of own.filter((one) => !sediffs.has(one)).slice(0, 5)) console.log(`  dewar alone:  ${line}`);
  }
}
const { sections, lines, unanswered, different } = totals;
console.log(
  `${totals.pairs} pairs, ${sections} sections with ${lines} lines: ${different} different; ${unanswered} unanswered`,
);
process.exitCode = different === 0 ? 0 : 1;
