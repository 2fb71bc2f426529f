/**
 * Tokens, and what stands around the place of an error.
 *
 * @module
 */
import type { Terminal } from './automaton.ts';
import type { CfgText } from './cfg-text.ts';

/** A token as the parser carries it. */
export interface Token {
  readonly kind: Terminal;
  readonly start: number;
  readonly end: number;
  /** libxlutil's line. */
  readonly line: number;
  /** The text; of a string, the content. */
  readonly text: string;
}

/** What stands before the place of an error. */
export interface Surroundings {
  readonly input: CfgText;
  /** The token before. */
  readonly previous: Token | undefined;
  /** The key of the statement that the error is in. */
  readonly key: Token | undefined;
  /** The brackets that are open, outermost first. */
  readonly brackets: readonly Token[];
}
