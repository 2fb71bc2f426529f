/**
 * `xl restore`: a new domain, built under the first label, filled from what was saved, and relabelled at the end.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`, `domcreate_bootloader_done`, and
 * `tools/libs/guest/xg_sr_restore{,_x86_pv,_x86_hvm}.c`.
 *
 * @module
 */
import type { OperationReport, RestoreOptions, SavedGuest, TimelineStep } from '../host.ts';
import type { Domid, FrameRange, HvmParam } from '../hypercalls.ts';
import {
  allocatePorts,
  type BuildOutcome,
  type BuildPlan,
  type GuestBuilder,
  type GuestPorts,
  prepare,
  seedGrants,
  setScheduler,
  stoppedAt,
} from './build-guest.ts';
import { setHvmPlatform } from './build-hvm.ts';
import { SPECIAL_FRAMES, setPvPlatform } from './build-pv.ts';
import { PVH_RINGS, pvhFrames, setPvhPlatform } from './build-pvh.ts';
import { constructGuest } from './construct.ts';
import { faultOf, startBuilt } from './create.ts';
import { checkLabelsInEffect } from './create-labels.ts';
import { guest } from './diagnostics.ts';
import { type GuestConfig, guestConfigOf, readStoredConfig, storeConfig } from './guest-config.ts';
import { hvmGuestFrames } from './guest-frames.ts';
import { finalState, type Operation, report, startXl } from './operation.ts';
import { type AnyResult, inOrder } from './recorder.ts';
import { piecesOf } from './run-state.ts';
import { BATCH_PAGES, type GuestState, HELPER, SAVED_PARAMS } from './save.ts';

const PAGE_LIMIT = 2 ** 32;
const VCPU_LIMIT = 8192;

/** Where the content of a guest comes from, as its new domain is ready for it. */
export interface GuestSource {
  readonly pages: number;
  /** Brings the memory; false where it cannot. */
  readonly bringMemory: () => boolean;
  /** Brings what is left, after which the guest no longer runs where it came from; undefined where it cannot. */
  readonly bringState: () => GuestState | undefined;
}

/** What a guest is filled with. */
interface Content extends GuestState {
  readonly pages: number;
}

/** A save file that was read. */
interface Image extends Content {
  readonly config: GuestConfig;
}

function isWhole(value: unknown, limit: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < limit;
}

/** Reads what `save` wrote; a text says what is wrong with it. */
function readSaved(saved: unknown): Image | string {
  if (typeof saved !== 'object' || saved === null) return 'it is not written by `dewar save`';
  // An object that is not null has string keys; each is looked at below.
  const { format, version, config, pages, onlineVcpus, hvmParams } = saved as Readonly<
    Partial<Record<keyof SavedGuest, unknown>>
  >;
  if (format !== 'dewar-saved-guest') return 'it is not written by `dewar save`';
  if (version !== 1) return 'it is written by another version of Dewar';
  const read = readStoredConfig(config);
  if (read === undefined) return 'its configuration cannot be read';
  const vcpus: readonly unknown[] = Array.isArray(onlineVcpus) && onlineVcpus.length <= VCPU_LIMIT ? onlineVcpus : [];
  if (!isWhole(pages, PAGE_LIMIT) || vcpus.length === 0) return 'its memory or its vCPUs are not whole';
  if (!vcpus.every((vcpu) => isWhole(vcpu, read.maxVcpus))) return 'its memory or its vCPUs are not whole';
  const params = read.type === 'pv' ? new Map<HvmParam, number>() : readParams(hvmParams);
  if (params === undefined) return 'the parameters of its HVM container are not whole';
  return { config: read, pages, onlineVcpus: vcpus.filter((vcpu) => isWhole(vcpu, VCPU_LIMIT)), hvmParams: params };
}

/** The parameters of a saved container. A file of an older Dewar has none: there they are those of a new container. */
function readParams(value: unknown): Map<HvmParam, number> | undefined {
  const given = value ?? PVH_RINGS;
  if (typeof given !== 'object') return undefined;
  const params = new Map<HvmParam, number>();
  for (const [name, number] of Object.entries(given)) {
    const param = SAVED_PARAMS.find((one) => one === name);
    if (param === undefined || !isWhole(number, Number.MAX_SAFE_INTEGER)) return undefined;
    if (number !== 0) params.set(param, number);
  }
  return params;
}

/** XEN: `x86_pv_static_data_complete`, `x86_hvm_setup`: the kind of guest, and its CPU policy. */
function setUp(operation: Operation, domid: Domid, isHvm: boolean): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper prepares the guest', HELPER, () => {
    if (recorder.ask(HELPER, 'domctl.getdomaininfo', { domid }).kind === 'error') return 'failed';
    if (recorder.ask(HELPER, 'memory_op.maximum_gpfn', { domid }).kind === 'error') return 'failed';
    const layout: readonly (() => AnyResult)[] = [
      () => recorder.ask(HELPER, 'domctl.get_address_size', { domid }),
      () => recorder.ask(HELPER, 'mmu_update.map_machphys', {}),
    ];
    return inOrder([...(isHvm ? [] : layout), () => recorder.ask(HELPER, 'domctl.set_cpu_policy', { domid })]);
  });
}

/** XEN: `populate_pfns`, `process_page_data`. */
function fillMemory(operation: Operation, domid: Domid, ranges: readonly FrameRange[]): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper fills the memory of the guest', HELPER, () => {
    for (const frames of ranges.flatMap((range) => piecesOf(range, BATCH_PAGES))) {
      const given = recorder.ask(HELPER, 'memory_op.populate_physmap', { domid, frames });
      if (given.kind === 'error' || given.value.pagesDone < frames.count) {
        recorder.explain('memory_op.populate_physmap', 'ENOMEM', 'Xen has no more pages for the domain');
        return 'failed';
      }
      const mapped = recorder.ask(HELPER, 'mmu_update.map_foreign', { domid, frames, isWritable: true });
      if (mapped.kind === 'error') return 'failed';
      recorder.ask(HELPER, 'mmu_update.unmap_foreign', { mapping: mapped.value.mapping });
    }
    return 'done';
  });
}

/** XEN: `update_vcpu_context`, `pin_pagetables`, `update_guest_p2m`. */
function completePv(operation: Operation, domid: Domid, { pages, onlineVcpus }: Content): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper gives the guest its time, its vCPUs and its page tables', HELPER, () => {
    const vcpus = onlineVcpus.flatMap((vcpu): (() => AnyResult)[] => [
      () => recorder.ask(HELPER, 'domctl.setvcpucontext', { domid, vcpu }),
      () => recorder.ask(HELPER, 'domctl.set_ext_vcpucontext', { domid, vcpu }),
      () => recorder.ask(HELPER, 'domctl.setvcpuextstate', { domid, vcpu }),
      () => recorder.ask(HELPER, 'domctl.set_vcpu_msrs', { domid, vcpu }),
    ]);
    return inOrder([
      () => recorder.ask(HELPER, 'domctl.settscinfo', { domid }),
      ...vcpus,
      () => recorder.ask(HELPER, 'mmuext_op.pin_table', { domid, frame: SPECIAL_FRAMES.pageTable }),
      () => recorder.ask(HELPER, 'mmu_update.machphys_update', { domid, frames: { first: 0, count: pages } }),
    ]);
  });
}

/** Pages that begin anew with the domain. XEN: `xc_clear_domain_page` in `handle_hvm_params`. */
const CLEARED: ReadonlySet<HvmParam> = new Set(['STORE_PFN', 'CONSOLE_PFN', 'IOREQ_PFN', 'BUFIOREQ_PFN'] as const);

/** XEN: `handle_hvm_params`, `x86_hvm_stream_complete`. */
function completeHvm(
  operation: Operation,
  domid: Domid,
  ports: GuestPorts,
  { onlineVcpus, hvmParams }: Content,
): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper gives the guest its time, its parameters and its vCPUs', HELPER, () => {
    const params = [...hvmParams].map(([param, value]) => (): AnyResult => {
      // XEN: whether a page could be cleared is not looked at.
      if (CLEARED.has(param)) clearPage(operation, domid, value);
      return recorder.ask(HELPER, 'hvm_op.set_param', { domid, param, value });
    });
    const [vcpu, ...others] = onlineVcpus;
    return inOrder([
      () => recorder.ask(HELPER, 'domctl.settscinfo', { domid }),
      ...params,
      () => recorder.ask(HELPER, 'hvm_op.set_param', { domid, param: 'STORE_EVTCHN', value: ports.store }),
      () => recorder.ask(HELPER, 'hvm_op.set_param', { domid, param: 'CONSOLE_EVTCHN', value: ports.console }),
      ...(vcpu === undefined
        ? []
        : [() => recorder.ask(HELPER, 'domctl.sethvmcontext', { domid, vcpu, others, record: 'CPU' })]),
    ]);
  });
}

function clearPage({ recorder }: Operation, domid: Domid, first: number): void {
  const args = { domid, frames: { first, count: 1 }, isWritable: true };
  const mapped = recorder.ask(HELPER, 'mmu_update.map_foreign', args);
  if (mapped.kind === 'ok') recorder.ask(HELPER, 'mmu_update.unmap_foreign', { mapping: mapped.value.mapping });
}

/** Where the memory of a guest goes that was so large where it comes from. */
function framesFor({ type, pages: ownPages, videoPages }: BuildPlan, pages: number): readonly FrameRange[] {
  switch (type) {
    case 'pv':
      return [{ first: 0, count: pages }];
    case 'pvh':
      return pvhFrames(pages);
    case 'hvm':
      return hvmGuestFrames(ownPages - videoPages, pages);
  }
}

/** How the domain is set up before its memory comes. */
function setPlatform(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  switch (plan.type) {
    case 'pv':
      return setPvPlatform(operation, plan);
    case 'pvh':
      return setPvhPlatform(operation, plan);
    case 'hvm':
      return setHvmPlatform(operation, plan);
  }
}

/** Fills a domain with a guest that comes from elsewhere, in the place of a build from nothing. */
export function builderFrom(source: GuestSource): GuestBuilder {
  return (operation: Operation, plan: BuildPlan): BuildOutcome => {
    const { domid } = plan;
    const isHvm = plan.type !== 'pv';
    if (prepare(operation, plan) === 'failed') return stoppedAt('the setting of vCPUs, placement and memory limit');
    const ports = allocatePorts(operation, domid);
    if (ports === undefined) return stoppedAt('the making of its event channels');
    if (setPlatform(operation, plan) === 'failed') return stoppedAt('the setting of its TSC mode');
    if (setUp(operation, domid, isHvm) === 'failed') return stoppedAt('the first look of the save helper');
    const { pages } = source;
    if (!source.bringMemory()) return stoppedAt('the reading of what comes from the other host');
    if (fillMemory(operation, domid, framesFor(plan, pages)) === 'failed')
      return stoppedAt('the filling of its memory');
    const state = source.bringState();
    if (state === undefined) return stoppedAt('the reading of what comes from the other host');
    const content: Content = { ...state, pages };
    const complete = isHvm ? completeHvm(operation, domid, ports, content) : completePv(operation, domid, content);
    if (complete === 'failed') return stoppedAt('the setting of its vCPUs');
    const rings = isHvm ? { console: PVH_RINGS.CONSOLE_PFN, xenstore: PVH_RINGS.STORE_PFN } : SPECIAL_FRAMES;
    if (seedGrants(operation, domid, rings) === 'failed') {
      return stoppedAt('the granting of its xenstore and console pages');
    }
    if (setScheduler(operation, plan) === 'failed') return stoppedAt('the setting of its scheduler parameters');
    const record = operation.state.guests.get(domid);
    if (record !== undefined) record.isRestored = true;
    return {
      kind: 'built',
      guest: { storePort: ports.store, consolePort: ports.console, consoleFrame: rings.console },
    };
  };
}

/** `xl restore`. A label that this host does not know fails it before anything is made. */
export function restoreGuest(operation: Operation, saved: unknown, options: RestoreOptions): OperationReport {
  const { file = 'the save file', uuid, paused = false, unwatched = false } = options;
  const image = readSaved(saved);
  if (typeof image === 'string') {
    operation.messages.push('File has wrong magic number - corrupt or for a different tool?');
    operation.diagnostics.push(guest['not-saved'](undefined, { file, reason: image }));
    return report(operation, { isDone: false, xlExitCode: 1 });
  }
  const own = options.config === undefined ? image.config : guestConfigOf(options.config);
  const reason = own.type === image.config.type ? faultOf(own) : `it holds a ${image.config.type} guest`;
  if (reason !== undefined) {
    operation.diagnostics.push(guest['bad-request'](undefined, { guest: own.name, reason }));
    return report(operation, { isDone: false, xlExitCode: 1 });
  }
  const length = JSON.stringify(storeConfig(image.config)).length;
  operation.messages.push(
    `Loading new save file ${file} (new xl fmt info 0x3/0x0/${length})`,
    ' Savefile contains xl domain config in JSON format',
    ...(options.config === undefined ? ['Parsing config from <saved>'] : []),
  );
  operation.recorder.step('xl starts and reads the save file', 'xl', () => {
    startXl(operation);
    return 'done';
  });
  const build = builderFrom({
    pages: image.pages,
    bringMemory: () => true,
    bringState: () => image,
  });
  const made = constructGuest(operation, own, {
    uuid,
    isWatched: !unwatched,
    build,
    onResidual: options.onResidual ?? 'warn',
  });
  if (made.kind === 'failed') {
    const domain = made.domid === undefined ? undefined : finalState(operation, made.domid);
    return report(operation, { isDone: false, xlExitCode: 1, domain });
  }
  const isStarted = startBuilt(operation, made.domid, paused);
  const isDone = checkLabelsInEffect(operation, own, made.domid) && isStarted;
  return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, made.domid) });
}
