/**
 * What m4 knows about a policy text that makes the parser's messages better.
 *
 * @module
 */
import type { Origin } from '../text/index.ts';

/** A call of a macro without an argument that its body uses, and the stretch of text that it produced. */
export interface ShortCall {
  readonly macro: string;
  /** How many arguments there were, empty ones too. */
  readonly given: number;
  /** The first argument that the body uses and that is not there, or is empty. */
  readonly missing: number;
  readonly call: Origin;
  readonly start: number;
  readonly end: number;
}

/** What is known about the text besides the text. */
export interface ParseHints {
  /** Names of the macros that were defined, for suggestions. */
  readonly macros?: readonly string[];
  /** Where a macro is defined. */
  readonly macroPlace?: (macro: string) => Origin | undefined;
  /** Where a macro was taken away for good. */
  readonly macroEnd?: (macro: string) => Origin | undefined;
  /** Names of m4's own macros. */
  readonly builtins?: readonly string[];
  /** Macros that nobody defines because their module is switched off, and the module of each. */
  readonly macrosOff?: ReadonlyMap<string, string>;
  /** Calls with missing arguments, ascending by `start`. */
  readonly shortCalls?: readonly ShortCall[];
}
