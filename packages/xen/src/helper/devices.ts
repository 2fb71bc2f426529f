/**
 * Disks and network cards of guests that exist, through libxl.
 *
 * Follows: Xen `tools/xl/xl_block.c` and `tools/xl/xl_nic.c`.
 *
 * @module
 */
import type { HelperCalls, LibxlDisk, LibxlNic } from '../protocol.ts';
import { CallFault } from './fault.ts';
import { type HostAccess, libxl, numberIn, structureJson, textIn } from './host-access.ts';

/** Does some work with the structure of a device, and gives its memory back. */
async function withDevice<T>(
  { libraries }: HostAccess,
  kind: 'disk' | 'nic',
  work: (device: Buffer) => Promise<T>,
): Promise<T> {
  const device = libraries.structure(`libxl_device_${kind}_init`);
  try {
    return await work(device);
  } finally {
    libraries.now(`libxl_device_${kind}_dispose`, device);
  }
}

/** Gives a guest a device, which is described as libxl's own JSON. */
export async function attachDevice(
  access: HostAccess,
  kind: 'disk' | 'nic',
  domid: number,
  json: string,
): Promise<void> {
  const { libraries, context } = access;
  await withDevice(access, kind, async (device) => {
    const fromJson = `libxl_device_${kind}_from_json` as const;
    const rc = Number(libraries.now(fromJson, context, device, libraries.bytes(json)));
    if (rc < 0) throw new CallFault({ kind: 'libxl', call: fromJson, rc });
    await libxl(access, `libxl_device_${kind}_add`, domid, device, null);
  });
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
    if (Number(await libraries.later(`libxl_device_${kind}_getinfo`, context, domid, device, info)) !== 0) continue;
    found.push(describe(structureJson(access, `libxl_${kind}info_to_json`, info), device));
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
