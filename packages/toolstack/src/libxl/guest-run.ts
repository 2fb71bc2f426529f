/**
 * A guest that runs, and the xl that waits for its end: to clean up, or to build it anew.
 *
 * Follows Xen `tools/xl/xl_vmcontrol.c`, `create_domain` and `handle_domain_death`.
 *
 * @module
 */
import type { CreateOptions, OperationReport } from '../host.ts';
import type { Actor, Domid, ShutdownReason } from '../hypercalls.ts';
import type { ShutdownAction } from '../xl-cfg/index.ts';
import { attachAtCreation } from './console.ts';
import { consoleText } from './console-text.ts';
import { constructGuest } from './construct.ts';
import { settleDeaths } from './daemons.ts';
import { destroyDomain, logDestroyFailed, reportLeftovers } from './destroy.ts';
import { guest } from './diagnostics.ts';
import type { GuestConfig } from './guest-config.ts';
import { finalState, findDomain, lookAt, type Operation, report } from './operation.ts';
import { retrieveConfig } from './retrieve-config.ts';
import { coreOf, unpauseDomain } from './run-state.ts';

/** What came of starting a guest. */
export interface Start {
  /** Xen let it run, or it is paused as it should be. */
  readonly isStarted: boolean;
  /** It also runs on: its kernel did not give up at once. */
  readonly isDone: boolean;
  /** The domain that is the guest now. */
  readonly domid: Domid;
}

/** How a guest is started. */
export interface StartOptions {
  /** It is to stay paused. */
  readonly isPaused?: boolean;
  /** Attaches to its console first. */
  readonly onConsole?: CreateOptions['onConsole'] | undefined;
  /**
   * It stands for a guest that ended. When that one ends at once, too, it is left so: xl would build the next, and the next
   * after it, for ever.
   */
  readonly isSuccessor?: boolean;
}

/** Starts a guest that was built, unless it is to stay paused, and waits for its end. */
export function startBuilt(
  operation: Operation,
  domid: Domid,
  { isPaused = false, isSuccessor = false, onConsole }: StartOptions,
): Start {
  const shown = onConsole === undefined ? undefined : attachAtCreation(operation, domid);
  const isStarted = isPaused || unpauseDomain(operation, domid, 'xl starts the guest');
  if (shown !== undefined) onConsole?.({ ...shown, text: consoleText(operation, shown.domid) });
  if (!isPaused && operation.state.guests.get(domid)?.isWatched === true) {
    operation.recorder.step('xl waits for the guest to end', 'xl daemon', () => {
      lookAt(operation, domid, false);
      return 'done';
    });
  }
  if (isSuccessor) return { isStarted, isDone: isStarted && endOf(operation, domid) === undefined, domid };
  return settle(operation, domid, isStarted);
}

/** Why a guest has stopped by itself, if it has. */
function endOf({ recorder }: Operation, domid: Domid): ShutdownReason | undefined {
  return recorder.hypercalls.inspectDomain(domid)?.info.shutdownReason;
}

/** A guest whose kernel gave up as it started has been ended by it; that is no success. */
function settle(operation: Operation, domid: Domid, isStarted: boolean): Start {
  const reason = endOf(operation, domid);
  if (reason === undefined || !isStarted) return { isStarted, isDone: isStarted, domid };
  const aftermath = handleEnd(operation, domid, reason);
  return { isStarted, isDone: false, domid: ('domid' in aftermath ? aftermath.domid : undefined) ?? domid };
}

/** A kernel that goes on reads what it was asked while it was paused, and stops; answers why, if it did. */
function readPendingStop({ recorder, state }: Operation, domid: Domid): 'poweroff' | 'reboot' | undefined {
  const record = state.guests.get(domid);
  const reason = record?.pendingStop;
  const port = record?.storePort;
  if (record === undefined || reason === undefined || port === undefined) return undefined;
  record.pendingStop = undefined;
  const actor: Actor = { domid, process: 'guest kernel' };
  const stopped = recorder.step(
    `the kernel of domain ${domid} stops, as it was asked to while it was paused`,
    'guest kernel',
    () => {
      const answers = [
        recorder.askAs(actor, 'event_channel_op.send', { port }),
        recorder.askAs(actor, 'sched_op.shutdown', { reason }),
      ];
      return answers.every(({ kind }) => kind === 'ok') ? 'done' : 'ignored-failure';
    },
  );
  return stopped === 'done' ? reason : undefined;
}

/** `xl unpause`; its exit status is 0 even when it was denied. */
export function unpauseGuest(operation: Operation, text: string): OperationReport {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const hadEnded = endOf(operation, domid) !== undefined;
  const isStarted = unpauseDomain(operation, domid, `libxl unpauses domain ${domid}`);
  const asked = isStarted && !hadEnded ? readPendingStop(operation, domid) : undefined;
  if (asked !== undefined) {
    const aftermath = handleEnd(operation, domid, asked);
    const left = aftermath.kind === 'restarted' ? aftermath.domid : domid;
    const isDone = aftermath.kind !== 'failed';
    return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, left) });
  }
  const { isDone, domid: left } = hadEnded ? { isDone: isStarted, domid } : settle(operation, domid, isStarted);
  return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, left) });
}

/** What came of a guest that had stopped by itself. */
export type Aftermath =
  | { readonly kind: 'gone' }
  | { readonly kind: 'kept' }
  | { readonly kind: 'restarted'; readonly domid: Domid }
  /** What should have been done was not; `domid` is the one that was built in its place, if one was. */
  | { readonly kind: 'failed'; readonly domid?: Domid };

/** What to do when a guest has stopped that makes another of it. */
const RESTARTS: ReadonlySet<ShutdownAction> = new Set(['restart', 'coredump-restart']);

function actionFor(config: GuestConfig, reason: ShutdownReason): ShutdownAction {
  switch (reason) {
    case 'poweroff':
      return config.actions.poweroff;
    case 'reboot':
      return config.actions.reboot;
    case 'crash':
      return config.actions.crash;
    case 'watchdog':
      return config.actions.watchdog;
    case 'soft-reset':
      return config.actions.softReset;
    case 'suspend':
      return 'preserve';
  }
}

/** A guest has stopped: the daemons hear of it, and so does the xl that waits for it. */
export function handleEnd(operation: Operation, domid: Domid, reason: ShutdownReason): Aftermath {
  const { recorder, state } = operation;
  settleDeaths(recorder, state, 'xenstored and xenconsoled hear that the guest has stopped');
  const record = state.guests.get(domid);
  const config = record?.config;
  if (record?.isWatched !== true || config === undefined) return { kind: 'kept' };
  const action = actionFor(config, reason);
  recorder.step(
    `xl, which waited for domain ${domid}, hears that it has stopped (${reason}): ${action}`,
    'xl daemon',
    () => {
      lookAt(operation, domid, false);
      return 'done';
    },
  );
  switch (action) {
    case 'preserve':
      return { kind: 'kept' };
    case 'rename-restart':
    case 'soft-reset':
      operation.diagnostics.push(guest['action-not-rehearsed'](undefined, { guest: config.name, action }));
      return { kind: 'failed' };
    case 'coredump-destroy':
    case 'coredump-restart':
      // XEN: "No point crying over spilled milk, continue on failure."
      coreOf(operation, domid);
      break;
    case 'destroy':
    case 'restart':
      break;
  }
  const isRestart = RESTARTS.has(action);
  const next = isRestart ? reloadConfig(operation, domid, config) : config;
  const isGone = endGuest(operation, domid);
  return isRestart ? restart(operation, next) : { kind: isGone ? 'gone' : 'failed' };
}

/** XEN: `reload_domain_config`: what was changed since lasts; what cannot be read is taken from the start. */
function reloadConfig(operation: Operation, domid: Domid, config: GuestConfig): GuestConfig {
  let found: GuestConfig | undefined;
  operation.recorder.step('xl reads the configuration of the guest as it stands', 'xl daemon', () => {
    found = retrieveConfig(operation, domid, { isDaemon: true });
    return found === undefined ? 'ignored-failure' : 'done';
  });
  return found ?? config;
}

function endGuest(operation: Operation, domid: Domid): boolean {
  const destruction = destroyDomain(operation, domid);
  if (destruction.rc !== 0) logDestroyFailed(operation, domid);
  return reportLeftovers(operation, domid, destruction);
}

/** The guest is built anew from its stored configuration: under the first label, relabelled at the end. */
function restart(operation: Operation, config: GuestConfig): Aftermath {
  const uuid = config.uuid ?? '';
  const made = constructGuest(operation, config, { uuid, isWatched: true });
  if (made.kind === 'failed') return { kind: 'failed' };
  const { isDone, domid } = startBuilt(operation, made.domid, { isSuccessor: true });
  const end = endOf(operation, domid);
  // XEN: `create_domain` of xl waits two seconds, and begins again; there is no limit.
  if (end !== undefined && RESTARTS.has(actionFor(config, end))) {
    const what = `it ends by itself (${end}), for which its configuration says \`${actionFor(config, end)}\``;
    const notes = [{ message: what }, { message: 'xl begins again two seconds later; here it was built anew once' }];
    operation.diagnostics.push(guest['restarts-for-ever'](undefined, { guest: config.name }, { notes }));
  }
  return isDone ? { kind: 'restarted', domid } : { kind: 'failed', domid };
}
