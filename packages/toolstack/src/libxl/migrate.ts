/**
 * `xl migrate`: a guest goes from one host to another. One operation on each side, in step.
 *
 * What travels is the configuration, with labels as text, then the memory while the guest runs, then what is left once
 * it has suspended itself. The target resolves the labels and makes its domain before any of that is read, so a label
 * that it does not know ends the migration while the guest still runs where it was.
 *
 * Follows Xen `tools/xl/xl_migrate.c`, `migrate_domain`, `migrate_receive`.
 *
 * @module
 */
import type { MigrateOptions, Migration, OperationReport } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { constructGuest } from './construct.ts';
import { checkLabelsInEffect } from './create-labels.ts';
import { destroyDomain, logDestroyFailed, reportLeftovers } from './destroy.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { type GuestConfig, guestConfigOf } from './guest-config.ts';
import { startBuilt } from './guest-run.ts';
import type { Progress } from './make-domain.ts';
import { finalState, findDomain, type Operation, report, startXl } from './operation.ts';
import { builderFrom } from './restore.ts';
import { renameDomain } from './run-state.ts';
import { GuestWriter, type Stop, savingMessage } from './save.ts';
import { savedLength } from './stored-json.ts';
import { resumeGuest } from './suspend-guest.ts';

/** The two sides. */
interface Sides {
  readonly source: Operation;
  readonly target: Operation;
}

/** The domain on the target, once it is built. */
interface Arrival {
  readonly domid: Domid;
  readonly config: GuestConfig;
}

/** `xl migrate` on the one host, and `xl migrate-receive`, which it starts on the other. */
export function migrateGuest(sides: Sides, text: string, options: MigrateOptions): Migration {
  const { source, target } = sides;
  const domid = findDomain(source, text);
  if (domid === undefined) return { source: report(source, { isDone: false, xlExitCode: 1 }), target: undefined };
  const writer = new GuestWriter(source, domid);
  const stored = options.config === undefined ? writer.readConfig('migration stream') : undefined;
  if (options.config === undefined && stored === undefined) {
    source.messages.push('No config file stored for running domain and none supplied - cannot migrate.');
    return { source: failSource(source, domid, writer.stop), target: undefined };
  }
  // XEN: with a configuration at hand xl does not ask for the one that libxl has.
  const own = stored ?? readOverride(source, options.config);
  const type = source.state.guests.get(domid)?.config?.type ?? own?.type;
  if (own === undefined || own.type !== type) {
    const name = source.state.guests.get(domid)?.name ?? text;
    source.diagnostics.push(guest['bad-request'](undefined, { guest: name, reason: `it is a ${type} guest` }));
    return {
      source: report(source, { isDone: false, xlExitCode: 1, domain: finalState(source, domid) }),
      target: undefined,
    };
  }
  const name = own.name;
  const arrival = receive(target, own, writer, options.uuid);
  if (arrival.kind === 'failed') return giveUp(sides, domid, writer, arrival);
  const { config } = arrival;
  const arrived: Arrival = { domid: arrival.domid, config };
  source.messages.push('migration sender: Target has acknowledged transfer.');
  // XEN: what comes with the configuration may be called otherwise, but the sender renames what it has.
  const before = source.state.guests.get(domid)?.name;
  if (before !== undefined && !renameDomain(source, domid, `${before}--migratedaway`)) {
    source.messages.push('Migration failed, resuming at sender.');
    resumeGuest(source, domid);
    // XEN: the receiver reads no permission, and ends with its domain paused under the name of one that comes in.
    target.messages.push('migration target: Failure, destroying our copy.');
    destroyCopy(target, arrived.domid);
    return { source: failSource(source, domid, undefined), target: failTarget(target, arrived.domid) };
  }
  source.messages.push('migration sender: Giving target permission to start.');
  target.messages.push('migration target: Got permission, starting domain.');
  const rc = start(target, arrived, name, options.paused === true);
  if (rc !== 0) return takeBack(sides, domid, arrived, before, rc);
  target.messages.push('migration target: Domain started successsfully.');
  source.messages.push('migration sender: Target reports successful startup.');
  const destruction = destroyDomain(source, domid);
  if (destruction.rc !== 0) logDestroyFailed(source, domid);
  const isGone = reportLeftovers(source, domid, destruction);
  source.messages.push('Migration successful.');
  const isInEffect = checkLabelsInEffect(target, config, arrived.domid);
  return {
    // XEN: the sender does not look at how the destroy went.
    source: report(source, { isDone: isGone, xlExitCode: 0, domain: finalState(source, domid) }),
    target: report(target, { isDone: isInEffect, xlExitCode: 0, domain: finalState(target, arrived.domid) }),
  };
}

/** The configuration that is to go in the place of the stored one; it is read as any other. */
function readOverride(source: Operation, config: MigrateOptions['config']): GuestConfig | undefined {
  if (config === undefined) return undefined;
  source.recorder.step('xl reads the configuration that is to go with the guest', 'xl', () => {
    source.recorder.ask('xl', 'sysctl.physinfo', {});
    return 'done';
  });
  const own = guestConfigOf(config);
  source.messages.push(savingMessage('migration stream', own));
  return own;
}

/** The target makes its domain, fills it with what the sender reads, and relabels it; it stays paused. */
function receive(
  target: Operation,
  own: GuestConfig,
  writer: GuestWriter,
  uuid: string,
): Progress & { readonly config: GuestConfig } {
  target.messages.push(
    'migration target: Ready to receive domain.',
    `Loading new save file <incoming migration stream> (new xl fmt info 0x3/0x0/${savedLength(own.json)})`,
    ' Savefile contains xl domain config in JSON format',
    'Parsing config from <saved>',
  );
  target.recorder.step('xl starts and reads the configuration that comes in', 'xl', () => {
    startXl(target);
    return 'done';
  });
  // XEN: both work at a time. The sender's first look needs nothing of the target, and the memory waits for it.
  const hasBegun = writer.begin();
  const config: GuestConfig = { ...own, name: `${own.name}--incoming` };
  const build = builderFrom({
    pages: writer.pages,
    bringMemory: () => hasBegun && writer.readLive(),
    bringState: () => writer.readSuspended(true),
  });
  const made = constructGuest(target, config, { uuid, isWatched: true, build });
  writer.end();
  if (made.kind === 'failed') target.messages.push(`migration target: Domain creation failed (code ${made.rc}).`);
  else target.messages.push('migration target: Transfer complete, requesting permission to start domain.');
  return { ...made, config };
}

/** The target got its permission: the guest gets its name and runs. Answers libxl's return code. */
function start(target: Operation, { domid }: Arrival, name: string, isPaused: boolean): number {
  if (!renameDomain(target, domid, name)) return -6;
  // What becomes of it afterwards, the sender does not wait for.
  return startBuilt(target, domid, { isPaused }).isStarted ? 0 : -3;
}

function destroyCopy(target: Operation, domid: Domid): boolean {
  const destruction = destroyDomain(target, domid);
  if (destruction.rc !== 0) logDestroyFailed(target, domid);
  return reportLeftovers(target, domid, destruction);
}

/** The target built no domain, or not all of it: the guest goes on where it is. */
function giveUp(
  { source, target }: Sides,
  domid: Domid,
  writer: GuestWriter,
  { rc, domid: copy }: Extract<Progress, { kind: 'failed' }>,
): Migration {
  const isSilent = writer.isGuestSilent;
  source.messages.push(`migration sender: libxl_domain_suspend failed (rc=${isSilent ? -8 : -3})`);
  if (isSilent) source.messages.push('Migration failed, failed to suspend at sender.');
  else {
    source.messages.push('Migration failed, resuming at sender.');
    // XEN: it is told to go on whether it had suspended itself or not.
    resumeGuest(source, domid);
  }
  const reason = writer.stop ?? { step: `the building of the guest on the target (code ${rc})`, refusal: undefined };
  return { source: failSource(source, domid, reason), target: failTarget(target, copy) };
}

/** The target could not start what it had built: it destroys it, and the guest goes on where it was. */
function takeBack(
  { source, target }: Sides,
  domid: Domid,
  arrived: Arrival,
  before: string | undefined,
  rc: number,
): Migration {
  const { refusal } = target.recorder;
  source.messages.push(`migration sender: Target reports startup failure (status code ${-rc}).`);
  target.messages.push('migration target: Failure, destroying our copy.');
  if (rc === -3) {
    const notes = refusalNotes(refusal);
    target.diagnostics.push(
      guest['operation-failed'](undefined, { operation: 'start', domid: arrived.domid }, { notes }),
    );
  }
  const isGone = destroyCopy(target, arrived.domid);
  if (isGone) {
    target.messages.push('migration target: Cleanup OK, granting sender permission to resume.');
    source.messages.push('migration sender: Trying to resume at our end.');
    if (before !== undefined) renameDomain(source, domid, before);
    if (resumeGuest(source, domid) === 'done') source.messages.push('migration sender: Resumed OK.');
    source.messages.push('Migration failed due to problems at target.');
  } else {
    target.messages.push('migration target: Failed to destroy our copy (code -3).');
    source.messages.push(...HANDSHAKE_FAILED);
    // XEN: the sender hears that it does not run there, and not that it may go on here.
    source.diagnostics.push(guest['fate-unknown'](undefined, { domid }));
    const left: OperationReport = report(source, { isDone: false, xlExitCode: 1, domain: finalState(source, domid) });
    return { source: left, target: failTarget(target, arrived.domid) };
  }
  const stop: Stop = { step: 'the start of the guest on the target', refusal: undefined };
  return { source: failSource(source, domid, stop), target: failTarget(target, arrived.domid) };
}

/** What the sender prints when nobody knows whether the guest runs there. XEN: `failed_badly`. */
export const HANDSHAKE_FAILED: readonly string[] = [
  '** Migration failed during final handshake **',
  'Domain state is now undefined !',
  'Please CHECK AT BOTH ENDS for running instances, before renaming and',
  ' resuming at most one instance.  Two simultaneous instances of the domain',
  ' would probably result in SEVERE DATA LOSS and it is now your',
  ' responsibility to avoid that.  Sorry.',
];

function failSource(source: Operation, domid: Domid, stop: Stop | undefined): OperationReport {
  const notes = stop === undefined ? [] : [{ message: `${stop.step} failed` }, ...refusalNotes(stop.refusal)];
  source.diagnostics.push(guest['operation-failed'](undefined, { operation: 'migrate', domid }, { notes }));
  return report(source, { isDone: false, xlExitCode: 1, domain: finalState(source, domid) });
}

function failTarget(target: Operation, domid: Domid | undefined): OperationReport {
  const domain = domid === undefined ? undefined : finalState(target, domid);
  return report(target, { isDone: false, xlExitCode: 1, domain });
}
