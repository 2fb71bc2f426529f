/**
 * Runs in dom0 of a real Xen: puts the questions of `conformance.ts` to it, writes down the checks of some operations,
 * kills commands in the middle of a build, and tries the commands that only a real host has (`commands.ts`). What comes out is judged outside (`verdict.ts`).
 *
 *     node judge.mjs
 *
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { withoutPermission } from '@dewar/testkit';
import { auditPolicy, openXenHost, type XenHost } from '@dewar/xen';
import { runCommands } from './commands.ts';
import { type Bench, tracedGuests } from './conformance.ts';
import { isAlive, PATIENCE_S, within } from './patience.ts';
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

/** The PCI device that boot.sh gives the machine, for nobody. */
const PCI_DEVICE = '0000:00:05.0';

/** What the machine, or what emulates it, can do with guests and devices. */
function abilities(): { readonly runsPvh: boolean; readonly pciDevice: string | undefined } {
  const { stdout } = spawnSync(TOOLSTACK, ['info', 'virt_caps'], { encoding: 'utf8' });
  const hasPci = /\bpv_directio\b/.test(stdout) && existsSync(`/sys/bus/pci/devices/${PCI_DEVICE}`);
  return { runsPvh: /\bpvh\b|\bhvm\b/.test(stdout), pciDevice: hasPci ? PCI_DEVICE : undefined };
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

async function judge(host: XenHost): Promise<void> {
  const example = readFileSync(`${WORK}/example.policy`);
  const stock = readFileSync(`${WORK}/stock.policy`);
  const machine = { isAlive, ...abilities(), saveFile: '/run/saved', disk: '/dev/loop0' };
  const bench: Bench = { host, series: host.release, policies: { example, stock }, ...machine };
  write('conformance', await runScenarios(bench, tell));

  tell('builds are interrupted');
  write('interruptions', [
    await interrupt(host, 'the command gets SIGINT', (command) => command, 'SIGINT'),
    await interrupt(host, 'the command is killed', (command) => command, 'SIGKILL'),
    await interrupt(host, 'the helper is killed', helperOf, 'SIGKILL'),
  ]);

  const places = {
    cli: CLI,
    example: `${WORK}/example.policy`,
    stock: `${WORK}/stock.policy`,
    locked: '/run/locked.policy',
    guest: `${WORK}/guest.cfg`,
    state: '/run/judged',
    disk: machine.disk,
    pciDevice: machine.pciDevice,
  };
  writeFileSync(places.locked, withoutPermission(example, 'security', 'setenforce'));
  const commands = await runCommands('first', places, host, tell);
  write('commands', commands);

  tell('operations are traced');
  const audited = auditPolicy(example);
  if (audited.bytes === undefined) throw new Error('the example policy cannot be audited');
  await host.loadPolicy(audited.bytes);
  try {
    write('traces', await traceOperations(host, tracedGuests(machine.pciDevice)));
  } finally {
    await host.loadPolicy(example);
  }

  write('commands', [...commands, ...(await runCommands('last', places, host, tell))]);
}

const host = await openXenHost({ helperFile: `${CLI}/dist/xen-helper.mjs`, stateFolder: '/run/judge' });
try {
  await judge(host);
} finally {
  await host.close();
}
// What a command that was killed has left, a `sleep` that was traced, holds pipes of this process open.
process.exit(0);
