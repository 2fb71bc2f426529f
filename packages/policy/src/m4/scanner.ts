/**
 * Splits the input into tokens: text that stands for itself, signs, quotations and comments, names of macros.
 *
 * Text that a former scan found to stand for itself, and quotations that m4 itself made, are passed in one step.
 *
 * SPEC: GNU m4 1.4.19 manual, "Lexical and syntactic conventions".
 * Start reading at `Scanner.next`.
 *
 * @module
 */
import { type Diagnostic, hashOf, type Origin } from '../text/index.ts';
import { m4 as messages } from './diagnostics.ts';
import type { Entry, Input } from './input.ts';
import type { M4Limits } from './limits.ts';
import type { Definition, MacroTable } from './macro-table.ts';
import { type Chunk, EMPTY, isWordCode, Piece, PieceBuilder, pieceOf, tokenPiece } from './pieces.ts';
import { originOf, type Provenance, sequence } from './provenance.ts';
import { BLANK, NAME, NAME_START, SPECIAL, STRUCTURE, type Syntax } from './syntax.ts';

/** What one step of the scanner found. */
export const Found = {
  end: 0,
  /** Text that stands for itself, of any length. */
  plain: 1,
  /** One character that may mean something: a parenthesis, a comma, a lone delimiter. */
  sign: 2,
  /** The text of a quotation without its quotes, or a whole comment. */
  string: 3,
  /** A name with a definition. */
  macro: 4,
  /** A builtin's definition. */
  builtin: 5,
} as const;

export type FoundKind = (typeof Found)[keyof typeof Found];

/** What the scanner needs of the run that it is part of. */
export interface Run {
  readonly input: Input;
  readonly syntax: Syntax;
  readonly macros: MacroTable;
  readonly output: { readonly isSynced: boolean };
  readonly limits: M4Limits;
  fail(diagnostic: Diagnostic): never;
  tooMuch(limit: keyof M4Limits, origin: Origin | undefined): never;
}

/** Reads tokens; the fields are those of the token that `next` found last. */
export class Scanner {
  text = '';
  piece: Piece | undefined;
  definition: Definition | undefined;
  /** The line that the token counts under; known with sync lines only. */
  line = 0;
  /** The generation under which a plain stretch stands for itself, or 0. */
  inert = 0;
  /** Set for a plain stretch that was passed as a whole. */
  #chunk: Chunk | undefined;
  /** Where the token came from; for a sign, which is seldom asked, found when it is. */
  #provenance: Provenance | undefined = {
    length: 0,
    frame: undefined,
    offset: 0,
    fixed: 0,
    parts: [],
    call: undefined,
  };
  #signEntry: Entry | undefined;
  #signAt = 0;
  readonly #run: Run;
  #scanned = 0;

  constructor(run: Run) {
    this.#run = run;
  }

  /** Reads one token. */
  next(): FoundKind {
    const { input, syntax, output } = this.#run;
    const entry = input.top();
    if (entry === undefined) return Found.end;
    const { chunk } = entry;
    if (entry.at >= entry.text.length) {
      this.definition = chunk?.builtin;
      input.skipBuiltin(entry);
      return Found.builtin;
    }
    const from = entry.at;
    if (output.isSynced) this.line = entry.lineAt(from);
    if (chunk !== undefined) {
      if (from === 0 && chunk.quoted !== undefined && chunk.quoteGeneration === syntax.quoteGeneration) {
        if (this.#isBalanced(chunk.quoted)) {
          this.#take(entry, entry.text.length);
          this.piece = chunk.quoted;
          return Found.string;
        }
      }
      if (chunk.inert === syntax.generation) {
        const to = this.#endOfInert(entry);
        if (to > from) return this.#plain(entry, to);
      }
    }
    const code = entry.text.charCodeAt(from);
    const sort = syntax.classes[code] ?? 0;
    if ((sort & SPECIAL) !== 0) {
      if (this.#begins(syntax.openComment, code)) return this.#readComment();
      if ((sort & NAME_START) === 0) {
        if (this.#begins(syntax.openQuote, code)) return this.#readQuotation();
        return this.#sign(entry, from);
      }
    }
    if ((sort & NAME_START) === 0 && (sort & STRUCTURE) !== 0) return this.#sign(entry, from);
    return this.#readPlain(entry, from);
  }

  /** Whether the input, whose next character is `code`, goes on with a delimiter. */
  #begins(delimiter: string, code: number): boolean {
    if (delimiter.length <= 1) return delimiter.length === 1 && delimiter.charCodeAt(0) === code;
    return this.#run.input.startsWith(delimiter);
  }

  #sign(entry: Entry, from: number): FoundKind {
    this.text = entry.text.charAt(from);
    this.#provenance = undefined;
    this.#signEntry = entry;
    this.#signAt = from;
    this.#chunk = undefined;
    this.#count(1);
    this.#run.input.consume(entry, 1);
    return Found.sign;
  }

  /** Where the token came from. For a sign it must be asked before the next token is read. */
  get provenance(): Provenance {
    if (this.#provenance === undefined) {
      const at = this.#signAt;
      this.#provenance = this.#signEntry?.provenance(at, at + 1) ?? sequence([], 0);
    }
    return this.#provenance;
  }

  /** The token as a piece of its own. */
  tokenPiece(kind: FoundKind): Piece {
    if (kind === Found.string) return this.piece ?? EMPTY;
    if (kind === Found.plain && this.#chunk !== undefined) return new Piece([this.#chunk], this.#chunk.text.length);
    return tokenPiece(this.text, this.provenance, kind === Found.plain ? this.inert : 0);
  }

  /** Adds the token to a piece. */
  addToken(kind: FoundKind, builder: PieceBuilder): void {
    if (kind === Found.string) {
      if (this.piece !== undefined) builder.addPiece(this.piece);
    } else if (kind === Found.plain && this.#chunk !== undefined) builder.addChunk(this.#chunk);
    else builder.add(this.text, this.provenance, kind === Found.plain ? this.inert : 0);
  }

  /** Steps to `to` and keeps what was stepped over as the token. */
  #take(entry: Entry, to: number): void {
    const from = entry.at;
    this.text = entry.text.slice(from, to);
    this.#provenance = entry.provenance(from, to);
    this.#chunk = undefined;
    this.#count(to - from);
    this.#run.input.consume(entry, to - from);
  }

  #count(length: number): void {
    this.#scanned += length;
    if (this.#scanned > this.#run.limits.scanned) this.#run.tooMuch('scanned', originOf(this.provenance));
  }

  /** A stretch of text that stands for itself; with sync lines no further than the next newline. */
  #plain(entry: Entry, end: number): FoundKind {
    let to = end;
    if (this.#run.output.isSynced) {
      const newline = entry.text.indexOf('\n', entry.at);
      if (newline !== -1 && newline + 1 < to) to = newline + 1;
    }
    const isWhole = entry.at === 0 && to === entry.text.length;
    const { chunk } = entry;
    this.#take(entry, to);
    if (isWhole) this.#chunk = chunk;
    this.inert = this.#run.syntax.generation;
    return Found.plain;
  }

  /** Where an inert stretch ends: before its last word when what follows may belong to that word. */
  #endOfInert(entry: Entry): number {
    const { text, chunk } = entry;
    if (chunk?.endsInWord !== true || !this.#goesOnAsName(entry)) return text.length;
    let to = text.length;
    while (to > entry.at && isWordCode(text.charCodeAt(to - 1))) to--;
    return to;
  }

  /** Whether the first character behind the current stretch may stand inside a name. */
  #goesOnAsName(entry: Entry): boolean {
    const { stack } = this.#run.input;
    for (let i = stack.length - 1; i >= 0; i--) {
      const next = stack[i];
      if (next === undefined) break;
      for (let c = next === entry ? next.index + 1 : next.index; c < next.chunks.length; c++) {
        const chunk = next.chunks[c];
        if (chunk?.builtin !== undefined) return false;
        const at = c === next.index ? next.at : 0;
        if (chunk !== undefined && at < chunk.text.length) return isWordCode(chunk.text.charCodeAt(at));
      }
    }
    return false;
  }

  /** Plain text from `from` on: characters and words without a definition, or one name that has one. */
  #readPlain(entry: Entry, from: number): FoundKind {
    const { text } = entry;
    const { classes } = this.#run.syntax;
    const { isSynced } = this.#run.output;
    let at = from;
    while (at < text.length) {
      const sort = classes[text.charCodeAt(at)] ?? 0;
      if ((sort & NAME_START) !== 0) {
        if ((sort & SPECIAL) !== 0 && at > from) break;
        let end = at;
        let hash = 0;
        while (end < text.length) {
          const code = text.charCodeAt(end);
          if (((classes[code] ?? 0) & NAME) === 0) break;
          hash = (hash << 5) ^ (hash >>> 27) ^ code;
          end++;
        }
        if (end === text.length) {
          if (at > from) break;
          return this.#readJoinedWord();
        }
        const definition = this.#run.macros.lookUp(text, at, end, hash);
        if (definition !== undefined) {
          if (at > from) break;
          this.#take(entry, end);
          return this.#nameOf(definition);
        }
        at = end;
      } else if ((sort & (SPECIAL | STRUCTURE)) !== 0) {
        break;
      } else {
        at++;
        if (isSynced && text.charCodeAt(at - 1) === 10) break;
      }
    }
    this.#take(entry, at);
    this.inert = this.#run.syntax.generation;
    return Found.plain;
  }

  /** A word that may go on in the text below. */
  #readJoinedWord(): FoundKind {
    const { input } = this.#run;
    const { classes } = this.#run.syntax;
    let word = '';
    const parts: Provenance[] = [];
    while (((classes[input.peek()] ?? 0) & NAME) !== 0) {
      const entry = input.top();
      if (entry === undefined) break;
      const { text, at } = entry;
      let end = at;
      while (end < text.length && ((classes[text.charCodeAt(end)] ?? 0) & NAME) !== 0) end++;
      parts.push(entry.provenance(at, end));
      input.consume(entry, end - at);
      word += text.slice(at, end);
      if (end < text.length) break;
    }
    this.#count(word.length);
    this.#chunk = undefined;
    this.text = word;
    this.#provenance = sequence(parts, word.length);
    const definition = this.#run.macros.lookUp(word, 0, word.length, hashOf(word));
    if (definition !== undefined) return this.#nameOf(definition);
    this.inert = this.#run.syntax.generation;
    return Found.plain;
  }

  /** A name with a definition: a call, or the word itself when the builtin needs arguments and none follow. */
  #nameOf(definition: Definition): FoundKind {
    if (definition.kind === 'builtin' && definition.isBlind && !this.isOpenNext()) {
      this.inert = 0;
      return Found.plain;
    }
    this.definition = definition;
    return Found.macro;
  }

  /** Whether the next token is an opening parenthesis. */
  isOpenNext(): boolean {
    const { input, syntax } = this.#run;
    if (input.peek() !== 40) return false;
    if (((syntax.classes[40] ?? 0) & SPECIAL) === 0) return true;
    if (syntax.openComment !== '' && input.startsWith(syntax.openComment)) return false;
    return syntax.openQuote === '' || !input.startsWith(syntax.openQuote);
  }

  #readComment(): FoundKind {
    const { input, syntax } = this.#run;
    const builder = new PieceBuilder();
    const start = this.#readDelimiter(syntax.openComment, builder);
    for (;;) {
      const entry = input.top();
      if (entry === undefined) return this.#run.fail(messages['unterminated-comment'](originOf(start), {}));
      if (entry.at >= entry.text.length) {
        input.skipBuiltin(entry);
        continue;
      }
      const first = syntax.closeComment.charAt(0);
      const at = first === '' ? -1 : entry.text.indexOf(first, entry.at);
      const to = at === -1 ? entry.text.length : at;
      this.#move(entry, to, builder);
      if (at === -1) continue;
      if (input.startsWith(syntax.closeComment)) {
        this.#readDelimiter(syntax.closeComment, builder);
        break;
      }
      this.#move(entry, to + 1, builder);
    }
    this.piece = builder.finish();
    return Found.string;
  }

  #readQuotation(): FoundKind {
    const { input, syntax } = this.#run;
    const { openQuote, closeQuote } = syntax;
    const open = openQuote.charCodeAt(0);
    const close = closeQuote.charCodeAt(0);
    const start = this.#readDelimiter(openQuote, undefined);
    if (syntax.hasSimpleQuotes && this.#readShortQuotation()) return Found.string;
    const builder = new PieceBuilder();
    for (let level = 1; ; ) {
      const entry = input.top();
      if (entry === undefined) return this.#run.fail(messages['unterminated-quote'](originOf(start), {}));
      if (entry.at >= entry.text.length) {
        input.skipBuiltin(entry);
        continue;
      }
      const { text } = entry;
      let to = entry.at;
      if (syntax.hasSimpleQuotes) {
        for (; to < text.length; to++) {
          const code = text.charCodeAt(to);
          if (code === open) level++;
          else if (code === close && --level === 0) break;
        }
        this.#move(entry, to, builder);
        if (to === text.length) continue;
        input.consume(entry, 1);
        break;
      }
      while (to < text.length && text.charCodeAt(to) !== open && text.charCodeAt(to) !== close) to++;
      this.#move(entry, to, builder);
      if (to === text.length) continue;
      if (closeQuote !== '' && input.startsWith(closeQuote)) {
        if (--level === 0) {
          this.#readDelimiter(closeQuote, undefined);
          break;
        }
        this.#readDelimiter(closeQuote, builder);
      } else if (input.startsWith(openQuote)) {
        level++;
        this.#readDelimiter(openQuote, builder);
      } else {
        this.#move(entry, to + 1, builder);
      }
    }
    this.piece = builder.finish();
    return Found.string;
  }

  /** Reads a quotation that ends in the stretch in which it begins, behind its opening quote; false where it does not. */
  #readShortQuotation(): boolean {
    const { input, limits } = this.#run;
    const entry = input.top();
    if (entry === undefined) return false;
    const { text, at: from } = entry;
    const to = this.#endOfQuotation(text, from);
    if (to < 0) return false;
    this.#count(to - from);
    if (to - from > limits.argument) this.#run.tooMuch('argument', originOf(this.provenance));
    this.piece = from === to ? EMPTY : pieceOf(text.slice(from, to), entry.provenance(from, to));
    input.consume(entry, to + 1 - from);
    return true;
  }

  /** Steps over a delimiter that is known to stand here, and adds it to `builder`. Answers where it stood. */
  #readDelimiter(delimiter: string, builder: PieceBuilder | undefined): Provenance {
    const { input } = this.#run;
    let first: Provenance | undefined;
    for (let left = delimiter.length; left > 0; ) {
      const entry = input.top();
      if (entry === undefined) break;
      if (entry.at >= entry.text.length) {
        input.skipBuiltin(entry);
        continue;
      }
      const count = Math.min(left, entry.text.length - entry.at);
      const provenance = entry.provenance(entry.at, entry.at + count);
      builder?.add(entry.text.slice(entry.at, entry.at + count), provenance, 0);
      first ??= provenance;
      input.consume(entry, count);
      left -= count;
    }
    return first ?? this.provenance;
  }

  /** Adds text up to `to` to what is being read. */
  #move(entry: Entry, to: number, builder: PieceBuilder): void {
    const from = entry.at;
    if (to === from) return;
    this.#count(to - from);
    builder.add(entry.text.slice(from, to), entry.provenance(from, to), 0);
    if (builder.length > this.#run.limits.argument) this.#run.tooMuch('argument', originOf(this.provenance));
    this.#run.input.consume(entry, to - from);
  }

  #isBalanced(piece: Piece): boolean {
    const { syntax } = this.#run;
    if (piece.balanceGeneration !== syntax.quoteGeneration) {
      piece.balanceGeneration = syntax.quoteGeneration;
      piece.isBalanced = syntax.hasSimpleQuotes && isBalancedText(piece.text, syntax.openQuote, syntax.closeQuote);
    }
    return piece.isBalanced;
  }

  /** Steps over the opening parenthesis that is known to stand here. */
  skipOpening(): void {
    const entry = this.#run.input.top();
    if (entry === undefined) return;
    this.#count(1);
    this.#run.input.consume(entry, 1);
  }

  /**
   * Reads an argument of one token or none, with the blanks before it and the sign behind it, which is `text` then. Most
   * arguments are such, and are read several times faster than token by token. Undefined, with nothing read, where the
   * argument is more than that.
   */
  shortArgument(): Piece | undefined {
    const { input, syntax, output, limits } = this.#run;
    const entry = input.top();
    if (entry === undefined || output.isSynced || entry.chunk?.quoted !== undefined) return undefined;
    const { text } = entry;
    const { classes, generation } = syntax;
    let from = entry.at;
    while (((classes[text.charCodeAt(from)] ?? 0) & (BLANK | SPECIAL)) === BLANK) from++;
    const first = text.charCodeAt(from);
    const isQuoted =
      syntax.hasSimpleQuotes &&
      first === syntax.openQuote.charCodeAt(0) &&
      first !== syntax.openComment.charCodeAt(0) &&
      ((classes[first] ?? 0) & NAME_START) === 0;
    if (isQuoted) from++;
    else if (entry.chunk?.inert === generation) return undefined;
    const to = isQuoted ? this.#endOfQuotation(text, from) : this.#endOfPlain(text, from);
    const end = isQuoted ? to + 1 : to;
    const sign = text.charCodeAt(end);
    const isEnd = (sign === 41 || sign === 44) && ((classes[sign] ?? 0) & (STRUCTURE | SPECIAL)) === STRUCTURE;
    if (to < 0 || !isEnd || to - from > limits.argument) return undefined;
    const piece =
      from === to ? EMPTY : tokenPiece(text.slice(from, to), entry.provenance(from, to), isQuoted ? 0 : generation);
    this.#count(end + 1 - entry.at);
    this.text = sign === 44 ? ',' : ')';
    input.consume(entry, end + 1 - entry.at);
    return piece;
  }

  /** Where the quotation ends whose text begins at `from`; -1 where the stretch ends before. */
  #endOfQuotation(text: string, from: number): number {
    const { openQuote, closeQuote } = this.#run.syntax;
    const open = openQuote.charCodeAt(0);
    const close = closeQuote.charCodeAt(0);
    let level = 1;
    for (let at = from; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === open) level++;
      else if (code === close && --level === 0) return at;
    }
    return -1;
  }

  /** Where text that stands for itself ends; -1 where a macro's name stands in it, or where it may go on in another stretch. */
  #endOfPlain(text: string, from: number): number {
    const { syntax, macros } = this.#run;
    const { classes } = syntax;
    let at = from;
    while (at < text.length) {
      const sort = classes[text.charCodeAt(at)] ?? 0;
      if ((sort & SPECIAL) !== 0) return -1;
      if ((sort & STRUCTURE) !== 0) return at;
      const start = at++;
      if ((sort & NAME_START) === 0) continue;
      let hash = text.charCodeAt(start);
      for (; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (((classes[code] ?? 0) & NAME) === 0) break;
        hash = (hash << 5) ^ (hash >>> 27) ^ code;
      }
      if (at === text.length || macros.lookUp(text, start, at, hash) !== undefined) return -1;
    }
    return -1;
  }

  /** Drops the input through the next newline. */
  skipLine(): void {
    for (let entry = this.#run.input.top(); entry !== undefined; entry = this.#run.input.top()) {
      if (entry.at >= entry.text.length) {
        this.#run.input.skipBuiltin(entry);
        continue;
      }
      const end = entry.text.indexOf('\n', entry.at);
      if (end !== -1) {
        this.#run.input.consume(entry, end + 1 - entry.at);
        return;
      }
      this.#run.input.consume(entry, entry.text.length - entry.at);
    }
  }

  /** Blank characters in front of an argument do not belong to it. */
  skipBlanks(): void {
    const { input, syntax } = this.#run;
    for (let entry = input.top(); entry !== undefined; entry = input.top()) {
      const { text, at } = entry;
      let end = at;
      while (end < text.length) {
        const sort = syntax.classes[text.charCodeAt(end)] ?? 0;
        if ((sort & BLANK) === 0) break;
        if ((sort & SPECIAL) !== 0) {
          input.consume(entry, end - entry.at);
          if (this.#startsDelimiter()) return;
        }
        end++;
      }
      if (end === at) return;
      this.#count(end - at);
      input.consume(entry, end - entry.at);
      if (end < text.length) return;
    }
  }

  #startsDelimiter(): boolean {
    const { openComment, openQuote } = this.#run.syntax;
    return (
      (openComment !== '' && this.#run.input.startsWith(openComment)) ||
      (openQuote !== '' && this.#run.input.startsWith(openQuote))
    );
  }
}

function isBalancedText(text: string, open: string, close: string): boolean {
  const openCode = open.charCodeAt(0);
  const closeCode = close.charCodeAt(0);
  let level = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === openCode) level++;
    else if (code === closeCode && --level < 0) return false;
  }
  return level === 0;
}
