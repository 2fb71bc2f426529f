/**
 * Pause, unpause, rename and dump-core: what one asks of a guest that exists.
 *
 * Follows Xen `tools/libs/light/libxl_domain.c`, `tools/libs/guest/xg_core.c`, `xc_domain_dumpcore_via_callback`.
 *
 * @module
 */
import { isSince } from '@dewar/policy/releases';
import type { CoreDump, OperationReport } from '../host.ts';
import type { Domid, FrameRange, HypercallResult } from '../hypercalls.ts';
import { DOM0 } from './daemons.ts';
import { type ModelPlan, talkToModel } from './device-model.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { containerFrames } from './guest-frames.ts';
import { domainsNamed, finalState, findDomain, logNoType, lookAt, type Operation, report } from './operation.ts';
import { errnoText, logLibxc, logLibxl } from './said.ts';
import { startGuest } from './start-guest.ts';

/** Pages that libxc maps at a time when it writes a core; it stops at the first that it may not map. */
const DUMP_PAGES = 1024;

/** Says that an operation on a domain was refused, or that there is no such domain. */
export function reportRefusal(operation: Operation, verb: string, domid: Domid): void {
  const { refusal } = operation.recorder;
  // Xen has ESRCH for what a domain lacks too, such as a vCPU.
  if (refusal === undefined || refusal.errno === 'ESRCH') {
    if (finalState(operation, domid) === undefined) {
      operation.diagnostics.push(guest['unknown-domain'](undefined, { domain: String(domid) }));
      return;
    }
    if (domid === DOM0 && refusal === undefined) {
      operation.diagnostics.push(guest['is-dom0'](undefined, { operation: verb }));
      return;
    }
  }
  const notes = refusal === undefined ? [] : refusalNotes(refusal);
  operation.diagnostics.push(guest['operation-failed'](undefined, { operation: verb, domid }, { notes }));
}

/** XEN: `libxl_domain_unpause`, which looks at the type of the domain first. */
export function unpauseDomain(
  operation: Operation,
  domid: Domid,
  title: string,
  options: { readonly modelOf?: ModelPlan } = {},
): boolean {
  const { recorder, state } = operation;
  const outcome = recorder.step(title, 'libxl', () => {
    // XEN: libxl__dm_resume(): QEMU is told first, that of a stub domain through a channel between the two domains.
    const isEmulated = state.deviceModels.get(domid)?.server !== undefined;
    if (lookAt(operation, domid, false) === undefined) {
      logNoType(operation, domid);
      return 'failed';
    }
    const channel = isEmulated ? talkToModel(operation, domid) : undefined;
    if (isEmulated && channel === undefined) {
      logLibxl(
        operation,
        'libxl_dom_suspend.c:604:dm_resume_done',
        `Domain ${domid}:Failed to resume device model: rc=-3`,
      );
      return 'failed';
    }
    channel?.close();
    const result = recorder.ask('libxl', 'domctl.unpausedomain', { domid });
    if (result.kind === 'ok') return 'done';
    const why = errnoText(result.errno);
    logLibxl(operation, 'libxl_domain.c:688:domain_unpause_done', `Domain ${domid}:Unpausing domain: ${why}`);
    return 'failed';
  });
  if (outcome === 'failed') reportRefusal(operation, 'unpause', domid);
  else startGuest(operation, domid, options.modelOf);
  return outcome === 'done';
}

/** `xl pause`; its exit status is 0 even when it was denied. */
export function pauseGuest(operation: Operation, text: string): OperationReport {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const outcome = recorder.step(`libxl pauses domain ${domid}`, 'libxl', () => {
    const result = recorder.ask('libxl', 'domctl.pausedomain', { domid });
    if (result.kind === 'ok') return 'done';
    const why = errnoText(result.errno);
    logLibxl(operation, 'libxl_domain.c:587:libxl_domain_pause', `Domain ${domid}:Pausing domain: ${why}`);
    return 'failed';
  });
  if (outcome === 'failed') reportRefusal(operation, 'pause', domid);
  return report(operation, { isDone: outcome === 'done', xlExitCode: 0, domain: finalState(operation, domid) });
}

/** `xl rename`: xenstore holds the name, so Xen is asked only who else has it. */
export function renameGuest(operation: Operation, text: string, newName: string): OperationReport {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const isDone = renameDomain(operation, domid, newName);
  if (!isDone) operation.messages.push(`Can't rename domain '${text}'.`);
  return report(operation, { isDone, xlExitCode: isDone ? 0 : 1, domain: finalState(operation, domid) });
}

/** Who has a name that a domain is to get. XEN: `libxl__domain_rename`. */
export function ownerOfName(operation: Operation, name: string, domid: Domid): 'another' | 'nobody' | 'not told' {
  const owners = domainsNamed(operation, name);
  if (owners === undefined) {
    const words = `Domain ${domid}:Unexpected error checking for existing domain`;
    logLibxl(operation, 'libxl_domain.c:74:libxl__domain_rename', words);
    return 'not told';
  }
  return owners.some((owner) => owner !== domid) ? 'another' : 'nobody';
}

/** Gives a domain another name, if it is free. XEN: `libxl__domain_rename`. */
export function renameDomain(operation: Operation, domid: Domid, newName: string): boolean {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  let isTaken = false;
  const outcome = recorder.step(`libxl renames domain ${domid}`, 'libxl', () => {
    // XEN: any number of domains may have no name.
    const owner = newName === '' ? 'nobody' : ownerOfName(operation, newName, domid);
    isTaken = owner === 'another';
    if (owner !== 'nobody') return 'failed';
    const isThere = lookAt(operation, domid, true) !== undefined;
    if (!isThere || record === undefined) return 'failed';
    record.name = newName;
    return 'done';
  });
  if (isTaken) {
    logLibxl(
      operation,
      'libxl_domain.c:81:libxl__domain_rename',
      `Domain ${domid}:Domain with name "${newName}" already exists.`,
    );
    operation.diagnostics.push(guest['name-taken'](undefined, { name: newName }));
  } else if (outcome === 'failed') {
    operation.diagnostics.push(guest['operation-failed'](undefined, { operation: 'rename', domid }));
  }
  return outcome === 'done';
}

/** Maps pages of a guest to read them, and gives them back at once. */
function readFrames(operation: Operation, domid: Domid, frames: FrameRange): boolean {
  const { recorder } = operation;
  const mapped = recorder.ask('libxc', 'mmu_update.map_foreign', { domid, frames, isWritable: false });
  if (mapped.kind === 'error') return false;
  recorder.ask('libxc', 'mmu_update.unmap_foreign', { mapping: mapped.value.mapping });
  return true;
}

/** A range in pieces. */
export function piecesOf({ first, count }: FrameRange, size: number): FrameRange[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => ({
    first: first + index * size,
    count: Math.min(size, count - index * size),
  }));
}

/** How a dump went. */
interface Dump {
  readonly core: CoreDump | undefined;
  /** Not even the shared info of a PV guest could be read. */
  readonly isSharedInfoDenied: boolean;
  /** Pages that could not be read, and are zeros in the core. */
  readonly missing: number;
}

/** Reads the registers and all of the memory of a guest. XEN: `xc_domain_dumpcore_via_callback`. */
export function coreOf(operation: Operation, domid: Domid): Dump {
  const { recorder } = operation;
  let core: CoreDump | undefined;
  let isSharedInfoDenied = false;
  let missing = 0;
  recorder.step(`libxc writes the core of domain ${domid}`, 'libxc', () => {
    const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
    // XEN: `xc_domain_dumpcore_via_callback`.
    if (info.kind === 'error' && isSince(recorder.hypercalls.release, '4.18'))
      logLibxc(operation, `Could not get info for dom${domid}`, info.errno);
    else if (info.kind === 'error' && info.errno === 'ESRCH')
      logLibxc(operation, 'Could not get info for domain', 'ESRCH');
    if (info.kind === 'error' || info.value.domid !== domid || domid === DOM0) return 'failed';
    const { isHvm, vcpus: vcpuCount, sharedInfoFrame, totalPages } = info.value;
    const hasSharedInfo = readFrames(operation, domid, { first: sharedInfoFrame, count: 1 });
    if (!hasSharedInfo && !isHvm) {
      isSharedInfoDenied = true;
      return 'failed';
    }
    let addressSize: CoreDump['addressSize'] = 64;
    if (!isHvm) {
      const width = recorder.ask('libxc', 'domctl.get_address_size', { domid });
      if (width.kind === 'error') {
        logLibxc(operation, 'Could not get address size for domain', width.errno);
        return 'failed';
      }
      addressSize = width.value.size;
    }
    let vcpus = 0;
    for (let vcpu = 0; vcpu < vcpuCount; vcpu++) {
      // XEN: a vCPU whose registers cannot be had is left out; without any there is no core.
      if (recorder.ask('libxc', 'domctl.getvcpucontext', { domid, vcpu }).kind === 'ok') vcpus++;
    }
    if (vcpus === 0) {
      logLibxc(operation, 'No VCPU context could be grabbed', recorder.refusal?.errno);
      return 'failed';
    }
    let top: HypercallResult<'memory_op.maximum_gpfn'> = recorder.ask('libxc', 'memory_op.maximum_gpfn', { domid });
    if (top.kind === 'ok' && !isHvm) top = recorder.ask('libxc', 'memory_op.maximum_gpfn', { domid });
    if (top.kind === 'error') return 'failed';
    const ranges = containerFrames(operation, domid, totalPages) ?? [{ first: 0, count: top.value.frame + 1 }];
    const pages = ranges.reduce((sum, { count }) => sum + count, 0);
    for (const frames of ranges.flatMap((range) => piecesOf(range, DUMP_PAGES))) {
      if (readFrames(operation, domid, frames)) continue;
      if (!isHvm) return 'failed';
      // XEN: what cannot be mapped of an HVM container is passed over, and its place is filled with zeros.
      missing += frames.count;
    }
    core = { domid, pages: pages - missing, vcpus, addressSize };
    return missing > 0 ? 'ignored-failure' : 'done';
  });
  return { core, isSharedInfoDenied, missing };
}

/** `xl dump-core`. */
export function dumpCore(operation: Operation, text: string, file: string): OperationReport<CoreDump> {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const { core, isSharedInfoDenied, missing } = coreOf(operation, domid);
  const domain = finalState(operation, domid);
  if (core === undefined) {
    const errno = recorder.refusal?.errno ?? 'EINVAL';
    if (isSharedInfoDenied) logLibxc(operation, "Couldn't map live_shinfo", errno);
    logLibxl(
      operation,
      'libxl_domain.c:603:libxl_domain_core_dump',
      `Domain ${domid}:Core dumping domain to ${file}: ${errnoText(errno)}`,
    );
    operation.messages.push('core dump failed (rc=-3)');
    reportRefusal(operation, 'dump the core of', domid);
    return report(operation, { isDone: false, xlExitCode: 1, domain });
  }
  if (missing > 0) {
    const notes = refusalNotes(recorder.refusal);
    operation.diagnostics.push(guest['core-without-memory'](undefined, { domid, missing }, { notes }));
  }
  return report(operation, { isDone: missing === 0, xlExitCode: 0, domain, value: core });
}
