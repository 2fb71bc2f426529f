/**
 * How long a policy takes to compile, whole command against whole command, `dewar compile` beside `m4 | checkpolicy`, in the
 * same run:
 *
 *     npx tsx bench/compile.ts [TYPES...]
 *
 * For the example policy, for it with 1,000 users, for both of Xen's own where `DEWAR_XEN_TREE` names a source tree of Xen,
 * and for the example policy with as many more domain types as each argument says (500 and 1,000 where there is none).
 * Prints CPU and wall time in milliseconds and their ratios, and the largest memory of each. Node's start alone is on a line of its own:
 * no program of Node takes less. Ends with 1 where the bytes differ.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFleetPolicy, writeXenPolicy } from './fleet-policy.ts';
import { type Cost, DEWAR, measure, median, referenceCompilation } from './measure.ts';

/** Short commands are measured more often: what else the machine does weighs more. */
const ROUNDS = { short: 15, long: 1 } as const;

function row(name: string, [cpu, wall, memory]: readonly string[], verdict = ''): void {
  console.log(
    `${name.padEnd(24)}  ${cpu?.padEnd(22)}  ${wall?.padEnd(22)}  ${memory?.padEnd(12)}  ${verdict}`.trimEnd(),
  );
}

function cells(ours: Cost, theirs: Cost): string[] {
  const both = (a: number, b: number): string =>
    `${(a * 1000).toFixed(0)} / ${(b * 1000).toFixed(0)} = ${(a / b).toFixed(2)}`;
  return [
    both(ours.cpu, theirs.cpu),
    both(ours.wall, theirs.wall),
    `${ours.megabytes.toFixed(0)} / ${theirs.megabytes.toFixed(0)}`,
  ];
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-bench-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Compiles what `write` writes with both; false where the bytes differ. */
function compare(name: string, rounds: number, write: (policy: string) => void): boolean {
  return inFolder((folder) => {
    const policy = join(folder, 'policy');
    write(policy);
    const reference = referenceCompilation(policy);
    const theirs = median(() => measure(reference, folder), rounds);
    const ours = median(() => measure(`${DEWAR} compile -q -o ours.bin policy`, folder), rounds);
    const isEqual = readFileSync(join(folder, 'ours.bin')).equals(readFileSync(join(folder, 'theirs.bin')));
    row(name, cells(ours, theirs), isEqual ? 'equal bytes' : 'DIFFERENT BYTES');
    return isEqual;
  });
}

const asked = process.argv.slice(2).map(Number);
const sizes = asked.length === 0 ? [500, 1000] : asked;
const tree = process.env['DEWAR_XEN_TREE'];
row('policy', ['CPU ms', 'wall ms', 'MiB'], '(ours / theirs)');
const start = inFolder((folder) => median(() => measure(`"${process.execPath}" -e 0`, folder), ROUNDS.short));
row('Node alone', [(start.cpu * 1000).toFixed(0), (start.wall * 1000).toFixed(0), start.megabytes.toFixed(0)]);
const results = [
  compare('example', ROUNDS.short, (policy) => writeFleetPolicy(policy, 0, 0)),
  compare('example, 1000 users', ROUNDS.short, (policy) => writeFleetPolicy(policy, 0, 1000)),
  ...(tree === undefined
    ? []
    : [0, 1000].map((users) =>
        compare(users === 0 ? "Xen's" : `Xen's, ${users} users`, ROUNDS.short, (policy) =>
          writeXenPolicy(policy, tree, users),
        ),
      )),
  ...sizes.map((types) =>
    compare(`example, ${types} types`, types > 500 ? ROUNDS.long : 3, (policy) => writeFleetPolicy(policy, types, 0)),
  ),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
