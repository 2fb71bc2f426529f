/**
 * The standard streams of this process, as commands print on them.
 *
 * @module
 */
import { fstatSync, writeSync } from 'node:fs';
import { EXIT } from './failures.ts';
import type { Stream, Terminal } from './terminal.ts';

/** Whether a descriptor of this process is a file or a pipe. */
function isFileOrPipe(descriptor: number): boolean {
  try {
    const status = fstatSync(descriptor);
    return status.isFile() || status.isFIFO();
  } catch {
    return false;
  }
}

/**
 * A stream of this process. Node's own, which takes longer to make than many a command to run, is made where it must be: for
 * a terminal, and once a write fails, be it that a pipe is full or that nobody reads it any more.
 */
function stream(descriptor: number, nodeStream: () => NodeJS.WriteStream): Stream & { readonly isWritten: boolean } {
  let isPlain: boolean | undefined;
  let isWritten = true;
  const target = (): NodeJS.WriteStream => {
    isWritten = false;
    return nodeStream();
  };
  return {
    write(bytes) {
      isPlain ??= isFileOrPipe(descriptor);
      let done = 0;
      try {
        while (isPlain && done < bytes.length) done += writeSync(descriptor, bytes, done);
      } catch {
        isPlain = false;
      }
      if (!isPlain) target().write(bytes.subarray(done));
    },
    get isTerminal() {
      isPlain ??= isFileOrPipe(descriptor);
      return !isPlain && target().isTTY === true;
    },
    get isWritten() {
      return isWritten;
    },
  };
}

/** The standard output. A reader that has seen enough, such as `head`, is no failure. */
function standardOutput(): NodeJS.WriteStream {
  if (process.stdout.listenerCount('error') === 0) {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.world);
    });
  }
  return process.stdout;
}

/** What the commands of this process print on. */
export interface ProcessTerminal extends Terminal {
  /** Whether all that was printed is out. Node's own streams, once they are used, write when they can. */
  readonly isWritten: boolean;
}

export function processTerminal(): ProcessTerminal {
  const out = stream(1, standardOutput);
  const err = stream(2, () => process.stderr);
  return {
    out,
    err,
    get isWritten() {
      return out.isWritten && err.isWritten;
    },
  };
}
