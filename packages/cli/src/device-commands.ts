/**
 * The commands of xl about disks, network cards, PCI devices, consoles and debug keys, and those of Xen's tools that label devices and make a xenstore domain.
 *
 * @module
 */
import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import type { Finish } from './guest-commands.ts';
import {
  hostOption,
  iommuOption,
  jsonOption,
  operationCommand,
  policyOption,
  requestFlags,
  verboseOption,
  xenOption,
} from './request-options.ts';
import { byteText, type Terminal } from './terminal.ts';

const DOMAIN = 'name or number';
const DEVICE = 'its address, as `03:00.0` or `0000:03:00.0`';

/** Memory of a xenstore domain in MiB. XEN: `XENSTORE_DOMAIN_SIZE` of xencommons. */
const XENSTORE_MIB = 8;

function parseMib(text: string): number {
  if (!/^[0-9]{1,7}$/.test(text)) throw new InvalidArgumentError('it must be a number of MiB.');
  return Number(text);
}

/** Adds the commands. */
export function addDeviceCommands(program: Command, finish: Finish, terminal: Terminal): void {
  const add = (name: string, text: string) => operationCommand(program, name, text).addOption(iommuOption());

  add('console', 'attach to the console of a guest; on a real host Ctrl-] leaves it')
    .argument('<domain>', DOMAIN)
    .option('-t <type>', 'pv, serial or vuart (default: its first console)')
    .option('-n <number>', 'which of that type')
    .action(async (domain, args) => {
      const { runConsole } = await import('./commands/devices.ts');
      await finish(runConsole(domain, { type: args.t, number: args.n }, requestFlags(args), terminal));
    });

  add('debug-keys', 'send keys to Xen, which answers in its console ring: `dmesg`')
    .helpGroup('Hosts:')
    .argument(
      '<keys>',
      '`h` lists them; a simulated Xen answers `q`, `e`, `g`, `m`, `r`, `u`, `v`, `i` and `Q`, and says what it leaves out',
    )
    .action(async (keys, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.debugKeys(keys), requestFlags(args), terminal));
    });

  add('block-attach', 'give a disk to a guest that exists')
    .argument('<domain>', DOMAIN)
    .argument('<spec...>', 'as an entry of `disk` in an xl.cfg, whole or in parts')
    .action(async (domain, words, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.blockAttach(domain, words.map(byteText)), requestFlags(args), terminal));
    });

  add('block-list', 'list the disks of guests')
    .argument('<domains...>', DOMAIN)
    .action(async (domains, args) => {
      const { runBlockList } = await import('./commands/devices.ts');
      await finish(runBlockList(domains, requestFlags(args), terminal));
    });

  add('block-detach', 'take a disk from a guest')
    .argument('<domain>', DOMAIN)
    .argument('<disk>', 'its name in the guest, as `xvdb`, or its number')
    .option('-f, --force', 'do not wait for the guest to let go of it')
    .action(async (domain, disk, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      const options = { force: args.force === true };
      await finish(runPlain((host) => host.blockDetach(domain, disk, options), requestFlags(args), terminal));
    });

  add('network-attach', 'give a network card to a guest that exists')
    .argument('<domain>', DOMAIN)
    .argument('[parts...]', 'the parts of an entry of `vif` in an xl.cfg, as `mac=00:16:3e:12:34:56 backend=net`')
    .action(async (domain, words, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.networkAttach(domain, words.map(byteText)), requestFlags(args), terminal));
    });

  add('network-list', 'list the network cards of guests')
    .argument('<domains...>', DOMAIN)
    .action(async (domains, args) => {
      const { runNetworkList } = await import('./commands/devices.ts');
      await finish(runNetworkList(domains, requestFlags(args), terminal));
    });

  add('network-detach', 'take a network card from a guest')
    .argument('<domain>', DOMAIN)
    .argument('<card>', 'its number, or its MAC address')
    .action(async (domain, card, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.networkDetach(domain, card), requestFlags(args), terminal));
    });

  add('pci-attach', 'give a PCI device to a guest')
    .argument('<domain>', DOMAIN)
    .argument('<device>', 'as an entry of `pci` in an xl.cfg')
    .action(async (domain, spec, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.pciAttach(domain, spec), requestFlags(args), terminal));
    });

  add('pci-detach', 'take a PCI device from a guest')
    .argument('<domain>', DOMAIN)
    .argument('<device>', 'as an entry of `pci` in an xl.cfg')
    .option('-f', 'whether or not the guest lets go of it')
    .action(async (domain, spec, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      const options = { force: args.f === true };
      await finish(runPlain((host) => host.pciDetach(domain, spec, options), requestFlags(args), terminal));
    });

  add('pci-list', 'list the PCI devices of a guest')
    .argument('<domain>', DOMAIN)
    .action(async (domain, args) => {
      const { runPciList } = await import('./commands/devices.ts');
      await finish(runPciList(domain, requestFlags(args), terminal));
    });

  add('pci-assignable-list', 'list the PCI devices that guests can be given')
    .option('-n, --show-names', 'with the names that they were given')
    .action(async (args) => {
      const { runAssignableList } = await import('./commands/devices.ts');
      await finish(runAssignableList(args.showNames === true, requestFlags(args), terminal));
    });

  add('pci-assignable-add', 'set a PCI device aside, so that guests can be given it')
    .argument('<device>', DEVICE)
    .option('-n, --name <name>', 'a name for it')
    .action(async (device, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.pciAssignableAdd(device, args.name), requestFlags(args), terminal));
    });

  add('pci-assignable-remove', 'give a PCI device back to dom0')
    .argument('<device>', 'its address, or the name that it was given')
    .option('-r', 'the driver in dom0 that it was taken from gets it back; a simulated dom0 has no other drivers')
    .action(async (device, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(
        runPlain((host) => host.pciAssignableRemove(device, { rebind: args.r === true }), requestFlags(args), terminal),
      );
    });

  add('label-pci', 'label a PCI device with its ports, frames and interrupt line, as `flask-label-pci`')
    .argument('<device>', DEVICE)
    .argument('<label>')
    .argument('[irq-label]', 'another label for its interrupt line, which others may share')
    .action(async (device, label, irqLabel, args) => {
      const { runPlain } = await import('./commands/guest-operations.ts');
      await finish(runPlain((host) => host.labelPci(device, label, irqLabel), requestFlags(args), terminal));
    });

  program
    .command('init-xenstore-domain')
    .description('make a domain that takes the place of xenstored in dom0; before any guest')
    .option('--flask <label>', 'its label (default: that of the initial SID domU)')
    .option('--memory <mib>', 'its memory', parseMib, XENSTORE_MIB)
    .option('--maxmem <size>', 'what it may grow to: <MiB>, <a>/<b> of the memory of the host, or both with a colon')
    .option('--pvh', 'its kernel starts in an HVM container; a real host sees that from the kernel')
    .option('--kernel <file>', 'its kernel, which is a xenstore; needed on a real host, a simulated domain has none')
    .option('--ramdisk <file>', 'a ramdisk beside it')
    .option('--param <words>', 'words for the command line of its kernel')
    .option('--name <name>', 'its name (default: Xenstore)')
    .option('--force', 'make it on a real host even when the rehearsal was refused')
    .addOption(hostOption())
    .addOption(xenOption())
    .addOption(policyOption())
    .addOption(jsonOption())
    .addOption(verboseOption())
    .action(async ({ flask: label, memory, maxmem, pvh, kernel, ramdisk, param, name, force, ...args }) => {
      const { runXenstoreDomain } = await import('./commands/xenstore-domain.ts');
      const isPvh = pvh === true;
      const options = { label, memoryMib: memory, maxMemory: maxmem, isPvh, kernel, ramdisk, param, name };
      const flags = { ...requestFlags(args), isForced: force === true };
      await finish(runXenstoreDomain(options, flags, terminal));
    });
}
