/**
 * PCI devices on a real host: read as xl reads them, done by libxl, told as xl tells them.
 *
 * Follows Xen `tools/xl/xl_pci.c`.
 *
 * @module
 */
import {
  type AssignableDevice,
  type GuestPciSlot,
  guestDiagnostics,
  type OperationReport,
  parseSbdf,
  sbdfText,
  stillListed,
} from '@dewar/toolstack';
import { deviceJson, type JsonObject, pciDeviceJson, readPciWord } from '@dewar/toolstack/xl-cfg';
import type { HelperCallName, HelperCalls } from '../protocol.ts';
import type { RealOperation } from './real-operation.ts';

/** xl could not read the device. */
function malformed(operation: RealOperation, command: string, what: string, text: string): OperationReport {
  operation.messages.push(`${command}: malformed ${what} "${text}"`);
  const notes = [{ message: 'one is written as `00:19.0` or `0000:00:19.0`' }];
  operation.diagnostics.push(guestDiagnostics['no-device'](undefined, { device: text }, { notes }));
  return operation.report({ isDone: false, xlExitCode: 2 });
}

/** One call of libxl about a device of a guest; xl says nothing of its own where it fails. */
async function onGuest<N extends 'pci.attach' | 'pci.detach'>(
  operation: RealOperation,
  domid: number,
  verb: string,
  call: N,
  params: HelperCalls[N]['params'],
  afterwards: () => Promise<void> = () => Promise.resolve(),
): Promise<OperationReport> {
  const outcome = await operation.callStep(`libxl is to ${verb} domain ${domid}`, call, params);
  if (outcome.kind === 'failed') return operation.refused(domid, verb, outcome.failure, 1);
  await afterwards();
  return operation.report({ isDone: true, xlExitCode: 0, domain: await operation.stateOf(domid) });
}

/** `xl pci-attach`. */
export async function attachPci(operation: RealOperation, domid: number, spec: string): Promise<OperationReport> {
  const { device } = readPciWord(spec);
  if (device === undefined) return malformed(operation, 'pci-attach', 'PCI_SPEC_STRING', spec);
  return onGuest(operation, domid, 'attach a PCI device to', 'pci.attach', { domid, json: deviceJson(device) });
}

/** `xl pci-detach`. */
export async function detachPci(
  operation: RealOperation,
  domid: number,
  spec: string,
  isForced: boolean,
): Promise<OperationReport> {
  const { device } = readPciWord(spec);
  if (device === undefined) return malformed(operation, 'pci-detach', 'PCI_SPEC_STRING', spec);
  const params = { domid, json: deviceJson(device), isForced };
  const verb = 'detach a PCI device from';
  return onGuest(operation, domid, verb, 'pci.detach', params, async () => {
    const sbdf = await addressOf(operation, device);
    const left = await operation.callStep(`libxl tells what domain ${domid} has left`, 'pci.list', { domid });
    if (left.kind !== 'ok' || sbdf === undefined || left.value.every((one) => one.sbdf !== sbdf)) return;
    operation.diagnostics.push(stillListed(domid, sbdfText(sbdf)));
  });
}

/** Where a device is that is free again; one that was named is free under its name. */
async function addressOf(operation: RealOperation, device: JsonObject): Promise<number | undefined> {
  const value = (key: string): number => Number(device.members.find(([name]) => name === key)?.[1] ?? 0);
  const [, named] = device.members.find(([name]) => name === 'name') ?? [];
  if (typeof named !== 'string') {
    return ((value('domain') << 16) | (value('bus') << 8) | (value('dev') << 3) | value('func')) >>> 0;
  }
  const free = await operation.callStep('libxl tells where the device is', 'pci.assignableList', {});
  return free.kind === 'ok' ? free.value.find(({ name }) => name === named)?.sbdf : undefined;
}

/** One call of libxl about no guest. */
async function onHost<N extends HelperCallName>(
  operation: RealOperation,
  verb: string,
  call: N,
  params: HelperCalls[N]['params'],
): Promise<HelperCalls[N]['result'] | undefined> {
  const outcome = await operation.callStep(`libxl is to ${verb}`, call, params);
  if (outcome.kind === 'ok') return outcome.value;
  const notes = operation.notesOn(outcome.failure);
  operation.diagnostics.push(guestDiagnostics['request-failed'](undefined, { operation: verb }, { notes }));
  return undefined;
}

/** `xl pci-list`. */
export async function listPci(
  operation: RealOperation,
  domid: number,
): Promise<OperationReport<readonly GuestPciSlot[]>> {
  const found = await onHost(operation, `list the PCI devices of domain ${domid}`, 'pci.list', { domid });
  const value = (found ?? []).map(({ sbdf, slot }) => ({ sbdf, slot }));
  return operation.report({ isDone: found !== undefined, xlExitCode: 0, value });
}

/** `xl pci-assignable-list`. */
export async function listAssignable(operation: RealOperation): Promise<OperationReport<readonly AssignableDevice[]>> {
  const found = await onHost(operation, 'list the PCI devices that are set aside', 'pci.assignableList', {});
  const value = (found ?? []).map(({ sbdf, name }) => ({ sbdf, name }));
  return operation.report({ isDone: found !== undefined, xlExitCode: 0, value });
}

/** `xl pci-assignable-add`. */
export async function addAssignable(
  operation: RealOperation,
  text: string,
  name: string | undefined,
): Promise<OperationReport> {
  const sbdf = parseSbdf(text);
  if (sbdf === undefined) return malformed(operation, 'pci-assignable-add', 'BDF', text);
  const params = { json: pciDeviceJson(sbdf, name) };
  const isDone = (await onHost(operation, `set ${text} aside`, 'pci.assignableAdd', params)) !== undefined;
  return operation.report({ isDone, xlExitCode: isDone ? 0 : 1 });
}

/** `xl pci-assignable-remove`: the device is named, or given by its address. */
export async function removeAssignable(
  operation: RealOperation,
  text: string,
  isRebound: boolean,
): Promise<OperationReport> {
  const free = (await onHost(operation, 'list the PCI devices that are set aside', 'pci.assignableList', {})) ?? [];
  const sbdf = free.find(({ name }) => name === text)?.sbdf ?? parseSbdf(text);
  if (sbdf === undefined) return malformed(operation, 'pci-assignable-remove', 'BDF', text);
  const params = { json: pciDeviceJson(sbdf, undefined), isRebound };
  const isDone = (await onHost(operation, `give ${text} back`, 'pci.assignableRemove', params)) !== undefined;
  return operation.report({ isDone, xlExitCode: isDone ? 0 : 1 });
}
