/**
 * Writes the policies that `denials.sh` tries, and lists of them, one for each start of the machine:
 * `npx tsx tests/denials/write-policies.ts DIRECTORY COUNT`.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIGURATIONS, OPERATIONS } from './operations.ts';
import { NOTHING, policyWithout, type Variant, variants } from './permissions.ts';

/** How much a machine is asked before it starts anew; what goes wrong then costs no more than this. */
const AT_ONCE = 30;

const [directory, count] = process.argv.slice(2);
if (directory === undefined || count === undefined) throw new Error('say where to write the policies, and how many');
mkdirSync(directory, { recursive: true });
for (const [name, text] of Object.entries(CONFIGURATIONS)) {
  const kernel = name === 'linux' ? "ramdisk = '/boot/guest.gz'\n" : "kernel = '/judge/waiting-guest'\n";
  writeFileSync(join(directory, `${name}.cfg`), text + kernel);
}

/** Those that share what is there before them stand together; without `load_policy` there is no way back. */
function rank({ operation, missing }: Variant): number {
  const names = Object.keys(OPERATIONS);
  const stages = ['nothing', 'paused', 'waiting', 'linux', 'saved'];
  const stage = stages.indexOf(OPERATIONS[operation]?.before ?? 'nothing');
  return missing.endsWith('load_policy;') ? Number.POSITIVE_INFINITY : stage * names.length + names.indexOf(operation);
}

writeFileSync(join(directory, 'whole'), policyWithout(NOTHING));
const controls = Object.keys(OPERATIONS).map((operation): Variant => ({ operation, missing: NOTHING }));
const chosen = (await variants()).slice(0, Number(count));
const lines = [...controls, ...chosen]
  .sort((a, b) => rank(a) - rank(b))
  .map(({ operation, missing }, index) => {
    writeFileSync(join(directory, String(index)), policyWithout(missing));
    const { before, command, wait } = OPERATIONS[operation] ?? { before: 'nothing', command: 'false', wait: 1 };
    return `${[index, before, wait ?? 1, operation, missing, command].join('|')}\n`;
  });
for (let list = 0; list * AT_ONCE < lines.length; list++) {
  writeFileSync(join(directory, `list-${list}`), lines.slice(list * AT_ONCE, (list + 1) * AT_ONCE).join(''));
}
