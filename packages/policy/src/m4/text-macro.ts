/**
 * What a run for the text alone knows of macros.
 *
 * @module
 */
import { markAt } from './macro-table.ts';
import type { TextRun } from './text-run.ts';

/** What a builtin does. Called without a parenthesis it gets no arguments, otherwise one at least. */
export type TextBuiltin = (run: TextRun, args: readonly string[]) => void;

/** A definition: of a builtin, where there is `run`, or a body. */
export class TextMacro {
  readonly run: TextBuiltin | undefined;
  /** How many arguments a builtin takes; it is not for this run to say that there are more or less. */
  readonly least: number;
  readonly most: number;
  /** Recognised only with an opening parenthesis right behind the name. */
  readonly isBlind: boolean;
  /** Whether the second argument is a body, which may begin with text that is remembered. */
  readonly takesBody: boolean;
  readonly body: string;
  /** What comes before the body. */
  readonly grown: Grown | undefined;
  /** The body between its `$` marks, once it was called. */
  texts: readonly string[] | undefined;
  /** For each mark the number of its argument, or what it is else. */
  marks: readonly number[];

  constructor(body: string, grown: Grown | undefined, builtin: BuiltinTraits | undefined) {
    this.run = builtin?.run;
    this.least = builtin?.least ?? 0;
    this.most = builtin?.most ?? 0;
    this.isBlind = builtin?.isBlind ?? false;
    this.takesBody = builtin?.takesBody ?? false;
    this.body = body;
    this.grown = grown;
    this.texts = undefined;
    this.marks = NO_MARKS;
  }
}

/** What is different about a builtin. */
export interface BuiltinTraits {
  readonly run: TextBuiltin;
  readonly least: number;
  readonly most: number;
  readonly isBlind: boolean;
  readonly takesBody: boolean;
}

/** A macro with a body. */
export function macroOf(body: string, grown?: Grown): TextMacro {
  return new TextMacro(body, grown, undefined);
}

const NO_MARKS: readonly number[] = [];

/** Marks that are no argument's. */
const MARKS = { name: 0, count: -1, list: -2, 'quoted-list': -3 } as const;

/**
 * Text without a mark that was scanned and found to stand for itself, under the rules of `generation`. It is passed in one
 * step when it is scanned again: so a macro to which others append costs what is appended, not what it has become.
 */
export interface Grown {
  readonly text: string;
  readonly generation: number;
  readonly endsInWord: boolean;
}

/** What is known of a word. */
export class Word {
  macro: TextMacro | undefined = undefined;
  /** Definitions that `pushdef` covered. */
  covered: TextMacro[] | undefined = undefined;
  /** Whether it stands for itself in some text that is remembered as `Grown`. */
  isPlain = false;
}

/** Splits a body at its marks. */
export function splitBody(macro: TextMacro): readonly string[] {
  const { body } = macro;
  const texts: string[] = [];
  const marks: number[] = [];
  let from = 0;
  for (let at = body.indexOf('$'); at !== -1; at = body.indexOf('$', at + 1)) {
    const mark = markAt(body, at);
    if (mark === undefined) continue;
    texts.push(body.slice(from, at));
    marks.push(mark.kind === 'argument' ? mark.index : MARKS[mark.kind]);
    from = at + mark.length;
    at = from - 1;
  }
  texts.push(body.slice(from));
  macro.texts = texts;
  macro.marks = marks;
  return texts;
}

/** What takes the place of a mark that is no argument's. */
export function special(mark: number, name: string, args: readonly string[]): string {
  if (mark === MARKS.name) return name;
  if (mark === MARKS.count) return String(args.length);
  return mark === MARKS.list ? args.join(',') : quotedList(args);
}

/** Arguments in quotes with commas between them. */
export function quotedList(args: readonly string[]): string {
  return args.length === 0 ? '' : `\`${args.join("',`")}'`;
}
