/**
 * `ToolstackState` as JSON, and back. What is read is checked: it may be old, or broken.
 *
 * @module
 */
import type { Domid, MappingHandle, Port } from '../hypercalls.ts';
import { type KeptPage, KeptPageError, PagedMap, type RecordForm, readKeptPages } from '../paged-map.ts';
import { readStoredConfig, storeConfig } from './guest-config.ts';
import { readDevice, readList } from './guest-devices.ts';
import {
  type Attachment,
  BACKENDS_OF_GUEST,
  type Backend,
  type DeviceModel,
  type GuestDetails,
  type GuestFields,
  GuestRecord,
  type PciRecord,
  type ToolstackState,
  type XenstoreDevice,
} from './toolstack-state.ts';

/** `ToolstackState` as JSON. */
export interface ToolstackSnapshot {
  readonly version: 2;
  readonly tables: Readonly<Record<keyof Tables, readonly KeptPage[]>>;
  readonly attachments: number;
  readonly xenstoreDomid: number | undefined;
  readonly isDom0Bare?: true;
  readonly pci: readonly Readonly<Record<string, unknown>>[];
}

type Fields = Readonly<Record<string, unknown>>;

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readXenstoreDevice(record: Fields): XenstoreDevice | undefined {
  const device = readDevice(record);
  // What an older version of Dewar kept has no number of the serving domain, and no state.
  const { backendDomid = device?.backend === undefined ? 0 : undefined, frontend = 4 } = record;
  if (device?.devid === undefined || !isWhole(backendDomid)) return undefined;
  if (frontend !== 1 && frontend !== 4 && frontend !== 5 && frontend !== 6) return undefined;
  // As above.
  return { ...device, devid: device.devid, backendDomid: backendDomid as Domid, frontend };
}

/** What differs from one guest to the next in its order, and then what is otherwise than with most. */
function writeGuest(record: GuestRecord): unknown {
  const { name, uuid, targetKib, staticMaxKib, availableVcpus, storePort, consolePort } = record;
  const usual = [name ?? null, uuid, targetKib, staticMaxKib, availableVcpus, storePort ?? null, consolePort ?? null];
  const unusual = JSON.stringify({
    pendingStop: record.pendingStop,
    target: record.target,
    isWatched: record.isWatched ? undefined : false,
    hasStarted: record.hasStarted ? undefined : false,
    isStuck: record.isStuck || undefined,
    isShutOut: record.isShutOut || undefined,
    isRestored: record.isRestored || undefined,
    isGivenUp: record.isGivenUp || undefined,
    grantFrames: record.grantFrames === 1 ? undefined : record.grantFrames,
  });
  return unusual === '{}' ? usual : [...usual, JSON.parse(unusual)];
}

const NOTHING: Fields = {};

/** A port; one that Xen refused is kept as libxl keeps it, as -1. `null` where there is none. */
function isPort(value: unknown): value is number | null {
  return value === null || value === -1 || isWhole(value);
}

function readGuest(value: unknown, domid: Domid, details: PagedMap<Domid, GuestDetails>): GuestRecord | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: readonly unknown[] = value;
  const [name, uuid, targetKib, staticMaxKib, availableVcpus, storePort, consolePort, unusual = NOTHING] = items;
  if (typeof uuid !== 'string' || uuid.length > 64 || !isFields(unusual)) return undefined;
  if (name !== null && (typeof name !== 'string' || name.length > 4096)) return undefined;
  if (!isWhole(targetKib) || !isWhole(staticMaxKib) || !isWhole(availableVcpus)) return undefined;
  if (!isPort(storePort) || !isPort(consolePort)) return undefined;
  const { isGivenUp = false, hasStarted = true, isWatched = true, isStuck = false, isRestored = false } = unusual;
  const { target, grantFrames = 1, pendingStop, isShutOut = false } = unusual;
  if (typeof isGivenUp !== 'boolean' || typeof hasStarted !== 'boolean' || typeof isWatched !== 'boolean') {
    return undefined;
  }
  if (
    typeof isShutOut !== 'boolean' ||
    typeof isStuck !== 'boolean' ||
    typeof isRestored !== 'boolean' ||
    !isWhole(grantFrames)
  )
    return undefined;
  if (pendingStop !== undefined && pendingStop !== 'poweroff' && pendingStop !== 'reboot') return undefined;
  if (target !== undefined && !isWhole(target)) return undefined;
  const fields: GuestFields = {
    domid,
    name: name ?? undefined,
    uuid,
    isWatched,
    targetKib,
    staticMaxKib,
    availableVcpus,
    // The numbers were checked just now; only Xen can say what they stand for.
    storePort: (storePort ?? undefined) as Port | undefined,
    consolePort: (consolePort ?? undefined) as Port | undefined,
    hasStarted,
    isStuck,
    isShutOut,
    isRestored,
    pendingStop,
    grantFrames,
    target: target as Domid | undefined,
    isGivenUp,
  };
  return new GuestRecord(fields, details);
}

function writeDetails({ config, devices }: GuestDetails): Fields {
  return { devices, config: config === undefined ? undefined : storeConfig(config) };
}

function readDetails(value: unknown): GuestDetails | undefined {
  if (!isFields(value)) return undefined;
  const devices = readList(value['devices'], readXenstoreDevice);
  const config = readStoredConfig(value['config']);
  if (devices === undefined || (value['config'] !== undefined && config === undefined)) return undefined;
  return { config, devices };
}

function writeAttachment({ since, port, hasToldOfEnd, mappings }: Attachment): unknown {
  return [since, port ?? null, hasToldOfEnd, mappings];
}

function readAttachment(value: unknown, domid: Domid): Attachment | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: readonly unknown[] = value;
  const [since, port, hasToldOfEnd] = items;
  const mappings = readNumbers<MappingHandle>(items[3]);
  if (!isWhole(since) || typeof hasToldOfEnd !== 'boolean' || mappings === undefined) return undefined;
  if (port !== null && !isWhole(port)) return undefined;
  // As above.
  return { domid, since, mappings, port: port === null ? undefined : (port as Port), hasToldOfEnd };
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

function readDeviceModel(record: unknown): DeviceModel | undefined {
  if (!isFields(record)) return undefined;
  const { domid, model, server } = record;
  const mappings = readNumbers<MappingHandle>(record['mappings']);
  const ports = readNumbers<Port>(record['ports']);
  if (!isWhole(domid) || !isWhole(model) || mappings === undefined || ports === undefined) return undefined;
  const channel = readChannel(record['channel']);
  if ((server !== undefined && !isWhole(server)) || channel === 'bad') return undefined;
  // As above.
  return { domid: domid as Domid, model: model as Domid, server, channel, mappings, ports };
}

function readBackend(record: unknown): Backend | undefined {
  if (!isFields(record)) return undefined;
  const { id, domid, backend, kind, name, process } = record;
  const mappings = readNumbers<MappingHandle>(record['mappings']);
  const ports = readNumbers<Port>(record['ports']);
  // As above, and nothing of the guest's side.
  const { firstRef = 0 } = record;
  const guestPorts = readNumbers<Port>(record['guestPorts'] ?? []);
  if (!isWhole(domid) || !isWhole(backend) || mappings === undefined || ports === undefined) return undefined;
  if (!isWhole(firstRef) || guestPorts === undefined || !isWhole(id)) return undefined;
  if (kind !== 'vbd' && kind !== 'vif' && kind !== 'pci' && kind !== 'console') return undefined;
  if (process !== 'driver' && process !== 'device model') return undefined;
  if (typeof name !== 'string' || name.length > 4096) return undefined;
  // As above.
  const domids = { domid: domid as Domid, backend: backend as Domid };
  return { id, ...domids, kind, name, process, mappings, ports, firstRef, guestPorts };
}

function readPci(record: Fields): PciRecord | undefined {
  const { sbdf, isAssignable, name, domid, slot } = record;
  const stale = readNumbers<Domid>(record['stale'] ?? []);
  if (!isWhole(sbdf) || typeof isAssignable !== 'boolean' || !isWhole(slot)) return undefined;
  if (name !== undefined && (typeof name !== 'string' || name.length > 64)) return undefined;
  if ((domid !== undefined && !isWhole(domid)) || stale === undefined) return undefined;
  // As above.
  return { sbdf, isAssignable, name, domid: domid as Domid | undefined, slot, stale };
}

function asItIs<K extends number, V>(read: (value: unknown) => V | undefined): RecordForm<K, V> {
  return { read, write: (value) => value };
}

/** Domains whose backends share a page. */
const OWNERS_OF_PAGE = 16;

const BACKENDS: RecordForm<number, Backend> = {
  ...asItIs(readBackend),
  pageOf: (key) => Math.floor(key / (BACKENDS_OF_GUEST * OWNERS_OF_PAGE)),
};

type Tables = Pick<
  ToolstackState,
  'deviceModels' | 'backends' | 'guests' | 'guestDetails' | 'xenstored' | 'xenconsoled'
>;

/** The tables that were kept. Throws `KeptPageError`; records are looked at when they are asked for. */
function readTables(kept: Fields): Tables {
  const attachments: RecordForm<Domid, Attachment> = { read: readAttachment, write: writeAttachment };
  const guestDetails = new PagedMap<Domid, GuestDetails>(
    { read: readDetails, write: writeDetails },
    readKeptPages(kept['guestDetails']),
  );
  const guests: RecordForm<Domid, GuestRecord> = {
    read: (value, domid) => readGuest(value, domid, guestDetails),
    write: writeGuest,
  };
  return {
    guestDetails,
    guests: new PagedMap(guests, readKeptPages(kept['guests'])),
    xenstored: new PagedMap(attachments, readKeptPages(kept['xenstored'])),
    xenconsoled: new PagedMap(attachments, readKeptPages(kept['xenconsoled'])),
    deviceModels: new PagedMap(asItIs(readDeviceModel), readKeptPages(kept['deviceModels'])),
    backends: new PagedMap(BACKENDS, readKeptPages(kept['backends'])),
  };
}

/** The state of a host on which no guest was ever made. */
export function emptyToolstackState(): ToolstackState {
  return {
    ...readTables({}),
    attachments: 0,
    xenstoreDomid: undefined,
    isDom0Bare: false,
    pci: new Map(),
  };
}

/** The whole state, or with those pages of its tables alone that may have changed since they were read. */
export function snapshotToolstack(state: ToolstackState, which: 'all' | 'changed'): ToolstackSnapshot {
  const { xenstoreDomid, attachments } = state;
  return {
    version: 2,
    tables: {
      guests: state.guests.pages(which),
      guestDetails: state.guestDetails.pages(which),
      xenstored: state.xenstored.pages(which),
      xenconsoled: state.xenconsoled.pages(which),
      deviceModels: state.deviceModels.pages(which),
      backends: state.backends.pages(which),
    },
    attachments,
    xenstoreDomid,
    ...(state.isDom0Bare ? { isDom0Bare: true } : {}),
    pci: [...state.pci.values()].map((one) => ({ ...one, stale: [...one.stale] })),
  };
}

/** Reads a snapshot back; undefined when it is none. Records are looked at when they are asked for. */
export function restoreToolstack(snapshot: unknown): ToolstackState | undefined {
  if (!isFields(snapshot) || !isFields(snapshot['tables'])) return undefined;
  const { version, attachments, xenstoreDomid } = snapshot;
  const pci = readList(snapshot['pci'], readPci);
  if (version !== 2 || !isWhole(attachments) || pci === undefined) return undefined;
  if (xenstoreDomid !== undefined && !isWhole(xenstoreDomid)) return undefined;
  try {
    return {
      ...readTables(snapshot['tables']),
      attachments,
      // As above.
      xenstoreDomid: xenstoreDomid as Domid | undefined,
      isDom0Bare: snapshot['isDom0Bare'] === true,
      pci: new Map(pci.map((one) => [one.sbdf, one])),
    };
  } catch (error) {
    if (error instanceof KeptPageError) return undefined;
    throw error;
  }
}
