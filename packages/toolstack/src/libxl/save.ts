/**
 * `xl save`: libxl's save helper reads all of a guest that has suspended itself.
 *
 * Follows Xen `tools/xl/xl_saverestore.c`, `save_domain`, `tools/libs/light/libxl_dom_{save,suspend}.c` and
 * `tools/libs/guest/xg_sr_save{,_x86_pv,_x86_hvm}.c`.
 *
 * @module
 */
import type { OperationReport, SavedGuest, SaveOptions, TimelineStep } from '../host.ts';
import type { DomainInfo, Domid, FrameRange, HvmParam, Process } from '../hypercalls.ts';
import { pvhFrames } from './build-pvh.ts';
import { settleDeaths } from './daemons.ts';
import { destroyDomain, errnoText, logDestroyFailed, reportLeftovers } from './destroy.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { type GuestConfig, storeConfig } from './guest-config.ts';
import { tellGuest } from './guest-control.ts';
import { finalState, findDomain, logLibxl, lookAt, type Operation, report } from './operation.ts';
import { type AnyResult, inOrder, type Refusal } from './recorder.ts';
import { retrieveConfig } from './retrieve-config.ts';
import { piecesOf, reportRefusal } from './run-state.ts';

/** The program that reads and writes guests for libxl. */
export const HELPER: Process = 'libxl-save-helper';

/** Pages that the helper works on at a time. XEN: `MAX_BATCH_SIZE`. */
export const BATCH_PAGES = 1024;

/** XEN: `write_hvm_params`, as far as the parameters of a PVH guest are concerned. */
export const SAVED_PARAMS: readonly HvmParam[] = [
  'STORE_PFN',
  'IOREQ_PFN',
  'BUFIOREQ_PFN',
  'PAGING_RING_PFN',
  'MONITOR_RING_PFN',
  'SHARING_RING_PFN',
  'CONSOLE_PFN',
  'IDENT_PT',
];

/** Where a save ended. */
export interface Stop {
  readonly step: string;
  readonly refusal: Refusal | undefined;
}

/** Maps pages to read them, and gives them back at once. */
function read(operation: Operation, domid: Domid, frames: FrameRange): boolean {
  const { recorder } = operation;
  const mapped = recorder.ask(HELPER, 'mmu_update.map_foreign', { domid, frames, isWritable: false });
  if (mapped.kind === 'error') return false;
  recorder.ask(HELPER, 'mmu_update.unmap_foreign', { mapping: mapped.value.mapping });
  return true;
}

/** XEN: `x86_pv_setup` or `x86_hvm_setup`, and the records that need no suspended guest. */
function setUp(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper looks at the guest', HELPER, () => {
    const info = recorder.ask(HELPER, 'domctl.getdomaininfo', { domid });
    if (info.kind === 'error') return 'failed';
    const { isHvm, sharedInfoFrame } = info.value;
    const layout = isHvm
      ? inOrder([() => recorder.ask(HELPER, 'memory_op.maximum_gpfn', { domid })])
      : inOrder([
          () => recorder.ask(HELPER, 'domctl.get_address_size', { domid }),
          () => recorder.ask(HELPER, 'mmu_update.map_machphys', {}),
        ]);
    if (layout === 'failed') return 'failed';
    // The shared info names the pages in which a PV guest keeps the list of its memory.
    if (
      !isHvm &&
      !(read(operation, domid, { first: sharedInfoFrame, count: 1 }) && read(operation, domid, FIRST_PAGE))
    ) {
      return 'failed';
    }
    return inOrder([
      () => recorder.ask(HELPER, 'sysctl.get_cpu_policy', {}),
      () => recorder.ask(HELPER, 'domctl.get_cpu_policy', { domid }),
    ]);
  });
}

const FIRST_PAGE: FrameRange = { first: 0, count: 1 };

/** Asks the guest to suspend itself, and waits until it has. XEN: `libxl__domain_suspend`. */
function suspend(operation: Operation, domid: Domid): boolean {
  const { recorder, state } = operation;
  recorder.step(`libxl asks domain ${domid} to suspend`, 'libxl', () => {
    lookAt(operation, domid, false);
    lookAt(operation, domid, false);
    return 'done';
  });
  const answer = tellGuest(operation, domid, `the kernel of domain ${domid} suspends itself`, (actor) => [
    recorder.askAs(actor, 'sched_op.shutdown', { reason: 'suspend' }),
  ]);
  if (answer === 'answered') {
    settleDeaths(recorder, state, 'xenstored and xenconsoled hear that the guest has suspended');
    // The guest is to go on elsewhere: its end is still to be told of.
    const served = state.xenstored.get(domid);
    if (served !== undefined) served.hasToldOfEnd = true;
  } else {
    logLibxl(
      operation,
      'libxl_dom_suspend.c:270:domain_suspend_common_pvcontrol_suspending',
      "guest didn't acknowledge suspend, cancelling request",
    );
    return false;
  }
  recorder.step(`libxl sees that domain ${domid} has suspended`, 'libxl', () => {
    lookAt(operation, domid, false);
    recorder.ask(HELPER, 'domctl.getdomaininfo', { domid });
    return 'done';
  });
  return recorder.hypercalls.inspectDomain(domid)?.info.shutdownReason === 'suspend';
}

/** XEN: `send_dirty_pages`. */
function readMemory(operation: Operation, domid: Domid, ranges: readonly FrameRange[]): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('the save helper reads the memory of the guest', HELPER, () => {
    for (const frames of ranges.flatMap((range) => piecesOf(range, BATCH_PAGES))) {
      if (recorder.ask(HELPER, 'domctl.getpageframeinfo3', { domid, frames }).kind === 'error') return 'failed';
      if (!read(operation, domid, frames)) return 'failed';
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
    if (info.kind === 'error') return undefined;
    if (!info.value.isOnline) continue;
    const args = { domid, vcpu };
    const outcome = inOrder([
      () => recorder.ask(HELPER, 'domctl.getvcpucontext', args),
      () => recorder.ask(HELPER, 'domctl.get_ext_vcpucontext', args),
      () => recorder.ask(HELPER, 'domctl.getvcpuextstate', args),
      () => recorder.ask(HELPER, 'domctl.getvcpuextstate', args),
      () => recorder.ask(HELPER, 'domctl.get_vcpu_msrs', args),
      () => recorder.ask(HELPER, 'domctl.get_vcpu_msrs', args),
    ]);
    if (outcome === 'failed') return undefined;
    online.push(vcpu);
  }
  return online;
}

/** XEN: `write_hvm_context`, `write_hvm_params`. */
function readContainer(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  const params = SAVED_PARAMS.map(
    (param) => (): AnyResult => recorder.ask(HELPER, 'hvm_op.get_param', { domid, param }),
  );
  return inOrder([
    () => recorder.ask(HELPER, 'domctl.gethvmcontext', { domid }),
    () => recorder.ask(HELPER, 'domctl.gethvmcontext', { domid }),
    ...params,
  ]);
}

/** Reads the suspended guest; the vCPUs that were up, or undefined where Xen refused. */
function readState(operation: Operation, domid: Domid, isHvm: boolean, vcpus: number): number[] | undefined {
  const { recorder } = operation;
  let online: number[] | undefined;
  recorder.step('the save helper reads time, vCPUs and devices of the guest', HELPER, () => {
    if (recorder.ask(HELPER, 'domctl.gettscinfo', { domid }).kind === 'error') return 'failed';
    if (!isHvm) online = readPvVcpus(operation, domid, vcpus);
    else if (readContainer(operation, domid) === 'done') {
      const up = recorder.hypercalls.inspectDomain(domid)?.info.onlineVcpus ?? 1;
      online = Array.from({ length: up }, (_, vcpu) => vcpu);
    }
    return online === undefined ? 'failed' : 'done';
  });
  return online;
}

/** XEN: `xc_domain_resume_cooperative`: the guest goes on, with word that nothing came of the suspend. */
export function resumeGuest(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step(`libxl lets domain ${domid} go on`, 'libxl', () => {
    const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
    const reason = info.kind === 'ok' ? info.value.shutdownReason : undefined;
    if (info.kind === 'ok' && reason !== 'suspend') {
      operation.messages.push(`xc: error: Dom ${domid} not suspended: (shutdown 0, reason 255): Internal error`);
    }
    const outcome =
      info.kind === 'error' || reason !== 'suspend'
        ? 'failed'
        : inOrder([
            () =>
              info.value.isHvm
                ? recorder.ask('libxc', 'hvm_op.get_param', { domid, param: 'CALLBACK_IRQ' })
                : recorder.ask('libxc', 'domctl.get_address_size', { domid }),
            () => recorder.ask('libxc', 'domctl.getvcpucontext', { domid, vcpu: 0 }),
            () => recorder.ask('libxc', 'domctl.setvcpucontext', { domid, vcpu: 0 }),
            () => recorder.ask('libxc', 'domctl.resumedomain', { domid }),
          ]);
    if (outcome === 'failed') {
      const errno = reason === 'suspend' ? (recorder.refusal?.errno ?? 'EINVAL') : 'EINVAL';
      const words = `Domain ${domid}:xc_domain_resume failed: ${errnoText(errno)}`;
      logLibxl(operation, 'libxl_dom_suspend.c:666:domain_resume_done', words);
    }
    const served = operation.state.xenstored.get(domid);
    if (outcome === 'done' && served !== undefined) served.hasToldOfEnd = false;
    return outcome;
  });
}

/** A guest that is written down piece by piece: to a file at once, or to another host as that asks for it. */
export class GuestWriter {
  readonly #operation: Operation;
  readonly #domid: Domid;
  #stop: Stop | undefined;
  #hasHelper = false;

  constructor(operation: Operation, domid: Domid) {
    this.#operation = operation;
    this.#domid = domid;
  }

  /** Where it ended before the guest was written down. */
  get stop(): Stop | undefined {
    return this.#stop;
  }

  get #info(): DomainInfo | undefined {
    return this.#operation.recorder.hypercalls.inspectDomain(this.#domid)?.info;
  }

  get #ranges(): readonly FrameRange[] {
    const { totalPages = 0, isHvm = false } = this.#info ?? {};
    return isHvm ? pvhFrames(totalPages) : [{ first: 0, count: totalPages }];
  }

  /** Pages that the guest has. */
  get pages(): number {
    return this.#info?.totalPages ?? 0;
  }

  #stopped(step: string): undefined {
    this.#stop = { step, refusal: this.#operation.recorder.refusal };
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
    if (prepared === 'failed' || config === undefined) return this.#stopped('the reading of its configuration');
    const { length } = JSON.stringify(storeConfig(config));
    operation.messages.push(`Saving to ${file} new xl format (info 0x3/0x0/${length})`);
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
    if (setUp(operation, domid) === 'failed') {
      this.#stopped('the first look of the save helper');
      return false;
    }
    return true;
  }

  /** Reads the memory while the guest runs. XEN: `send_memory_live`; a simulated guest writes to no page meanwhile. */
  readLive(): boolean {
    const { recorder } = this.#operation;
    const domid = this.#domid;
    const enable = (): boolean => recorder.ask(HELPER, 'domctl.shadow_op.enable_logdirty', { domid }).kind === 'ok';
    const watched = recorder.step('the save helper has Xen watch which pages the guest writes', HELPER, () => {
      if (enable()) return 'done';
      const { refusal } = recorder;
      // XEN: enable_logdirty() takes the first refusal for a mode that is on already.
      if (recorder.ask(HELPER, 'domctl.shadow_op.off', { domid }).kind === 'ok' && enable()) return 'done';
      recorder.blame(refusal);
      return 'failed';
    });
    if (watched === 'failed') {
      this.#stopped('the watching of what the guest writes');
      return false;
    }
    if (readMemory(this.#operation, domid, this.#ranges) === 'failed') {
      this.#stopped('the reading of its memory');
      return false;
    }
    return this.#clean();
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

  /** Has the guest suspend itself and reads what is left of it; the vCPUs that were up. */
  readSuspended(isLive: boolean): readonly number[] | undefined {
    const operation = this.#operation;
    if (!suspend(operation, this.#domid)) return this.#stopped('the suspending of the guest by itself');
    if (isLive && !this.#clean()) return undefined;
    // What a guest writes as it suspends itself is in its first pages.
    const ranges = isLive ? [FIRST_PAGE] : this.#ranges;
    if (readMemory(operation, this.#domid, ranges) === 'failed') return this.#stopped('the reading of its memory');
    const info = this.#info;
    const online = readState(operation, this.#domid, info?.isHvm === true, info?.vcpus ?? 0);
    return online ?? this.#stopped('the reading of its vCPUs');
  }

  /** XEN: `cleanup`, which ends a mode that a save to a file never began; the answer is not looked at. */
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
    recorder.blame(refusal);
  }
}

/** The save itself. What comes back names the step that failed. */
function write(operation: Operation, domid: Domid, file: string): SavedGuest | Stop {
  const writer = new GuestWriter(operation, domid);
  const config = writer.readConfig(file);
  const onlineVcpus = config !== undefined && writer.begin() ? writer.readSuspended(false) : undefined;
  writer.end();
  if (config !== undefined && onlineVcpus !== undefined) {
    const { pages } = writer;
    return { format: 'dewar-saved-guest', version: 1, config: storeConfig(config), pages, onlineVcpus };
  }
  return writer.stop ?? { step: 'the save', refusal: undefined };
}

/** `xl save`. */
export function saveGuest(operation: Operation, text: string, options: SaveOptions): OperationReport<SavedGuest> {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const { checkpoint = false, leavePaused = false, file = 'the save file' } = options;
  if (operation.state.guests.get(domid)?.config?.type === 'hvm') {
    operation.diagnostics.push(guest['not-rehearsed'](undefined, { operation: 'save', type: 'hvm' }));
    return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
  }
  const answer = write(operation, domid, file);
  if ('step' in answer) {
    operation.messages.push('Failed to save domain, resuming domain');
    resumeGuest(operation, domid);
    const { step, refusal } = answer;
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
