/**
 * How long a policy takes to compile, whole command against whole command, `dewar compile` beside `m4 | checkpolicy`, in the
 * same run:
 *
 *     npx tsx bench/compile.ts [TYPES...]
 *
 * For the example policy, for it with 1,000 users, and for it with as many more domain types as each argument says (500
 * and 1,000 where there is none). Prints CPU and wall time in seconds and their ratios, and the largest memory of each.
 * Ends with 1 where the bytes differ.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFleetPolicy } from './fleet-policy.ts';
import { DEWAR, measure, median, referenceCompilation } from './measure.ts';

const ROUNDS = 3;

function compare(name: string, types: number, users: number): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-bench-'));
  try {
    const policy = join(folder, 'policy');
    writeFleetPolicy(policy, types, users);
    const rounds = types > 500 ? 1 : ROUNDS;
    const reference = referenceCompilation(policy);
    const theirs = median(() => measure(reference, folder), rounds);
    const ours = median(() => measure(`${DEWAR} compile -q -o ours.bin policy`, folder), rounds);
    const isEqual = readFileSync(join(folder, 'ours.bin')).equals(readFileSync(join(folder, 'theirs.bin')));
    const cells = [
      name.padEnd(22),
      `${ours.cpu.toFixed(2)} / ${theirs.cpu.toFixed(2)} = ${(ours.cpu / theirs.cpu).toFixed(2)}`.padEnd(24),
      `${ours.wall.toFixed(2)} / ${theirs.wall.toFixed(2)} = ${(ours.wall / theirs.wall).toFixed(2)}`.padEnd(24),
      `${ours.megabytes.toFixed(0)} / ${theirs.megabytes.toFixed(0)}`.padEnd(12),
      isEqual ? 'equal bytes' : 'DIFFERENT BYTES',
    ];
    console.log(cells.join('  '));
    return isEqual;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const asked = process.argv.slice(2).map(Number);
const sizes = asked.length === 0 ? [500, 1000] : asked;
console.log(
  `${'policy'.padEnd(22)}  ${'CPU s'.padEnd(24)}  ${'wall s'.padEnd(24)}  ${'MiB'.padEnd(12)}  (ours / theirs)`,
);
const results = [
  compare('example', 0, 0),
  compare('example, 1000 users', 0, 1000),
  ...sizes.map((types) => compare(`example, ${types} types`, types, 0)),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
