/**
 * `Hypercalls`: what a toolstack, a daemon in dom0 or a guest may ask of Xen.
 *
 * One entry, `call`, over one typed table. Names are `<hypercall>.<sub-operation>` with Xen's own words
 * (Xen `xen/include/public/{domctl,sysctl,memory,grant_table,event_channel}.h`, `xen/include/public/xsm/flask_op.h`).
 * Calls are synchronous: a hypercall that Xen would continue later is complete when `call` returns.
 *
 * Imports: `@dewar/policy/releases`, `./device-hypercalls.ts`.
 * Start reading at `HypercallTable`.
 *
 * @module
 */
import type { XenReleaseName } from '@dewar/policy/releases';
import type { DeviceHypercallTable, PciDevice } from './device-hypercalls.ts';

declare const brand: unique symbol;

/** The number of a Xen domain. */
export type Domid = number & { readonly [brand]: 'Domid' };

/** A port of a domain's event channels. */
export type Port = number & { readonly [brand]: 'Port' };

/** The number that Xen gives to a foreign mapping or a grant mapping. */
export type MappingHandle = number & { readonly [brand]: 'MappingHandle' };

/** A security identifier, as Xen hands it out; unlike a context it means nothing on another host. */
export type SidNumber = number;

/** The errno names that our hypercalls come back with. */
export type Errno =
  | 'EACCES'
  | 'EAGAIN'
  | 'EBUSY'
  | 'EEXIST'
  | 'EINVAL'
  | 'ENOBUFS'
  | 'ENODATA'
  | 'ENODEV'
  | 'ENOENT'
  | 'ENOMEM'
  | 'ENOSYS'
  | 'EOPNOTSUPP'
  | 'EOVERFLOW'
  | 'EPERM'
  | 'ERANGE'
  | 'ESRCH';

/** The programs that make hypercalls. FLASK cannot tell those of one domain apart; a reader can. */
export type Process =
  | 'xl'
  | 'xl daemon'
  | 'libxl'
  | 'libxc'
  | 'libxl-save-helper'
  | 'xenstored'
  | 'xenconsoled'
  | 'init-xenstore-domain'
  | 'xen-init-dom0'
  | 'device model'
  | 'driver'
  | 'guest kernel'
  | 'flask tools'
  | 'probe'
  | 'some program';

/** Who makes a hypercall: the domain, which has the label, and the program in it, which has none. */
export interface Actor {
  readonly domid: Domid;
  readonly process: Process;
}

/** Some pages of a domain, by pseudo-physical frame number. */
export interface FrameRange {
  readonly first: number;
  readonly count: number;
}

/** Why a guest stopped. Xen `SHUTDOWN_*`. */
export type ShutdownReason = 'poweroff' | 'reboot' | 'suspend' | 'crash' | 'watchdog' | 'soft-reset';

/** Their numbers. XEN: `xen/include/public/sched.h`, `SHUTDOWN_*`. */
export const SHUTDOWN_CODES: Readonly<Record<ShutdownReason, number>> = {
  poweroff: 0,
  reboot: 1,
  suspend: 2,
  crash: 3,
  watchdog: 4,
  'soft-reset': 5,
};

/** The parameters of an HVM container that libxl or a guest works with. Xen `HVM_PARAM_*`. */
export type HvmParam =
  | 'CALLBACK_IRQ'
  | 'ACPI_S_STATE'
  | 'ACPI_IOPORTS_LOCATION'
  | 'VM86_TSS_SIZED'
  | 'VIRIDIAN'
  | 'VM_GENERATION_ID_ADDR'
  | 'X87_FIP_WIDTH'
  | 'MCA_CAP'
  | 'VPT_ALIGN'
  | 'HPET_ENABLED'
  | 'IOREQ_SERVER_PFN'
  | 'NR_IOREQ_SERVER_PAGES'
  | 'STORE_PFN'
  | 'STORE_EVTCHN'
  | 'IOREQ_PFN'
  | 'BUFIOREQ_PFN'
  | 'TIMER_MODE'
  | 'IDENT_PT'
  | 'CONSOLE_PFN'
  | 'CONSOLE_EVTCHN'
  | 'PAGING_RING_PFN'
  | 'MONITOR_RING_PFN'
  | 'SHARING_RING_PFN'
  | 'NESTEDHVM'
  | 'ALTP2M';

/** What `sendtrigger` sends. Xen `XEN_DOMCTL_SENDTRIGGER_*`. */
export type Trigger = 'nmi' | 'reset' | 'init' | 'power' | 'sleep';

/** What `getdomaininfo` tells of a domain. Xen `struct xen_domctl_getdomaininfo`. */
export interface DomainInfo {
  readonly domid: Domid;
  readonly ssidref: SidNumber;
  readonly isPaused: boolean;
  readonly isDying: boolean;
  readonly isRunning: boolean;
  /** It runs in an HVM container: a PVH or an HVM guest. */
  readonly isHvm: boolean;
  /** It holds xenstore. Xen `XEN_DOMINF_xs_domain`. */
  readonly isXenstore: boolean;
  /** Why the guest stopped by itself; undefined as long as it has not. */
  readonly shutdownReason: ShutdownReason | undefined;
  readonly totalPages: number;
  readonly maxPages: number;
  readonly onlineVcpus: number;
  /** vCPUs that the domain has, online or not. */
  readonly vcpus: number;
  readonly handle: string;
  /** Where the page is that Xen and the domain share; mapped like any page of the domain. */
  readonly sharedInfoFrame: number;
}

/** Why Xen does not take a context: the first part of it that is wrong. */
export interface RefusedContext {
  readonly text: string;
  readonly reason: string;
}

/** One boolean of the policy: what holds, and what a commit would make hold. */
export interface BooleanState {
  readonly name: string;
  readonly enforcing: boolean;
  readonly pending: boolean;
}

/** One hypercall's arguments and what it gives back when it succeeds. */
interface Entry<Args, Result> {
  readonly args: Args;
  readonly result: Result;
}

type Nothing = Readonly<Record<never, never>>;
interface OnDomain {
  readonly domid: Domid;
}
interface OnVcpu extends OnDomain {
  readonly vcpu: number;
}

/** Two labels and the number of an object class. */
interface SidTriple {
  readonly source: SidNumber;
  readonly target: SidNumber;
  readonly tclass: number;
}

/** A boolean by its name, or by its number, which counts from 0. */
type BooleanChoice = { readonly name: string } | { readonly id: number };

/** Kinds of resources that can be labelled. Xen `FLASK_ADD_OCONTEXT`. */
export type ResourceKind = 'pirq' | 'ioport' | 'iomem' | 'pcidevice';

/** Some resources: interrupts, ports, machine frames or PCI devices (SBDF), both ends included. */
export interface ResourceRange {
  readonly kind: ResourceKind;
  readonly low: bigint;
  readonly high: bigint;
}

/** How full the access vector cache is. Xen `struct xen_flask_hash_stats`. */
export interface AvcHashStats {
  readonly entries: number;
  readonly bucketsUsed: number;
  readonly bucketsTotal: number;
  readonly maxChainLength: number;
}

/** How the access vector cache was used by one CPU. Xen `struct xen_flask_cache_stats`. */
export interface AvcCacheStats {
  readonly lookups: number;
  readonly hits: number;
  readonly misses: number;
  readonly allocations: number;
  readonly reclaims: number;
  readonly frees: number;
}

/** The number by which a domain names itself. Xen `DOMID_SELF`. */
// Brand constructor: Xen reserves this number.
export const DOMID_SELF: Domid = 0x7ff0 as Domid;

/** Every hypercall that Dewar knows. */
export interface HypercallTable extends DeviceHypercallTable {
  'xen_version.version': Entry<Nothing, { readonly release: string }>;
  /** A denial is no error: Xen answers with the text `<denied>`. */
  'xen_version.extraversion': Entry<Nothing, { readonly text: string }>;
  /** A denial is no error: Xen answers with zeros. */
  'xen_version.guest_handle': Entry<Nothing, Nothing>;
  'sysctl.physinfo': Entry<
    Nothing,
    {
      readonly totalPages: number;
      readonly freePages: number;
      readonly cpus: number;
      /** NUMA nodes. */
      readonly nodes: number;
      /** Devices can be given to guests behind an IOMMU. Xen `XEN_SYSCTL_PHYSCAP_directio`. */
      readonly hasIommu: boolean;
    }
  >;
  'sysctl.cputopoinfo': Entry<Nothing, Nothing>;
  'sysctl.numainfo': Entry<Nothing, Nothing>;
  'sysctl.get_cpu_policy': Entry<Nothing, Nothing>;
  'sysctl.get_cpu_featureset': Entry<Nothing, Nothing>;
  'sysctl.cpupool_op': Entry<Nothing, { readonly scheduler: string }>;
  /** The scheduler of the host. */
  'sysctl.sched_id': Entry<Nothing, { readonly scheduler: string }>;
  /** Domains that the caller may not see are left out; that is no error. */
  'sysctl.getdomaininfolist': Entry<
    { readonly first: Domid; readonly max: number },
    { readonly domains: readonly DomainInfo[] }
  >;
  /** Each character is a key; what Xen has to say goes to its console ring. */
  'sysctl.debug_keys': Entry<{ readonly keys: string }, Nothing>;
  'sysctl.readconsole': Entry<{ readonly clear: boolean }, { readonly text: string }>;

  'domctl.createdomain': Entry<
    {
      readonly ssidref: SidNumber;
      readonly maxVcpus: number;
      readonly handle: string;
      readonly domid?: Domid;
      /** In an HVM container; Xen `XEN_DOMCTL_CDF_hvm`. */
      readonly isHvm?: boolean;
      /** With page tables for the IOMMU; Xen `XEN_DOMCTL_CDF_iommu`. */
      readonly hasIommu?: boolean;
      /** It will hold xenstore; Xen `XEN_DOMCTL_CDF_xs_domain`. */
      readonly isXenstore?: boolean;
    },
    { readonly domid: Domid }
  >;
  /** Checked again at each continuation. */
  'domctl.destroydomain': Entry<OnDomain, { readonly continuations: number }>;
  'domctl.pausedomain': Entry<OnDomain, Nothing>;
  'domctl.unpausedomain': Entry<OnDomain, Nothing>;
  /** Lets a domain that has suspended itself go on. */
  'domctl.resumedomain': Entry<OnDomain, Nothing>;
  /** Gives the domain, or the next higher one; a denial is an error here. */
  'domctl.getdomaininfo': Entry<OnDomain, DomainInfo>;
  /** How a domain is; without one, the next whose state changed since it was last told of, `ENOENT` where there is none. */
  'domctl.get_domain_state': Entry<{ readonly domid?: Domid }, DomainStateInfo>;
  'domctl.max_vcpus': Entry<OnDomain & { readonly max: number }, Nothing>;
  'domctl.setnodeaffinity': Entry<OnDomain, Nothing>;
  /** The NUMA nodes that the domain had better run on. */
  'domctl.getnodeaffinity': Entry<OnDomain, { readonly nodes: readonly number[] }>;
  /**
   * Which physical CPUs the vCPU may run on; without `hard` and `soft`, what they are stays. Answers those that it had
   * better run on and may run on, too.
   */
  'domctl.setvcpuaffinity': Entry<
    OnVcpu & { readonly hard?: readonly number[]; readonly soft?: readonly number[] },
    { readonly effectiveSoft: readonly number[] }
  >;
  'domctl.getvcpuaffinity': Entry<OnVcpu, { readonly hard: readonly number[]; readonly soft: readonly number[] }>;
  'domctl.getvcpuinfo': Entry<OnVcpu, { readonly isOnline: boolean; readonly cpu: number }>;
  'domctl.max_mem': Entry<OnDomain & { readonly maxPages: number }, Nothing>;
  'domctl.settscinfo': Entry<OnDomain, Nothing>;
  'domctl.gettscinfo': Entry<OnDomain, Nothing>;
  'domctl.set_cpu_policy': Entry<OnDomain, Nothing>;
  'domctl.get_cpu_policy': Entry<OnDomain, Nothing>;
  'domctl.set_llc_colors': Entry<OnDomain, Nothing>;
  'domctl.sendtrigger': Entry<OnVcpu & { readonly trigger: Trigger }, Nothing>;
  'domctl.getpageframeinfo3': Entry<OnDomain & { readonly frames: FrameRange }, Nothing>;
  /** The mode in which Xen watches which pages a guest writes; `off` ends it. */
  'domctl.shadow_op.off': Entry<OnDomain, Nothing>;
  'domctl.shadow_op.enable_logdirty': Entry<OnDomain, Nothing>;
  /** Which pages were written since the last time; a simulated guest writes none. `EINVAL` outside of that mode. */
  'domctl.shadow_op.clean': Entry<OnDomain, Nothing>;
  /** Sets aside what Xen needs for the page tables of an HVM container. Checked again at each continuation. */
  'domctl.set_paging_mempool_size': Entry<OnDomain & { readonly kib: number }, Nothing>;
  'domctl.gethvmcontext': Entry<OnDomain, { readonly vcpus: number }>;
  /** Makes the vCPU that it describes ready to run. */
  /** One context may hold the registers of others, too. */
  'domctl.sethvmcontext': Entry<
    OnVcpu & { readonly record: 'CPU' | 'MTRR'; readonly others?: readonly number[] },
    Nothing
  >;
  'domctl.set_address_size': Entry<OnDomain & { readonly size: 32 | 64 }, Nothing>;
  'domctl.get_address_size': Entry<OnDomain, { readonly size: 32 | 64 }>;
  'domctl.hypercall_init': Entry<OnDomain & { readonly frame: number }, Nothing>;
  'domctl.setvcpucontext': Entry<OnVcpu, Nothing>;
  /** `ENODATA` for a vCPU that never got any registers. */
  'domctl.getvcpucontext': Entry<OnVcpu, Nothing>;
  'domctl.get_ext_vcpucontext': Entry<OnVcpu, Nothing>;
  'domctl.set_ext_vcpucontext': Entry<OnVcpu, Nothing>;
  'domctl.getvcpuextstate': Entry<OnVcpu, Nothing>;
  'domctl.setvcpuextstate': Entry<OnVcpu, Nothing>;
  'domctl.get_vcpu_msrs': Entry<OnVcpu, Nothing>;
  'domctl.set_vcpu_msrs': Entry<OnVcpu, Nothing>;
  'domctl.scheduler_op.getinfo': Entry<OnDomain, { readonly weight: number; readonly cap: number }>;
  'domctl.scheduler_op.putinfo': Entry<OnDomain & { readonly weight: number; readonly cap: number }, Nothing>;

  'memory_op.set_memory_map': Entry<OnDomain, Nothing>;
  /** The memory map of the host. */
  'memory_op.machine_memory_map': Entry<Nothing, Nothing>;
  'memory_op.claim_pages': Entry<OnDomain & { readonly pages: number }, Nothing>;
  /** A denial is no error: no extent is done. */
  'memory_op.populate_physmap': Entry<
    OnDomain & {
      readonly frames: FrameRange;
      /** The frames get their pages when they are first touched, out of what `set_pod_target` has set aside. */
      readonly isOnDemand?: boolean;
    },
    { readonly pagesDone: number }
  >;
  /** A guest asks for pages that it has given back. A denial is no error: no extent is done. */
  'memory_op.increase_reservation': Entry<OnDomain & { readonly pages: number }, { readonly pagesDone: number }>;
  /** A guest gives back pages of its own. A denial is no error: no extent is done. */
  'memory_op.decrease_reservation': Entry<OnDomain & { readonly pages: number }, { readonly pagesDone: number }>;
  'memory_op.set_pod_target': Entry<OnDomain & { readonly pages: number }, Nothing>;
  /** Puts a page of Xen's, such as the shared info, into the memory of an HVM container. */
  'memory_op.add_to_physmap': Entry<OnDomain & { readonly space: 'shared_info' | 'grant_table' }, Nothing>;
  /** `EOPNOTSUPP` for a domain without virtual NUMA, as all are here. */
  'memory_op.get_vnumainfo': Entry<OnDomain, Nothing>;
  /** `EPERM` for the pages of an ioreq server that another domain made. */
  'memory_op.acquire_resource': Entry<
    OnDomain & { readonly resource: 'grant_table' | 'ioreq_server' },
    { readonly frame: number }
  >;
  'memory_op.current_reservation': Entry<OnDomain, { readonly pages: number }>;
  'memory_op.maximum_gpfn': Entry<OnDomain, { readonly frame: number }>;

  /** Writes page-table entries of the caller that name pages of `domid`. */
  'mmu_update.map_foreign': Entry<
    OnDomain & { readonly frames: FrameRange; readonly isWritable: boolean },
    { readonly mapping: MappingHandle }
  >;
  /** Writes page-table entries of the caller that name its own pages. */
  'mmu_update.map_own': Entry<{ readonly frames: FrameRange; readonly isWritable: boolean }, Nothing>;
  /** The table of all pages of the host, by which libxc turns machine frames of a PV guest into its own. */
  'mmu_update.map_machphys': Entry<Nothing, Nothing>;
  /** Clears such entries of foreign pages; Xen makes no check. */
  'mmu_update.unmap_foreign': Entry<{ readonly mapping: MappingHandle }, Nothing>;
  'mmu_update.machphys_update': Entry<OnDomain & { readonly frames: FrameRange }, Nothing>;
  'mmuext_op.pin_table': Entry<OnDomain & { readonly frame: number }, Nothing>;
  'mmuext_op.tlb_flush': Entry<OnDomain, Nothing>;

  'hvm_op.set_param': Entry<OnDomain & { readonly param: HvmParam; readonly value: number }, Nothing>;
  'hvm_op.get_param': Entry<OnDomain & { readonly param: HvmParam }, { readonly value: number }>;

  /** A guest stops by itself; Xen makes no check. */
  'sched_op.shutdown': Entry<{ readonly reason: ShutdownReason }, Nothing>;
  /** A guest starts or stops one of its vCPUs; Xen makes no check. */
  'vcpu_op.up': Entry<{ readonly vcpu: number }, Nothing>;
  'vcpu_op.down': Entry<{ readonly vcpu: number }, Nothing>;

  'event_channel_op.alloc_unbound': Entry<OnDomain & { readonly remote: Domid }, { readonly port: Port }>;
  'event_channel_op.bind_interdomain': Entry<
    { readonly remote: Domid; readonly remotePort: Port },
    { readonly port: Port }
  >;
  'event_channel_op.send': Entry<{ readonly port: Port }, Nothing>;
  'event_channel_op.status': Entry<OnDomain & { readonly port: Port }, { readonly status: PortStatus }>;
  /** Xen makes no check. */
  'event_channel_op.close': Entry<{ readonly port: Port }, Nothing>;

  /** What libxc writes through its mapping of the grant table; no hypercall, so no check. */
  'grant_table.seed': Entry<
    OnDomain & { readonly mapping: MappingHandle; readonly ref: number; readonly frame: number; readonly to: Domid },
    Nothing
  >;
  /** A guest writes an entry of its own grant table; no hypercall, so no check. */
  'grant_table.grant': Entry<{ readonly ref: number; readonly frame: number; readonly to: Domid }, Nothing>;
  /** It clears one; `EBUSY` as long as somebody has the page mapped. No hypercall either. */
  'grant_table.end': Entry<{ readonly ref: number }, Nothing>;
  'grant_table_op.map_grant_ref': Entry<
    { readonly granter: Domid; readonly ref: number; readonly isWritable: boolean },
    { readonly mapping: MappingHandle }
  >;
  'grant_table_op.unmap_grant_ref': Entry<{ readonly mapping: MappingHandle }, Nothing>;
  'grant_table_op.query_size': Entry<OnDomain, { readonly frames: number }>;
  'grant_table_op.setup_table': Entry<OnDomain, Nothing>;

  'console_io.write': Entry<{ readonly text: string }, Nothing>;

  // FLASK's own hypercalls. With `flask=disabled` each answers ENOSYS.
  'xsm_op.load_policy': Entry<{ readonly bytes: Uint8Array }, Nothing>;
  'xsm_op.getenforce': Entry<Nothing, { readonly isEnforcing: boolean }>;
  'xsm_op.setenforce': Entry<{ readonly isEnforcing: boolean }, Nothing>;
  'xsm_op.context_to_sid': Entry<{ readonly context: string }, { readonly sid: SidNumber }>;
  /** `size` is that of the caller's buffer, which must hold a NUL too; without it, as large as need be. */
  'xsm_op.sid_to_context': Entry<
    { readonly sid: SidNumber; readonly size?: number },
    { readonly context: string; readonly size: number }
  >;
  'xsm_op.access': Entry<
    { readonly source: SidNumber; readonly target: SidNumber; readonly tclass: number },
    { readonly allowed: number; readonly auditAllow: number; readonly auditDeny: number; readonly seqno: number }
  >;
  /** The label of something new (`type_transition`). */
  'xsm_op.create': Entry<SidTriple, { readonly sid: SidNumber }>;
  /** The label that an object is to get (`type_change`); this relabels nothing. */
  'xsm_op.relabel': Entry<SidTriple, { readonly sid: SidNumber }>;
  /** The label of a member of an object (`type_member`). */
  'xsm_op.member': Entry<SidTriple, { readonly sid: SidNumber }>;
  /** Gone since 4.8: ENOSYS. 4.3 makes a check; the answer is not computed here. */
  'xsm_op.user': Entry<Nothing, Nothing>;
  /** The newest policy version that Xen reads, whatever the loaded one has. */
  'xsm_op.policyvers': Entry<Nothing, { readonly version: number }>;
  'xsm_op.mls': Entry<Nothing, { readonly isMls: boolean }>;
  /** Gone since 4.16: ENOSYS. Before, it switches FLASK off as long as there is no policy. */
  'xsm_op.disable': Entry<Nothing, Nothing>;
  'xsm_op.getavc_threshold': Entry<Nothing, { readonly threshold: number }>;
  'xsm_op.setavc_threshold': Entry<{ readonly threshold: number }, Nothing>;
  'xsm_op.avc_hashstats': Entry<Nothing, AvcHashStats>;
  'xsm_op.avc_cachestats': Entry<{ readonly cpu: number }, AvcCacheStats>;
  /** Labels a resource until the next policy is loaded. */
  'xsm_op.add_ocontext': Entry<ResourceRange & { readonly sid: SidNumber }, Nothing>;
  'xsm_op.del_ocontext': Entry<ResourceRange, Nothing>;
  /** The label, now, of the domain at the other end of the caller's event channel. */
  'xsm_op.get_peer_sid': Entry<{ readonly port: Port }, { readonly sid: SidNumber }>;
  /** `domid` may be `DOMID_SELF`, which asks for other checks than the caller's own number. */
  'xsm_op.relabel_domain': Entry<OnDomain & { readonly sid: SidNumber }, Nothing>;
  /** SID 0 takes the label of the node away. */
  'xsm_op.devicetree_label': Entry<{ readonly path: string; readonly sid: SidNumber }, Nothing>;
  'xsm_op.getbool': Entry<BooleanChoice & { readonly size?: number }, BooleanState>;
  'xsm_op.setbool': Entry<
    BooleanChoice & { readonly value: boolean; readonly commit: boolean },
    { readonly enforcing: boolean; readonly pending: boolean }
  >;
  'xsm_op.commitbools': Entry<Nothing, Nothing>;
}

/** The state of an event channel. */
export type PortStatus = 'closed' | 'unbound' | 'interdomain';

/** The name of a hypercall. */
export type HypercallName = keyof HypercallTable;

/** The arguments of one hypercall. */
export type HypercallArgs<N extends HypercallName> = HypercallTable[N]['args'];

/** What one hypercall gives back. `reason` says more than an errno can, where Dewar knows more. */
export type HypercallResult<N extends HypercallName> =
  | { readonly kind: 'ok'; readonly value: HypercallTable[N]['result'] }
  | { readonly kind: 'error'; readonly errno: Errno; readonly reason?: string };

/** One check that FLASK made. */
export interface ObservedCheck {
  readonly class: string;
  readonly permissions: readonly string[];
  /** The contexts that had the roles of source and target. */
  readonly source: string;
  readonly target: string;
  readonly outcome: 'granted' | 'denied';
  /** The permissions that the policy does not give; empty when all are given. */
  readonly denied: readonly string[];
  /** The operation was refused: it was denied while Xen was enforcing. */
  readonly isEnforced: boolean;
  /** The domains that the check is about, when both are known. */
  readonly sourceDomid: Domid | undefined;
  readonly targetDomid: Domid | undefined;
  /** The line that Xen logged, without `(XEN) `; a granted check has one only where the policy audits it. */
  readonly avcLine: string | undefined;
  /** The check stands at the entry of a continuation of the same hypercall. */
  readonly isContinuation: boolean;
}

/** A page of a domain that another one has mapped. */
export interface OpenMapping {
  readonly mapping: MappingHandle;
  readonly kind: 'foreign' | 'grant';
  readonly owner: Domid;
  readonly frames: FrameRange;
  readonly mapper: Actor;
  readonly isWritable: boolean;
  /** The grant that allowed it. */
  readonly ref: number | undefined;
  /** The label that the owner had when the page was mapped. */
  readonly labelWhenMapped: string;
}

/** What Xen tells a xenstore of a domain. XEN: `struct xen_domctl_get_domain_state`. */
export interface DomainStateInfo {
  readonly domid: Domid;
  /** False of one that is gone. */
  readonly exists: boolean;
  readonly isShutDown: boolean;
  /** Taken apart, and there only for the pages that others have mapped. */
  readonly isDead: boolean;
}

/** A domain as Xen itself knows it. */
export interface InspectedDomain {
  readonly info: DomainInfo;
  readonly label: string;
}

/** What a Xen host does for those who run on it. */
export interface Hypercalls {
  /** The release whose requests Xen knows; a toolstack is built for one. */
  readonly release: XenReleaseName;
  /** Makes a hypercall as `actor`. */
  call<N extends HypercallName>(actor: Actor, name: N, args: HypercallArgs<N>): HypercallResult<N>;
  /** Tells of every check, granted ones too, while it is made. The answer stops it. */
  observe(listener: (check: ObservedCheck) => void): () => void;
  /** How often `VIRQ_DOM_EXC` (a domain died) came in since it was last asked. */
  takeDomainExceptions(): number;
  /** How a domain stands, without asking FLASK; for reports, not for decisions. A simulated host can tell. */
  inspectDomain(domid: Domid): InspectedDomain | undefined;
  /** The pages of a domain that others have mapped. A real host cannot tell; a simulated one can. */
  openMappings(owner: Domid): readonly OpenMapping[];
  /** The PCI devices that dom0's kernel has found, ascending; on a real host `/sys/bus/pci/devices`. */
  pciDevices(): readonly PciDevice[];
}
