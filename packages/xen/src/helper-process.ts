/**
 * The helper process, seen from the command.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Stream } from 'node:stream';
import type { HelperAnswer, HelperCallName, HelperCalls, HelperFailure } from './protocol.ts';
import { XenError } from './xen-error.ts';

/** What a call gave, and what the libraries logged meanwhile. */
export type CallOutcome<N extends HelperCallName> =
  | { readonly kind: 'ok'; readonly value: HelperCalls[N]['result']; readonly log: readonly string[] }
  | { readonly kind: 'failed'; readonly failure: HelperFailure; readonly log: readonly string[] };

/** What a helper gets beside its own descriptors, from 4 on: streams of this process, or descriptors. */
export type ExtraStreams = readonly (Stream | number)[];

interface Waiting {
  readonly resolve: (answer: HelperAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** How long a helper may take to undo what is unfinished: libxl waits ten seconds for a device, and more than once. */
const PATIENCE_MS = 120_000;

/** More than this much of a log is not kept. */
const LOG_LIMIT = 1024 * 1024;

/** The file that takes what the helper and the libraries write to the standard error stream. */
class LogFile {
  readonly fd: number;
  #offset = 0;

  constructor() {
    const path = join(tmpdir(), `dewar-${process.pid}-${randomUUID()}.log`);
    this.fd = openSync(path, 'ax+', 0o600);
    // Its name is not needed again, and nobody has to clean up.
    rmSync(path);
  }

  /** The lines that were written since the last time. */
  take(): string[] {
    const parts: Buffer[] = [];
    let length = 0;
    while (length < LOG_LIMIT) {
      const piece = Buffer.alloc(64 * 1024);
      const count = readSync(this.fd, piece, 0, piece.length, this.#offset);
      if (count === 0) break;
      this.#offset += count;
      length += count;
      parts.push(piece.subarray(0, count));
    }
    const lines = Buffer.concat(parts).toString('latin1').split('\n');
    return lines.map((line) => line.replace(/\r$/, '')).filter((line) => line !== '');
  }
}

/** A helper that runs. */
export class HelperProcess {
  readonly #child: ChildProcess;
  readonly #log: LogFile;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: XenError | undefined;
  readonly #exit: Promise<void>;
  #closed: Promise<void> | undefined;

  readonly #patienceMs: number;

  /** Starts a helper: `file` is the script, run by this Node. `streams` become its descriptors from 4 on. */
  constructor(file: string, patienceMs: number = PATIENCE_MS, streams: ExtraStreams = []) {
    this.#patienceMs = patienceMs;
    this.#log = new LogFile();
    // A session of its own: what a terminal sends to the command does not reach libxl in the middle of a build.
    this.#child = spawn(process.execPath, [file], {
      stdio: ['pipe', this.#log.fd, this.#log.fd, 'pipe', ...streams],
      detached: true,
    });
    this.#exit = new Promise((resolve) => {
      const end = (reason: string, cause?: unknown): void => {
        this.#end(reason, cause);
        resolve();
      };
      this.#child.once('error', (error) => end('could not be started', error));
      this.#child.once('exit', (code, signal) =>
        end(signal === null ? `ended with status ${code}` : `was ended by ${signal}`),
      );
    });
    // A helper that is gone is noticed by its exit; a write to it that fails says nothing more.
    this.#child.stdin?.on('error', () => undefined);
    // Descriptor 3 is a pipe, as asked for above.
    const answers = createInterface({ input: this.#child.stdio[3] as Readable });
    answers.on('line', (line) => this.#take(line));
  }

  /** Its number; undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  #take(line: string): void {
    let answer: HelperAnswer;
    try {
      // The helper is a part of this program: its lines are what the type says, but for the last of one that was killed.
      answer = JSON.parse(line) as HelperAnswer;
    } catch (error) {
      this.#end('ended in the middle of an answer', error);
      this.#child.kill('SIGKILL');
      return;
    }
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    waiting?.resolve(answer);
  }

  #end(reason: string, cause: unknown): void {
    const said = this.#log.take();
    const last = said.length === 0 ? '' : `: ${said.slice(-3).join('; ')}`;
    this.#ended ??= new XenError('helper-ended', `the process that works with libxl ${reason}${last}`, cause);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }

  /** Has the helper do something, once what it was asked before is done. */
  async call<N extends HelperCallName>(call: N, params: HelperCalls[N]['params']): Promise<CallOutcome<N>> {
    if (this.#ended !== undefined) throw this.#ended;
    const id = this.#nextId++;
    const answer = await new Promise<HelperAnswer>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, call, params })}\n`);
    });
    const log = this.#log.take();
    if (!answer.ok) return { kind: 'failed', failure: answer.failure, log };
    // What the helper gives back for a call is what the table says.
    return { kind: 'ok', value: answer.value as HelperCalls[N]['result'], log };
  }

  /**
   * Lets the helper end: it first undoes what is unfinished. Resolves when it is gone; one that hangs in a library, or
   * in Xen, is killed after a while.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), this.#patienceMs);
    await this.#exit;
    clearTimeout(timer);
    closeSync(this.#log.fd);
  }
}
