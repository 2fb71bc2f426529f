/**
 * Debug keys: what Xen writes into its console ring about itself and its domains.
 *
 * Of `h`, `q` and `e` this has what a simulated host knows: fields that stand for hardware, time or Xen's own memory are left
 * out. Of other keys it has the first line, where there is one. Follows Xen `xen/common/keyhandler.c` and
 * `xen/common/event_channel.c`, `domain_dump_evtchn_info`; the keys are those of a release build of 4.17 on x86.
 *
 * @module
 */
import type { Domain, EventChannel } from './domain.ts';
import { HOST_CPUS, type Machine } from './machine.ts';

/** What a key stands for. */
interface KeyHandler {
  readonly description: string;
  /** `*` presses it too: in its first round, or in its second. XEN: `irq_callback`. */
  readonly round?: 'first' | 'second';
  /** The line that it begins with, where that says nothing of the time. */
  readonly heading?: string;
  readonly show?: (machine: Machine) => readonly string[];
}

const KEYS: ReadonlyMap<string, KeyHandler> = new Map<string, KeyHandler>([
  ['%', { description: 'trap to xendbg', heading: 'trapping into debugger' }],
  ['*', { description: 'print all diagnostics', heading: 'firing all diagnostic keyhandlers', show: showAll }],
  ['+', { description: 'increase log level threshold' }],
  ['-', { description: 'decrease log level threshold' }],
  ['0', { description: 'dump Dom0 registers', round: 'second', heading: "dumping Dom0's registers" }],
  ['A', { description: 'toggle alternative key handling' }],
  ['G', { description: 'toggle host/guest log level adjustment' }],
  ['H', { description: 'dump heap info', round: 'second', heading: 'dumping heap info' }],
  ['I', { description: 'dump HVM irq info', round: 'second', heading: 'dumping HVM irq info' }],
  ['M', { description: 'dump MSI state', round: 'second' }],
  ['N', { description: 'trigger an NMI' }],
  ['Q', { description: 'dump PCI devices', round: 'second' }],
  ['R', { description: 'reboot machine' }],
  ['a', { description: 'dump timer queues', round: 'second' }],
  ['c', { description: 'dump ACPI Cx structures', round: 'second', heading: 'printing ACPI Cx structures' }],
  ['d', { description: 'dump registers', round: 'first', heading: 'dumping registers' }],
  [
    'e',
    { description: 'dump evtchn info', round: 'second', heading: 'dumping event-channel info', show: showChannels },
  ],
  ['g', { description: 'print grant table usage', round: 'second' }],
  ['h', { description: 'show this message', heading: 'showing installed handlers', show: showKeys }],
  ['i', { description: 'dump interrupt bindings', round: 'second' }],
  ['m', { description: 'memory info', round: 'second' }],
  ['n', { description: 'NMI statistics', round: 'second' }],
  [
    'q',
    {
      description: 'dump domain (and guest debug) info',
      round: 'second',
      heading: 'dumping domain info',
      show: showDomains,
    },
  ],
  ['r', { description: 'dump run queues', round: 'second' }],
  ['s', { description: 'dump softtsc stats', round: 'second' }],
  ['t', { description: 'display multi-cpu clock info', round: 'second' }],
  ['u', { description: 'dump NUMA info', round: 'second', heading: 'dumping numa info' }],
  ['v', { description: 'dump AMD-V VMCBs', round: 'second' }],
  ['w', { description: 'synchronously dump console ring buffer (dmesg)' }],
  ['x', { description: 'print livepatch info', round: 'second' }],
  ['z', { description: 'dump IOAPIC info', round: 'second' }],
]);

function showKeys(): string[] {
  return [...KEYS].map(([key, { description }]) => {
    const code = key.charCodeAt(0).toString(16).padStart(2, '0');
    return ` key '${key}' (ascii '${code}') => ${description}`;
  });
}

/** XEN: `run_all_keyhandlers`: those that need no tasklet come first. */
function showAll(machine: Machine): string[] {
  return (['first', 'second'] as const).flatMap((round) =>
    [...KEYS]
      .filter(([, handler]) => handler.round === round)
      .flatMap(([key, handler]) => [`[${key}: ${handler.description}]`, ...press(machine, key, handler)]),
  );
}

/** Physical CPUs as Xen prints a mask of them. */
function cpusText(cpus: readonly number[] | undefined): string {
  const list = cpus ?? Array.from({ length: HOST_CPUS }, (_, cpu) => cpu);
  const runs: [first: number, last: number][] = [];
  for (const cpu of [...list].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === cpu - 1) run[1] = cpu;
    else runs.push([cpu, cpu]);
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}

/** XEN: `DOMDYING_*`. */
const DYING = { alive: 0, dying: 1, dead: 2 } as const;

/** XEN: `dump_domains`. */
function showDomain({
  domid,
  life,
  pauseCount,
  totalPages,
  maxPages,
  handle,
  vcpuCount,
  affinities,
}: Domain): string[] {
  return [
    `General information for domain ${domid}:`,
    `    dying=${DYING[life]} pause_count=${pauseCount}`,
    `    nr_pages=${totalPages} max_pages=${maxPages}`,
    `    handle=${handle}`,
    `VCPU information and callbacks for domain ${domid}:`,
    ...Array.from({ length: vcpuCount }, (_, vcpu) => {
      const { hard, soft } = affinities.get(vcpu) ?? {};
      return `  UNIT${vcpu} affinities: hard={${cpusText(hard)}} soft={${cpusText(soft)}}`;
    }),
  ];
}

function showDomains(machine: Machine): string[] {
  return [...machine.domainsFrom(DOM0).flatMap(showDomain), 'Shared frames 0 -- Saved frames 0'];
}

// The first domain has number 0.
const DOM0 = 0 as Domain['domid'];

/** XEN: `ECS_UNBOUND`, `ECS_INTERDOMAIN`; a simulated port is never pending nor masked. */
function showChannel(machine: Machine, { port, sid, status, remote, remotePort }: EventChannel): string {
  const far = status === 'unbound' ? `s=2 n=0 x=0 d=${remote}` : `s=3 n=0 x=0 d=${remote} p=${remotePort}`;
  const label = machine.flask.isDisabled ? undefined : machine.flask.sidToContext(sid);
  return `    ${String(port).padStart(4)} [0/0/  -   ]: ${far}${label === undefined ? '' : ` Z=${label}`}`;
}

function showChannels(machine: Machine): string[] {
  return machine
    .domainsFrom(DOM0)
    .flatMap(({ domid, eventChannels }) => [
      `Event channel information for domain ${domid}:`,
      'Polling vCPUs: {}',
      '    port [p/m/s]',
      ...[...eventChannels.values()].sort((a, b) => a.port - b.port).map((channel) => showChannel(machine, channel)),
    ]);
}

function press(machine: Machine, key: string, { heading, show }: KeyHandler): string[] {
  const first = heading === undefined ? [] : [`'${key}' pressed -> ${heading}`];
  return [...first, ...(show?.(machine) ?? [])];
}

/** Presses some keys, one after the other; one that Xen does not know does nothing. XEN: `handle_keypress`. */
export function pressKeys(machine: Machine, keys: string): void {
  for (const key of keys) {
    const handler = KEYS.get(key);
    if (handler === undefined) continue;
    for (const line of press(machine, key, handler)) machine.log(`(XEN) ${line}`);
  }
}
