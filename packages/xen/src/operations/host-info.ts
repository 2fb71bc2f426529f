/**
 * What `xl info` tells of a real host.
 *
 * @module
 */
import { guestDiagnostics, type HostInfo, type OperationReport } from '@dewar/toolstack';
import type { RealOperation } from './real-operation.ts';

/** Asks libxl about the host. */
export async function askHostInfo(operation: RealOperation): Promise<OperationReport<HostInfo>> {
  const outcome = await operation.callStep('libxl asks about the host', 'host.info', {});
  if (outcome.kind === 'failed') {
    const notes = operation.notesOn(outcome.failure);
    operation.diagnostics.push(
      guestDiagnostics['request-failed'](undefined, { operation: 'ask about the host' }, { notes }),
    );
    return operation.report({ isDone: false, xlExitCode: 0 });
  }
  const { major, minor, extra, scheduler, cpus, totalPages, freePages, pageSize } = outcome.value;
  const mib = (pages: number): number => Math.floor((pages * pageSize) / 1024 ** 2);
  const value: HostInfo = {
    release: `${major}.${minor}`,
    extraVersion: extra,
    scheduler,
    cpus,
    totalMib: mib(totalPages),
    freeMib: mib(freePages),
  };
  return operation.report({ isDone: true, xlExitCode: 0, value });
}
