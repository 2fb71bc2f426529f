/**
 * The macros that m4 provides.
 *
 * SPEC: GNU m4 1.4.19 manual, chapters 5 to 12; where the manual is silent, the program was asked.
 * Nothing here can start a program or write a file.
 *
 * @module
 */
import { type Fix, nearestName } from '../text/index.ts';
import { m4 as messages } from './diagnostics.ts';
import { evalExpression, formatNumber } from './eval-expression.ts';
import { formatText } from './format-text.ts';
import { type Builtin, type Invocation, largestParameter } from './macro-table.ts';
import { wholeNumber } from './numbers.ts';
import { compilePattern, type Match, searchPattern } from './pattern.ts';
import { EMPTY, type Piece, PieceBuilder, slicePiece } from './pieces.ts';
import { generated, type Processor } from './processor.ts';
import { expandRanges, translitMap } from './translit.ts';

interface Traits {
  /** Arguments that the builtin needs. */
  readonly least?: number;
  /** Arguments that have a meaning; undefined for any number. */
  readonly most?: number;
  /** Recognised without arguments too. */
  readonly isBare?: boolean;
  readonly takesBuiltins?: boolean;
}

/** Longest text that `eval` and `format` pad to. */
const MAX_WIDTH = 100_000;

function text(invocation: Invocation, index: number): string {
  return invocation.args[index]?.text ?? '';
}

/**
 * A number as m4 reads it: decimal with blanks in front allowed, an empty text is 0.
 * Undefined for anything else, which is reported.
 */
function readNumber(m4: Processor, invocation: Invocation, index: number): number | undefined {
  const digits = text(invocation, index);
  const { call, name } = invocation;
  if (digits === '') {
    m4.report(messages['bad-number'](call.origin, { text: '', macro: name }));
    return 0;
  }
  const value = wholeNumber(digits);
  if (value === undefined) m4.report(messages['bad-number'](call.origin, { text: digits.slice(0, 80), macro: name }));
  return value;
}

function refuse(m4: Processor, { name, call }: Invocation): void {
  m4.report(messages['not-supported'](call.origin, { macro: name }));
}

const MAX_ENDS = 10_000;

/** Keeps in mind where a macro ended. */
function noteEnd(m4: Processor, name: string, call: Invocation['call']): void {
  if (m4.macros.get(name) === undefined && m4.undefinedAt.size < MAX_ENDS) m4.undefinedAt.set(name, call.origin);
}

function define(m4: Processor, invocation: Invocation, put: 'define' | 'push'): void {
  const { args, call, name } = invocation;
  const [first, body] = args;
  if (first?.builtin !== undefined) {
    m4.report(messages['bad-argument'](call.origin, { macro: name, reason: 'the name is not text' }));
    return;
  }
  const macro = first?.text ?? '';
  m4.undefinedAt.delete(macro);
  if (body?.builtin !== undefined) {
    m4.macros[put](macro, body.builtin);
    return;
  }
  const maxParameter = body === undefined ? 0 : largestParameter(body);
  const isGathered = put === 'define' && call.frame.call !== undefined && m4.macros.get(macro)?.kind === 'user';
  m4.macros[put](macro, {
    kind: 'user',
    body: body ?? EMPTY,
    definedAt: call.origin,
    isGathered,
    parts: undefined,
    maxParameter,
  });
}

function ifelse(m4: Processor, invocation: Invocation): void {
  const { args, call, name } = invocation;
  if (args.length === 1) return;
  if (args.length < 3) {
    m4.report(messages['too-few-arguments'](call.origin, { macro: name }));
    return;
  }
  for (let at = 0; ; at += 3) {
    if (text(invocation, at) === text(invocation, at + 1)) {
      m4.push(args[at + 2] ?? EMPTY, invocation);
      return;
    }
    const left = args.length - at;
    if (left <= 3) return;
    if (left <= 5) {
      m4.push(args[at + 3] ?? EMPTY, invocation);
      return;
    }
  }
}

function evaluate(m4: Processor, invocation: Invocation): void {
  const { args, call, name } = invocation;
  const radix = text(invocation, 1) === '' ? 10 : readNumber(m4, invocation, 1);
  if (radix === undefined) return;
  const problem = (reason: string): void => m4.report(messages['bad-argument'](call.origin, { macro: name, reason }));
  if (radix < 1 || radix > 36) {
    problem(`the radix ${radix} is not between 1 and 36`);
    return;
  }
  const width = args.length >= 3 ? readNumber(m4, invocation, 2) : 1;
  if (width === undefined) return;
  if (width < 0 || width > MAX_WIDTH) {
    problem(`the width ${width} is not between 0 and ${MAX_WIDTH}`);
    return;
  }
  const result = evalExpression(text(invocation, 0));
  if (result.kind === 'foreign-operator') {
    m4.exitStatus = 1;
    m4.report(messages['foreign-operator'](call.origin, { operator: result.operator }));
    return;
  }
  if (result.kind === 'fault') {
    const shown = text(invocation, 0).slice(0, 80);
    m4.report(messages['bad-expression'](call.origin, { text: shown, reason: result.reason }));
    return;
  }
  if (radix === 1 && Math.abs(result.value) > MAX_WIDTH) {
    problem(`${result.value} has too many digits in radix 1`);
    return;
  }
  m4.pushText(formatNumber(result.value, radix, width), invocation);
}

function substring(m4: Processor, invocation: Invocation): void {
  const whole = invocation.args[0] ?? EMPTY;
  const start = readNumber(m4, invocation, 1);
  if (start === undefined) return;
  const length = invocation.args.length >= 3 ? readNumber(m4, invocation, 2) : whole.length;
  if (length === undefined || start < 0 || length <= 0 || start >= whole.length) return;
  m4.push(slicePiece(whole, start, Math.min(whole.length, start + length)), invocation);
}

/** Replaces single characters; text that stays keeps its place. */
function translit(m4: Processor, invocation: Invocation): void {
  const whole = invocation.args[0] ?? EMPTY;
  const map = translitMap(expandRanges(text(invocation, 1)), expandRanges(text(invocation, 2)));
  const from = whole.text;
  const builder = new PieceBuilder();
  let kept = 0;
  for (let at = 0; at <= from.length; at++) {
    const to = at === from.length ? '' : map.get(from[at] ?? '');
    if (to === undefined) continue;
    if (kept < at) builder.addPiece(slicePiece(whole, kept, at));
    builder.add(to, generated(to.length, invocation.call), 0);
    kept = at + 1;
  }
  m4.push(builder.finish(), invocation);
}

/** The replacement of a match: `\&` is the whole, `\1` to `\9` its groups. */
function substitute(m4: Processor, invocation: Invocation, subject: string, replacement: string, match: Match): string {
  let result = '';
  const problem = (reason: string): void =>
    m4.report(messages['bad-argument'](invocation.call.origin, { macro: invocation.name, reason }));
  for (let at = 0; at < replacement.length; at++) {
    const sign = replacement[at] ?? '';
    if (sign !== '\\') {
      result += sign;
      continue;
    }
    const next = replacement[++at];
    if (next === undefined) {
      problem('a backslash at the end of the replacement has no effect');
    } else if (next === '&' || next === '0') {
      result += subject.slice(match.start, match.end);
    } else if (next >= '1' && next <= '9') {
      const group = match.groups[Number(next) - 1];
      if (group === undefined) problem(`the pattern has no group ${next}`);
      else if (group.start >= 0) result += subject.slice(group.start, group.end);
    } else {
      result += next;
    }
  }
  return result;
}

function badPattern(m4: Processor, { name, call }: Invocation, pattern: string, reason: string): void {
  m4.report(messages['bad-pattern'](call.origin, { macro: name, text: pattern.slice(0, 80), reason }));
}

function regexp(m4: Processor, invocation: Invocation): void {
  const subject = text(invocation, 0);
  const source = text(invocation, 1);
  const isSearch = invocation.args.length < 3;
  const pattern = compilePattern(source);
  if (pattern.kind === 'fault') {
    badPattern(m4, invocation, source, pattern.reason);
    return;
  }
  const match = searchPattern(pattern, subject, 0);
  if (match === 'too-hard') badPattern(m4, invocation, source, 'the search takes too long');
  else if (isSearch) m4.pushText(String(match?.start ?? -1), invocation);
  else if (match !== undefined)
    m4.pushText(substitute(m4, invocation, subject, text(invocation, 2), match), invocation);
}

function patsubst(m4: Processor, invocation: Invocation): void {
  const whole = invocation.args[0] ?? EMPTY;
  const subject = whole.text;
  const source = text(invocation, 1);
  const replacement = text(invocation, 2);
  if (source === '' && replacement === '') {
    m4.push(whole, invocation);
    return;
  }
  const pattern = compilePattern(source);
  if (pattern.kind === 'fault') {
    badPattern(m4, invocation, source, pattern.reason);
    return;
  }
  const builder = new PieceBuilder();
  const keep = (from: number, to: number): void => builder.addPiece(slicePiece(whole, from, to));
  for (let at = 0; at <= subject.length; ) {
    const match = searchPattern(pattern, subject, at);
    if (match === 'too-hard') {
      badPattern(m4, invocation, source, 'the search takes too long');
      return;
    }
    if (match === undefined) {
      keep(at, subject.length);
      break;
    }
    if (match.start > at) keep(at, match.start);
    const made = substitute(m4, invocation, subject, replacement, match);
    builder.add(made, generated(made.length, invocation.call), 0);
    at = match.end;
    if (match.start === match.end) {
      if (at < subject.length) keep(at, at + 1);
      at++;
    }
  }
  m4.push(builder.finish(), invocation);
}

function format(m4: Processor, invocation: Invocation): void {
  const made = formatText(
    invocation.args.map((argument) => argument.text),
    (reason) => m4.report(messages['bad-argument'](invocation.call.origin, { macro: invocation.name, reason })),
  );
  m4.pushText(made, invocation);
}

function include(m4: Processor, invocation: Invocation, isSilent: boolean): void {
  const name = text(invocation, 0);
  if (m4.include(name, invocation.call) || isSilent) return;
  m4.exitStatus = 1;
  m4.report(messages['no-include'](invocation.call.origin, { name }));
}

function undivert(m4: Processor, invocation: Invocation): void {
  if (invocation.args.length === 0) {
    m4.output.undivertAll();
    return;
  }
  for (const { text: name } of invocation.args) {
    if (/^[-+]?[0-9]*$/.test(name)) m4.output.undivert(Number(name === '' || /^[-+]$/.test(name) ? 0 : name));
    else if (!m4.insertFile(name)) {
      m4.report(
        messages['bad-argument'](invocation.call.origin, {
          macro: invocation.name,
          reason: `there is no file \`${name}\``,
        }),
      );
    }
  }
}

/** Definitions in quotes, or one builtin's definition. */
function defn(m4: Processor, invocation: Invocation): void {
  const builder = new PieceBuilder();
  const { args, call, name } = invocation;
  const { openQuote, closeQuote, quoteGeneration } = m4.syntax;
  for (const { text: wanted } of args) {
    const definition = m4.macros.get(wanted);
    if (definition?.kind === 'user') {
      builder.addQuoted(definition.body, openQuote, closeQuote, generated(1, call), quoteGeneration);
    } else if (definition !== undefined) {
      if (args.length === 1) m4.pushBuiltin(definition, invocation);
      else {
        const reason = `the builtin \`${wanted}\` cannot be joined with other definitions`;
        m4.report(messages['bad-argument'](call.origin, { macro: name, reason }));
      }
    }
  }
  m4.push(builder.finish(), invocation);
}

/** The macro that was probably meant; the name may have been put together, so there is nothing to edit. */
function nearMacro(m4: Processor, name: string): { readonly fixes: readonly Fix[] } {
  const near = nearestName(name, m4.macros.names());
  return { fixes: near === undefined ? [] : [{ title: `did you mean \`${near}\`?`, edits: [] }] };
}

function indirect(m4: Processor, invocation: Invocation, isBuiltin: boolean): void {
  const { args, call } = invocation;
  const [first, ...rest] = args;
  const wanted = first?.text ?? '';
  const definition = isBuiltin ? BUILTINS.get(wanted) : m4.macros.get(wanted);
  if (first?.builtin !== undefined || definition === undefined) {
    m4.report(messages['unknown-macro'](call.origin, { macro: wanted }, nearMacro(m4, wanted)));
    return;
  }
  const passed =
    definition.kind === 'builtin' && definition.takesBuiltins
      ? rest
      : rest.map((argument) => (argument.builtin === undefined ? argument : EMPTY));
  m4.apply(definition, { ...invocation, name: wanted, args: passed });
}

function dumpdef(m4: Processor, invocation: Invocation): void {
  const names = invocation.args.length === 0 ? m4.macros.names() : invocation.args.map((argument) => argument.text);
  for (const name of names.sort()) {
    const definition = m4.macros.get(name);
    if (definition === undefined)
      m4.report(messages['unknown-macro'](invocation.call.origin, { macro: name }, nearMacro(m4, name)));
    else {
      const shown = definition.kind === 'user' ? definition.body.text : `<${definition.name}>`;
      m4.printError(`${name}:\t${shown}\n`, invocation.call);
    }
  }
}

function exit(m4: Processor, invocation: Invocation): void {
  const status = invocation.args.length === 0 ? 0 : readNumber(m4, invocation, 0);
  const isValid = status !== undefined && status >= 0 && status <= 255;
  m4.exitCall = invocation.call;
  m4.stop(!isValid ? 1 : status === 0 ? m4.exitStatus : status);
}

function errprint(m4: Processor, { args, call }: Invocation): void {
  m4.printError(args.map((argument: Piece) => argument.text).join(' '), call);
}

function wrap(m4: Processor, { args, call, file, line }: Invocation): void {
  const builder = new PieceBuilder();
  for (const [index, argument] of args.entries()) {
    if (index > 0) builder.add(' ', generated(1, call), 0);
    builder.addPiece(argument);
  }
  m4.wrap(builder.finish(), file, line);
}

/** What `index`, `substr` and others answer when they are given one argument only. */
function answerShort(m4: Processor, invocation: Invocation): void {
  const [only] = invocation.args;
  if (only === undefined || invocation.args.length !== 1) return;
  if (invocation.name === 'index' || invocation.name === 'regexp') m4.pushText('0', invocation);
  else if (['substr', 'translit', 'patsubst'].includes(invocation.name)) m4.push(only, invocation);
}

function addNumber(m4: Processor, invocation: Invocation, by: number): void {
  const value = readNumber(m4, invocation, 0);
  if (value !== undefined) m4.pushText(String((value + by) | 0), invocation);
}

/** All builtins by their own names. */
export const BUILTINS: Map<string, Builtin> = new Map();

function builtin(name: string, traits: Traits, run: (m4: Processor, invocation: Invocation) => void): void {
  const { least = 0, most, isBare = false, takesBuiltins = false } = traits;
  BUILTINS.set(name, {
    kind: 'builtin',
    name,
    isBlind: !isBare,
    takesBuiltins,
    run: (m4, invocation) => {
      const given = invocation.args.length;
      if (given < least) {
        m4.report(messages['too-few-arguments'](invocation.call.origin, { macro: invocation.name }));
        answerShort(m4, { ...invocation, name });
        return;
      }
      if (most !== undefined && given > most)
        m4.report(messages['excess-arguments'](invocation.call.origin, { macro: invocation.name, count: most }));
      run(m4, invocation);
    },
  });
}

const bare: Traits = { isBare: true };

builtin('__file__', { ...bare, most: 0 }, (m4, invocation) => {
  m4.pushText(m4.syntax.openQuote + invocation.file + m4.syntax.closeQuote, invocation);
});
builtin('__line__', { ...bare, most: 0 }, (m4, invocation) => m4.pushText(String(invocation.line), invocation));
builtin('builtin', { least: 1, takesBuiltins: true }, (m4, invocation) => indirect(m4, invocation, true));
builtin('changecom', { ...bare, most: 2 }, (m4, { args }) => m4.syntax.changeComments(args[0]?.text, args[1]?.text));
builtin('changequote', { ...bare, most: 2 }, (m4, { args, call }) => {
  m4.quotesChangedAt = call.origin;
  m4.syntax.changeQuotes(args[0]?.text, args[1]?.text);
});
builtin('debugmode', { ...bare, most: 1 }, () => undefined);
builtin('debugfile', { ...bare, most: 1 }, (m4, invocation) => {
  if (text(invocation, 0) !== '') refuse(m4, invocation);
});
builtin('decr', { least: 1, most: 1 }, (m4, invocation) => addNumber(m4, invocation, -1));
builtin('define', { least: 1, most: 2, takesBuiltins: true }, (m4, invocation) => define(m4, invocation, 'define'));
builtin('defn', { least: 1 }, defn);
builtin('divert', { ...bare, most: 1 }, (m4, invocation) => {
  const number = invocation.args.length === 0 ? 0 : readNumber(m4, invocation, 0);
  if (number === undefined) return;
  m4.divertedAt = invocation.call.origin;
  m4.output.divert(number);
});
builtin('divnum', { ...bare, most: 0 }, (m4, invocation) => m4.pushText(String(m4.output.current), invocation));
builtin('dnl', { ...bare, most: 0 }, (m4) => m4.skipLine());
builtin('dumpdef', bare, dumpdef);
builtin('errprint', { least: 1 }, errprint);
builtin('esyscmd', { least: 1 }, refuse);
builtin('eval', { least: 1, most: 3 }, evaluate);
builtin('format', { least: 1 }, format);
builtin('ifdef', { least: 2, most: 3 }, (m4, invocation) => {
  const isDefined = m4.macros.get(text(invocation, 0)) !== undefined;
  m4.push(invocation.args[isDefined ? 1 : 2] ?? EMPTY, invocation);
});
builtin('ifelse', {}, ifelse);
builtin('include', { least: 1, most: 1 }, (m4, invocation) => include(m4, invocation, false));
builtin('incr', { least: 1, most: 1 }, (m4, invocation) => addNumber(m4, invocation, 1));
builtin('index', { least: 2, most: 2 }, (m4, invocation) => {
  m4.pushText(String(text(invocation, 0).indexOf(text(invocation, 1))), invocation);
});
builtin('indir', { least: 1, takesBuiltins: true }, (m4, invocation) => indirect(m4, invocation, false));
builtin('len', { least: 1, most: 1 }, (m4, invocation) => m4.pushText(String(text(invocation, 0).length), invocation));
builtin('m4exit', { ...bare, most: 1 }, exit);
builtin('m4wrap', { least: 1 }, wrap);
builtin('maketemp', { least: 1 }, refuse);
builtin('mkstemp', { least: 1 }, refuse);
builtin('patsubst', { least: 2, most: 3 }, patsubst);
builtin('popdef', { least: 1 }, (m4, { args, call }) => {
  for (const argument of args) {
    m4.macros.pop(argument.text);
    noteEnd(m4, argument.text, call);
  }
});
builtin('pushdef', { least: 1, most: 2, takesBuiltins: true }, (m4, invocation) => define(m4, invocation, 'push'));
builtin('regexp', { least: 2, most: 3 }, regexp);
builtin('shift', { least: 1 }, (m4, invocation) => {
  const builder = new PieceBuilder();
  m4.addList(builder, invocation.args.slice(1), invocation.call, true);
  m4.push(builder.finish(), invocation);
});
builtin('sinclude', { least: 1, most: 1 }, (m4, invocation) => include(m4, invocation, true));
builtin('substr', { least: 2, most: 3 }, substring);
builtin('syscmd', { least: 1 }, refuse);
builtin('sysval', bare, (m4, invocation) => m4.pushText('0', invocation));
builtin('traceoff', bare, () => undefined);
builtin('traceon', bare, () => undefined);
builtin('translit', { least: 2, most: 3 }, translit);
builtin('undefine', { least: 1 }, (m4, { args, call }) => {
  for (const argument of args) {
    m4.macros.undefine(argument.text);
    noteEnd(m4, argument.text, call);
  }
});
builtin('undivert', bare, undivert);
