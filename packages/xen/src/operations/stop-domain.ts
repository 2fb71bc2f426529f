/**
 * A guest on a real host that is asked to power off or to reboot, or is ended at once.
 *
 * @module
 */
import { guestDiagnostics, type OperationReport, type StopOptions } from '@dewar/toolstack';
import type { CallOutcome } from '../helper-process.ts';
import type { HelperFailure } from '../protocol.ts';
import { awaitEnds } from './await-ends.ts';
import { type RealOperation, rcOf } from './real-operation.ts';

/** XEN: `ERROR_TIMEDOUT`: the kernel of the guest did not take the request within a minute. */
const TIMED_OUT = -9;
/** XEN: `ERROR_NOPARAVIRT`: an HVM guest without PV drivers. */
const NO_PARAVIRT = -10;

/** How often a guest that was destroyed is looked at. */
const POLL_MS = 500;

/** How a request is called, and the button that an HVM guest has in its place. XEN: `libxl_trigger`. */
const WAYS = {
  shutdown: { title: 'Shutting down', button: 'power', trigger: 1 },
  reboot: { title: 'Rebooting', button: 'reset', trigger: 5 },
} as const;

const failureOf = (outcome: CallOutcome<'domain.shutdown'>): HelperFailure | undefined =>
  outcome.kind === 'failed' ? outcome.failure : undefined;

/**
 * Asks a guest to stop, and waits until it has, if that is wanted. XEN: `shutdown_domain` and `reboot_domain` of xl; libxl
 * itself waits a minute for the kernel of the guest to take the request.
 */
export async function stopDomain(
  operation: RealOperation,
  name: 'shutdown' | 'reboot',
  domid: number,
  { wait = false, force: isForced = false }: StopOptions,
): Promise<OperationReport> {
  const { title, button, trigger } = WAYS[name];
  const { messages, diagnostics } = operation;
  messages.push(`${title} domain ${domid}`);
  let failure = failureOf(
    await operation.callStep(`libxl asks domain ${domid} to ${name}`, `domain.${name}`, { domid }),
  );
  const hasNoDrivers = failure !== undefined && rcOf(failure) === NO_PARAVIRT;
  if (hasNoDrivers && isForced) {
    messages.push(`PV control interface not available: sending ACPI ${button} button event.`);
    const title = `libxl presses the ${button} button of domain ${domid}`;
    failure = failureOf(await operation.callStep(title, 'domain.trigger', { domid, trigger, vcpu: 0 }));
  } else if (hasNoDrivers) {
    messages.push(
      `PV control interface not available: external graceful ${name} not possible.`,
      `Use "-F" to fallback to ACPI ${button} event.`,
    );
  }
  if (failure !== undefined) {
    const rc = rcOf(failure);
    messages.push(`${name} failed (rc=${rc})`);
    if (rc !== TIMED_OUT && rc !== NO_PARAVIRT) return operation.refused(domid, name, failure, 1);
    const why =
      rc === NO_PARAVIRT
        ? 'an HVM guest without PV drivers takes no requests'
        : 'a guest answers only while it runs, and when its kernel could start';
    const notes = [{ message: why }, ...operation.notesOn(failure)];
    diagnostics.push(guestDiagnostics['no-answer'](undefined, { domid, operation: name }, { notes }));
    return operation.report({ isDone: false, xlExitCode: 1, domain: await operation.stateOf(domid) });
  }
  const stateOf = (one: number): ReturnType<RealOperation['stateOf']> => operation.stateOf(one);
  const tell = (line: string): unknown => messages.push(line);
  if (wait !== false) await awaitEnds(stateOf, [domid], { tell, untilDeath: wait === 'death' });
  return operation.report({ isDone: true, xlExitCode: 0, domain: await stateOf(domid) });
}

/** Xen frees memory a little later than libxl returns; a domain that is still there after so many looks is a zombie. */
const LOOKS_AFTER_DESTROY = 20;

/** Ends a guest at once. */
export async function destroyDomain(operation: RealOperation, domid: number): Promise<OperationReport> {
  if (domid === 0) {
    operation.messages.push('Not destroying domain 0; use -f to force.');
    operation.diagnostics.push(guestDiagnostics['is-dom0'](undefined, { operation: 'destroy' }));
    return operation.report({ isDone: false, xlExitCode: 1, domain: await operation.stateOf(domid) });
  }
  const outcome = await operation.callStep(`libxl destroys domain ${domid}`, 'domain.destroy', { domid });
  if (outcome.kind === 'ok') return afterDestroy(operation, domid);
  const rc = rcOf(outcome.failure);
  operation.messages.push(`destroy failed (rc=${rc})`);
  const left = await operation.stateOf(domid);
  if (left === undefined || !left.isStranded) return operation.refused(domid, 'destroy', outcome.failure, 1);
  const notes = operation.notesOn(outcome.failure);
  const label = left.label ?? '?';
  operation.diagnostics.push(guestDiagnostics.stranded(undefined, { domid, label }, { notes }));
  return operation.report({ isDone: false, xlExitCode: 1, domain: left });
}

async function afterDestroy(operation: RealOperation, domid: number): Promise<OperationReport> {
  let left = await operation.stateOf(domid);
  for (let tries = 0; left !== undefined && tries < LOOKS_AFTER_DESTROY; tries++) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    left = await operation.stateOf(domid);
  }
  if (left !== undefined) {
    const pages = left.memoryMib * 256;
    operation.diagnostics.push(guestDiagnostics.zombie(undefined, { domid, pages }));
  }
  return operation.report({ isDone: left === undefined, xlExitCode: 0, domain: left });
}
