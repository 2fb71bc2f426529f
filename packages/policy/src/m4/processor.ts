/**
 * The macro processor itself: collects arguments and expands.
 *
 * SPEC: GNU m4 1.4.19; the order in which things happen decides where its `#line` marks stand.
 * Start reading at `Processor.run`.
 *
 * @module
 */
import type { Diagnostic, Origin, SourceText } from '../text/index.ts';
import { m4 as messages } from './diagnostics.ts';
import { EndlessCalls } from './endless-call.ts';
import { Input } from './input.ts';
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
import { builtinChunk, EMPTY, Piece, PieceBuilder, pieceOf } from './pieces.ts';
import { Call, type Frame, firstLeaf, fixedLeaf, leaf, originOf, type Provenance } from './provenance.ts';
import { Found, Scanner } from './scanner.ts';
import { Syntax } from './syntax.ts';

/** Ends a run early: `m4exit`, or an input that cannot be read further. */
class Stop extends Error {}

const MAX_DIAGNOSTICS = 1000;
const MAX_SHORT_CALLS = 100_000;

const WHAT: Readonly<Record<Exclude<keyof M4Limits, 'unwatched'>, string>> = {
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
  /** Calls without an argument that the body names, or with an empty one. */
  readonly shortCalls: Map<Call, { readonly given: number; readonly missing: number }> = new Map();
  errorOutput = '';
  exitStatus = 0;
  /** Macros that were taken away and not defined again, each with the call that did it. */
  readonly undefinedAt: Map<string, Origin> = new Map();
  /** The last call of `divert`. */
  divertedAt: Origin | undefined;
  /** Where text is thrown away up to the end of the sources. */
  discardsFrom: Origin | undefined;
  /** The last call of `changequote`. */
  quotesChangedAt: Origin | undefined;
  /** The `m4exit` that ended the run. */
  exitCall: Call | undefined;
  readonly #surroundings: Surroundings;
  readonly limits: M4Limits;
  readonly #scanner: Scanner;
  #wraps: { readonly piece: Piece; readonly file: string; readonly line: number }[] = [];
  #depth = 0;
  #calls = 0;
  readonly #endless: EndlessCalls;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.limits = surroundings.limits;
    this.#endless = new EndlessCalls(this.limits.unwatched);
    this.output = new Output(surroundings.syncLines);
    this.input = new Input(() => this.output.forgetLine());
    this.#scanner = new Scanner(this);
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
      if (this.output.isDiscarding) this.discardsFrom = this.divertedAt;
      this.output.divert(0);
      this.output.undivertAll();
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
  }

  #errors = 0;
  #warnings = 0;

  report(diagnostic: Diagnostic): void {
    // Warnings, however many, leave room for errors: without them there would seem to be none.
    const isError = diagnostic.severity === 'error';
    if ((isError ? this.#errors++ : this.#warnings++) < MAX_DIAGNOSTICS) this.diagnostics.push(diagnostic);
  }

  /** Ends the run. */
  stop(status: number): never {
    this.exitStatus = status;
    throw new Stop();
  }

  /** Ends the run with an error. */
  fail(diagnostic: Diagnostic): never {
    this.diagnostics.push(diagnostic);
    return this.stop(1);
  }

  /** Ends the run because a limit is reached. */
  tooMuch(limit: keyof typeof WHAT, origin: Origin | undefined): never {
    return this.fail(messages['limit-reached'](origin, { limit: this.limits[limit], what: WHAT[limit] }));
  }

  /** Adds to the text that goes to standard error. */
  printError(text: string, call: Call): void {
    this.errorOutput += text;
    if (this.errorOutput.length > this.limits.output) this.tooMuch('output', call.origin);
  }

  /** Keeps text to be expanded after all input. */
  wrap(piece: Piece, file: string, line: number): void {
    this.#wraps.push({ piece, file, line });
  }

  /** Puts a file in front of the rest of the input; false when there is none of that name. */
  include(name: string, call: Call): boolean {
    const source = this.#surroundings.readInclude(name);
    if (source === undefined) return false;
    if (this.input.stack.length > this.limits.pending) this.tooMuch('pending', call.origin);
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

  /** Drops the input through the next newline. */
  skipLine(): void {
    this.#scanner.skipLine();
  }

  /** Puts a builtin's definition in front of the rest of the input. */
  pushBuiltin(builtin: Builtin, { file, line, call }: Invocation): void {
    this.input.push([builtinChunk(builtin, generated(0, call))], file, line);
  }

  #expandAll(): void {
    for (;;) {
      const kind = this.#scanner.next();
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
          this.#ship(this.#scanner.piece?.text ?? '', this.#scanner.piece?.provenance ?? this.#scanner.provenance);
          break;
        default:
          this.#ship(this.#scanner.text, this.#scanner.provenance);
      }
    }
  }

  #ship(text: string, provenance: Provenance): void {
    const { output, input } = this;
    if (output.isDiscarding) return;
    if (!output.isSynced) {
      output.ship(text, provenance, '', 0);
    } else {
      output.ship(text, provenance, input.file, this.#scanner.line);
    }
    if (output.total > this.limits.output) this.tooMuch('output', originOf(this.#scanner.provenance));
  }

  /** Calls the macro whose name was just read. */
  #expandMacro(): void {
    const definition = this.#scanner.definition;
    if (definition === undefined) return;
    const { input } = this;
    const { file, line } = input;
    const name = this.#scanner.text;
    const call = this.#makeCall(name);
    if (++this.#depth > this.limits.nesting) this.tooMuch('nesting', call.origin);
    if (++this.#calls > this.limits.calls) this.tooMuch('calls', call.origin);
    const args = this.#scanner.isOpenNext()
      ? this.#collect(call, definition.kind === 'builtin' && definition.takesBuiltins)
      : [];
    this.apply(definition, { name, args, call, file, line });
    this.#depth--;
  }

  #makeCall(name: string): Call {
    const first = firstLeaf(this.#scanner.provenance);
    if (first?.frame === undefined) throw new TypeError('a name without a place');
    const length = first.fixed === 0 ? Math.min(first.length, name.length) : first.fixed;
    return new Call(name, first.frame, first.offset, first.offset + length);
  }

  /** Carries out a call whose arguments are collected. */
  apply(definition: Definition, invocation: Invocation): void {
    if (definition.kind === 'builtin') definition.run(this, invocation);
    else {
      const { call, args } = invocation;
      if (this.#endless.isEndless(call, args, this.macros, this.syntax, this.input))
        this.fail(messages['endless-macro'](call.origin, { macro: call.macro }));
      this.#expandUser(definition, invocation);
    }
    if (this.input.stack.length > this.limits.pending) this.tooMuch('pending', invocation.call.origin);
  }

  /** Puts text in front of the rest of the input. */
  push(piece: Piece, { file, line, call }: Invocation): void {
    if (piece.length > this.limits.argument) this.tooMuch('argument', call.origin);
    this.input.pushPiece(piece, file, line);
  }

  /** Puts text that m4 made in front of the rest of the input. */
  pushText(text: string, invocation: Invocation): void {
    this.push(pieceOf(text, generated(text.length, invocation.call)), invocation);
  }

  /** Reads arguments from the opening parenthesis through the closing one. */
  #collect(call: Call, takesBuiltins: boolean): Piece[] {
    const scanner = this.#scanner;
    scanner.skipOpening();
    const args: Piece[] = [];
    do args.push(scanner.shortArgument() ?? this.#argument(call, takesBuiltins));
    while (scanner.text === ',');
    return args;
  }

  /** Reads one argument, through the comma or parenthesis behind it. */
  #argument(call: Call, takesBuiltins: boolean): Piece {
    const scanner = this.#scanner;
    const limit = this.limits.argument;
    scanner.skipBlanks();
    let level = 0;
    // Most arguments are one token or none; a builder is for those that are more.
    let only = EMPTY;
    let builder: PieceBuilder | undefined;
    let builtin: Builtin | undefined;
    for (;;) {
      const kind = scanner.next();
      switch (kind) {
        case Found.end:
          this.fail(messages['unterminated-call'](call.origin, { macro: call.macro }));
          break;
        case Found.macro:
          this.#expandMacro();
          continue;
        case Found.builtin:
          if ((builder ?? only).length === 0 && scanner.definition?.kind === 'builtin') builtin = scanner.definition;
          continue;
        case Found.sign: {
          const sign = scanner.text;
          if (level === 0 && (sign === ')' || sign === ',')) {
            if (builtin !== undefined) return new Piece([], 0, takesBuiltins ? builtin : undefined);
            return builder === undefined ? only : builder.finish();
          }
          if (sign === '(') level++;
          else if (sign === ')') level--;
          break;
        }
        default:
      }
      if (builder === undefined && only.length === 0) only = scanner.tokenPiece(kind);
      else {
        if (builder === undefined) {
          builder = new PieceBuilder();
          builder.addPiece(only);
        }
        scanner.addToken(kind, builder);
      }
      if ((builder ?? only).length > limit) this.tooMuch('argument', call.origin);
    }
  }

  #expandUser(macro: UserMacro, invocation: Invocation): void {
    const { args, call, name } = invocation;
    const parts = bodyParts(macro);
    if (macro.isGathered && macro.body.length > 0 && parts.length === 1 && parts[0]?.kind === 'text') {
      this.push(macro.body, invocation);
      return;
    }
    const builder = new PieceBuilder();
    let missing = Number.POSITIVE_INFINITY;
    for (const part of parts) {
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
          else if (argument !== undefined && argument.length > 0) builder.addPiece(argument);
          else missing = Math.min(missing, part.index);
          break;
        }
        case 'count':
          builder.add(String(args.length), generated(String(args.length).length, call), 0);
          break;
        default:
          this.addList(builder, args, call, part.kind === 'quoted-list');
      }
      if (builder.length > this.limits.argument) this.tooMuch('argument', call.origin);
    }
    if (missing < Number.POSITIVE_INFINITY && this.shortCalls.size < MAX_SHORT_CALLS)
      this.shortCalls.set(call, { given: args.length, missing });
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
      if (builder.length > this.limits.argument) this.tooMuch('argument', call.origin);
    }
  }
}

/** Where text that m4 made for a call came from: the call. */
export function generated(length: number, call: Call): Provenance {
  return fixedLeaf(length, call.frame, call.start, call.end - call.start);
}
