/**
 * Asks libsepol and Dewar the same questions in volume:
 *
 *     npx tsx tests/libsepol/compare.ts COUNT [SEED] [POLICY...]
 *
 * COUNT questions in all; without binary policies, about random ones from SEED on. Ends with 1 where they differ.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { askDewar, compareWith, randomSubject, subjectOf } from './comparison.ts';
import { sepolReference } from './sepol-reference.ts';

const BATCH = 10_000;
const SHOWN = 10;

const [countText = '', seedText = '1', ...files] = process.argv.slice(2);
const count = Number(countText);
const seed = Number(seedText);
if (!(count > 0) || !Number.isInteger(seed)) {
  console.error('usage: compare.ts COUNT [SEED] [POLICY...]');
  process.exit(2);
}
const reference = sepolReference();
if ('reason' in reference) {
  console.error(reference.reason);
  process.exit(3);
}
const given = files.map((file) => subjectOf(file, readFileSync(file)));
const totals = new Map<string, number>();
let asked = 0;
let different = 0;
for (let round = 0; asked < count; round++) {
  const subject = given[round % Math.max(given.length, 1)] ?? randomSubject(seed + round);
  const answers = askDewar(subject, Math.min(BATCH, count - asked), seed + round);
  const { known, differences } = compareWith(reference, subject, answers);
  asked += answers.questions.length;
  for (const [name, number] of known) totals.set(name, (totals.get(name) ?? 0) + number);
  for (const difference of differences) {
    different++;
    if (different <= SHOWN) console.log(`${subject.name}: ${difference}`);
  }
}
reference.dispose();
console.log(`${asked} questions, ${different} differences`);
for (const [name, number] of totals) console.log(`  ${number} known: ${name}`);
process.exit(different === 0 ? 0 : 1);
