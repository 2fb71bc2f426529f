/**
 * `xl save`: libxl's save helper reads all of a guest that has suspended itself.
 *
 * Follows Xen `tools/xl/xl_saverestore.c`, `save_domain`, `tools/libs/light/libxl_dom_{save,suspend}.c` and
 * `tools/libs/guest/xg_sr_save{,_x86_pv,_x86_hvm}.c`.
 *
 * @module
 */
import type { OperationReport, SavedGuest, SaveOptions, TimelineStep } from '../host.ts';
import type { Domid, FrameRange, HvmParam, Process } from '../hypercalls.ts';
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
interface Stop {
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
function resume(operation: Operation, domid: Domid): TimelineStep['outcome'] {
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

/** The save itself. What comes back names the step that failed. */
function write(operation: Operation, domid: Domid, file: string): SavedGuest | Stop {
  const { recorder } = operation;
  const stopped = (step: string): Stop => ({ step, refusal: recorder.refusal });
  let config: GuestConfig | undefined;
  const prepared = recorder.step('libxl reads the configuration of the guest', 'libxl', () => {
    config = retrieveConfig(operation, domid);
    return config === undefined ? 'failed' : 'done';
  });
  if (prepared === 'failed' || config === undefined) return stopped('the reading of its configuration');
  const stored = storeConfig(config);
  operation.messages.push(`Saving to ${file} new xl format (info 0x3/0x0/${JSON.stringify(stored).length})`);
  const isPlain = recorder.step('libxl sees to it that the guest has no virtual NUMA', 'libxl', () => {
    lookAt(operation, domid, false);
    const numa = recorder.ask('libxl', 'memory_op.get_vnumainfo', { domid });
    return numa.kind === 'error' && numa.errno === 'EOPNOTSUPP' ? 'done' : 'failed';
  });
  if (isPlain === 'failed') {
    // XEN: libxl takes every other answer, a denial too, for virtual NUMA.
    const words = `Domain ${domid}:Cannot save a guest with vNUMA configured`;
    logLibxl(operation, 'libxl_dom_save.c:424:libxl__domain_save', words);
    return stopped('the question about virtual NUMA');
  }
  if (setUp(operation, domid) === 'failed') return stopped('the first look of the save helper');
  if (!suspend(operation, domid)) return stopped('the suspending of the guest by itself');
  const info = recorder.hypercalls.inspectDomain(domid)?.info;
  const totalPages = info?.totalPages ?? 0;
  const isHvm = info?.isHvm === true;
  const ranges = isHvm ? pvhFrames(totalPages) : [{ first: 0, count: totalPages }];
  if (readMemory(operation, domid, ranges) === 'failed') return stopped('the reading of its memory');
  const online = readState(operation, domid, isHvm, info?.vcpus ?? 0);
  if (online === undefined) return stopped('the reading of its vCPUs');
  // XEN: the helper ends a mode that it never began here; the answer is not looked at.
  recorder.step('the save helper ends', HELPER, () => {
    const ended = recorder.ask(HELPER, 'domctl.shadow_op.off', { domid });
    return ended.kind === 'ok' ? 'done' : 'ignored-failure';
  });
  return { format: 'dewar-saved-guest', version: 1, config: stored, pages: totalPages, onlineVcpus: online };
}

/** `xl save`. */
export function saveGuest(operation: Operation, text: string, options: SaveOptions): OperationReport<SavedGuest> {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const { checkpoint = false, leavePaused = false, file = 'the save file' } = options;
  const answer = write(operation, domid, file);
  if ('step' in answer) {
    operation.messages.push('Failed to save domain, resuming domain');
    resume(operation, domid);
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
    isDone = resume(operation, domid) === 'done';
    if (!isDone) reportRefusal(operation, 'resume', domid);
  } else {
    const destruction = destroyDomain(operation, domid);
    if (destruction.rc !== 0) logDestroyFailed(operation, domid);
    isDone = reportLeftovers(operation, domid, destruction);
  }
  // XEN: what comes after the save has no say in the exit status.
  return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, domid), value: answer });
}
