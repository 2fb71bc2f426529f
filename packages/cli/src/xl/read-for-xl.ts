/**
 * Files as xl reads them, with C's words for what goes wrong.
 *
 * @module
 */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { request } from '../commands/lifecycle.ts';
import { printLine } from '../terminal.ts';
import { printXlHelp, type XlCall } from './xl-call.ts';

/** What became of a file. */
export type ReadOutcome =
  | { readonly kind: 'read'; readonly bytes: Uint8Array }
  | { readonly kind: 'failed'; readonly reason: string };

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  ELOOP: 'Too many levels of symbolic links',
  ENAMETOOLONG: 'File name too long',
};

/** Whether there is something that is no plain file: a folder, a device. */
export function isOddFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === false;
}

/** Reads a file. XEN: `strerror` of what `open` or `read` answered. */
export function readForXl(path: string): ReadOutcome {
  try {
    return { kind: 'read', bytes: readFileSync(path) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return { kind: 'failed', reason: REASONS[code] ?? code };
  }
}

/** Whether a file can be written, or made. */
export function canBeWritten(path: string): boolean {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true;
  } catch {
    return false;
  }
}

/** The largest file that a policy is looked for in; Xen takes no more. */
const LARGEST_POLICY = 2 ** 24;

const WRONG_USE = 2;
const MINUS_ONE = 255;

/** `xl loadpolicy`: the bytes as they are. */
export async function loadAsXl({ words, flags, terminal }: XlCall): Promise<number> {
  const [file] = words;
  if (file === undefined) {
    printXlHelp('loadpolicy', terminal);
    return WRONG_USE;
  }
  const found = readForXl(file);
  if (found.kind === 'failed') {
    printLine(terminal.err, `Error occurred opening policy file '${file}': ${found.reason}`);
    return MINUS_ONE;
  }
  const { bytes } = found;
  return request(
    flags,
    terminal,
    (host) => host.loadPolicy(bytes.length > LARGEST_POLICY ? bytes.subarray(0, LARGEST_POLICY) : bytes),
    (_, { outcome }) => {
      if (outcome === 'done') printLine(terminal.out, 'Successfully loaded policy.');
    },
  );
}
