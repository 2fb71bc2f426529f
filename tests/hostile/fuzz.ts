/**
 * Hostile binaries in volume:
 *
 *     npx tsx tests/hostile/fuzz.ts COUNT SEED [checkpolicy]
 *
 * Ends with 1 at the first binary that makes something throw, hang or speak without a place; the binary is kept in the
 * folder of temporary files. With `checkpolicy`, each is also given to `checkpolicy -b`, and the answers are compared
 * (`differences.md` says why they differ).
 * Run it with `NODE_OPTIONS=--max-old-space-size=128` to see that memory stays bounded.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { POLICYDB_CONFIG_MLS } from '@dewar/policy/policydb';
import { Random, referenceTool } from '@dewar/testkit';
import { examine } from './examine.ts';
import { hostileBinary } from './mutate.ts';
import { seedBinaries } from './seeds.ts';

/** Where the flags are, behind the magic number, the string and the version. */
const CONFIG_AT = 20;

const [countText = '10000', seedText = '1', comparing] = process.argv.slice(2);
const count = Number(countText);
const random = new Random(Number(seedText));
const seeds = seedBinaries();
const checkpolicy = comparing === 'checkpolicy' ? referenceTool('checkpolicy') : undefined;
const folder = mkdtempSync(join(tmpdir(), 'dewar-hostile-'));

const totals = { read: 0, loaded: 0, refused: 0 };
const answers = { both: 0, neither: 0, onlyOurs: 0, onlyTheirs: 0 };
let isKept = false;
for (let i = 0; i < count; i++) {
  const bytes = hostileBinary(seeds, random);
  const { isRead, isLoaded, fault } = examine(bytes);
  if (isRead) totals.read++;
  else totals.refused++;
  if (isLoaded) totals.loaded++;
  if (fault !== undefined) {
    const path = join(folder, `hostile-${i}.bin`);
    writeFileSync(path, bytes);
    isKept = true;
    console.log(`binary ${i}, kept as ${path}: ${fault}`);
    process.exitCode = 1;
    break;
  }
  if (checkpolicy !== undefined) {
    const path = join(folder, 'policy.bin');
    writeFileSync(path, bytes);
    const isMls = ((bytes[CONFIG_AT] ?? 0) & POLICYDB_CONFIG_MLS) !== 0;
    const isTheirs = checkpolicy.run(['-b', '-t', 'Xen', ...(isMls ? ['-M'] : []), path]).status === 0;
    if (isRead && isTheirs) answers.both++;
    else if (!isRead && !isTheirs) answers.neither++;
    else {
      const name = join(folder, `${isRead ? 'only-ours' : 'only-theirs'}-${i}.bin`);
      writeFileSync(name, bytes);
      isKept = true;
      if (isRead) answers.onlyOurs++;
      else answers.onlyTheirs++;
    }
  }
  if ((i + 1) % 10_000 === 0) console.log(`${i + 1} binaries so far`);
}
if (!isKept) rmSync(folder, { recursive: true });
console.log(`${totals.read} read (${totals.loaded} of them loaded), ${totals.refused} refused`);
if (checkpolicy !== undefined) {
  console.log(`checkpolicy: ${answers.both} taken by both, ${answers.neither} by neither,`);
  console.log(`${answers.onlyOurs} by Dewar only, ${answers.onlyTheirs} by checkpolicy only (kept in ${folder})`);
}
