/**
 * The score: operations × checks that are equal on real and on simulated Xen: `npx tsx tests/traces/compare-recordings.ts`.
 * The exit status is 1 if a difference has no reason here.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { KINDS, recordedMoves, simulateMoves } from './kinds/moves.ts';
import { golden, simulated } from './recordings.ts';

/** Why a recording and the simulated host differ. */
const REASONS: Readonly<Record<string, string>> = {
  'pvh-guest-start': 'the recording ends before the kernel asks for its grant table and its xenstore page',
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

const names = readdirSync(new URL('./golden', import.meta.url))
  .map((file) => file.replace(/\.txt$/, ''))
  .sort();
const score = { operations: 0, checks: 0, equal: 0, same: 0, unexplained: 0 };
const WIDTH = 24;
console.log(`${'operation'.padEnd(WIDTH)} ${'on Xen'.padStart(7)} ${'equal'.padStart(7)} ${'only here'.padStart(10)}`);

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

for (const name of names) compare(name, golden(name), (await simulated(name)) ?? []);
for (const kind of KINDS) {
  const found = await simulateMoves(kind);
  for (const [name, lines] of recordedMoves(kind)) compare(name, lines, found.get(name) ?? []);
}
const { operations, checks, equal, same } = score;
console.log(
  `${same} of ${operations} operations are the same; ${equal} of ${checks} recorded checks are made, in order`,
);
process.exitCode = score.unexplained > 0 ? 1 : 0;
