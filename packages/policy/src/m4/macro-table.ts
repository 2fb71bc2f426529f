/**
 * The macros that are defined, and the parts of their bodies.
 *
 * @module
 */
import { type Origin, SpellingTable } from '../text/index.ts';
import { type Chunk, type Piece, slicePiece } from './pieces.ts';
import type { Processor } from './processor.ts';
import type { Call } from './provenance.ts';

/** What a builtin is given: the name it was called by, its arguments, and the call. */
export interface Invocation {
  readonly name: string;
  readonly args: readonly Piece[];
  readonly call: Call;
  /** File and line that GNU m4 counts the expansion under. */
  readonly file: string;
  readonly line: number;
}

/** A macro that m4 itself provides. */
export interface Builtin {
  readonly kind: 'builtin';
  readonly name: string;
  /** Recognised only with an opening parenthesis right behind the name. */
  readonly isBlind: boolean;
  /** Takes builtins' definitions as arguments; all others see an empty text. */
  readonly takesBuiltins: boolean;
  readonly run: (m4: Processor, invocation: Invocation) => void;
}

/** A part of a macro's body: text, or a mark that arguments take the place of. */
export type BodyPart =
  | { readonly kind: 'text'; readonly chunks: readonly Chunk[] }
  | { readonly kind: 'argument'; readonly index: number; readonly at: number; readonly length: number }
  | { readonly kind: 'count' | 'list' | 'quoted-list'; readonly at: number; readonly length: number };

/** A macro with a body. */
export interface UserMacro {
  readonly kind: 'user';
  readonly body: Piece;
  readonly definedAt: Origin | undefined;
  /**
   * The body was put together by macro calls, as a macro does that other calls append to. Its text then counts as
   * theirs, not as an expansion of the place where it is at last called.
   */
  readonly isGathered: boolean;
  parts: readonly BodyPart[] | undefined;
  maxParameter: number;
}

export type Definition = Builtin | UserMacro;

/** Longest run of digits that can still name an argument. */
const MAX_DIGITS = 9;

/** Whether a body may have `$` marks. Its stretches are not put together for the answer. */
function hasMarks(body: Piece): boolean {
  for (const chunk of body.chunks) {
    chunk.hasMark ??= chunk.text.includes('$');
    if (chunk.hasMark) return true;
  }
  return false;
}

/** Splits a body at its `$` marks. Done at the first call. */
export function bodyParts(macro: UserMacro): readonly BodyPart[] {
  if (macro.parts !== undefined) return macro.parts;
  const { body } = macro;
  if (!hasMarks(body)) {
    macro.parts = [{ kind: 'text', chunks: body.chunks }];
    return macro.parts;
  }
  const text = body.text;
  const parts: BodyPart[] = [];
  let from = 0;
  for (let at = text.indexOf('$'); at !== -1; at = text.indexOf('$', at + 1)) {
    const part = markAt(text, at);
    if (part === undefined) continue;
    if (from < at) parts.push({ kind: 'text', chunks: slicePiece(body, from, at).chunks });
    parts.push(part);
    from = at + part.length;
    at = from - 1;
  }
  if (from === 0) parts.push({ kind: 'text', chunks: body.chunks });
  else if (from < text.length) parts.push({ kind: 'text', chunks: slicePiece(body, from, text.length).chunks });
  macro.parts = parts;
  return parts;
}

/** The mark that stands at a `$`; undefined where it is just a sign. */
export function markAt(text: string, at: number): Exclude<BodyPart, { kind: 'text' }> | undefined {
  const next = text[at + 1];
  if (next === '#') return { kind: 'count', at, length: 2 };
  if (next === '*') return { kind: 'list', at, length: 2 };
  if (next === '@') return { kind: 'quoted-list', at, length: 2 };
  let end = at + 1;
  while (end < text.length && text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end++;
  if (end === at + 1) return undefined;
  const digits = text.slice(at + 1, end).replace(/^0+(?=.)/, '');
  const index = digits.length > MAX_DIGITS ? 999_999_999 : Number(digits);
  return { kind: 'argument', index, at, length: end - at };
}

/** The largest N of a `$N` in a body. */
export function largestParameter(body: Piece): number {
  if (!hasMarks(body)) return 0;
  const { text } = body;
  let largest = 0;
  for (let at = text.indexOf('$'); at !== -1; at = text.indexOf('$', at + 1)) {
    const mark = markAt(text, at);
    if (mark?.kind === 'argument' && mark.index > largest) largest = mark.index;
  }
  return largest;
}

/** All definitions by name. Each name has a current one and those that `pushdef` covered. */
export class MacroTable {
  /** The latest definition of every name that ever had a body. */
  readonly everDefined: Map<string, UserMacro> = new Map();
  readonly #names = new SpellingTable();
  /** By the number of the name. */
  readonly #current: (Definition | undefined)[] = [];
  readonly #covered: Map<string, Definition[]> = new Map();
  /** Whether the word was met as one that stands for itself. */
  readonly #isPlain: boolean[] = [];
  readonly #onNewName: () => void;
  /** Goes up with each change. */
  generation = 0;

  /** `onNewName` is told when a word that stood for itself is from now on a macro. */
  constructor(onNewName: () => void) {
    this.#onNewName = onNewName;
  }

  get(name: string): Definition | undefined {
    return this.#current[this.#names.numberOf(name)];
  }

  /** The definition of the word in `text` from `start` to `end`; one without is remembered as standing for itself. */
  lookUp(text: string, start: number, end: number, hash: number): Definition | undefined {
    const names = this.#names;
    let number = names.find(text, start, end, hash);
    if (number < 0) number = names.add(-1 - number, text.slice(start, end), hash);
    const definition = this.#current[number];
    if (definition === undefined) this.#isPlain[number] = true;
    return definition;
  }

  define(name: string, definition: Definition): void {
    const number = this.#names.numberOf(name);
    if (this.#current[number] === undefined && this.#isPlain[number] === true) {
      this.#isPlain[number] = false;
      this.#onNewName();
    }
    this.#current[number] = definition;
    this.generation++;
    if (definition.kind === 'user') this.everDefined.set(name, definition);
  }

  push(name: string, definition: Definition): void {
    const old = this.get(name);
    if (old !== undefined) {
      const covered = this.#covered.get(name);
      if (covered === undefined) this.#covered.set(name, [old]);
      else covered.push(old);
    }
    this.define(name, definition);
  }

  pop(name: string): void {
    const old = this.#covered.get(name)?.pop();
    this.generation++;
    if (old === undefined) this.#current[this.#names.numberOf(name)] = undefined;
    else this.define(name, old);
  }

  undefine(name: string): void {
    this.generation++;
    this.#current[this.#names.numberOf(name)] = undefined;
    this.#covered.delete(name);
  }

  /** Names that have a definition now, ascending. */
  names(): string[] {
    return this.#names.words.filter((_, number) => this.#current[number] !== undefined).sort();
  }
}
