/**
 * Who may do what when FLASK is disabled: the rules that Xen has without any security module.
 *
 * Follows Xen `xen/include/xsm/dummy.h`, `xsm_default_action`. dom0 is the one control domain.
 *
 * @module
 */
import type { HypercallName } from '@dewar/toolstack';
import type { Domain } from './domain.ts';

/** XEN: `XSM_HOOK`. */
const ANYONE: ReadonlySet<HypercallName> = new Set([
  'xen_version.extraversion',
  'event_channel_op.bind_interdomain',
  'event_channel_op.send',
  'grant_table_op.map_grant_ref',
  'grant_table_op.unmap_grant_ref',
] as const);

/** XEN: `XSM_TARGET`. */
const ITSELF: ReadonlySet<HypercallName> = new Set([
  'memory_op.set_memory_map',
  'memory_op.populate_physmap',
  'memory_op.decrease_reservation',
  'memory_op.add_to_physmap',
  'memory_op.get_vnumainfo',
  'memory_op.current_reservation',
  'memory_op.maximum_gpfn',
  'mmu_update.map_foreign',
  'mmu_update.map_own',
  'mmu_update.machphys_update',
  'mmuext_op.pin_table',
  'mmuext_op.tlb_flush',
  'hvm_op.set_param',
  'hvm_op.get_param',
  'event_channel_op.alloc_unbound',
  'event_channel_op.status',
  'grant_table_op.query_size',
  'grant_table_op.setup_table',
] as const);

/** XEN: `XSM_DM_PRIV`. */
const ITS_DEVICE_MODEL: ReadonlySet<HypercallName> = new Set([
  'memory_op.acquire_resource',
  'sched_op.remote_shutdown',
  'domctl.memory_mapping',
  'domctl.ioport_mapping',
  'domctl.bind_pt_irq',
  'domctl.unbind_pt_irq',
  'physdev_op.map_pirq',
  'physdev_op.unmap_pirq',
  'dm_op.create_ioreq_server',
  'dm_op.get_ioreq_server_info',
  'dm_op.set_ioreq_server_state',
  'dm_op.map_io_range_to_ioreq_server',
  'dm_op.destroy_ioreq_server',
  'dm_op.set_isa_irq_level',
  'dm_op.set_pci_link_route',
  'dm_op.track_dirty_vram',
  'dm_op.modified_memory',
] as const);

/** Whether `caller` may make this hypercall about `domain`. */
export function isAllowedWithoutFlask(
  name: HypercallName,
  caller: Domain,
  domain: Readonly<Domain> | undefined,
): boolean {
  if (caller.domid === 0 || ANYONE.has(name)) return true;
  // XEN: `XSM_XS_PRIV`.
  if ((name === 'domctl.getdomaininfo' || name === 'domctl.get_domain_state') && caller.isXenstore) return true;
  if (ITSELF.has(name) && domain === caller) return true;
  const isTarget = domain !== undefined && caller.target === domain.domid;
  return isTarget && (ITSELF.has(name) || ITS_DEVICE_MODEL.has(name));
}
