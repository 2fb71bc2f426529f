/**
 * The score: operations × checks that are equal on real and on simulated Xen, and what comes of operations that lack a
 * permission: `npx tsx tests/traces/compare-recordings.ts`. The exit status is 1 if a difference has no reason here.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { compare as compareDenials, RECORDED } from '../denials/recordings.ts';
import { golden as goldenKind } from './kinds/kinds-policy.ts';
import { simulatedKinds } from './kinds/lives.ts';
import { KINDS, recordedMoves, simulateMoves } from './kinds/moves.ts';
import { golden, simulated } from './recordings.ts';

/** Why a recording and the simulated host differ. */
const REASONS: Readonly<Record<string, string>> = {
  'pvh-guest-start': 'the recording ends before the kernel asks for its grant table and its xenstore page',
  'driver-create': 'xl and the guest that it has started ask at the same time',
  'pci-none-create': 'xl and the guest that it has started ask at the same time',
  'driver-guest-create': 'the daemons look at the domains while libxl does',
  'driver-guest-unpause': 'the recorded guest read more of its disk, so that another page was mapped',
  'pv-devices-unpause': 'the recorded guest read more of its disk, so that another page was mapped',
  'hvm-unpause': 'the emulated machine was too slow for the end, which is in stub-unpause',
  'pci-destroy': 'pciback of dom0 gives the page of the bus back while libxl goes on',
  'pci-hvm-destroy': 'libxl asked QEMU for ten seconds whether the paused guest had let go of the device',
  'stub-destroy': 'the two domains are destroyed side by side',
  'xenstore-pvh': 'in an HVM container Linux waits for a xenstore, and is none',
  'xenstore-pv': 'init-xenstore-domain and the domain that it has started ask at the same time',
  'restore-paused': 'the recording ends where the memory is filled; what follows is that of create-paused',
};

/** How many lines two lists have in common, in their order. */
function common(a: readonly string[], b: readonly string[]): number {
  let before = new Array<number>(b.length + 1).fill(0);
  for (const line of a) {
    const row = [0];
    for (const [j, other] of b.entries()) {
      row.push(line === other ? (before[j] ?? 0) + 1 : Math.max(before[j + 1] ?? 0, row[j] ?? 0));
    }
    before = row;
  }
  return before.at(-1) ?? 0;
}

/** The recordings in a folder. */
function namesIn(folder: string): string[] {
  return readdirSync(new URL(folder, import.meta.url))
    .map((file) => file.replace(/\.txt$/, ''))
    .sort();
}

const score = { operations: 0, checks: 0, equal: 0, same: 0, unexplained: 0 };
const WIDTH = 26;
console.log(`${'operation'.padEnd(WIDTH)} ${'on Xen'.padStart(7)} ${'equal'.padStart(7)} ${'only here'.padStart(10)}`);

/** Prints a line about one recording, and adds it to the score. */
function compare(name: string, wanted: readonly string[], found: readonly string[]): void {
  const equal = common(wanted, found);
  const isSame = equal === wanted.length && equal === found.length;
  const reason = isSame ? '' : (REASONS[name] ?? 'NO REASON KNOWN');
  score.operations++;
  score.checks += wanted.length;
  score.equal += equal;
  if (isSame) score.same++;
  else if (REASONS[name] === undefined) score.unexplained++;
  const numbers = [
    String(wanted.length).padStart(7),
    String(equal).padStart(7),
    String(found.length - equal).padStart(10),
  ];
  console.log(`${name.padEnd(WIDTH)} ${numbers.join(' ')}  ${reason}`.trimEnd());
}

for (const name of namesIn('./golden')) compare(name, golden(name), (await simulated(name)) ?? []);
const compared = new Set<string>();
for (const kind of KINDS) {
  const found = await simulateMoves(kind);
  for (const [name, lines] of recordedMoves(kind)) {
    compare(name, lines, found.get(name) ?? []);
    compared.add(name);
  }
}
const kinds = await simulatedKinds();
for (const name of namesIn('./kinds/golden')) {
  if (!compared.has(name)) compare(name, goldenKind(name), kinds.get(name) ?? []);
}
const { operations, checks, equal, same } = score;
console.log(
  `${same} of ${operations} operations are the same; ${equal} of ${checks} recorded checks are made, in order`,
);

console.log(`\n${'without a permission'.padEnd(WIDTH)} ${'on Xen'.padStart(7)} ${'equal'.padStart(7)}`);
const denials = { courses: 0, same: 0 };
for (const name of RECORDED) {
  const courses = await compareDenials(name);
  const same = courses.filter(({ isSame }) => isSame).length;
  denials.courses += courses.length;
  denials.same += same;
  console.log(`${name.padEnd(WIDTH)} ${String(courses.length).padStart(7)} ${String(same).padStart(7)}`);
  for (const { missing, reason } of courses.filter(({ isSame }) => !isSame)) {
    if (reason === undefined) score.unexplained++;
    console.log(`  ${missing} ${reason ?? 'NO REASON KNOWN'}`);
  }
}
console.log(`${denials.same} of ${denials.courses} courses are the same: what xl says, what is denied, what stays`);
process.exitCode = score.unexplained > 0 ? 1 : 0;
