/**
 * Which checks each hypercall makes: one table, as data, for Xen 4.17 (from 4.17.5 on).
 *
 * The simulator runs it, a reader can search it backwards, and documentation is printed from it.
 * Format: Xen `xen/xsm/flask/hooks.c`, `xen/xsm/flask/flask_op.c`.
 *
 * Imports: `@dewar/toolstack`.
 * Start reading at `CHECKS`.
 *
 * @module
 */
import type { Errno, HypercallName } from '@dewar/toolstack';

/**
 * A label that takes part in a check.
 *
 * `caller`: the domain that makes the hypercall. `target`: the domain it is about as the caller sees it, that is
 * its self label when the two are one, its target label when it is the caller's target, else its own label.
 * `label`: the domain's own label whoever asks. `new label`: the label that the request names.
 * `port`, `new port`: labels of the event channel that exists and of the one being made.
 * `remote`: the domain at the other end as the owner of the channel sees it.
 * `owner as seen by remote`: the binder as the domain at the other end sees it.
 * `device model`: the own label of the domain that is to be a device model. `resource`: the label of a device, an
 * interrupt, or a stretch of ports or frames.
 * `xen`, `domxen`, `security`: the initial SIDs.
 */
export type Endpoint =
  | 'caller'
  | 'target'
  | 'label'
  | 'new label'
  | 'port'
  | 'new port'
  | 'remote port'
  | 'remote'
  | 'owner as seen by remote'
  | 'device model'
  | 'resource'
  | 'xen'
  | 'domxen'
  | 'security';

/** When a check is made at all. */
export type Condition =
  | 'always'
  | 'writable'
  | 'read-only'
  | 'the value changes'
  | 'clearing'
  | 'polling'
  | 'interdomain port'
  | 'named as self'
  | 'named by number'
  | 'a label is given'
  | 'a label is taken'
  | 'nested parameter'
  | 'altp2m parameter'
  | 'giving'
  | 'taking'
  | IommuUse;

/** What keeps a device of the domain within bounds. XEN: `flask_iommu_resource_use_perm`. */
export type IommuUse = 'with an IOMMU' | 'without interrupt remapping' | 'without an IOMMU';

/** One check of one hypercall. */
export interface CheckRow {
  readonly class: string;
  /** All of them in one request: what is granted is not granted in parts. */
  readonly permissions: readonly string[];
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly when: Condition;
  /** What the avc line names: the caller alone, the caller and the domain, both ends of the channel, or a resource. */
  readonly audit: 'current' | 'domains' | 'resource';
  /** What a denial does: an errno, or the hypercall goes on with less. */
  readonly denial: Errno | 'does less';
  /** The part of the hypercall that makes it; the parts follow each other. */
  readonly stage: 'entry' | 'hook';
  /** Made again each time that the hypercall is continued. */
  readonly isRepeated: boolean;
}

type Extra = Partial<Omit<CheckRow, 'class' | 'permissions'>>;

/** One check of the caller on the domain that the hypercall is about, unless `extra` says otherwise. */
export function row(checked: string, permissions: string, extra: Extra = {}): CheckRow {
  return {
    class: checked,
    permissions: permissions.split(' '),
    source: 'caller',
    target: 'target',
    when: 'always',
    audit: 'domains',
    denial: 'EACCES',
    stage: 'entry',
    isRepeated: false,
    ...extra,
  };
}

const onXen: Extra = { target: 'xen', audit: 'current' };
const onSecurity: Extra = { target: 'security', audit: 'current' };
const onResource: Extra = { target: 'resource', audit: 'resource' };

/** One of the three ways to use a resource, asked of the domain that is to have it. */
function uses(extra: Extra = {}): CheckRow[] {
  const own: Extra = { ...onResource, source: 'label', ...extra };
  return [
    row('resource', 'use_iommu', { ...own, when: 'with an IOMMU' }),
    row('resource', 'use_iommu_nointremap', { ...own, when: 'without interrupt remapping' }),
    row('resource', 'use_noiommu', { ...own, when: 'without an IOMMU' }),
  ];
}

/** Rights to ports or frames: on the domain, then on each label in the range, whether they are given or taken. */
function permission(resource: 'ioport' | 'iomem', denial: Errno): CheckRow[] {
  return [
    row('resource', 'add', { when: 'giving', denial }),
    row('resource', 'remove', { when: 'taking', denial }),
    row('resource', `add_${resource}`, { ...onResource, stage: 'hook', when: 'giving', denial }),
    row('resource', `remove_${resource}`, { ...onResource, stage: 'hook', when: 'taking', denial }),
    ...uses({ stage: 'hook', denial }),
  ];
}

/** XEN: `flask_assign_device`. */
const ASSIGN: readonly CheckRow[] = [row('resource', 'add'), row('resource', 'add_device', onResource), ...uses()];

/** The checks of each hypercall, in the order in which Xen makes them. */
export const CHECKS: Readonly<Record<HypercallName, readonly CheckRow[]>> = {
  'xen_version.version': [],
  'xen_version.extraversion': [row('version', 'xen_extraversion', { ...onXen, denial: 'does less' })],
  'xen_version.guest_handle': [row('version', 'xen_guest_handle', { ...onXen, denial: 'does less' })],
  'sysctl.physinfo': [row('xen', 'physinfo', onXen)],
  'sysctl.cputopoinfo': [row('xen', 'physinfo', onXen)],
  'sysctl.numainfo': [row('xen', 'physinfo', onXen)],
  'sysctl.get_cpu_policy': [row('xen', 'physinfo', onXen)],
  'sysctl.get_cpu_featureset': [row('xen2', 'get_cpu_featureset', onXen)],
  'sysctl.cpupool_op': [row('xen', 'cpupool_op', onXen)],
  'sysctl.sched_id': [row('xen', 'getscheduler', onXen)],
  // XEN: each domain is asked for; a denied one is skipped.
  'sysctl.getdomaininfolist': [row('domain', 'getdomaininfo', { denial: 'does less', stage: 'hook' })],
  'sysctl.debug_keys': [row('xen', 'debug', onXen)],
  'sysctl.readconsole': [
    row('xen', 'readconsole', { ...onXen, when: 'read-only' }),
    row('xen', 'readconsole clearconsole', { ...onXen, when: 'clearing' }),
  ],

  // XEN: since 4.17.5 at the gate, flask_domctl(), and again in flask_domain_create().
  'domctl.createdomain': [
    row('domain', 'create', { target: 'new label', audit: 'current' }),
    row('domain', 'create', { target: 'new label', audit: 'current', stage: 'hook' }),
  ],
  'domctl.destroydomain': [row('domain', 'destroy', { isRepeated: true })],
  'domctl.pausedomain': [row('domain', 'pause')],
  'domctl.unpausedomain': [row('domain', 'unpause')],
  'domctl.resumedomain': [row('domain', 'resume')],
  'domctl.getdomaininfo': [row('domain', 'getdomaininfo')],
  'domctl.max_vcpus': [row('domain', 'max_vcpus')],
  'domctl.setnodeaffinity': [row('domain', 'setaffinity')],
  'domctl.setvcpuaffinity': [row('domain', 'setaffinity')],
  'domctl.getvcpuaffinity': [row('domain', 'getaffinity')],
  'domctl.getnodeaffinity': [row('domain', 'getaffinity')],
  'domctl.getvcpuinfo': [row('domain', 'getvcpuinfo')],
  'domctl.max_mem': [row('domain', 'setdomainmaxmem')],
  'domctl.settscinfo': [row('domain2', 'settsc')],
  'domctl.gettscinfo': [row('domain2', 'gettsc')],
  'domctl.set_cpu_policy': [row('domain2', 'set_cpu_policy')],
  'domctl.get_cpu_policy': [row('domain2', 'get_cpu_policy')],
  // Younger than 4.17.
  'domctl.get_domain_state': [],
  'domctl.set_llc_colors': [],
  'domctl.set_target': [
    row('domain2', 'make_priv_for'),
    // XEN: from here on the domain in question is the one that gets a device model.
    row('domain2', 'set_as_target', { stage: 'hook' }),
    row('domain', 'set_target', { source: 'device model', target: 'label', audit: 'current', stage: 'hook' }),
  ],
  'domctl.set_virq_handler': [row('domain', 'set_virq_handler')],
  'domctl.sendtrigger': [row('domain', 'trigger')],
  'domctl.getpageframeinfo3': [row('mmu', 'pageinfo')],
  'domctl.shadow_op.off': [row('shadow', 'disable')],
  'domctl.shadow_op.enable_logdirty': [row('shadow', 'logdirty')],
  'domctl.shadow_op.clean': [row('shadow', 'logdirty')],
  'domctl.set_paging_mempool_size': [row('domain', 'setpagingmempool', { isRepeated: true })],
  'domctl.gethvmcontext': [row('hvm', 'gethvmc')],
  'domctl.sethvmcontext': [row('hvm', 'sethvmc')],
  'domctl.set_address_size': [row('domain', 'setaddrsize')],
  'domctl.get_address_size': [row('domain', 'getaddrsize')],
  'domctl.hypercall_init': [row('domain', 'hypercall')],
  'domctl.setvcpucontext': [row('domain', 'setvcpucontext')],
  'domctl.getvcpucontext': [row('domain', 'getvcpucontext')],
  'domctl.get_ext_vcpucontext': [row('domain', 'getvcpucontext')],
  'domctl.set_ext_vcpucontext': [row('domain', 'setvcpucontext')],
  'domctl.getvcpuextstate': [row('domain', 'getvcpucontext')],
  'domctl.setvcpuextstate': [row('domain', 'setvcpucontext')],
  'domctl.get_vcpu_msrs': [row('domain', 'getvcpucontext')],
  'domctl.set_vcpu_msrs': [row('domain', 'setvcpucontext')],
  'domctl.scheduler_op.getinfo': [row('domain', 'getscheduler')],
  'domctl.scheduler_op.putinfo': [row('domain2', 'setscheduler')],

  'memory_op.set_memory_map': [row('mmu', 'memorymap')],
  'memory_op.machine_memory_map': [row('mmu', 'memorymap', onXen)],
  'memory_op.claim_pages': [row('domain2', 'setclaim')],
  'memory_op.populate_physmap': [row('mmu', 'adjust', { denial: 'does less' })],
  'memory_op.increase_reservation': [row('mmu', 'adjust', { denial: 'does less' })],
  'memory_op.decrease_reservation': [row('mmu', 'adjust', { denial: 'does less' })],
  'memory_op.set_pod_target': [row('domain', 'setpodtarget')],
  'memory_op.add_to_physmap': [row('mmu', 'physmap')],
  'memory_op.get_vnumainfo': [row('domain2', 'get_vnumainfo')],
  'memory_op.acquire_resource': [row('domain2', 'resource_map')],
  'memory_op.current_reservation': [row('mmu', 'stat')],
  'memory_op.maximum_gpfn': [row('mmu', 'stat')],

  'mmu_update.map_foreign': [
    row('mmu', 'map_read', { when: 'read-only' }),
    row('mmu', 'map_read map_write', { when: 'writable' }),
  ],
  'mmu_update.map_own': [
    row('mmu', 'map_read', { when: 'read-only' }),
    row('mmu', 'map_read map_write', { when: 'writable' }),
  ],
  'mmu_update.map_machphys': [row('mmu', 'map_read', { target: 'domxen' })],
  'mmu_update.unmap_foreign': [],
  'mmu_update.machphys_update': [row('mmu', 'updatemp')],
  'mmuext_op.pin_table': [row('mmu', 'mmuext_op'), row('mmu', 'pinpage', { stage: 'hook' })],
  'mmuext_op.tlb_flush': [row('mmu', 'mmuext_op')],

  'hvm_op.set_param': [
    row('hvm', 'setparam'),
    // XEN: hvmop_set_param() asks again for this one parameter, whatever its value.
    row('hvm', 'altp2mhvm', { when: 'altp2m parameter', stage: 'hook' }),
  ],
  'hvm_op.get_param': [row('hvm', 'getparam')],

  'dm_op.create_ioreq_server': [
    row('hvm', 'dm'),
    // XEN: hvm_add_ioreq_server_vcpu() makes channels of the guest for the device model.
    row('event', 'create', { target: 'new port', audit: 'current', stage: 'hook' }),
    row('event', 'bind', { source: 'new port', target: 'remote', audit: 'current', stage: 'hook' }),
  ],
  'dm_op.get_ioreq_server_info': [row('hvm', 'dm')],
  'dm_op.set_ioreq_server_state': [row('hvm', 'dm')],
  'dm_op.map_io_range_to_ioreq_server': [row('hvm', 'dm')],
  'dm_op.destroy_ioreq_server': [row('hvm', 'dm')],
  'dm_op.set_isa_irq_level': [row('hvm', 'dm')],
  'dm_op.set_pci_link_route': [row('hvm', 'dm')],
  'dm_op.track_dirty_vram': [row('hvm', 'dm')],
  'dm_op.modified_memory': [row('hvm', 'dm')],

  'domctl.assign_device': ASSIGN,
  // XEN: with a domain, the question makes the checks of the deed.
  'domctl.test_assign_device': ASSIGN,
  'domctl.deassign_device': [
    row('resource', 'remove'),
    row('resource', 'remove_device', { target: 'resource', audit: 'current' }),
  ],
  // XEN: do_domctl() makes EPERM of each of these denials.
  'domctl.ioport_permission': permission('ioport', 'EPERM'),
  'domctl.iomem_permission': permission('iomem', 'EPERM'),
  'domctl.irq_permission': [
    row('resource', 'add', { when: 'giving', denial: 'EPERM' }),
    row('resource', 'remove', { when: 'taking', denial: 'EPERM' }),
  ],
  'domctl.memory_mapping': permission('iomem', 'EACCES'),
  'domctl.ioport_mapping': permission('ioport', 'EACCES'),
  'domctl.bind_pt_irq': [row('resource', 'add'), row('hvm', 'bind_irq', onResource), ...uses()],
  'domctl.unbind_pt_irq': [row('resource', 'remove')],
  'physdev_op.map_pirq': [
    row('resource', 'add'),
    row('resource', 'add_irq', { ...onResource, stage: 'hook' }),
    ...uses({ stage: 'hook' }),
  ],
  'physdev_op.unmap_pirq': [row('resource', 'remove'), row('resource', 'remove_irq', { ...onResource, stage: 'hook' })],

  'physdev_op.apic_read': [row('xen', 'readapic', onXen)],
  'physdev_op.setup_gsi': [row('resource', 'setup', onResource)],
  'pci_config.access': uses({ source: 'caller' }),

  'sched_op.shutdown': [],
  'sched_op.remote_shutdown': [row('domain', 'shutdown')],
  'vcpu_op.up': [],
  'vcpu_op.down': [],

  'event_channel_op.alloc_unbound': [
    row('event', 'create', { target: 'new port', audit: 'current' }),
    row('event', 'bind', { source: 'new port', target: 'remote', audit: 'current' }),
  ],
  'event_channel_op.bind_interdomain': [
    row('event', 'create', { target: 'new port' }),
    row('event', 'bind', { source: 'new port', target: 'remote' }),
    // XEN: the label that the other end got when it was made, against the binder's label of today.
    row('event', 'bind', { source: 'remote port', target: 'owner as seen by remote' }),
  ],
  'event_channel_op.send': [row('event', 'send', { target: 'port', audit: 'current', when: 'interdomain port' })],
  // XEN: flask_evtchn_status() has the owner of the port as its source, whoever asks.
  'event_channel_op.status': [row('event', 'status', { source: 'label', target: 'port', audit: 'current' })],
  'event_channel_op.close': [],

  'grant_table.seed': [],
  'grant_table.grant': [],
  'grant_table.end': [],
  'grant_table_op.map_grant_ref': [
    row('grant', 'map_read', { when: 'read-only' }),
    row('grant', 'map_read map_write', { when: 'writable' }),
  ],
  'grant_table_op.unmap_grant_ref': [row('grant', 'unmap')],
  'grant_table_op.query_size': [row('grant', 'query')],
  'grant_table_op.setup_table': [row('grant', 'setup')],

  'console_io.write': [row('xen', 'writeconsole', onXen)],

  'xsm_op.load_policy': [row('security', 'load_policy', onSecurity)],
  'xsm_op.getenforce': [],
  'xsm_op.setenforce': [row('security', 'setenforce', { ...onSecurity, when: 'the value changes' })],
  'xsm_op.context_to_sid': [row('security', 'check_context', onSecurity)],
  'xsm_op.sid_to_context': [row('security', 'check_context', onSecurity)],
  'xsm_op.access': [row('security', 'compute_av', onSecurity)],
  'xsm_op.create': [row('security', 'compute_create', onSecurity)],
  'xsm_op.relabel': [row('security', 'compute_relabel', onSecurity)],
  'xsm_op.member': [row('security', 'compute_member', onSecurity)],
  'xsm_op.user': [],
  'xsm_op.policyvers': [],
  'xsm_op.mls': [],
  'xsm_op.disable': [],
  'xsm_op.getavc_threshold': [],
  'xsm_op.setavc_threshold': [row('security', 'setsecparam', { ...onSecurity, when: 'the value changes' })],
  'xsm_op.avc_hashstats': [],
  'xsm_op.avc_cachestats': [],
  'xsm_op.add_ocontext': [row('security', 'add_ocontext', onSecurity)],
  'xsm_op.del_ocontext': [row('security', 'del_ocontext', onSecurity)],
  'xsm_op.get_peer_sid': [],
  'xsm_op.relabel_domain': [
    row('domain2', 'relabelself', { source: 'label', target: 'new label', when: 'named as self' }),
    row('domain2', 'relabelfrom', { target: 'label', when: 'named by number' }),
    row('domain2', 'relabelto', { target: 'new label', when: 'named by number' }),
    row('domain', 'transition', { source: 'label', target: 'new label' }),
  ],
  'xsm_op.devicetree_label': [
    row('security', 'add_ocontext', { ...onSecurity, when: 'a label is given' }),
    row('security', 'del_ocontext', { ...onSecurity, when: 'a label is taken' }),
  ],
  'xsm_op.getbool': [],
  'xsm_op.setbool': [row('security', 'setbool', onSecurity)],
  'xsm_op.commitbools': [row('security', 'setbool', onSecurity)],
};
