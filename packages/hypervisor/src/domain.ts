/**
 * What the simulated Xen keeps of a domain.
 *
 * @module
 */
import {
  type Actor,
  type Domid,
  type FrameRange,
  type HvmParam,
  type MappingHandle,
  MapSlice,
  type PagedMap,
  type Port,
  type PortStatus,
  type ShutdownReason,
  type SidNumber,
} from '@dewar/toolstack';

/** One event channel of a domain. Its label is that of the time when it was made. */
export interface EventChannel {
  readonly port: Port;
  sid: SidNumber;
  status: PortStatus;
  remote: Domid | undefined;
  remotePort: Port | undefined;
}

/** One entry of a grant table: who may map which frame. */
export interface Grant {
  readonly ref: number;
  readonly frame: number;
  readonly to: Domid;
}

/** Pages of one domain that another has mapped; each holds its owner back from being freed. */
export interface Mapping {
  readonly handle: MappingHandle;
  readonly kind: 'foreign' | 'grant';
  readonly owner: Domid;
  readonly frames: FrameRange;
  readonly mapper: Actor;
  readonly isWritable: boolean;
  readonly ref: number | undefined;
  readonly labelWhenMapped: string;
}

/** Where one device model hears of the guest. XEN: `struct ioreq_server`. */
export interface IoreqServer {
  readonly id: number;
  readonly emulator: Domid;
  /** Of each vCPU, then of the buffered page. */
  readonly ports: readonly Port[];
  isEnabled: boolean;
}

/** The physical CPUs that a vCPU may run on, and those that it had better run on. */
export interface Affinity {
  readonly hard: readonly number[];
  readonly soft: readonly number[];
}

/** What is asked of a domain only when something is done to it, or by it. */
export interface DomainParts {
  /** Those who are told what the guest does with devices that do not exist. */
  readonly ioreqServers: IoreqServer[];
  /** vCPUs that have their registers. */
  readonly initialisedVcpus: Set<number>;
  /** By vCPU; one that is not here may run everywhere. */
  readonly affinities: Map<number, Affinity>;
  readonly hvmParams: Map<HvmParam, number>;
  /** Frames of an HVM container beyond those from 0 on: above the hole for devices, and inside of it. */
  readonly islands: FrameRange[];
  /** Interrupt lines of devices that are mapped for it. */
  readonly pirqs: Set<number>;
}

/** What domains have many of, for all domains of a host. */
export interface DomainTables {
  readonly parts: PagedMap<Domid, DomainParts>;
  readonly grants: PagedMap<number, Grant>;
  readonly eventChannels: PagedMap<number, EventChannel>;
  readonly mappings: PagedMap<MappingHandle, Mapping>;
}

const NO_VCPU: ReadonlySet<number> = new Set();

/** The one vCPU that most guests have is up; all these share this set. */
const FIRST_VCPU: ReadonlySet<number> = new Set([0]);

/** Who a domain is from the beginning. */
interface Identity {
  readonly domid: Domid;
  readonly handle: string;
  sid: SidNumber;
  selfSid: SidNumber;
  readonly maxVcpus: number;
  readonly isHvm: boolean;
  readonly hasIommu?: boolean;
  readonly isXenstore?: boolean;
}

/** A domain. One that has only just been made has no memory and no vCPUs, and is paused. */
export class Domain implements DomainParts {
  readonly domid: Domid;
  readonly handle: string;
  /** In an HVM container, as PVH and HVM guests are. */
  readonly isHvm: boolean;
  sid: SidNumber;
  /** The label that the domain has in its own eyes. XEN: `domain_security_struct.self_sid`. */
  selfSid: SidNumber;
  /** The domain that it is the device model of, and the label that this one then has in its eyes. XEN: `target_sid`. */
  target: Domid | undefined;
  targetSid: SidNumber = 0;
  /** The IOMMU follows its memory, so that it can be given devices. */
  readonly hasIommu: boolean;
  /** It holds xenstore. */
  readonly isXenstore: boolean;
  /** `dead` domains are kept by the pages that others still have mapped. */
  life: 'alive' | 'dying' | 'dead' = 'alive';
  pauseCount = 1;
  /** Why it stopped by itself; its vCPUs stand still until it is resumed. */
  shutdownReason: ShutdownReason | undefined;
  readonly maxVcpus: number;
  /** vCPUs that it has, numbered from 0. */
  vcpuCount = 0;
  /** Those that are not down. XEN: `VPF_down`. */
  onlineVcpus: ReadonlySet<number> = NO_VCPU;
  addressSize: 32 | 64 = 64;
  /** Frames from 0 on that its memory has a place for; with memory on demand, more than it has pages. */
  frameCount = 0;
  totalPages = 0;
  maxPages = 0;
  claimedPages = 0;
  /** Xen keeps account of the pages that it writes. XEN: `PG_log_dirty`. */
  isLogDirty = false;
  weight = 256;
  cap = 0;
  /** No port below it is free. */
  nextPort = 1;
  /** How often pages of it were mapped. */
  mapCount = 0;
  readonly #tables: DomainTables;
  #own: Set<number> | undefined;

  constructor(identity: Identity, tables: DomainTables) {
    this.#tables = tables;
    this.domid = identity.domid;
    this.handle = identity.handle;
    this.sid = identity.sid;
    this.selfSid = identity.selfSid;
    this.maxVcpus = identity.maxVcpus;
    this.isHvm = identity.isHvm;
    this.hasIommu = identity.hasIommu ?? false;
    this.isXenstore = identity.isXenstore ?? false;
  }

  bringUp(vcpu: number): void {
    if (this.onlineVcpus.has(vcpu)) return;
    if (vcpu === 0 && this.onlineVcpus.size === 0) this.onlineVcpus = FIRST_VCPU;
    else this.#ownVcpus().add(vcpu);
  }

  takeDown(vcpu: number): void {
    if (this.onlineVcpus.has(vcpu)) this.#ownVcpus().delete(vcpu);
  }

  takeAllDown(): void {
    this.onlineVcpus = NO_VCPU;
  }

  /** Those that are not down, in a set that no other domain shares. */
  #ownVcpus(): Set<number> {
    const own = this.#own === this.onlineVcpus ? this.#own : new Set(this.onlineVcpus);
    this.#own = own;
    this.onlineVcpus = own;
    return own;
  }

  get grants(): MapSlice<number, Grant> {
    return new MapSlice(this.#tables.grants, this.domid, GRANT_LIMIT);
  }

  get eventChannels(): MapSlice<Port, EventChannel> {
    return new MapSlice(this.#tables.eventChannels, this.domid, PORT_LIMIT);
  }

  get ioreqServers(): IoreqServer[] {
    return this.#parts().ioreqServers;
  }

  get initialisedVcpus(): Set<number> {
    return this.#parts().initialisedVcpus;
  }

  get affinities(): Map<number, Affinity> {
    return this.#parts().affinities;
  }

  get hvmParams(): Map<HvmParam, number> {
    return this.#parts().hvmParams;
  }

  get islands(): FrameRange[] {
    return this.#parts().islands;
  }

  get pirqs(): Set<number> {
    return this.#parts().pirqs;
  }

  #parts(): DomainParts {
    const { parts } = this.#tables;
    const found = parts.get(this.domid);
    if (found !== undefined) return found;
    const made: DomainParts = {
      ioreqServers: [],
      initialisedVcpus: new Set(),
      affinities: new Map(),
      hvmParams: new Map(),
      islands: [],
      pirqs: new Set(),
    };
    parts.set(this.domid, made);
    return made;
  }
}

/** Entries of a grant table, version 1, with all the frames that it can have. XEN: `opt_max_grant_frames`. */
export const GRANT_LIMIT: number = 64 * 512;

/** XEN: `EVTCHN_FIFO_NR_CHANNELS`; Linux uses that kind of event channels, in dom0 too. */
export const PORT_LIMIT = 0x20000;

/** Handles for the pages of one domain; Xen is not to be asked for a page of one as often. */
export const HANDLES_OF_DOMAIN: number = 2 ** 32;

/** The handle of the mapping that is made of a domain's pages after `count` others; undefined where there are no more. */
export function mappingHandle(owner: Domid, count: number): MappingHandle | undefined {
  // Handles are made here and nowhere else.
  return count < HANDLES_OF_DOMAIN ? ((owner * HANDLES_OF_DOMAIN + count) as MappingHandle) : undefined;
}

/** The pages of a domain that are mapped, by itself or another, in the order in which they were. */
export function mappingsOf({ mappings }: Pick<DomainTables, 'mappings'>, owner: Domid): Iterable<Readonly<Mapping>> {
  return mappings.within(owner * HANDLES_OF_DOMAIN, (owner + 1) * HANDLES_OF_DOMAIN);
}

/** Frame of the grant table in acquire_resource; outside of the guest's own frames. */
export const GRANT_TABLE_FRAME = 0x7fff_ffff;

/** Frame of the pages of an ioreq server in acquire_resource: the buffered one, then that of the vCPUs. */
export const IOREQ_FRAME = 0x7fff_fff0;

/** How many they are. */
const IOREQ_PAGES = 2;

/** Frame of the shared info page, which Xen allocates beside the guest's own memory. */
export const SHARED_INFO_FRAME = 0x7fff_fffe;

function contains(outer: FrameRange, inner: FrameRange): boolean {
  return outer.first <= inner.first && inner.first + inner.count <= outer.first + outer.count;
}

/** Whether a range lies in what the domain has. */
export function hasFrames(domain: Domain, frames: FrameRange): boolean {
  if (!Number.isSafeInteger(frames.first) || !Number.isSafeInteger(frames.count)) return false;
  if (frames.first === GRANT_TABLE_FRAME || frames.first === SHARED_INFO_FRAME) return frames.count === 1;
  if (frames.first === IOREQ_FRAME) return frames.count <= IOREQ_PAGES && domain.ioreqServers.length > 0;
  if (frames.first < 0 || frames.count <= 0) return false;
  const whole = { first: 0, count: domain.frameCount };
  return contains(whole, frames) || domain.islands.some((island) => contains(island, frames));
}

/** The highest frame of the domain. */
export function topFrame(domain: Domain): number {
  return domain.islands.reduce((top, { first, count }) => Math.max(top, first + count), domain.frameCount) - 1;
}

/** Ranges that lie apart from each other; no honest domain has more. */
const ISLAND_LIMIT = 64;

/** Whether frames can be added there. The memory of a PV guest is in one piece. */
export function frameRoom(domain: Domain, frames: FrameRange): boolean {
  const { first, count } = frames;
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(first + count) || first < 0 || count <= 0) return false;
  if (first === domain.frameCount) return true;
  if (!domain.isHvm || domain.islands.length >= ISLAND_LIMIT || first < domain.frameCount) return false;
  return domain.islands.every((island) => first >= island.first + island.count || first + count <= island.first);
}

/** Adds frames for which there is room. */
export function addFrames(domain: Domain, { first, count }: FrameRange): void {
  if (count === 0) return;
  if (first === domain.frameCount) {
    domain.frameCount += count;
    return;
  }
  // Those that lie right before and right after become one with it.
  const isNextTo = (island: FrameRange): boolean =>
    island.first + island.count === first || first + count === island.first;
  const joined = domain.islands.filter(isNextTo);
  const at = domain.islands.findIndex(isNextTo);
  const whole: FrameRange = {
    first: joined.reduce((least, island) => Math.min(least, island.first), first),
    count: joined.reduce((sum, island) => sum + island.count, count),
  };
  domain.islands.splice(at < 0 ? domain.islands.length : at, 0, whole);
  for (const island of joined) domain.islands.splice(domain.islands.indexOf(island), 1);
}
