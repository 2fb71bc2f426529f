/**
 * Who may do what when FLASK is disabled: the rules that Xen has without any security module.
 *
 * Follows Xen `xen/include/xsm/dummy.h`, `xsm_default_action`. A domain that is another's device model cannot be made
 * here, and dom0 is the one control domain, so three cases are left: anyone, the domain itself, dom0.
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

/** Whether `caller` may make this hypercall about `domain`. */
export function isAllowedWithoutFlask(name: HypercallName, caller: Domain, domain: Domain | undefined): boolean {
  if (caller.domid === 0 || ANYONE.has(name)) return true;
  return ITSELF.has(name) && domain === caller;
}
