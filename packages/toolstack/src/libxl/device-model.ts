/**
 * QEMU: the device model of an HVM guest, in dom0 or in a stub domain, and the server of a PV guest's extra consoles.
 *
 * Follows Xen `tools/libs/light/libxl_dm.c`, `libxl__spawn_local_dm`, `libxl__destroy_device_model`, and what QEMU 7.2 was
 * seen to ask of Xen 4.17.5. XEN: `xen_hvm_init_pc`, `xen_ram_alloc` of QEMU.
 *
 * @module
 */

import type { TimelineStep } from '../host.ts';
import type { Actor, Domid, FrameRange, MappingHandle, Port } from '../hypercalls.ts';
import { firstFreeFrame } from './build-hvm.ts';
import { DOM0 } from './daemons.ts';
import type { GuestConfig } from './guest-config.ts';
import { lookAt, type Operation } from './operation.ts';
import type { AnyResult } from './recorder.ts';
import { logLibxl } from './said.ts';
import type { DeviceModel } from './toolstack-state.ts';

/** Pages of the option ROM of the display card. */
const ROM_PAGES = 16;

/** The ioreq pages: a buffered one, and one for all vCPUs. */
const IOREQ_PAGES = 2;

/** What QEMU touches of a running guest, in pieces of its cache of mappings: the memory that firmware works in. */
const CACHED: readonly FrameRange[] = [
  { first: 0, count: 0xa0 },
  { first: 0xc0, count: 0x40 },
];

/** What a device model needs to know of its guest. */
export interface ModelPlan {
  readonly domid: Domid;
  /** Memory of the guest, without that of the display. */
  readonly ramPages: number;
  readonly videoPages: number;
  /** The guest comes from elsewhere, and the display with it. */
  readonly isIncoming: boolean;
}

const KIB_PER_PAGE = 4;

/** What its device model needs to know of an HVM guest. */
export function modelPlanOf({ memoryKib, hardware }: GuestConfig, domid: Domid, isIncoming = false): ModelPlan {
  const videoPages = Math.floor((hardware.deviceModel?.videoKib ?? 0) / KIB_PER_PAGE);
  return { domid, ramPages: Math.floor(memoryKib / KIB_PER_PAGE) - videoPages, videoPages, isIncoming };
}

/** Makes the requests of one device model, up to the first that fails. */
class ModelActs {
  readonly #operation: Operation;
  readonly #actor: Actor;
  readonly #domid: Domid;
  readonly mappings: MappingHandle[] = [];
  readonly ports: Port[] = [];
  server: number | undefined;

  constructor(operation: Operation, actor: Actor, domid: Domid) {
    this.#operation = operation;
    this.#actor = actor;
    this.#domid = domid;
  }

  map(frames: FrameRange): boolean {
    const { recorder } = this.#operation;
    const args = { domid: this.#domid, frames, isWritable: true };
    const mapped = recorder.askAs(this.#actor, 'mmu_update.map_foreign', args);
    if (mapped.kind === 'ok') this.mappings.push(mapped.value.mapping);
    return mapped.kind === 'ok';
  }

  give(frames: FrameRange): boolean {
    const { recorder } = this.#operation;
    const domid = this.#domid;
    const given = recorder.askAs(this.#actor, 'memory_op.populate_physmap', { domid, frames });
    const isWhole = given.kind === 'ok' && given.value.pagesDone === frames.count;
    if (!isWhole) recorder.explain('memory_op.populate_physmap', 'ENOMEM', 'Xen has no more pages for the domain');
    return isWhole;
  }

  /** Has itself told of what the guest does with devices. */
  listen(): boolean {
    const { recorder } = this.#operation;
    const actor = this.#actor;
    const domid = this.#domid;
    const made = recorder.askAs(actor, 'dm_op.create_ioreq_server', { domid });
    if (made.kind === 'error') return false;
    const { server } = made.value;
    this.server = server;
    const pages = recorder.askAs(actor, 'memory_op.acquire_resource', { domid, resource: 'ioreq_server' });
    if (pages.kind === 'error' || !this.map({ first: pages.value.frame, count: IOREQ_PAGES })) return false;
    const info = recorder.askAs(actor, 'dm_op.get_ioreq_server_info', { domid, server });
    const enabled = recorder.askAs(actor, 'dm_op.set_ioreq_server_state', { domid, server, isEnabled: true });
    if (info.kind === 'error' || enabled.kind === 'error') return false;
    for (const remotePort of info.value.ports) {
      const bound = recorder.askAs(actor, 'event_channel_op.bind_interdomain', { remote: domid, remotePort });
      if (bound.kind === 'error') return false;
      this.ports.push(bound.value.port);
    }
    const acts: readonly (() => AnyResult)[] = [
      () => recorder.askAs(actor, 'dm_op.map_io_range_to_ioreq_server', { domid, server }),
      () => recorder.askAs(actor, 'dm_op.set_pci_link_route', { domid }),
      () => recorder.askAs(actor, 'dm_op.set_isa_irq_level', { domid }),
    ];
    return acts.every((act) => act().kind === 'ok');
  }

  /** Makes the display and its option ROM, or takes those that came with the guest. */
  draw({ ramPages, videoPages, isIncoming }: ModelPlan): boolean {
    const { recorder } = this.#operation;
    const domid = this.#domid;
    const video = { first: firstFreeFrame(ramPages), count: videoPages };
    const rom = { first: video.first + video.count, count: ROM_PAGES };
    if (videoPages > 0 && isIncoming) return this.#takeOver(video, rom);
    if (videoPages > 0) {
      if (!this.give(video) || !this.map(video)) return false;
      if (recorder.askAs(this.#actor, 'dm_op.track_dirty_vram', { domid }).kind === 'error') return false;
      if (!this.give(rom) || !this.map(rom)) return false;
    }
    return recorder.askAs(this.#actor, 'dm_op.modified_memory', { domid }).kind === 'ok';
  }

  /** XEN: `xen_ram_alloc` of QEMU, to which all memory is there; and `xen_replace_cache_entry`, once its state is read. */
  #takeOver(video: FrameRange, rom: FrameRange): boolean {
    const { recorder } = this.#operation;
    const actor = this.#actor;
    const domid = this.#domid;
    if (!this.map(video)) return false;
    const early = this.mappings.at(-1);
    if (recorder.askAs(actor, 'dm_op.track_dirty_vram', { domid }).kind === 'error' || !this.map(rom)) return false;
    if (recorder.askAs(actor, 'dm_op.set_isa_irq_level', { domid }).kind === 'error' || !this.map(video)) return false;
    if (early !== undefined) {
      this.mappings.splice(this.mappings.indexOf(early), 1);
      recorder.askAs(actor, 'mmu_update.unmap_foreign', { mapping: early });
    }
    return recorder.askAs(actor, 'dm_op.modified_memory', { domid }).kind === 'ok';
  }
}

/** Starts the device model of an HVM guest. What it maps it keeps. */
export function startDeviceModel(
  operation: Operation,
  plan: ModelPlan,
  model: Domid,
  channel?: DeviceModel['channel'],
): TimelineStep['outcome'] {
  const { recorder, state } = operation;
  const { domid } = plan;
  const place = model === DOM0 ? 'in dom0' : `in domain ${model}`;
  return recorder.step(`the device model of domain ${domid}, ${place}, starts`, 'device model', () => {
    const acts = new ModelActs(operation, { domid: model, process: 'device model' }, domid);
    const isDone = acts.listen() && acts.draw(plan);
    const { mappings, ports, server } = acts;
    const record: DeviceModel = { domid, model, server, channel, mappings, ports };
    if (isDone) {
      state.deviceModels.set(domid, record);
      return 'done';
    }
    const { refusal } = recorder;
    release(operation, record);
    recorder.blame(refusal);
    return 'failed';
  });
}

/** QEMU in dom0 for a PV domain: it serves the consoles that xenconsoled cannot. */
export function serveConsole(
  operation: Operation,
  domid: Domid,
  console: { readonly frame: number; readonly port: Port },
): TimelineStep['outcome'] {
  const { recorder, state } = operation;
  return recorder.step(`QEMU in dom0 serves the console of domain ${domid}`, 'device model', () => {
    const frames = { first: console.frame, count: 1 };
    const mapped = recorder.ask('device model', 'mmu_update.map_foreign', { domid, frames, isWritable: true });
    if (mapped.kind === 'error') return 'ignored-failure';
    const record: DeviceModel = {
      domid,
      model: DOM0,
      server: undefined,
      channel: undefined,
      mappings: [mapped.value.mapping],
      ports: [],
    };
    state.deviceModels.set(domid, record);
    const args = { remote: domid, remotePort: console.port };
    const bound = recorder.ask('device model', 'event_channel_op.bind_interdomain', args);
    // XEN: QEMU goes on without the console; what the stub domain writes there is lost.
    if (bound.kind === 'error') return 'ignored-failure';
    record.ports.push(bound.value.port);
    return 'done';
  });
}

/** A device model ends: its channels are closed, its pages given back, its server taken down. */
function release(operation: Operation, record: DeviceModel): void {
  const { recorder } = operation;
  const { domid, model, server } = record;
  const actor: Actor = { domid: model, process: 'device model' };
  if (server !== undefined) {
    recorder.askAs(actor, 'dm_op.set_ioreq_server_state', { domid, server, isEnabled: false });
    recorder.askAs(actor, 'dm_op.destroy_ioreq_server', { domid, server });
  }
  for (const port of record.ports.splice(0)) recorder.askAs(actor, 'event_channel_op.close', { port });
  for (const mapping of record.mappings.splice(0)) recorder.askAs(actor, 'mmu_update.unmap_foreign', { mapping });
}

/** XEN: `libxl__destroy_device_model`, for one in dom0; makes its requests in a step of the caller's. */
export function stopDeviceModel(operation: Operation, domid: Domid): void {
  const { state } = operation;
  const record = state.deviceModels.get(domid);
  if (record === undefined) return;
  // One in a stub domain ends with that.
  if (record.model === DOM0) release(operation, record);
  state.deviceModels.delete(domid);
}

/** While the firmware starts, its device model moves interrupt lines to where it wants them. */
export function routeInterrupts({ recorder, state }: Operation, domid: Domid): AnyResult[] {
  const record = state.deviceModels.get(domid);
  if (record?.server === undefined) return [];
  return [recorder.askAs({ domid: record.model, process: 'device model' }, 'dm_op.set_pci_link_route', { domid })];
}

/** When the firmware looks for something to start, its device model works on memory for it, and keeps that mapped. */
export function emulateDevices({ recorder, state }: Operation, domid: Domid): AnyResult[] {
  const record = state.deviceModels.get(domid);
  if (record?.server === undefined) return [];
  const actor: Actor = { domid: record.model, process: 'device model' };
  const results: AnyResult[] = [recorder.askAs(actor, 'dm_op.set_isa_irq_level', { domid })];
  for (const frames of CACHED) {
    const mapped = recorder.askAs(actor, 'mmu_update.map_foreign', { domid, frames, isWritable: true });
    if (mapped.kind === 'ok') record.mappings.push(mapped.value.mapping);
    results.push(mapped, recorder.askAs(actor, 'dm_op.set_isa_irq_level', { domid }));
  }
  return results;
}

/** A channel to a device model that libxl has opened, and what closes it. */
export interface ModelChannel {
  close(): void;
}

/**
 * Tells the device model of something, in a step of the caller's; undefined where it cannot be reached. One in a stub
 * domain is reached through a page and a channel between the two domains.
 *
 * XEN: `libxl__ev_qmp_send`, which takes the lock of the domain first, and `vchan-socket-proxy`.
 */
export function talkToModel(operation: Operation, domid: Domid): ModelChannel | undefined {
  const { recorder, state } = operation;
  lookAt(operation, domid, true);
  lookAt(operation, domid, false);
  const record = state.deviceModels.get(domid);
  const closed: ModelChannel = { close: () => {} };
  if (record === undefined || record.model === DOM0) return closed;
  const { model, channel } = record;
  if (channel === undefined) return undefined;
  const bound = recorder.ask('libxl', 'event_channel_op.bind_interdomain', { remote: model, remotePort: channel.port });
  if (bound.kind === 'error') return undefined;
  const { port } = bound.value;
  const mappings: MappingHandle[] = [];
  const close = (): void => {
    for (const mapping of mappings) recorder.ask('libxl', 'grant_table_op.unmap_grant_ref', { mapping });
    recorder.ask('libxl', 'event_channel_op.close', { port });
  };
  // A program of dom0 maps a granted page twice: for the kernel and for itself.
  for (let i = 0; i < 2; i++) {
    const args = { granter: model, ref: channel.ref, isWritable: true };
    const mapped = recorder.ask('libxl', 'grant_table_op.map_grant_ref', args);
    if (mapped.kind === 'ok') mappings.push(mapped.value.mapping);
  }
  if (mappings.length === 2) return { close };
  close();
  return undefined;
}

/** The stub domain's end of that channel. In a step of the caller's. */
export function offerChannel({ recorder }: Operation, stub: Domid): DeviceModel['channel'] {
  const actor: Actor = { domid: stub, process: 'guest kernel' };
  recorder.hypercalls.call(actor, 'grant_table.grant', { ref: CHANNEL_REF, frame: 1, to: DOM0 });
  const made = recorder.askAs(actor, 'event_channel_op.alloc_unbound', { domid: stub, remote: DOM0 });
  return made.kind === 'ok' ? { port: made.value.port, ref: CHANNEL_REF } : undefined;
}

/** Of the stub domain's grants, the one for libxl. */
const CHANNEL_REF = 400;

/** XEN: `device_model_spawn_outcome`, and what `domcreate_devmodel_started` says then. */
export function logDeviceModelFailed(operation: Operation, domid: Domid, isLocal: boolean): void {
  if (isLocal) {
    const failed = `Domain ${domid}:domain ${domid} device model: spawn failed (rc=-3)`;
    logLibxl(operation, 'libxl_dm.c:3161:device_model_spawn_outcome', failed);
    const late = `Domain ${domid}:Post DM startup configs failed, rc=-3`;
    logLibxl(operation, 'libxl_dm.c:3381:device_model_postconfig_done', late);
  }
  const words = `Domain ${domid}:device model did not start: -3`;
  logLibxl(operation, 'libxl_create.c:1896:domcreate_devmodel_started', words);
}
