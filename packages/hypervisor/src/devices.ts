/**
 * The devices of the host, and who has them.
 *
 * Follows Xen `xen/drivers/passthrough/{iommu,pci}.c`, `xen/common/domctl.c` and `xen/arch/x86/{domctl,physdev,irq}.c`.
 *
 * @module
 */
import {
  DOMID_IO,
  type Domid,
  type Errno,
  type HypercallName,
  type HypercallResult,
  type Sbdf,
} from '@dewar/toolstack';
import type { IommuUse } from './checks.ts';
import { Domain } from './domain.ts';
import { type Binding, failed, type Handlers, type HostDevice, type Machine, ok } from './machine.ts';
import { errnoOf } from './on-domain.ts';

/** XEN: `MAX_IOPORTS`. */
const PORT_LIMIT = 0x1_0000;

/** Interrupt lines of a host; further ones are message signalled and have the label of their device. */
const IRQ_LIMIT = 1024;

const DOM0 = 0;

export type DeviceName = Extract<
  HypercallName,
  | `physdev_op.${string}`
  | `pci_config.${string}`
  | 'domctl.assign_device'
  | 'domctl.test_assign_device'
  | 'domctl.deassign_device'
  | 'domctl.ioport_permission'
  | 'domctl.iomem_permission'
  | 'domctl.irq_permission'
  | 'domctl.memory_mapping'
  | 'domctl.ioport_mapping'
  | 'domctl.bind_pt_irq'
  | 'domctl.unbind_pt_irq'
>;

/** XEN: `rcu_lock_domain_by_any_id`, for what may be given to `DOMID_IO` too. */
function anyDomain(machine: Machine, domid: Domid): Domain | undefined {
  if (domid !== DOMID_IO) return machine.domain(domid);
  const sid = machine.flask.isDisabled ? 0 : machine.flask.initialSid('domio');
  const handle = '00000000-0000-0000-0000-000000000000';
  const hasIommu = machine.state.iommu !== 'none';
  return new Domain({ domid, handle, sid, selfSid: sid, maxVcpus: 1, isHvm: false, hasIommu }, machine.state);
}

/** XEN: `flask_iommu_resource_use_perm`. */
function iommuUse(machine: Machine, domain: Domain): IommuUse {
  if (!domain.hasIommu) return 'without an IOMMU';
  return machine.state.iommu === 'with-remapping' ? 'with an IOMMU' : 'without interrupt remapping';
}

function ofDevice(machine: Machine, domain: Domain, device: Sbdf): Binding {
  const sid = machine.flask.isDisabled ? 0 : machine.flask.server.numberSid('pcidevice', BigInt(device));
  return { domain, sids: { resource: sid }, resource: { device }, when: iommuUse(machine, domain) };
}

function ofIrq(machine: Machine, domain: Domain, irq: number): Binding {
  const sid = machine.flask.isDisabled ? 0 : machine.flask.server.numberSid('pirq', BigInt(irq));
  return { domain, sids: { resource: sid }, resource: { irq }, when: iommuUse(machine, domain) };
}

/** XEN: `device_assigned`; an errno where the device cannot be given. */
function availability(machine: Machine, device: Sbdf): HostDevice | Errno {
  const found = machine.state.devices.get(device);
  if (found === undefined) return 'ENODEV';
  return found.owner === DOM0 || found.owner === DOMID_IO ? found : 'EBUSY';
}

/** The way to the checks of giving a device; a domain without an IOMMU does not even get there. */
function onAssignment<N extends 'domctl.assign_device' | 'domctl.test_assign_device'>(
  name: N,
  machine: Machine,
  caller: Domain,
  { domid, device }: { readonly domid: Domid; readonly device: Sbdf },
  work: (device: HostDevice | Errno, domain: Domain) => HypercallResult<N>,
): HypercallResult<N> {
  const domain = anyDomain(machine, domid);
  if (domain === undefined) return failed('ESRCH');
  // XEN: iommu_do_domctl(), before FLASK is asked.
  if (!domain.hasIommu) return failed('EOPNOTSUPP', 'the domain has no IOMMU');
  if (domain === caller || domain.life !== 'alive') return failed('EINVAL');
  const denial = machine.check(name, caller, ofDevice(machine, domain, device));
  return denial === undefined ? work(availability(machine, device), domain) : failed(errnoOf(denial));
}

/** XEN: `flask_iomem_permission`, `flask_ioport_permission`: each labelled stretch of the range is asked for. */
function checkRange(
  name: 'domctl.ioport_permission' | 'domctl.iomem_permission' | 'domctl.memory_mapping' | 'domctl.ioport_mapping',
  machine: Machine,
  caller: Domain,
  domain: Domain,
  { first, count, isAllowed }: { readonly first: number; readonly count: number; readonly isAllowed: boolean },
): Errno | undefined {
  const change = isAllowed ? 'giving' : 'taking';
  const entry = machine.check(name, caller, { domain, when: change });
  if (entry !== undefined || machine.flask.isDisabled) return entry === undefined ? undefined : errnoOf(entry);
  const kind = name === 'domctl.ioport_permission' || name === 'domctl.ioport_mapping' ? 'ioport' : 'iomem';
  const when = [change, iommuUse(machine, domain)] as const;
  for (const { low, high, sid } of machine.flask.server.rangeSids(kind, BigInt(first), BigInt(first + count - 1))) {
    const range = { low, high };
    const hook = machine.check(name, caller, {
      domain,
      stage: 'hook',
      sids: { resource: sid },
      resource: { range },
      when,
    });
    if (hook !== undefined) return errnoOf(hook);
  }
  return undefined;
}

function onRange<N extends Parameters<typeof checkRange>[0]>(
  name: N,
  machine: Machine,
  caller: Domain,
  args: { readonly domid: Domid; readonly first: number; readonly count: number; readonly isAllowed: boolean },
): HypercallResult<N> {
  const domain = machine.domain(args.domid);
  if (domain === undefined) return failed('ESRCH');
  const { first, count } = args;
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(first + count) || first < 0 || count <= 0) {
    return failed('EINVAL');
  }
  const isPorts = name === 'domctl.ioport_permission' || name === 'domctl.ioport_mapping';
  if (isPorts && first + count > PORT_LIMIT) return failed('EINVAL');
  if (name === 'domctl.ioport_mapping' && !domain.isHvm) return failed('EOPNOTSUPP');
  const errno = checkRange(name, machine, caller, domain, args);
  if (errno !== undefined) return failed(errno);
  // Each of these hypercalls answers with nothing.
  return ok({}) as HypercallResult<N>;
}

/** A line of the host, seen from a domain that is to have it. */
function onIrq<N extends DeviceName>(
  machine: Machine,
  domid: Domid,
  irq: number,
  work: (domain: Domain) => HypercallResult<N>,
): HypercallResult<N> {
  const domain = machine.domain(domid);
  if (domain === undefined) return failed('ESRCH');
  if (!Number.isInteger(irq) || irq < 0 || irq >= IRQ_LIMIT) return failed('EINVAL');
  return work(domain);
}

/** Takes the devices of a domain that ends. XEN: `pci_release_devices`, which makes no check. */
export function releaseDevices(machine: Machine, domid: Domid): void {
  for (const device of machine.state.devices.values()) {
    if (device.owner === domid) device.owner = device.isQuarantined ? DOMID_IO : (DOM0 as Domid);
  }
}

/** How each of them is carried out. */
export const DEVICE_OPS: Handlers<DeviceName> = {
  'domctl.assign_device': (machine, caller, args) =>
    onAssignment('domctl.assign_device', machine, caller, args, (device, domain) => {
      if (typeof device === 'string') return failed(device);
      device.owner = domain.domid;
      if (domain.domid === DOMID_IO) device.isQuarantined = true;
      return ok({});
    }),
  'domctl.test_assign_device': (machine, caller, args) =>
    // XEN: whatever stands in the way, the answer is EINVAL.
    onAssignment('domctl.test_assign_device', machine, caller, args, (device) =>
      typeof device === 'string' ? failed('EINVAL') : ok({}),
    ),
  'domctl.deassign_device': (machine, caller, { domid, device }) => {
    const domain = anyDomain(machine, domid);
    if (domain === undefined) return failed('ESRCH');
    if (!domain.hasIommu) return failed('EOPNOTSUPP', 'the domain has no IOMMU');
    if (domain === caller) return failed('EINVAL');
    const denial = machine.check('domctl.deassign_device', caller, ofDevice(machine, domain, device));
    if (denial !== undefined) return failed(errnoOf(denial));
    const found = machine.state.devices.get(device);
    if (found?.owner !== domid) return failed('ENODEV');
    if (domid === DOMID_IO) found.isQuarantined = false;
    // XEN: a device that was set aside goes back there.
    found.owner = found.isQuarantined ? DOMID_IO : (DOM0 as Domid);
    return ok({});
  },
  'domctl.ioport_permission': (machine, caller, args) => onRange('domctl.ioport_permission', machine, caller, args),
  'domctl.iomem_permission': (machine, caller, args) => onRange('domctl.iomem_permission', machine, caller, args),
  'domctl.memory_mapping': (machine, caller, args) => onRange('domctl.memory_mapping', machine, caller, args),
  'domctl.ioport_mapping': (machine, caller, args) => onRange('domctl.ioport_mapping', machine, caller, args),
  'domctl.irq_permission': (machine, caller, { domid, irq, isAllowed }) =>
    onIrq(machine, domid, irq, (domain) => {
      const when = isAllowed ? 'giving' : 'taking';
      const denial = machine.check('domctl.irq_permission', caller, { domain, when });
      return denial === undefined ? ok({}) : failed(errnoOf(denial));
    }),
  'domctl.bind_pt_irq': (machine, caller, { domid, irq }) =>
    onIrq(machine, domid, irq, (domain) => {
      if (!domain.isHvm) return failed('EINVAL');
      const denial = machine.check('domctl.bind_pt_irq', caller, ofIrq(machine, domain, irq));
      return denial === undefined ? ok({}) : failed(errnoOf(denial));
    }),
  'domctl.unbind_pt_irq': (machine, caller, { domid, irq }) =>
    onIrq(machine, domid, irq, (domain) => {
      if (!domain.isHvm) return failed('EINVAL');
      const denial = machine.check('domctl.unbind_pt_irq', caller, { domain });
      return denial === undefined ? ok({}) : failed(errnoOf(denial));
    }),
  'physdev_op.map_pirq': (machine, caller, { domid, irq }) =>
    onIrq(machine, domid, irq, (domain) => {
      const entry = machine.check('physdev_op.map_pirq', caller, { domain });
      if (entry !== undefined) return failed(errnoOf(entry));
      // XEN: map_domain_pirq() asks for the line itself, once it knows which it is.
      const hook = machine.check('physdev_op.map_pirq', caller, { ...ofIrq(machine, domain, irq), stage: 'hook' });
      if (hook !== undefined) return failed(errnoOf(hook));
      domain.pirqs.add(irq);
      return ok({});
    }),
  'physdev_op.unmap_pirq': (machine, caller, { domid, irq }) =>
    onIrq(machine, domid, irq, (domain) => {
      const entry = machine.check('physdev_op.unmap_pirq', caller, { domain });
      if (entry !== undefined) return failed(errnoOf(entry));
      if (!domain.pirqs.has(irq)) return failed('EINVAL');
      const hook = machine.check('physdev_op.unmap_pirq', caller, { ...ofIrq(machine, domain, irq), stage: 'hook' });
      if (hook !== undefined) return failed(errnoOf(hook));
      domain.pirqs.delete(irq);
      return ok({});
    }),
  'physdev_op.apic_read': (machine, caller) => {
    const denial = machine.check('physdev_op.apic_read', caller);
    return denial === undefined ? ok({}) : failed(errnoOf(denial));
  },
  'physdev_op.setup_gsi': (machine, caller, { irq }) => {
    if (!Number.isInteger(irq) || irq < 0 || irq >= IRQ_LIMIT) return failed('EINVAL');
    const denial = machine.check('physdev_op.setup_gsi', caller, ofIrq(machine, caller, irq));
    return denial === undefined ? ok({}) : failed(errnoOf(denial));
  },
  'pci_config.access': (machine, caller, { device }) => {
    if (caller.domid !== DOM0) return failed('EPERM');
    const denial = machine.check('pci_config.access', caller, ofDevice(machine, caller, device));
    return denial === undefined ? ok({}) : failed(errnoOf(denial));
  },
};
