/**
 * Text on its way through m4: what an argument, a body or an expansion is made of.
 *
 * Start reading at `Piece`.
 *
 * @module
 */

import type { Builtin } from './macro-table.ts';
import { type Call, expandedBy, leafSlice, leavesOf, type Provenance, sequence, withLength } from './provenance.ts';

/**
 * A stretch of a piece.
 *
 * `inert`: the scanning rules (see `Syntax.generation`) under which every token in it was found to stand for
 * itself, or 0. Such a stretch is copied in one step when it is scanned again.
 * `quoted`: the stretch is this piece between the quotes of `quoteGeneration`, made by m4 itself.
 * `builtin`: not text at all, but a builtin's definition on its way from `defn` to `define`.
 */
export interface Chunk {
  readonly text: string;
  readonly provenance: Provenance;
  readonly inert: number;
  readonly startsInWord: boolean;
  readonly endsInWord: boolean;
  readonly quoted: Piece | undefined;
  readonly quoteGeneration: number;
  readonly builtin: Builtin | undefined;
  /** Whether the text has a `$`, once that is known. */
  hasMark: boolean | undefined;
}

/** Shorter stretches are not worth remembering as inert, nor as quoted. */
const MIN_REMEMBERED = 48;

/** Longer stretches are not joined with what follows: to join is to copy, and a text may be appended to many times. */
const LONG = 4096;

/** An immutable text with its provenance. */
export class Piece {
  readonly chunks: readonly Chunk[];
  readonly length: number;
  /** Set when the piece is a builtin's definition instead of text. */
  readonly builtin: Builtin | undefined;
  /** The quotes (by generation) under which `isBalanced` was computed. */
  balanceGeneration = 0;
  isBalanced = false;
  #text: string | undefined;

  constructor(chunks: readonly Chunk[], length: number, builtin?: Builtin) {
    this.chunks = chunks;
    this.length = length;
    this.builtin = builtin;
  }

  get text(): string {
    if (this.#text === undefined) {
      let text = '';
      for (const chunk of this.chunks) text += chunk.text;
      this.#text = text;
    }
    return this.#text;
  }

  get provenance(): Provenance {
    return sequence(
      this.chunks.map((chunk) => chunk.provenance),
      this.length,
    );
  }
}

export const EMPTY: Piece = new Piece([], 0);

/** A piece of one stretch. */
export function pieceOf(text: string, provenance: Provenance): Piece {
  return text === '' ? EMPTY : new Piece([plainChunk(text, provenance)], text.length);
}

export function plainChunk(text: string, provenance: Provenance): Chunk {
  return chunkOf(text, provenance, 0, false, false);
}

function chunkOf(text: string, provenance: Provenance, inert: number, starts: boolean, ends: boolean): Chunk {
  return {
    text,
    provenance,
    inert,
    startsInWord: starts,
    endsInWord: ends,
    quoted: undefined,
    quoteGeneration: 0,
    builtin: undefined,
    hasMark: undefined,
  };
}

/** A piece of one token. `inert` is the generation under which the whole of it stands for itself, or 0. */
export function tokenPiece(text: string, provenance: Provenance, inert: number): Piece {
  if (text === '') return EMPTY;
  if (inert === 0) return pieceOf(text, provenance);
  const starts = isWordCode(text.charCodeAt(0));
  const ends = isWordCode(text.charCodeAt(text.length - 1));
  return new Piece([chunkOf(text, provenance, inert, starts, ends)], text.length);
}

/** What stands for a builtin's definition in the input. */
export function builtinChunk(builtin: Builtin, provenance: Provenance): Chunk {
  return { ...plainChunk('', provenance), builtin };
}

/** Part of a piece, each character with its own provenance. */
export function slicePiece(piece: Piece, from: number, to: number): Piece {
  if (from <= 0 && to >= piece.length) return piece;
  const parts: Provenance[] = [];
  let at = 0;
  for (const part of leavesOf(piece.provenance)) {
    const start = Math.max(from, at);
    const end = Math.min(to, at + part.length);
    if (start < end) parts.push(leafSlice(part, start - at, end - at));
    at += part.length;
  }
  return pieceOf(piece.text.slice(from, to), sequence(parts, Math.max(0, to - from)));
}

/** Whether a character may stand inside a macro's name. */
export function isWordCode(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95;
}

/** Puts a piece together; neighbouring stretches of the same sort are joined. */
export class PieceBuilder {
  length = 0;
  /** Set by a builtin's definition that arrives before any text. */
  builtin: Builtin | undefined;
  readonly #chunks: Chunk[] = [];
  #only: Piece | undefined;
  #text = '';
  readonly #parts: Provenance[] = [];
  #inert = 0;
  #startsInWord = false;
  #endsInWord = false;

  /** Adds text. `inert` is the generation under which the whole of it stands for itself, or 0. */
  add(text: string, provenance: Provenance, inert: number): void {
    if (text === '') return;
    if (this.#only !== undefined) this.#spread();
    if (inert === 0) {
      this.#addOpen(text, provenance, 0, false, false);
    } else {
      const starts = isWordCode(text.charCodeAt(0));
      this.#addOpen(text, provenance, inert, starts, isWordCode(text.charCodeAt(text.length - 1)));
    }
  }

  #addOpen(text: string, provenance: Provenance, inert: number, starts: boolean, ends: boolean): void {
    let sort = inert;
    if (this.#text.length >= LONG) this.#close();
    if (this.#text !== '') {
      const joins = this.#inert === inert && !(inert !== 0 && this.#endsInWord && starts);
      if (!joins && inert !== 0 && text.length < MIN_REMEMBERED) sort = 0;
      if (!joins && this.#inert !== sort) {
        if (this.#inert !== 0 && this.#text.length < MIN_REMEMBERED) this.#inert = 0;
        if (this.#inert !== sort) this.#close();
      } else if (!joins && sort !== 0) {
        this.#close();
      }
    }
    if (this.#text === '') {
      this.#inert = sort;
      this.#startsInWord = starts;
    }
    this.#text += text;
    this.#endsInWord = ends;
    this.#join(provenance);
    this.length += text.length;
  }

  /** Stretches of the same source that follow one another become one. */
  #join(next: Provenance): void {
    const index = this.#parts.length - 1;
    const last = this.#parts[index];
    if (
      last?.frame !== undefined &&
      last.frame === next.frame &&
      last.fixed === 0 &&
      next.fixed === 0 &&
      last.offset + last.length === next.offset
    ) {
      this.#parts[index] = withLength(last, last.length + next.length);
    } else {
      this.#parts.push(next);
    }
  }

  #close(): void {
    if (this.#text === '') return;
    const parts = this.#parts;
    let length = 0;
    for (const part of parts) length += part.length;
    // The copy has no room to grow, which the many small arrays of a run would take.
    const provenance = sequence(parts.length === 1 ? parts : parts.slice(), length);
    this.#chunks.push(chunkOf(this.#text, provenance, this.#inert, this.#startsInWord, this.#endsInWord));
    this.#text = '';
    this.#inert = 0;
    parts.length = 0;
  }

  /** Whether no open text waits to be joined with what comes. */
  #opensNothing(): boolean {
    return this.#text === '' || this.#text.length >= LONG;
  }

  /** A piece that was added alone is kept whole until something joins it. */
  #spread(): void {
    const only = this.#only;
    if (only === undefined) return;
    this.#only = undefined;
    this.length = 0;
    for (const chunk of only.chunks) this.addChunk(chunk);
  }

  /** Adds one stretch of another piece. */
  addChunk(chunk: Chunk): void {
    if (this.#only !== undefined) this.#spread();
    if (chunk.quoted !== undefined || (chunk.text.length >= LONG && this.#opensNothing())) {
      this.#close();
      this.#chunks.push(chunk);
      this.length += chunk.text.length;
    } else if (chunk.text !== '') {
      this.#addOpen(chunk.text, chunk.provenance, chunk.inert, chunk.startsInWord, chunk.endsInWord);
    }
  }

  addPiece(piece: Piece): void {
    if (piece.length === 0) return;
    if (this.length === 0) {
      this.#only = piece;
      this.length = piece.length;
      return;
    }
    this.#spread();
    for (const chunk of piece.chunks) this.addChunk(chunk);
  }

  /** Adds a piece of a macro's body as the expansion of `call`. */
  addExpanded(chunk: Chunk, call: Call): void {
    if (this.#only !== undefined) this.#spread();
    if (chunk.text === '') return;
    const provenance = expandedBy(chunk.provenance, call);
    this.#addOpen(chunk.text, provenance, chunk.inert, chunk.startsInWord, chunk.endsInWord);
  }

  /** Adds a piece between quotes, remembering that it is one quoted token. */
  addQuoted(piece: Piece, open: string, close: string, quotes: Provenance, quoteGeneration: number): void {
    this.#spread();
    const left = leafSlice(quotes, 0, 0);
    const before = withLength(left, open.length);
    const after = withLength(left, close.length);
    if (piece.length < MIN_REMEMBERED) {
      this.add(open, before, 0);
      for (const chunk of piece.chunks) this.#addOpen(chunk.text, chunk.provenance, 0, false, false);
      this.add(close, after, 0);
      return;
    }
    this.#close();
    const text = open + piece.text + close;
    this.#chunks.push({
      ...plainChunk(text, sequence([before, piece.provenance, after], text.length)),
      quoted: piece,
      quoteGeneration,
    });
    this.length += text.length;
  }

  finish(): Piece {
    if (this.#only !== undefined) return this.#only;
    this.#close();
    const [first] = this.#chunks;
    if (first === undefined) return EMPTY;
    return new Piece(this.#chunks.length === 1 ? [first] : this.#chunks, this.length);
  }
}
