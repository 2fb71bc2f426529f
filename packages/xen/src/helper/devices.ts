/**
 * Disks, network cards and PCI devices of guests that exist, through libxl.
 *
 * Follows: Xen `tools/xl/xl_block.c`, `tools/xl/xl_nic.c` and `tools/xl/xl_pci.c`.
 *
 * @module
 */

import { CallFault } from '../call-fault.ts';
import type { HelperCalls, LibxlDisk, LibxlNic, LibxlPci } from '../protocol.ts';
import { type HostAccess, libxl, numberIn, readStructure, structureJson, textIn } from './host-access.ts';

/** Kinds of devices, as libxl names them. */
type Kind = 'disk' | 'nic' | 'pci';

/** Does some work with the structure of a device, and gives its memory back. */
async function withDevice<T>({ libraries }: HostAccess, kind: Kind, work: (device: Buffer) => Promise<T>): Promise<T> {
  const device = libraries.structure(`libxl_device_${kind}_init`);
  try {
    return await work(device);
  } finally {
    libraries.now(`libxl_device_${kind}_dispose`, device);
  }
}

/** The same with a device that is described as libxl's own JSON. */
async function withDescribed<T>(
  access: HostAccess,
  kind: Kind,
  json: string,
  work: (device: Buffer) => Promise<T>,
): Promise<T> {
  return withDevice(access, kind, (device) => {
    readStructure(access, `device_${kind}`, device, json);
    return work(device);
  });
}

/** Gives a guest a device. */
export async function attachDevice(access: HostAccess, kind: Kind, domid: number, json: string): Promise<void> {
  await withDescribed(access, kind, json, (device) => libxl(access, `libxl_device_${kind}_add`, domid, device, null));
}

/** Takes a disk from a guest. */
export async function detachDisk(
  access: HostAccess,
  { domid, disk, isForced }: HelperCalls['disk.detach']['params'],
): Promise<void> {
  const { libraries } = access;
  await withDevice(access, 'disk', async (device) => {
    await libxl(access, 'libxl_vdev_to_device_disk', domid, libraries.bytes(disk), device);
    const { specification } = structureJson(access, 'libxl_device_disk_to_json', device);
    if (specification === 'virtio')
      throw new CallFault({ kind: 'refused', reason: "Hotunplug isn't supported for specification virtio" });
    // XEN: before 4.15 libxl takes the disk after ten seconds, whether or not the guest has let go of it.
    const gently = libraries.has('libxl_device_disk_safe_remove')
      ? 'libxl_device_disk_safe_remove'
      : 'libxl_device_disk_remove';
    await libxl(access, isForced ? 'libxl_device_disk_destroy' : gently, domid, device, null);
  });
}

/** Takes a network card from a guest. */
export async function detachNic(
  access: HostAccess,
  { domid, card }: HelperCalls['nic.detach']['params'],
): Promise<void> {
  const { libraries } = access;
  await withDevice(access, 'nic', async (device) => {
    if (typeof card === 'number') await libxl(access, 'libxl_devid_to_device_nic', domid, card, device);
    else await libxl(access, 'libxl_mac_to_device_nic', domid, libraries.bytes(card), device);
    await libxl(access, 'libxl_device_nic_remove', domid, device, null);
  });
}

type Members = Readonly<Record<string, unknown>>;

/** Goes through the devices of a guest; libxl has no list where there are none. */
async function listDevices<T>(
  access: HostAccess,
  kind: 'disk' | 'nic',
  domid: number,
  describe: (info: Members, device: bigint) => T,
): Promise<readonly T[]> {
  const { libraries, context } = access;
  const count = [0];
  const list = await libraries.later(`libxl_device_${kind}_list`, context, domid, count);
  if (typeof list !== 'bigint' || list === 0n) return [];
  const [length = 0] = count;
  const stride = BigInt(libraries.sizeOf(`libxl_device_${kind}_init`));
  const found: T[] = [];
  for (let i = 0n; i < BigInt(length); i++) {
    const device = list + i * stride;
    const info = libraries.structure(`libxl_${kind}info_init`);
    // XEN: what xenstore does not tell enough of is passed over.
    const rc = Number(await libraries.later(`libxl_device_${kind}_getinfo`, context, domid, device, info));
    if (rc === 0) found.push(describe(structureJson(access, `libxl_${kind}info_to_json`, info), device));
    libraries.now(`libxl_${kind}info_dispose`, info);
  }
  libraries.now(`libxl_device_${kind}_list_free`, list, length);
  return found;
}

/** What both kinds of device tell. A number that libxl leaves out has its default: -1 for the device, 0 for all else. */
function commonParts(info: Members): Omit<LibxlDisk, 'ringRef' | 'frontend'> {
  return {
    devid: numberIn(info, 'devid', -1),
    backend: numberIn(info, 'backend_id'),
    state: numberIn(info, 'state'),
    eventChannel: numberIn(info, 'evtch'),
    backendPath: textIn(info, 'backend') ?? '',
  };
}

/** The disks of a guest. */
export function listDisks(access: HostAccess, domid: number): Promise<readonly LibxlDisk[]> {
  return listDevices(access, 'disk', domid, (info) => ({
    ...commonParts(info),
    frontend: numberIn(info, 'frontend_id'),
    ringRef: numberIn(info, 'rref'),
  }));
}

/** The network cards of a guest. */
export function listNics(access: HostAccess, domid: number): Promise<readonly LibxlNic[]> {
  return listDevices(access, 'nic', domid, (info, device) => ({
    ...commonParts(info),
    mac: textIn(structureJson(access, 'libxl_device_nic_to_json', device), 'mac') ?? '00:00:00:00:00:00',
    txRingRef: numberIn(info, 'rref_tx'),
    rxRingRef: numberIn(info, 'rref_rx'),
  }));
}

/** Takes a PCI device from a guest. */
export async function detachPci(
  access: HostAccess,
  { domid, json, isForced }: HelperCalls['pci.detach']['params'],
): Promise<void> {
  const call = isForced ? 'libxl_device_pci_destroy' : 'libxl_device_pci_remove';
  await withDescribed(access, 'pci', json, (device) => libxl(access, call, domid, device, null));
}

/** Sets a PCI device aside for guests. */
export async function addAssignable(
  access: HostAccess,
  { json }: HelperCalls['pci.assignableAdd']['params'],
): Promise<void> {
  await withDescribed(access, 'pci', json, (device) => libxl(access, 'libxl_device_pci_assignable_add', device, 1));
}

/** Gives one back to dom0. */
export async function removeAssignable(
  access: HostAccess,
  { json, isRebound }: HelperCalls['pci.assignableRemove']['params'],
): Promise<void> {
  await withDescribed(access, 'pci', json, (device) =>
    libxl(access, 'libxl_device_pci_assignable_remove', device, isRebound ? 1 : 0),
  );
}

/** Reads a list of PCI devices. It stays in memory for the moment that this process has left: 4.14 cannot free one. */
function readPciList({ libraries, ...access }: HostAccess, list: unknown, count: number): readonly LibxlPci[] {
  if (typeof list !== 'bigint' || list === 0n) return [];
  const stride = BigInt(libraries.sizeOf('libxl_device_pci_init'));
  return Array.from({ length: count }, (_, i): LibxlPci => {
    const device = structureJson({ libraries, ...access }, 'libxl_device_pci_to_json', list + BigInt(i) * stride);
    const part = (name: string): number => numberIn(device, name);
    return {
      sbdf: ((part('domain') << 16) | (part('bus') << 8) | (part('dev') << 3) | part('func')) >>> 0,
      slot: (numberIn(device, 'vdevfn') >> 3) & 0x1f,
      name: textIn(device, 'name'),
    };
  });
}

/** The PCI devices of a guest. */
export async function listPci(access: HostAccess, domid: number): Promise<readonly LibxlPci[]> {
  const count = [0];
  const list = await access.libraries.later('libxl_device_pci_list', access.context, domid, count);
  return readPciList(access, list, count[0] ?? 0);
}

/** Those that are set aside and free. */
export async function listAssignable(access: HostAccess): Promise<readonly LibxlPci[]> {
  const count = [0];
  const list = await access.libraries.later('libxl_device_pci_assignable_list', access.context, count);
  return readPciList(access, list, count[0] ?? 0);
}
