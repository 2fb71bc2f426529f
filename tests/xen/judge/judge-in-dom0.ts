/**
 * Runs in dom0 of a real Xen: a part of the questions (`parts.ts`). It puts the scenarios of `conformance.ts` to it, or kills
 * commands in the middle of a build and writes down the checks of some operations, or tries the commands that only a real
 * host has (`commands.ts`). What comes out is judged outside (`verdict.ts`).
 *
 *     node judge.mjs PART
 *
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { withoutPermission } from '@dewar/testkit';
import { auditPolicy, openXenHost, type XenHost } from '@dewar/xen';
import { type CommandsPart, runCommands } from './commands.ts';
import { tracedGuests } from './conformance.ts';
import { ENFORCING_PARTS, type EnforcingPart } from './parts.ts';
import { bounded, isAlive, PATIENCE_S, within } from './patience.ts';
import { runScenarios } from './run-scenarios.ts';
import { traceOperations } from './traced.ts';

const WORK = '/judge';
const CLI = `${WORK}/dewar/packages/cli`;
/** In dom0's own path. */
const TOOLSTACK = 'xl';

function write(name: string, value: unknown): void {
  writeFileSync(`${WORK}/results/${name}.json`, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** Says on the console of the machine what begins now or went wrong, so that a run that stands still shows where. */
function tell(what: string): void {
  appendFileSync('/dev/console', `JUDGE: ${process.uptime().toFixed(0)} s: ${what.replaceAll(/\s+/g, ' ')}\n`);
}

/** A policy that the judge has brought. */
const policyBytes = (name: 'example' | 'stock'): Uint8Array => readFileSync(`${WORK}/${name}.policy`);

/** The block device that in-dom0.sh makes, for nobody. */
const DISK = '/dev/loop0';

/** The PCI device that boot.sh gives the machine, for nobody. */
const PCI_DEVICE = '0000:00:05.0';

/** What the machine, or what emulates it, can do with guests and devices. */
function abilities(): {
  readonly runsPvh: boolean;
  readonly pciDevice: string | undefined;
  readonly canMigrate: boolean;
} {
  const { stdout } = spawnSync(TOOLSTACK, ['info', 'virt_caps'], { encoding: 'utf8' });
  const hasPci = /\bpv_directio\b/.test(stdout) && existsSync(`/sys/bus/pci/devices/${PCI_DEVICE}`);
  // XEN: a PV guest is watched by shadow paging, which Xen since 4.22 has only where it was asked for at its build.
  const canMigrate = /\bshadow\b/.test(stdout);
  return { runsPvh: /\bpvh\b|\bhvm\b/.test(stdout), pciDevice: hasPci ? PCI_DEVICE : undefined, canMigrate };
}

const guests = async (host: XenHost) => ((await host.list()).value ?? []).filter(({ domid }) => domid !== 0);

/** How a command that is interrupted in the middle of a build ended. */
interface Interruption {
  readonly how: string;
  /** The label of the guest when the signal was sent. */
  readonly label: string | undefined;
  readonly code: number | null;
  readonly said: string;
  readonly isClean: boolean;
}

/** Starts a build, sends a signal to the command or to its helper in the middle of it, and looks what is left. */
async function interrupt(
  host: XenHost,
  how: string,
  hit: (command: number) => number,
  signal: 'SIGINT' | 'SIGKILL',
): Promise<Interruption> {
  const command = spawn(process.execPath, [`${CLI}/bin/dewar.js`, 'create', '-q', `${WORK}/guest.cfg`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [command.stdout, command.stderr]) stream.on('data', (data) => (said += String(data)));
  const ended = new Promise<number | null>((resolve) => command.on('exit', resolve));
  let label: string | undefined;
  await within(PATIENCE_S, async () => {
    label = (await guests(host))[0]?.label;
    return label !== undefined || command.exitCode !== null;
  });
  try {
    if (command.pid !== undefined) process.kill(hit(command.pid), signal);
  } catch {
    // It has ended already; the label tells.
  }
  const code = await ended;
  const isClean = await within(PATIENCE_S, async () => (await guests(host)).length === 0);
  for (const { domid } of isClean ? [] : await guests(host)) await host.destroy(String(domid));
  return { how, label, code, said, isClean };
}

/** The helper that a command has started: its only child. */
function helperOf(command: number): number {
  const children = readFileSync(`/proc/${command}/task/${command}/children`, 'utf8').trim().split(' ');
  return Number(children[0]);
}

/** Steps that are made of commands. */
async function judgeCommands(part: CommandsPart, host: XenHost): Promise<void> {
  const places = {
    cli: CLI,
    example: `${WORK}/example.policy`,
    stock: `${WORK}/stock.policy`,
    locked: '/run/locked.policy',
    guest: `${WORK}/guest.cfg`,
    state: '/run/judged',
    disk: DISK,
    ...abilities(),
  };
  writeFileSync(places.locked, withoutPermission(policyBytes('example'), 'security', 'setenforce'));
  write('commands', await runCommands(part, places, host, tell));
}

const JUDGES: Readonly<Record<EnforcingPart, (host: XenHost) => Promise<void>>> = {
  async session(host) {
    tell('builds are interrupted');
    const bySignal = (how: string, hit: (command: number) => number, signal: 'SIGINT' | 'SIGKILL') =>
      bounded(`a build of which ${how}`, interrupt(host, how, hit, signal));
    write('interruptions', [
      await bySignal('the command gets SIGINT', (command) => command, 'SIGINT'),
      await bySignal('the command is killed', (command) => command, 'SIGKILL'),
      await bySignal('the helper is killed', helperOf, 'SIGKILL'),
    ]);
    tell('operations are traced');
    const audited = auditPolicy(policyBytes('example'));
    if (audited.bytes === undefined) throw new Error('the example policy cannot be audited');
    await host.loadPolicy(audited.bytes);
    const { pciDevice, canMigrate } = abilities();
    const traced = traceOperations(host, tracedGuests(pciDevice, canMigrate), async (name, config) => {
      if (!(await isAlive(name))) throw new Error('the guest that is to migrate did not come up');
      const command = `${TOOLSTACK} migrate-receive -e`;
      return [await host.migrate(name, { to: 'this host', command, config, tell })];
    });
    write('traces', await bounded('tracing', traced));
  },
  async answers(host) {
    const policies = { example: policyBytes('example'), stock: policyBytes('stock') };
    const machine = { isAlive, ...abilities(), saveFile: '/run/saved', disk: DISK };
    write('conformance', await runScenarios({ host, series: host.release, policies, ...machine }, tell));
  },
  commands: (host) => judgeCommands('commands', host),
  devices: (host) => judgeCommands('devices', host),
  migration: (host) => judgeCommands('migration', host),
};

const part = ENFORCING_PARTS.find((one) => one === process.argv[2]);
if (part === undefined) throw new Error(`name the part: ${ENFORCING_PARTS.join(', ')}`);
const host = await openXenHost({ helperFile: `${CLI}/dist/xen-helper.mjs`, stateFolder: '/run/judge' });
try {
  await JUDGES[part](host);
} finally {
  await host.close();
}
// What a command that was killed has left, a `sleep` that was traced, holds pipes of this process open.
process.exit(0);
