/**
 * PV devices: the guest grants pages and makes event channels, and the domain that serves the device maps and binds them.
 *
 * The serving domain is dom0, or a driver domain with a label of its own. Follows Xen `tools/libs/light/libxl_device.c`,
 * and what Linux 6.1 and QEMU 7.2 were seen to ask of Xen 4.17.5.
 *
 * @module
 */
import type { Actor, Domid, Port } from '../hypercalls.ts';
import { DOM0 } from './daemons.ts';
import { denialNotes, guest } from './diagnostics.ts';
import { domainNamed, lookAt, type Operation } from './operation.ts';
import {
  addBackend,
  type Backend,
  backendsFor,
  dropBackend,
  type GuestRecord,
  type XenstoreDevice,
} from './toolstack-state.ts';

/** Grants that a kernel of a guest makes come after those that libxc made. */
const FIRST_REF = 8;

/** What a device shares. */
interface Shape {
  /** Entries of the grant table that the guest sets aside, for pages that come and go. */
  readonly reserve: number;
  /** Pages that stay mapped: rings first, then one of its data. */
  readonly rings: number;
  readonly data: number;
  /** Event channels. */
  readonly ports: number;
}

const SHAPES: Readonly<Record<Backend['kind'], Shape>> = {
  vbd: { reserve: 0, rings: 1, data: 1, ports: 1 },
  // One ring and one channel for each direction. XEN: Linux `NET_TX_RING_SIZE` and `NET_RX_RING_SIZE`.
  vif: { reserve: 512, rings: 2, data: 0, ports: 2 },
  pci: { reserve: 0, rings: 1, data: 0, ports: 1 },
  console: { reserve: 0, rings: 1, data: 0, ports: 1 },
};

/** Entries of one frame of a grant table. */
const REFS_PER_FRAME = 512;

/** Pages of a guest that it grants are among its first ones. */
const GRANTED_FRAMES = 4096;

/** A program of dom0 maps a granted page twice: for the kernel and for itself. */
function mapsPerPage(process: Backend['process']): number {
  return process === 'device model' ? 2 : 1;
}

/** What one device is to be connected to. */
type Connection = Pick<Backend, 'kind' | 'name' | 'backend' | 'process'>;

/** The number of a domain that the configuration names; undefined when there is none. XEN: `libxl__resolve_domid`. */
export function resolveBackend(operation: Operation, name: string | undefined): Domid | undefined {
  if (name === undefined) return DOM0;
  // XEN: libxl_domain_qualifier_to_domid() takes digits as a number, and looks for no such domain.
  if (/^[0-9]{1,5}$/.test(name)) return Number(name) as Domid;
  return domainNamed(operation, name);
}

/** The same, from what xenstore has; nobody is asked. */
export function knownBackend({ state }: Operation, name: string | undefined): Domid | undefined {
  if (name === undefined) return DOM0;
  if (/^[0-9]{1,5}$/.test(name)) return Number(name) as Domid;
  return [...state.guests.values()].find((record) => record.name === name)?.domid;
}

/** Whether a domain can serve devices: dom0, or a guest whose kernel runs. */
export function canServe({ recorder, state }: Operation, domid: Domid): boolean {
  if (domid === DOM0) return true;
  const record = state.guests.get(domid);
  const isRunning = recorder.hypercalls.inspectDomain(domid)?.info.isRunning === true;
  return isRunning && record?.canAnswer === true;
}

/** What the guest offers. */
interface Offer {
  readonly firstRef: number;
  readonly ports: readonly Port[];
  /** Xen let it do all of it. */
  readonly isWhole: boolean;
}

/** How many entries of the grant table a device takes. */
function entriesOf({ reserve, rings, data }: Shape): number {
  return reserve + rings + data;
}

/** The entries that stand for pages: the last ones of a device. */
export function refsOf({ kind, firstRef }: Pick<Backend, 'kind' | 'firstRef'>): number[] {
  const { reserve, rings, data } = SHAPES[kind];
  return Array.from({ length: rings + data }, (_, index) => firstRef + reserve + index);
}

/** The first of some entries in a row that no device of the guest uses. */
function freeRef({ state }: Operation, domid: Domid, count: number): number {
  const taken = backendsFor(state, domid)
    .map(({ kind, firstRef }) => ({ first: firstRef, end: firstRef + entriesOf(SHAPES[kind]) }))
    .sort((one, other) => one.first - other.first);
  let ref = FIRST_REF;
  for (const { first, end } of taken) {
    if (ref + count <= first) break;
    ref = Math.max(ref, end);
  }
  return ref;
}

/** The guest's grant table grows until it has the entry. XEN: Linux `gnttab_expand`. False where Xen does not let it. */
function growGrants({ recorder, state }: Operation, actor: Actor, lastRef: number): boolean {
  const record = state.guests.get(actor.domid);
  if (record === undefined || lastRef < record.grantFrames * REFS_PER_FRAME) return true;
  const { domid } = actor;
  const names = ['grant_table_op.query_size', 'grant_table_op.setup_table', 'grant_table_op.query_size'] as const;
  if (!names.every((name) => recorder.askAs(actor, name, { domid }).kind === 'ok')) return false;
  record.grantFrames = Math.ceil((lastRef + 1) / REFS_PER_FRAME);
  return true;
}

/** The guest's side: pages granted, channels made. */
function offer(operation: Operation, actor: Actor, { kind, backend }: Connection): Offer {
  const { recorder } = operation;
  const shape = SHAPES[kind];
  const firstRef = freeRef(operation, actor.domid, entriesOf(shape));
  const ports: Port[] = [];
  if (!growGrants(operation, actor, firstRef + entriesOf(shape) - 1)) return { firstRef, ports, isWhole: false };
  for (const ref of refsOf({ kind, firstRef })) {
    recorder.hypercalls.call(actor, 'grant_table.grant', { ref, frame: ref % GRANTED_FRAMES, to: backend });
  }
  while (ports.length < shape.ports) {
    const made = recorder.askAs(actor, 'event_channel_op.alloc_unbound', { domid: actor.domid, remote: backend });
    if (made.kind === 'error') return { firstRef, ports, isWhole: false };
    ports.push(made.value.port);
  }
  return { firstRef, ports, isWhole: true };
}

/** The guest takes back what it offered. XEN: a page that is still mapped stays granted. */
function withdraw({ recorder }: Operation, actor: Actor, refs: readonly number[], ports: readonly Port[]): void {
  for (const port of ports) recorder.askAs(actor, 'event_channel_op.close', { port });
  for (const ref of refs) recorder.hypercalls.call(actor, 'grant_table.end', { ref });
}

/** The serving side. What it could map it keeps, whether or not the device then works. */
function serve(operation: Operation, backend: Backend): boolean {
  const { recorder } = operation;
  const actor: Actor = { domid: backend.backend, process: backend.process };
  const { rings } = SHAPES[backend.kind];
  const map = (ref: number): boolean => {
    for (let i = 0; i < mapsPerPage(backend.process); i++) {
      const args = { granter: backend.domid, ref, isWritable: true };
      const mapped = recorder.askAs(actor, 'grant_table_op.map_grant_ref', args);
      if (mapped.kind === 'error') return false;
      backend.mappings.push(mapped.value.mapping);
    }
    return true;
  };
  const refs = refsOf(backend);
  if (!refs.slice(0, rings).every(map)) return false;
  for (const remotePort of backend.guestPorts) {
    const bound = recorder.askAs(actor, 'event_channel_op.bind_interdomain', { remote: backend.domid, remotePort });
    if (bound.kind === 'error') return false;
    backend.ports.push(bound.value.port);
  }
  return refs.slice(rings).every(map);
}

/** Connects one device of a running guest; says so when it does not come to work. */
export function connect(operation: Operation, domid: Domid, connection: Connection): boolean {
  const { recorder, state } = operation;
  const actor: Actor = { domid, process: 'guest kernel' };
  const { kind, name, backend } = connection;
  const server = backend === DOM0 ? 'dom0' : `domain ${backend}`;
  let isServed = false;
  let isDenied = false;
  recorder.step(`domain ${domid} connects ${kind} ${name} to ${server}`, connection.process, () => {
    const { firstRef, ports, isWhole } = offer(operation, actor, connection);
    if (isWhole && canServe(operation, backend)) {
      const record = addBackend(state, { ...connection, domid, mappings: [], ports: [], firstRef, guestPorts: ports });
      isServed = serve(operation, record);
    } else withdraw(operation, actor, refsOf({ kind, firstRef }), ports);
    isDenied = recorder.refusal !== undefined;
    return isServed ? 'done' : 'ignored-failure';
  });
  if (isServed) return true;
  const check = isDenied ? recorder.refusal?.check : undefined;
  const notes =
    check === undefined ? [{ message: `${server} does not run, or its kernel does not answer` }] : denialNotes(check);
  const who = state.guests.get(domid)?.name ?? String(domid);
  operation.diagnostics.push(
    guest['device-not-served'](undefined, { guest: who, device: `${kind} ${name}` }, { notes }),
  );
  return false;
}

/** Consoles of a stub domain beside the first: to save its state, and to read it. XEN: `STUBDOM_SPECIAL_CONSOLES`. */
const STUB_CONSOLES = ['1', '2'];

/** A guest's kernel has started: its devices connect. */
export function connectDevices(operation: Operation, record: GuestRecord): void {
  const { domid, target } = record;
  const consoles = target === undefined ? [] : STUB_CONSOLES;
  for (const name of consoles) {
    connect(operation, domid, { kind: 'console', name, backend: DOM0, process: 'device model' });
  }
  connectWaiting(operation, record);
}

/** Devices that a guest was given while its kernel could not answer, or just now, connect. */
export function connectWaiting(operation: Operation, record: GuestRecord): void {
  if (!canServe(operation, record.domid)) return;
  for (const device of record.devices.filter(({ frontend }) => frontend === 1)) {
    const { kind, name, backendDomid: backend, server } = device;
    const process = server === 'qemu' ? 'device model' : 'driver';
    device.frontend = connect(operation, record.domid, { kind, name, backend, process }) ? 4 : 6;
  }
}

/** The backend of a device that is connected. */
export function backendOf({ state }: Operation, domid: Domid, device: XenstoreDevice): Backend | undefined {
  return backendsFor(state, domid).find((one) => one.kind === device.kind && one.name === device.name);
}

/** A guest lets go of a device, and so does who served it. In a step of the caller's. */
export function release(operation: Operation, backend: Backend): void {
  const { domid, guestPorts } = backend;
  const actor: Actor = { domid, process: 'guest kernel' };
  for (const port of guestPorts) operation.recorder.askAs(actor, 'event_channel_op.close', { port });
  disconnect(operation, backend);
  withdraw(operation, actor, refsOf(backend), []);
}

/** A device goes away: who served it closes its channels and gives the pages back. In a step of the caller's. */
export function disconnect(operation: Operation, backend: Backend): void {
  const { recorder, state } = operation;
  const actor: Actor = { domid: backend.backend, process: backend.process };
  for (const port of backend.ports.splice(0)) recorder.askAs(actor, 'event_channel_op.close', { port });
  backend.mappings = backend.mappings.filter(
    (mapping) => recorder.askAs(actor, 'grant_table_op.unmap_grant_ref', { mapping }).kind === 'error',
  );
  // XEN: what Xen does not take back stays mapped, though the device is gone.
  if (backend.mappings.length === 0) dropBackend(state, backend);
}

/** XEN: `libxl__devices_destroy`: all devices of a domain that ends; libxl looks at the domain for each. */
export function disconnectDevices(operation: Operation, record: GuestRecord): void {
  const { recorder, state } = operation;
  const { domid } = record;
  // An HVM guest has a keyboard too, which its device model serves.
  const looks = record.devices.length + (record.config?.type === 'hvm' ? 1 : 0);
  const own = backendsFor(state, domid).filter((backend) => backend.ports.length > 0);
  if (own.length + looks === 0) return;
  recorder.step(`the devices of domain ${domid} are disconnected`, 'driver', () => {
    for (let place = 0; place < Math.max(looks, own.length); place++) {
      if (place < looks) lookAt(operation, domid, true);
      const backend = own[place];
      if (backend !== undefined) disconnect(operation, backend);
    }
    return own.some(({ mappings }) => mappings.length > 0) ? 'ignored-failure' : 'done';
  });
}

/** A domain is gone, and with it what it had mapped for others. */
export function forgetServer({ state }: Operation, domid: Domid): void {
  for (const one of [...state.backends.values()]) if (one.backend === domid) dropBackend(state, one);
}
