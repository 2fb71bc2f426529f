/**
 * The part of `HypercallTable` that is about device models, and about the devices of the host.
 *
 * Names are Xen's (`xen/include/public/{domctl,physdev}.h`, `xen/include/public/hvm/dm_op.h`).
 *
 * Imports: `./hypercalls.ts`, for types.
 * Start reading at `DeviceHypercallTable`.
 *
 * @module
 */
import type { Domid, FrameRange, Port } from './hypercalls.ts';

/** A PCI device by segment, bus, device and function: `segment << 16 | bus << 8 | device << 3 | function`. */
export type Sbdf = number;

/** Owns what belongs to no domain: registers of devices, and devices set aside for guests. Xen `DOMID_IO`. */
// Brand constructor: Xen reserves this number.
export const DOMID_IO: Domid = 0x7ff1 as Domid;

/** Some I/O ports. */
export interface PortRange {
  readonly first: number;
  readonly count: number;
}

/** A PCI device as dom0's kernel finds it. */
export interface PciDevice {
  readonly sbdf: Sbdf;
  /** The first register ranges of the device, as its base address registers give them. */
  readonly ports: readonly PortRange[];
  /** By machine frame number. */
  readonly frames: readonly FrameRange[];
  /** Undefined for a device without a line of its own. */
  readonly irq: number | undefined;
  /** Who drives it now. */
  readonly owner: Domid;
}

interface Entry<Args, Result> {
  readonly args: Args;
  readonly result: Result;
}
type Nothing = Readonly<Record<never, never>>;
interface OnDomain {
  readonly domid: Domid;
}
interface OnServer extends OnDomain {
  /** As `create_ioreq_server` numbered it. */
  readonly server: number;
}
interface Permission {
  /** Given, or taken back. */
  readonly isAllowed: boolean;
}

/** Hypercalls of and for device models, and those that hand out devices. */
export interface DeviceHypercallTable {
  /** Makes one domain the device model of another; for good. `EOPNOTSUPP` where the target is no HVM container. */
  'domctl.set_target': Entry<OnDomain & { readonly target: Domid }, Nothing>;
  /** Xen tells the domain, instead of dom0, that domains end. */
  'domctl.set_virq_handler': Entry<OnDomain & { readonly virq: 'DOM_EXC' }, Nothing>;

  /** A page for requests of each vCPU, one for those that are buffered, and their event channels. */
  'dm_op.create_ioreq_server': Entry<OnDomain, { readonly server: number }>;
  /** The channels, in the order of the vCPUs, then that of the buffered page. They stand in the pages themselves. */
  'dm_op.get_ioreq_server_info': Entry<OnServer, { readonly ports: readonly Port[] }>;
  'dm_op.set_ioreq_server_state': Entry<OnServer & { readonly isEnabled: boolean }, Nothing>;
  'dm_op.map_io_range_to_ioreq_server': Entry<OnServer, Nothing>;
  'dm_op.destroy_ioreq_server': Entry<OnServer, Nothing>;
  'dm_op.set_isa_irq_level': Entry<OnDomain, Nothing>;
  'dm_op.set_pci_link_route': Entry<OnDomain, Nothing>;
  'dm_op.track_dirty_vram': Entry<OnDomain, Nothing>;
  /** Pages of the guest that the device model wrote. */
  'dm_op.modified_memory': Entry<OnDomain, Nothing>;
  /** Stops another domain: as its device model does when the guest powers off, or as libxl does to save it. */
  'sched_op.remote_shutdown': Entry<
    OnDomain & { readonly reason: 'poweroff' | 'reboot' | 'suspend' | 'crash' },
    Nothing
  >;

  /** Gives a device to a guest, or sets it aside with `DOMID_IO`. `EOPNOTSUPP` where the domain has no IOMMU. */
  'domctl.assign_device': Entry<OnDomain & { readonly device: Sbdf }, Nothing>;
  /** Whether it could be given; the checks are those of giving it. */
  'domctl.test_assign_device': Entry<OnDomain & { readonly device: Sbdf }, Nothing>;
  'domctl.deassign_device': Entry<OnDomain & { readonly device: Sbdf }, Nothing>;
  /** Every denial is `EPERM`. */
  'domctl.ioport_permission': Entry<OnDomain & PortRange & Permission, Nothing>;
  'domctl.iomem_permission': Entry<OnDomain & FrameRange & Permission, Nothing>;
  'domctl.irq_permission': Entry<OnDomain & { readonly irq: number } & Permission, Nothing>;
  /** Puts registers of a device into the memory of an HVM container. */
  'domctl.memory_mapping': Entry<OnDomain & FrameRange & Permission, Nothing>;
  'domctl.ioport_mapping': Entry<OnDomain & PortRange & Permission, Nothing>;
  'domctl.bind_pt_irq': Entry<OnDomain & { readonly irq: number }, Nothing>;
  'domctl.unbind_pt_irq': Entry<OnDomain & { readonly irq: number }, Nothing>;
  /** Lets a domain have an interrupt line of the host. */
  'physdev_op.map_pirq': Entry<OnDomain & { readonly irq: number }, Nothing>;
  'physdev_op.unmap_pirq': Entry<OnDomain & { readonly irq: number }, Nothing>;
  /** dom0's kernel sets an interrupt line up, after a look at the controller. */
  'physdev_op.apic_read': Entry<Nothing, Nothing>;
  'physdev_op.setup_gsi': Entry<{ readonly irq: number }, Nothing>;
  /** An access of the caller to the configuration space of a device; Xen sees it go by. */
  'pci_config.access': Entry<{ readonly device: Sbdf }, Nothing>;
}
