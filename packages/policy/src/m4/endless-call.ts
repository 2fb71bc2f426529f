/**
 * Macros that call themselves without an end.
 *
 * A call inside of the expansion of a call of the same macro, with the same arguments, while nothing was defined and nothing
 * was read behind the first, expands as that did, and so on for ever. GNU m4 goes on until memory is full, or for ever.
 *
 * To compare each call with all that it stands in would cost more than the calls. So one call in the run is watched, and
 * each time as many calls again have been made, another one: in a run without an end, some watched call comes again (the
 * way R. P. Brent finds cycles).
 *
 * @module
 */
import type { Entry, Input } from './input.ts';
import type { MacroTable } from './macro-table.ts';
import type { Piece } from './pieces.ts';
import type { Call } from './provenance.ts';
import type { Syntax } from './syntax.ts';

/** Expansions that are looked through for the watched call. */
const LONGEST_CYCLE = 1000;

interface Watched {
  readonly call: Call;
  readonly args: readonly Piece[];
  readonly definitions: number;
  readonly quotes: number;
  /** The text behind the call, and how far it was read; undefined where there was none. */
  readonly behind: Entry | undefined;
  readonly index: number;
  readonly at: number;
}

/** Where the input goes on behind everything that was read. */
function unread({ stack }: Input): Entry | undefined {
  return stack.findLast((entry) => entry.at < entry.text.length || entry.index + 1 < entry.chunks.length);
}

/** Whether a call stands in the expansion of another. */
function isInside(call: Call, outer: Call): boolean {
  let frame = call.frame;
  for (let steps = 0; steps < LONGEST_CYCLE && frame.call !== undefined; steps++) {
    if (frame.call === outer) return true;
    frame = frame.call.frame;
  }
  return false;
}

/** The watch over the calls of a run. */
export class EndlessCalls {
  #calls = 0;
  #next: number;
  #watched: Watched | undefined;

  /** `unwatched`: calls before the first one is watched. */
  constructor(unwatched: number) {
    this.#next = unwatched;
  }

  /** Whether a call of a user's macro, whose arguments are collected, comes back to itself for ever. */
  isEndless(call: Call, args: readonly Piece[], macros: MacroTable, syntax: Syntax, input: Input): boolean {
    const watched = this.#watched;
    if (
      watched !== undefined &&
      watched.call.macro === call.macro &&
      watched.definitions === macros.generation &&
      watched.quotes === syntax.quoteGeneration &&
      watched.args.length === args.length &&
      (watched.behind === undefined || (watched.behind.at === watched.at && watched.behind.index === watched.index)) &&
      watched.args.every((one, i) => one.text === args[i]?.text) &&
      isInside(call, watched.call)
    )
      return true;
    if (++this.#calls < this.#next) return false;
    this.#next *= 2;
    const behind = unread(input);
    const [definitions, quotes] = [macros.generation, syntax.quoteGeneration];
    this.#watched = { call, args, definitions, quotes, behind, index: behind?.index ?? 0, at: behind?.at ?? 0 };
    return false;
  }
}
