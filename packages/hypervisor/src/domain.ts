/**
 * What the simulated Xen keeps of a domain.
 *
 * @module
 */
import type {
  Actor,
  Domid,
  FrameRange,
  HvmParam,
  MappingHandle,
  Port,
  PortStatus,
  ShutdownReason,
  SidNumber,
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

export interface Domain {
  readonly domid: Domid;
  readonly handle: string;
  /** In an HVM container, as PVH and HVM guests are. */
  readonly isHvm: boolean;
  sid: SidNumber;
  /** The label that the domain has in its own eyes. XEN: `domain_security_struct.self_sid`. */
  selfSid: SidNumber;
  /** The domain that it is the device model of, and the label that this one then has in its eyes. XEN: `target_sid`. */
  target: Domid | undefined;
  targetSid: SidNumber;
  /** The IOMMU follows its memory, so that it can be given devices. */
  readonly hasIommu: boolean;
  /** It holds xenstore. */
  readonly isXenstore: boolean;
  /** Those who are told what the guest does with devices that do not exist. */
  readonly ioreqServers: IoreqServer[];
  /** `dead` domains are kept by the pages that others still have mapped. */
  life: 'alive' | 'dying' | 'dead';
  pauseCount: number;
  /** Why it stopped by itself; its vCPUs stand still until it is resumed. */
  shutdownReason: ShutdownReason | undefined;
  readonly maxVcpus: number;
  /** vCPUs that it has, numbered from 0. */
  vcpuCount: number;
  /** Those that are not down. XEN: `VPF_down`. */
  readonly onlineVcpus: Set<number>;
  /** vCPUs that have their registers. */
  readonly initialisedVcpus: Set<number>;
  /** By vCPU; one that is not here may run everywhere. */
  readonly affinities: Map<number, Affinity>;
  readonly hvmParams: Map<HvmParam, number>;
  addressSize: 32 | 64;
  /** Frames from 0 on that its memory has a place for; with memory on demand, more than it has pages. */
  frameCount: number;
  /** Frames of an HVM container beyond those: above the hole for devices, and inside of it. */
  readonly islands: FrameRange[];
  totalPages: number;
  maxPages: number;
  claimedPages: number;
  /** Xen keeps account of the pages that it writes. XEN: `PG_log_dirty`. */
  isLogDirty: boolean;
  weight: number;
  cap: number;
  readonly grants: Map<number, Grant>;
  readonly eventChannels: Map<Port, EventChannel>;
  /** Interrupt lines of devices that are mapped for it. */
  readonly pirqs: Set<number>;
  nextPort: number;
}

/** Frame of the grant table in acquire_resource; outside of the guest's own frames. */
export const GRANT_TABLE_FRAME = 0x7fff_ffff;

/** Frame of the pages of an ioreq server in acquire_resource: the buffered one, then that of the vCPUs. */
export const IOREQ_FRAME = 0x7fff_fff0;

/** How many they are. */
const IOREQ_PAGES = 2;

/** Frame of the shared info page, which Xen allocates beside the guest's own memory. */
export const SHARED_INFO_FRAME = 0x7fff_fffe;

/** A domain that has only just been made: no memory, no vCPUs, paused. */
export function newDomain(
  identity: Pick<Domain, 'domid' | 'handle' | 'sid' | 'selfSid' | 'maxVcpus' | 'isHvm'> &
    Partial<Pick<Domain, 'hasIommu' | 'isXenstore'>>,
): Domain {
  return {
    hasIommu: false,
    isXenstore: false,
    ...identity,
    target: undefined,
    targetSid: 0,
    ioreqServers: [],
    life: 'alive',
    pauseCount: 1,
    shutdownReason: undefined,
    vcpuCount: 0,
    onlineVcpus: new Set(),
    initialisedVcpus: new Set(),
    affinities: new Map(),
    hvmParams: new Map(),
    addressSize: 64,
    frameCount: 0,
    islands: [],
    totalPages: 0,
    maxPages: 0,
    claimedPages: 0,
    isLogDirty: false,
    weight: 256,
    cap: 0,
    grants: new Map(),
    eventChannels: new Map(),
    pirqs: new Set(),
    nextPort: 1,
  };
}

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
