/**
 * A guest on a real host, from its configuration to the running guest.
 *
 * libxl does what `@dewar/toolstack` rehearses; here it is asked, and what it made is looked at.
 *
 * @module
 */
import type { Diagnostic } from '@dewar/policy/text';
import { type CreateOptions, guestDiagnostics, type OperationReport, type RestoreOptions } from '@dewar/toolstack';
import { configToCreate, type DomainConfig, type LabelValue, printJson } from '@dewar/toolstack/xl-cfg';
import type { HelperFailure } from '../protocol.ts';
import { XenError } from '../xen-error.ts';
import { isFlaskDisabled } from './flask-operations.ts';
import { failureText, type RealOperation, rcOf } from './real-operation.ts';

/** How a guest is created on a real host. */
export interface RealCreateOptions extends CreateOptions {
  /** Holds the build before the relabel: what is to happen meanwhile. */
  readonly hold?: (domid: number) => Promise<void>;
}

/** Gives the terminal to the console of a guest; resolves when that shows what comes, to the exit status in the end. */
export type AttachConsole = (domid: number) => Promise<{ readonly ended: Promise<number> }>;

type Report = Promise<OperationReport>;

/** Labels have no effect without FLASK; xl warns and goes on, Dewar does not begin. */
async function labelsIgnored(operation: RealOperation, { labels }: DomainConfig): Promise<boolean> {
  const named = labels.run ?? labels.build;
  if (named === undefined) return false;
  if (!(await isFlaskDisabled(operation))) return false;
  const reason = 'FLASK is disabled on this host; nothing was created';
  operation.diagnostics.push(guestDiagnostics['label-ignored'](named.origin, { label: named.text, reason }));
  return true;
}

/** Builds a guest and, unless asked not to, starts it. */
export async function createGuest(
  operation: RealOperation,
  config: DomainConfig,
  options: RealCreateOptions,
  { adviseAfterCrash, attach }: { readonly adviseAfterCrash: () => Promise<string>; readonly attach: AttachConsole },
): Report {
  if (await labelsIgnored(operation, config)) return operation.report({ isDone: false, xlExitCode: 1 });
  const uuid = config.uuid ?? options.uuid;
  const { hold } = options;
  const { run, ...labels } = config.labels;
  const isHeld = hold !== undefined && run !== undefined;
  const built: DomainConfig = isHeld ? { ...config, uuid, labels: { ...labels, run: undefined } } : { ...config, uuid };
  try {
    const outcome = await operation.callStep('libxl builds the guest', 'domain.create', {
      json: printJson(configToCreate(built)),
    });
    if (outcome.kind === 'failed') return await buildFailed(operation, config, uuid, outcome.failure);
    const { domid } = outcome.value;
    if (isHeld) {
      await hold(domid);
      const relabelled = await operation.callStep(`domain ${domid} is relabelled`, 'domain.relabel', {
        domid,
        label: run.text,
      });
      if (relabelled.kind === 'failed') {
        const notes = operation.notesOn(relabelled.failure);
        await operation.call('domain.destroy', { domid });
        const { name } = config;
        operation.diagnostics.push(
          guestDiagnostics['relabel-denied'](run.origin, { guest: name, label: run.text }, { notes }),
        );
        return operation.report({ isDone: false, xlExitCode: 3, domain: await operation.stateOf(domid) });
      }
    }
    return await start(operation, domid, config.labels, options, attach);
  } catch (error) {
    if (!(error instanceof XenError) || error.code !== 'helper-ended') throw error;
    throw new XenError('helper-ended', `${error.message}; ${await adviseAfterCrash()}`, error);
  }
}

/** Sees to it that the guest has the label that was asked for, and starts it. */
async function start(
  operation: RealOperation,
  domid: number,
  { build, run }: { readonly build: LabelValue | undefined; readonly run: LabelValue | undefined },
  { paused = false, onConsole }: CreateOptions,
  attach: AttachConsole,
): Report {
  const state = await operation.stateOf(domid);
  const wanted = run ?? build;
  if (wanted !== undefined && state?.label !== undefined && state.label !== wanted.text) {
    const reason = `the guest has the label \`${state.label}\`; it was destroyed`;
    operation.diagnostics.push(guestDiagnostics['label-ignored'](wanted.origin, { label: wanted.text, reason }));
    await operation.call('domain.destroy', { domid });
    return operation.report({ isDone: false, xlExitCode: 1, domain: await operation.stateOf(domid) });
  }
  if (build !== undefined && run !== undefined) {
    const change = { from: build.text, to: run.text, step: operation.stepCount - 1 };
    // Xen numbers domains; who has pages mapped, a real host cannot tell.
    operation.labelChanges.push({ domid: state?.domid ?? (domid as never), ...change, openMappings: [] });
  }
  const console = onConsole === undefined ? undefined : await attach(domid);
  const title = paused ? 'the guest stays paused' : 'libxl starts the guest';
  const started = await operation.callStep(title, 'domain.finish', { domid, isPaused: paused });
  // What came of the console has no say in the exit status.
  await console?.ended;
  // XEN: xl ends with 0 when the guest could not be started.
  if (started.kind === 'failed') return operation.refused(domid, 'unpause', started.failure, 0);
  return operation.report({ isDone: true, xlExitCode: 0, domain: await operation.stateOf(domid) });
}

/** The label that libxl's log complains of. It calls the first one `init_seclabel`, however the user wrote it. */
function invalidLabel(operation: RealOperation, { labels }: DomainConfig): LabelValue | undefined {
  if (operation.messages.some((line) => line.includes(': Invalid init_seclabel: '))) return labels.build;
  return operation.messages.some((line) => line.includes(': Invalid seclabel: ')) ? labels.run : undefined;
}

/** Why a build failed. */
function diagnose(operation: RealOperation, config: DomainConfig, failure: HelperFailure): Diagnostic {
  const { name } = config;
  const notes = operation.notesOn(failure);
  const label = invalidLabel(operation, config);
  if (label !== undefined) {
    return operation.denials.length > 0
      ? guestDiagnostics['label-not-asked'](label.origin, { label: label.text }, { notes })
      : guestDiagnostics['invalid-label'](label.origin, { label: label.text, reason: 'Xen does not know it' });
  }
  const { run } = config.labels;
  const relabel = new Set(['relabelfrom', 'relabelto', 'transition']);
  if (run !== undefined && operation.denials.some(({ permissions }) => permissions.some((one) => relabel.has(one)))) {
    return guestDiagnostics['relabel-denied'](run.origin, { guest: name, label: run.text }, { notes });
  }
  // XEN: `console_xswait_callback`.
  if (operation.messages.some((line) => line.includes(' console tty: timed out')))
    return guestDiagnostics['console-timeout'](undefined, { guest: name }, { notes });
  if (operation.messages.some((line) => /Domain with name .* already exists/.test(line)))
    return guestDiagnostics['name-taken'](undefined, { name });
  return guestDiagnostics['step-failed'](undefined, { guest: name, step: 'the build by libxl' }, { notes });
}

/** libxl destroys what it could not build; what it may not destroy stays, without a name. */
async function buildFailed(
  operation: RealOperation,
  config: DomainConfig,
  uuid: string,
  failure: HelperFailure,
): Report {
  operation.diagnostics.push(diagnose(operation, config, failure));
  const list = await operation.call('domain.list', {});
  const left = list.kind === 'ok' ? list.value.find((domain) => domain.uuid === uuid && !domain.isDying) : undefined;
  const domain = left === undefined ? undefined : await operation.stateOf(left.domid);
  if (domain !== undefined) {
    const label = domain.label ?? '?';
    operation.diagnostics.push(guestDiagnostics.stranded(undefined, { domid: domain.domid, label }));
  }
  const rc = rcOf(failure);
  return operation.report({ isDone: false, xlExitCode: rc === -1 ? 1 : -rc, domain });
}

/** Builds a guest from a file that `save` has written. */
export async function restoreGuest(operation: RealOperation, options: RestoreOptions, attach: AttachConsole): Report {
  const { file = '', config, uuid } = options;
  const json = config === undefined ? undefined : printJson(configToCreate({ ...config, uuid: config.uuid ?? uuid }));
  const outcome = await operation.callStep(`libxl restores the guest in ${file}`, 'domain.restore', { file, json });
  if (outcome.kind === 'failed') {
    const { failure } = outcome;
    const reason = failureText(failure);
    if (failure.kind === 'refused' || (failure.kind === 'errno' && failure.call === 'open'))
      operation.diagnostics.push(guestDiagnostics['not-saved'](undefined, { file, reason }));
    else {
      const notes = operation.notesOn(failure);
      const request = `restore the guest in \`${file}\``;
      operation.diagnostics.push(guestDiagnostics['request-failed'](undefined, { operation: request }, { notes }));
    }
    return operation.report({ isDone: false, xlExitCode: 1 });
  }
  const { domid } = outcome.value;
  const labels = { build: config?.labels.build, run: config?.labels.run };
  return start(operation, domid, labels, options, attach);
}
