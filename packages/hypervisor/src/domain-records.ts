/**
 * The domains of a host as records of JSON, and what they have many of.
 *
 * What there are tens of thousands of is a list of its fields; of a domain, what nearly all have alike is left out.
 *
 * Start reading at `readTables`.
 *
 * @module
 */
import {
  DOMID_IO,
  type Domid,
  type HvmParam,
  type KeptPage,
  type MappingHandle,
  PagedMap,
  type Port,
  type PortStatus,
  type Process,
  type RecordForm,
  readKeptPages,
  type ShutdownReason,
} from '@dewar/toolstack';
import {
  type Affinity,
  Domain,
  type DomainParts,
  type DomainTables,
  type EventChannel,
  GRANT_LIMIT,
  type Grant,
  HANDLES_OF_DOMAIN,
  type IoreqServer,
  type Mapping,
  PORT_LIMIT,
} from './domain.ts';
import { flag, type Json, list, object, oneOf, ShapeError, text, whole } from './json-shapes.ts';
import { DOMID_LIMIT, type MachineState } from './machine.ts';

/** All tables. */
export type Tables = DomainTables & Pick<MachineState, 'domains'>;

/** The most vCPUs of a domain. XEN: `MAX_VIRT_CPUS`. */
const VCPU_LIMIT = 8192;

/** A SID is a number of 32 bits. */
export const SID_LIMIT = 0xffff_ffff;

const PROCESSES: readonly string[] = [
  'xl',
  'xl daemon',
  'libxl',
  'libxc',
  'libxl-save-helper',
  'xenstored',
  'xenconsoled',
  'init-xenstore-domain',
  'device model',
  'driver',
  'guest kernel',
  'flask tools',
  'probe',
] satisfies readonly Process[];

const SHUTDOWN_REASONS: readonly ShutdownReason[] = [
  'poweroff',
  'reboot',
  'suspend',
  'crash',
  'watchdog',
  'soft-reset',
];

const HVM_PARAMS: readonly HvmParam[] = [
  'CALLBACK_IRQ',
  'ACPI_S_STATE',
  'ACPI_IOPORTS_LOCATION',
  'VM86_TSS_SIZED',
  'VIRIDIAN',
  'VM_GENERATION_ID_ADDR',
  'X87_FIP_WIDTH',
  'MCA_CAP',
  'VPT_ALIGN',
  'HPET_ENABLED',
  'IOREQ_SERVER_PFN',
  'NR_IOREQ_SERVER_PAGES',
  'STORE_PFN',
  'STORE_EVTCHN',
  'IOREQ_PFN',
  'BUFIOREQ_PFN',
  'TIMER_MODE',
  'IDENT_PT',
  'CONSOLE_PFN',
  'CONSOLE_EVTCHN',
  'PAGING_RING_PFN',
  'MONITOR_RING_PFN',
  'SHARING_RING_PFN',
  'NESTEDHVM',
  'ALTP2M',
];

/** The number of a domain. */
// Brand constructors: Xen numbers these things, and the snapshot is what Xen numbered before.
export const domidOf = (value: unknown): Domid => whole(value, DOMID_LIMIT - 1) as Domid;
/** The number of a domain, or of that which owns what is set aside for guests. */
export const ownerOf = (value: unknown): Domid => (value === DOMID_IO ? DOMID_IO : domidOf(value));
const portOf = (value: unknown): Port => whole(value, PORT_LIMIT) as Port;
/** In lists, where JSON has no `undefined`. */
const orNull = <T>(value: T | undefined): T | null => value ?? null;
const unlessNull = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === null ? undefined : read(value);

/** Some frames. */
export function readFrames(value: unknown): Mapping['frames'] {
  const { first, count } = object(value);
  return { first: whole(first), count: whole(count) };
}

function writeMapping({ kind, frames, mapper, isWritable, ref, labelWhenMapped }: Mapping): unknown {
  const { first, count } = frames;
  return [kind, first, count, mapper.domid, mapper.process, isWritable, orNull(ref), labelWhenMapped];
}

function readMapping(value: unknown, handle: MappingHandle): Mapping {
  const [kind, first, count, domid, process, isWritable, ref, label] = list(value);
  if (!PROCESSES.includes(text(process))) throw new ShapeError();
  return {
    handle,
    kind: oneOf(kind, ['foreign', 'grant']),
    owner: domidOf(Math.floor(handle / HANDLES_OF_DOMAIN)),
    frames: { first: whole(first), count: whole(count) },
    // It is in the list, which holds nothing but names of processes.
    mapper: { domid: domidOf(domid), process: process as Process },
    isWritable: flag(isWritable),
    ref: unlessNull(ref, whole),
    labelWhenMapped: text(label),
  };
}

function writeGrant({ frame, to }: Grant): unknown {
  return [frame, to];
}

function readGrant(value: unknown, key: number): Grant {
  const [frame, to] = list(value);
  return { ref: key % GRANT_LIMIT, frame: whole(frame), to: domidOf(to) };
}

function writeChannel({ sid, status, remote, remotePort }: EventChannel): unknown {
  return [sid, status, orNull(remote), orNull(remotePort)];
}

function readChannel(value: unknown, key: number): EventChannel {
  const [sid, status, remote, remotePort] = list(value);
  return {
    port: portOf(key % PORT_LIMIT),
    sid: whole(sid, SID_LIMIT),
    status: oneOf<PortStatus>(status, ['closed', 'unbound', 'interdomain']),
    remote: unlessNull(remote, domidOf),
    remotePort: unlessNull(remotePort, portOf),
  };
}

function readAffinity(value: unknown): readonly [vcpu: number, affinity: Affinity] {
  const { vcpu, hard, soft } = object(value);
  const cpus = (one: unknown): number[] => list(one).map((cpu) => whole(cpu, VCPU_LIMIT - 1));
  return [whole(vcpu, VCPU_LIMIT - 1), { hard: cpus(hard), soft: cpus(soft) }];
}

function readServer(value: unknown): IoreqServer {
  const { id, emulator, ports, isEnabled } = object(value);
  return {
    id: whole(id, 7),
    emulator: domidOf(emulator),
    ports: list(ports).map(portOf),
    isEnabled: flag(isEnabled),
  };
}

function readParam(value: unknown): readonly [HvmParam, number] {
  const [name, param] = list(value);
  return [oneOf(name, HVM_PARAMS), whole(param)];
}

const NONE: readonly unknown[] = [];

/** What a domain has a list of; none where nothing is said. */
function some(value: unknown): readonly unknown[] {
  return value === undefined ? NONE : list(value);
}

const vcpuOf = (value: unknown): number => whole(value, VCPU_LIMIT - 1);

function writeParts({ ioreqServers, initialisedVcpus, affinities, hvmParams, islands, pirqs }: DomainParts): Json {
  const parts = {
    ioreqServers,
    initialisedVcpus: [...initialisedVcpus],
    affinities: [...affinities].map(([vcpu, affinity]) => ({ vcpu, ...affinity })),
    hvmParams: [...hvmParams],
    islands,
    pirqs: [...pirqs],
  };
  return Object.fromEntries(Object.entries(parts).filter(([, items]) => items.length > 0));
}

function readParts(value: unknown): DomainParts {
  const { ioreqServers, initialisedVcpus, affinities, hvmParams, islands, pirqs } = object(value);
  return {
    ioreqServers: some(ioreqServers).map(readServer),
    initialisedVcpus: new Set(some(initialisedVcpus).map(vcpuOf)),
    affinities: new Map(some(affinities).map(readAffinity)),
    hvmParams: new Map(some(hvmParams).map(readParam)),
    islands: some(islands).map(readFrames),
    pirqs: new Set(some(pirqs).map((irq) => whole(irq, 0xffff))),
  };
}

/** Left out where it is as usual: JSON has no `undefined`. */
function unless<T>(usual: T, value: T): T | undefined {
  return value === usual ? undefined : value;
}

/** The only vCPU of most guests is up. */
function areUsual(vcpus: ReadonlySet<number>): boolean {
  return vcpus.size === 1 && vcpus.has(0);
}

/** What differs from one guest to the next in their order, and then what is otherwise than with most. */
function writeDomain(domain: Domain): unknown {
  const { handle, sid, selfSid, frameCount, totalPages, maxPages, nextPort, mapCount } = domain;
  const usual = [handle, sid, selfSid, frameCount, totalPages, maxPages, nextPort, mapCount];
  const unusual = JSON.stringify({
    target: domain.target,
    shutdownReason: domain.shutdownReason,
    targetSid: unless(0, domain.targetSid),
    isHvm: unless(false, domain.isHvm),
    hasIommu: unless(false, domain.hasIommu),
    isXenstore: unless(false, domain.isXenstore),
    life: unless('alive', domain.life),
    pauseCount: unless(0, domain.pauseCount),
    maxVcpus: unless(1, domain.maxVcpus),
    vcpuCount: unless(1, domain.vcpuCount),
    onlineVcpus: areUsual(domain.onlineVcpus) ? undefined : [...domain.onlineVcpus],
    addressSize: unless(64, domain.addressSize),
    claimedPages: unless(0, domain.claimedPages),
    isLogDirty: unless(false, domain.isLogDirty),
    weight: unless(256, domain.weight),
    cap: unless(0, domain.cap),
  });
  return unusual === '{}' ? usual : [...usual, JSON.parse(unusual)];
}

function readDomain(value: unknown, domid: Domid, tables: DomainTables): Domain {
  const [handle, sid, selfSid, frameCount, totalPages, maxPages, nextPort, mapCount, unusual] = list(value);
  const rest = unusual === undefined ? NOTHING : object(unusual);
  const identity = {
    domid: domidOf(domid),
    handle: text(handle, 64),
    sid: whole(sid, SID_LIMIT),
    selfSid: whole(selfSid, SID_LIMIT),
    maxVcpus: whole(rest['maxVcpus'] ?? 1, VCPU_LIMIT),
    isHvm: flag(rest['isHvm'] ?? false),
    hasIommu: flag(rest['hasIommu'] ?? false),
    isXenstore: flag(rest['isXenstore'] ?? false),
  };
  const domain = new Domain(identity, tables);
  domain.frameCount = whole(frameCount);
  domain.totalPages = whole(totalPages);
  domain.maxPages = whole(maxPages);
  domain.nextPort = whole(nextPort, PORT_LIMIT);
  domain.mapCount = whole(mapCount, HANDLES_OF_DOMAIN);
  domain.pauseCount = whole(rest['pauseCount'] ?? 0, 255);
  domain.vcpuCount = whole(rest['vcpuCount'] ?? 1, VCPU_LIMIT);
  if (rest['onlineVcpus'] === undefined) domain.bringUp(0);
  else for (const one of list(rest['onlineVcpus'])) domain.bringUp(vcpuOf(one));
  if (rest !== NOTHING) readUnusual(domain, rest);
  return domain;
}

const NOTHING: Json = {};

function readUnusual(
  domain: Domain,
  { target, life = 'alive', addressSize = 64, shutdownReason, ...rest }: Json,
): void {
  if (addressSize !== 32 && addressSize !== 64) throw new ShapeError();
  domain.target = target === undefined ? undefined : domidOf(target);
  domain.targetSid = whole(rest['targetSid'] ?? 0, SID_LIMIT);
  domain.life = oneOf(life, ['alive', 'dying', 'dead']);
  domain.shutdownReason = shutdownReason === undefined ? undefined : oneOf(shutdownReason, SHUTDOWN_REASONS);
  domain.addressSize = addressSize;
  domain.claimedPages = whole(rest['claimedPages'] ?? 0);
  domain.isLogDirty = flag(rest['isLogDirty'] ?? false);
  domain.weight = whole(rest['weight'] ?? 256, 65535);
  domain.cap = whole(rest['cap'] ?? 0, 65535);
}

/** Records as they are kept: what cannot be read is none. */
function form<K extends number, V>(
  write: (value: V) => unknown,
  read: (value: unknown, key: K) => V,
  pageOf?: (key: number) => number,
): RecordForm<K, V> {
  return {
    write,
    read(value, key) {
      try {
        return read(value, key);
      } catch (error) {
        if (error instanceof ShapeError) return undefined;
        throw error;
      }
    },
    ...(pageOf === undefined ? {} : { pageOf }),
  };
}

/** Domains whose grants, channels or mappings share a page. */
const OWNERS_OF_PAGE = 16;

/** Pages of what each domain has a few of, `size` numbers for each. */
function pagesOfOwners(size: number): (key: number) => number {
  return (key) => Math.floor(key / (size * OWNERS_OF_PAGE));
}

/** dom0 has two channels and more for each guest, which fill pages of their own. */
function pageOfChannel(key: number): number {
  const ports = 64;
  return key < PORT_LIMIT
    ? Math.floor(key / ports)
    : PORT_LIMIT / ports + Math.floor(key / (PORT_LIMIT * OWNERS_OF_PAGE));
}

/** The tables that were kept. Throws `ShapeError` and `KeptPageError`; records are looked at when they are asked for. */
export function readTables(value: unknown): Tables {
  const kept = object(value);
  const pages = (name: keyof Tables): readonly KeptPage[] => readKeptPages(kept[name]);
  const tables: DomainTables = {
    parts: new PagedMap(form(writeParts, readParts), pages('parts')),
    grants: new PagedMap(form(writeGrant, readGrant, pagesOfOwners(GRANT_LIMIT)), pages('grants')),
    eventChannels: new PagedMap(form(writeChannel, readChannel, pageOfChannel), pages('eventChannels')),
    mappings: new PagedMap(form(writeMapping, readMapping, pagesOfOwners(HANDLES_OF_DOMAIN)), pages('mappings')),
  };
  const read = (record: unknown, domid: Domid): Domain => readDomain(record, domid, tables);
  return { ...tables, domains: new PagedMap(form(writeDomain, read), pages('domains')) };
}

/** The tables as they are to be kept: all pages, or those that may not be what was kept before. */
export function keptTables(tables: Tables, which: 'all' | 'changed'): Record<keyof Tables, KeptPage[]> {
  return {
    domains: tables.domains.pages(which),
    parts: tables.parts.pages(which),
    grants: tables.grants.pages(which),
    eventChannels: tables.eventChannels.pages(which),
    mappings: tables.mappings.pages(which),
  };
}
