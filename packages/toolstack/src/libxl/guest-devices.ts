/**
 * The devices of a guest, and its device model, as libxl takes them from the configuration and stores them.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`, `libxl__domain_build_info_setdefault`, and
 * `tools/libs/light/libxl_{disk,nic,pci}.c`, `libxl__device_*_setdefault`.
 *
 * @module
 */
import type { Sbdf } from '../device-hypercalls.ts';
import type { Device, DomainConfig } from '../xl-cfg/index.ts';
import { diskNumber } from './disk-number.ts';

/** A disk or a network card: what serves it, and where. */
export interface GuestDevice {
  readonly kind: 'vbd' | 'vif';
  /** As the configuration calls it: the name of a disk in the guest, the number of a card. */
  readonly name: string;
  /** libxl's number of it; undefined for a name that is none of a disk, and for a card that is to get the next number. */
  readonly devid: number | undefined;
  /** The domain that serves it, by name or number; dom0 where the configuration names none. */
  readonly backend: string | undefined;
  /** A kernel serves it, or QEMU does; or libxl knows nobody that could. */
  readonly server: 'kernel' | 'qemu' | 'nobody';
  /** What a disk is made of. */
  readonly target: string | undefined;
  /** The address of a card; undefined where libxl is to make one up. */
  readonly mac: string | undefined;
  /** A card that QEMU emulates as well. */
  readonly isEmulated: boolean;
}

/** A PCI device that the guest is to have. */
export interface GuestPciDevice {
  readonly sbdf: Sbdf;
  /** Instead of the address: the name that `pci-assignable-add` gave it. */
  readonly name: string | undefined;
  /** dom0's driver is taken off it when need be. */
  readonly isSeized: boolean;
}

/** Rights to what of the machine the configuration names by number. */
export interface GuestResources {
  readonly ports: readonly { readonly first: number; readonly count: number }[];
  readonly frames: readonly { readonly first: number; readonly count: number }[];
  readonly irqs: readonly number[];
}

/** What stands for the hardware of an HVM guest. */
export interface DeviceModelConfig {
  /** The stub domain that it runs in; undefined where it is a process of dom0. */
  readonly stub: { readonly memoryKib: number } | undefined;
  readonly version: 'qemu-xen' | 'qemu-xen-traditional';
  /** Memory of the display card, which is part of the guest's. */
  readonly videoKib: number;
}

/** All of it. */
export interface GuestHardware {
  readonly devices: readonly GuestDevice[];
  readonly pci: readonly GuestPciDevice[];
  /** The firmware of an HVM guest finds something to start: a disk, or a kernel that is given to it. */
  readonly canBoot: boolean;
  /** The IOMMU is to follow its memory. */
  readonly hasPassthrough: boolean;
  readonly resources: GuestResources;
  /** Only of an HVM guest. */
  readonly deviceModel: DeviceModelConfig | undefined;
  /** xenstore lets it serve devices of others. */
  readonly isDriverDomain: boolean;
  /** Keys of devices that are not rehearsed. */
  readonly passedOver: readonly string[];
}

/** A guest without any. */
export const NO_HARDWARE: GuestHardware = {
  devices: [],
  pci: [],
  hasPassthrough: false,
  canBoot: false,
  resources: { ports: [], frames: [], irqs: [] },
  deviceModel: undefined,
  isDriverDomain: false,
  passedOver: [],
};

function member({ members }: Device, name: string): unknown {
  return members.find(([key]) => key === name)?.[1];
}

function textMember(device: Device, name: string): string | undefined {
  const value = member(device, name);
  return typeof value === 'string' ? value : undefined;
}

function countMember(device: Device, name: string): number {
  const value = member(device, name);
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : 0;
}

/**
 * XEN: `libxl__device_disk_set_backend`: a raw block device is served by the kernel, all else by QEMU. A simulated host
 * has no files to look at, so what has its place in `/dev` is taken for a block device.
 */
export function diskOf(device: Device): GuestDevice {
  const path = textMember(device, 'pdev_path') ?? '';
  const backend = textMember(device, 'backend_domname');
  const format = textMember(device, 'format') ?? 'raw';
  const hasScript = textMember(device, 'script') !== undefined;
  const isCd = isCdrom(device);
  const wanted = textMember(device, 'backend');
  const isBlock = format === 'raw' && !isCd && (backend !== undefined || hasScript || path.startsWith('/dev/'));
  const isKernels = wanted === 'phy' || (wanted !== 'qdisk' && isBlock);
  const isNobodys =
    wanted === 'tap' || (format === 'empty' && (!isCd || path !== '')) || (isKernels ? format !== 'raw' : hasScript);
  const name = textMember(device, 'vdev') ?? path;
  const server = isNobodys ? 'nobody' : isKernels ? 'kernel' : 'qemu';
  return {
    kind: 'vbd',
    name,
    devid: diskNumber(name),
    backend,
    server,
    target: path,
    mac: undefined,
    isEmulated: false,
  };
}

/** Whether a disk is one of virtio, which has a frontend of its own. */
export function isVirtio(device: Device): boolean {
  return textMember(device, 'specification') === 'virtio' || textMember(device, 'backend') === 'standalone';
}

function isCdrom(device: Device): boolean {
  const flag = member(device, 'is_cdrom');
  return flag !== undefined && flag !== 0;
}

/** A network card; of a card that the configuration does not number, `devid` is undefined. */
export function vifOf(device: Device): GuestDevice {
  const number = member(device, 'devid');
  const devid = typeof number === 'number' ? number : undefined;
  const backend = textMember(device, 'backend_domname');
  const mac = textMember(device, 'mac');
  const isEmulated = member(device, 'nictype') === 'vif_ioemu';
  const name = String(devid ?? '');
  return { kind: 'vif', name, devid, backend, server: 'kernel', target: undefined, mac, isEmulated };
}

/** The devices of a PCI entry: one, or all functions of a slot, which the host will name. */
function pciOf(device: Device): GuestPciDevice {
  const [domain, bus, dev, func] = ['domain', 'bus', 'dev', 'func'].map((name) => countMember(device, name));
  const sbdf = (((domain ?? 0) << 16) | ((bus ?? 0) << 8) | ((dev ?? 0) << 3) | (func ?? 0)) >>> 0;
  return { sbdf, name: textMember(device, 'name'), isSeized: member(device, 'seize') === true };
}

type Members = DomainConfig['members'];

function numberAt(members: Members, path: string): number | undefined {
  const value = members.get(path);
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
}

/** KiB of display memory. XEN: by display card and device model. */
const VIDEO_KIB: Readonly<Record<DeviceModelConfig['version'], Readonly<Record<string, number>>>> = {
  'qemu-xen': { none: 0, std: 16 * 1024, cirrus: 8 * 1024, qxl: 128 * 1024 },
  'qemu-xen-traditional': { none: 0, std: 8 * 1024, cirrus: 4 * 1024, qxl: 0 },
};

/** XEN: `LIBXL_DEVICE_MODEL_VERSION_*`: traditional only where there is a stub domain and nothing else was said. */
function versionOf({ members }: DomainConfig, hasStub: boolean): DeviceModelConfig['version'] {
  const given = members.get('b_info.device_model_version');
  if (given === 'qemu_xen') return 'qemu-xen';
  return given === 'qemu_xen_traditional' || hasStub ? 'qemu-xen-traditional' : 'qemu-xen';
}

/** Memory of a stub domain with a Linux, and of one with MiniOS, in KiB. XEN: `LIBXL_*_STUBDOM_MEM`. */
const STUB_KIB = { 'qemu-xen': 128 * 1024, 'qemu-xen-traditional': 28 * 1024 } as const;

function deviceModelOf(config: DomainConfig): DeviceModelConfig {
  const { members } = config;
  const hasStub = config.hasStubdomain === true;
  const version = versionOf(config, hasStub);
  const card = members.get('b_info.type.hvm.vga.kind');
  const kind = typeof card === 'string' ? card : 'cirrus';
  return {
    stub: hasStub ? { memoryKib: numberAt(members, 'b_info.stubdomain_memkb') ?? STUB_KIB[version] } : undefined,
    version,
    videoKib: numberAt(members, 'b_info.video_memkb') ?? VIDEO_KIB[version][kind] ?? 0,
  };
}

/** Pairs of numbers of a list of ranges, as the reader of the configuration left them. */
function ranges(value: unknown, first: string): { readonly first: number; readonly count: number }[] {
  if (!Array.isArray(value)) return [];
  const items: readonly unknown[] = value;
  return items.flatMap((item) => {
    if (typeof item !== 'object' || item === null || !('members' in item)) return [];
    // It is an object of the printer's, whose members are pairs.
    const members = new Map((item as { readonly members: readonly (readonly [string, unknown])[] }).members);
    return [{ first: Number(members.get(first) ?? 0), count: Number(members.get('number') ?? 0) }];
  });
}

/** XEN: devices ask for it; the key `passthrough` can do so too. */
function hasPassthrough({ pciDevices, members }: DomainConfig): boolean {
  const mode = members.get('c_info.passthrough');
  return pciDevices.length > 0 || (mode !== undefined && mode !== 'default' && mode !== 'disabled');
}

/** Lists of devices that make checks of their own, which nobody has recorded. */
const PASSED_OVER = [
  ['vfb', 'frameBuffers'],
  ['vkb', 'keyboards'],
  ['vtpm', 'tpms'],
  ['p9', 'sharedFolders'],
  ['pvcalls', 'sockets'],
  ['channel', 'channels'],
  ['usbctrl', 'usbControllers'],
  ['usbdev', 'usbDevices'],
  ['dtdev', 'treeDevices'],
] as const;

/** What libxl takes from the configuration of xl. */
export function hardwareOf(config: DomainConfig): GuestHardware {
  const irqs: unknown = config.members.get('b_info.irqs');
  return {
    devices: [...config.disks.filter((disk) => !isVirtio(disk)).map(diskOf), ...config.vifs.map(vifOf)],
    pci: config.pciDevices.map(pciOf),
    hasPassthrough: hasPassthrough(config),
    canBoot: config.kernel !== undefined || config.disks.length > 0,
    resources: {
      ports: ranges(config.members.get('b_info.ioports'), 'first'),
      frames: ranges(config.members.get('b_info.iomem'), 'start'),
      irqs: Array.isArray(irqs) ? irqs.map(Number) : [],
    },
    deviceModel: config.guest === 'hvm' ? deviceModelOf(config) : undefined,
    isDriverDomain: config.isDriverDomain === true,
    passedOver: [
      ...PASSED_OVER.filter(([, list]) => config[list].length > 0).map(([key]) => key),
      ...['vdispl', 'vsnd'].filter((key) => config.rest.has(key)),
      ...(config.disks.some(isVirtio) ? ['disk (virtio)'] : []),
    ],
  };
}

/** What was stored. */
type Json = Readonly<Record<string, unknown>>;

const LIST_LIMIT = 1024;
const TEXT_LIMIT = 4096;

function objectOf(value: unknown): Json | undefined {
  // An object that is neither null nor a list has string keys.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && value.length <= TEXT_LIMIT);
}

/** Reads each entry of a list; undefined when one of them is none. */
export function readList<T>(value: unknown, read: (item: Json) => T | undefined): T[] | undefined {
  if (!Array.isArray(value) || value.length > LIST_LIMIT) return undefined;
  const items: readonly unknown[] = value;
  const found: T[] = [];
  for (const item of items) {
    const object = objectOf(item);
    const one = object === undefined ? undefined : read(object);
    if (one === undefined) return undefined;
    found.push(one);
  }
  return found;
}

/** Reads what was stored of one device; undefined when it is none. */
export function readDevice(json: Json): GuestDevice | undefined {
  const { kind, name, devid, backend, server, target, mac, isEmulated = false } = json;
  if (kind !== 'vbd' && kind !== 'vif') return undefined;
  if (server !== 'kernel' && server !== 'qemu' && server !== 'nobody') return undefined;
  if (typeof name !== 'string' || name.length > TEXT_LIMIT || !isOptionalText(backend)) return undefined;
  if (!isOptionalText(target) || !isOptionalText(mac) || (devid !== undefined && !isCount(devid))) return undefined;
  if (typeof isEmulated !== 'boolean') return undefined;
  // What an older version of Dewar saved has names only.
  const number = kind === 'vbd' ? diskNumber(name) : /^[0-9]{1,5}$/.test(name) ? Number(name) : undefined;
  return { kind, name, devid: devid ?? number, backend, server, target, mac, isEmulated };
}

function readPci({ sbdf, name, isSeized }: Json): GuestPciDevice | undefined {
  if (!isCount(sbdf) || !isOptionalText(name) || typeof isSeized !== 'boolean') return undefined;
  return { sbdf, name, isSeized };
}

function readRange({ first, count }: Json): { readonly first: number; readonly count: number } | undefined {
  return isCount(first) && isCount(count) ? { first, count } : undefined;
}

function readDeviceModel(value: unknown): DeviceModelConfig | 'none' | undefined {
  if (value === undefined) return 'none';
  const object = objectOf(value);
  if (object === undefined) return undefined;
  const { stub, version, videoKib } = object;
  if (version !== 'qemu-xen' && version !== 'qemu-xen-traditional') return undefined;
  if (!isCount(videoKib)) return undefined;
  if (stub === undefined) return { stub: undefined, version, videoKib };
  const memoryKib = objectOf(stub)?.['memoryKib'];
  return isCount(memoryKib) ? { stub: { memoryKib }, version, videoKib } : undefined;
}

/** Reads what was stored; undefined when it is something else. */
export function readHardware(value: unknown): GuestHardware | undefined {
  const object = objectOf(value);
  if (object === undefined) return undefined;
  const devices = readList(object['devices'], readDevice);
  const pci = readList(object['pci'], readPci);
  const resources = objectOf(object['resources']);
  const ports = readList(resources?.['ports'], readRange);
  const frames = readList(resources?.['frames'], readRange);
  const irqs: readonly unknown[] = Array.isArray(resources?.['irqs']) ? resources['irqs'] : [undefined];
  const deviceModel = readDeviceModel(object['deviceModel']);
  const { isDriverDomain, passedOver, hasPassthrough: passthrough, canBoot } = object;
  const keys: readonly unknown[] = Array.isArray(passedOver) ? passedOver : [undefined];
  if (keys.length > LIST_LIMIT || !keys.every((key) => typeof key === 'string' && key.length <= 32)) return undefined;
  if (devices === undefined || pci === undefined || ports === undefined || frames === undefined) return undefined;
  if (irqs.length > LIST_LIMIT || !irqs.every(isCount) || deviceModel === undefined) return undefined;
  if (typeof isDriverDomain !== 'boolean' || typeof passthrough !== 'boolean' || typeof canBoot !== 'boolean') {
    return undefined;
  }
  return {
    devices,
    pci,
    hasPassthrough: passthrough,
    canBoot,
    resources: { ports, frames, irqs },
    deviceModel: deviceModel === 'none' ? undefined : deviceModel,
    passedOver: keys.map(String),
    isDriverDomain,
  };
}
