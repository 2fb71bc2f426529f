/**
 * What other releases of Xen check for device models and for devices of the host: data, as in `checks-by-release.ts`.
 *
 * Until 4.8 each operation of a device model was a `hvm_op` with a permission of its own, and one permission stood for
 * the use of a device whether or not there is an IOMMU. Facts: Xen `xen/xsm/flask/hooks.c` at 4.3.0 and 4.8.0.
 *
 * @module
 */

import { releasesThrough } from '@dewar/policy/releases';
import type { CheckDifference } from './check-difference.ts';
import { CHECKS, type CheckRow, row } from './checks.ts';

type Difference = CheckDifference;
type Name = Difference['hypercall'];

/** The use of a resource, before there were three ways to it. */
const USE_PERMISSIONS = new Set(['use_iommu_nointremap', 'use_noiommu']);

function withOneUse(rows: readonly CheckRow[]): CheckRow[] {
  return rows
    .filter(({ permissions }) => !permissions.some((permission) => USE_PERMISSIONS.has(permission)))
    .map((one) => (one.permissions.includes('use_iommu') ? { ...one, permissions: ['use'], when: 'always' } : one));
}

function untilUse(hypercall: Name, seen: string): Difference {
  return {
    hypercall,
    releases: releasesThrough('4.3', '4.8'),
    rows: withOneUse(CHECKS[hypercall]),
    instead: 'the same',
    seen,
  };
}

/** An operation that is a `dm_op` since 4.9. */
function asHvmOp(hypercall: Name, permission: string, instead: string, seen: string): Difference {
  return { hypercall, releases: releasesThrough('4.3', '4.8'), rows: [row('hvm', permission)], instead, seen };
}

/** 4.3 has one ioreq server, which nobody makes; from 4.5 on they are made. */
function asIoreqServer(hypercall: Name, instead: string): Difference[] {
  const rows = CHECKS[hypercall].map((one) => (one.class === 'hvm' ? { ...one, permissions: ['hvmctl'] } : one));
  return [
    { hypercall, releases: ['4.3'], rows: [], instead: 'nothing', seen: 'do_hvm_op' },
    { hypercall, releases: ['4.8'], rows, instead, seen: 'flask_hvm_ioreq_server' },
  ];
}

/** What releases check otherwise. */
export const DEVICE_CHECK_DIFFERENCES: readonly Difference[] = [
  {
    hypercall: 'xen_version.guest_handle',
    releases: ['4.3'],
    rows: [],
    instead: 'the same',
    seen: 'do_xen_version, which has no hook',
  },
  ...asIoreqServer('dm_op.create_ioreq_server', 'hvm_op.create_ioreq_server'),
  ...asIoreqServer('dm_op.get_ioreq_server_info', 'hvm_op.get_ioreq_server_info'),
  ...asIoreqServer('dm_op.set_ioreq_server_state', 'hvm_op.set_ioreq_server_state'),
  ...asIoreqServer('dm_op.map_io_range_to_ioreq_server', 'hvm_op.map_io_range_to_ioreq_server'),
  ...asIoreqServer('dm_op.destroy_ioreq_server', 'hvm_op.destroy_ioreq_server'),
  asHvmOp('dm_op.set_isa_irq_level', 'irqlevel', 'hvm_op.set_isa_irq_level', 'flask_hvm_set_isa_irq_level'),
  asHvmOp('dm_op.set_pci_link_route', 'pciroute', 'hvm_op.set_pci_link_route', 'flask_hvm_set_pci_link_route'),
  asHvmOp('dm_op.track_dirty_vram', 'trackdirtyvram', 'hvm_op.track_dirty_vram', 'flask_hvm_param'),
  asHvmOp('dm_op.modified_memory', 'hvmctl', 'hvm_op.modified_memory', 'flask_hvm_control'),
  {
    hypercall: 'domctl.test_assign_device',
    releases: releasesThrough('4.3', '4.8'),
    rows: [row('resource', 'stat_device', { target: 'resource', audit: 'current' })],
    instead: 'the same',
    seen: 'flask_test_assign_device',
  },
  untilUse('domctl.assign_device', 'flask_assign_device'),
  untilUse('domctl.ioport_permission', 'flask_ioport_permission'),
  untilUse('domctl.iomem_permission', 'flask_iomem_permission'),
  untilUse('domctl.memory_mapping', 'flask_iomem_mapping'),
  untilUse('domctl.ioport_mapping', 'flask_ioport_mapping'),
  untilUse('domctl.bind_pt_irq', 'flask_bind_pt_irq'),
  untilUse('physdev_op.map_pirq', 'flask_map_domain_irq'),
  untilUse('pci_config.access', 'flask_pci_config_permission'),
];
