/**
 * Compares Dewar with checkpolicy on every `.conf` file of a folder, at both versions:
 *
 *     npx tsx tests/checkpolicy/compare.ts FOLDER
 *
 * Files with `mls` in their name are compiled with MLS. Ends with 1 where a result differs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileText } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { checkpolicy, compileWithCheckpolicy } from './checkpolicy.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined || checkpolicy === undefined) {
  console.error(folder === undefined ? 'usage: compare.ts FOLDER' : 'checkpolicy is not installed');
  process.exit(2);
}
let same = 0;
let refusedByBoth = 0;
let different = 0;
for (const name of readdirSync(folder).filter((file) => file.endsWith('.conf'))) {
  const text = readFileSync(join(folder, name), 'latin1');
  const isMls = name.includes('mls');
  for (const version of [24, 30] as const) {
    const theirs = compileWithCheckpolicy(checkpolicy, text, { version, isMls });
    const ours = compileText(new SourceText(name, text), { version, isMls }).bytes;
    if (theirs === undefined && ours === undefined) refusedByBoth++;
    else if (theirs !== undefined && ours !== undefined && Buffer.from(ours).equals(theirs)) same++;
    else {
      different++;
      const what =
        theirs === undefined
          ? 'refused by checkpolicy only'
          : ours === undefined
            ? 'refused by Dewar only'
            : 'bytes differ';
      console.log(`${name} version ${version}: ${what}`);
    }
  }
}
console.log(`${same} equal, ${refusedByBoth} refused by both, ${different} different`);
process.exitCode = different === 0 ? 0 : 1;
