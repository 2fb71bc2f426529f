/**
 * Compares our macro processor with GNU m4 on random texts, with and without sync lines:
 *
 *     npx tsx tests/m4/compare.ts FIRST-SEED COUNT [edges | growing]
 *
 * With `edges` the texts are short, and each builtin gets what it hardly ever does. With `growing` macros append to one another.
 * Ends with 1 where a text differs, and prints the first few that do.
 */
import { generateTexts } from './generate.ts';
import { generateEdgeTexts } from './generate-edges.ts';
import { generateGrowingTexts } from './generate-growing.ts';
import { compareWithGnu, gnuM4 } from './gnu-m4.ts';

const [first = 1, count = 1000] = process.argv.slice(2).map(Number);
if (gnuM4 === undefined) {
  console.error('GNU m4 is not installed');
  process.exit(2);
}
const isAsked = (kind: string): boolean => process.argv.includes(kind);
const generate = isAsked('edges') ? generateEdgeTexts : isAsked('growing') ? generateGrowingTexts : generateTexts;
const tally = { equal: 0, different: 0, endless: 0 };
for (let seed = first; seed < first + count; seed++) {
  const texts = generate(seed);
  const { kind, ours, theirs } = compareWithGnu(gnuM4, texts, seed % 2 === 0);
  tally[kind]++;
  if (kind === 'different' && tally.different <= 5) {
    console.log(`--- seed ${seed}\n${texts.join('--- next file\n')}\n--- GNU m4\n${theirs}\n--- Dewar\n${ours}`);
  }
}
console.log(`${tally.equal} equal, ${tally.different} different, ${tally.endless} endless`);
process.exitCode = tally.different === 0 ? 0 : 1;
