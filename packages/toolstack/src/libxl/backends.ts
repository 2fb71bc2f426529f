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
import type { GuestDevice } from './guest-devices.ts';
import { listDomains, type Operation } from './operation.ts';
import type { Backend, GuestRecord } from './toolstack-state.ts';

/** Grants that a kernel of a guest makes come after those that libxc made. */
const FIRST_REF = 8;

/** Pages that a device shares: rings first, then one of its data. */
const SHAPES: Readonly<
  Record<Backend['kind'], { readonly rings: number; readonly data: number; readonly ports: number }>
> = {
  vbd: { rings: 1, data: 1, ports: 1 },
  // One ring and one channel for each direction.
  vif: { rings: 2, data: 0, ports: 2 },
  pci: { rings: 1, data: 0, ports: 1 },
  console: { rings: 1, data: 0, ports: 1 },
};

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
  return listDomains(operation).find((domain) => domain.name === name)?.domid;
}

/** Whether a domain can serve devices: dom0, or a guest whose kernel runs. */
export function canServe({ recorder, state }: Operation, domid: Domid): boolean {
  if (domid === DOM0) return true;
  const record = state.guests.get(domid);
  const isRunning = recorder.hypercalls.inspectDomain(domid)?.info.isRunning === true;
  return isRunning && record?.hasStarted === true && !record.isStuck;
}

/** The guest's side: pages granted, channels made; undefined where one was refused. */
function offer(
  operation: Operation,
  actor: Actor,
  { kind, backend }: Connection,
  firstRef: number,
): Port[] | undefined {
  const { recorder } = operation;
  const { rings, data, ports: channels } = SHAPES[kind];
  for (let i = 0; i < rings + data; i++) {
    recorder.hypercalls.call(actor, 'grant_table.grant', { ref: firstRef + i, frame: i + 1, to: backend });
  }
  const ports: Port[] = [];
  for (let i = 0; i < channels; i++) {
    const made = recorder.askAs(actor, 'event_channel_op.alloc_unbound', { domid: actor.domid, remote: backend });
    if (made.kind === 'error') return undefined;
    ports.push(made.value.port);
  }
  return ports;
}

/** The serving side. What it could map it keeps, whether or not the device then works. */
function serve(operation: Operation, backend: Backend, ports: readonly Port[], firstRef: number): boolean {
  const { recorder } = operation;
  const actor: Actor = { domid: backend.backend, process: backend.process };
  const { rings, data } = SHAPES[backend.kind];
  const map = (ref: number): boolean => {
    for (let i = 0; i < mapsPerPage(backend.process); i++) {
      const args = { granter: backend.domid, ref, isWritable: true };
      const mapped = recorder.askAs(actor, 'grant_table_op.map_grant_ref', args);
      if (mapped.kind === 'error') return false;
      backend.mappings.push(mapped.value.mapping);
    }
    return true;
  };
  for (let i = 0; i < rings; i++) if (!map(firstRef + i)) return false;
  for (const remotePort of ports) {
    const bound = recorder.askAs(actor, 'event_channel_op.bind_interdomain', { remote: backend.domid, remotePort });
    if (bound.kind === 'error') return false;
    backend.ports.push(bound.value.port);
  }
  for (let i = 0; i < data; i++) if (!map(firstRef + rings + i)) return false;
  return true;
}

/** Connects one device of a running guest; says so when it does not come to work. */
export function connect(operation: Operation, domid: Domid, connection: Connection, firstRef: number): boolean {
  const { recorder, state } = operation;
  const actor: Actor = { domid, process: 'guest kernel' };
  const { kind, name, backend } = connection;
  const server = backend === DOM0 ? 'dom0' : `domain ${backend}`;
  let isServed = false;
  let isDenied = false;
  recorder.step(`domain ${domid} connects ${kind} ${name} to ${server}`, connection.process, () => {
    const ports = offer(operation, actor, connection, firstRef);
    if (ports !== undefined && canServe(operation, backend)) {
      const record: Backend = { ...connection, domid, mappings: [], ports: [] };
      state.backends.push(record);
      isServed = serve(operation, record, ports, firstRef);
    }
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

function connectionOf(operation: Operation, { kind, name, backend, server }: GuestDevice): Connection | undefined {
  const domid = backend === undefined ? DOM0 : serverOf(operation, backend);
  if (domid === undefined) return undefined;
  return { kind, name, backend: domid, process: server === 'qemu' ? 'device model' : 'driver' };
}

/** xenstore has the number of the serving domain from the creation on, so nobody is asked. */
function serverOf({ state }: Operation, name: string): Domid | undefined {
  if (/^[0-9]{1,5}$/.test(name)) return Number(name) as Domid;
  return [...state.guests.values()].find((record) => record.name === name)?.domid;
}

/** Consoles of a stub domain beside the first: to save its state, and to read it. XEN: `STUBDOM_SPECIAL_CONSOLES`. */
const STUB_CONSOLES = ['1', '2'];

/** A guest's kernel has started: its devices connect. */
export function connectDevices(operation: Operation, record: GuestRecord): void {
  const { domid, devices, target } = record;
  const consoles = target === undefined ? [] : STUB_CONSOLES;
  const connections: (Connection | undefined)[] = [
    ...consoles.map((name) => ({ kind: 'console', name, backend: DOM0, process: 'device model' }) as const),
    ...devices.map((device) => connectionOf(operation, device)),
  ];
  let ref = FIRST_REF;
  for (const connection of connections) {
    if (connection === undefined) continue;
    connect(operation, domid, connection, ref);
    const { rings, data } = SHAPES[connection.kind];
    ref += rings + data;
  }
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
  if (backend.mappings.length === 0) state.backends.splice(state.backends.indexOf(backend), 1);
}

/** XEN: `libxl__devices_destroy`: all devices of a domain that ends. */
export function disconnectDevices(operation: Operation, domid: Domid): void {
  const { recorder, state } = operation;
  const own = state.backends.filter((backend) => backend.domid === domid && backend.ports.length > 0);
  if (own.length === 0) return;
  recorder.step(`the devices of domain ${domid} are disconnected`, 'driver', () => {
    for (const backend of own) disconnect(operation, backend);
    return own.some(({ mappings }) => mappings.length > 0) ? 'ignored-failure' : 'done';
  });
}

/** A domain is gone, and with it what it had mapped for others. */
export function forgetServer({ state }: Operation, domid: Domid): void {
  const left = state.backends.filter((one) => one.backend !== domid);
  state.backends.splice(0, state.backends.length, ...left);
}
