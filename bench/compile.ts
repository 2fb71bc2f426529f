// biome-ignore-all lint/correctness/noUndeclaredDependencies: the workspaces are linked into the repository's root
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
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BASELINE_RELEASE, xenRelease } from '@dewar/policy/releases';
import { writeFleetPolicy } from './fleet-policy.ts';

const DEWAR = fileURLToPath(new URL('../packages/cli/bin/dewar.js', import.meta.url));
const ROUNDS = 3;

interface Cost {
  readonly cpu: number;
  readonly wall: number;
  readonly megabytes: number;
}

/** Runs a shell command under `time`, and answers what it cost. */
function measure(command: string, folder: string): Cost {
  const report = join(folder, 'time.txt');
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync('time', ['-f', '%U %S %M', '-o', report, 'sh', '-c', command], { cwd: folder });
  const wall = Number(process.hrtime.bigint() - start) / 1e9;
  if (status !== 0) throw new Error(`${command}\n${stderr?.toString() ?? 'GNU time is not installed'}`);
  const [user = 0, system = 0, kilobytes = 0] = readFileSync(report, 'latin1').trim().split(/\s+/).map(Number);
  return { cpu: user + system, wall, megabytes: kilobytes / 1024 };
}

/** The median of several runs by CPU time. */
function median(run: () => Cost, rounds: number): Cost {
  const costs = Array.from({ length: rounds }, run).sort((a, b) => a.cpu - b.cpu);
  const middle = costs[Math.floor(costs.length / 2)];
  if (middle === undefined) throw new Error('no run');
  return middle;
}

/** The files of a policy directory in the order of Xen's Makefile, with the tables of the hypervisor in front. */
function m4Files(policy: string): string[] {
  const { classes, initialSids } = xenRelease(BASELINE_RELEASE);
  const table = (name: string, lines: readonly string[]): string => {
    const path = join(policy, `../xen-${name}`);
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
    return path;
  };
  const modules = [...readFileSync(join(policy, 'modules/modules.conf'), 'latin1').matchAll(/^([a-z]\w*) = on/gm)].map(
    ([, name = '']) => name,
  );
  const each = (ending: string): string[] => modules.map((name) => join(policy, `modules/${name}.${ending}`));
  const files = [
    table(
      'classes',
      classes.map(({ name }) => `class ${name}`),
    ),
    join(policy, 'policy/security_classes'),
    table(
      'sids',
      initialSids.map((name) => `sid ${name}`),
    ),
    table(
      'vectors',
      classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    ),
    join(policy, 'policy/access_vectors'),
    ...readdirSync(join(policy, 'policy/support'))
      .sort()
      .map((name) => join(policy, 'policy/support', name)),
    join(policy, 'policy/mls'),
    ...each('if'),
    join(policy, 'policy/global_tunables'),
    ...each('te'),
    join(policy, 'policy/users'),
    ...each('cons'),
    join(policy, 'policy/initial_sids'),
    join(policy, 'policy/device_contexts'),
  ];
  return files.filter((file) => existsSync(file));
}

function compare(name: string, types: number, users: number): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-bench-'));
  try {
    const policy = join(folder, 'policy');
    writeFleetPolicy(policy, types, users);
    const definitions = '-D self_contained_policy -D mls_num_sens=16 -D mls_num_cats=256';
    const rounds = types > 500 ? 1 : ROUNDS;
    const theirs = median(
      () =>
        measure(
          `m4 ${definitions} -s ${m4Files(policy).join(' ')} > theirs.conf && checkpolicy -t Xen -c 30 -o theirs.bin theirs.conf > theirs.log`,
          folder,
        ),
      rounds,
    );
    const ours = median(
      () => measure(`"${process.execPath}" "${DEWAR}" compile -q -o ours.bin policy`, folder),
      rounds,
    );
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
