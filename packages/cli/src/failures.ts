/**
 * Ways in which a command ends without an answer, and their exit codes.
 *
 * @module
 */

export const EXIT = { done: 0, problem: 1, usage: 2, world: 3, bug: 70 } as const;

/** A question whose answer may be 1 could not be asked: a policy that it is about does not compile, say. */
export const NO_ANSWER: number = EXIT.usage;

/** The command line asks for something that does not exist or does not fit together. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was asked for cannot be answered, and a diagnostic has no place to point at. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

/** A file could not be read or written. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code = 'file';
}

/** What is said where a command is about FLASK and there is none. */
export const NO_FLASK =
  'FLASK is disabled on this host: Xen needs `xsm=flask` and `flask=enforcing` (or `permissive`) at boot';

/** Why a system call failed, in words. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a directory';
    case 'ENOTDIR':
      return 'a part of the path is not a directory';
    case 'ELOOP':
      return 'it is a link that leads to itself';
    case 'ENAMETOOLONG':
      return 'the name is too long';
    case 'EROFS':
      return 'the file system is read-only';
    case 'ENOSPC':
      return 'the disk is full';
    default:
      return error.message;
  }
}
