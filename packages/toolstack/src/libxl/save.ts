/**
 * `xl save`: libxl's save helper reads all of a guest that has suspended itself.
 *
 * Follows Xen `tools/xl/xl_saverestore.c`, `save_domain`, `tools/libs/light/libxl_dom_{save,suspend}.c` and
 * `tools/libs/guest/xg_sr_save{,_x86_pv,_x86_hvm}.c`.
 *
 * @module
 */
import type { OperationReport, SavedGuest, SaveOptions, TimelineStep } from '../host.ts';
import type { DomainInfo, Domid, Errno, FrameRange, HvmParam } from '../hypercalls.ts';
import { destroyDomain, logDestroyFailed, reportLeftovers } from './destroy.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { type GuestConfig, storeConfig } from './guest-config.ts';
import { containerFrames } from './guest-frames.ts';
import { switchLogDirty } from './model-state.ts';
import { finalState, findDomain, lookAt, type Operation, report } from './operation.ts';
import type { AnyResult, Refusal } from './recorder.ts';
import { retrieveConfig } from './retrieve-config.ts';
import { piecesOf, reportRefusal } from './run-state.ts';
import { type Cause, errnoNumber, logLibxc, logLibxl } from './said.ts';
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
import { type GuestType, resumeGuest, suspendGuest } from './suspend-guest.ts';

/** What is left to read of a guest once it has suspended itself. */
export interface GuestState {
  readonly onlineVcpus: readonly number[];
  /** Of an HVM container: what is not 0. */
  readonly hvmParams: ReadonlyMap<HvmParam, number>;
}

/** Where a save ended. */
export interface Stop {
  readonly step: string;
  readonly refusal: Refusal | undefined;
}

const FIRST_PAGE: FrameRange = { first: 0, count: 1 };

/** XEN: `x86_pv_setup`: the shared info names the pages in which a PV guest keeps the list of its memory. */
function layoutRequests(operation: Operation, domid: Domid, sharedInfoFrame: number): readonly HelperRequest[] {
  const { recorder } = operation;
  const shared = { first: sharedInfoFrame, count: 1 };
  return [
    [() => recorder.ask(HELPER, 'domctl.get_address_size', { domid }), `Unable to determine dom${domid}'s width`],
    [() => recorder.ask(HELPER, 'mmu_update.map_machphys', {}), 'Failed to mmap() m2p ranges'],
    [
      () => mapBriefly(operation, domid, shared, false),
      `Failed to map shared info frame at mfn 0x${sharedInfoFrame.toString(16)}`,
    ],
    [() => mapBriefly(operation, domid, FIRST_PAGE, false), 'Failed to map 1 page table pages for p2m list'],
  ];
}

/** XEN: `x86_pv_setup` or `x86_hvm_setup`, and the records that need no suspended guest. */
function setUp(operation: Operation, domid: Domid, type: GuestType): TimelineStep['outcome'] {
  const { recorder } = operation;
  const looked = recorder.step('the save helper looks at the guest', HELPER, () => {
    const info = recorder.ask(HELPER, 'domctl.getdomaininfo', { domid });
    if (info.kind === 'error') return 'failed';
    const { isHvm, sharedInfoFrame } = info.value;
    operation.messages.push(`xc: info: Saving domain ${domid}, type x86 ${isHvm ? 'HVM' : 'PV'}`);
    const size: HelperRequest = [
      () => recorder.ask(HELPER, 'memory_op.maximum_gpfn', { domid }),
      'Unable to obtain the guest p2m size',
    ];
    return askAll(operation, isHvm ? [size] : layoutRequests(operation, domid, sharedInfoFrame));
  });
  if (looked === 'failed' || (type === 'hvm' && !switchLogDirty(operation, domid, true))) return 'failed';
  return recorder.step('the save helper reads the CPU policies of the host and of the guest', HELPER, () => {
    const host: HelperRequest = [
      () => recorder.ask(HELPER, 'sysctl.get_cpu_policy', {}),
      'Unable to get CPU Policy size',
    ];
    if (askAll(operation, [host]) === 'failed') return 'failed';
    const policy = recorder.ask(HELPER, 'domctl.get_cpu_policy', { domid });
    if (policy.kind === 'ok') return 'done';
    logLibxc(operation, `Failed to obtain domain ${domid} policy`, policy.errno);
    logLibxc(operation, `Unable to get d${domid} CPU Policy`, policy.errno);
    return 'failed';
  });
}

/** XEN: `send_dirty_pages`. */
function readMemory(operation: Operation, domid: Domid, ranges: readonly FrameRange[]): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper reads the memory of the guest', HELPER, () => {
    for (const frames of ranges.flatMap((range) => piecesOf(range, BATCH_PAGES))) {
      const outcome = askAll(operation, [
        [
          () => recorder.ask(HELPER, 'domctl.getpageframeinfo3', { domid, frames }),
          'Failed to get types for pfn batch',
        ],
        [() => mapBriefly(operation, domid, frames, false), 'Failed to map guest pages'],
      ]);
      if (outcome === 'failed') return 'failed';
    }
    return 'done';
  });
}

/** XEN: `write_all_vcpu_information`; the sizes of the last two are asked for first. */
function readPvVcpus(operation: Operation, domid: Domid, vcpus: number): number[] | undefined {
  const { recorder } = operation;
  const online: number[] = [];
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    const info = recorder.ask(HELPER, 'domctl.getvcpuinfo', { domid, vcpu });
    if (info.kind === 'error') {
      logLibxc(operation, `Failed to get vcpu${vcpu} information`, info.errno);
      return undefined;
    }
    if (!info.value.isOnline) continue;
    const args = { domid, vcpu };
    const xsave: HelperRequest = [
      () => recorder.ask(HELPER, 'domctl.getvcpuextstate', args),
      `Unable to get vcpu${vcpu}'s xsave context`,
    ];
    const msrs: HelperRequest = [
      () => recorder.ask(HELPER, 'domctl.get_vcpu_msrs', args),
      `Unable to get vcpu${vcpu}'s msrs`,
    ];
    const outcome = askAll(operation, [
      [() => recorder.ask(HELPER, 'domctl.getvcpucontext', args), `Failed to get vcpu${vcpu} context`],
      [() => recorder.ask(HELPER, 'domctl.get_ext_vcpucontext', args), `Unable to get vcpu${vcpu} extended context`],
      xsave,
      xsave,
      msrs,
      msrs,
    ]);
    if (outcome === 'failed') return undefined;
    online.push(vcpu);
  }
  return online;
}

/** XEN: `write_hvm_context`, `write_hvm_params`; undefined where Xen refused. */
function readContainer(operation: Operation, domid: Domid): Map<HvmParam, number> | undefined {
  const { recorder } = operation;
  const params = new Map<HvmParam, number>();
  const context = (): AnyResult => recorder.ask(HELPER, 'domctl.gethvmcontext', { domid });
  const asked = askAll(operation, [
    [context, "Couldn't get HVM context size from Xen"],
    [context, "Couldn't get HVM context from Xen"],
  ]);
  if (asked === 'failed') return undefined;
  for (const param of SAVED_PARAMS) {
    const found = recorder.ask(HELPER, 'hvm_op.get_param', { domid, param });
    if (found.kind === 'error') {
      logLibxc(operation, `Failed to get HVMPARAM at index ${paramNumber(param)}`, found.errno);
      return undefined;
    }
    if (found.value.value !== 0) params.set(param, found.value.value);
  }
  return params;
}

/** Reads the suspended guest: the vCPUs that were up, and its parameters; undefined where Xen refused. */
function readState(operation: Operation, domid: Domid, isHvm: boolean, vcpus: number): GuestState | undefined {
  const { recorder } = operation;
  let found: GuestState | undefined;
  recorder.step('the save helper reads time, vCPUs and devices of the guest', HELPER, () => {
    const time: HelperRequest = [
      () => recorder.ask(HELPER, 'domctl.gettscinfo', { domid }),
      'Unable to obtain TSC information',
    ];
    if (askAll(operation, [time]) === 'failed') return 'failed';
    if (isHvm) {
      const hvmParams = readContainer(operation, domid);
      const up = recorder.hypercalls.inspectDomain(domid)?.info.onlineVcpus ?? 1;
      const onlineVcpus = Array.from({ length: up }, (_, vcpu) => vcpu);
      if (hvmParams !== undefined) found = { onlineVcpus, hvmParams };
    } else {
      const onlineVcpus = readPvVcpus(operation, domid, vcpus);
      if (onlineVcpus !== undefined) found = { onlineVcpus, hvmParams: new Map() };
    }
    return found === undefined ? 'failed' : 'done';
  });
  return found;
}

/** XEN: `save_domain_core_writeconfig`. */
export function savingMessage(file: string, config: GuestConfig): string {
  return `Saving to ${file} new xl format (info 0x3/0x0/${savedLength(config.json)})`;
}

/** A guest that is written down piece by piece: to a file at once, or to another host as that asks for it. */
export class GuestWriter {
  readonly #operation: Operation;
  readonly #domid: Domid;
  #stop: Stop | undefined;
  #hasHelper = false;
  /** It had one, which may have ended. */
  #hadHelper = false;
  #hasSuspended = false;
  /** The device model keeps account of what it writes. */
  #isModelWatching = false;

  constructor(operation: Operation, domid: Domid) {
    this.#operation = operation;
    this.#domid = domid;
  }

  /** Where it ended before the guest was written down. */
  get stop(): Stop | undefined {
    return this.#stop;
  }

  /** XEN: `libxl__xc_domain_save_done` takes whatever ends the helper before the guest has answered for its silence. */
  get isGuestSilent(): boolean {
    return this.#hadHelper && !this.#hasSuspended;
  }

  get #info(): DomainInfo | undefined {
    return this.#operation.recorder.hypercalls.inspectDomain(this.#domid)?.info;
  }

  get #ranges(): readonly FrameRange[] {
    const { totalPages = 0 } = this.#info ?? {};
    return containerFrames(this.#operation, this.#domid, totalPages) ?? [{ first: 0, count: totalPages }];
  }

  get #type(): GuestType {
    if (this.#info?.isHvm !== true) return 'pv';
    return this.#operation.state.guests.get(this.#domid)?.config?.type === 'hvm' ? 'hvm' : 'pvh';
  }

  /** Pages that the guest has. */
  get pages(): number {
    return this.#info?.totalPages ?? 0;
  }

  #stopped(step: string, cause: Cause = this.#operation.recorder.refusal?.errno ?? 'none'): undefined {
    this.#stop = { step, refusal: this.#operation.recorder.refusal };
    if (!this.#hasHelper) return undefined;
    // XEN: the helper's last word, and then libxl's.
    logLibxc(this.#operation, 'Save failed', cause);
    const answer = this.#hasSuspended ? 'responded' : 'did not respond';
    const words = `Domain ${this.#domid}:saving domain: domain ${answer} to suspend request`;
    logLibxl(this.#operation, 'libxl_stream_write.c:347:libxl__xc_domain_save_done', words, cause);
    return undefined;
  }

  /** The configuration, which goes first; undefined where it could not be had. XEN: `save_domain_core_begin`. */
  readConfig(file: string): GuestConfig | undefined {
    const operation = this.#operation;
    let config: GuestConfig | undefined;
    const prepared = operation.recorder.step('libxl reads the configuration of the guest', 'libxl', () => {
      config = retrieveConfig(operation, this.#domid);
      return config === undefined ? 'failed' : 'done';
    });
    if (prepared === 'failed' || config === undefined) {
      operation.messages.push('unable to retrieve domain configuration');
      return this.#stopped('the reading of its configuration');
    }
    operation.messages.push(savingMessage(file, config));
    return config;
  }

  /** The first look at the guest. XEN: `libxl__domain_save`, `save`. */
  begin(): boolean {
    const operation = this.#operation;
    const { recorder } = operation;
    const domid = this.#domid;
    const isPlain = recorder.step('libxl sees to it that the guest has no virtual NUMA', 'libxl', () => {
      lookAt(operation, domid, false);
      const numa = recorder.ask('libxl', 'memory_op.get_vnumainfo', { domid });
      return numa.kind === 'error' && numa.errno === 'EOPNOTSUPP' ? 'done' : 'failed';
    });
    if (isPlain === 'failed') {
      // XEN: libxl takes every other answer, a denial too, for virtual NUMA.
      const words = `Domain ${domid}:Cannot save a guest with vNUMA configured`;
      logLibxl(operation, 'libxl_dom_save.c:424:libxl__domain_save', words);
      this.#stopped('the question about virtual NUMA');
      return false;
    }
    this.#hasHelper = true;
    this.#hadHelper = true;
    if (setUp(operation, domid, this.#type) === 'failed') {
      this.#stopped('the first look of the save helper');
      return false;
    }
    this.#isModelWatching = this.#type === 'hvm';
    return true;
  }

  /** Reads the memory while the guest runs. XEN: `send_memory_live`; a guest that runs writes to its first page meanwhile. */
  readLive(): boolean {
    const { recorder } = this.#operation;
    const domid = this.#domid;
    const ask = (mode: 'enable_logdirty' | 'off'): Errno | undefined => {
      const answer = recorder.ask(HELPER, `domctl.shadow_op.${mode}`, { domid });
      return answer.kind === 'ok' ? undefined : answer.errno;
    };
    let last: Errno | undefined;
    const watched = recorder.step('the save helper has Xen watch which pages the guest writes', HELPER, () => {
      const first = ask('enable_logdirty');
      if (first === undefined) return 'done';
      const { refusal } = recorder;
      // XEN: enable_logdirty() takes the first refusal for a mode that is on already.
      const off = ask('off');
      const second = off === undefined ? ask('enable_logdirty') : undefined;
      last = off ?? second;
      if (last === undefined) return 'done';
      const numbers = [first, off, second].map((one) => (one === undefined ? 0 : errnoNumber(one)));
      logLibxc(this.#operation, `Failed to enable logdirty: ${numbers.join()}`, last);
      recorder.blame(refusal);
      return 'failed';
    });
    if (watched === 'failed') {
      this.#stopped('the watching of what the guest writes', last);
      return false;
    }
    if (readMemory(this.#operation, domid, this.#ranges) === 'failed') {
      this.#stopped('the reading of its memory');
      return false;
    }
    if (!this.#clean()) return false;
    // XEN: what was written since is sent again before anyone looks at how much it was.
    if (this.#info?.isPaused === true || readMemory(this.#operation, domid, [FIRST_PAGE]) === 'done') return true;
    this.#stopped('the reading of its memory');
    return false;
  }

  /** Asks what the guest has written since. XEN: `XEN_DOMCTL_SHADOW_OP_CLEAN`. */
  #clean(): boolean {
    const { recorder } = this.#operation;
    const domid = this.#domid;
    const cleaned = recorder.step('the save helper asks which pages the guest has written since', HELPER, () =>
      recorder.ask(HELPER, 'domctl.shadow_op.clean', { domid }).kind === 'ok' ? 'done' : 'failed',
    );
    if (cleaned === 'failed') this.#stopped('the question about what the guest has written');
    return cleaned === 'done';
  }

  /** Has the guest suspend itself and reads what is left of it. */
  readSuspended(isLive: boolean): GuestState | undefined {
    const operation = this.#operation;
    const suspension = suspendGuest(operation, this.#domid, this.#type);
    this.#hasSuspended = suspension === 'suspended' || suspension === 'unheard';
    if (suspension !== 'suspended') {
      if (suspension === 'unheard') logLibxc(operation, 'save callback suspend() failed: 0');
      if (suspension === 'silent') logLibxc(operation, 'Domain has not been suspended: shutdown 0, reason 255');
      return this.#stopped('the suspending of the guest by itself', 'none');
    }
    operation.recorder.step('the save helper sees that the guest has suspended', HELPER, () => {
      operation.recorder.ask(HELPER, 'domctl.getdomaininfo', { domid: this.#domid });
      return 'done';
    });
    if (isLive && !this.#clean()) return undefined;
    // What a guest writes as it suspends itself is in its first pages.
    const ranges = isLive ? [FIRST_PAGE] : this.#ranges;
    if (readMemory(operation, this.#domid, ranges) === 'failed') return this.#stopped('the reading of its memory');
    const info = this.#info;
    const left = readState(operation, this.#domid, info?.isHvm === true, info?.vcpus ?? 0);
    return left ?? this.#stopped('the reading of its vCPUs');
  }

  /** XEN: `cleanup`, which ends a mode that a save to a file never began; the answers are not looked at. */
  end(): void {
    if (!this.#hasHelper) return;
    this.#hasHelper = false;
    const { recorder } = this.#operation;
    const domid = this.#domid;
    const { refusal } = recorder;
    recorder.step('the save helper ends', HELPER, () => {
      const ended = recorder.ask(HELPER, 'domctl.shadow_op.off', { domid });
      return ended.kind === 'ok' ? 'done' : 'ignored-failure';
    });
    if (this.#isModelWatching) switchLogDirty(this.#operation, domid, false);
    recorder.blame(refusal);
  }
}

/** The save itself. What comes back names the step that failed. */
function write(
  operation: Operation,
  domid: Domid,
  file: string,
): SavedGuest | (Stop & { readonly hasConfig: boolean }) {
  const writer = new GuestWriter(operation, domid);
  const config = writer.readConfig(file);
  const left = config !== undefined && writer.begin() ? writer.readSuspended(false) : undefined;
  writer.end();
  if (config !== undefined && left !== undefined) {
    const { pages } = writer;
    const { onlineVcpus, hvmParams } = left;
    const saved = { format: 'dewar-saved-guest', version: 1, config: storeConfig(config), pages, onlineVcpus } as const;
    return config.type === 'pv' ? saved : { ...saved, hvmParams: Object.fromEntries(hvmParams) };
  }
  const { step = 'the save', refusal } = writer.stop ?? {};
  return { step, refusal, hasConfig: config !== undefined };
}

/** `xl save`. */
export function saveGuest(operation: Operation, text: string, options: SaveOptions): OperationReport<SavedGuest> {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const { checkpoint = false, leavePaused = false, file = 'the save file' } = options;
  const answer = write(operation, domid, file);
  if ('step' in answer) {
    const { step, refusal, hasConfig } = answer;
    // XEN: xl ends at once where it gets no configuration.
    if (hasConfig) {
      operation.messages.push('Failed to save domain, resuming domain');
      resumeGuest(operation, domid);
    }
    const notes = [{ message: `${step} failed` }, ...refusalNotes(refusal)];
    operation.diagnostics.push(guest['operation-failed'](undefined, { operation: 'save', domid }, { notes }));
    return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
  }
  let isDone = true;
  if (checkpoint || leavePaused) {
    if (leavePaused) {
      recorder.step(`libxl pauses domain ${domid}`, 'libxl', () =>
        recorder.ask('libxl', 'domctl.pausedomain', { domid }).kind === 'ok' ? 'done' : 'failed',
      );
    }
    isDone = resumeGuest(operation, domid) === 'done';
    if (!isDone) reportRefusal(operation, 'resume', domid);
  } else {
    const destruction = destroyDomain(operation, domid);
    if (destruction.rc !== 0) logDestroyFailed(operation, domid);
    isDone = reportLeftovers(operation, domid, destruction);
  }
  // XEN: what comes after the save has no say in the exit status.
  return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, domid), value: answer });
}
