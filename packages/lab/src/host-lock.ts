/**
 * One command at a time on a host: a lock file with the number of the process that holds it.
 *
 * The lock of a process that no longer runs is taken over.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from './lab-error.ts';

const POLL_MS = 20;

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new LabError('unreadable', `cannot read \`${path}\``, error);
  }
}

/** A lock that this process holds. */
export class HostLock {
  readonly #path: string;
  readonly #content: string;

  private constructor(path: string, content: string) {
    this.#path = path;
    this.#content = content;
  }

  /** Waits for the lock at `path`, at most `patienceMs`. */
  static async take(path: string, patienceMs: number): Promise<HostLock> {
    const content = `${process.pid} ${randomUUID()}\n`;
    const lock = new HostLock(path, content);
    const deadline = Date.now() + patienceMs;
    while (!lock.#tryTake()) {
      const held = readLock(path);
      const pid = Number.parseInt(held ?? '', 10);
      if (held !== undefined && !(pid > 0 && isRunning(pid))) lock.#remove(held);
      else if (Date.now() >= deadline) throw new LabError('busy', `process ${pid} is using this host (\`${path}\`)`);
      else await delay(POLL_MS);
    }
    return lock;
  }

  /** A link to a complete file, so that nobody ever reads a lock that is half written. */
  #tryTake(): boolean {
    const draft = `${this.#path}.${process.pid}-${randomUUID()}`;
    try {
      writeFileSync(draft, this.#content, { flag: 'wx' });
    } catch (error) {
      throw new LabError('unwritable', `cannot write \`${draft}\``, error);
    }
    try {
      linkSync(draft, this.#path);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw new LabError('unwritable', `cannot write \`${this.#path}\``, error);
    } finally {
      unlinkSync(draft);
    }
  }

  /** Removes a dead lock, unless somebody else was faster. */
  #remove(expected: string): void {
    const aside = `${this.#path}.${process.pid}-${randomUUID()}`;
    try {
      renameSync(this.#path, aside);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw new LabError('unwritable', `cannot remove \`${this.#path}\``, error);
    }
    const isExpected = readLock(aside) === expected;
    try {
      // A live lock that came in between goes back; its holder finds out if another took its place.
      if (!isExpected) linkSync(aside, this.#path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw new LabError('unwritable', `cannot write \`${this.#path}\``, error);
    } finally {
      unlinkSync(aside);
    }
  }

  /** Whether the lock is still ours. */
  get isHeld(): boolean {
    return readLock(this.#path) === this.#content;
  }

  release(): void {
    if (this.isHeld) unlinkSync(this.#path);
  }
}
