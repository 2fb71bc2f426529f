/**
 * Messages that a screen, a letter or a logging program wrapped over several lines.
 *
 * What put something before the first line (a quotation mark, a time, the name of a host) puts the like before the next ones.
 * A break is within a word, or at a space that is kept, lost, or grown to an indentation.
 * Start reading at `joined`.
 *
 * @module
 */
import { XEN_RELEASES, xenRelease } from '../releases/index.ts';

/** Lines over which one message can be wrapped, beside the first. */
const WRAPPED = 8;
/** Longer pieces than this were not wrapped for a screen or a letter. */
const PIECE = 400;
/** What stands before a message is short. */
const PREFIX = 200;

const OF_XEN = '(XEN)';

/** Colours and titles of a terminal, also as JSON writes them; and whatever else is not text. */
const NOT_TEXT =
  /(?:\x1b|\\u001[bB])(?:\[[0-9;:?]{0,32}[@-~]|\][^\x07\x1b]{0,128}(?:\x07|\x1b\\)|[()][A-Z0-9])|[\0-\x08\x0b-\x1f\x7f]/g;

/** Tags of a page, such as `<br>` and `<span class="x">`: a place in angle brackets of a letter or of syslog is none. */
const TAG = /<\/?[a-z][a-z0-9]{0,15}(?:\s[^<>]{0,512})?\/?>/gi;

/** Signs by the names that pages give them, where no line of Xen's has the sign itself between letters. */
const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['quot', '"'],
  ['apos', "'"],
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['nbsp', ' '],
  ['colon', ':'],
  ['equals', '='],
  ['lbrace', '{'],
  ['lcub', '{'],
  ['rbrace', '}'],
  ['rcub', '}'],
  ['lpar', '('],
  ['rpar', ')'],
  ['lowbar', '_'],
  ['comma', ','],
  ['period', '.'],
  ['sol', '/'],
  ['commat', '@'],
]);

/** How many times an archive of an archive escaped what was escaped. */
const ESCAPED_AGAIN = 3;

function signOf(whole: string, name: string): string {
  const known = ENTITIES.get(name.toLowerCase());
  if (known !== undefined) return known;
  const number = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/i.exec(name);
  const code = number === null ? 0 : Number.parseInt(number[1] ?? number[2] ?? '', number[1] === undefined ? 10 : 16);
  if (code === 0xa0) return ' ';
  return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : whole;
}

/** Whether a line may be of a page or of JSON that escapes what pages would read. */
export function isEscaped(line: string): boolean {
  return line.includes('&') || line.includes('<') || line.includes('\\u00');
}

/** The text that a page shows: without its tags, and with the signs that it escapes. */
function unescaped(text: string): string {
  let shown = text
    .replaceAll(/\\u00(3[cde]|2[267])/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replaceAll(TAG, '');
  for (let again = 0; again < ESCAPED_AGAIN && shown.includes('&'); again++)
    shown = shown.replaceAll(/&(#?[a-z0-9]{1,8});/gi, signOf);
  return shown;
}

/**
 * The text alone; spaces that do not break, the equal signs of quoted-printable letters, and what pages escape, as what
 * they stand for.
 */
export function cleaned(text: string): string {
  const plain = text
    .replaceAll(NOT_TEXT, '')
    .replaceAll(/\xc2?\xa0/g, ' ')
    .replaceAll('=3D', '=');
  return isEscaped(plain) ? unescaped(plain) : plain;
}

/** Every permission that some release of Xen has. */
const PERMISSIONS: ReadonlySet<string> = new Set(
  XEN_RELEASES.flatMap((name) => xenRelease(name).classes.flatMap(({ permissions }) => permissions)),
);

function isPermission(word: string): boolean {
  return PERMISSIONS.has(word) || /^0x[0-9a-f]{1,8}$/.test(word);
}

const FIELD = /^(?:source|target|current|domid|scontext|tcontext|ssid|tsid|tclass|device|irq|range|pte|mfn|dtdevice)=/;

/** Whether a space was lost at the break between two pieces, and not a word broken. */
function isBetweenWords(before: string, after: string): boolean {
  const last = /\S+$/.exec(before.slice(-PIECE))?.[0] ?? '';
  const next = /^\S+/.exec(after)?.[0] ?? '';
  const open = before.lastIndexOf('{');
  if (open >= 0 && before.indexOf('}', open) < 0)
    return (last === '{' || isPermission(last)) && (next === '}' || isPermission(next));
  if (next === '{') return last === 'denied' || last === 'granted';
  if (next === 'for') return last === '}' || /^[a-z0-9_.-]+(?::[a-zA-Z0-9_.:,-]+){2,}$/.test(last);
  if (/^(?:denied|granted)$/.test(next)) return last === '';
  // The name of the first field can be cut in two, so that the rest looks like another field.
  return FIELD.test(next) && (last === 'for' || /=[^=]+$/.test(last));
}

/** What two pieces of a message were before they were broken. */
function glued(before: string, after: string): string {
  const text = after.trimStart();
  if (/\s$/.test(before)) return before + text;
  // One space can be what was kept of the break; more are an indentation, of a word or of a part of one.
  const isKept = /^\s\S/.test(after) || isBetweenWords(before, text);
  return isKept ? `${before} ${text}` : before + text;
}

/** A pattern for what stands before a message, with other numbers in it. */
function likeness(prefix: string): RegExp | undefined {
  if (prefix.trim() === '' || prefix.length > PREFIX) return undefined;
  const parts = prefix.split(/(\b[0-9a-f]{16}\b|\d+| +)/);
  const source = parts.map((part, i) => {
    if (i % 2 === 0) return part.replaceAll(/[^A-Za-z0-9 ]/g, '\\$&');
    if (part.startsWith(' ')) return ' +';
    return part.length === 16 ? '[0-9a-f]{16}' : '\\d{1,16}';
  });
  return new RegExp(`^${source.join('')}`);
}

/** What a line adds to a message that was not whole. */
interface Continuation {
  readonly text: string;
  /** Another message of Xen's begins in the same line, which must still be read. */
  readonly isShared: boolean;
}

/** What a line can hold that goes on with the one before: nothing that begins a message of its own. */
function continuationOf(line: string, prefixes: readonly RegExp[], mark: string): Continuation | undefined {
  const clean = cleaned(line);
  const prefix = prefixes.flatMap((one) => one.exec(clean) ?? [])[0] ?? '';
  const text = clean.slice(prefix.length);
  const other = text.indexOf(OF_XEN);
  const own = other < 0 ? text : text.slice(0, other);
  // A guest's own line, which Xen marks with its number, is never a part of one of Xen's.
  if (own.length > PIECE || own.includes(mark) || own.trim() === '' || /\(d\d{1,5}\)/.test(own)) return undefined;
  return { text: own, isShared: other >= 0 };
}

/** The next few lines of a text. */
function linesFrom(text: string, start: number): string[] {
  const found: string[] = [];
  for (let from = start; from < text.length && found.length < WRAPPED; ) {
    const newline = text.indexOf('\n', from);
    const end = newline < 0 ? text.length : newline;
    // More than a piece and what stands before it may have tells that it is too long.
    found.push(text.slice(from, Math.min(end, from + PIECE + PREFIX + 1)));
    from = end + 1;
  }
  return found;
}

/** A piece without the sign that the rest follows: that of a shell, or of a quoted-printable letter. */
export function withoutSign(piece: string, isQuoted: boolean): string {
  if (piece.endsWith('\\')) return piece.slice(0, -1);
  return isQuoted && piece.endsWith('=') ? piece.slice(0, -1) : piece;
}

/** What a message begins with. */
export interface BrokenMessage {
  /** The cleaned line up to the message. */
  readonly before: string;
  /** The cleaned message, as far as its line has it, without a sign that the rest follows. */
  readonly first: string;
  /** The line has equal signs as quoted-printable letters write them, so that one at an end says that the rest follows. */
  readonly isQuoted: boolean;
}

/**
 * The message with one line more each time, as far as the lines can be its own. `used` says how many lines of the text it
 * then holds. `start` is where the next line begins.
 */
export function* joined(
  { before, first, isQuoted }: BrokenMessage,
  text: string,
  start: number,
  mark: string,
): Generator<{ readonly message: string; readonly used: number }> {
  const at = before.indexOf(OF_XEN);
  const prefixes = [before, at < 0 ? '' : before.slice(0, at)].flatMap((one) => likeness(one) ?? []);
  let message = first;
  for (const [i, line] of linesFrom(text, start).entries()) {
    const more = continuationOf(line, prefixes, mark);
    if (more === undefined) return;
    message = glued(message, withoutSign(more.text, isQuoted));
    yield { message, used: more.isShared ? i : i + 1 };
    if (more.isShared) return;
  }
}
