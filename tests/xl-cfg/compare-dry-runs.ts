/**
 * Asks xl and our reader for the same dry runs: `npx tsx tests/xl-cfg/compare-dry-runs.ts [--keys] [COUNT [SEED]]`.
 * With `--keys`, first each key with each of its values; then as many generated guests as are asked for.
 * Prints the files on which they differ, and exits with 1 if there are any.
 *
 * @module
 */
import { generateAnyGuest } from './generate-guests.ts';
import { Dice } from './generate-texts.ts';
import { keyValueFiles } from './key-values.ts';
import { isSameDryRun, ourDryRun } from './our-dry-run.ts';
import { xlReference } from './xl-reference.ts';

const SHOWN = 5;

const words = process.argv.slice(2);
const hasKeys = words[0] === '--keys';
const [count = '1000', seed = '1'] = words.slice(hasKeys ? 1 : 0);
const reference = xlReference();
if ('reason' in reference) {
  console.error(reference.reason);
  process.exit(3);
}

function* guests(): Generator<string> {
  if (hasKeys) yield* keyValueFiles();
  const dice = new Dice(Number(seed));
  for (let left = Number(count); left > 0; left--) yield generateAnyGuest(dice);
}

let asked = 0;
let differences = 0;
const ends = new Map<number | string, number>();
for (const text of guests()) {
  asked++;
  const their = reference.dryRun(text, []);
  const our = ourDryRun(text, []);
  ends.set(their.end, (ends.get(their.end) ?? 0) + 1);
  if (isSameDryRun(our, their)) continue;
  differences++;
  if (differences <= SHOWN)
    console.log(
      `${text}--- xl: ${their.end}\n${their.stderr}${their.stdout}--- dewar: ${our.end}\n${our.stderr}${our.stdout}`,
    );
}
reference.dispose();
console.log(`${asked} guests from seed ${seed}: ${differences} differences`);
for (const [end, number] of ends) console.log(`  ${number} ended with ${end}`);
process.exit(differences === 0 ? 0 : 1);
