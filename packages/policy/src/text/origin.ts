/**
 * Where text came from: written by a person, or expanded by m4 from the body of a macro.
 *
 * @module
 */
import { type OriginRuns, writtenRuns } from './origin-runs.ts';
import type { SourceText, Span } from './source-text.ts';

/**
 * How a piece of text got in front of the parser.
 *
 * `written`: a person typed it, at `span`.
 * `expanded`: m4 produced it from the body of `macro`; `span` is in that body and `call` is where the macro was used.
 * An argument keeps the origin it had at the call, so a typo in an argument points at the caller.
 */
export type Origin =
  | { readonly kind: 'written'; readonly span: Span }
  | { readonly kind: 'expanded'; readonly span: Span; readonly macro: string; readonly call: Origin };

/** Where the user can act: the outermost call, in a file the user wrote. */
export function userSpan(origin: Origin): Span {
  return origin.kind === 'written' ? origin.span : userSpan(origin.call);
}

/** Answers where each character of a text came from. */
export interface OriginMap {
  /** The origin of the stretch that begins at `start`; a stretch glued from several origins has that of its first character. */
  originAt(start: number, end: number): Origin;
  /** The whole map as numbers, for keeping it; not every map can be told so. */
  runs?(): OriginRuns;
}

/** A text together with where each of its characters came from. */
export interface MappedText {
  /** One character per byte. */
  readonly text: string;
  readonly origins: OriginMap;
}

/** The map of a text that reached the parser as it was written. */
export function writtenText(source: SourceText): MappedText {
  return {
    text: source.text,
    origins: {
      originAt: (start, end) => ({ kind: 'written', span: { source, start, end } }),
      runs: () => writtenRuns(source),
    },
  };
}
