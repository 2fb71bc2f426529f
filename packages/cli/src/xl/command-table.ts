/**
 * The commands of xl 4.17 in its order: what each is called, which options it knows, how many words it needs.
 *
 * Facts of Xen `tools/xl/xl_cmdtable.c` and of the `main_*` functions that it names; the descriptions are ours.
 *
 * @module
 */
import type { LongOption, OptionSpec } from './getopt.ts';

/** What is known of a command before it is carried out. */
interface XlCommand extends OptionSpec {
  readonly name: string;
  /** How many words it needs beside its options. */
  readonly required: number;
  /** It knows the global option `-N`. */
  readonly canDryRun: boolean;
  /** What it takes, as its usage says. */
  readonly usage: string;
  readonly description: string;
}

type Row = readonly [name: string, options: string, required: number, usage: string, description: string];

/**
 * Options are letters, a colon behind one with a value; then long ones, `=` behind one with a value, with the letter that
 * they stand for. A `!` in front stands for a command that knows `-N`, a `?` for one that reads no options at all.
 */
const ROWS: readonly Row[] = [
  [
    '!create',
    'AFVcdef:inpq defconfig=f dryrun/n ignore-global-affinity-masks/i quiet/q vncviewer/V vncviewer-autopass/A',
    0,
    '[FILE] [options] [KEY=VALUE...]',
    'Makes a guest of a configuration and starts it',
  ],
  ['!config-update', 'dqf: defconfig=f', 0, 'DOMAIN FILE [options] [KEY=VALUE...]', 'Stores another configuration'],
  ['list', 'lvZcn long/l verbose/v context/Z cpupool/c numa/n', 0, '[options] [DOMAIN]', 'Lists domains'],
  ['destroy', 'f', 1, '[options] DOMAIN', 'Ends a domain at once'],
  ['shutdown', 'awF all/a wait/w', 0, '[options] -a | DOMAIN', 'Asks a guest to power off'],
  ['reboot', 'awF all/a wait/w', 0, '[options] -a | DOMAIN', 'Asks a guest to reboot'],
  ['pci-attach', '', 2, 'DOMAIN DEVICE', 'Gives a PCI device to a guest'],
  ['pci-detach', 'f', 2, '[options] DOMAIN DEVICE', 'Takes a PCI device from a guest'],
  ['pci-list', '', 1, 'DOMAIN', 'Lists the PCI devices of a guest'],
  ['pci-assignable-add', 'n: name=n', 1, '[options] ADDRESS', 'Sets a PCI device aside for guests'],
  ['pci-assignable-remove', 'r', 1, '[options] ADDRESS | NAME', 'Gives a PCI device back to dom0'],
  ['pci-assignable-list', 'n show-names/n', 0, '[options]', 'Lists the PCI devices that are set aside'],
  ['pause', '', 1, 'DOMAIN', 'Pauses a domain'],
  ['unpause', '', 1, 'DOMAIN', 'Lets a paused domain run'],
  ['console', 'n:t:', 1, '[options] DOMAIN', 'Attaches to the console of a domain'],
  ['vncviewer', 'a autopass/a vncviewer-autopass/a', 1, '[options] DOMAIN', 'Opens the display of a domain'],
  ['save', 'cpD', 2, '[options] DOMAIN FILE [CONFIG]', 'Writes a guest down and ends it'],
  ['migrate', 'FC:s:epD debug/debug live/live', 2, '[options] DOMAIN HOST', 'Sends a guest to another host'],
  [
    'restore',
    'FcpdeVA vncviewer/V vncviewer-autopass/A',
    1,
    '[options] [CONFIG] FILE',
    'Builds a guest from what was saved',
  ],
  [
    'migrate-receive',
    'Fedrp colo/colo coloft-script=script userspace-colo-proxy/proxy',
    0,
    '[options]',
    'Takes a guest in',
  ],
  ['dump-core', '', 2, 'DOMAIN FILE', 'Writes the memory of a domain to a file'],
  ['!cd-insert', '', 3, 'DOMAIN DRIVE FILE', 'Puts a disc into a drive'],
  ['!cd-eject', '', 2, 'DOMAIN DRIVE', 'Takes a disc out of a drive'],
  ['mem-max', '', 2, 'DOMAIN SIZE', 'Sets the most memory of a guest'],
  ['mem-set', '', 2, 'DOMAIN SIZE', 'Sets the memory of a guest'],
  ['button-press', '', 2, 'DOMAIN BUTTON', 'Presses a button of a guest'],
  ['vcpu-list', '', 0, '[DOMAIN...]', 'Lists virtual CPUs'],
  [
    '!vcpu-pin',
    'fi force/f ignore-global-affinity-masks/i',
    3,
    '[options] DOMAIN VCPU | all HARD [SOFT]',
    'Says where a virtual CPU may run',
  ],
  ['vcpu-set', 'i ignore-host/i', 2, '[options] DOMAIN NUMBER', 'Sets how many virtual CPUs are in use'],
  ['vm-list', '', 0, '', 'Lists domains by their UUIDs'],
  ['info', 'n numa/n', 0, '[options] [NAME]', 'Tells about the host'],
  ['sharing', '', 0, '[DOMAIN]', 'Tells about shared pages'],
  [
    'sched-credit',
    'd:w:c:p:t:r:m:s domain=d weight=w cap=c schedparam/s tslice_ms=t ratelimit_us=r migration_delay_us=m cpupool=p',
    0,
    '[options]',
    'Tells or sets parameters of the credit scheduler',
  ],
  [
    'sched-credit2',
    'd:w:c:p:r:s domain=d weight=w cap=c schedparam/s ratelimit_us=r cpupool=p',
    0,
    '[options]',
    'Tells or sets parameters of the credit2 scheduler',
  ],
  [
    'sched-rtds',
    'd:p:b:e:v:c domain=d period=p budget=b extratime=e vcpuid=v cpupool=c',
    0,
    '[options]',
    'Tells or sets parameters of the real-time scheduler',
  ],
  ['domid', '', 1, 'NAME', 'Turns a name into a number'],
  ['domname', '', 1, 'NUMBER', 'Turns a number into a name'],
  ['rename', '', 2, 'DOMAIN NAME', 'Gives a domain another name'],
  ['trigger', '', 2, 'DOMAIN WHAT [VCPU]', 'Sends a domain what hardware would send'],
  ['sysrq', '', 2, 'DOMAIN LETTER', 'Sends a guest a magic key'],
  ['debug-keys', '', 1, 'KEYS', 'Sends Xen debug keys'],
  ['set-parameters', '', 1, 'PARAMETERS', 'Sets parameters of Xen'],
  ['dmesg', 'c clear/c', 0, '[options]', 'Prints the console ring of Xen'],
  ['top', '', 0, '', 'Watches domains'],
  ['!network-attach', '', 1, 'DOMAIN [PART=VALUE...]', 'Gives a guest a network card'],
  ['network-list', '', 1, 'DOMAIN...', 'Lists network cards'],
  ['network-detach', '', 2, 'DOMAIN NUMBER | MAC', 'Takes a network card from a guest'],
  ['channel-list', '', 1, 'DOMAIN...', 'Lists channels'],
  ['!block-attach', '', 2, 'DOMAIN PART...', 'Gives a guest a disk'],
  ['block-list', '', 1, 'DOMAIN...', 'Lists disks'],
  ['block-detach', 'f force/f', 2, '[options] DOMAIN DISK', 'Takes a disk from a guest'],
  ['!vtpm-attach', '', 1, 'DOMAIN [PART=VALUE...]', 'Gives a guest a TPM'],
  ['vtpm-list', '', 1, 'DOMAIN...', 'Lists TPMs'],
  ['vtpm-detach', '', 2, 'DOMAIN NUMBER | UUID', 'Takes a TPM from a guest'],
  ['!vkb-attach', '', 2, 'DOMAIN PART...', 'Gives a guest a keyboard'],
  ['vkb-list', '', 1, 'DOMAIN...', 'Lists keyboards'],
  ['vkb-detach', '', 2, 'DOMAIN NUMBER', 'Takes a keyboard from a guest'],
  ['!vdispl-attach', '', 1, 'DOMAIN [PART=VALUE...]', 'Gives a guest a display'],
  ['vdispl-list', '', 1, 'DOMAIN...', 'Lists displays'],
  ['vdispl-detach', '', 2, 'DOMAIN NUMBER', 'Takes a display from a guest'],
  ['!vsnd-attach', '', 2, 'DOMAIN PART...', 'Gives a guest a sound card'],
  ['vsnd-list', '', 1, 'DOMAIN...', 'Lists sound cards'],
  ['vsnd-detach', '', 2, 'DOMAIN NUMBER', 'Takes a sound card from a guest'],
  ['uptime', 's', 0, '[options] [DOMAIN...]', 'Tells how long domains have run'],
  ['claims', '', 0, '', 'Lists claims of memory'],
  ['!cpupool-create', 'nf: defconfig=f dryrun/n', 0, '[options] [FILE] [KEY=VALUE...]', 'Makes a CPU pool'],
  ['cpupool-list', 'c cpus/c', 0, '[options] [POOL]', 'Lists CPU pools'],
  ['cpupool-destroy', '', 1, 'POOL', 'Ends a CPU pool'],
  ['cpupool-rename', '', 2, 'POOL NAME', 'Gives a CPU pool another name'],
  ['cpupool-cpu-add', '', 2, 'POOL CPU', 'Gives a CPU to a pool'],
  ['cpupool-cpu-remove', '', 2, 'POOL CPU', 'Takes a CPU from a pool'],
  ['cpupool-migrate', '', 2, 'DOMAIN POOL', 'Moves a domain to a CPU pool'],
  ['cpupool-numa-split', '', 0, '', 'Makes a CPU pool of each NUMA node'],
  ['?getenforce', '', 0, '', 'Tells the mode of FLASK'],
  ['?setenforce', '', 0, '0 | 1 | MODE', 'Sets the mode of FLASK'],
  ['?loadpolicy', '', 0, 'FILE', 'Loads a policy'],
  ['remus', 'Fbundi:s:N:ecp', 2, '[options] DOMAIN HOST', 'Keeps a copy of a guest on another host'],
  ['devd', 'Fp: pidfile=p', 0, '[options]', 'Serves devices from a driver domain'],
  ['psr-hwinfo', 'mab cmt/m cat/a mba/b', 0, '[options]', 'Tells about resource monitoring'],
  ['psr-cmt-attach', '', 1, 'DOMAIN', 'Monitors a domain'],
  ['psr-cmt-detach', '', 1, 'DOMAIN', 'No longer monitors a domain'],
  ['psr-cmt-show', '', 1, 'TYPE [DOMAIN]', 'Tells what was monitored'],
  ['psr-cat-set', 's:l:cd socket=s data/d code/c level=l', 2, '[options] DOMAIN MASK', 'Sets a capacity mask'],
  ['psr-cat-show', 'l: level=l', 0, '[options] [DOMAIN]', 'Tells capacity masks'],
  ['psr-mba-set', 's: socket=s', 0, '[options] DOMAIN THROTTLING', 'Sets a throttling'],
  ['psr-mba-show', '', 0, '[DOMAIN]', 'Tells throttlings'],
  ['usbctrl-attach', '', 1, 'DOMAIN [PART=VALUE...]', 'Gives a guest a USB controller'],
  ['usbctrl-detach', '', 2, 'DOMAIN NUMBER', 'Takes a USB controller from a guest'],
  ['usbdev-attach', '', 2, 'DOMAIN PART=VALUE...', 'Gives a guest a USB device'],
  ['usbdev-detach', '', 3, 'DOMAIN CONTROLLER PORT', 'Takes a USB device from a guest'],
  ['usb-list', '', 1, 'DOMAIN', 'Lists USB controllers and devices'],
  ['qemu-monitor-command', '', 2, 'DOMAIN COMMAND', 'Sends a command to QEMU'],
];

function longOption(word: string): LongOption {
  const [, name = '', sign = '', letter = ''] = /^(.*?)([=/])(.+)$/.exec(word) ?? [];
  return { name, hasValue: sign === '=', letter };
}

/** A command, and whether it reads options at all. */
export interface TableEntry extends XlCommand {
  readonly readsOptions: boolean;
}

/** All commands. */
export const XL_COMMANDS: readonly TableEntry[] = ROWS.map(([marked, options, required, usage, description]) => {
  const [letters = '', ...long] = options.split(' ');
  return {
    name: marked.replace(/^[!?]/, ''),
    letters,
    long: long.map(longOption),
    required,
    canDryRun: marked.startsWith('!'),
    readsOptions: !marked.startsWith('?'),
    usage,
    description,
  };
});

/** The command of that name, or the only one whose name begins so. XEN: `cmdtable_lookup`. */
export function findXlCommand(name: string): TableEntry | undefined {
  const exact = XL_COMMANDS.find((command) => command.name === name);
  if (exact !== undefined) return exact;
  const begun = XL_COMMANDS.filter((command) => command.name.startsWith(name));
  return begun.length === 1 ? begun[0] : undefined;
}
