/**
 * What the toolstack keeps outside of Xen: xenstore's entries of the guests, and what the two daemons have mapped.
 *
 * @module
 */
import type { Sbdf } from '../device-hypercalls.ts';
import type { Domid, MappingHandle, Port } from '../hypercalls.ts';
import { type GuestConfig, readStoredConfig, storeConfig } from './guest-config.ts';
import { type GuestDevice, readDevice, readList } from './guest-devices.ts';

/** What xenstore and libxl's own files say of a guest. */
export interface GuestRecord {
  readonly domid: Domid;
  /** Removed when the guest is taken apart, even if Xen then keeps the domain. */
  name: string | undefined;
  readonly uuid: string;
  /** The configuration that libxl stores once the guest is built; a guest that was not finished has none. */
  config: GuestConfig | undefined;
  /** xl stays behind, to clean up when the guest ends and to build it anew when it reboots. */
  isWatched: boolean;
  /** What xenstore has for the guest to read: its memory, and how many of its vCPUs it is to use. */
  targetKib: number;
  staticMaxKib: number;
  availableVcpus: number;
  storePort: Port | undefined;
  consolePort: Port | undefined;
  /** Its kernel has run. */
  hasStarted: boolean;
  /** Its kernel was denied what it cannot do without: it answers nobody. */
  isStuck: boolean;
  /** It comes from a save file: its kernel goes on instead of starting. */
  isRestored: boolean;
  /** The PV devices that xenstore has for it, in the order in which it got them. */
  devices: XenstoreDevice[];
  /** xenstore has a request to stop for it that its kernel has not read: it is paused. */
  pendingStop?: 'poweroff' | 'reboot' | undefined;
  /** Frames of its grant table. */
  grantFrames: number;
  /** The guest that this stub domain holds the device model of. */
  readonly target: Domid | undefined;
  /** A destroy was refused: the domain is there, and nothing speaks for it any more. */
  isGivenUp: boolean;
}

/** A disk or a network card of a guest, as xenstore has it. */
export interface XenstoreDevice extends GuestDevice {
  readonly devid: number;
  readonly backendDomid: Domid;
  /** How far the guest's side is: 1 it waits to begin, 4 it works, 5 it is to end, 6 it has ended. Xen `XenbusState`. */
  frontend: 1 | 4 | 5 | 6;
}

/** A guest that a daemon serves: the ring that it has mapped, and its end of the event channel. */
export interface Attachment {
  readonly domid: Domid;
  mappings: MappingHandle[];
  port: Port | undefined;
  /** The daemon has told others that the guest stopped. */
  hasToldOfEnd: boolean;
}

/** QEMU, as long as it serves a domain: what it has mapped, and its ends of event channels. */
export interface DeviceModel {
  /** The domain that it serves, and the one that it runs in. */
  readonly domid: Domid;
  readonly model: Domid;
  /** Its ioreq server; a PV domain has none. */
  readonly server: number | undefined;
  /** How libxl reaches one in a stub domain: a page that the stub domain grants, and its port. */
  channel: { readonly port: Port; readonly ref: number } | undefined;
  readonly mappings: MappingHandle[];
  readonly ports: Port[];
}

/** A device that a domain serves for another: the rings that it has mapped, and its ends of event channels. */
export interface Backend {
  readonly domid: Domid;
  readonly backend: Domid;
  readonly kind: 'vbd' | 'vif' | 'pci' | 'console';
  readonly name: string;
  readonly process: 'driver' | 'device model';
  mappings: MappingHandle[];
  readonly ports: Port[];
  /** The guest's side: the first entry of its grant table that it uses, and its ports. */
  readonly firstRef: number;
  readonly guestPorts: readonly Port[];
}

/** A PCI device as libxl has it in xenstore. */
export interface PciRecord {
  readonly sbdf: Sbdf;
  /** dom0's pciback has it, so that it can be given to a guest. */
  isAssignable: boolean;
  /** The name that `pci-assignable-add` gave it. */
  name: string | undefined;
  /** The guest that it was given to. */
  domid: Domid | undefined;
  /** The slot in which that guest sees it. */
  slot: number;
  /** Guests that it was taken from, and that xenstore still has it with. */
  stale: Domid[];
}

/** All of it, for one host. */
export interface ToolstackState {
  /** The domain that xenstore runs in, where that is not dom0. */
  xenstoreDomid: Domid | undefined;
  /** Whether `xen-init-dom0` could not set up dom0 as the host booted: it has no name then, and the CPU pool has none. */
  isDom0Bare: boolean;
  readonly deviceModels: Map<Domid, DeviceModel>;
  readonly backends: Backend[];
  readonly pci: Map<Sbdf, PciRecord>;
  readonly guests: Map<Domid, GuestRecord>;
  readonly xenstored: Map<Domid, Attachment>;
  readonly xenconsoled: Map<Domid, Attachment>;
}

/** `ToolstackState` as JSON. */
export interface ToolstackSnapshot {
  readonly version: 1;
  readonly guests: readonly Readonly<Record<string, unknown>>[];
  readonly xenstored: readonly Readonly<Record<string, unknown>>[];
  readonly xenconsoled: readonly Readonly<Record<string, unknown>>[];
  readonly xenstoreDomid: number | undefined;
  readonly isDom0Bare?: true;
  readonly deviceModels: readonly Readonly<Record<string, unknown>>[];
  readonly backends: readonly Readonly<Record<string, unknown>>[];
  readonly pci: readonly Readonly<Record<string, unknown>>[];
}

/** The state of a host on which no guest was ever made. */
export function emptyToolstackState(): ToolstackState {
  return {
    guests: new Map(),
    xenstored: new Map(),
    xenconsoled: new Map(),
    xenstoreDomid: undefined,
    isDom0Bare: false,
    deviceModels: new Map(),
    backends: [],
    pci: new Map(),
  };
}

export function snapshotToolstack(state: ToolstackState): ToolstackSnapshot {
  const attachments = (map: ReadonlyMap<Domid, Attachment>): Record<string, unknown>[] =>
    [...map.values()].map((one) => ({ ...one, mappings: [...one.mappings] }));
  return {
    version: 1,
    guests: [...state.guests.values()].map(({ config, devices, ...rest }) => ({
      ...rest,
      devices: devices.map((device) => ({ ...device })),
      config: config === undefined ? undefined : storeConfig(config),
    })),
    xenstored: attachments(state.xenstored),
    xenconsoled: attachments(state.xenconsoled),
    xenstoreDomid: state.xenstoreDomid,
    ...(state.isDom0Bare ? { isDom0Bare: true } : {}),
    deviceModels: [...state.deviceModels.values()].map((one) => ({
      ...one,
      mappings: [...one.mappings],
      ports: [...one.ports],
    })),
    backends: state.backends.map((one) => ({
      ...one,
      mappings: [...one.mappings],
      ports: [...one.ports],
      guestPorts: [...one.guestPorts],
    })),
    pci: [...state.pci.values()].map((one) => ({ ...one, stale: [...one.stale] })),
  };
}

/** More guests than Xen has domain ids. */
const RECORD_LIMIT = 0x8000;

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function records(value: unknown): readonly Readonly<Record<string, unknown>>[] | undefined {
  if (!Array.isArray(value) || value.length > RECORD_LIMIT) return undefined;
  const items: readonly unknown[] = value;
  const found: Readonly<Record<string, unknown>>[] = [];
  for (const item of items) {
    if (typeof item !== 'object' || item === null) return undefined;
    // An object that is not null has string keys.
    found.push(item as Readonly<Record<string, unknown>>);
  }
  return found;
}

function readXenstoreDevice(record: Readonly<Record<string, unknown>>): XenstoreDevice | undefined {
  const device = readDevice(record);
  // What an older version of Dewar kept has no number of the serving domain, and no state.
  const { backendDomid = device?.backend === undefined ? 0 : undefined, frontend = 4 } = record;
  if (device?.devid === undefined || !isWhole(backendDomid)) return undefined;
  if (frontend !== 1 && frontend !== 4 && frontend !== 5 && frontend !== 6) return undefined;
  // As above.
  return { ...device, devid: device.devid, backendDomid: backendDomid as Domid, frontend };
}

function readGuest(record: Readonly<Record<string, unknown>>): GuestRecord | undefined {
  const { domid, name, uuid, storePort, consolePort, isGivenUp, hasStarted, isWatched } = record;
  const { targetKib, staticMaxKib, availableVcpus } = record;
  if (!isWhole(domid) || typeof uuid !== 'string' || uuid.length > 64 || typeof isGivenUp !== 'boolean') {
    return undefined;
  }
  if (typeof hasStarted !== 'boolean' || typeof isWatched !== 'boolean') return undefined;
  const { isStuck, isRestored, target, grantFrames = 1 } = record;
  if (!isWhole(grantFrames)) return undefined;
  const { pendingStop } = record;
  if (pendingStop !== undefined && pendingStop !== 'poweroff' && pendingStop !== 'reboot') return undefined;
  const devices = readList(record['devices'], readXenstoreDevice);
  if ((target !== undefined && !isWhole(target)) || devices === undefined) return undefined;
  if (typeof isStuck !== 'boolean' || typeof isRestored !== 'boolean') return undefined;
  if (!isWhole(targetKib) || !isWhole(staticMaxKib) || !isWhole(availableVcpus)) return undefined;
  const config = readStoredConfig(record['config']);
  if (record['config'] !== undefined && config === undefined) return undefined;
  if (name !== undefined && (typeof name !== 'string' || name.length > 4096)) return undefined;
  // A port that Xen refused is kept as libxl keeps it, as -1.
  if (storePort !== undefined && storePort !== -1 && !isWhole(storePort)) return undefined;
  if (consolePort !== undefined && consolePort !== -1 && !isWhole(consolePort)) return undefined;
  // The numbers were checked just now; only Xen can say what they stand for.
  return {
    domid: domid as Domid,
    name,
    uuid,
    config,
    isWatched,
    targetKib,
    staticMaxKib,
    availableVcpus,
    storePort: storePort as Port | undefined,
    consolePort: consolePort as Port | undefined,
    hasStarted,
    isStuck,
    isRestored,
    devices,
    pendingStop,
    grantFrames,
    target: target as Domid | undefined,
    isGivenUp,
  };
}

function readAttachment(record: Readonly<Record<string, unknown>>): Attachment | undefined {
  const { domid, mappings, port, hasToldOfEnd } = record;
  if (typeof hasToldOfEnd !== 'boolean') return undefined;
  if (!isWhole(domid) || !Array.isArray(mappings) || mappings.length > 16) return undefined;
  const handles: readonly unknown[] = mappings;
  if (!handles.every(isWhole) || (port !== undefined && !isWhole(port))) return undefined;
  // As above.
  return { domid: domid as Domid, mappings: handles as MappingHandle[], port: port as Port | undefined, hasToldOfEnd };
}

/** Handles or ports, as many as a device can have. */
function readNumbers<T extends number>(value: unknown): T[] | undefined {
  if (!Array.isArray(value) || value.length > NUMBERS_LIMIT) return undefined;
  const items: readonly unknown[] = value;
  // As above.
  return items.every(isWhole) ? (items as T[]) : undefined;
}

const NUMBERS_LIMIT = 8192;

function readChannel(value: unknown): DeviceModel['channel'] | 'bad' {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null) return 'bad';
  // As above.
  const { port, ref } = value as Readonly<Record<string, unknown>>;
  return isWhole(port) && isWhole(ref) ? { port: port as Port, ref } : 'bad';
}

function readDeviceModel(record: Readonly<Record<string, unknown>>): DeviceModel | undefined {
  const { domid, model, server } = record;
  const mappings = readNumbers<MappingHandle>(record['mappings']);
  const ports = readNumbers<Port>(record['ports']);
  if (!isWhole(domid) || !isWhole(model) || mappings === undefined || ports === undefined) return undefined;
  const channel = readChannel(record['channel']);
  if ((server !== undefined && !isWhole(server)) || channel === 'bad') return undefined;
  // As above.
  return { domid: domid as Domid, model: model as Domid, server, channel, mappings, ports };
}

function readBackend(record: Readonly<Record<string, unknown>>): Backend | undefined {
  const { domid, backend, kind, name, process } = record;
  const mappings = readNumbers<MappingHandle>(record['mappings']);
  const ports = readNumbers<Port>(record['ports']);
  // As above, and nothing of the guest's side.
  const { firstRef = 0 } = record;
  const guestPorts = readNumbers<Port>(record['guestPorts'] ?? []);
  if (!isWhole(domid) || !isWhole(backend) || mappings === undefined || ports === undefined) return undefined;
  if (!isWhole(firstRef) || guestPorts === undefined) return undefined;
  if (kind !== 'vbd' && kind !== 'vif' && kind !== 'pci' && kind !== 'console') return undefined;
  if (process !== 'driver' && process !== 'device model') return undefined;
  if (typeof name !== 'string' || name.length > 4096) return undefined;
  // As above.
  const domids = { domid: domid as Domid, backend: backend as Domid };
  return { ...domids, kind, name, process, mappings, ports, firstRef, guestPorts };
}

function readPci(record: Readonly<Record<string, unknown>>): PciRecord | undefined {
  const { sbdf, isAssignable, name, domid, slot } = record;
  const stale = readNumbers<Domid>(record['stale'] ?? []);
  if (!isWhole(sbdf) || typeof isAssignable !== 'boolean' || !isWhole(slot)) return undefined;
  if (name !== undefined && (typeof name !== 'string' || name.length > 64)) return undefined;
  if ((domid !== undefined && !isWhole(domid)) || stale === undefined) return undefined;
  // As above.
  return { sbdf, isAssignable, name, domid: domid as Domid | undefined, slot, stale };
}

function readAll<T extends { readonly domid: Domid }>(
  value: unknown,
  readOne: (record: Readonly<Record<string, unknown>>) => T | undefined,
): Map<Domid, T> | undefined {
  const list = records(value);
  if (list === undefined) return undefined;
  const map = new Map<Domid, T>();
  for (const record of list) {
    const one = readOne(record);
    if (one === undefined || map.has(one.domid)) return undefined;
    map.set(one.domid, one);
  }
  return map;
}

/** Reads a snapshot back; undefined when it is none. */
export function restoreToolstack(snapshot: unknown): ToolstackState | undefined {
  if (typeof snapshot !== 'object' || snapshot === null) return undefined;
  // As above.
  const { version, guests, xenstored, xenconsoled, xenstoreDomid, ...rest } = snapshot as Readonly<
    Record<string, unknown>
  >;
  const state = {
    guests: readAll(guests, readGuest),
    xenstored: readAll(xenstored, readAttachment),
    xenconsoled: readAll(xenconsoled, readAttachment),
    deviceModels: readAll(rest['deviceModels'], readDeviceModel),
    backends: readList(rest['backends'], readBackend),
    pci: readList(rest['pci'], readPci),
  };
  if (version !== 1 || state.guests === undefined) return undefined;
  if (state.xenstored === undefined || state.xenconsoled === undefined) return undefined;
  if (state.deviceModels === undefined || state.backends === undefined || state.pci === undefined) return undefined;
  if (xenstoreDomid !== undefined && !isWhole(xenstoreDomid)) return undefined;
  return {
    guests: state.guests,
    xenstored: state.xenstored,
    xenconsoled: state.xenconsoled,
    // As above.
    xenstoreDomid: xenstoreDomid as Domid | undefined,
    isDom0Bare: rest['isDom0Bare'] === true,
    deviceModels: state.deviceModels,
    backends: state.backends,
    pci: new Map(state.pci.map((one) => [one.sbdf, one])),
  };
}
