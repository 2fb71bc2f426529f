// biome-ignore-all lint/correctness/noUndeclaredDependencies: the workspaces are linked into the repository's root
/**
 * What whole commands cost, ours and those of others.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { m4Definitions } from '@dewar/policy/compiler';
import { BASELINE_RELEASE, xenRelease } from '@dewar/policy/releases';

/** The built command, for a shell. */
export const DEWAR: string = `"${process.execPath}" "${fileURLToPath(new URL('../packages/cli/bin/dewar.js', import.meta.url))}"`;

/** Seconds, and the largest memory. */
export interface Cost {
  readonly cpu: number;
  readonly wall: number;
  readonly megabytes: number;
}

/** Where OpenSSL finds more certificates: every start of Node reads them, which costs more than Node itself. */
const CERTIFICATES = 'NODE_EXTRA_CA_CERTS';

/** What commands are measured in: this environment, without what makes a program of one side slower that others lack. */
function environment(): NodeJS.ProcessEnv {
  const { [CERTIFICATES]: certificates, ...rest } = process.env;
  return rest;
}

if (process.env[CERTIFICATES] !== undefined) console.log(`measured without ${CERTIFICATES}, which is set here`);

/** Runs the shell command `$1`, with the largest memory in the file `$2` and the times in the file `$3`: the shell tells milliseconds. */
const TIMED = 'TIMEFORMAT="%3U %3S %3R"; { time command time -f %M -o "$2" sh -c "$1" 2>&4; } 4>&2 2> "$3"';

/** `time` says on a line of its own when a command ended with another status than 0. */
function lastLine(path: string): string {
  return readFileSync(path, 'latin1').trim().split('\n').at(-1) ?? '';
}

/** Runs a shell command, and answers what it cost; one that ends with another status than these is an error. */
export function measure(command: string, folder: string, statuses: readonly number[] = [0]): Cost {
  const [memory, times] = [join(folder, 'memory.txt'), join(folder, 'times.txt')];
  const { status, stderr } = spawnSync('bash', ['-c', TIMED, 'bash', command, memory, times], {
    cwd: folder,
    env: environment(),
  });
  if (status === null || !statuses.includes(status))
    throw new Error(`${command}\n${stderr?.toString() ?? 'bash or GNU time is not installed'}`);
  const [user = 0, system = 0, wall = 0] = lastLine(times).split(' ').map(Number);
  return { cpu: user + system, wall, megabytes: Number(lastLine(memory)) / 1024 };
}

/** The median of several runs by CPU time. */
export function median(run: () => Cost, rounds: number): Cost {
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

/** The shell command that compiles a policy directory with m4 and checkpolicy to `theirs.bin`, with the macros that `dewar compile` defines. */
export function referenceCompilation(policy: string): string {
  const definitions = m4Definitions({})
    .map(({ name, value }) => `-D ${name}=${value}`)
    .join(' ');
  return `m4 ${definitions} -s ${m4Files(policy).join(' ')} > theirs.conf && checkpolicy -t Xen -c 30 -o theirs.bin theirs.conf > theirs.log`;
}
