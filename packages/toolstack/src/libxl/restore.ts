/**
 * `xl restore`: a new domain, built under the first label, filled from what was saved, and relabelled at the end.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`, `domcreate_bootloader_done`, and
 * `tools/libs/guest/xg_sr_restore{,_x86_pv,_x86_hvm}.c`.
 *
 * @module
 */
import type { OperationReport, RestoreOptions, SavedGuest, TimelineStep } from '../host.ts';
import type { Domid, FrameRange, HvmParam, Port } from '../hypercalls.ts';
import { SPECIAL_PARAMS, setContainerPlatform, TIMER_PARAMS } from './build-container.ts';
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
import { HVM_PARAMS } from './build-hvm.ts';
import { SPECIAL_FRAMES, setPvPlatform } from './build-pv.ts';
import { pvhFrames } from './build-pvh.ts';
import { constructGuest } from './construct.ts';
import { faultOf } from './create.ts';
import { checkLabelsInEffect } from './create-labels.ts';
import { DOM0 } from './daemons.ts';
import { guest } from './diagnostics.ts';
import { type GuestConfig, guestConfigOf, readStoredConfig } from './guest-config.ts';
import { hvmGuestFrames } from './guest-frames.ts';
import { startBuilt } from './guest-run.ts';
import { finalState, type Operation, report, startXl } from './operation.ts';
import type { AnyResult } from './recorder.ts';
import { piecesOf } from './run-state.ts';
import { type Cause, errnoNumber, logLibxc, logLibxl } from './said.ts';
import type { GuestState } from './save.ts';
import {
  askAll,
  BATCH_PAGES,
  HELPER,
  type HelperRequest,
  mapBriefly,
  paramNumber,
  SAVED_PARAMS,
} from './save-helper.ts';
import { savedLength } from './stored-json.ts';

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
  const given = value ?? SPECIAL_PARAMS;
  if (typeof given !== 'object') return undefined;
  const params = new Map<HvmParam, number>();
  for (const [name, number] of Object.entries(given)) {
    const param = SAVED_PARAMS.find((one) => one === name);
    if (param === undefined || !isWhole(number, Number.MAX_SAFE_INTEGER)) return undefined;
    if (number !== 0) params.set(param, number);
  }
  return params;
}

/** XEN: `xc_domain_restore`, up to the point where the stream is read. */
function beginStream(operation: Operation, domid: Domid, isHvm: boolean): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper looks at the domain', HELPER, () => {
    if (recorder.ask(HELPER, 'domctl.getdomaininfo', { domid }).kind === 'error') return 'failed';
    const release = recorder.hypercalls.release;
    operation.messages.push(`xc: info: Found x86 ${isHvm ? 'HVM' : 'PV'} domain from Xen ${release}`);
    return askAll(operation, [
      [() => recorder.ask(HELPER, 'memory_op.maximum_gpfn', { domid }), 'Unable to obtain the guest p2m size'],
    ]);
  });
}

/** XEN: `x86_pv_setup`, `handle_x86_pv_info`, `x86_static_data_complete`: the kind of guest, and its CPU policy. */
function setUp(operation: Operation, domid: Domid, isHvm: boolean): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper prepares the guest', HELPER, () => {
    const layout: readonly HelperRequest[] = [
      [() => recorder.ask(HELPER, 'domctl.get_address_size', { domid }), `Unable to determine dom${domid}'s width`],
      [() => recorder.ask(HELPER, 'mmu_update.map_machphys', {}), 'Failed to mmap() m2p ranges'],
    ];
    return askAll(operation, [
      ...(isHvm ? [] : layout),
      [
        () => recorder.ask(HELPER, 'domctl.set_cpu_policy', { domid }),
        'Failed to set CPUID policy: leaf ffffffff, subleaf ffffffff, msr ffffffff',
      ],
    ]);
  });
}

/** XEN: `populate_pfns`, `process_page_data`. Answers what the helper blames; undefined where all went well. */
function fillMemory(operation: Operation, domid: Domid, ranges: readonly FrameRange[]): Cause | undefined {
  const { recorder } = operation;
  let cause: Cause | undefined;
  recorder.step('the save helper fills the memory of the guest', HELPER, () => {
    for (const frames of ranges.flatMap((range) => piecesOf(range, BATCH_PAGES))) {
      const given = recorder.ask(HELPER, 'memory_op.populate_physmap', { domid, frames });
      if (given.kind === 'error' || given.value.pagesDone < frames.count) {
        recorder.explain('memory_op.populate_physmap', 'ENOMEM', 'Xen has no more pages for the domain');
        cause = given.kind === 'error' ? given.errno : 'EBUSY';
        logLibxc(operation, 'Failed to populate physmap', cause);
        logLibxc(operation, `Failed to populate pfns for batch of ${frames.count} pages`);
        return 'failed';
      }
      const mapped = mapBriefly(operation, domid, frames, true);
      if (mapped.kind === 'error') {
        // XEN: Linux tells of each page by itself, so that there is no errno.
        cause = 'none';
        const page = `0x${frames.first.toString(16)}`;
        const words = `Mapping pfn ${frames.first === 0 ? '0' : page} (mfn ${page}, type 0)`;
        logLibxc(operation, `${words} failed with -${errnoNumber(mapped.errno)}`);
        return 'failed';
      }
    }
    return 'done';
  });
  return cause;
}

/** XEN: `update_vcpu_context`, `pin_pagetables`. */
function completePv(operation: Operation, domid: Domid, { onlineVcpus }: Content): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper gives the guest its time, its vCPUs and its page tables', HELPER, () => {
    const vcpus = onlineVcpus.flatMap((vcpu): HelperRequest[] => [
      [() => recorder.ask(HELPER, 'domctl.setvcpucontext', { domid, vcpu }), `Failed to set vcpu${vcpu}'s basic info`],
      [
        () => recorder.ask(HELPER, 'domctl.set_ext_vcpucontext', { domid, vcpu }),
        `Failed to set vcpu${vcpu}'s extended info`,
      ],
      [() => recorder.ask(HELPER, 'domctl.setvcpuextstate', { domid, vcpu }), `Failed to set vcpu${vcpu}'s xsave info`],
      [() => recorder.ask(HELPER, 'domctl.set_vcpu_msrs', { domid, vcpu }), `Failed to set vcpu${vcpu}'s msrs`],
    ]);
    const shared = recorder.hypercalls.inspectDomain(domid)?.info.sharedInfoFrame ?? 0;
    const mfn = (frame: number): string => `0x${frame.toString(16)}`;
    return askAll(operation, [
      timeRequest(operation, domid),
      // XEN: handle_shared_info(), process_start_info() and update_guest_p2m() write into pages of the guest.
      [() => writeTo(operation, domid, shared), `Failed to map Shared Info at mfn ${mfn(shared)}`],
      [
        () => writeTo(operation, domid, SPECIAL_FRAMES.startInfo),
        `Failed to map Start Info at mfn ${mfn(SPECIAL_FRAMES.startInfo)}`,
      ],
      ...vcpus,
      [
        () => recorder.ask(HELPER, 'mmuext_op.pin_table', { domid, frame: SPECIAL_FRAMES.pageTable }),
        'Failed to pin batch of pagetables',
      ],
      [() => writeTo(operation, domid, FIRST_FRAME), 'Failed to map p2m frames'],
    ]);
  });
}

/** XEN: `handle_x86_tsc_info`. */
function timeRequest({ recorder }: Operation, domid: Domid): HelperRequest {
  return [() => recorder.ask(HELPER, 'domctl.settscinfo', { domid }), 'Unable to set TSC information'];
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
    const params = [...hvmParams].map(([param, value]): HelperRequest => {
      const set = (): AnyResult => {
        // XEN: whether a page could be cleared is not looked at.
        if (CLEARED.has(param)) writeTo(operation, domid, value);
        return recorder.ask(HELPER, 'hvm_op.set_param', { domid, param, value });
      };
      return [set, `set HVM param ${paramNumber(param)} = 0x${value.toString(16).padStart(16, '0')}`];
    });
    const port = (param: 'STORE_EVTCHN' | 'CONSOLE_EVTCHN', value: Port): HelperRequest => [
      () => recorder.ask(HELPER, 'hvm_op.set_param', { domid, param, value }),
      `Failed to set HVM_PARAM_${param}`,
    ];
    const [vcpu = 0, ...others] = onlineVcpus;
    const context: HelperRequest = [
      () => recorder.ask(HELPER, 'domctl.sethvmcontext', { domid, vcpu, others, record: 'CPU' }),
      'Unable to restore HVM context',
    ];
    return askAll(operation, [
      timeRequest(operation, domid),
      ...params,
      port('STORE_EVTCHN', ports.store),
      port('CONSOLE_EVTCHN', ports.console),
      ...(onlineVcpus.length === 0 ? [] : [context]),
    ]);
  });
}

/** Writes into one page of the guest. */
function writeTo(operation: Operation, domid: Domid, first: number): AnyResult {
  return mapBriefly(operation, domid, { first, count: 1 }, true);
}

/** Where the list begins in which a PV guest keeps its memory. */
const FIRST_FRAME = 0;

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
      return setContainerPlatform(operation, plan, TIMER_PARAMS);
    case 'hvm':
      return setContainerPlatform(operation, plan, HVM_PARAMS);
  }
}

/** XEN: `restore`: reads the stream; the step that failed, and what the helper blames, or undefined. */
function readStream(
  operation: Operation,
  plan: BuildPlan,
  source: GuestSource,
  ports: GuestPorts,
): { readonly step: string; readonly cause: Cause } | undefined {
  const { domid } = plan;
  const isHvm = plan.type !== 'pv';
  const at = (
    step: string,
    cause: Cause = operation.recorder.refusal?.errno ?? 'none',
  ): ReturnType<typeof readStream> => ({
    step,
    cause,
  });
  operation.messages.push('xc: info: Restoring domain');
  if (setUp(operation, domid, isHvm) === 'failed') return at('the first look of the save helper');
  const { pages } = source;
  if (!source.bringMemory()) return at('the reading of what comes from the other host', 'none');
  const cause = fillMemory(operation, domid, framesFor(plan, pages));
  if (cause !== undefined) return at('the filling of its memory', cause);
  const state = source.bringState();
  if (state === undefined) return at('the reading of what comes from the other host', 'none');
  const content: Content = { ...state, pages };
  const complete = isHvm ? completeHvm(operation, domid, ports, content) : completePv(operation, domid, content);
  if (complete === 'failed') return at('the setting of its vCPUs');
  if (seedGrants(operation, domid, ringsOf(plan)) === 'done') return undefined;
  logLibxc(operation, 'Failed to seed grant table', operation.recorder.refusal?.errno);
  return at('the granting of its xenstore and console pages');
}

function ringsOf({ type }: BuildPlan): { readonly console: number; readonly xenstore: number } {
  return type !== 'pv' ? { console: SPECIAL_PARAMS.CONSOLE_PFN, xenstore: SPECIAL_PARAMS.STORE_PFN } : SPECIAL_FRAMES;
}

/** What the helper says in the end. */
function tellRings(operation: Operation, { console, xenstore }: ReturnType<typeof ringsOf>, ports: GuestPorts): void {
  // A port that there is not is -1, in 32 bits.
  const ring = (name: string, frame: number, domid: Domid, port: Port): string =>
    `xc: info: ${name}: mfn 0x${frame.toString(16)}, dom ${domid}, evt ${port >>> 0}`;
  operation.messages.push(
    'xc: info: Restore successful',
    ring('XenStore', xenstore, operation.state.xenstoreDomid ?? DOM0, ports.store),
    ring('Console', console, DOM0, ports.console),
  );
}

/** Fills a domain with a guest that comes from elsewhere, in the place of a build from nothing. */
export function builderFrom(source: GuestSource): GuestBuilder {
  return (operation: Operation, plan: BuildPlan): BuildOutcome => {
    const { domid } = plan;
    const isHvm = plan.type !== 'pv';
    if (prepare(operation, plan) === 'failed') return stoppedAt('the setting of vCPUs, placement and memory limit');
    const ports = allocatePorts(operation, domid);
    if (setPlatform(operation, plan) === 'failed') return stoppedAt('the setting of its TSC mode');
    const give = (step: string, cause: Cause): BuildOutcome => {
      logLibxl(operation, 'libxl_stream_read.c:850:libxl__xc_domain_restore_done', 'restoring domain', cause);
      return stoppedAt(step);
    };
    if (beginStream(operation, domid, isHvm) === 'failed') {
      return give('the first look of the save helper', operation.recorder.refusal?.errno ?? 'none');
    }
    const stop = readStream(operation, plan, source, ports);
    if (stop !== undefined) {
      logLibxc(operation, 'Restore failed', stop.cause);
      return give(stop.step, stop.cause);
    }
    tellRings(operation, ringsOf(plan), ports);
    if (setScheduler(operation, plan) === 'failed') return stoppedAt('the setting of its scheduler parameters');
    const record = operation.state.guests.get(domid);
    if (record !== undefined) record.isRestored = true;
    return {
      kind: 'built',
      guest: {
        storePort: ports.store,
        consolePort: ports.console,
        consoleFrame: ringsOf(plan).console,
        refusal: ports.refusal,
      },
    };
  };
}

/** `xl restore`. A label that this host does not know fails it before anything is made. */
export function restoreGuest(operation: Operation, saved: unknown, options: RestoreOptions): OperationReport {
  const { file = 'the save file', uuid, paused = false, unwatched = false, configFile } = options;
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
  const length = savedLength(image.config.json);
  operation.recorder.step('xl starts and reads the save file', 'xl', () => {
    startXl(operation);
    return 'done';
  });
  operation.messages.push(
    `Loading new save file ${file} (new xl fmt info 0x3/0x0/${length})`,
    ' Savefile contains xl domain config in JSON format',
    ...(options.config === undefined ? ['Parsing config from <saved>'] : []),
    ...(configFile === undefined ? [] : [`Parsing config from ${configFile.name}`, ...configFile.says]),
  );
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
  const start = startBuilt(operation, made.domid, { isPaused: paused, onConsole: options.onConsole });
  const { domid } = start;
  const isDone = checkLabelsInEffect(operation, own, domid) && start.isDone;
  return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, domid) });
}
