/**
 * A guest on a real host that is written to a file: saved, or its core dumped.
 *
 * @module
 */
import {
  type CoreDump,
  type Domid,
  guestDiagnostics,
  type OperationReport,
  type SavedGuest,
  type SaveOptions,
} from '@dewar/toolstack';
import { type RealOperation, rcOf } from './real-operation.ts';

/** Writes the core of a domain to `file`. */
export async function dumpCore(
  operation: RealOperation,
  domid: number,
  file: string,
): Promise<OperationReport<CoreDump>> {
  const outcome = await operation.callStep(`libxl writes the core of domain ${domid}`, 'domain.dumpCore', {
    domid,
    file,
  });
  const state = await operation.stateOf(domid);
  if (outcome.kind === 'failed') {
    const rc = rcOf(outcome.failure);
    operation.messages.push(`core dump failed (rc=${rc})`);
    return operation.refused(domid, 'dump the core of', outcome.failure, 1);
  }
  const value: CoreDump = {
    // Xen numbers domains.
    domid: domid as Domid,
    pages: (state?.memoryMib ?? 0) * 256,
    vcpus: state?.vcpus ?? 0,
    addressSize: 64,
    bytesWritten: outcome.value.bytes,
  };
  return operation.report({ isDone: true, xlExitCode: 0, domain: state, value });
}

/** Writes a guest to a file, in the format of xl; without one there is nowhere to write to. */
export async function saveDomain(
  operation: RealOperation,
  domid: number,
  { file = '/dev/null', checkpoint, leavePaused }: SaveOptions,
): Promise<OperationReport<SavedGuest>> {
  // XEN: xl has the kernel of dom0 suspend itself, at which Xen boots the machine anew (`hwdom_shutdown`).
  if (domid === 0) {
    operation.diagnostics.push(guestDiagnostics['is-dom0'](undefined, { operation: 'save' }));
    return operation.report({ isDone: false, xlExitCode: 1, domain: await operation.stateOf(0) });
  }
  const after = leavePaused === true ? 'resume-paused' : checkpoint === true ? 'resume' : 'destroy';
  const outcome = await operation.callStep(`libxl saves domain ${domid}`, 'domain.save', { domid, file, after });
  if (outcome.kind === 'failed') {
    operation.messages.push('Failed to save domain, resuming domain');
    return operation.refused(domid, 'save', outcome.failure, 1);
  }
  const { configBytes } = outcome.value;
  operation.messages.push(`Saving to ${file} new xl format (info 0x3/0x0/${configBytes})`);
  return operation.report({ isDone: true, xlExitCode: 0, domain: await operation.stateOf(domid) });
}
