/**
 * The macros that m4 provides, for a run for the text alone: those that policies use. `builtins.ts` has all of them.
 *
 * @module
 */
import { BUILTINS } from './builtins.ts';
import { evalExpression } from './eval-expression.ts';
import { wholeNumber } from './numbers.ts';
import { macroOf, quotedList, type TextBuiltin, TextMacro } from './text-macro.ts';
import type { TextRun } from './text-run.ts';

/** A number as m4 reads it; for what it has something to say about, the run ends. */
function number(run: TextRun, digits: string | undefined): number {
  const value = digits === undefined || digits === '' ? undefined : wholeNumber(digits);
  return value ?? run.giveUp();
}

function define(run: TextRun, args: readonly string[], isCovering: boolean): void {
  const [name = '', body = ''] = args;
  const { grownBody } = run;
  run.grownBody = undefined;
  run.define(name, macroOf(body, grownBody), isCovering);
}

function ifelse(run: TextRun, args: readonly string[]): void {
  if (args.length === 1) return;
  if (args.length < 3) run.giveUp();
  for (let at = 0; ; at += 3) {
    const left = args.length - at;
    if (args[at] === args[at + 1]) run.push(args[at + 2] ?? '');
    else if (left > 5) continue;
    else if (left > 3) run.push(args[at + 3] ?? '');
    return;
  }
}

function evaluate(run: TextRun, [expression = '']: readonly string[]): void {
  const result = evalExpression(expression);
  run.push(result.kind === 'value' ? String(result.value) : run.giveUp());
}

function substring(run: TextRun, [text = '', from, count]: readonly string[]): void {
  const start = number(run, from);
  const length = count === undefined ? text.length : number(run, count);
  if (start >= 0 && length > 0) run.push(text.slice(start, start + length));
}

function divert(run: TextRun, args: readonly string[]): void {
  const target = args.length === 0 ? 0 : number(run, args[0]);
  if (target > 0) run.giveUp();
  run.isDiscarding = target < 0;
}

const TEXT_BUILTINS: ReadonlyMap<string, { readonly least: number; readonly most: number; readonly run: TextBuiltin }> =
  new Map([
    ['decr', { least: 1, most: 1, run: (run, [text]) => run.push(String((number(run, text) - 1) | 0)) }],
    ['define', { least: 1, most: 2, run: (run, args) => define(run, args, false) }],
    ['divert', { least: 0, most: 1, run: divert }],
    ['dnl', { least: 0, most: 0, run: (run) => run.skipLine() }],
    ['eval', { least: 1, most: 1, run: evaluate }],
    ['ifdef', { least: 2, most: 3, run: (run, args) => run.push(args[run.isDefined(args[0] ?? '') ? 1 : 2] ?? '') }],
    ['ifelse', { least: 1, most: Number.POSITIVE_INFINITY, run: ifelse }],
    ['incr', { least: 1, most: 1, run: (run, [text]) => run.push(String((number(run, text) + 1) | 0)) }],
    ['index', { least: 2, most: 2, run: (run, [text = '', part = '']) => run.push(String(text.indexOf(part))) }],
    ['len', { least: 1, most: 1, run: (run, [text = '']) => run.push(String(text.length)) }],
    ['popdef', { least: 1, most: 1, run: (run, [name = '']) => run.undefine(name, false) }],
    ['pushdef', { least: 1, most: 2, run: (run, args) => define(run, args, true) }],
    ['shift', { least: 1, most: Number.POSITIVE_INFINITY, run: (run, args) => run.push(quotedList(args.slice(1))) }],
    ['substr', { least: 2, most: 3, run: substring }],
    ['undefine', { least: 1, most: 1, run: (run, [name = '']) => run.undefine(name, true) }],
  ]);

/** What this run has not. */
const UNKNOWN = { least: 0, most: Number.POSITIVE_INFINITY, run: (run: TextRun): never => run.giveUp() };

/** Defines the builtins; what is not for this run ends it when it is called. */
export function defineTextBuiltins(run: TextRun): void {
  for (const [name, { isBlind, takesBuiltins }] of BUILTINS) {
    const known = TEXT_BUILTINS.get(name);
    const takesBody = known !== undefined && takesBuiltins;
    run.define(name, new TextMacro('', undefined, { ...(known ?? UNKNOWN), isBlind, takesBody }), false);
  }
}
