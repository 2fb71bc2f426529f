/**
 * What the toolstack keeps outside of Xen: xenstore's entries of the guests, and what the two daemons have mapped.
 *
 * @module
 */
import type { Sbdf } from '../device-hypercalls.ts';
import type { Domid, MappingHandle, Port } from '../hypercalls.ts';
import { MapSlice, type PagedMap } from '../paged-map.ts';
import type { GuestConfig } from './guest-config.ts';
import type { GuestDevice } from './guest-devices.ts';

/** What is only looked at when something is done to the guest itself. */
export interface GuestDetails {
  /** The configuration that libxl stores once the guest is built; a guest that was not finished has none. */
  config: GuestConfig | undefined;
  /** The PV devices that xenstore has for it, in the order in which it got them. */
  devices: XenstoreDevice[];
}

/** What xenstore and libxl's own files say of a guest. */
export class GuestRecord implements GuestDetails {
  readonly domid: Domid;
  /** Removed when the guest is taken apart, even if Xen then keeps the domain. */
  name: string | undefined;
  readonly uuid: string;
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
  /** It can read nothing of what stands in xenstore for it: xenstored was not to look at it when that was written. */
  isShutOut: boolean;
  /** It comes from a save file: its kernel goes on instead of starting. */
  isRestored: boolean;
  /** xenstore has a request to stop for it that its kernel has not read: it is paused. */
  pendingStop: 'poweroff' | 'reboot' | undefined;
  /** Frames of its grant table. */
  grantFrames: number;
  /** The guest that this stub domain holds the device model of. */
  readonly target: Domid | undefined;
  /** A destroy was refused: the domain is there, and nothing speaks for it any more. */
  isGivenUp: boolean;
  readonly #details: PagedMap<Domid, GuestDetails>;

  /** The details are looked up when they are asked for. */
  constructor(fields: GuestFields, details: PagedMap<Domid, GuestDetails>) {
    this.domid = fields.domid;
    this.name = fields.name;
    this.uuid = fields.uuid;
    this.isWatched = fields.isWatched;
    this.targetKib = fields.targetKib;
    this.staticMaxKib = fields.staticMaxKib;
    this.availableVcpus = fields.availableVcpus;
    this.storePort = fields.storePort;
    this.consolePort = fields.consolePort;
    this.hasStarted = fields.hasStarted;
    this.isStuck = fields.isStuck;
    this.isShutOut = fields.isShutOut;
    this.isRestored = fields.isRestored;
    this.pendingStop = fields.pendingStop;
    this.grantFrames = fields.grantFrames;
    this.target = fields.target;
    this.isGivenUp = fields.isGivenUp;
    this.#details = details;
  }

  /** Its kernel has come so far, and can read what is written for it: while it runs, it answers. */
  get canAnswer(): boolean {
    return this.hasStarted && !this.isStuck && !this.isShutOut;
  }

  get config(): GuestConfig | undefined {
    return this.#own().config;
  }

  set config(config: GuestConfig | undefined) {
    this.#own().config = config;
  }

  get devices(): XenstoreDevice[] {
    return this.#own().devices;
  }

  set devices(devices: XenstoreDevice[]) {
    this.#own().devices = devices;
  }

  #own(): GuestDetails {
    const found = this.#details.get(this.domid);
    if (found !== undefined) return found;
    const none: GuestDetails = { config: undefined, devices: [] };
    this.#details.set(this.domid, none);
    return none;
  }
}

/** A guest without its details: what xenstore says of it, and what is known of its kernel. */
export type GuestFields = Omit<GuestRecord, keyof GuestDetails | 'canAnswer'>;

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
  /** Higher than that of all whom the daemon served before. */
  readonly since: number;
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
  /** Among those that serve the same domain, in the order in which they came. */
  readonly id: number;
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
  /** How many guests the daemons have come to serve. */
  attachments: number;
  readonly deviceModels: PagedMap<Domid, DeviceModel>;
  readonly backends: PagedMap<number, Backend>;
  readonly pci: Map<Sbdf, PciRecord>;
  readonly guests: PagedMap<Domid, GuestRecord>;
  readonly guestDetails: PagedMap<Domid, GuestDetails>;
  readonly xenstored: PagedMap<Domid, Attachment>;
  readonly xenconsoled: PagedMap<Domid, Attachment>;
}

/** Ids of backends for one domain. */
export const BACKENDS_OF_GUEST: number = 2 ** 32;

/** Those who serve devices for a domain. */
export function backendsFor({ backends }: ToolstackState, domid: Domid): Backend[] {
  const slice = new MapSlice(backends, domid, BACKENDS_OF_GUEST);
  return [...slice.values()].flatMap(({ id }) => slice.get(id) ?? []);
}

/** Enters one who serves a device. */
export function addBackend(state: ToolstackState, backend: Omit<Backend, 'id'>): Backend {
  const added = { id: (backendsFor(state, backend.domid).at(-1)?.id ?? -1) + 1, ...backend };
  state.backends.set(added.domid * BACKENDS_OF_GUEST + added.id, added);
  return added;
}

/** Strikes one out. */
export function dropBackend({ backends }: ToolstackState, { domid, id }: Readonly<Backend>): void {
  backends.delete(domid * BACKENDS_OF_GUEST + id);
}

/** Those whom a daemon serves, in the order in which they came, for callers who leave them as they are. */
export function byArrival(attachments: PagedMap<Domid, Attachment>): Readonly<Attachment>[] {
  return [...attachments.values()].sort((a, b) => a.since - b.since);
}

/** Enters a guest that has neither a configuration nor devices. */
export function addGuest({ guests, guestDetails }: ToolstackState, fields: GuestFields): void {
  guestDetails.set(fields.domid, { config: undefined, devices: [] });
  guests.set(fields.domid, new GuestRecord(fields, guestDetails));
}

/** Strikes a guest out. */
export function forgetGuest({ guests, guestDetails }: ToolstackState, domid: Domid): void {
  guests.delete(domid);
  guestDetails.delete(domid);
}
