/**
 * Round trips of generated policies in volume:
 *
 *     npx tsx tests/decompile/round-trips.ts COUNT SEED
 *
 * Ends with 1 where bytes do not come back.
 */
import { compileText } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { generatePolicy } from '../checkpolicy/generator/generate.ts';
import { roundTripFaults } from './round-trip.ts';

const [count = '100', first = '1'] = process.argv.slice(2);
const totals = { same: 0, different: 0, refused: 0 };
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const { text, isMls } = generatePolicy(seed);
  for (const version of [24, 30] as const) {
    const settings = { version, isMls, isOptimized: seed % 4 === 1 };
    const { bytes } = compileText(new SourceText('policy.conf', text), settings);
    if (bytes === undefined) {
      totals.refused++;
      continue;
    }
    const faults = roundTripFaults(bytes);
    if (faults.length === 0) totals.same++;
    else {
      totals.different++;
      console.log(`seed ${seed}, version ${version}: ${faults.slice(0, 3).join('; ')}`);
    }
  }
}
console.log(`${totals.same} the same, ${totals.different} different, ${totals.refused} that do not compile`);
process.exitCode = totals.different === 0 ? 0 : 1;
