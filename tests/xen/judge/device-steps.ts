/**
 * Consoles, disks, network cards and PCI devices with Dewar's commands and with those of Xen: what both print, and how both
 * end.
 *
 * Start reading at `DEVICE_STEPS`.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Commands, Step } from './commands.ts';
import { PATIENCE_S } from './patience.ts';

const GUEST = 'nomigrate-guest';

/** In dom0's own path. */
const TOOLSTACK = 'xl';

/** The key that leaves a console: Ctrl-]. */
const LEAVE = '\x1d';

function must(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what);
}

/** Dewar prints what xl prints, or another tool of Xen given the same words, ends as it does, and says no less. */
async function same(commands: Commands, args: readonly string[], tool?: string): Promise<void> {
  const [program, words] = tool === undefined ? [TOOLSTACK, args] : [tool, args.slice(1)];
  const theirs = spawnSync(program, words, { encoding: 'utf8', timeout: PATIENCE_S * 1000 });
  const ours = await commands.run(args, theirs.status ?? -1);
  const what = args.join(' ');
  must(ours.out === theirs.stdout, `${what}: ${program} prints ${theirs.stdout}, and Dewar ${ours.out}`);
  const lines = theirs.stderr.split('\n').filter((line) => line.trim() !== '');
  const missing = lines.find((line) => !ours.err.includes(line.trim()));
  must(missing === undefined, `${what}: ${program} says ${missing ?? ''}, and Dewar ${ours.err}`);
}

/** What is typed reaches the guest, Ctrl-C too, and the terminal comes back as it was. */
const consoles: Step = async (commands) => {
  const talk = await commands.atTerminal(
    ['console', GUEST],
    [
      { after: 'GUEST IS ALIVE', type: 'hello\r' },
      { after: 'GUEST HEARD: hello', type: '\x03' },
      { after: '^C', type: LEAVE },
    ],
  );
  must(talk.code === 0 && talk.isAsBefore, `Ctrl-]: ended with ${talk.code}: ${talk.screen}`);
  must(talk.screen.includes('GUEST HEARD: hello'), `the guest heard nothing: ${talk.screen}`);
  const ended = await commands.atTerminal(
    ['create', '-q', '-c', commands.places.guest, 'name="shown"'],
    [{ after: 'GUEST IS ALIVE', signal: 'SIGTERM' }],
  );
  must(ended.code === 130 && ended.isAsBefore, `SIGTERM: ended with ${ended.code}: ${ended.screen}`);
  // It outlives its console.
  await commands.run(['list'], 0, /^shown /m);
  await commands.run(['destroy', 'shown'], 0);
  for (const args of [['nobody'], ['77'], ['-t', 'pv', '-n', '3', GUEST]]) await same(commands, ['console', ...args]);
};

/** A guest of type domU_t. */
export async function withGuest(commands: Commands, name: string, work: () => Promise<void>): Promise<void> {
  const file = `/run/${name}.cfg`;
  const text = readFileSync(commands.places.guest, 'utf8').replaceAll(/^.*(?:seclabel|name) *=.*$/gm, '');
  writeFileSync(file, `${text}\nname = '${name}'\nseclabel = 'customer_1:vm_r:domU_t'\npassthrough = 'enabled'\n`);
  await commands.run(['create', '-q', file], 0);
  try {
    await work();
  } finally {
    await commands.run(['destroy', name], 0);
  }
}

const lending: Step = async (commands) => {
  await withGuest(commands, 'lent', async () => {
    const disk = `format=raw,vdev=xvda,access=rw,backendtype=phy,target=${commands.places.disk}`;
    const mac = '00:16:3e:12:34:56';
    await commands.run(['block-attach', 'lent', disk], 0);
    await same(commands, ['block-list', 'lent']);
    await same(commands, ['block-detach', 'lent', 'xvdz']);
    await commands.run(['block-detach', '-f', 'lent', 'xvda'], 0);
    await commands.run(['network-attach', 'lent', `mac=${mac}`, 'script=/bin/true'], 0);
    await same(commands, ['network-list', 'lent']);
    await same(commands, ['network-list', 'nobody']);
    await same(commands, ['network-detach', 'lent', '7']);
    await commands.run(['network-detach', 'lent', mac], 0);
  });
  await same(commands, ['debug-keys', 'h']);
  const { stdout } = spawnSync(TOOLSTACK, ['dmesg'], { encoding: 'utf8' });
  must(stdout.split("'h' pressed -> showing installed handlers").length === 3, 'Xen was not asked twice');
};

const NIC = 'system_u:object_r:nic_dev_t';
const OTHER = 'system_u:object_r:iomem_t';

/** Labels of a PCI device: given by one tool, they are there for the other. */
const labelling: Step = async (commands) => {
  const { pciDevice: device, example } = commands.places;
  if (device === undefined) return;
  const label = (...args: readonly string[]): Promise<void> =>
    same(commands, ['label-pci', ...args], 'flask-label-pci');
  // A load takes away what there is of labels.
  await commands.run(['loadpolicy', '--yes', example], 0);
  await label(device, 'system_u:object_r:nobody_t');
  await label('0000:7f:1f.7', NIC);
  await commands.run(['label-pci', device, NIC, NIC], 0);
  await label(device, OTHER);
  await commands.run(['pci-assignable-add', '-n', 'nic', device], 0);
  // The interrupt line is known only now; all else has this label already.
  await label(device, NIC);
  await same(commands, ['pci-assignable-list', '-n']);
  await withGuest(commands, 'driving', async () => {
    await commands.run(['pci-attach', 'driving', device], 0);
    await same(commands, ['pci-list', 'driving']);
    await same(commands, ['pci-attach', 'driving', '00:1e.7']);
    await commands.run(['pci-detach', '-f', 'driving', device], 0);
  });
  await commands.run(['pci-assignable-remove', 'nic'], 0);
  await same(commands, ['pci-assignable-list']);
};

/** The kernel of dom0 stays with the xenstored that it has. */
const xenstore: Step = async (commands) => {
  const kernel = ['init-xenstore-domain', '--kernel', '/boot/vmlinuz'];
  await commands.run(['init-xenstore-domain'], 2, 'name it with `--kernel`');
  await commands.run([...kernel, '--flask', 'system_u:system_r:xenstore_t'], 1, 'xenstored runs in dom0');
  const label = 'customer_1:vm_r:domU_t';
  await commands.run([...kernel, '--flask', label], 1, 'nothing was made: that was a rehearsal');
  await commands.run(['list'], 0, /^Name.*\n(?:Domain-0 .*\n|nomigrate-guest .*\n)*$/);
};

/** What is tried with devices, while the guest of the example runs. */
export const DEVICE_STEPS: Readonly<Record<string, Step>> = {
  'a console gives the terminal to the guest, and gives it back': consoles,
  'disks, cards and debug keys are told as xl tells them': lending,
  'a PCI device is labelled as flask-label-pci labels it, and handed on as xl hands it on': labelling,
  'a xenstore domain is not begun where xenstored runs': xenstore,
};
