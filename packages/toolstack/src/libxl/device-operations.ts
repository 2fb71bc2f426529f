/**
 * `xl block-attach`, `block-detach`, `block-list`, and the same for network cards.
 *
 * Follows Xen `tools/xl/xl_block.c`, `tools/xl/xl_nic.c`, and `tools/libs/light/libxl_{disk,nic,device}.c`.
 *
 * @module
 */
import type { GuestDisk, GuestNic, OperationReport } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { type Device, readDiskWords, readNicWords, type SpecReading } from '../xl-cfg/index.ts';
import { atoi } from '../xl-cfg/strtol.ts';
import { attachDevice } from './add-devices.ts';
import { backendOf, refsOf } from './backends.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { diskNumber } from './disk-number.ts';
import { diskOf, type GuestDevice, isVirtio, vifOf } from './guest-devices.ts';
import {
  finalState,
  findDomain,
  type Operation,
  report,
  reportUnknownDomain,
  resolveDomain,
  startXl,
} from './operation.ts';
import { doneOn } from './outcomes.ts';
import { removeDevice } from './remove-devices.ts';
import { logLibxl } from './said.ts';
import type { GuestRecord, XenstoreDevice } from './toolstack-state.ts';
import { backendPath, deviceTitle, findDevice } from './xenstore-devices.ts';

/** What xl and libxl call the two kinds. */
const WORDS = {
  vbd: { add: 'libxl_device_disk_add', adding: 'attach a disk to', removing: 'detach a disk from' },
  vif: { add: 'libxl_device_nic_add', adding: 'attach a network card to', removing: 'detach a network card from' },
} as const;

function failed(operation: Operation, domid: Domid, verb: string, reason?: string): OperationReport {
  const { refusal } = operation.recorder;
  const notes = refusal === undefined && reason !== undefined ? [{ message: reason }] : refusalNotes(refusal);
  operation.diagnostics.push(guest['operation-failed'](undefined, { operation: verb, domid }, { notes }));
  return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
}

/** The device that the words of the command line name; undefined where xl stops at one of them. */
function read(operation: Operation, reading: SpecReading): Device | undefined {
  operation.messages.push(...reading.messages);
  operation.diagnostics.push(...reading.diagnostics);
  return reading.device;
}

/** xl stopped at the words. */
function misread(
  operation: Operation,
  domid: Domid,
  kind: GuestDevice['kind'],
  { exitCode }: SpecReading,
): OperationReport {
  const reason = 'xl stops at what it does not understand, and attaches nothing';
  return { ...failed(operation, domid, WORDS[kind].adding, reason), xlExitCode: exitCode };
}

function attach(operation: Operation, domid: Domid, device: GuestDevice, given: Device): OperationReport {
  const added = attachDevice(operation, domid, device, given);
  if (added.kind === 'added') return doneOn(operation, domid);
  operation.messages.push(`${WORDS[device.kind].add} failed.`);
  return failed(operation, domid, WORDS[device.kind].adding, added.reason);
}

/** `xl block-attach`. */
export function attachDisk(operation: Operation, text: string, words: readonly string[]): OperationReport {
  const domid = findDomain(operation, text, false);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const reading = readDiskWords(words);
  const device = read(operation, reading);
  if (device === undefined) return misread(operation, domid, 'vbd', reading);
  if (isVirtio(device)) {
    const fault = `Domain ${domid}:Hotplug isn't supported for specification virtio`;
    logLibxl(operation, 'libxl_disk.c:187:libxl__device_disk_setdefault', fault);
    logLibxl(operation, 'libxl_device.c:1486:device_addrm_aocomplete', 'unable to add device');
    operation.messages.push(`${WORDS.vbd.add} failed.`);
    return failed(operation, domid, WORDS.vbd.adding, 'a virtio disk cannot be attached to a guest that exists');
  }
  return attach(operation, domid, diskOf(device), device);
}

/** `xl network-attach`. */
export function attachNic(operation: Operation, text: string, words: readonly string[]): OperationReport {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const reading = readNicWords(words);
  const device = read(operation, reading);
  if (device === undefined) return misread(operation, domid, 'vif', reading);
  return attach(operation, domid, vifOf(device), device);
}

function recordOf({ state }: Operation, domid: Domid): GuestRecord | undefined {
  return state.guests.get(domid);
}

/** `xl block-detach`. */
export function detachDisk(operation: Operation, text: string, disk: string, isForced: boolean): OperationReport {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const devid = diskNumber(disk);
  const record = recordOf(operation, domid);
  const device = devid === undefined || record === undefined ? undefined : findDevice(record, 'vbd', devid);
  if (device === undefined || record === undefined) {
    if (devid !== undefined) {
      const words = `disk /libxl/${domid}/device/vbd/${devid} does not exist (no backend path`;
      logLibxl(operation, 'libxl_disk.c:516:libxl__disk_from_xenstore', words);
    }
    operation.messages.push(`Error: Device ${disk} not connected.`);
    return failed(operation, domid, WORDS.vbd.removing, `it has no disk \`${disk}\``);
  }
  if (removeDevice(operation, record, device, isForced ? 'forced' : 'safe')) return doneOn(operation, domid);
  operation.messages.push(`libxl_device_disk_${isForced ? 'destroy' : 'safe_remove'} failed.`);
  return failed(operation, domid, WORDS.vbd.removing, `the guest does not let go of ${deviceTitle(device)}`);
}

/** An address as it is compared: six bytes. XEN: `libxl__parse_mac`. */
function macOf(text: string): string | undefined {
  const bytes =
    /^([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2}):([0-9a-f]{1,2})/i.exec(text);
  return bytes
    ?.slice(1)
    .map((byte) => byte.toLowerCase().padStart(2, '0'))
    .join(':');
}

/** The card that a person names. XEN: with a colon, by its address. */
function findCard(record: GuestRecord | undefined, card: string): XenstoreDevice | undefined {
  if (record === undefined) return undefined;
  if (!card.includes(':')) return findDevice(record, 'vif', atoi(card));
  const mac = macOf(card);
  return mac === undefined ? undefined : record.devices.find((one) => one.kind === 'vif' && one.mac === mac);
}

/** `xl network-detach`. */
export function detachNic(operation: Operation, text: string, card: string): OperationReport {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const record = recordOf(operation, domid);
  const device = findCard(record, card);
  if (device === undefined || record === undefined) {
    if (!card.includes(':')) {
      const words = `xenstore read failed: \`/libxl/${domid}/device/vif/${atoi(card)}': No such file or directory`;
      logLibxl(operation, 'libxl_xshelp.c:206:libxl__xs_read_mandatory', words);
    }
    operation.messages.push(`Unknown device ${card}.`);
    return failed(operation, domid, WORDS.vif.removing, `it has no network card \`${card}\``);
  }
  if (removeDevice(operation, record, device, 'patient')) return doneOn(operation, domid);
  operation.messages.push('libxl_device_nic_del failed.');
  return failed(operation, domid, WORDS.vif.removing, `the guest does not let go of ${deviceTitle(device)}`);
}

/** The entries that both kinds have. */
function entryOf(operation: Operation, domid: Domid, device: XenstoreDevice): Omit<GuestDisk, 'ringRef'> {
  const [port] = backendOf(operation, domid, device)?.guestPorts ?? [];
  return {
    domid,
    devid: device.devid,
    backend: device.backendDomid,
    state: device.frontend,
    eventChannel: port ?? -1,
    backendPath: backendPath(domid, device),
  };
}

function ringsOf(operation: Operation, domid: Domid, device: XenstoreDevice): number[] {
  const backend = backendOf(operation, domid, device);
  return backend === undefined ? [] : refsOf(backend);
}

function diskEntry(operation: Operation, domid: Domid, device: XenstoreDevice): GuestDisk {
  const [ringRef = -1] = ringsOf(operation, domid, device);
  return { ...entryOf(operation, domid, device), ringRef };
}

function nicEntry(operation: Operation, domid: Domid, device: XenstoreDevice): GuestNic {
  const [txRingRef = -1, rxRingRef = -1] = ringsOf(operation, domid, device);
  // XEN: Linux writes a channel for each direction, under names that xl does not read.
  const entry = { ...entryOf(operation, domid, device), eventChannel: -1 };
  return { ...entry, mac: device.mac ?? '', txRingRef, rxRingRef };
}

/** Goes through the domains that a person names; what is not there is told, and ends it where `isStrict`. */
function list<T>(
  operation: Operation,
  texts: readonly string[],
  { kind, isStrict }: { readonly kind: XenstoreDevice['kind']; readonly isStrict: boolean },
  entry: (operation: Operation, domid: Domid, device: XenstoreDevice) => T,
): OperationReport<readonly T[]> {
  const value: T[] = [];
  let isMissing = false;
  operation.recorder.step('xl looks for the domains, and for their devices in xenstore', 'xl', () => {
    startXl(operation);
    for (const text of texts) {
      const domid = resolveDomain(operation, text);
      if (domid === undefined) {
        isMissing = true;
        reportUnknownDomain(operation, text, isStrict);
        if (isStrict) break;
        continue;
      }
      const devices = operation.state.guests.get(domid)?.devices.filter((one) => one.kind === kind) ?? [];
      value.push(...devices.map((device) => entry(operation, domid, device)));
    }
    return isMissing ? 'failed' : 'done';
  });
  // XEN: `xl block-list` is content whatever it finds.
  const hasFailed = isMissing && isStrict;
  return report(operation, { isDone: !hasFailed, xlExitCode: hasFailed ? 1 : 0, value });
}

/** `xl block-list`. */
export function listDisks(operation: Operation, texts: readonly string[]): OperationReport<readonly GuestDisk[]> {
  return list(operation, texts, { kind: 'vbd', isStrict: false }, diskEntry);
}

/** `xl network-list`. */
export function listNics(operation: Operation, texts: readonly string[]): OperationReport<readonly GuestNic[]> {
  return list(operation, texts, { kind: 'vif', isStrict: true }, nicEntry);
}
