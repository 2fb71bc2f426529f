/**
 * The way between the two sides of a migration, and the words that they say to each other on it.
 *
 * Nothing is read ahead: what stands behind a message is for libxl. The descriptors do not block, so that who waits can be
 * told to give up.
 *
 * Follows Xen `tools/xl/xl.h`, `migrate_receiver_banner` and the three below it; `tools/xl/xl_migrate.c`,
 * `migrate_read_fixedmessage`.
 *
 * @module
 */
import { readSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CallFault } from '../call-fault.ts';

/** The receiver is there. XEN: without a zero behind it, which the others have. */
export const BANNER: Buffer = Buffer.from('xl migration receiver ready, send binary domain data.\n', 'latin1');
/** The receiver has the whole guest. */
export const READY: Buffer = Buffer.from('domain received, ready to unpause\0', 'latin1');
/** The guest is now that of who hears this, and may run there. */
export const GO: Buffer = Buffer.from('domain is yours, you are cleared to unpause\0', 'latin1');
/** A byte follows that says how the start went: 0, or libxl's number without its sign. */
export const REPORT: Buffer = Buffer.from('my copy unpause results are as follows\0', 'latin1');

/**
 * How each guest begins as libxl writes it: a header, and the record behind which libxc goes on (`libxl_sr_stream_format.h`).
 * XEN: `helper_done` of a receiver whose stream ends before that calls the same null pointer, and what it has built is left;
 * one whose stream ends behind it destroys that. In the middle of a guest these bytes make no sense, and end it as well.
 */
export const STREAM_START: Buffer = Buffer.from('LibxlFmt\0\0\0\x02\0\0\0\0\x01\0\0\0\0\0\0\0', 'latin1');

/** How often it is looked whether something came, in milliseconds: at first, and after a while. */
const [SOON, LATER] = [5, 50];
/** So much of what came instead of a message is shown. */
const SHOWN_BYTES = 60;

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
}

function refuse(reason: string): never {
  throw new CallFault({ kind: 'refused', reason });
}

/** Both directions, for one side. */
export class MigrationChannel {
  readonly #input: number;
  readonly #output: number;
  readonly #other: string;
  #isGivenUp = false;
  #isWaiting = false;

  /** `other` is how the other side is called in messages. */
  constructor(input: number, output: number, other: 'receiver' | 'sender') {
    this.#input = input;
    this.#output = output;
    this.#other = other;
  }

  /** Nobody wants to hear anything any more: who waits for something to come ends. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** Whether somebody waits for something to come. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** What is there of so many bytes; undefined where nothing has come yet, nothing at all where nothing will. */
  #take(room: Buffer): number | undefined {
    try {
      return readSync(this.#input, room, 0, room.length, null);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EAGAIN' || code === 'EINTR') return undefined;
      if (code === 'ECONNRESET' || code === 'EPIPE') return 0;
      throw error;
    }
  }

  /** Reads exactly so much; `what` is what should come. */
  async read(length: number, what: string): Promise<Buffer> {
    this.#isWaiting = true;
    try {
      return await this.#read(length, what);
    } finally {
      this.#isWaiting = false;
    }
  }

  async #read(length: number, what: string): Promise<Buffer> {
    const room = Buffer.alloc(length);
    let done = 0;
    for (let looks = 0; done < length; ) {
      if (this.#isGivenUp) refuse('the command has ended');
      const count = this.#take(room.subarray(done));
      if (count === 0) {
        const came = done === 0 ? '' : `, after ${shown(room.subarray(0, done))}`;
        refuse(`the ${this.#other} ended before ${what} came${came}`);
      }
      if (count === undefined) await delay(looks++ < 100 ? SOON : LATER);
      else [done, looks] = [done + count, 0];
    }
    return room;
  }

  /** Reads a message, which must be `expected`. */
  async expect(expected: Buffer, what: string): Promise<void> {
    const came = await this.read(expected.length, what);
    if (!came.equals(expected)) refuse(`the ${this.#other} sent ${shown(came)} instead of ${what}`);
  }

  /** Writes all of some bytes. */
  async write(bytes: Buffer, what: string): Promise<void> {
    for (let done = 0, looks = 0; done < bytes.length; ) {
      try {
        done += writeSync(this.#output, bytes, done);
        looks = 0;
      } catch (error) {
        const code = codeOf(error);
        if (code === 'EPIPE' || code === 'ECONNRESET') refuse(`the ${this.#other} is gone: it did not take ${what}`);
        if (code !== 'EAGAIN' && code !== 'EINTR') throw error;
        await delay(looks++ < 100 ? SOON : LATER);
      }
    }
  }

  /** Writes what is taken at once; whether anybody reads it does not matter. */
  tryWrite(bytes: Buffer): void {
    try {
      writeSync(this.#output, bytes);
    } catch {
      // The way is full, or nobody is there.
    }
  }

  /** Looks for a while whether the other side ends, which is not to say anything meanwhile. */
  async mustStay(forMs: number, before: string): Promise<void> {
    const room = Buffer.alloc(SHOWN_BYTES);
    for (const end = Date.now() + forMs; Date.now() < end && !this.#isGivenUp; await delay(SOON)) {
      const count = this.#take(room);
      if (count === 0) refuse(`the ${this.#other} ended before ${before}`);
      if (count !== undefined) refuse(`the ${this.#other} sent ${shown(room.subarray(0, count))} before ${before}`);
    }
  }

  /** Passes over what still comes, until the other side has ended, or for so many milliseconds. */
  async drain(patienceMs: number): Promise<void> {
    const room = Buffer.alloc(4096);
    for (const end = Date.now() + patienceMs; Date.now() < end; ) {
      const count = this.#take(room);
      if (count === 0) return;
      if (count === undefined) await delay(LATER);
    }
  }
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, SHOWN_BYTES));
}
