/**
 * `xl pci-attach`, `pci-detach`, `pci-list` and `pci-assignable-*`.
 *
 * Follows Xen `tools/xl/xl_pci.c` and `tools/libs/util/libxlu_pci.c`.
 *
 * @module
 */
import { isSince } from '@dewar/policy/releases';
import type { Diagnostic } from '@dewar/policy/text';
import type { AssignableDevice, GuestPciSlot, OperationReport } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { addressMembers, readPciWord } from '../xl-cfg/index.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import type { GuestPciDevice } from './guest-devices.ts';
import { finalState, findDomain, lookAt, type Operation, report, startXl } from './operation.ts';
import { doneOn } from './outcomes.ts';
import {
  addPciDevice,
  devicesOf,
  makeAssignable,
  makeUnassignable,
  type PciOutcome,
  parseSbdf,
  removePciDevice,
  resolvePci,
  sbdfText,
} from './pci.ts';
import { storedWithDevice } from './stored-json.ts';

/** The device of an entry, without its slot and its options; undefined where it is none. */
function parseSpec(spec: string): GuestPciDevice | undefined {
  const [head = '', ...options] = spec.split(',');
  const [address = ''] = head.split('@');
  const sbdf = parseSbdf(address);
  const named = [head, ...options].find((part) => part.startsWith('name='))?.slice('name='.length);
  const isSeized = options.includes('seize=1');
  if (sbdf !== undefined) return { sbdf, name: undefined, isSeized };
  return named === undefined || named === '' ? undefined : { sbdf: 0, name: named, isSeized };
}

function malformed(operation: Operation, command: string, what: string, text: string): OperationReport {
  operation.messages.push(`${command}: malformed ${what} "${text}"`);
  const notes = [{ message: 'one is written as `00:19.0` or `0000:00:19.0`' }];
  operation.diagnostics.push(guest['no-device'](undefined, { device: text }, { notes }));
  return report(operation, { isDone: false, xlExitCode: 2 });
}

function ended(operation: Operation, outcome: PciOutcome, verb: string): OperationReport {
  if (outcome.kind === 'done') return report(operation, { isDone: true, xlExitCode: 0 });
  const notes = refusalNotes(operation.recorder.refusal);
  operation.diagnostics.push(guest['request-failed'](undefined, { operation: `${verb} ${outcome.what}` }, { notes }));
  return report(operation, { isDone: false, xlExitCode: 1 });
}

function failedOnGuest(operation: Operation, domid: Domid, verb: string): OperationReport {
  const notes = refusalNotes(operation.recorder.refusal);
  operation.diagnostics.push(guest['operation-failed'](undefined, { operation: verb, domid }, { notes }));
  return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
}

/** The stored configuration gets the device, with the address of one that was named. XEN: `libxl__device_pci_add_xenstore`. */
function keepDevice(operation: Operation, domid: Domid, spec: string): void {
  const record = operation.state.guests.get(domid);
  const given = readPciWord(spec).device;
  const wanted = parseSpec(spec);
  const sbdf = wanted === undefined ? undefined : resolvePci(operation, wanted);
  if (record?.config === undefined || given === undefined || sbdf === undefined) return;
  const rest = given.members.filter(([name]) => !['func', 'dev', 'bus', 'domain'].includes(name));
  const members = [...addressMembers(sbdf), ...rest];
  record.config = { ...record.config, json: storedWithDevice(record.config.json, 'pcidevs', { members }, undefined) };
}

/** `xl pci-attach`. */
export function attachPci(operation: Operation, text: string, spec: string): OperationReport {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const wanted = parseSpec(spec);
  if (wanted === undefined) return malformed(operation, 'pci-attach', 'PCI_SPEC_STRING', spec);
  const record = operation.state.guests.get(domid);
  if (record?.config?.type === 'pvh') {
    operation.recorder.explain('domctl.assign_device', 'EOPNOTSUPP', 'PCI devices of a PVH guest are not rehearsed');
    return failedOnGuest(operation, domid, 'attach a PCI device to');
  }
  const added = addPciDevice(operation, domid, wanted, { isStarting: false });
  if (added.kind === 'done') {
    keepDevice(operation, domid, spec);
    return doneOn(operation, domid);
  }
  operation.messages.push('libxl: error: libxl_device.c:1486:device_addrm_aocomplete: unable to add device');
  return failedOnGuest(operation, domid, `attach ${added.what} to`);
}

/** A device that Xen took from a guest, and that libxl did not take out of xenstore. */
export function stillListed(domid: number, device: string): Diagnostic {
  const notes = [
    { message: 'the kernel of the guest has no driver for its PCI bus, or does not answer; libxl waited ten seconds' },
    { message: 'it is free for other guests; the entry goes when the guest ends' },
  ];
  return guest['device-still-listed'](undefined, { device, domid }, { notes });
}

/** `xl pci-detach`. */
export function detachPci(operation: Operation, text: string, spec: string, isForced: boolean): OperationReport {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const wanted = parseSpec(spec);
  if (wanted === undefined) return malformed(operation, 'pci-detach', 'PCI_SPEC_STRING', spec);
  const sbdf = resolvePci(operation, wanted);
  const record = devicesOf(operation, domid).find((one) => one.sbdf === sbdf);
  if (record === undefined) {
    recorder.step('libxl looks for the device', 'libxl', () => {
      lookAt(operation, domid, false);
      recorder.explain('domctl.deassign_device', 'ENODEV', 'the guest has no such device');
      return 'failed';
    });
    const words = 'PCI device not attached to this domain';
    operation.messages.push(`libxl: error: libxl_pci.c:1968:do_pci_remove: Domain ${domid}:${words}`);
    operation.messages.push('libxl: error: libxl_device.c:1486:device_addrm_aocomplete: unable to remove device');
    return failedOnGuest(operation, domid, 'detach a PCI device from');
  }
  const removal = removePciDevice(operation, domid, record, { isForced });
  if (removal === 'gone') return doneOn(operation, domid);
  if (removal === 'listed') {
    operation.diagnostics.push(stillListed(domid, sbdfText(record.sbdf)));
    return doneOn(operation, domid);
  }
  const notes = refusalNotes(recorder.refusal);
  const verb = 'detach a PCI device from';
  operation.diagnostics.push(guest['operation-failed'](undefined, { operation: verb, domid }, { notes }));
  // XEN: xl is content when it was Xen that kept the device there.
  const xlExitCode = removal === 'refused' ? 0 : 1;
  return report(operation, { isDone: false, xlExitCode, domain: finalState(operation, domid) });
}

/** `xl pci-list`. */
export function listPci(operation: Operation, text: string): OperationReport<readonly GuestPciSlot[]> {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const value = devicesOf(operation, domid).map(({ sbdf, slot }) => ({ sbdf, slot }));
  return report(operation, { isDone: true, xlExitCode: 0, value });
}

function start({ recorder, ...rest }: Operation, title: string): void {
  recorder.step(title, 'xl', () => {
    startXl({ recorder, ...rest });
    return 'done';
  });
}

/** `xl pci-assignable-add`. */
export function addAssignable(operation: Operation, text: string, name: string | undefined): OperationReport {
  start(operation, 'xl starts');
  const sbdf = parseSbdf(text);
  if (sbdf === undefined) return malformed(operation, 'pci-assignable-add', 'BDF', text);
  return ended(operation, makeAssignable(operation, sbdf, name), 'set aside');
}

/** `xl pci-assignable-remove`. */
export function removeAssignable(operation: Operation, text: string): OperationReport {
  start(operation, 'xl starts');
  const sbdf = resolvePci(operation, { sbdf: 0, name: text, isSeized: false }) ?? parseSbdf(text);
  if (sbdf === undefined) return malformed(operation, 'pci-assignable-remove', 'BDF', text);
  return ended(operation, makeUnassignable(operation, sbdf), 'give back');
}

/** `xl pci-assignable-list`. */
export function listAssignable(operation: Operation): OperationReport<readonly AssignableDevice[]> {
  start(operation, 'xl looks into dom0 and xenstore');
  const { recorder, state } = operation;
  // XEN: `get_all_assigned_devices`: until 4.14 what stands on the list of a guest is not free, taken from it or not.
  const guests = isSince(recorder.hypercalls.release, '4.15') ? [] : [...state.guests.keys()];
  const listed = new Set(guests.flatMap((domid) => devicesOf(operation, domid).map(({ sbdf }) => sbdf)));
  const value = [...state.pci.values()]
    .filter(({ isAssignable, domid, sbdf }) => isAssignable && domid === undefined && !listed.has(sbdf))
    .map(({ sbdf, name }) => ({ sbdf, name }))
    .sort((a, b) => a.sbdf - b.sbdf);
  return report(operation, { isDone: true, xlExitCode: 0, value });
}
