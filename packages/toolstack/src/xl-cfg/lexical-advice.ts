/**
 * Says why a stretch of an xl.cfg file is no token, and what its author probably meant.
 *
 * @module
 */
import type { Diagnostic, Edit, Fix, Origin } from '@dewar/policy/text';
import { cfg } from './diagnostics.ts';
import { suggestKey } from './known-keys.ts';
import { showBytes } from './show-text.ts';
import type { Surroundings } from './token.ts';

/** Words that people write for yes and no, and what xl.cfg wants. */
const BOOLEANS = new Map([
  ['true', '1'],
  ['yes', '1'],
  ['on', '1'],
  ['false', '0'],
  ['no', '0'],
  ['off', '0'],
]);

/** Bytes (one character each) of typographic characters that stand where a plain one was meant. */
const LOOKALIKES: readonly (readonly [string, string])[] = [
  ['\xe2\x80\x98', "'"],
  ['\xe2\x80\x99', "'"],
  ['\xe2\x80\x9c', '"'],
  ['\xe2\x80\x9d', '"'],
  ['\xc2\xa0', ' '],
];

function originAt(at: Surroundings, start: number, end: number): Origin {
  return { kind: 'written', span: at.input.spanOf(start, end) };
}

function fix(at: Surroundings, title: string, start: number, end: number, newText: string): Fix {
  return { title, edits: [{ span: at.input.spanOf(start, end), newText }] };
}

/** The diagnostic for the characters from `start` to `end`, of which the first begins no token. */
export function adviseLexical(at: Surroundings, start: number, end: number): Diagnostic {
  const { text } = at.input;
  const found = text.slice(start, end).trimEnd();
  const stop = start + Math.max(1, found.length);
  const first = text.charAt(start);
  switch (first) {
    case '"':
    case "'":
      return unclosedString(at, start, first);
    case '#':
      return cfg['unclosed-comment'](
        originAt(at, start, text.length),
        {},
        {
          fixes: [fix(at, 'end the line', text.length, text.length, '\n')],
        },
      );
    case '\r':
      return carriageReturn(at, start);
  }
  if (start === 0 && found.startsWith('\xef\xbb\xbf')) {
    return cfg['byte-order-mark'](originAt(at, 0, 3), {}, { fixes: [fix(at, 'remove it', 0, 3, '')] });
  }
  if (first >= '\x80') return notAscii(at, start, stop);
  return (
    wordBeforeEquals(at, start) ??
    gluedToValue(at, start) ??
    operatorAdvice(at, start, stop) ??
    valueAdvice(at, start) ??
    strayText(at, start, stop)
  );
}

function carriageReturn(at: Surroundings, start: number): Diagnostic {
  const isLineEnd = at.input.text[start + 1] === '\n';
  const notes = isLineEnd ? [{ message: 'the lines end with CR and LF; xl.cfg wants LF alone' }] : [];
  const fixes = isLineEnd ? lineEndFixes(at, start) : [];
  return cfg['carriage-return'](originAt(at, start, start + 1), {}, { notes, fixes });
}

/** A file with more lines than this is not mended line by line. */
const MOST_LINE_ENDS = 10_000;

/** Takes the CR off every line end from this one on; those before it stand in comments, where they do no harm. */
function lineEndFixes(at: Surroundings, start: number): Fix[] {
  const edits: Edit[] = [];
  for (let cr = start; cr !== -1; cr = at.input.text.indexOf('\r\n', cr + 2)) {
    if (edits.length === MOST_LINE_ENDS) return [];
    edits.push({ span: at.input.spanOf(cr, cr + 1), newText: '' });
  }
  return [{ title: edits.length === 1 ? 'end the line with LF' : 'end the lines with LF', edits }];
}

/** Whether a line has the closing quote of a string that an earlier line opened. */
export function closesString(line: string, quote: string): boolean {
  return line.split(quote).length % 2 === 0;
}

function unclosedString(at: Surroundings, start: number, quote: string): Diagnostic {
  const { text } = at.input;
  const lineEnd = endOfLine(text, start);
  const line = text.slice(start, lineEnd).trimEnd();
  const origin = originAt(at, start, start + line.length);
  if (line.endsWith('\\')) {
    const notes = [{ message: 'a backslash at the end of a line does not continue it' }];
    return cfg['unclosed-string'](origin, {}, { notes });
  }
  const nextLine = text.slice(lineEnd + 1, endOfLine(text, lineEnd + 1));
  if (closesString(nextLine, quote)) {
    return cfg['unclosed-string'](origin, {}, { notes: [{ message: 'a string cannot go on in the next line' }] });
  }
  // A quote at the end of the line would also swallow a remark or the rest of a list.
  const isWholeRest = !/[#;,\]]/.test(line);
  const fixes = isWholeRest ? [fix(at, 'close the string', start + line.length, start + line.length, quote)] : [];
  return cfg['unclosed-string'](origin, {}, { fixes });
}

function notAscii(at: Surroundings, start: number, end: number): Diagnostic {
  const { text } = at.input;
  const lookalike = LOOKALIKES.find(([bytes]) => text.startsWith(bytes, start));
  const sequence = /^(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})/.exec(
    text.slice(start, end),
  )?.[0];
  const length = sequence?.length ?? 1;
  const shown = sequence === undefined ? `byte ${showBytes(text.charAt(start))}` : `character ${decodeUtf8(sequence)}`;
  const fixes = lookalike === undefined ? [] : [plainFix(at, start, ...lookalike)];
  return cfg['not-ascii'](originAt(at, start, start + length), { text: `the ${shown}` }, { fixes });
}

/** Writes the plain character that was meant; for a quote, the one that closes the string too. */
function plainFix(at: Surroundings, start: number, bytes: string, plain: string): Fix {
  const edit = (from: number, length: number): Edit => ({ span: at.input.spanOf(from, from + length), newText: plain });
  const edits = [edit(start, bytes.length)];
  if (plain === ' ') return { title: 'write a plain blank', edits };
  const line = at.input.text.slice(0, endOfLine(at.input.text, start));
  const ends = LOOKALIKES.filter(([, meant]) => meant === plain)
    .map(([other]) => ({ other, from: line.indexOf(other, start + bytes.length) }))
    .filter(({ from }) => from !== -1)
    .sort((a, b) => a.from - b.from);
  const [close] = ends;
  if (close === undefined) return { title: `write a plain ${plain}`, edits };
  return { title: `write plain ${plain}`, edits: [...edits, edit(close.from, close.other.length)] };
}

/** The code point of a well-formed UTF-8 sequence, as `U+00E9`. */
function decodeUtf8(sequence: string): string {
  const bytes = Array.from(sequence, (character) => character.charCodeAt(0));
  const lead = (bytes[0] ?? 0) & (0xff >> (bytes.length + 1));
  const point = bytes.slice(1).reduce((sum, byte) => (sum << 6) | (byte & 0x3f), lead);
  return `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** A word where a key belongs: capitals, a dash, an underscore at the front. */
function wordBeforeEquals(at: Surroundings, start: number): Diagnostic | undefined {
  const { text } = at.input;
  const { previous } = at;
  const isAfterKey = previous?.kind === 'ident' && previous === at.key && previous.end === start;
  const isAtStart = previous === undefined || previous.kind === 'newline' || previous.kind === ';';
  if (!isAfterKey && !(isAtStart && at.brackets.length === 0)) return undefined;
  const begin = isAfterKey ? previous.start : start;
  const word = /^[A-Za-z0-9._-]+/.exec(text.slice(begin, endOfLine(text, begin)))?.[0] ?? '';
  if (begin + word.length <= start) return undefined;
  const end = begin + word.length;
  const plain = word.toLowerCase().replaceAll('-', '_');
  const notes = [{ message: 'a key is made of lower case letters, digits, `_` and `.`, and begins with a letter' }];
  const meant = suggestKey(plain);
  const fixes = meant === undefined ? [] : [fix(at, `did you mean \`${meant}\`?`, begin, end, meant)];
  return cfg['bad-key'](originAt(at, begin, end), { key: showBytes(word) }, { notes, fixes });
}

/** Something directly after a number: `512M`, `0x2A`, `1.5`. */
function gluedToValue(at: Surroundings, start: number): Diagnostic | undefined {
  const { previous } = at;
  if (previous?.kind !== 'number' || previous.end !== start) return undefined;
  const rest = /^[A-Za-z0-9._+-]*/.exec(at.input.text.slice(start, endOfLine(at.input.text, start)))?.[0] ?? '';
  if (rest === '') return undefined;
  return badNumber(at, previous.start, start + rest.length);
}

function badNumber(at: Surroundings, start: number, end: number): Diagnostic {
  const text = at.input.text.slice(start, end);
  const notes = [{ message: 'without quotes a number is made of `0`-`9`, `a`-`f` and `x`' }];
  const isInteger = /^[+-]?(?:0[xX][0-9A-Fa-f]+|[0-9]+)$/.test(text);
  const fixes = isInteger ? [fix(at, `write '${text}'`, start, end, `'${text}'`)] : [];
  return cfg['bad-number'](originAt(at, start, end), { text: showBytes(text) }, { notes, fixes });
}

/** `a: 1`, `a + = 1`, `"a" + "b"`. */
function operatorAdvice(at: Surroundings, start: number, end: number): Diagnostic | undefined {
  const { text } = at.input;
  const { previous } = at;
  const first = text.charAt(start);
  if (previous !== undefined && previous === at.key) {
    if (first === ':') {
      const args = { key: showBytes(previous.text), found: '`:`' };
      return cfg['no-equals'](originAt(at, start, start + 1), args, {
        fixes: [fix(at, 'write `=`', start, start + 1, ' =')],
      });
    }
    const split = /^\+[ \t]+=/.exec(text.slice(start, endOfLine(text, start)))?.[0];
    if (split !== undefined) {
      return cfg['split-append'](
        originAt(at, start, start + split.length),
        {},
        {
          fixes: [fix(at, 'write `+=`', start, start + split.length, '+=')],
        },
      );
    }
  }
  if (first === '+' && (previous?.kind === 'string' || previous?.kind === 'number') && at.key !== undefined) {
    return cfg['two-values'](originAt(at, start, end), { key: showBytes(at.key.text) });
  }
  return undefined;
}

/** Something where a value belongs. */
function valueAdvice(at: Surroundings, start: number): Diagnostic | undefined {
  const { previous } = at;
  const isValuePlace = previous?.kind === '=' || previous?.kind === '+=' || at.brackets.length > 0;
  if (!isValuePlace) return undefined;
  const rest = at.input.text.slice(start, endOfLine(at.input.text, start));
  const signed = /^[+-]?[0-9][A-Za-z0-9._+-]*|^\.[0-9]+/.exec(rest)?.[0];
  if (signed !== undefined) return badNumber(at, start, start + signed.length);
  return /^[A-Za-z/_.]/.test(rest) ? unquotedValue(at, start) : undefined;
}

/** A value without quotes, from `start` up to what ends it. */
export function unquotedValue(at: Surroundings, start: number): Diagnostic {
  const { text } = at.input;
  const ends = at.brackets.length > 0 ? /^[^\n\r#;,\]]*/ : /^[^\n\r#;]*/;
  const value = (ends.exec(text.slice(start, endOfLine(text, start)))?.[0] ?? '').trimEnd();
  const end = start + value.length;
  const origin = originAt(at, start, end);
  const boolean = BOOLEANS.get(value.toLowerCase());
  if (boolean !== undefined) {
    const args = { text: showBytes(value) };
    return cfg['word-value'](origin, args, { fixes: [fix(at, `write ${boolean}`, start, end, boolean)] });
  }
  const isPlain = /^[^'"\\]*$/.test(value);
  const fixes = isPlain ? [fix(at, 'put it in quotes', start, end, `'${value}'`)] : [];
  return cfg['unquoted-value'](origin, { text: showBytes(value) }, { fixes });
}

function strayText(at: Surroundings, start: number, end: number): Diagnostic {
  const found = at.input.text.slice(start, end);
  const notes: { readonly message: string }[] = [];
  if (found.startsWith('//') || found.startsWith('/*')) notes.push({ message: 'a comment begins with `#`' });
  else if (found.startsWith('\\'))
    notes.push({ message: 'a line is not continued with a backslash; only a list may go over lines' });
  else if (/^[({]/.test(found))
    notes.push({ message: 'xl.cfg is not Python: it has strings, numbers and lists in `[ ]`' });
  return cfg['stray-text'](originAt(at, start, end), { text: `\`${showBytes(found)}\`` }, { notes });
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end;
}
