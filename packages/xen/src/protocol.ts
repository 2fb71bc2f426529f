/**
 * What the command and its helper process say to each other: one JSON value on a line, in both directions.
 *
 * Imports: types of `@dewar/toolstack`.
 * Start reading at `HelperCalls`.
 *
 * @module
 */
import type { BooleanState, Errno, ResourceKind } from '@dewar/toolstack';

/** What libxl tells of a domain (`libxl_dominfo` as its own JSON has it), and the name that xenstore has for it. */
export interface LibxlDomain {
  readonly domid: number;
  readonly name: string | undefined;
  readonly uuid: string;
  readonly label: string | undefined;
  readonly isRunning: boolean;
  readonly isBlocked: boolean;
  readonly isPaused: boolean;
  readonly isShutdown: boolean;
  readonly isDying: boolean;
  readonly shutdownReason: string | undefined;
  readonly memoryKib: number;
  readonly cpuSeconds: number;
  readonly vcpusOnline: number;
}

/** One vCPU (`libxl_vcpuinfo`); CPU maps are lists of physical CPUs. */
export interface LibxlVcpu {
  readonly vcpu: number;
  readonly cpu: number;
  readonly isOnline: boolean;
  readonly isRunning: boolean;
  readonly isBlocked: boolean;
  readonly cpuSeconds: number;
  readonly hard: readonly number[];
  readonly soft: readonly number[];
}

/** A disk of a guest (`libxl_diskinfo`); -1 stands for what the guest has not written into xenstore. */
export interface LibxlDisk {
  readonly devid: number;
  readonly backend: number;
  readonly frontend: number;
  readonly state: number;
  readonly eventChannel: number;
  readonly ringRef: number;
  readonly backendPath: string;
}

/** A network card of a guest (`libxl_nicinfo`, and the address out of `libxl_device_nic`). */
export interface LibxlNic extends Omit<LibxlDisk, 'ringRef' | 'frontend'> {
  readonly mac: string;
  readonly txRingRef: number;
  readonly rxRingRef: number;
}

/** A PCI device (`libxl_device_pci`). */
export interface LibxlPci {
  /** Segment, bus, device and function: `segment << 16 | bus << 8 | device << 3 | function`. */
  readonly sbdf: number;
  /** The slot in which a guest sees it. */
  readonly slot: number;
  /** The name that it was given when it was set aside. */
  readonly name: string | undefined;
}

/** The machine under the host (`libxl_physinfo`, `libxl_version_info`). */
export interface LibxlHostInfo {
  readonly major: number;
  readonly minor: number;
  readonly extra: string;
  readonly scheduler: string;
  readonly cpus: number;
  readonly totalPages: number;
  readonly freePages: number;
  readonly pageSize: number;
}

/** What one page of a guest gave when dom0 tried to map it. */
export interface MappedPage {
  readonly frame: number;
  readonly result: 'mapped' | string;
  /** The first bytes of the page, in hexadecimal, if it could be read. */
  readonly head: string | undefined;
  /** Whether anything but zeros is in it. */
  readonly hasContent: boolean;
}

/**
 * A decision by which a policy with auditing is told from the one that it stands for: what the one with auditing has as
 * its `auditallow` bits, and the other has not.
 */
export interface AuditWitness {
  readonly source: string;
  readonly target: string;
  readonly tclass: number;
  readonly auditAllow: number;
}

/** What became of booleans when a policy was loaded: all have the value that they had, but for these. */
export interface AuditBooleans {
  /** They had changed, and were set again. */
  readonly setAgain: readonly string[];
  /** A value was pending for them, and is not any more. */
  readonly noLongerPending: readonly string[];
}

/** What became of a guest that was handed over to another host. */
export type HandOver =
  /** It runs there. */
  | { readonly kind: 'started' }
  /** It could not be started there, was destroyed there, and goes on here if it can. */
  | { readonly kind: 'not-started'; readonly status: number; readonly isResumed: boolean }
  /** It was not handed over, and goes on here. */
  | { readonly kind: 'kept'; readonly reason: string }
  /** It was handed over, and nobody said how that went. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** What became of a guest that came in. */
export type Taken =
  | { readonly kind: 'started' }
  /** It could not be started; without it, the sender may go on with its own. */
  | { readonly kind: 'not-started'; readonly status: number; readonly isDestroyed: boolean }
  /** It was started, and the sender has gone without hearing so. */
  | { readonly kind: 'not-heard' };

/** A domain that a call is about. */
interface OnDomain {
  readonly domid: number;
}

type Nothing = Readonly<Record<never, never>>;

interface Call<Params, Result> {
  readonly params: Params;
  readonly result: Result;
}

/** Everything that the helper does. Calls are done one after the other, in the order in which they come in. */
export interface HelperCalls {
  /** Loads the libraries of a release and opens the host; `isBare`: without libxl, which needs a xenstore. */
  open: Call<{ readonly release: string; readonly isBare?: boolean | undefined }, { readonly library: string }>;
  'domain.list': Call<Nothing, readonly LibxlDomain[]>;
  /** Undefined when there is no such domain, or none that may be seen. */
  'domain.info': Call<OnDomain, LibxlDomain | undefined>;
  /** As xl does: digits are a number, all else is looked up. */
  'domain.find': Call<{ readonly text: string }, { readonly domid: number }>;
  /** The NUMA nodes that it had better run on, and how many there are. */
  'domain.nodes': Call<OnDomain, { readonly nodes: readonly number[]; readonly count: number }>;
  /** The JSON of `libxl_domain_config`, as it stands. */
  'domain.config': Call<OnDomain, { readonly json: string }>;
  'domain.name': Call<OnDomain, string | undefined>;
  /**
   * Builds a guest and leaves it paused, unfinished: when the command is gone before `domain.finish`, the helper
   * destroys it.
   */
  'domain.create': Call<{ readonly json: string }, { readonly domid: number }>;
  /** As `domain.create`, out of a file that `save` has written. */
  'domain.restore': Call<
    { readonly file: string; readonly json: string | undefined },
    { readonly domid: number; readonly name: string | undefined }
  >;
  /** What libxl does as the last step of a build. */
  'domain.relabel': Call<OnDomain & { readonly label: string }, Nothing>;
  /** Lets an unfinished guest be, and starts it unless it is to stay paused. */
  'domain.finish': Call<OnDomain & { readonly isPaused: boolean }, Nothing>;
  'domain.pause': Call<OnDomain, Nothing>;
  'domain.unpause': Call<OnDomain, Nothing>;
  'domain.destroy': Call<OnDomain, Nothing>;
  'domain.shutdown': Call<OnDomain, Nothing>;
  'domain.reboot': Call<OnDomain, Nothing>;
  'domain.rename': Call<OnDomain & { readonly name: string }, Nothing>;
  'domain.dumpCore': Call<OnDomain & { readonly file: string }, { readonly bytes: number }>;
  'domain.save': Call<
    OnDomain & { readonly file: string; readonly after: 'destroy' | 'resume' | 'resume-paused' },
    { readonly bytes: number; readonly configBytes: number }
  >;
  /**
   * These four are for a helper that has the way to another host as its descriptors 4 and 5. When the command is gone in the
   * middle of it, the helper ends the migration so that there is one guest.
   *
   * Waits for the receiver, and sends the configuration; `json` takes the place of that of the guest.
   */
  'migration.offer': Call<
    OnDomain & { readonly json: string | undefined; readonly keepsDomid: boolean },
    { readonly configBytes: number }
  >;
  /** Sends the guest, and suspends it; when it does not arrive it goes on. */
  'migration.send': Call<OnDomain & { readonly isDebugged: boolean }, Nothing>;
  /** Hands a guest over that has arrived. */
  'migration.handOver': Call<OnDomain, HandOver>;
  /** Destroys what is left of a guest that runs elsewhere. */
  'migration.finish': Call<OnDomain, Nothing>;
  /** The other side, with the same descriptors: says that a receiver is here, and hears what comes. */
  'reception.begin': Call<Nothing, { readonly json: string }>;
  /** Builds the guest that comes in, and leaves it paused. */
  'reception.build': Call<{ readonly json: string }, { readonly domid: number }>;
  /** Waits for the permission, gives the guest its name, and starts it unless it is to stay paused. */
  'reception.take': Call<{ readonly name: string; readonly isPaused: boolean }, Taken>;
  /** Destroys what was built, and lets the sender go on. */
  'reception.refuse': Call<Nothing, { readonly isDestroyed: boolean }>;
  /** Has a guest go on that was suspended to be sent, and not sent. */
  'domain.resume': Call<OnDomain, Nothing>;
  'domain.setMaxMemory': Call<OnDomain & { readonly kib: number }, Nothing>;
  'domain.setMemory': Call<OnDomain & { readonly kib: number }, Nothing>;
  'domain.trigger': Call<OnDomain & { readonly trigger: number; readonly vcpu: number }, Nothing>;
  'domain.sysrq': Call<OnDomain & { readonly key: string }, Nothing>;
  /** `json` as libxl reads a device. */
  'disk.attach': Call<OnDomain & { readonly json: string }, Nothing>;
  'disk.list': Call<OnDomain, readonly LibxlDisk[]>;
  /** `disk` is its name in the guest. */
  'disk.detach': Call<OnDomain & { readonly disk: string; readonly isForced: boolean }, Nothing>;
  'nic.attach': Call<OnDomain & { readonly json: string }, Nothing>;
  'nic.list': Call<OnDomain, readonly LibxlNic[]>;
  /** `card` is its address, or its number. */
  'nic.detach': Call<OnDomain & { readonly card: string | number }, Nothing>;
  'pci.attach': Call<OnDomain & { readonly json: string }, Nothing>;
  'pci.detach': Call<OnDomain & { readonly json: string; readonly isForced: boolean }, Nothing>;
  'pci.list': Call<OnDomain, readonly LibxlPci[]>;
  /** Takes a device from its driver in dom0 and sets it aside; that driver gets it back when the device is. */
  'pci.assignableAdd': Call<{ readonly json: string }, Nothing>;
  /** `isRebound`: the driver that it was taken from gets it back. */
  'pci.assignableRemove': Call<{ readonly json: string; readonly isRebound: boolean }, Nothing>;
  'pci.assignableList': Call<Nothing, readonly LibxlPci[]>;
  'vcpu.list': Call<OnDomain, readonly LibxlVcpu[]>;
  /** Undefined for a map that is to stay; `vcpu` undefined for all. */
  'vcpu.pin': Call<
    OnDomain & {
      readonly vcpu: number | undefined;
      readonly hard: readonly number[] | undefined;
      readonly soft: readonly number[] | undefined;
    },
    Nothing
  >;
  'vcpu.set': Call<OnDomain & { readonly count: number }, Nothing>;
  'sched.get': Call<OnDomain, { readonly weight: number; readonly cap: number }>;
  'sched.set': Call<OnDomain & { readonly weight?: number; readonly cap?: number }, Nothing>;
  'host.info': Call<Nothing, LibxlHostInfo>;
  /** Xen answers in its console ring. */
  'host.debugKeys': Call<{ readonly keys: string }, Nothing>;
  /** What is in Xen's console ring from `index` on, at most a megabyte. */
  'ring.read': Call<
    { readonly index: number; readonly clear: boolean },
    {
      readonly text: string;
      readonly index: number;
      /** Characters that were gone from the ring before they were read. */
      readonly lost: number;
      /** Whether that was all that there was. */
      readonly isEnd: boolean;
    }
  >;
  'flask.getenforce': Call<Nothing, { readonly isEnforcing: boolean }>;
  'flask.setenforce': Call<{ readonly isEnforcing: boolean }, Nothing>;
  'flask.booleans': Call<Nothing, readonly BooleanState[]>;
  'flask.setBoolean': Call<{ readonly name: string; readonly value: boolean }, Nothing>;
  /** `bytes` in base64. */
  'flask.load': Call<{ readonly bytes: string }, Nothing>;
  /**
   * Loads a policy with auditing in the place of another. When the command is gone before `audit.end`, the helper puts
   * the other one back. What it could not do for the booleans is told: Xen keeps their values, but not those that are
   * pending.
   */
  'audit.begin': Call<
    { readonly audited: string; readonly original: string; readonly witnesses: readonly AuditWitness[] },
    { readonly booleans: AuditBooleans }
  >;
  /** Puts the policy back, unless the one with auditing is not in force any more. */
  'audit.end': Call<
    { readonly original: string; readonly witnesses: readonly AuditWitness[] },
    { readonly outcome: 'put-back' | 'replaced'; readonly booleans: AuditBooleans }
  >;
  'flask.contextToSid': Call<{ readonly context: string }, { readonly sid: number }>;
  /** Labels some ports, frames, a PCI device or an interrupt line (`kind`) from `low` to `high` until a policy is loaded. */
  'flask.label': Call<
    { readonly kind: ResourceKind; readonly low: number; readonly high: number; readonly label: string },
    Nothing
  >;
  'flask.sidToContext': Call<{ readonly sid: number }, { readonly context: string }>;
  /** Decisions, one for each question. */
  'flask.access': Call<
    {
      readonly questions: readonly { readonly source: string; readonly target: string; readonly tclass: number }[];
    },
    readonly {
      readonly allowed: number;
      readonly auditAllow: number;
      readonly auditDeny: number;
      readonly seqno: number;
    }[]
  >;
  /** Maps pages of a domain one by one, reads a little, and gives them back. */
  'memory.map': Call<
    OnDomain & { readonly frames: readonly number[]; readonly isWritable: boolean },
    readonly MappedPage[]
  >;
  'xenstore.read': Call<{ readonly path: string }, { readonly value: string | undefined }>;
}

/** The name of a call. */
export type HelperCallName = keyof HelperCalls;

/** Why a call came to nothing. */
export type HelperFailure =
  /** libxl gave a return code; `rc` is negative. */
  | { readonly kind: 'libxl'; readonly call: string; readonly rc: number }
  /** A hypercall, or the operating system, gave an errno. */
  | { readonly kind: 'errno'; readonly call: string; readonly errno: Errno | string }
  /** The request itself is wrong, in words for the user. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** The host's libraries are not there, or not as they should be. */
  | { readonly kind: 'world'; readonly code: WorldFault; readonly reason: string };

/** What the helper finds missing. */
type WorldFault = 'no-ffi' | 'no-library' | 'other-library' | 'no-connection';

/** What the command sends. */
export interface HelperRequest<N extends HelperCallName = HelperCallName> {
  readonly id: number;
  readonly call: N;
  readonly params: HelperCalls[N]['params'];
}

/** What the helper answers. */
export type HelperAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly failure: HelperFailure };
