/**
 * Follows the console ring of Xen, line by line, and notices what it lost.
 *
 * Follows: Xen `xen/drivers/char/console.c`, `conring_puts` and `read_console_ring`: the oldest text makes room for the
 * newest, and whoever asks for a place that is gone gets the oldest that is left.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { HelperProcess } from './helper-process.ts';

/** What came since the last time. */
export interface LogPiece {
  /** Whole lines. */
  readonly text: string;
  /** Characters that were gone before they were read: the ring was full, or somebody cleared it. */
  readonly lost: number;
}

/** Where operations read what Xen has logged meanwhile. */
export interface LogSource {
  /** What has come since the last time; undefined where dom0 may not read the console. */
  read(): Promise<LogPiece | undefined>;
}

/** One look at the ring. */
interface Taken {
  readonly piece: LogPiece;
  /** There was no more of it then. */
  readonly isEnd: boolean;
}

/** Looks until the end is seen once. What comes meanwhile is no part of it: guests that are at work may write all the time. */
async function readToEnd(take: () => Promise<Taken | undefined>): Promise<LogPiece | undefined> {
  let [text, lost] = ['', 0];
  for (;;) {
    const taken = await take();
    if (taken === undefined) return undefined;
    text += taken.piece.text;
    lost += taken.piece.lost;
    if (taken.isEnd) return { text, lost };
  }
}

/** A line that is longer is handed out in parts; Xen's own are at most 1 KiB. */
const LINE_LIMIT = 64 * 1024;

/** A reader of the ring with a place of its own in it. */
export class LogFollower implements LogSource {
  readonly #helper: HelperProcess;
  #index = 0;
  /** The beginning of a line whose end is not there yet. */
  #begun = '';

  /** @internal Use `XenHost.followLog`. */
  constructor(helper: HelperProcess) {
    this.#helper = helper;
  }

  /** Passes over all that is there. Answers false where dom0 may not read the console. */
  async skip(): Promise<boolean> {
    for (;;) {
      const outcome = await this.#helper.call('ring.read', { index: this.#index, clear: false });
      if (outcome.kind === 'failed') return false;
      this.#index = outcome.value.index;
      if (outcome.value.isEnd) return true;
    }
  }

  /** What has come since, at most about a megabyte; undefined where dom0 may not read the console. */
  async next(): Promise<LogPiece | undefined> {
    return (await this.#take())?.piece;
  }

  /** All that has come since. */
  read(): Promise<LogPiece | undefined> {
    return readToEnd(() => this.#take());
  }

  async #take(): Promise<Taken | undefined> {
    const outcome = await this.#helper.call('ring.read', { index: this.#index, clear: false });
    if (outcome.kind === 'failed') return undefined;
    const { text, index, lost, isEnd } = outcome.value;
    this.#index = index;
    // What was begun before a gap has no end any more.
    const all = lost === 0 ? this.#begun + text : `${this.#begun}\n${text}`;
    const end = all.length - all.lastIndexOf('\n') > LINE_LIMIT ? all.length : all.lastIndexOf('\n') + 1;
    this.#begun = all.slice(end);
    return { piece: { text: all.slice(0, end), lost }, isEnd };
  }
}

/** Reads the ring when it is asked to, and only then. */
export class RingReader implements LogSource {
  readonly #helper: HelperProcess;
  #index: number | undefined;

  constructor(helper: HelperProcess) {
    this.#helper = helper;
  }

  read(): Promise<LogPiece | undefined> {
    return readToEnd(() => this.#take());
  }

  async #take(): Promise<Taken | undefined> {
    const outcome = await this.#helper.call('ring.read', { index: this.#index ?? 0, clear: false });
    if (outcome.kind === 'failed') return undefined;
    const { text, index, lost, isEnd } = outcome.value;
    // Before the first time nothing is missed.
    const piece = { text, lost: this.#index === undefined ? 0 : lost };
    this.#index = index;
    return { piece, isEnd };
  }
}

/** How long to wait after a look at the ring that found nothing: a small ring is full within milliseconds. */
const POLL_MS = 2;

/** More than this much is not kept for whoever reads. */
const KEPT_LIMIT = 64 * 1024 * 1024;
const TURNS_LIMIT = 64;

/**
 * Reads the ring all the time, by way of a helper that does nothing else, so that a ring that is full within the time of
 * one operation loses nothing. Each of its readers gets all of it.
 */
export class LogListener {
  readonly #follower: LogFollower;
  readonly #readers: { text: string; lost: number }[] = [];
  #isDeaf = false;
  #isStopped = false;
  /** One reads at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #listening: Promise<void>;

  /** Begins to listen, where the follower is. */
  constructor(follower: LogFollower) {
    this.#follower = follower;
    // That the helper is gone, whoever reads is told.
    this.#listening = this.#listen().catch(() => undefined);
  }

  async #listen(): Promise<void> {
    while (!(this.#isStopped || this.#isDeaf)) if (!(await this.#inTurn(() => this.#take()))) await delay(POLL_MS);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Takes what there is; answers whether there was something. */
  async #take(): Promise<boolean> {
    const piece = await this.#follower.next();
    this.#isDeaf ||= piece === undefined;
    if (piece === undefined) return false;
    for (const reader of this.#readers) {
      reader.text += piece.text;
      reader.lost += piece.lost;
      if (reader.text.length <= KEPT_LIMIT) continue;
      reader.lost += reader.text.length;
      reader.text = '';
    }
    return piece.text !== '' || piece.lost > 0;
  }

  /** A reader of what comes from now on. It throws, as each call does, when the helper is gone. */
  reader(): LogSource {
    const kept = { text: '', lost: 0 };
    this.#readers.push(kept);
    return {
      read: () =>
        this.#inTurn(async () => {
          // Who writes all the time must not keep a reader for ever.
          for (let i = 0; i < TURNS_LIMIT && (await this.#take()); i++);
          const piece = { ...kept };
          Object.assign(kept, { text: '', lost: 0 });
          return this.#isDeaf ? undefined : piece;
        }),
    };
  }

  /** Listens no more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#listening;
  }
}
