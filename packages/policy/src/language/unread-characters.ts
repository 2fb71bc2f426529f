/**
 * Characters that begin no token, and what is said of them.
 *
 * An editor or a web page puts in what looks right and is not: a byte order mark, carriage returns, typographic quotes
 * and dashes. Each is one fault, however many bytes it has, and however often it stands in a file or in a line.
 * Start reading at `UnreadCharacters`.
 *
 * @module
 */
import type { Fix, MappedText, Note, Origin, Report, Span } from '../text/index.ts';
import { userSpan } from '../text/index.ts';
import { language } from './diagnostics.ts';

/** A character that was passed over, in bytes of the text. */
export interface UnreadCharacter {
  readonly start: number;
  readonly end: number;
}

const BYTE_ORDER_MARK = '\xef\xbb\xbf';
const WIDE_MARKS: readonly string[] = ['\xff\xfe', '\xfe\xff'];

/** The bytes of a character at `at`: those of one character of UTF-8, or one. */
export function characterEnd(text: string, at: number): number {
  const lead = text.charCodeAt(at);
  const length = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
  for (let i = 1; i < length; i++) if ((text.charCodeAt(at + i) & 0xc0) !== 0x80) return at + 1;
  return at + length;
}

function codePoint(bytes: string): number {
  const lead = bytes.charCodeAt(0);
  if (bytes.length === 1) return lead;
  let point = lead & (0xff >> (bytes.length + 1));
  for (let i = 1; i < bytes.length; i++) point = (point << 6) | (bytes.charCodeAt(i) & 0x3f);
  return point;
}

/** How a message shows a character. */
function shown(bytes: string): string {
  if (bytes.length > 1) return bytes;
  const c = bytes.charCodeAt(0);
  return c > 0x20 && c < 0x7f ? bytes : `\\x${c.toString(16).padStart(2, '0')}`;
}

/** What a policy has in place of a character that looks like it. */
function plainCharacter(point: number): string | undefined {
  if (point === 0xa0 || point === 0x3000 || (point >= 0x2000 && point <= 0x200a)) return ' ';
  if ((point >= 0x2010 && point <= 0x2015) || point === 0x2212) return '-';
  if (point >= 0x201c && point <= 0x201f) return '"';
  return point === 0x2018 ? '`' : point === 0x2019 ? "'" : undefined;
}

/** Whether a quote is at a name, and not at a path. */
function isAtName({ source, start, end }: Span): boolean {
  if (source.lineText(source.positionAt(start).line).includes('devicetreecon')) return false;
  return /\w/.test(source.text.slice(Math.max(0, start - 1), start)) || /[A-Za-z]/.test(source.text.charAt(end));
}

function replacement(span: Span, bytes: string): Fix[] {
  const point = codePoint(bytes);
  const plain = bytes.length === 1 ? undefined : plainCharacter(point);
  if (plain === undefined) return [];
  if (plain === '"' && isAtName(span))
    return [{ title: 'a name is written without quotes', edits: [{ span, newText: '' }] }];
  const title = plain === ' ' ? 'put a plain space here' : `put a plain \`${plain}\` here`;
  return [{ title, edits: [{ span, newText: plain }] }];
}

/** How often `part` stands in a text. */
function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

/** The comment behind whose apostrophe m4 took a quotation for ended, if a quote at `span` may be what was left of it. */
function apostropheBefore({ source, start }: Span): Span | undefined {
  const before = source.text.slice(Math.max(0, start - 4096), start);
  const from = start - before.length;
  let found: Span | undefined;
  for (const { 0: comment, index } of before.matchAll(/#[^\n]*/g)) {
    const at = /[A-Za-z]'[A-Za-z]/.exec(comment);
    if (at !== null) found = { source, start: from + index + at.index + 1, end: from + index + at.index + 2 };
  }
  return found;
}

/** What the body of a macro makes of its arguments just before a place: `$2` before the `_channel` of `$2_channel`. */
function argumentBefore(origin: Origin): string | undefined {
  if (origin.kind !== 'expanded') return undefined;
  const { source, start } = origin.span;
  return /\$([0-9]+)$/.exec(source.text.slice(Math.max(0, start - 8), start))?.[1];
}

/** How far an argument is looked for. */
const LONGEST_CALL = 2000;

/** The blanks behind an argument of a call that a person wrote without quotes; undefined where there are none. */
function blankBehind(call: Origin, argument: number): Origin | undefined {
  if (call.kind !== 'written') return undefined;
  const { source, end } = call.span;
  const text = source.text.slice(end, end + LONGEST_CALL);
  let depth = 0;
  let number = 1;
  for (const { 0: sign, index } of text.matchAll(/[(),`']/g)) {
    if (sign === '`' || sign === "'") return undefined;
    if (sign === '(') depth++;
    const isEnd = depth === 1 && (sign === ',' || sign === ')');
    const blanks = isEnd && number === argument ? /\s+$/.exec(text.slice(0, index))?.[0].length : undefined;
    if (blanks !== undefined)
      return { kind: 'written', span: { source, start: end + index - blanks, end: end + index } };
    if (isEnd) number++;
    if (sign === ')') depth--;
    if (depth === 0) return undefined;
  }
  return undefined;
}

function notesOn(character: string, origin: Origin): Note[] {
  const argument = argumentBefore(origin);
  if (character === '_' && argument !== undefined && origin.kind === 'expanded') {
    const blank = blankBehind(origin.call, Number(argument));
    const made = `\`${origin.macro}\` makes another name of argument ${argument}`;
    return [
      blank === undefined
        ? { message: `${made}, which has to be one plain name` }
        : { message: `${made}, and m4 keeps this blank behind it`, origin: blank },
    ];
  }
  if (character === '_') return [{ message: 'a name begins with a letter' }];
  if (character === "'") {
    const span = apostropheBefore(origin.span);
    if (span !== undefined)
      return [{ message: 'the apostrophe in this comment ends a quotation', origin: { kind: 'written', span } }];
  }
  if (character === '"' && /^"[^/"\n]+\/[^"\n]*"/.test(origin.span.source.text.slice(origin.span.start).slice(0, 1000)))
    return [{ message: 'a path begins with `/`' }];
  const { source, start, end } = origin.span;
  const isAtName = /\w/.test(source.text.slice(Math.max(0, start - 1), start) + source.text.slice(end, end + 1));
  if (character === "'" && origin.kind === 'expanded' && isAtName)
    return [{ message: "a quotation of m4 begins with ``` and ends with `'`" }];
  if ((character === "'" || character === '"') && isAtName) return [{ message: 'a name is written without quotes' }];
  if (character === "'") return [{ message: 'a quotation ends here once more than it begins' }];
  const line = source.lineText(source.positionAt(start).line);
  if (character === '=' && line.includes('(')) return [{ message: 'two values are compared with `==`' }];
  if (character === '=' && /^\s*(?:bool|tunable)\s/.test(line))
    return [{ message: 'the value stands behind the name, without a sign: `bool name true;`' }];
  if (character === '&' || character === '|')
    return [{ message: `conditions are joined with \`${character}${character}\`` }];
  if (character === '$' && origin.kind === 'written' && /[0-9@*#]/.test(source.text.charAt(end)))
    return [{ message: 'arguments are known in the body of a macro only, and this is in none' }];
  return [];
}

/** The line that a user can change, of a place. */
function lineOf(origin: Origin): string {
  const { source, start } = userSpan(origin);
  return `${source.positionAt(start).line} ${source.name}`;
}

/** The characters of a text that begin no token: reports each fault once, when the parser has come past it. */
export class UnreadCharacters {
  readonly #source: MappedText;
  readonly #report: Report;
  readonly #list: UnreadCharacter[] = [];
  readonly #said = new Set<string>();
  /** Lines in which the parser reported a fault. */
  readonly #faultyLines = new Set<string>();
  #told = 0;

  constructor(source: MappedText, report: Report) {
    this.#source = source;
    this.#report = report;
  }

  add(start: number, end: number): void {
    this.#list.push({ start, end });
  }

  /** Whether there is one from `from` up to `to`. */
  isBetween(from: number, to: number): boolean {
    return this.#firstBetween(from, to) !== undefined;
  }

  /** Whether `$` is among them: it was to be an argument of a macro, so that nobody knows what stands there. */
  hasParameter(from: number, to: number): boolean {
    for (let one = this.#firstBetween(from, to); one !== undefined; one = this.#firstBetween(one.end, to))
      if (this.#source.text[one.start] === '$') return true;
    return false;
  }

  #firstBetween(from: number, to: number): UnreadCharacter | undefined {
    const list = this.#list;
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((list[middle]?.start ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    const first = list[low];
    return first !== undefined && first.start < to ? first : undefined;
  }

  /**
   * The macro and the number of the argument that a `_` from `from` up to `to` was to make a name of, where there is one:
   * an empty argument leaves a name without its beginning.
   */
  gluedBetween(from: number, to: number): { readonly macro: string; readonly argument: number } | undefined {
    const found = this.#firstBetween(from, to);
    if (found === undefined || this.#source.text[found.start] !== '_') return undefined;
    const origin = this.#source.origins.originAt(found.start, found.end);
    const argument = argumentBefore(origin);
    return argument === undefined || origin.kind !== 'expanded'
      ? undefined
      : { macro: origin.macro, argument: Number(argument) };
  }

  /** Keeps in mind that a fault was reported at a place. */
  noteFault(origin: Origin | undefined): void {
    if (origin !== undefined) this.#faultyLines.add(lineOf(origin));
  }

  /** Reports those before `end` that were not told yet. */
  tell(end: number): void {
    for (let next = this.#list[this.#told]; next !== undefined && next.start < end; next = this.#list[++this.#told])
      this.#tell(next);
  }

  /** Passes over those before `end` in silence. */
  forget(end: number): void {
    for (let next = this.#list[this.#told]; next !== undefined && next.start < end; next = this.#list[++this.#told]);
  }

  #tell({ start, end }: UnreadCharacter): void {
    const origin = this.#source.origins.originAt(start, end);
    const bytes = this.#source.text.slice(start, end);
    // `$@` and `$*` are one thing.
    if ((bytes === '@' || bytes === '*') && this.#source.text[start - 1] === '$') return;
    const user = userSpan(origin);
    const { name, text } = user.source;
    const c = bytes.charCodeAt(0);
    if (this.#said.has(`foreign ${name}`) || (bytes === '_' && this.#faultyLines.has(lineOf(origin)))) return;
    if (WIDE_MARKS.includes(text.slice(0, 2))) {
      this.#said.add(`foreign ${name}`);
      const notes = [{ message: 'it is UTF-16, and has to be saved as UTF-8' }];
      this.#report(language['byte-order-mark'](origin, {}, { notes }));
      return;
    }
    this.noteFault(origin);
    // What an editor does to a whole file is one fault of the file; anything else is one of its line.
    const isOfFile = c < 0x20 || bytes === BYTE_ORDER_MARK;
    const place = isOfFile ? '' : user.source.positionAt(user.start).line;
    const key = `${bytes} ${place} ${name}`;
    if (this.#said.has(key)) return;
    this.#said.add(key);
    if (bytes === BYTE_ORDER_MARK) this.#report(language['byte-order-mark'](origin, {}));
    else if (bytes === '\r') {
      const lines = occurrences(text, '\r\n');
      const notes = lines > 1 ? [{ message: `${lines} lines of this file do` }] : [];
      this.#report(language['carriage-return'](origin, {}, { notes }));
    } else {
      const span = origin.kind === 'written' ? origin.span : undefined;
      const fixes = span === undefined ? [] : replacement(span, bytes);
      const notes = [...notesOn(bytes, origin)];
      const count = isOfFile ? occurrences(text, bytes) : 1;
      if (count > 1) notes.push({ message: `it stands in this file ${count} times` });
      this.#report(language['unrecognized-character'](origin, { character: shown(bytes) }, { fixes, notes }));
    }
  }
}
