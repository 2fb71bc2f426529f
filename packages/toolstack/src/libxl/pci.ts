/**
 * PCI passthrough: devices that dom0 sets aside, and gives to guests.
 *
 * Rights to ports, frames and the interrupt line come first, then the device itself; a denial in the middle leaves what
 * was given before it. Follows Xen `tools/libs/light/libxl_pci.c`.
 *
 * @module
 */
import { DOMID_IO, type PciDevice, type Sbdf } from '../device-hypercalls.ts';
import type { Actor, Domid } from '../hypercalls.ts';
import { canServe, connect, disconnect } from './backends.ts';
import { DOM0 } from './daemons.ts';
import { talkToModel } from './device-model.ts';
import type { GuestPciDevice } from './guest-devices.ts';
import { lookAt, type Operation } from './operation.ts';
import type { AnyResult } from './recorder.ts';
import { logLibxl } from './said.ts';
import { backendsFor, type PciRecord } from './toolstack-state.ts';

/** The first slot of an emulated machine that is free for devices. */
const FIRST_SLOT = 4;

/** As xl and sysfs write it. */
export function sbdfText(sbdf: Sbdf): string {
  const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');
  return `${hex(sbdf >>> 16, 4)}:${hex((sbdf >> 8) & 0xff, 2)}:${hex((sbdf >> 3) & 0x1f, 2)}.${sbdf & 7}`;
}

/** `[DDDD:]BB:DD.F` */
const ADDRESS = /^(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i;

/** `[DDDD:]BB:DD.F` as a number; undefined for anything else. */
export function parseSbdf(text: string): Sbdf | undefined {
  const [, segment = '0', bus = '', device = '', func = ''] = ADDRESS.exec(text) ?? [];
  const slot = Number.parseInt(device, 16);
  if (Number.isNaN(slot) || slot > 0x1f) return undefined;
  return ((Number.parseInt(segment, 16) << 16) | (Number.parseInt(bus, 16) << 8) | (slot << 3) | Number(func)) >>> 0;
}

/** As some messages of libxl write it. */
function shortText(sbdf: Sbdf): string {
  const parts = [sbdf >>> 16, (sbdf >> 8) & 0xff, (sbdf >> 3) & 0x1f, sbdf & 7];
  return `${parts
    .slice(0, 3)
    .map((part) => part.toString(16))
    .join(':')}.${parts[3]}`;
}

/** What xenstore has of a device, or would have. */
function pciRecord({ state }: Operation, sbdf: Sbdf): PciRecord {
  const known = state.pci.get(sbdf);
  if (known !== undefined) return known;
  const fresh: PciRecord = { sbdf, isAssignable: false, name: undefined, domid: undefined, slot: 0, stale: [] };
  state.pci.set(sbdf, fresh);
  return fresh;
}

/** XEN: `name2bdf`; undefined for a name that no device has. */
export function resolvePci({ state }: Operation, { sbdf, name }: GuestPciDevice): Sbdf | undefined {
  if (name === undefined) return sbdf;
  return [...state.pci.values()].find((one) => one.name === name)?.sbdf;
}

function hostDevice({ recorder }: Operation, sbdf: Sbdf): PciDevice | undefined {
  return recorder.hypercalls.pciDevices().find((one) => one.sbdf === sbdf);
}

/** How giving or taking a device went; `what` is how messages call it. */
export type PciOutcome =
  | { readonly kind: 'done'; readonly what: string }
  | { readonly kind: 'failed'; readonly what: string };

/** The stub domain of a guest. */
export function stubOf({ state }: Operation, domid: Domid): Domid | undefined {
  return [...state.guests.values()].find(({ target }) => target === domid)?.domid;
}

/** dom0's kernel sets the device up for its pciback. */
function bindPciback(operation: Operation, device: PciDevice): 'done' | 'failed' {
  const { recorder } = operation;
  const { sbdf, irq } = device;
  return recorder.step(`dom0's pciback takes ${sbdfText(sbdf)}`, 'driver', () => {
    // The answers of the configuration space are all ones where Xen refuses; the kernel goes on.
    recorder.ask('driver', 'pci_config.access', { device: sbdf });
    if (irq === undefined) return 'done';
    recorder.ask('driver', 'physdev_op.map_pirq', { domid: DOM0, irq });
    recorder.ask('driver', 'physdev_op.apic_read', {});
    recorder.ask('driver', 'physdev_op.setup_gsi', { irq });
    recorder.ask('driver', 'pci_config.access', { device: sbdf });
    return 'done';
  }) === 'done'
    ? 'done'
    : 'failed';
}

/** XEN: `libxl__device_pci_assignable_add`. */
export function makeAssignable(operation: Operation, sbdf: Sbdf, name: string | undefined): PciOutcome {
  const { recorder } = operation;
  const what = `PCI device ${sbdfText(sbdf)}`;
  const device = hostDevice(operation, sbdf);
  if (device === undefined) {
    recorder.step(`libxl looks for ${what}`, 'libxl', () => {
      const path = `/sys/bus/pci/devices/${sbdfText(sbdf)}`;
      const words = `Couldn't lstat ${path}: No such file or directory`;
      logLibxl(operation, 'libxl_pci.c:792:libxl__device_pci_assignable_add', words);
      recorder.explain('domctl.assign_device', 'ENODEV', 'the host has no such device');
      return 'failed';
    });
    return { kind: 'failed', what };
  }
  const record = pciRecord(operation, sbdf);
  if (record.isAssignable) {
    operation.messages.push(
      `libxl: warning: libxl_pci.c:801:libxl__device_pci_assignable_add: ${sbdfText(sbdf)} already assigned to pciback`,
    );
  } else {
    bindPciback(operation, device);
    record.isAssignable = true;
  }
  record.name = name;
  const outcome = recorder.step(`libxl sets ${what} aside`, 'libxl', () => {
    if (recorder.ask('libxl', 'domctl.assign_device', { domid: DOMID_IO, device: sbdf }).kind === 'ok') return 'done';
    const place = 'libxl_pci.c:848:libxl__device_pci_assignable_add';
    logLibxl(operation, place, `failed to quarantine ${sbdfText(sbdf)}`);
    return 'failed';
  });
  return { kind: outcome === 'done' ? 'done' : 'failed', what };
}

/** XEN: `libxl__device_pci_assignable_remove`. */
export function makeUnassignable(operation: Operation, sbdf: Sbdf): PciOutcome {
  const { recorder, state } = operation;
  const what = `PCI device ${sbdfText(sbdf)}`;
  const outcome = recorder.step(`libxl gives ${what} back to dom0`, 'libxl', () => {
    if (recorder.ask('libxl', 'domctl.deassign_device', { domid: DOMID_IO, device: sbdf }).kind === 'error') {
      const place = 'libxl_pci.c:906:libxl__device_pci_assignable_remove';
      logLibxl(operation, place, `failed to de-quarantine ${sbdfText(sbdf)}`);
      return 'failed';
    }
    state.pci.delete(sbdf);
    return 'done';
  });
  return { kind: outcome === 'done' ? 'done' : 'failed', what };
}

/** Ports, frames and the line of a device: given or taken, in the order of its registers. */
function changeRights(operation: Operation, domid: Domid, device: PciDevice, isAllowed: boolean): boolean {
  const { recorder } = operation;
  const { ports, frames, irq } = device;
  const place = (line: number): string =>
    isAllowed ? `libxl_pci.c:${line}:pci_add_dm_done` : `libxl_pci.c:${line}:do_pci_remove`;
  const range = (name: 'ioport' | 'iomem', first: number, count: number, line: number): boolean => {
    const args = { domid, first, count, isAllowed };
    const done = recorder.ask('libxl', `domctl.${name}_permission`, args);
    if (done.kind === 'ok') return true;
    const shift = name === 'ioport' ? 1 : 4096;
    const where = `0x${(first * shift).toString(16)}/0x${(count * shift).toString(16)}`;
    logLibxl(operation, place(line), `Domain ${domid}:xc_domain_${name}_permission ${where} (error -1)`);
    return false;
  };
  // XEN: what cannot be taken back is logged, and the removal goes on.
  const goesOn = !isAllowed;
  for (const { first, count } of ports) {
    if (!range('ioport', first, count, isAllowed ? 1457 : 2015) && !goesOn) return false;
  }
  for (const { first, count } of frames) {
    if (!range('iomem', first, count, isAllowed ? 1468 : 2023) && !goesOn) return false;
  }
  if (irq === undefined) return true;
  const mapped = recorder.ask('libxl', isAllowed ? 'physdev_op.map_pirq' : 'physdev_op.unmap_pirq', { domid, irq });
  if (mapped.kind === 'error') {
    const words = isAllowed ? `xc_physdev_map_pirq irq=${irq} (error=-1)` : `xc_physdev_unmap_pirq irq=${irq}`;
    logLibxl(
      operation,
      place(isAllowed ? 1491 : 2044),
      `Domain ${domid}:${words}`,
      isAllowed ? undefined : mapped.errno,
    );
    if (!goesOn) return false;
  }
  const allowed = recorder.ask('libxl', 'domctl.irq_permission', { domid, irq, isAllowed });
  if (allowed.kind === 'ok' || goesOn) return true;
  logLibxl(operation, place(1499), `Domain ${domid}:xc_domain_irq_permission irq=${irq} (error=-1)`);
  return false;
}

/** What a device model does with a device that it is told of: it reads it, and takes its interrupts for the guest. */
function plugIntoModel(operation: Operation, domid: Domid, { sbdf, irq }: PciDevice): boolean {
  const { recorder, state } = operation;
  const model = state.deviceModels.get(domid);
  if (model === undefined) return false;
  const actor: Actor = { domid: model.model, process: 'device model' };
  const outcome = recorder.step(`the device model of domain ${domid} takes ${sbdfText(sbdf)}`, 'device model', () => {
    // A stub domain reads through its PCI bus, which dom0 serves.
    recorder.ask(model.model === DOM0 ? 'device model' : 'driver', 'pci_config.access', { device: sbdf });
    if (irq === undefined) return 'done';
    const acts: readonly (() => AnyResult)[] = [
      () => recorder.askAs(actor, 'physdev_op.map_pirq', { domid, irq }),
      () => recorder.askAs(actor, 'domctl.bind_pt_irq', { domid, irq }),
      () => recorder.askAs(actor, 'dm_op.set_pci_link_route', { domid }),
    ];
    // XEN: QEMU of xen_pt goes on without an interrupt, and the device does not work.
    return acts.every((act) => act().kind === 'ok') ? 'done' : 'ignored-failure';
  });
  return outcome === 'done';
}

/** Gives one device to one domain, the guest or its stub domain. XEN: `do_pci_add`, `pci_add_dm_done`. */
function give(operation: Operation, domid: Domid, device: PciDevice, isStub: boolean): boolean {
  const { recorder } = operation;
  const isHvm = recorder.hypercalls.inspectDomain(domid)?.info.isHvm === true;
  if (isHvm) {
    recorder.step(`libxl tells the device model of domain ${domid} of the device`, 'libxl', () => {
      lookAt(operation, domid, false);
      talkToModel(operation, domid)?.close();
      return 'done';
    });
    plugIntoModel(operation, domid, device);
  }
  const outcome = recorder.step(`libxl gives ${sbdfText(device.sbdf)} to domain ${domid}`, 'libxl', () => {
    for (let looks = isHvm ? 1 : 2; looks > 0; looks--) lookAt(operation, domid, false);
    if (!changeRights(operation, domid, device, true)) return 'failed';
    if (isStub) return 'done';
    const assigned = recorder.ask('libxl', 'domctl.assign_device', { domid, device: device.sbdf });
    if (assigned.kind === 'ok') return 'done';
    const why = assigned.errno === 'EOPNOTSUPP' ? 'Operation not supported' : 'Permission denied';
    logLibxl(operation, 'libxl_pci.c:1529:pci_add_dm_done', `Domain ${domid}:xc_assign_device failed: ${why}`);
    return 'failed';
  });
  return outcome === 'done';
}

/** What stands in the way before anything is given; undefined where nothing does. XEN: `libxl__device_pci_add`. */
function refusalOf(operation: Operation, domid: Domid, sbdf: Sbdf, isSeized: boolean): string | undefined {
  const { recorder } = operation;
  const info = lookAt(operation, domid, false);
  if (info === undefined) return 'the domain cannot be looked at';
  if (info.isHvm) {
    const tested = recorder.ask('libxl', 'domctl.test_assign_device', { domid, device: sbdf });
    if (tested.kind === 'error') {
      const why =
        tested.errno === 'EOPNOTSUPP' ? 'cannot be assigned - no IOMMU' : 'already assigned to a different guest';
      logLibxl(
        operation,
        'libxl_pci.c:1658:libxl__device_pci_add',
        `Domain ${domid}:PCI device ${sbdfText(sbdf)} ${why}?`,
      );
      return why;
    }
  }
  const record = pciRecord(operation, sbdf);
  if (isSeized && !record.isAssignable) return undefined;
  const isFree = record.isAssignable && record.domid === undefined;
  if (isFree) return undefined;
  logLibxl(
    operation,
    'libxl_pci.c:1677:libxl__device_pci_add',
    `Domain ${domid}:PCI device ${shortText(sbdf)} is not assignable`,
  );
  return record.domid === undefined
    ? 'dom0 has not set it aside: `pci-assignable-add` does'
    : `domain ${record.domid} has it`;
}

/**
 * Whether the list of devices on the bus of a guest can be changed: the kernel of a PV guest has to have the bus connected,
 * and to put it in order each time. XEN: `libxl__wait_for_backend`, which waits ten seconds for that.
 */
function answersOnBus(operation: Operation, domid: Domid): boolean {
  const { recorder, state } = operation;
  if (recorder.hypercalls.inspectDomain(domid)?.info.isHvm === true) return true;
  const hasBus = backendsFor(state, domid).some(({ kind }) => kind === 'pci');
  if (hasBus && canServe(operation, domid)) return true;
  const path = `/local/domain/0/backend/pci/${domid}/0`;
  logLibxl(operation, 'libxl_device.c:1470:libxl__wait_for_backend', `Backend ${path} not ready`);
  return false;
}

/** Gives a PCI device to a guest, while it is made or later. */
export function addPciDevice(
  operation: Operation,
  domid: Domid,
  wanted: GuestPciDevice,
  { isStarting }: { readonly isStarting: boolean },
): PciOutcome {
  const { recorder, state } = operation;
  const sbdf = resolvePci(operation, wanted);
  if (sbdf === undefined) {
    recorder.explain('domctl.assign_device', 'ENODEV', `no device has the name \`${wanted.name ?? ''}\``);
    return { kind: 'failed', what: `PCI device \`${wanted.name ?? ''}\`` };
  }
  const what = `PCI device ${sbdfText(sbdf)}`;
  const failed = (): PciOutcome => {
    const place = 'libxl_pci.c:1809:device_pci_add_done';
    const words = `Domain ${domid}:libxl__device_pci_add failed for PCI device ${shortText(sbdf)} (rc -3)`;
    logLibxl(operation, place, words);
    return { kind: 'failed', what };
  };
  let refused: string | undefined;
  recorder.step(`libxl sees whether ${what} can be given`, 'libxl', () => {
    refused = refusalOf(operation, domid, sbdf, wanted.isSeized);
    if (refused === undefined) return 'done';
    recorder.explain('domctl.assign_device', 'EBUSY', refused);
    return 'failed';
  });
  if (refused !== undefined) return failed();
  const record = pciRecord(operation, sbdf);
  if (!record.isAssignable && makeAssignable(operation, sbdf, undefined).kind === 'failed') return failed();
  const device = hostDevice(operation, sbdf);
  if (device === undefined) return failed();
  const stub = stubOf(operation, domid);
  if (stub !== undefined && !giveToStub(operation, stub, device)) return failed();
  if (!give(operation, domid, device, false)) return failed();
  if (!isStarting && devicesOf(operation, domid).length > 0 && !answersOnBus(operation, domid)) return failed();
  record.domid = domid;
  record.stale = record.stale.filter((one) => one !== domid);
  const taken = [...state.pci.values()].filter((one) => one !== record && one.domid === domid);
  const isHvm = recorder.hypercalls.inspectDomain(domid)?.info.isHvm === true;
  record.slot = isHvm ? FIRST_SLOT + taken.length : taken.length;
  recorder.step(`libxl enters ${what} in xenstore`, 'libxl', () => {
    lookAt(operation, domid, false);
    // XEN: a running guest has its stored configuration brought up to date too.
    if (!isStarting) for (const withLabel of [true, false, true, true, true]) lookAt(operation, domid, withLabel);
    return 'done';
  });
  if (!isStarting && !isHvm) connectPciBus(operation, domid);
  return { kind: 'done', what };
}

/** The stub domain gets the device first, and has it on its PCI bus, which dom0 serves. */
function giveToStub(operation: Operation, stub: Domid, device: PciDevice): boolean {
  if (!give(operation, stub, device, true)) return false;
  connectPciBus(operation, stub);
  return true;
}

/** The kernel of a PV domain connects its PCI bus to dom0, once there is a device on it. */
export function connectPciBus(operation: Operation, domid: Domid): void {
  const { recorder, state } = operation;
  if (recorder.hypercalls.inspectDomain(domid)?.info.isRunning !== true) return;
  if (backendsFor(state, domid).some(({ kind }) => kind === 'pci')) return;
  const connection = { kind: 'pci', name: 'bus', backend: DOM0, process: 'driver' } as const;
  if (!connect(operation, domid, connection)) return;
  recorder.step(`dom0 reads the devices of domain ${domid} for it`, 'driver', () => {
    for (const { sbdf } of devicesOf(operation, domid)) {
      recorder.ask('driver', 'pci_config.access', { device: sbdf });
      const irq = hostDevice(operation, sbdf)?.irq;
      if (irq !== undefined) recorder.ask('driver', 'physdev_op.setup_gsi', { irq });
    }
    return 'done';
  });
}

/** The devices that a domain has, or that its guest has where it is a stub domain. */
export function devicesOf({ state }: Operation, domid: Domid): PciRecord[] {
  const target = state.guests.get(domid)?.target ?? domid;
  return [...state.pci.values()].filter((one) => one.domid === target || one.stale.includes(target));
}

/** Asks the device model of an HVM guest to take a device off; the guest has to let go of it. */
function unplugFromModel(operation: Operation, domid: Domid, { sbdf, irq }: PciDevice): boolean {
  const { recorder, state } = operation;
  const model = state.deviceModels.get(domid);
  if (model === undefined) return false;
  const actor: Actor = { domid: model.model, process: 'device model' };
  const isLetGo = canServe(operation, domid);
  const outcome = recorder.step(`the device model of domain ${domid} is to give ${sbdfText(sbdf)} up`, 'libxl', () => {
    lookAt(operation, domid, false);
    talkToModel(operation, domid)?.close();
    recorder.askAs(actor, 'dm_op.set_isa_irq_level', { domid });
    if (isLetGo && irq !== undefined) {
      recorder.askAs(actor, 'domctl.unbind_pt_irq', { domid, irq });
      recorder.askAs(actor, 'physdev_op.unmap_pirq', { domid, irq });
    }
    // XEN: pci_remove_qmp_query_cb(): libxl asks again, until the device is gone or 10 s have passed.
    talkToModel(operation, domid)?.close();
    return isLetGo ? 'done' : 'ignored-failure';
  });
  return outcome === 'done';
}

/** How a device is taken back. */
interface Removal {
  readonly isStub: boolean;
  /** Whether or not the guest lets go of it. */
  readonly isForced: boolean;
}

/** Takes one device from one domain. XEN: `do_pci_remove`, `pci_remove_detached`. */
function take(operation: Operation, domid: Domid, device: PciDevice, { isStub, isForced }: Removal): boolean {
  const { recorder } = operation;
  const isHvm = recorder.hypercalls.inspectDomain(domid)?.info.isHvm === true;
  if (isHvm && !unplugFromModel(operation, domid, device)) {
    const words = `Domain ${domid}:timed out waiting for DM to remove ${nameInModel(device.sbdf)}`;
    if (!isForced) {
      logLibxl(operation, 'libxl_pci.c:2219:pci_remove_timeout', words);
      recorder.explain('domctl.deassign_device', 'EBUSY', 'the guest does not let go of the device');
      return false;
    }
    operation.messages.push(`libxl: warning: libxl_pci.c:2219:pci_remove_timeout: ${words}`);
  }
  let isTaken = true;
  recorder.step(`libxl takes ${sbdfText(device.sbdf)} from domain ${domid}`, 'libxl', () => {
    if (!isHvm) {
      lookAt(operation, domid, false);
      changeRights(operation, domid, device, false);
    }
    if (isStub) return 'done';
    // XEN: a denial is logged, and the device is taken for removed all the same.
    const taken = recorder.ask('libxl', 'domctl.deassign_device', { domid, device: device.sbdf });
    if (taken.kind === 'ok') return 'done';
    // It was taken before, and was still on the list.
    isTaken = taken.errno === 'ENODEV';
    const place = 'libxl_pci.c:2258:pci_remove_detached';
    logLibxl(operation, place, `Domain ${domid}:xc_deassign_device failed`, taken.errno);
    return 'ignored-failure';
  });
  return isTaken;
}

/** Whether an HVM guest holds on to its devices: its kernel does not answer. */
function isKept(operation: Operation, domid: Domid): boolean {
  const isHvm = operation.recorder.hypercalls.inspectDomain(domid)?.info.isHvm === true;
  return isHvm && !canServe(operation, domid);
}

/** As libxl calls the device to QEMU. XEN: `PCI_PT_QDEV_ID`. */
function nameInModel(sbdf: Sbdf): string {
  return `pci-pt-${sbdfText(sbdf).slice(5, 7)}_${sbdfText(sbdf).slice(8, 10)}.${sbdf & 7}`;
}

/** How the taking of a device went. */
export type PciRemoval =
  /** Nobody has it. */
  | 'gone'
  /** Xen took it from the guest; in xenstore it is still the guest's, until that ends. */
  | 'listed'
  /** Xen left it with the guest; in xenstore it is nobody's. */
  | 'refused'
  /** The guest did not let go of it, and it was left with it. */
  | 'kept';

/** Takes a PCI device from a guest; forced, when the guest ends. */
export function removePciDevice(
  operation: Operation,
  domid: Domid,
  record: PciRecord,
  { isForced }: Pick<Removal, 'isForced'>,
): PciRemoval {
  const { recorder, state } = operation;
  const device = hostDevice(operation, record.sbdf);
  const stub = stubOf(operation, domid);
  const isTaken = device === undefined || take(operation, domid, device, { isStub: false, isForced });
  if (!isTaken && !isForced && isKept(operation, domid)) return 'kept';
  if (device !== undefined && stub !== undefined) take(operation, stub, device, { isStub: true, isForced });
  const isOff = recorder.step(`libxl takes ${sbdfText(record.sbdf)} out of xenstore`, 'libxl', () => {
    lookAt(operation, domid, false);
    if (record.domid === domid) record.domid = undefined;
    record.stale = record.stale.filter((one) => one !== domid);
    // XEN: libxl__device_pci_remove_xenstore(), whose answer nobody looks at.
    if (!answersOnBus(operation, domid)) {
      record.stale.push(domid);
      return 'ignored-failure';
    }
    for (const one of stub === undefined ? [domid] : [domid, stub]) {
      if (devicesOf(operation, one).length > 0) continue;
      for (const bus of backendsFor(state, one)) if (bus.kind === 'pci') disconnect(operation, bus);
    }
    return 'done';
  });
  if (isOff !== 'done') return 'listed';
  return isTaken ? 'gone' : 'refused';
}
