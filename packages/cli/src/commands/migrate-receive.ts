/**
 * `dewar migrate-receive`: the other side of a migration to a real host, started there by whoever sends the guest. Its input
 * and its output are for the two sides alone; words for people go to the standard error stream.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import type { Arrival, XenHost } from '@dewar/xen';
import { EXIT, UsageError } from '../failures.ts';
import { type HostChoice, meansRealHost, useRealHost } from '../host-session.ts';
import { printLine, safeLine, type Terminal } from '../terminal.ts';
import { answer } from './lifecycle.ts';
import { rehearseArrival } from './rehearse-migration.ts';
import { mayFollow } from './tell-rehearsal.ts';

export interface ReceiveFlags extends HostChoice {
  readonly isPaused: boolean;
  /** Take the guest in although the rehearsal was refused. */
  readonly isForced: boolean;
}

export async function runMigrateReceive(flags: ReceiveFlags, terminal: Terminal): Promise<number> {
  if (!(await meansRealHost({ ...flags, policy: undefined })))
    throw new UsageError('guests come to simulated hosts with `dewar migrate` alone');
  const { isPaused } = flags;
  // The sender may go while there is still something to say, to nobody then.
  if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => undefined);
  const tell = (line: string): void => printLine(terminal.err, safeLine(line));
  return useRealHost(terminal, async (host) => {
    const streams = terminal.migrationStreams ?? [0, 1];
    const approve = (arrival: Arrival): Promise<boolean> => mayComeIn(host, arrival, flags, terminal);
    const report = await host.receive(streams, { isPaused, tell }, approve);
    const code = answer(report, { ...flags, isJson: false, isVerbose: false }, terminal, () => undefined);
    if (code === EXIT.done)
      tell('note: nobody waits for the end of this guest, as the daemon of xl does: when it stops, it stays');
    return code;
  });
}

/** Rehearses it, and says what would be refused. */
async function mayComeIn(
  host: XenHost,
  arrival: Arrival,
  { policy, isForced, isPaused }: ReceiveFlags,
  terminal: Terminal,
): Promise<boolean> {
  const rehearsal = await rehearseArrival(host, arrival.json, { policy, isPaused, uuid: randomUUID() }, terminal);
  const left =
    'nothing was built: that was a rehearsal under the policy of this host; `--force` takes the guest in nevertheless';
  return mayFollow(rehearsal, { isForced, goesOn: 'the guest is taken in', left }, terminal);
}
