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

/** Those that share what is there before them stand together. */
function rank({ operation }: Variant): number {
  const names = Object.keys(OPERATIONS);
  const stages = ['nothing', 'paused', 'waiting', 'linux', 'saved'];
  return stages.indexOf(OPERATIONS[operation]?.before ?? 'nothing') * names.length + names.indexOf(operation);
}

/**
 * After these a host is of no use: without `load_policy` there is no way back, and an xenstored that may not look at dom0
 * when a domain ends takes dom0 for dead, and removes what is dom0's from xenstore.
 */
function isLast({ operation, missing }: Variant): boolean {
  if (missing.endsWith('load_policy;')) return true;
  return missing === 'allow dom0_t dom0_t:domain getdomaininfo;' && /^(destroy|save|checkpoint)$/.test(operation);
}

writeFileSync(join(directory, 'whole'), policyWithout(NOTHING));
const controls = Object.keys(OPERATIONS).map((operation): Variant => ({ operation, missing: NOTHING }));
const chosen = (await variants()).slice(0, Number(count));
const all = [...controls, ...chosen].sort((a, b) => rank(a) - rank(b));
const ends = all.filter(isLast);
const rest = all.filter((variant) => !isLast(variant));
let index = 0;
const lineOf = ({ operation, missing }: Variant): string => {
  writeFileSync(join(directory, String(index)), policyWithout(missing));
  const { before, command, wait } = OPERATIONS[operation] ?? { before: 'nothing', command: 'false', wait: 1 };
  return `${[index++, before, wait ?? 1, operation, missing, command].join('|')}\n`;
};
for (let list = 0; list * AT_ONCE < rest.length || list < ends.length; list++) {
  const some = [...rest.slice(list * AT_ONCE, (list + 1) * AT_ONCE), ...ends.slice(list, list + 1)];
  writeFileSync(join(directory, `list-${list}`), some.map(lineOf).join(''));
}
