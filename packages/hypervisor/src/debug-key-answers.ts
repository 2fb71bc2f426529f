/**
 * What Xen writes of itself and its domains when a debug key is pressed, as far as a simulated host knows it.
 *
 * Lines have the form of a release build of Xen 4.17 on x86. A field that stands for hardware, for time, or for the memory of
 * Xen itself is left out, or has `-` in its column.
 *
 * Follows Xen `xen/common/keyhandler.c`, and the functions that are named below.
 *
 * @module
 */
import { DOM0, DOMID_IO, sbdfText } from '@dewar/toolstack';
import { type Domain, type EventChannel, type Mapping, mappingsOf } from './domain.ts';
import { HOST_CPUS, HOST_NODES, type Machine } from './machine.ts';

const KIB_PER_PAGE = 4;

/** Numbers as Xen prints a mask of them. */
function maskText(numbers: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const one of [...numbers].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] === one - 1) run[1] = one;
    else runs.push([one, one]);
  }
  return runs.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}

const ALL_CPUS: readonly number[] = Array.from({ length: HOST_CPUS }, (_, cpu) => cpu);

/** XEN: `DOMDYING_*`. */
const DYING = { alive: 0, dying: 1, dead: 2 } as const;

function showDomain(domain: Readonly<Domain>): string[] {
  const { domid, life, pauseCount, totalPages, maxPages, handle, vcpuCount, affinities } = domain;
  return [
    `General information for domain ${domid}:`,
    `    dying=${DYING[life]} pause_count=${pauseCount}`,
    `    nr_pages=${totalPages} max_pages=${maxPages}`,
    `    handle=${handle}`,
    `VCPU information and callbacks for domain ${domid}:`,
    ...Array.from({ length: vcpuCount }, (_, vcpu) => {
      const { hard = ALL_CPUS, soft = ALL_CPUS } = affinities.get(vcpu) ?? {};
      return `  UNIT${vcpu} affinities: hard={${maskText(hard)}} soft={${maskText(soft)}}`;
    }),
  ];
}

/** XEN: `dump_domains`. */
export function showDomains(machine: Machine): string[] {
  return [...[...machine.domainsFrom(DOM0)].flatMap(showDomain), 'Shared frames 0 -- Saved frames 0'];
}

/** XEN: `ECS_UNBOUND`, `ECS_INTERDOMAIN`; a simulated port is never pending nor masked. */
function showChannel(machine: Machine, { port, sid, status, remote, remotePort }: EventChannel): string {
  const far = status === 'unbound' ? `s=2 n=0 x=0 d=${remote}` : `s=3 n=0 x=0 d=${remote} p=${remotePort}`;
  const label = machine.flask.isDisabled ? undefined : machine.flask.sidToContext(sid);
  return `    ${String(port).padStart(4)} [0/0/  -   ]: ${far}${label === undefined ? '' : ` Z=${label}`}`;
}

/** XEN: `domain_dump_evtchn_info`. Channels of a kernel with itself are not simulated. */
export function showChannels(machine: Machine): string[] {
  return [...machine.domainsFrom(DOM0)].flatMap(({ domid, eventChannels }) => [
    `Event channel information for domain ${domid}:`,
    'Polling vCPUs: {}',
    '    port [p/m/s]',
    ...[...eventChannels.values()].map((channel) => showChannel(machine, channel)),
  ]);
}

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;

/** XEN: `GNTPIN_hstw_inc`, `GNTPIN_hstr_inc`. */
const PIN = { writable: 0x1, readOnly: 0x100 } as const;
/** XEN: `GTF_permit_access`, with `GTF_reading` and `GTF_writing`. */
const FLAGS = { readOnly: 0x09, writable: 0x19 } as const;

/** One entry that others have mapped. Pages of a simulated guest have no place in the machine's memory. */
function showGrant(ref: number, maps: readonly Mapping[]): string[] {
  const [first] = maps;
  if (first === undefined) return [];
  const writable = maps.filter(({ isWritable }) => isWritable).length;
  const pin = writable * PIN.writable + (maps.length - writable) * PIN.readOnly;
  const domid = String(first.mapper.domid).padStart(5);
  const active = `[${hex(ref, 3)}]  ${domid} ${'-'.padStart(8)} ${hex(pin, 8)}`;
  const flags = writable > 0 ? FLAGS.writable : FLAGS.readOnly;
  return [`${active}      ${domid} ${hex(first.frames.first, 6)} ${hex(flags, 2)}`];
}

/** XEN: `gnttab_usage_print_all`. */
export function showGrants(machine: Machine): string[] {
  const tables = [...machine.domainsFrom(DOM0)].flatMap(({ domid }) => {
    const byRef = new Map<number, Mapping[]>();
    for (const one of mappingsOf(machine.state, domid)) {
      if (one.kind !== 'grant' || one.ref === undefined) continue;
      byRef.set(one.ref, [...(byRef.get(one.ref) ?? []), one]);
    }
    const entries = [...byRef].sort(([a], [b]) => a - b).flatMap(([ref, maps]) => showGrant(ref, maps));
    return [
      '      -------- active --------       -------- shared --------',
      '[ref] localdom mfn      pin          localdom gmfn     flags',
      `grant-table for remote d${domid} (v1)`,
      ...(entries.length === 0 ? ['no active grant table entries'] : entries),
    ];
  });
  return ["gnttab_usage_print_all [ key 'g' pressed", ...tables, 'gnttab_usage_print_all ] done'];
}

/** XEN: `pagealloc_info`. */
export function showMemory(machine: Machine): string[] {
  return ['Physical memory information:', `    Dom heap: ${machine.freePages() * KIB_PER_PAGE}kB free`];
}

/** XEN: `dump_runq` and `csched2_dump`. */
export function showScheduler(machine: Machine): string[] {
  const cpus = maskText(ALL_CPUS);
  return [
    `Online Cpus: ${cpus}`,
    'Cpupool 0:',
    `Cpus: ${cpus}`,
    'Scheduler: SMP Credit Scheduler rev2 (credit2)',
    'Domain info:',
    ...[...machine.domainsFrom(DOM0)].map(
      ({ domid, weight, cap, vcpuCount }) => `\tDomain: ${domid} w ${weight} c ${cap} v ${vcpuCount}`,
    ),
  ];
}

/** XEN: `dump_numa`. */
export function showNodes(machine: Machine): string[] {
  const last = HOST_CPUS - 1;
  return [
    `CPU0...${last} -> NODE${HOST_NODES - 1}`,
    'Memory location of each domain:',
    ...[...machine.domainsFrom(DOM0)].flatMap(({ domid, totalPages }) => [
      `Domain ${domid} (total: ${totalPages}):`,
      `    Node 0: ${totalPages}`,
    ]),
  ];
}

/** XEN: `vmcb_dump`. */
export function showContainers(machine: Machine): string[] {
  const containers = [...machine.domainsFrom(DOM0)].filter(({ isHvm }) => isHvm);
  return [
    '*********** VMCB Areas **************',
    ...containers.flatMap(({ domid, vcpuCount, initialisedVcpus }) => [
      '',
      `>>> Domain ${domid} <<<`,
      ...Array.from({ length: vcpuCount }, (_, vcpu) =>
        initialisedVcpus.has(vcpu) ? `\tVCPU ${vcpu}` : `\tVCPU ${vcpu}: not initialized`,
      ),
    ]),
    '**************************************',
  ];
}

/** XEN: `dump_pci_devices`, which lists those last that the kernel told of first. */
export function showDevices({ state }: Machine): string[] {
  const devices = [...state.devices.values()].sort((a, b) => b.sbdf - a.sbdf);
  const segments = [...new Set(devices.map(({ sbdf }) => sbdf >>> 16))];
  return [
    '==== PCI devices ====',
    ...segments.flatMap((segment) => [
      `==== segment ${segment.toString(16).padStart(4, '0')} ====`,
      ...devices
        .filter(({ sbdf }) => sbdf >>> 16 === segment)
        .map(({ sbdf, owner }) => `${sbdfText(sbdf)} - ${ownerText(owner)}`),
    ]),
  ];
}

/** XEN: `%pd` of `printk`. */
function ownerText(owner: number): string {
  return owner === DOMID_IO ? 'd[IO]' : `d${owner}`;
}

/** XEN: `dump_irqs`: the lines of devices, with their labels. */
export function showInterrupts(machine: Machine): string[] {
  const irqs = [...machine.state.devices.values()].flatMap(({ irq }) => (irq === undefined ? [] : [irq]));
  const sorted = [...new Set(irqs)].sort((a, b) => a - b);
  const label = (irq: number): string => {
    if (machine.flask.isDisabled) return '';
    const text = machine.flask.sidToContext(machine.flask.server.numberSid('pirq', BigInt(irq)));
    return text === undefined ? '' : ` Z=${text}`;
  };
  return ['IRQ information:', ...sorted.map((irq) => `   IRQ:${String(irq).padStart(4)}${label(irq)}`)];
}
