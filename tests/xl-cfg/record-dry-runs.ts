/**
 * Records the dry runs that the installed xl makes of the files in `guests`: `npx tsx tests/xl-cfg/record-dry-runs.ts`.
 * The records are xl's, never ours.
 *
 * @module
 */
import { guestFiles, recordText, writeRecord } from './guest-files.ts';
import { xlReference } from './xl-reference.ts';

const reference = xlReference();
if ('reason' in reference) {
  console.error(reference.reason);
  process.exit(3);
}
for (const { name, text } of guestFiles()) writeRecord(name, recordText(reference.dryRun(text, []), text));
reference.dispose();
