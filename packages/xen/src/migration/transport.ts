/**
 * What leads to the other host of a migration: a command of the shell, `ssh` mostly, that starts the receiver there.
 *
 * Its input and its output are those of the receiver. They are sockets, so that closing one here ends it for the helper,
 * too, which writes to it meanwhile.
 *
 * Follows Xen `tools/xl/xl_migrate.c`, `create_migration_child`, `migration_child_report`.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** What comes from a terminal is for the command, which knows when the guest is not to be let down. */
const TERMINAL_SIGNALS = "trap '' INT QUIT HUP; ";
/** So long after its end its last words may take, in milliseconds. */
const LAST_WORDS_MS = 500;

/** It runs from when it is made. */
export class MigrationTransport {
  readonly #child: ChildProcess;
  readonly #input: Writable;
  readonly #output: Readable;
  readonly #ended: Promise<number>;

  /** `tell` hears each line that it, or the receiver, says beside what the two sides say to each other. */
  constructor(command: string, tell: (line: string) => void) {
    // In the session of the command: it may ask for a password at the terminal.
    const child = spawn('sh', ['-c', `${TERMINAL_SIGNALS}${command}`], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.#input = child.stdin;
    this.#output = child.stdout;
    // Who is gone is noticed by whoever reads.
    this.#input.on('error', () => undefined);
    this.#output.on('error', () => undefined);
    createInterface({ input: child.stderr }).on('line', tell);
    const hasSaidAll = new Promise((resolve) => child.stderr.once('close', resolve));
    this.#ended = new Promise((resolve) => {
      child.once('error', () => resolve(127));
      child.once('exit', async (code, signal) => {
        // What it has started may go on, and hold this open.
        await Promise.race([hasSaidAll, delay(LAST_WORDS_MS, undefined, { ref: false })]);
        resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
      });
    });
  }

  /**
   * What a helper gets as descriptors: where the guest goes, and what the receiver says, which nobody reads here any more. It
   * stays open all the same: XEN: a receiver that cannot say how it went leaves what it has built.
   */
  get streams(): readonly [Writable, Readable] {
    return [this.#input, this.#output];
  }

  /**
   * Nothing more goes to the receiver, but for some last bytes, whoever writes; what does not end by itself then, in so many
   * milliseconds, is ended.
   */
  cut(graceMs: number, last?: Buffer): void {
    if (!this.#input.writableEnded) this.#input.end(last);
    const timer = setTimeout(() => this.#child.kill('SIGTERM'), graceMs);
    void this.#ended.then(() => clearTimeout(timer));
  }

  /** Waits until it has ended, but not for ever. Answers its exit status, as a shell tells it; undefined where it goes on. */
  async end(patienceMs: number): Promise<number | undefined> {
    this.#input.destroy();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), patienceMs);
    });
    try {
      return await Promise.race([this.#ended, late]);
    } finally {
      clearTimeout(timer);
      // A receiver that stays, to wait for the end of the guest, is not waited for.
      this.#output.destroy();
      this.#child.stderr?.destroy();
      this.#child.unref();
    }
  }
}
