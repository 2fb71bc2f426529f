/**
 * The macros of a policy directory: what they are called, how they are used, and what their rules are about.
 *
 * @module
 */
import { type CompileOptions, expandCalls, type MacroSources } from '../compiler/index.ts';
import type { SourceText } from '../text/index.ts';
import { readCallRules, type TextRule } from './call-rules.ts';

/** A macro that an author of policy may call. */
export interface PolicyMacro {
  readonly name: string;
  /** How many arguments its body names. */
  readonly parameters: number;
  /** Its rules, with `argumentWord(n)` where an argument stands. */
  readonly rules: readonly TextRule[];
}

/** A call as written in a module. */
export interface WrittenCall {
  readonly macro: string;
  readonly arguments: readonly string[];
  readonly source: SourceText;
  readonly start: number;
  readonly end: number;
}

/** Macros are called with few arguments; more than this are none that grants something between two types. */
const MAX_PARAMETERS = 4;
/** Macros of one policy that are looked at. */
const MAX_MACROS = 2000;
const MAX_BODY = 65_536;

/** What stands for the argument `n`, from 1, while nothing is known of it. */
function argumentWord(n: number): string {
  return `argument_${n}_of_a_call`;
}

/** The text of a source without its comments, each character in its place. */
function withoutComments(text: string): string {
  return text.replaceAll(/#[^\n]*/g, (comment) => ' '.repeat(comment.length));
}

interface Definition {
  readonly name: string;
  readonly body: string;
}

function definitionsIn({ text }: SourceText): Definition[] {
  const code = withoutComments(text);
  const starts = [...code.matchAll(/(?:^|\n)[ \t]*define\(`([A-Za-z_]\w{0,127})'/g)];
  return starts.map((match, i) => {
    const from = match.index + match[0].length;
    const end = starts[i + 1]?.index ?? code.length;
    return { name: match[1] ?? '', body: code.slice(from, Math.min(end, from + MAX_BODY)) };
  });
}

/** The calls of some macros in a module, at the beginning of a line. */
function callsIn(source: SourceText, names: ReadonlySet<string>): WrittenCall[] {
  const code = withoutComments(source.text);
  const calls: WrittenCall[] = [];
  for (const match of code.matchAll(/(?:^|\n|;)[ \t]*([A-Za-z_]\w{0,127})\(([^()]{0,1024})\)/g)) {
    const [whole, macro = '', list = ''] = match;
    if (!names.has(macro)) continue;
    const start = match.index + whole.indexOf(macro);
    const end = match.index + whole.length;
    calls.push({ macro, arguments: list.split(',').map((one) => one.trim()), source, start, end });
  }
  return calls;
}

/** In the body of a macro: another name for a companion of an argument, such as `X_self` for a type that has none. */
const OTHER_NAME = /define\(`\$([1-9])(\w*)',\s*`\$([1-9])(\w*)'\)/g;

/** The names that calls of macros make, and the types that they are other names of. */
function otherNames(defined: Iterable<Definition>, calls: readonly WrittenCall[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, body } of defined) {
    for (const [, from, suffix = '', to, other = ''] of body.matchAll(OTHER_NAME)) {
      for (const call of calls) {
        const [argument, type] = [call.arguments[Number(from) - 1], call.arguments[Number(to) - 1]];
        if (call.macro === name && argument !== undefined && type !== undefined)
          found.set(`${argument}${suffix}`, `${type}${other}`);
      }
    }
  }
  return found;
}

/** The macros of a policy directory. */
export class MacroTable {
  /** Names that are macros for the name of a type. */
  readonly otherNames: ReadonlyMap<string, string>;
  readonly macros: readonly PolicyMacro[];
  readonly calls: readonly WrittenCall[];

  constructor({ definitions, modules }: MacroSources, options: CompileOptions) {
    const interfaces = definitions.filter(({ name }) => name.endsWith('.if'));
    const defined = new Map<string, Definition>();
    for (const source of interfaces) for (const one of definitionsIn(source)) defined.set(one.name, one);
    // A macro that makes macros would change what the calls behind it mean.
    const makesMacros = [...defined.values()].filter(({ body }) => /\b(?:define|pushdef|undefine)\(/.test(body));
    const unsafe = new Set(makesMacros.map(({ name }) => name));
    const uses = ({ body }: Definition): string[] => body.match(/[A-Za-z_]\w*(?=\()/g) ?? [];
    for (let before = -1; before !== unsafe.size; ) {
      before = unsafe.size;
      for (const one of defined.values()) if (uses(one).some((name) => unsafe.has(name))) unsafe.add(one.name);
    }
    const all = [...defined.values()];
    const names = new Set(all.map(({ name }) => name));
    this.calls = modules.flatMap((source) => callsIn(source, names));
    this.otherNames = otherNames(all, this.calls);
    // What only other macros call is a part of them, not something that an author is to call.
    const called = new Set(this.calls.map(({ macro }) => macro));
    const parts = new Set(all.flatMap(uses).filter((name) => !called.has(name)));
    const candidates = all
      .filter(({ name }) => !unsafe.has(name) && !parts.has(name))
      .map(({ name, body }) => ({
        name,
        parameters: Math.max(0, ...(body.match(/\$[1-9]/g) ?? []).map((one) => Number(one.slice(1)))),
      }))
      .filter(({ parameters }) => parameters > 0 && parameters <= MAX_PARAMETERS)
      .slice(0, MAX_MACROS);
    const texts = expandCalls(
      definitions,
      candidates.map(({ name, parameters }) => callText(name, parameters, argumentWord)),
      options,
    );
    this.macros = candidates.flatMap((one, i) => {
      const { rules } = readCallRules(texts[i] ?? '');
      return rules.length === 0 ? [] : [{ ...one, rules }];
    });
  }
}

function callText(name: string, parameters: number, argument: (n: number) => string): string {
  return `${name}(${Array.from({ length: parameters }, (_, i) => argument(i + 1)).join(', ')})`;
}
