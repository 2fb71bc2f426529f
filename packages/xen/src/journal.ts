/**
 * The journal of a host: every change that Dewar asked for, written down before and after.
 *
 * One JSON value on a line. A line is written with one call and flushed, so that a crash leaves whole lines.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync, closeSync, fstatSync, fsyncSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** What was asked for, in the words of the operation. */
export type JournalDetails = Readonly<Record<string, string | number | boolean | undefined>>;

/** One change. */
export interface JournalEntry {
  readonly id: string;
  /** When it was begun, as ISO 8601. */
  readonly time: string;
  /** The boot of the machine that it was made in, as Linux numbers boots. */
  readonly boot: string;
  readonly user: string;
  readonly operation: string;
  readonly details: JournalDetails;
  /** `unfinished`: the command never came back to say how it went. */
  readonly outcome: 'done' | 'failed' | 'unfinished';
  readonly result: JournalDetails;
}

/** A journal is read only up to here, from its end. */
const SIZE_LIMIT = 64 * 1024 * 1024;

const NEWLINE = 0x0a;

/** Which boot of the machine this is. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

function isDetails(value: unknown): value is JournalDetails {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a file is empty, or its last line is whole. */
function endsInLine(file: number): boolean {
  const { size } = fstatSync(file);
  const last = Buffer.alloc(1);
  return size === 0 || readSync(file, last, 0, 1, size - 1) === 0 || last[0] === NEWLINE;
}

/** A change that is under way. */
export interface OpenEntry {
  /** By which `Journal.end` knows it, also in another process. */
  readonly id: string;
  /** Writes down how it went. */
  end(outcome: 'done' | 'failed', result?: JournalDetails): void;
}

/** The journal in a folder, which is made when something is written. */
export class Journal {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get #file(): string {
    return join(this.#folder, 'journal.jsonl');
  }

  #append(line: object): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const file = openSync(this.#file, 'a+', 0o600);
    try {
      // A disk that was full has left half a line, which is not to take the next one with it.
      appendFileSync(file, `${endsInLine(file) ? '' : '\n'}${JSON.stringify(line)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** Writes down what is about to be done. A change that cannot be written down is not made: this throws. */
  begin(operation: string, details: JournalDetails): OpenEntry {
    const id = randomUUID();
    const user = process.env['SUDO_USER'] ?? process.env['USER'] ?? String(process.getuid?.() ?? '?');
    this.#append({ id, time: new Date().toISOString(), boot: bootId(), user, operation, details });
    return { id, end: (outcome, result) => this.end(id, outcome, result) };
  }

  /** Writes down how a change went that this process, or another one, has begun. Throws where that cannot be. */
  end(id: string, outcome: 'done' | 'failed', result: JournalDetails = {}): void {
    this.#append({ id, end: new Date().toISOString(), outcome, result });
  }

  /** What is written, up to a limit; nothing where nothing was written yet. */
  #text(): string {
    let file: number;
    try {
      file = openSync(this.#file, 'r');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
      throw error;
    }
    try {
      const { size } = fstatSync(file);
      const room = Buffer.alloc(Math.min(size, SIZE_LIMIT));
      const count = readSync(file, room, 0, room.length, size - room.length);
      return room.toString('utf8', 0, count);
    } finally {
      closeSync(file);
    }
  }

  /** All changes, oldest first. Lines that are no entries are passed over. Throws where the journal may not be read. */
  read(): JournalEntry[] {
    const text = this.#text();
    const entries = new Map<string, JournalEntry>();
    for (const line of text.split('\n')) {
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        continue;
      }
      if (!isDetails(value)) continue;
      const members: Readonly<Record<string, unknown>> = value;
      const { id, time, boot, user, operation, details, outcome, result } = members;
      if (typeof id !== 'string') continue;
      if (typeof operation === 'string' && typeof time === 'string') {
        entries.set(id, {
          id,
          time,
          boot: String(boot),
          user: String(user),
          operation,
          details: isDetails(details) ? details : {},
          outcome: 'unfinished',
          result: {},
        });
      } else {
        const begun = entries.get(id);
        if (begun !== undefined && (outcome === 'done' || outcome === 'failed'))
          entries.set(id, { ...begun, outcome, result: isDetails(result) ? result : {} });
      }
    }
    return [...entries.values()];
  }
}
