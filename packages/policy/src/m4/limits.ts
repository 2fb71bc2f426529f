/**
 * How far macro expansion may go. GNU m4 has no such limits: an endless macro runs until memory is full.
 *
 * @module
 */

/** Bounds of one run; reaching one ends the run with the diagnostic `m4/limit-reached`. */
export interface M4Limits {
  /** Calls inside the arguments of calls. */
  readonly nesting: number;
  /** Macro calls altogether. */
  readonly calls: number;
  /** Calls of users' macros after which the first of them is watched for a call that leads back to itself (`EndlessCalls`). */
  readonly unwatched: number;
  /** Bytes scanned altogether. */
  readonly scanned: number;
  /** Bytes of output, and of all diversions together. */
  readonly output: number;
  /** Bytes of one argument list or one expansion. */
  readonly argument: number;
  /** Expansions that wait to be scanned again. */
  readonly pending: number;
}

/** What a run may use where nothing else is said. Xen's own policy needs less than a thousandth of it. */
export const DEFAULT_LIMITS: M4Limits = {
  nesting: 1000,
  calls: 10_000_000,
  // Xen's own policy has a few thousand.
  unwatched: 16_384,
  scanned: 2_000_000_000,
  output: 256 * 1024 * 1024,
  argument: 64 * 1024 * 1024,
  pending: 500_000,
};
