/**
 * What m4 knows about a policy text that makes the parser's messages better.
 *
 * @module
 */
import type { Origin } from '../text/index.ts';

/** A call of a macro with fewer arguments than its body uses, and the stretch of text that it produced. */
export interface ShortCall {
  readonly macro: string;
  readonly given: number;
  readonly wanted: number;
  readonly call: Origin;
  readonly start: number;
  readonly end: number;
}

/** What is known about the text besides the text. */
export interface ParseHints {
  /** Names of the macros that were defined, for suggestions. */
  readonly macros?: Iterable<string>;
  /** Calls with missing arguments, ascending by `start`. */
  readonly shortCalls?: readonly ShortCall[];
}
