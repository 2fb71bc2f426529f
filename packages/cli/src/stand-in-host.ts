// biome-ignore-all lint/correctness/noUndeclaredDependencies: only tests import this
/**
 * A real host for tests: a stand-in for the helper process works with a simulated Xen, and dies, fails or falls silent where
 * it is told to. A file of tests that imports it gets a fresh host, booted with the example policy, before each test.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Hypervisor } from '@dewar/hypervisor';
import { compileDirectory } from '@dewar/policy/compiler';
import { examplePolicy, withoutPermission } from '@dewar/testkit';
import { LibxlHost, restoreToolstack } from '@dewar/toolstack';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { dewarOn, type Ran } from './captured-run.ts';
import type { Fault } from './stand-in-helper.ts';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
export const guestCfg: string = join(repository, 'examples/nomigrate/guest.cfg');
export const scratch: string = mkdtempSync(join(tmpdir(), 'dewar-real-'));
export const root: string = join(scratch, 'root');
export const helperFile: string = join(scratch, 'helper.mjs');
export const logFile: string = join(scratch, 'log');
let cases = 0;

export const RUN = 'customer_1:vm_r:nomigrate_t';
const { bytes: example = new Uint8Array() } = compileDirectory(examplePolicy(), { release: '4.17' });
export const examplePath: string = join(scratch, 'example.policy');

beforeAll(() => {
  const esbuild = join(repository, 'node_modules/.bin/esbuild');
  const source = fileURLToPath(new URL('stand-in-helper.ts', import.meta.url));
  const args = [
    source,
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--log-level=warning',
    `--outfile=${helperFile}`,
  ];
  expect(spawnSync(esbuild, args, { encoding: 'utf8' }).stderr).toBe('');
  const files = {
    'sys/hypervisor/type': 'xen\n',
    'sys/hypervisor/version/major': '4\n',
    'sys/hypervisor/version/minor': '17\n',
    'proc/xen/capabilities': 'control_d\n',
    'dev/xen/privcmd': '',
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  writeFileSync(examplePath, example);
});

export function boot(flask: 'enforcing' | 'disabled'): void {
  const folder = join(scratch, `case-${++cases}`);
  mkdirSync(folder);
  const booted = Hypervisor.boot({ policy: example, flask });
  if (booted.kind === 'refused') throw new Error(booted.reason);
  const { hypervisor } = booted;
  process.env['STAND_IN_HOST'] = join(folder, 'host.json');
  process.env['STAND_IN_FAULTS'] = join(folder, 'faults.json');
  process.env['STAND_IN_LOG'] = logFile;
  process.env['STAND_IN_RING'] = '1000000';
  process.env['STAND_IN_CHATTER'] = '';
  process.env['DEWAR_STATE_DIR'] = folder;
  const tools = new LibxlHost(hypervisor).snapshot();
  writeFileSync(process.env['STAND_IN_HOST'], JSON.stringify({ xen: hypervisor.snapshot(), tools }));
  rmSync(logFile, { force: true });
}

/** Each test has a host of its own, which has booted the example policy. */
beforeEach(() => boot('enforcing'));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The example policy, with one permission granted to nobody, as a file. */
export function examplePolicyWithout(className: string, permission: string): string {
  const path = join(scratch, `without-${permission}.policy`);
  writeFileSync(path, withoutPermission(example, className, permission));
  return path;
}

export function faults(...list: readonly Fault[]): void {
  writeFileSync(process.env['STAND_IN_FAULTS'] ?? '', JSON.stringify(list));
}

export function xen(...args: readonly string[]): Promise<Ran> {
  const [command = '', ...rest] = args;
  return dewarOn({ helperFile, root, patienceMs: 2000 }, [command, '--host', 'xen', ...rest]);
}

/** The host as it is, seen from outside. */
export function host(): Hypervisor {
  const stored: unknown = JSON.parse(readFileSync(process.env['STAND_IN_HOST'] ?? '', 'utf8'));
  const found = Hypervisor.restore((stored as { readonly xen: unknown }).xen);
  if (found === undefined) throw new Error('there is no host');
  return found;
}

/** Something happens on the host that Dewar has no part in. */
export async function tell(what: (own: LibxlHost) => Promise<unknown>): Promise<void> {
  const file = process.env['STAND_IN_HOST'] ?? '';
  // The stand-in has written it.
  const stored = JSON.parse(readFileSync(file, 'utf8')) as { readonly tools: unknown };
  const hypervisor = host();
  const own = new LibxlHost(hypervisor, restoreToolstack(stored.tools));
  await what(own);
  writeFileSync(file, JSON.stringify({ xen: hypervisor.snapshot(), tools: own.snapshot() }));
}

/** Names and states of the guests. */
export async function guests(): Promise<string[]> {
  const { out, err } = await xen('list', '--json');
  if (out === '') throw new Error(`the host does not list its guests: ${err}`);
  // The command has printed it.
  const { value } = JSON.parse(out) as {
    readonly value: readonly { readonly domid: number; readonly name?: string; readonly state: string }[];
  };
  return value.filter(({ domid }) => domid !== 0).map(({ name, state }) => `${name ?? '?'} ${state}`);
}

/** What dom0 is audited for: the bits for itself of the class `domain`, or those of another class on another label. */
export function auditedBits(className = 'domain', target = 'system_u:system_r:dom0_t'): number {
  const xenHost = host();
  const dom0 = { domid: 0 as never, process: 'xl' } as const;
  const sidOf = (context: string): number => {
    const sid = xenHost.call(dom0, 'xsm_op.context_to_sid', { context });
    if (sid.kind === 'error') throw new Error(sid.errno);
    return sid.value.sid;
  };
  const tclass = xenHost.policyInForce?.policy.classes.byName.get(className)?.value ?? 0;
  const question = { source: sidOf('system_u:system_r:dom0_t'), target: sidOf(target), tclass };
  const answer = xenHost.call(dom0, 'xsm_op.access', question);
  return answer.kind === 'ok' ? answer.value.auditAllow : -1;
}
