// biome-ignore-all lint/correctness/noUndeclaredDependencies: the workspaces are linked into the repository's root
/**
 * How fast policies are loaded and decisions made, beside libsepol's C on the same questions in the same run:
 *
 *     npx tsx bench/decisions.ts [POLICY...]
 *
 * POLICY is a binary; without one it is the example policy. Where a C compiler or the static libsepol is missing (Debian:
 * libsepol-dev), only Dewar's figures are printed. Ends with 1 where the two decide differently.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileDirectory } from '@dewar/policy/compiler';
import { AVTAB_TRANSITION, type Context, type PolicyDb, readPolicydb } from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { Avc, PolicyView, SecurityServer, type Sid } from '@dewar/policy/security-server';

const DECISIONS = 1_000_000;
const LOADS = 31;
const FIRST_LOADS = 9;
/** More than a machine's caches hold, so that neither side answers from a small hot set. */
const CONTEXTS = 20_000;
const HOT_SET = 256;
const SEED = 1;
const NOBODY = { current: 0 };

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

function read(bytes: Uint8Array): PolicyDb {
  const found = readPolicydb(bytes);
  if ('diagnostic' in found) throw new Error(found.diagnostic.message);
  return found.policy;
}

function examplePolicy(): Uint8Array {
  const folder = pathOf('../policies/example/');
  const { bytes } = compileDirectory({
    readText: (path) => {
      try {
        return readFileSync(join(folder, path), 'latin1');
      } catch {
        return undefined;
      }
    },
    listNames: (path) => {
      try {
        return readdirSync(join(folder, path));
      } catch {
        return [];
      }
    },
    describe: (path) => path,
  });
  if (bytes === undefined) throw new Error('the example policy does not compile');
  return bytes;
}

interface Named {
  readonly text: string;
  readonly context: Context;
}

/** Valid contexts, as many as there are up to a limit, evenly from all of them. */
function validContexts(view: PolicyView): Named[] {
  const { users, roles, types, isMls } = view.policy;
  const found: Named[] = [];
  for (const user of users.entries) {
    const range = isMls
      ? `:${view.text({ user: 1, role: 1, type: 1, range: user.range }).split(':').slice(3).join(':')}`
      : '';
    for (const role of roles.entries) {
      for (const type of types.entries) {
        const text = `${user.name}:${role.name}:${type.name}${range}`;
        const context = type.kind === 'type' ? view.parse(text) : undefined;
        if (context !== undefined && !('part' in context)) found.push({ text, context });
      }
    }
  }
  const step = Math.max(1, found.length / CONTEXTS);
  return Array.from({ length: Math.min(CONTEXTS, found.length) }, (_, i) => found[Math.floor(i * step)]).filter(
    (one) => one !== undefined,
  );
}

/** The shortest of some measurements, in nanoseconds: what else the machine does only adds to it. */
function fastest(times: number, measure: () => unknown): number {
  const taken = Array.from({ length: times }, () => {
    const start = process.hrtime.bigint();
    measure();
    return Number(process.hrtime.bigint() - start);
  });
  return Math.min(...taken);
}

/** Walks the questions of the harness's `x`, and gives the sum of the answers. */
function walk(
  contexts: number,
  classes: number,
  decide: (source: number, target: number, tclass: number) => number,
): number {
  let x = SEED;
  let sum = 0;
  const next = (limit: number): number => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return (x >>> 8) % limit;
  };
  for (let i = 0; i < DECISIONS; i++) {
    const source = next(contexts);
    const target = next(contexts);
    sum = (sum + decide(source, target, 1 + next(classes))) >>> 0;
  }
  return sum;
}

/** The least processor time of some measurements, in nanoseconds; other processes do not count. */
function leastCpu(times: number, measure: () => unknown): number {
  const taken = Array.from({ length: times }, () => {
    const start = process.cpuUsage();
    measure();
    const { user, system } = process.cpuUsage(start);
    return (user + system) * 1000;
  });
  return Math.min(...taken);
}

/** The first load in a process, the best of several processes. */
function measureFirstLoad(path: string): { readonly wall: number; readonly cpu: number } {
  const runs = Array.from({ length: FIRST_LOADS }, () => {
    const args = ['--import', 'tsx', pathOf('first-load.ts'), path];
    const { stdout } = spawnSync(process.execPath, args, { cwd: pathOf('..'), encoding: 'latin1' });
    const [wall, cpu] = stdout.split(' ').map(Number);
    return { wall: wall ?? Number.NaN, cpu: cpu ?? Number.NaN };
  });
  return { wall: Math.min(...runs.map(({ wall }) => wall)), cpu: Math.min(...runs.map(({ cpu }) => cpu)) };
}

interface Figures {
  readonly load: number;
  readonly decisions: number;
  readonly sum: number;
}

interface OwnFigures extends Figures {
  readonly loadCpu: number;
  /** The first access vector, and the first label of something new, right after a load. */
  readonly firstAnswers: number;
}

function measureDewar(bytes: Uint8Array, contexts: readonly Named[]): OwnFigures {
  const load = fastest(LOADS, () => new PolicyView(read(bytes)));
  const loadCpu = leastCpu(LOADS, () => new PolicyView(read(bytes)));
  const view = new PolicyView(read(bytes));
  const some = contexts.at(-1)?.context;
  const firstAnswers = fastest(1, () => {
    if (some === undefined) return;
    view.computeAv(some, some, view.domainClass);
    view.newContext(some, some, view.domainClass, AVTAB_TRANSITION);
  });
  const { primaryCount } = view.policy.classes;
  const run = (): number =>
    walk(contexts.length, primaryCount, (source, target, tclass) => {
      const [from, to] = [contexts[source]?.context, contexts[target]?.context];
      return from === undefined || to === undefined ? 0 : view.computeAv(from, to, tclass).allowed;
    });
  run();
  let sum = 0;
  const decisions = fastest(3, () => {
    sum = run();
  });
  return { load, loadCpu, firstAnswers, decisions, sum };
}

/** The time of checks that the cache answers and nobody is told of; undefined for a policy that Xen 4.17 refuses. */
function measureAvc(bytes: Uint8Array, contexts: readonly Named[]): number | undefined {
  const server = new SecurityServer({ release: xenRelease('4.17') });
  if (server.loadPolicy(bytes).kind === 'refused') return undefined;
  const avc = new Avc(server, { isEnforcing: () => true, log: () => {} });
  const sids = contexts.flatMap(({ text }) => {
    const found = server.contextToSid(text);
    return found.kind === 'sid' ? [found.sid] : [];
  });
  const granted: { source: Sid; target: Sid; tclass: number; allowed: number }[] = [];
  hotSet: for (const source of sids) {
    for (const target of sids) {
      for (const { id } of server.release.classes) {
        const decision = server.computeAv(source, target, id);
        if (decision === 'EINVAL' || decision.allowed === 0) continue;
        if ((decision.allowed & decision.auditAllow) === 0) granted.push({ source, target, tclass: id, ...decision });
        if (granted.length === HOT_SET) break hotSet;
      }
    }
  }
  const run = (): void => {
    for (let i = 0; i < DECISIONS; i++) {
      const one = granted[i % granted.length];
      if (one !== undefined) avc.hasPerm(one.source, one.target, one.tclass, one.allowed, NOBODY);
    }
  };
  run();
  return fastest(3, run);
}

function measureLibsepol(harness: string, path: string, contexts: readonly Named[]): Figures {
  const input = [...contexts.map(({ text }) => `c ${text}`), `x ${DECISIONS} ${SEED}`, ''].join('\n');
  const loads: number[] = [];
  let last: string[] = [];
  for (let i = 0; i < 5; i++) {
    const { status, stdout, stderr } = spawnSync(harness, [path], { input: i < 4 ? '' : input, encoding: 'latin1' });
    if (status !== 0) throw new Error(`libsepol: ${stderr}`);
    last = stdout.trim().split('\n');
    loads.push(Number(last[0]?.split(' ')[1]));
  }
  const [nanoseconds = '', sum = ''] = last.at(-1)?.split(' ') ?? [];
  return { load: Math.min(...loads), decisions: Number(nanoseconds), sum: Number(sum) };
}

const milliseconds = (nanoseconds: number): string => `${(nanoseconds / 1e6).toFixed(2)} ms`;
const perSecond = (nanoseconds: number): string => `${((DECISIONS / nanoseconds) * 1e3).toFixed(2)} million/s`;

const folder = mkdtempSync(join(tmpdir(), 'dewar-bench-'));
try {
  const harness = join(folder, 'sepol-harness');
  const source = pathOf('../tests/libsepol/sepol-harness.c');
  const { status } = spawnSync(process.env['CC'] ?? 'gcc', ['-O2', '-o', harness, source, '-l:libsepol.a']);
  if (status !== 0) console.log('libsepol cannot be measured here');
  const files = process.argv.slice(2);
  const policies =
    files.length > 0
      ? files.map((file) => ({ name: basename(file), bytes: new Uint8Array(readFileSync(file)) }))
      : [{ name: 'the example policy', bytes: examplePolicy() }];
  for (const { name, bytes } of policies) {
    const path = join(folder, 'policy.bin');
    writeFileSync(path, bytes);
    const first = measureFirstLoad(path);
    const contexts = validContexts(new PolicyView(read(bytes)));
    const ours = measureDewar(bytes, contexts);
    console.log(`${name}: ${bytes.length} bytes, ${contexts.length} contexts, ${DECISIONS} decisions`);
    console.log(
      `  load       dewar ${milliseconds(ours.load)} (${milliseconds(ours.loadCpu)} of a processor, ` +
        `the first answers after it ${milliseconds(ours.firstAnswers)})`,
    );
    console.log(
      `  load       dewar ${milliseconds(first.wall)} (${milliseconds(first.cpu)} of a processor) the first time in a process`,
    );
    console.log(`  decisions  dewar ${perSecond(ours.decisions)}`);
    const checks = measureAvc(bytes, contexts);
    if (checks !== undefined) console.log(`  checks     dewar ${perSecond(checks)} through the cache`);
    if (status !== 0) continue;
    const theirs = measureLibsepol(harness, path, contexts);
    console.log(
      `  load       libsepol ${milliseconds(theirs.load)}: dewar takes ${(ours.load / theirs.load).toFixed(2)} times as long`,
    );
    console.log(
      `  decisions  libsepol ${perSecond(theirs.decisions)}: dewar makes ${(theirs.decisions / ours.decisions).toFixed(2)} times as many`,
    );
    if (ours.sum === theirs.sum) continue;
    console.log(`  the answers differ: ${ours.sum} and ${theirs.sum}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
