/**
 * Asks libxlutil and our reader the same questions: `npx tsx tests/xl-cfg/compare.ts COUNT [SEED]`.
 * Prints the texts on which they differ, and exits with 1 if there are any.
 *
 * @module
 */
import { generateTexts } from './generate-texts.ts';
import { mutableTexts } from './generated-batches.ts';
import { ourAnswer } from './our-answer.ts';
import { xluReference } from './xlu-reference.ts';

const BATCH = 2000;
const SHOWN = 5;

const count = Number(process.argv[2] ?? '1000');
const seed = Number(process.argv[3] ?? '1');
const reference = xluReference();
if ('reason' in reference) {
  console.error(reference.reason);
  process.exit(3);
}

const files = mutableTexts();
let differences = 0;
const outcomes = new Map<string, number>();
for (let done = 0; done < count; done += BATCH) {
  const texts = generateTexts(seed + done, Math.min(BATCH, count - done), files);
  const theirs = reference.ask(texts);
  for (const [index, text] of texts.entries()) {
    const their = theirs[index] ?? '';
    const our = ourAnswer(text);
    const outcome = /^\{"error":("\w+"|null)/.exec(their)?.[1] ?? '?';
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (our === their) continue;
    differences++;
    if (differences <= SHOWN) console.log(`${JSON.stringify(text)}\n  libxlutil ${their}\n  dewar     ${our}`);
  }
}
reference.dispose();
console.log(`${count} texts from seed ${seed}: ${differences} differences`);
for (const [outcome, number] of outcomes) console.log(`  ${number} ended with ${outcome}`);
process.exit(differences === 0 ? 0 : 1);
