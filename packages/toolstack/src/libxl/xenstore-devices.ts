/**
 * Disks and network cards in xenstore: their numbers, their addresses, and where they stand.
 *
 * Follows Xen `tools/libs/light/libxl_device.c`.
 *
 * @module
 */
import type { Domid } from '../hypercalls.ts';
import type { GuestDevice } from './guest-devices.ts';
import type { GuestRecord, XenstoreDevice } from './toolstack-state.ts';

/** XEN: `libxl__device_nextid`: one more than the card that came last. */
function nextCard({ devices }: Pick<GuestRecord, 'devices'>): number {
  const last = devices.findLast(({ kind }) => kind === 'vif');
  return last === undefined ? 0 : last.devid + 1;
}

/**
 * An address with the prefix of Xen. XEN: `libxl__device_nic_setdefault` takes the rest from a random UUID; here it
 * follows from that of the guest and the number of the card, so that the same guest has the same one again.
 */
function madeUpMac(uuid: string, devid: number): string {
  const digits = uuid.replaceAll('-', '').slice(-6).padStart(6, '0');
  const number = (Number.parseInt(digits, 16) + devid) & 0x7f_ffff;
  const bytes = [number >> 16, (number >> 8) & 0xff, number & 0xff];
  return `00:16:3e:${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}

/** What libxl makes of a device before it enters it; undefined for a disk whose name is none. */
export function completed(
  record: Pick<GuestRecord, 'uuid' | 'devices'>,
  device: GuestDevice,
  backendDomid: Domid,
): XenstoreDevice | undefined {
  const { kind } = device;
  const devid = device.devid ?? (kind === 'vif' ? nextCard(record) : undefined);
  if (devid === undefined) return undefined;
  const name = kind === 'vif' ? String(devid) : device.name;
  const mac = kind === 'vif' ? (device.mac ?? madeUpMac(record.uuid, devid)) : undefined;
  return { ...device, name, devid, mac, backendDomid, frontend: 1 };
}

/** The entry of a device, if xenstore has one. */
export function findDevice(
  { devices }: GuestRecord,
  kind: XenstoreDevice['kind'],
  devid: number | undefined,
): XenstoreDevice | undefined {
  return devices.find((one) => one.kind === kind && one.devid === devid);
}

/** Where xenstore has the side of a device that serves it. XEN: `libxl__domain_device_backend_path`. */
export function backendPath(domid: Domid, { kind, devid, backendDomid, server }: XenstoreDevice): string {
  const word = kind === 'vbd' && server === 'qemu' ? 'qdisk' : kind;
  return `/local/domain/${backendDomid}/backend/${word}/${domid}/${devid}`;
}

/** A device as messages call it. */
export function deviceTitle({ kind, name }: GuestDevice): string {
  return kind === 'vbd' ? `disk ${name}` : `network card ${name}`.trimEnd();
}

/** A device as the stored configuration has it. */
export function storedDevice(device: XenstoreDevice): GuestDevice {
  const { backendDomid: _, frontend: __, ...stored } = device;
  return stored;
}
