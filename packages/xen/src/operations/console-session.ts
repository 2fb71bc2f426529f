/**
 * The terminal of this process, given to the console of a guest.
 *
 * What shows the console is a program of libxl's own, which knows the terminals and sets them up. The helper script becomes
 * it, as xl does: so the terminal, and the signals that its keys send, are the same as under xl, and so is the exit status.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { ConsoleChoice, GuestConsole, OperationReport } from '@dewar/toolstack';
import type { RealOperation } from './real-operation.ts';

/** Which console: of the domain; or the first one of a guest, as libxl knows it. */
export interface ConsoleTarget {
  readonly domid: number;
  readonly choice: { readonly type: string; readonly number: number } | undefined;
}

/** Where the console reads and writes. */
export type ConsoleStreams = readonly ['ignore' | 'pipe', 'pipe', 'pipe'] | readonly ['inherit', 'inherit', 'inherit'];

/** A console that somebody looks at. */
export interface ConsoleSession {
  readonly process: ChildProcess;
  /** Resolves when the console shows what comes, or has ended without. */
  readonly ready: Promise<void>;
  /** The exit status, as a shell tells it. */
  readonly ended: Promise<number>;
  /** Gives the terminal back, as it was. */
  close(): void;
}

/** Starts it. `helperFile` is the script that works with libxl. */
export function openConsole(
  helperFile: string,
  release: string,
  { domid, choice }: ConsoleTarget,
  streams: ConsoleStreams = ['inherit', 'inherit', 'inherit'],
): ConsoleSession {
  const which = choice === undefined ? [] : [choice.type, String(choice.number)];
  const child = spawn(process.execPath, [helperFile, 'console', release, String(domid), ...which], {
    // XEN: xenconsole writes a byte to the last one when it has the terminal (`--start-notify-fd`).
    stdio: [...streams, 'pipe'],
  });
  const notify = child.stdio[3];
  const ready = new Promise<void>((resolve) => {
    notify?.once('readable', () => resolve()).once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  });
  return {
    process: child,
    ready,
    ended,
    // XEN: xenconsole catches this one, and restores the terminal (`tools/console/client/main.c`).
    close: () => void child.kill('SIGTERM'),
  };
}

/** Shows a console until it is left; its exit status is that of the report. */
export async function showConsole(
  operation: RealOperation,
  domid: number,
  { type, number = 0 }: ConsoleChoice,
  open: (target: ConsoleTarget) => ConsoleSession,
): Promise<OperationReport<GuestConsole>> {
  const session = open({ domid, choice: type === undefined ? undefined : { type, number } });
  const code = await operation.step(`xenconsole shows the console of domain ${domid}`, async () => {
    const value = await session.ended;
    return { outcome: value === 0 ? 'done' : 'failed', value };
  });
  return operation.report({ isDone: code === 0, xlExitCode: code, domain: await operation.stateOf(domid) });
}
