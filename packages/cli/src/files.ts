/**
 * Reading and writing files for commands.
 *
 * @module
 */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import type { ByteSource } from '@dewar/policy/policydb';
import { FileError, reasonOf, UsageError } from './failures.ts';

/** No policy, configuration or binary that a person works with is larger. */
export const SIZE_LIMIT: number = 512 * 1024 * 1024;

/** Room for what has no length of its own: so much at first, and twice as much each time that it is full. */
const FIRST_BYTES = 64 * 1024;

/** What comes from a pipe or a device, which may never end; undefined where it is longer than a file may be. */
function readStream(file: number): Uint8Array | undefined {
  let room = Buffer.allocUnsafe(FIRST_BYTES);
  for (let length = 0; length <= SIZE_LIMIT; ) {
    const count = readSync(file, room, length, room.length - length, null);
    if (count === 0) return room.subarray(0, length);
    length += count;
    if (length === room.length) room = Buffer.concat([room], 2 * length);
  }
  return undefined;
}

/** All of a pipe or a device. */
function readStreamAt(path: string): Uint8Array | undefined {
  if (path === '-') return readStream(0);
  const file = openSync(path, 'r');
  try {
    return readStream(file);
  } finally {
    closeSync(file);
  }
}

/** The bytes of a file, a pipe or a device; `-` is the standard input. Throws `FileError`. */
export function readBytes(path: string): Uint8Array {
  try {
    const status = path === '-' ? undefined : statSync(path);
    const isLong = status !== undefined && status.size > SIZE_LIMIT;
    // What has no length is a device, a pipe, or a file that is made as it is read.
    const hasLength = status?.isFile() === true && status.size > 0;
    const bytes = isLong ? undefined : hasLength ? readFileSync(path) : readStreamAt(path);
    if (bytes === undefined) throw new FileError(`cannot read \`${path}\`: it is too large`);
    return bytes;
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`cannot read \`${path}\`: ${reasonOf(error)}`, { cause: error });
  }
}

/** Files of which nobody holds the bytes any more are closed. */
const unused = new FinalizationRegistry<number>((file) => {
  closeSync(file);
});

/**
 * The bytes of a file, of which each part is read when it is wanted. The file stays the one that was opened where another
 * takes its place; reading fails where it is written to.
 */
export class FileBytes implements ByteSource {
  readonly length: number;
  readonly #path: string;
  readonly #file: number;
  readonly #edition: string;

  private constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
    this.length = fstatSync(file).size;
    this.#edition = this.#editionNow();
    unused.register(this, file);
  }

  /** Opens a file. Throws `FileError`. */
  static open(path: string): FileBytes {
    try {
      return new FileBytes(path, openSync(path, 'r'));
    } catch (error) {
      throw new FileError(`cannot read \`${path}\`: ${reasonOf(error)}`, { cause: error });
    }
  }

  #editionNow(): string {
    const { size, mtimeMs } = fstatSync(this.#file);
    return `${size} ${mtimeMs}`;
  }

  /** Throws `FileError` where the file cannot be read, or is no more what it was. */
  read(into: Uint8Array, offset: number): void {
    let done = 0;
    try {
      while (done < into.length) {
        const size = readSync(this.#file, into, done, into.length - done, offset + done);
        if (size === 0) break;
        done += size;
      }
    } catch (error) {
      throw new FileError(`cannot read \`${this.#path}\`: ${reasonOf(error)}`, { cause: error });
    }
    if (done < into.length || this.#editionNow() !== this.#edition)
      throw new FileError(`cannot read \`${this.#path}\`: it was changed in the meantime; ask again`);
  }
}

/** A file as text with one character per byte. */
export function readLatin1(path: string): string {
  return Buffer.from(readBytes(path)).toString('latin1');
}

/** What a file is that may not be there. */
function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Gives a new file the owner and the mode of the one that it takes the place of, as far as that is allowed. */
function takeAfter(file: number, { uid, gid, mode }: Stats): void {
  try {
    fchownSync(file, uid, gid);
  } catch {
    // Only root may give files away; the mode is kept all the same.
  }
  fchmodSync(file, mode & 0o7777);
}

/**
 * Writes a file, in one part or several, so that it is there whole or not at all; a new one with this mode, less what the umask takes. What stood
 * there keeps its links, its owner and its mode.
 */
export function writeWhole(path: string, bytes: Uint8Array | readonly Uint8Array[], mode: number = 0o666): void {
  const old = statusOf(path);
  const isSpecial = old?.isFile() === false;
  const target = old === undefined || isSpecial ? path : realpathSync.native(path);
  // No two processes have one number at once, and no process makes two drafts in one nanosecond.
  const draft = isSpecial ? path : `${target}.${process.pid}-${process.hrtime.bigint().toString(36)}`;
  try {
    const file = openSync(draft, isSpecial ? 'w' : 'wx', mode);
    try {
      for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) {
        let done = 0;
        while (done < part.length) done += writeSync(file, part, done);
      }
      if (!isSpecial) {
        if (old !== undefined) takeAfter(file, old);
        fsyncSync(file);
      }
    } finally {
      closeSync(file);
    }
    if (!isSpecial) renameSync(draft, target);
  } catch (error) {
    if (!isSpecial) rmSync(draft, { force: true });
    throw new FileError(`cannot write \`${path}\`: ${reasonOf(error)}`, { cause: error });
  }
}

/** Refuses to write over a file that was read for what is to be written: a slip of the hand would take the source away. */
export function refuseToOverwrite(output: string, inputs: readonly string[]): void {
  const old = statusOf(output);
  if (old?.isFile() !== true) return;
  for (const input of inputs) {
    const read = statusOf(input);
    if (read?.ino === old.ino && read.dev === old.dev)
      throw new UsageError(`\`${output}\` is what was read; the result needs a file of its own`);
  }
}
