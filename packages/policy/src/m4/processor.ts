/**
 * The macro processor itself: splits the input into tokens, collects arguments, expands.
 *
 * SPEC: GNU m4 1.4.19; the order in which things happen decides where its `#line` marks stand.
 * Start reading at `Processor.run`.
 *
 * @module
 */
import { type Diagnostic, finishHash, hashStep, type Origin, type SourceText } from '../text/index.ts';
import { m4 as messages } from './diagnostics.ts';
import { type Entry, Input } from './input.ts';
import type { M4Limits } from './limits.ts';
import {
  type Builtin,
  bodyParts,
  type Definition,
  type Invocation,
  MacroTable,
  type UserMacro,
} from './macro-table.ts';
import { Output } from './output.ts';
import { builtinChunk, isWordCode, Piece, PieceBuilder, pieceOf } from './pieces.ts';
import { Call, type Frame, firstLeaf, fixedLeaf, leaf, originOf, type Provenance, sequence } from './provenance.ts';
import { BLANK, NAME, NAME_START, SPECIAL, STRUCTURE, Syntax } from './syntax.ts';

/** What one step of the scanner found. */
const Found = {
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

type FoundKind = (typeof Found)[keyof typeof Found];

/** Ends a run early: `m4exit`, or an input that cannot be read further. */
class Stop extends Error {}

const MAX_DIAGNOSTICS = 1000;
const MAX_SHORT_CALLS = 100_000;

const WHAT: Readonly<Record<keyof M4Limits, string>> = {
  nesting: 'calls inside of one another',
  calls: 'macro calls',
  scanned: 'bytes of text to expand',
  output: 'bytes of output',
  argument: 'bytes in one argument or expansion',
  pending: 'expansions one inside the other',
};

/** What a run needs from outside. */
export interface Surroundings {
  readonly syncLines: boolean;
  readonly limits: M4Limits;
  readonly readInclude: (name: string) => SourceText | undefined;
}

export class Processor {
  readonly syntax: Syntax = new Syntax();
  readonly macros: MacroTable = new MacroTable(() => this.syntax.forgetWords());
  readonly output: Output;
  readonly input: Input;
  readonly diagnostics: Diagnostic[] = [];
  /** Calls with fewer arguments than the body names. */
  readonly shortCalls: Map<Call, { readonly given: number; readonly wanted: number }> = new Map();
  errorOutput = '';
  exitStatus = 0;
  readonly #surroundings: Surroundings;
  readonly #limits: M4Limits;
  #wraps: { readonly piece: Piece; readonly file: string; readonly line: number }[] = [];
  #depth = 0;
  #calls = 0;
  #scanned = 0;

  /** The token that `#next` found: its text, where it came from, and the line it counts under. */
  #text = '';
  #provenance: Provenance = { length: 0, frame: undefined, offset: 0, fixed: 0, parts: [], call: undefined };
  #piece: Piece | undefined;
  #definition: Definition | undefined;
  #line = 0;
  /** The generation under which a plain stretch stands for itself. */
  #inert = 0;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#limits = surroundings.limits;
    this.output = new Output(surroundings.syncLines);
    this.input = new Input(() => this.output.forgetLine());
  }

  /** Expands one source after another, then what `m4wrap` kept, then what was diverted. */
  run(sources: readonly SourceText[]): void {
    try {
      for (const source of sources) {
        this.input.pushFile(source, { source, call: undefined });
        this.#expandAll();
      }
      while (this.#wraps.length > 0) {
        const wraps = this.#wraps;
        this.#wraps = [];
        for (const { piece, file, line } of wraps) this.input.pushPiece(piece, file, line);
        this.#expandAll();
      }
      this.output.divert(0);
      this.output.undivertAll();
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
  }

  report(diagnostic: Diagnostic): void {
    if (this.diagnostics.length < MAX_DIAGNOSTICS) this.diagnostics.push(diagnostic);
  }

  /** Ends the run. */
  stop(status: number): never {
    this.exitStatus = status;
    throw new Stop();
  }

  fail(diagnostic: Diagnostic): never {
    this.diagnostics.push(diagnostic);
    return this.stop(1);
  }

  /** Adds to the text that goes to standard error. */
  printError(text: string, call: Call): void {
    this.errorOutput += text;
    if (this.errorOutput.length > this.#limits.output) this.#tooMuch('output', call.origin);
  }

  /** Keeps text to be expanded after all input. */
  wrap(piece: Piece, file: string, line: number): void {
    this.#wraps.push({ piece, file, line });
  }

  /** Puts a file in front of the rest of the input; false when there is none of that name. */
  include(name: string, call: Call): boolean {
    const source = this.#surroundings.readInclude(name);
    if (source === undefined) return false;
    if (this.input.stack.length > this.#limits.pending) this.#tooMuch('pending', call.origin);
    this.input.pushFile(source, { source, call: undefined });
    return true;
  }

  /** Sends a file to the output as it is; false when there is none of that name. */
  insertFile(name: string): boolean {
    const source = this.#surroundings.readInclude(name);
    if (source === undefined) return false;
    const frame: Frame = { source, call: undefined };
    this.output.insert(source.text, leaf(source.text.length, frame, 0));
    return true;
  }

  /** Puts a builtin's definition in front of the rest of the input. */
  pushBuiltin(builtin: Builtin, { file, line, call }: Invocation): void {
    this.input.push([builtinChunk(builtin, generated(0, call))], file, line);
  }

  /** Drops the input through the next newline. */
  skipLine(): void {
    for (let entry = this.input.top(); entry !== undefined; entry = this.input.top()) {
      if (entry.at >= entry.text.length) {
        this.input.skipBuiltin(entry);
        continue;
      }
      const end = entry.text.indexOf('\n', entry.at);
      if (end !== -1) {
        this.input.consume(entry, end + 1 - entry.at);
        return;
      }
      this.input.consume(entry, entry.text.length - entry.at);
    }
  }

  #tooMuch(limit: keyof M4Limits, origin: Origin | undefined): never {
    return this.fail(messages['limit-reached'](origin, { limit: this.#limits[limit], what: WHAT[limit] }));
  }

  #expandAll(): void {
    for (;;) {
      const kind = this.#next();
      switch (kind) {
        case Found.end:
          this.input.forgetPlace();
          return;
        case Found.macro:
          this.#expandMacro();
          break;
        case Found.builtin:
          break;
        case Found.string:
          this.#ship(this.#piece?.text ?? '', this.#piece?.provenance ?? this.#provenance);
          break;
        default:
          this.#ship(this.#text, this.#provenance);
      }
    }
  }

  #ship(text: string, provenance: Provenance): void {
    const { output, input } = this;
    if (output.isDiscarding) return;
    if (!output.isSynced) {
      output.ship(text, provenance, '', 0);
    } else {
      output.ship(text, provenance, input.file, this.#line);
    }
    if (output.total > this.#limits.output) this.#tooMuch('output', originOf(this.#provenance));
  }

  /** Reads one token. */
  #next(): FoundKind {
    const { input, syntax } = this;
    const entry = input.top();
    if (entry === undefined) return Found.end;
    const chunk = entry.chunk;
    if (entry.at >= entry.text.length) {
      this.#definition = chunk?.builtin;
      input.skipBuiltin(entry);
      return Found.builtin;
    }
    const from = entry.at;
    this.#line = entry.lineAt(from);
    if (chunk !== undefined) {
      if (from === 0 && chunk.quoted !== undefined && chunk.quoteGeneration === syntax.quoteGeneration) {
        if (this.#isBalanced(chunk.quoted)) {
          this.#take(entry, entry.text.length);
          this.#piece = chunk.quoted;
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
      if (syntax.openComment !== '' && input.startsWith(syntax.openComment)) return this.#readComment();
      if ((sort & NAME_START) === 0) {
        if (syntax.openQuote !== '' && input.startsWith(syntax.openQuote)) return this.#readQuotation();
        this.#take(entry, from + 1);
        return Found.sign;
      }
    }
    if ((sort & NAME_START) === 0 && (sort & STRUCTURE) !== 0) {
      this.#take(entry, from + 1);
      return Found.sign;
    }
    return this.#readPlain(entry, from);
  }

  /** Steps to `to` and keeps what was stepped over as the token. */
  #take(entry: Entry, to: number): void {
    const from = entry.at;
    this.#text = entry.text.slice(from, to);
    this.#provenance = entry.provenance(from, to);
    this.#count(to - from);
    this.input.consume(entry, to - from);
  }

  #count(length: number): void {
    this.#scanned += length;
    if (this.#scanned > this.#limits.scanned) this.#tooMuch('scanned', originOf(this.#provenance));
  }

  /** A stretch of text that stands for itself; with sync lines no further than the next newline. */
  #plain(entry: Entry, end: number): FoundKind {
    let to = end;
    if (this.output.isSynced) {
      const newline = entry.text.indexOf('\n', entry.at);
      if (newline !== -1 && newline + 1 < to) to = newline + 1;
    }
    this.#take(entry, to);
    this.#inert = this.syntax.generation;
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
    const { stack } = this.input;
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
    const { classes } = this.syntax;
    const { isSynced } = this.output;
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
          hash = hashStep(hash, code);
          end++;
        }
        if (end === text.length) {
          if (at > from) break;
          return this.#readJoinedWord();
        }
        const definition = this.macros.lookUp(text, at, end, finishHash(hash));
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
    this.#inert = this.syntax.generation;
    return Found.plain;
  }

  /** A word that may go on in the text below. */
  #readJoinedWord(): FoundKind {
    const { input } = this;
    const { classes } = this.syntax;
    let word = '';
    const parts: Provenance[] = [];
    for (let entry = input.top(); entry !== undefined && entry.at < entry.text.length; entry = input.top()) {
      const { text, at } = entry;
      let end = at;
      while (end < text.length && ((classes[text.charCodeAt(end)] ?? 0) & NAME) !== 0) end++;
      if (end === at) break;
      parts.push(entry.provenance(at, end));
      input.consume(entry, end - at);
      word += text.slice(at, end);
      if (end < text.length) break;
    }
    this.#count(word.length);
    this.#text = word;
    this.#provenance = sequence(parts, word.length);
    let hash = 0;
    for (let at = 0; at < word.length; at++) hash = hashStep(hash, word.charCodeAt(at));
    const definition = this.macros.lookUp(word, 0, word.length, finishHash(hash));
    if (definition !== undefined) return this.#nameOf(definition);
    this.#inert = this.syntax.generation;
    return Found.plain;
  }

  /** A name with a definition: a call, or the word itself when the builtin needs arguments and none follow. */
  #nameOf(definition: Definition): FoundKind {
    if (definition.kind === 'builtin' && definition.isBlind && !this.#isOpenNext()) {
      this.#inert = 0;
      return Found.plain;
    }
    this.#definition = definition;
    return Found.macro;
  }

  /** Whether the next token is an opening parenthesis. */
  #isOpenNext(): boolean {
    const { input, syntax } = this;
    if (input.peek() !== 40) return false;
    if (((syntax.classes[40] ?? 0) & SPECIAL) === 0) return true;
    if (syntax.openComment !== '' && input.startsWith(syntax.openComment)) return false;
    return syntax.openQuote === '' || !input.startsWith(syntax.openQuote);
  }

  #readComment(): FoundKind {
    const { input, syntax } = this;
    const builder = new PieceBuilder();
    const start = this.#readDelimiter(syntax.openComment, builder);
    for (;;) {
      const entry = input.top();
      if (entry === undefined) return this.fail(messages['unterminated-comment'](originOf(start), {}));
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
    this.#piece = builder.finish();
    return Found.string;
  }

  #readQuotation(): FoundKind {
    const { input, syntax } = this;
    const { openQuote, closeQuote } = syntax;
    const open = openQuote.charCodeAt(0);
    const close = closeQuote.charCodeAt(0);
    const builder = new PieceBuilder();
    const start = this.#readDelimiter(openQuote, undefined);
    for (let level = 1; ; ) {
      const entry = input.top();
      if (entry === undefined) return this.fail(messages['unterminated-quote'](originOf(start), {}));
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
        this.#readDelimiter(closeQuote, undefined);
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
    this.#piece = builder.finish();
    return Found.string;
  }

  /** Steps over a delimiter that is known to stand here, and adds it to `builder`. Answers where it stood. */
  #readDelimiter(delimiter: string, builder: PieceBuilder | undefined): Provenance {
    const { input } = this;
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
    return first ?? this.#provenance;
  }

  /** Adds text up to `to` to what is being read. */
  #move(entry: Entry, to: number, builder: PieceBuilder): void {
    const from = entry.at;
    if (to === from) return;
    this.#count(to - from);
    builder.add(entry.text.slice(from, to), entry.provenance(from, to), 0);
    if (builder.length > this.#limits.argument) this.#tooMuch('argument', originOf(this.#provenance));
    this.input.consume(entry, to - from);
  }

  #isBalanced(piece: Piece): boolean {
    const { syntax } = this;
    if (piece.balanceGeneration !== syntax.quoteGeneration) {
      piece.balanceGeneration = syntax.quoteGeneration;
      piece.isBalanced = syntax.hasSimpleQuotes && isBalancedText(piece.text, syntax.openQuote, syntax.closeQuote);
    }
    return piece.isBalanced;
  }

  /** Calls the macro whose name was just read. */
  #expandMacro(): void {
    const definition = this.#definition;
    if (definition === undefined) return;
    const { input } = this;
    const { file, line } = input;
    const name = this.#text;
    const call = this.#makeCall(name);
    if (++this.#depth > this.#limits.nesting) this.#tooMuch('nesting', call.origin);
    if (++this.#calls > this.#limits.calls) this.#tooMuch('calls', call.origin);
    const args = this.#isOpenNext()
      ? this.#collect(call, definition.kind === 'builtin' && definition.takesBuiltins)
      : [];
    this.apply(definition, { name, args, call, file, line });
    this.#depth--;
  }

  #makeCall(name: string): Call {
    const first = firstLeaf(this.#provenance);
    if (first?.frame === undefined) throw new TypeError('a name without a place');
    const length = first.fixed === 0 ? Math.min(first.length, name.length) : first.fixed;
    return new Call(name, first.frame, first.offset, first.offset + length);
  }

  /** Carries out a call whose arguments are collected. */
  apply(definition: Definition, invocation: Invocation): void {
    if (definition.kind === 'builtin') definition.run(this, invocation);
    else this.#expandUser(definition, invocation);
    if (this.input.stack.length > this.#limits.pending) this.#tooMuch('pending', invocation.call.origin);
  }

  /** Puts text in front of the rest of the input. */
  push(piece: Piece, { file, line, call }: Invocation): void {
    if (piece.length > this.#limits.argument) this.#tooMuch('argument', call.origin);
    this.input.pushPiece(piece, file, line);
  }

  /** Puts text that m4 made in front of the rest of the input. */
  pushText(text: string, invocation: Invocation): void {
    this.push(pieceOf(text, generated(text.length, invocation.call)), invocation);
  }

  /** Reads arguments from the opening parenthesis through the closing one. */
  #collect(call: Call, takesBuiltins: boolean): Piece[] {
    this.#next();
    const args: Piece[] = [];
    let hasMore = true;
    while (hasMore) {
      const builder = new PieceBuilder();
      hasMore = this.#argument(builder, call);
      if (builder.builtin === undefined) args.push(builder.finish());
      else args.push(new Piece([], 0, takesBuiltins ? builder.builtin : undefined));
    }
    return args;
  }

  /** Reads one argument; true when a comma ended it. */
  #argument(builder: PieceBuilder, call: Call): boolean {
    this.#skipBlanks();
    let level = 0;
    for (;;) {
      const kind = this.#next();
      switch (kind) {
        case Found.end:
          this.fail(messages['unterminated-call'](call.origin, { macro: call.macro }));
          break;
        case Found.sign: {
          const sign = this.#text;
          if (level === 0 && (sign === ')' || sign === ',')) return sign === ',';
          if (sign === '(') level++;
          else if (sign === ')') level--;
          builder.add(sign, this.#provenance, 0);
          break;
        }
        case Found.plain:
          builder.add(this.#text, this.#provenance, this.#inert);
          break;
        case Found.string:
          if (this.#piece !== undefined) builder.addPiece(this.#piece);
          break;
        case Found.macro:
          this.#expandMacro();
          break;
        default:
          if (builder.length === 0 && this.#definition?.kind === 'builtin') builder.builtin = this.#definition;
      }
      if (builder.length > this.#limits.argument) this.#tooMuch('argument', call.origin);
    }
  }

  /** Blank characters in front of an argument do not belong to it. */
  #skipBlanks(): void {
    const { input, syntax } = this;
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
    const { openComment, openQuote } = this.syntax;
    return (
      (openComment !== '' && this.input.startsWith(openComment)) ||
      (openQuote !== '' && this.input.startsWith(openQuote))
    );
  }

  #expandUser(macro: UserMacro, invocation: Invocation): void {
    const { args, call, name } = invocation;
    const builder = new PieceBuilder();
    for (const part of bodyParts(macro)) {
      switch (part.kind) {
        case 'text':
          for (const chunk of part.chunks) {
            if (macro.isGathered) builder.addChunk(chunk);
            else builder.addExpanded(chunk, call);
          }
          break;
        case 'argument': {
          const argument = args[part.index - 1];
          if (part.index === 0) builder.add(name, generated(name.length, call), 0);
          else if (argument !== undefined) builder.addPiece(argument);
          break;
        }
        case 'count':
          builder.add(String(args.length), generated(String(args.length).length, call), 0);
          break;
        default:
          this.addList(builder, args, call, part.kind === 'quoted-list');
      }
      if (builder.length > this.#limits.argument) this.#tooMuch('argument', call.origin);
    }
    if (args.length < macro.maxParameter && this.shortCalls.size < MAX_SHORT_CALLS)
      this.shortCalls.set(call, { given: args.length, wanted: macro.maxParameter });
    this.push(builder.finish(), invocation);
  }

  /** Adds arguments with commas between them, each in quotes when asked for. */
  addList(builder: PieceBuilder, args: readonly Piece[], call: Call, isQuoted: boolean): void {
    const { openQuote, closeQuote, quoteGeneration } = this.syntax;
    const mark = generated(1, call);
    for (const [index, argument] of args.entries()) {
      if (index > 0) builder.add(',', mark, 0);
      if (isQuoted) builder.addQuoted(argument, openQuote, closeQuote, mark, quoteGeneration);
      else builder.addPiece(argument);
      if (builder.length > this.#limits.argument) this.#tooMuch('argument', call.origin);
    }
  }
}

/** Where text that m4 made for a call came from: the call. */
export function generated(length: number, call: Call): Provenance {
  return fixedLeaf(length, call.frame, call.start, call.end - call.start);
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
