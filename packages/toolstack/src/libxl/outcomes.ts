/**
 * How requests about a guest end.
 *
 * @module
 */
import type { OperationReport } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { guest } from './diagnostics.ts';
import { finalState, type Operation, report } from './operation.ts';
import { reportRefusal } from './run-state.ts';

/** Xen refused it. */
export function failedOn<T>(operation: Operation, domid: Domid, verb: string): OperationReport<T> {
  reportRefusal(operation, verb, domid);
  return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
}

/** It was done. */
export function doneOn(operation: Operation, domid: Domid): OperationReport {
  return report(operation, { isDone: true, xlExitCode: 0, domain: finalState(operation, domid) });
}

/** What Xen was not asked for, because the request makes no sense. */
export function refuse<T>(operation: Operation, domid: Domid, verb: string, reason: string): OperationReport<T> {
  operation.diagnostics.push(
    guest['operation-failed'](undefined, { operation: verb, domid }, { notes: [{ message: reason }] }),
  );
  return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
}
