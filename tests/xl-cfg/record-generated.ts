/**
 * Records the digests of the installed libxlutil's answers: `npx tsx tests/xl-cfg/record-generated.ts`.
 * To be run after a change to the generators; the digests are libxlutil's, never ours.
 *
 * @module
 */
import { writeFileSync } from 'node:fs';
import { DIGESTS, digestOf, testBatches } from './generated-batches.ts';
import { xluReference } from './xlu-reference.ts';

const reference = xluReference();
if ('reason' in reference) {
  console.error(reference.reason);
  process.exit(3);
}
const lines = testBatches().map(({ seed, texts }) => `${seed} ${digestOf(reference.ask(texts))}\n`);
reference.dispose();
writeFileSync(DIGESTS, lines.join(''));
