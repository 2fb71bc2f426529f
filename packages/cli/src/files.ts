/**
 * Reading and writing files for commands.
 *
 * @module
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { FileError, reasonOf } from './failures.ts';

/** No policy, configuration or binary that a person works with is larger. */
const SIZE_LIMIT = 512 * 1024 * 1024;

/** The bytes of a file; `-` is the standard input. */
export function readBytes(path: string): Uint8Array {
  try {
    if (path !== '-' && statSync(path).size > SIZE_LIMIT)
      throw new FileError(`cannot read \`${path}\`: it is too large`);
    return readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`cannot read \`${path}\`: ${reasonOf(error)}`, { cause: error });
  }
}

/** A file as text with one character per byte. */
export function readLatin1(path: string): string {
  return Buffer.from(readBytes(path)).toString('latin1');
}

/** Writes a file so that it is there whole or not at all; a new one with this mode, less what the umask takes. */
export function writeWhole(path: string, bytes: Uint8Array, mode: number = 0o666): void {
  const isSpecial = (() => {
    try {
      return !statSync(path).isFile();
    } catch {
      return false;
    }
  })();
  // No two processes have one number at once, and no process makes two drafts in one nanosecond.
  const draft = isSpecial ? path : `${path}.${process.pid}-${process.hrtime.bigint().toString(36)}`;
  try {
    const file = openSync(draft, isSpecial ? 'w' : 'wx', mode);
    try {
      let done = 0;
      while (done < bytes.length) done += writeSync(file, bytes, done);
      if (!isSpecial) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (!isSpecial) renameSync(draft, path);
  } catch (error) {
    if (!isSpecial) rmSync(draft, { force: true });
    throw new FileError(`cannot write \`${path}\`: ${reasonOf(error)}`, { cause: error });
  }
}
