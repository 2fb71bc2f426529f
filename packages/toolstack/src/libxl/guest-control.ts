/**
 * Shutdown and reboot: xl asks through xenstore, and the guest's kernel stops by itself.
 *
 * Follows Xen `tools/libs/light/libxl_domain.c`, `libxl__domain_pvcontrol`, and `tools/xl/xl_vmcontrol.c`,
 * `shutdown_domain`.
 *
 * @module
 */
import type { OperationReport, StopOptions } from '../host.ts';
import { type Actor, type Domid, SHUTDOWN_CODES, type ShutdownReason } from '../hypercalls.ts';
import { xenstoredOf } from './daemons.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { handleEnd } from './guest-run.ts';
import { finalState, findDomain, logNoType, lookAt, type Operation, report } from './operation.ts';
import type { AnyResult } from './recorder.ts';
import { reportRefusal } from './run-state.ts';
import { logLibxl } from './said.ts';

/** Whether the guest's kernel runs and can be talked to. */
function isListening({ recorder, state }: Operation, domid: Domid): boolean {
  const record = state.guests.get(domid);
  const isRunning = recorder.hypercalls.inspectDomain(domid)?.info.isRunning === true;
  return isRunning && record?.canAnswer === true;
}

/**
 * Has xenstored tell the guest of something that was written for it, and lets its kernel do what it then does.
 * A guest that does not run, or cannot be told, does nothing.
 */
export function tellGuest(
  operation: Operation,
  domid: Domid,
  title: string,
  act: (actor: Actor) => readonly AnyResult[],
): 'answered' | 'silent' {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  const storePort = record?.storePort;
  const port = state.xenstored.get(domid)?.port;
  if (port === undefined || storePort === undefined) return 'silent';
  // XEN: xenstored tells of what somebody watches, and a kernel that never came so far watches nothing.
  if (record?.canAnswer !== true) return 'silent';
  const told = recorder.step(`xenstored tells domain ${domid}`, 'xenstored', () =>
    recorder.askAs(xenstoredOf(state), 'event_channel_op.send', { port }).kind === 'ok' ? 'done' : 'ignored-failure',
  );
  if (told !== 'done' || !isListening(operation, domid)) return 'silent';
  let hasAnswered = false;
  recorder.step(title, 'guest kernel', () => {
    const actor: Actor = { domid, process: 'guest kernel' };
    hasAnswered = recorder.askAs(actor, 'event_channel_op.send', { port: storePort }).kind === 'ok';
    if (!hasAnswered) return 'ignored-failure';
    return act(actor).every(({ kind }) => kind === 'ok') ? 'done' : 'ignored-failure';
  });
  return hasAnswered ? 'answered' : 'silent';
}

/** How many seconds xl waits for an answer. XEN: `LIBXL_INIT_TIMEOUT` times six. */
const ANSWER_SECONDS = 60;

/**
 * What xl says of a guest that it waits for, and that has stopped. With `untilDeath`, it goes on until that is destroyed. XEN:
 * `wait_for_domain_deaths`.
 */
export function endLines(
  domid: Domid,
  reason: ShutdownReason,
  { untilDeath, isDestroyed }: { readonly untilDeath: boolean; readonly isDestroyed: boolean },
): readonly string[] {
  const stopped = `Domain ${domid} has been shut down, reason code ${SHUTDOWN_CODES[reason]}`;
  if (!untilDeath) return [stopped];
  const goesOn = [stopped, `Domain ${domid} continue waiting for death`];
  return isDestroyed ? [...goesOn, `Domain ${domid} has been destroyed`] : goesOn;
}

/** Whether a domain is gone, or about to be. XEN: libxl takes one that is dying for dead (`domain_death_xswatch_callback`). */
function isDestroyed({ recorder }: Operation, domid: Domid): boolean {
  return recorder.hypercalls.inspectDomain(domid)?.info.isDying !== false;
}

/** `xl shutdown` and `xl reboot`. */
export function stopGuest(
  operation: Operation,
  text: string,
  reason: 'poweroff' | 'reboot',
  { wait = false, force = false }: StopOptions,
): OperationReport {
  const { recorder, state } = operation;
  const verb = reason === 'reboot' ? 'reboot' : 'shutdown';
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  operation.messages.push(`${reason === 'reboot' ? 'Rebooting' : 'Shutting down'} domain ${domid}`);
  let hasDrivers = true;
  const asked = recorder.step(
    `libxl asks domain ${domid} to ${reason === 'reboot' ? 'reboot' : 'power off'}`,
    'libxl',
    () => {
      if (lookAt(operation, domid, false) !== undefined && state.guests.has(domid)) {
        if (state.guests.get(domid)?.config?.type !== 'hvm') return 'done';
        // XEN: libxl__domain_pvcontrol_available(): an HVM guest without PV drivers has set no callback.
        const callback = recorder.ask('libxl', 'hvm_op.get_param', { domid, param: 'CALLBACK_IRQ' });
        if (callback.kind === 'ok' && callback.value.value !== 0) return 'done';
        hasDrivers = callback.kind === 'error';
        if (callback.kind === 'error') {
          const place = 'libxl_domain.c:740:libxl__domain_pvcontrol_available';
          logLibxl(operation, place, `Domain ${domid}:Getting HVM callback IRQ`, callback.errno);
        }
        return 'failed';
      }
      logNoType(operation, domid);
      return 'failed';
    },
  );
  if (!hasDrivers) return pressButton(operation, domid, reason, force);
  if (asked === 'failed') {
    operation.messages.push(`${verb} failed (rc=-3)`);
    reportRefusal(operation, verb, domid);
    return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
  }
  const answer = tellGuest(operation, domid, `the kernel of domain ${domid} stops`, (actor) => [
    recorder.askAs(actor, 'sched_op.shutdown', { reason }),
  ]);
  if (answer === 'silent') {
    const { refusal } = recorder;
    const record = state.guests.get(domid);
    // XEN: what libxl has written stays there, and a kernel that only sleeps reads it when it goes on.
    if (refusal === undefined && record?.canAnswer === true) record.pendingStop = reason;
    recorder.step(`libxl waits ${ANSWER_SECONDS} s for domain ${domid}`, 'libxl', () => 'failed');
    operation.messages.push(
      "libxl: error: libxl_domain.c:854:pvcontrol_cb: guest didn't acknowledge control request: -9",
      `${verb} failed (rc=-9)`,
    );
    const notes = [
      { message: 'a guest answers only while it runs, and when its kernel could start' },
      ...refusalNotes(refusal),
    ];
    operation.diagnostics.push(guest['no-answer'](undefined, { domid, operation: verb }, { notes }));
    return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
  }
  const successor = handleEnd(operation, domid, reason);
  const isOver = isDestroyed(operation, domid);
  if (wait !== false) {
    const ended = { untilDeath: wait === 'death', isDestroyed: isOver };
    operation.messages.push('Waiting for 1 domains', ...endLines(domid, reason, ended));
  }
  if (wait === 'death' && !isOver) operation.diagnostics.push(guest['never-destroyed'](undefined, { domid }));
  // A guest may run again while the one before it is still there, dead or stranded.
  const isDone = successor.kind !== 'failed' && !operation.diagnostics.some(({ severity }) => severity === 'error');
  const left = successor.kind === 'restarted' ? successor.domid : domid;
  return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, left) });
}

/** XEN: `ERROR_NOPARAVIRT`. */
const RC_NO_PARAVIRT = -10;

/** An HVM guest without PV drivers cannot be asked: there is only its power or reset button. XEN: `shutdown_domain`. */
function pressButton(
  operation: Operation,
  domid: Domid,
  reason: 'poweroff' | 'reboot',
  isForced: boolean,
): OperationReport {
  const { recorder, messages } = operation;
  const [verb, button, trigger] =
    reason === 'reboot' ? (['reboot', 'reset', 'reset'] as const) : (['shutdown', 'power', 'power'] as const);
  const end = (isDone: boolean, xlExitCode: number): OperationReport =>
    report(operation, { isDone, xlExitCode, domain: finalState(operation, domid) });
  const why = { message: 'an HVM guest without PV drivers takes no requests' };
  if (!isForced) {
    messages.push(
      `PV control interface not available: external graceful ${verb} not possible.`,
      `Use "-F" to fallback to ACPI ${button} event.`,
      `${verb} failed (rc=${RC_NO_PARAVIRT})`,
    );
    operation.diagnostics.push(guest['no-answer'](undefined, { domid, operation: verb }, { notes: [why] }));
    return end(false, 1);
  }
  messages.push(`PV control interface not available: sending ACPI ${button} button event.`);
  const pressed = recorder.step(`libxl presses the ${button} button of domain ${domid}`, 'libxl', () => {
    const sent = recorder.ask('libxl', 'domctl.sendtrigger', { domid, trigger, vcpu: 0 });
    if (sent.kind === 'ok') return 'done';
    const words = `Domain ${domid}:Send trigger '${trigger}' failed`;
    logLibxl(operation, 'libxl_domain.c:2207:libxl_send_trigger', words, sent.errno);
    return 'failed';
  });
  if (pressed === 'failed') {
    messages.push(`${verb} failed (rc=-3)`);
    reportRefusal(operation, verb, domid);
    return end(false, 1);
  }
  // XEN: xl does not wait to see whether anyone listens; firmware does not.
  const notes = [why, { message: 'its button was pressed, and nothing in it listens' }];
  operation.diagnostics.push(guest['no-answer'](undefined, { domid, operation: verb }, { notes }));
  return end(false, 0);
}
