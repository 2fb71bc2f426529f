/**
 * Follows the console ring of Xen, line by line, and notices what it lost.
 *
 * Follows: Xen `xen/drivers/char/console.c`, `conring_puts` and `read_console_ring`: the oldest text makes room for the
 * newest, and whoever asks for a place that is gone gets the oldest that is left.
 *
 * @module
 */
import type { HelperProcess } from './helper-process.ts';

/** What came since the last time. */
export interface LogPiece {
  /** Whole lines. */
  readonly text: string;
  /** Characters that were gone before they were read: the ring was full, or somebody cleared it. */
  readonly lost: number;
}

/** A line that is longer is handed out in parts; Xen's own are at most 1 KiB. */
const LINE_LIMIT = 64 * 1024;

/** A reader of the ring with a place of its own in it. */
export class LogFollower {
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
    const outcome = await this.#helper.call('ring.read', { index: this.#index, clear: false });
    if (outcome.kind === 'failed') return undefined;
    const { text, index, lost } = outcome.value;
    this.#index = index;
    // What was begun before a gap has no end any more.
    const all = lost === 0 ? this.#begun + text : `${this.#begun}\n${text}`;
    const end = all.length - all.lastIndexOf('\n') > LINE_LIMIT ? all.length : all.lastIndexOf('\n') + 1;
    this.#begun = all.slice(end);
    return { text: all.slice(0, end), lost };
  }
}
