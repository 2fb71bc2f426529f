/**
 * One run of m4 over a list of sources.
 *
 * @module
 */
import { type Diagnostic, InvariantError, type MappedText, type Origin, SourceText } from '../text/index.ts';
import { BUILTINS } from './builtins.ts';
import { DEFAULT_LIMITS, type M4Limits } from './limits.ts';
import { largestParameter } from './macro-table.ts';
import { pieceOf } from './pieces.ts';
import { Processor } from './processor.ts';
import { type Call, type Frame, leaf, mappedText, type RunList } from './provenance.ts';
import { defineTextBuiltins } from './text-builtins.ts';
import { macroOf } from './text-macro.ts';
import { TextRun } from './text-run.ts';

/** How m4 is run. */
export interface M4Options {
  /** Macros to define before the first source, as `-D name=value` does. */
  readonly definitions?: readonly { readonly name: string; readonly value: string }[];
  /** Whether the output has `#line` marks, as with `-s`. */
  readonly syncLines?: boolean;
  /** Finds the text that `include` names; without it there is nothing to include. */
  readonly readInclude?: (name: string) => SourceText | undefined;
  readonly limits?: Partial<M4Limits>;
  /** Whether all origins are asked for: then they are made with the text, and not in a second run. */
  readonly keepsOrigins?: boolean;
}

/** A call without an argument that the macro's body names, and the stretch of output that came of it. */
export interface ShortCall {
  readonly macro: string;
  /** How many arguments there were, empty ones too. */
  readonly given: number;
  /** The first argument that the body names and that is not there, or is empty. */
  readonly missing: number;
  /** Where the call was written. */
  readonly call: Origin;
  readonly start: number;
  readonly end: number;
}

/** What a run made, and what it said. */
export interface M4Result {
  readonly output: MappedText;
  readonly diagnostics: readonly Diagnostic[];
  /** What `errprint` and `dumpdef` wrote. */
  readonly errorOutput: string;
  /** What GNU m4 would exit with. */
  readonly exitStatus: number;
  /** Where `m4exit` ended the run before the end of the sources. */
  readonly exitedAt: Origin | undefined;
  /** All macros with a body that were ever defined: the largest N of a `$N` in their last body, and where that is given. */
  readonly macros: ReadonlyMap<string, { readonly maxParameter: number; readonly definedAt: Origin | undefined }>;
  /** Ascending by `start`. */
  readonly shortCalls: readonly ShortCall[];
  /** Macros that `undefine` or `popdef` took away, and that are not there at the end, each with that call. */
  readonly undefinedAt: ReadonlyMap<string, Origin>;
  /** The `divert` that throws text away at the end of the sources, where one does. */
  readonly discardsFrom: Origin | undefined;
  /** The `changequote` by which quotes are other ones at the end than at the beginning. */
  readonly quotesFrom: Origin | undefined;
}

/** The result of a run that remembers. */
interface FullResult extends M4Result {
  readonly output: MappedText & { readonly origins: Required<MappedText['origins']> };
}

/** The names of m4's own macros. */
export const BUILTIN_NAMES: readonly string[] = [...BUILTINS.keys()];

/** Macros by which a text can tell GNU m4 on a Unix system. */
const PREDEFINED = [
  { name: '__gnu__', value: '' },
  { name: '__unix__', value: '' },
];

/**
 * Expands sources one after the other, as `m4 FILE...` does.
 *
 * Where that can be done without remembering anything, the text is all that is made at once; the rest is when it is first
 * asked for, out of the same sources.
 */
export function runM4(sources: readonly SourceText[], options: M4Options = {}): M4Result {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const text =
    options.syncLines === true || options.keepsOrigins === true ? undefined : textAlone(sources, options, limits);
  return text === undefined
    ? fullRun(sources, options, limits)
    : lateResult(text, () => fullRun(sources, options, limits));
}

/** What stands in front of all sources. */
function definitionsOf({ definitions = [] }: M4Options): readonly { readonly name: string; readonly value: string }[] {
  return [...PREDEFINED, ...definitions];
}

/** The expanded text; undefined where there is more to it than that. */
function textAlone(sources: readonly SourceText[], options: M4Options, limits: M4Limits): string | undefined {
  const run = new TextRun(limits);
  defineTextBuiltins(run);
  for (const { name, value } of definitionsOf(options)) run.define(name, macroOf(value), false);
  return run.run(sources.map((source) => source.text));
}

/** The result of a run that nothing is to be said about, with this text. */
function lateResult(text: string, run: () => FullResult): M4Result {
  let known: FullResult | undefined;
  const full = (): FullResult => {
    known ??= run();
    if (known.output.text !== text || known.diagnostics.length > 0)
      throw new InvariantError('m4 expands the same sources to something else when it remembers where they came from');
    return known;
  };
  return {
    output: {
      text,
      origins: {
        originAt: (start, end) => full().output.origins.originAt(start, end),
        runs: () => full().output.origins.runs(),
      },
    },
    diagnostics: [],
    errorOutput: '',
    exitStatus: 0,
    exitedAt: undefined,
    get macros() {
      return full().macros;
    },
    get shortCalls() {
      return full().shortCalls;
    },
    get undefinedAt() {
      return full().undefinedAt;
    },
    get discardsFrom() {
      return full().discardsFrom;
    },
    quotesFrom: undefined,
  };
}

/** Expands sources and remembers where each character came from. */
function fullRun(sources: readonly SourceText[], options: M4Options, limits: M4Limits): FullResult {
  const processor = new Processor({
    syncLines: options.syncLines ?? false,
    limits,
    readInclude: options.readInclude ?? (() => undefined),
  });
  for (const [name, builtin] of BUILTINS) processor.macros.define(name, builtin);
  for (const { name, value } of definitionsOf(options)) {
    const source = new SourceText(`definition of ${name}`, value);
    const body = pieceOf(value, leaf(value.length, { source, call: undefined }, 0));
    processor.macros.define(name, {
      kind: 'user',
      body,
      definedAt: { kind: 'written', span: { source, start: 0, end: value.length } },
      isGathered: false,
      parts: undefined,
      maxParameter: largestParameter(body),
    });
  }
  processor.run(sources);
  const { text, runs } = processor.output.finish();
  return {
    output: mappedText(text, runs, sources[0] ?? new SourceText('nothing', '')),
    diagnostics: processor.diagnostics,
    errorOutput: processor.errorOutput,
    exitStatus: processor.exitStatus,
    exitedAt: processor.exitCall?.origin,
    macros: processor.macros.everDefined,
    shortCalls: findShortCalls(processor.shortCalls, runs, text.length),
    undefinedAt: processor.undefinedAt,
    discardsFrom: processor.discardsFrom,
    quotesFrom: processor.syntax.hasUsualQuotes ? undefined : processor.quotesChangedAt,
  };
}

/** Finds the output of calls by their mark on the stretches of text. */
function findShortCalls(
  calls: ReadonlyMap<Call, { readonly given: number; readonly missing: number }>,
  runs: RunList,
  length: number,
): ShortCall[] {
  if (calls.size === 0) return [];
  const found: { call: Call; start: number; end: number }[] = [];
  const open = new Map<Call, { call: Call; start: number; end: number }>();
  const callsOf = new Map<Frame, readonly Call[]>();
  const shortCallsIn = (frame: Frame): readonly Call[] => {
    let known = callsOf.get(frame);
    if (known === undefined) {
      const chain: Call[] = [];
      for (let call = frame.call; call !== undefined; call = call.frame.call) if (calls.has(call)) chain.push(call);
      known = chain;
      callsOf.set(frame, known);
    }
    return known;
  };
  for (let i = 0; i < runs.count; i++) {
    const frame = runs.frames[i];
    if (frame === undefined) continue;
    const start = runs.starts[i] ?? 0;
    const end = i + 1 < runs.count ? (runs.starts[i + 1] ?? 0) : length;
    for (const call of shortCallsIn(frame)) {
      const stretch = open.get(call);
      if (stretch !== undefined) stretch.end = end;
      else {
        const made = { call, start, end };
        open.set(call, made);
        found.push(made);
      }
    }
  }
  return found.map(({ call, start, end }) => {
    const { given, missing } = calls.get(call) ?? { given: 0, missing: 1 };
    return { macro: call.macro, given, missing, call: call.origin, start, end };
  });
}
