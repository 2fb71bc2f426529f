/**
 * Progress of long work, on a terminal only.
 *
 * @module
 */
import { print, type Stream } from './terminal.ts';

/** Work that ends sooner shows nothing, in milliseconds. */
const PATIENCE = 300;

/** Clears the line that the cursor is on. */
const CLEAR = '\r\x1b[K';

/** One line that says what is being done, until it is done. */
export interface Progress {
  readonly onStage: (stage: string) => void;
  /** Takes the line away. */
  end(): void;
}

/** Shows progress on a stream: nothing where it is no terminal. */
export function makeProgress(
  stream: Stream,
  what: string,
  now: () => number = () => process.uptime() * 1000,
): Progress {
  const start = now();
  let isShown = false;
  return {
    onStage(stage) {
      if (now() - start < PATIENCE || !stream.isTerminal) return;
      isShown = true;
      print(stream, `${CLEAR}${what}: ${stage}`);
    },
    end() {
      if (isShown) print(stream, CLEAR);
      isShown = false;
    },
  };
}
