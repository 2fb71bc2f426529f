/**
 * Which modules of a policy directory can change what a macro call means.
 *
 * To expand calls, all that stands before them must be read; but a module that only calls macros which define nothing leaves
 * m4 as it was, and in a large policy nearly all text is of that kind. Where this is not plain from the text, a module counts
 * as one that can.
 *
 * @module
 */
import type { MacroSources } from '../compiler/index.ts';
import type { SourceText } from '../text/index.ts';

/** Builtins that leave something behind, or call another one that may. */
const CHANGES: readonly string[] = [
  ...['define', 'undefine', 'defn', 'pushdef', 'popdef', 'divert', 'undivert', 'include', 'sinclude', 'indir'],
  ...['builtin', 'm4wrap', 'm4exit', 'dumpdef', 'traceon', 'traceoff', 'debugmode', 'debugfile', 'syscmd', 'esyscmd'],
];

/** Builtins that change how text is read: with one of them in it, a policy is read whole. */
const SYNTAX = /\b(?:changequote|changecom|changeword)\b/;

/** In the body of a macro: a name that is put together and called, so that it may be any. */
const MADE_NAME = /\$[1-9*@#]\w*\s*\(/;

/** Another name for a type. What else a macro may define under a name made of its arguments is not looked into. */
const OTHER_NAME = /define\(`\$[1-9]\w*',\s*`\$[1-9]\w*'\)/g;
const ANY_MADE_DEFINITION = /(?:define|pushdef)\(`[^'`]*\$/;

function words(text: string): string[] {
  return text.match(/[A-Za-z_]\w*/g) ?? [];
}

/** Text without comments; within quotes `#` begins none. */
function withoutComments(text: string): string {
  let depth = 0;
  let kept = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '`') depth++;
    else if (char === "'" && depth > 0) depth--;
    else if (char === '#' && depth === 0) {
      const end = text.indexOf('\n', at);
      if (end < 0) break;
      at = end - 1;
      continue;
    }
    kept += char;
  }
  return kept;
}

/** The definitions of a text, each from its name to the next one that stands in no quotes. */
function definitionsIn(text: string): { readonly name: string; readonly body: string }[] {
  const found: { name: string; start: number; end: number }[] = [];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (depth === 0 && char === 'd') {
      const [whole, name] = /^define\(`([^'`]*)'/.exec(text.slice(at, at + 200)) ?? [];
      if (whole !== undefined && name !== undefined && !/\w/.test(text[at - 1] ?? '')) {
        const last = found.at(-1);
        if (last !== undefined) last.end = at;
        found.push({ name, start: at + whole.length, end: text.length });
        at += whole.length - 1;
        continue;
      }
    }
    if (char === '`') depth++;
    else if (char === "'" && depth > 0) depth--;
  }
  return found.map(({ name, start, end }) => ({ name, body: text.slice(start, end) }));
}

/** The modules that must be read before calls are expanded, in their order. */
export function definingModules({ definitions, modules }: MacroSources): readonly SourceText[] {
  const texts = definitions.map(({ text }) => withoutComments(text));
  const isOpaque = [...definitions, ...modules].some(({ text }) => SYNTAX.test(text));
  if (isOpaque || texts.some((text) => ANY_MADE_DEFINITION.test(text.replaceAll(OTHER_NAME, '')))) return modules;
  const changing = new Set(CHANGES);
  const defined = texts.flatMap(definitionsIn);
  // What is defined within something else may be defined or not.
  for (const text of [...texts, ...modules.map((one) => one.text)]) {
    const outer = new Set(texts.includes(text) ? definitionsIn(text).map(({ name }) => name) : []);
    for (const [, name = ''] of text.matchAll(/(?:define|pushdef)\(\s*`?([A-Za-z_]\w*)/g))
      if (!outer.has(name)) changing.add(name);
  }
  for (const { name, body } of defined) if (MADE_NAME.test(body)) changing.add(name);
  for (let before = -1; before !== changing.size; ) {
    before = changing.size;
    for (const { name, body } of defined) if (words(body).some((word) => changing.has(word))) changing.add(name);
  }
  // A name can be put together of quoted parts.
  return modules.filter(
    ({ text }) => text.includes('`') || words(withoutComments(text)).some((word) => changing.has(word)),
  );
}
