/**
 * Asks xl and our reader for the same dry runs: `npx tsx tests/xl-cfg/compare-dry-runs.ts COUNT [SEED]`.
 * Prints the files on which they differ, and exits with 1 if there are any.
 *
 * @module
 */
import { generateDeviceGuest, generateGuest } from './generate-guests.ts';
import { Dice } from './generate-texts.ts';
import { isSameDryRun, ourDryRun } from './our-dry-run.ts';
import { xlReference } from './xl-reference.ts';

const SHOWN = 5;

const count = Number(process.argv[2] ?? '1000');
const seed = Number(process.argv[3] ?? '1');
const reference = xlReference();
if ('reason' in reference) {
  console.error(reference.reason);
  process.exit(3);
}

const dice = new Dice(seed);
let differences = 0;
const ends = new Map<number | string, number>();
for (let done = 0; done < count; done++) {
  const text = dice.isLucky(2) ? generateGuest(dice) : generateDeviceGuest(dice);
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
console.log(`${count} guests from seed ${seed}: ${differences} differences`);
for (const [end, number] of ends) console.log(`  ${number} ended with ${end}`);
process.exit(differences === 0 ? 0 : 1);
