/**
 * Operations on a real host that are one call of libxenctrl and about no domain: FLASK's mode, booleans and policy, and
 * Xen's console.
 *
 * @module
 */
import { type BooleanState, guestDiagnostics, type OperationReport } from '@dewar/toolstack';
import type { HelperProcess } from '../helper-process.ts';
import type { HelperCallName, HelperCalls, HelperFailure } from '../protocol.ts';
import type { RealOperation } from './real-operation.ts';

/** How an operation ends that is one call. */
interface Ends<N extends HelperCallName, T> {
  readonly done: (value: HelperCalls[N]['result']) => { readonly value?: T; readonly xlExitCode?: number };
  readonly failed: (errno: string) => { readonly message: string | undefined; readonly xlExitCode: number };
}

/** Makes the call, which is to do what `verb` says. */
export async function makeOneCall<N extends HelperCallName, T>(
  operation: RealOperation,
  verb: string,
  call: N,
  params: HelperCalls[N]['params'],
  ends: Ends<N, T>,
): Promise<OperationReport<T>> {
  const outcome = await operation.callStep(`libxenctrl is to ${verb}`, call, params);
  if (outcome.kind === 'ok') {
    const { value, xlExitCode = 0 } = ends.done(outcome.value);
    return operation.report({ isDone: true, xlExitCode, value });
  }
  return endFailed(operation, verb, outcome.failure, ends.failed);
}

/** A call that came to nothing, in the words of xl and in Dewar's own. */
function endFailed<T>(
  operation: RealOperation,
  verb: string,
  failure: HelperFailure,
  failed: Ends<HelperCallName, T>['failed'],
): OperationReport<T> {
  const errno = failure.kind === 'errno' ? failure.errno : '';
  const { message, xlExitCode } = failed(errno);
  if (message !== undefined) operation.messages.push(message);
  const notes = operation.notesOn(failure);
  if (errno === 'ENOSYS') notes.push({ message: 'FLASK is disabled on this host' });
  operation.diagnostics.push(guestDiagnostics['request-failed'](undefined, { operation: verb }, { notes }));
  return operation.report({ isDone: false, xlExitCode });
}

/** Xen's console ring as a whole; `operation` begins at the oldest that there is. */
export async function readLog(operation: RealOperation, isCleared: boolean): Promise<OperationReport<string>> {
  const text = await operation.readRing();
  if (text !== undefined) {
    if (isCleared) await operation.call('ring.read', { index: 0, clear: true });
    return operation.report({ isDone: true, xlExitCode: 0, value: text });
  }
  return makeOneCall<'ring.read', string>(
    operation,
    'read the console ring',
    'ring.read',
    { index: 0, clear: false },
    { done: ({ text: value }) => ({ value }), failed: () => ({ message: undefined, xlExitCode: 1 }) },
  );
}

/** Whether FLASK is enforcing. */
export function askMode(operation: RealOperation): Promise<OperationReport<boolean>> {
  return makeOneCall<'flask.getenforce', boolean>(
    operation,
    'ask for the mode',
    'flask.getenforce',
    {},
    {
      // XEN: `xl getenforce` makes the mode its exit status.
      done: ({ isEnforcing }) => ({ value: isEnforcing, xlExitCode: isEnforcing ? 1 : 0 }),
      failed: (errno) => ({
        message: errno === 'ENOSYS' ? undefined : 'Failed to get enforcing mode',
        xlExitCode: 255,
      }),
    },
  );
}

/** Makes FLASK enforcing or permissive. */
export function setMode(operation: RealOperation, isEnforcing: boolean): Promise<OperationReport> {
  return makeOneCall<'flask.setenforce', undefined>(
    operation,
    'set the mode',
    'flask.setenforce',
    { isEnforcing },
    {
      done: () => ({}),
      failed: (errno) => ({
        message: errno === 'ENOSYS' ? 'Flask XSM disabled' : 'error occurred while setting enforcing mode (-1)',
        xlExitCode: 255,
      }),
    },
  );
}

/** The booleans of the policy. */
export function listBooleans(operation: RealOperation): Promise<OperationReport<readonly BooleanState[]>> {
  return makeOneCall<'flask.booleans', readonly BooleanState[]>(
    operation,
    'ask for the booleans',
    'flask.booleans',
    {},
    { done: (value) => ({ value }), failed: () => ({ message: undefined, xlExitCode: 1 }) },
  );
}

/** Sets a boolean, at once. */
export async function setBoolean(operation: RealOperation, name: string, value: boolean): Promise<OperationReport> {
  const report = await makeOneCall<'flask.setBoolean', undefined>(
    operation,
    'set a boolean',
    'flask.setBoolean',
    { name, value },
    { done: () => ({}), failed: () => ({ message: undefined, xlExitCode: 1 }) },
  );
  const isUnknown = report.diagnostics.some(({ notes }) => notes.some(({ message }) => message.endsWith('ENOENT')));
  if (!isUnknown) return report;
  return { ...report, diagnostics: [guestDiagnostics['unknown-boolean'](undefined, { name })] };
}

const LOADING = 'load a policy';

/** XEN: xl loses the errno on the way and says this whatever the cause, and hands on the -1 of `xc_flask_load`. */
const loadFailed: Ends<'flask.load', undefined>['failed'] = (errno) => ({
  message: errno === 'ENOSYS' ? 'Flask XSM disabled' : 'Unable to load new Flask policy: Operation not permitted',
  xlExitCode: 255,
});

/** Puts another policy into force. */
export function loadPolicy(operation: RealOperation, bytes: Uint8Array): Promise<OperationReport> {
  const params = { bytes: Buffer.from(bytes).toString('base64') };
  const ends = { done: () => ({}), failed: loadFailed };
  return makeOneCall<'flask.load', undefined>(operation, LOADING, 'flask.load', params, ends);
}

/** How a load would end without FLASK, without one; undefined where there is FLASK. */
export async function loadHindrance(operation: RealOperation): Promise<OperationReport | undefined> {
  const { kind, ...rest } = await operation.call('flask.getenforce', {});
  if (kind === 'ok' || !('failure' in rest) || rest.failure.kind !== 'errno' || rest.failure.errno !== 'ENOSYS')
    return undefined;
  return endFailed<undefined>(operation, LOADING, rest.failure, loadFailed);
}

/** Whether Xen was booted with `flask=disabled`, or built without FLASK. */
export async function isFlaskDisabled(by: HelperProcess | RealOperation): Promise<boolean> {
  const outcome = await by.call('flask.getenforce', {});
  return outcome.kind === 'failed' && outcome.failure.kind === 'errno' && outcome.failure.errno === 'ENOSYS';
}

/** Whether the loaded policy has a label; undefined where dom0 may not ask. */
export async function knowsLabel(helper: HelperProcess, context: string): Promise<boolean | undefined> {
  const outcome = await helper.call('flask.contextToSid', { context });
  if (outcome.kind === 'ok') return true;
  const { failure } = outcome;
  return failure.kind === 'errno' && failure.errno === 'EACCES' ? undefined : false;
}
