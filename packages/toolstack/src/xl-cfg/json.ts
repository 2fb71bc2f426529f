/**
 * Prints JSON as libxl does, through yajl: four blanks for each level, an empty line inside what is empty; and reads it.
 *
 * @module
 */

/** A value whose members keep their order. Texts hold one character per byte; `null` is what libxl prints for an unnamed number. */
export type JsonValue = string | number | bigint | boolean | null | readonly JsonValue[] | JsonObject;

/** An object whose members keep their order. */
export interface JsonObject {
  readonly members: readonly (readonly [string, JsonValue])[];
}

const INDENT = '    ';

const SHORT = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function quote(text: string): string {
  const escaped = text.replaceAll(/[\x00-\x1f"\\]/g, (byte) => {
    const code = byte.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return SHORT.get(byte) ?? `\\u${code}`;
  });
  return `"${escaped}"`;
}

function write(value: JsonValue, indent: string, parts: string[]): void {
  if (typeof value === 'string') {
    parts.push(quote(value));
  } else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' || value === null) {
    parts.push(String(value));
  } else if ('members' in value) {
    writeBlock('{', '}', value.members, indent, parts, ([name, member], inner) => {
      parts.push(quote(name), ': ');
      write(member, inner, parts);
    });
  } else {
    writeBlock('[', ']', value, indent, parts, (item, inner) => write(item, inner, parts));
  }
}

function writeBlock<T>(
  open: string,
  close: string,
  items: readonly T[],
  indent: string,
  parts: string[],
  writeItem: (item: T, inner: string) => void,
): void {
  const inner = indent + INDENT;
  parts.push(open, '\n');
  items.forEach((item, index) => {
    parts.push(inner);
    writeItem(item, inner);
    if (index < items.length - 1) parts.push(',\n');
  });
  parts.push('\n', indent, close);
}

/** The value as text, with a line end after it. */
export function printJson(value: JsonValue): string {
  const parts: string[] = [];
  write(value, '', parts);
  return `${parts.join('')}\n`;
}

/** The value in as few characters as it takes. */
export function compactJson(value: JsonValue): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (!('members' in value)) return `[${value.map(compactJson).join(',')}]`;
  return `{${value.members.map(([name, member]) => `${quote(name)}:${compactJson(member)}`).join(',')}}`;
}

/** The value as programs have it; a number that none holds exactly becomes the nearest. */
export function plainJson(value: JsonValue): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  if (!('members' in value)) return value.map(plainJson);
  // Unlike an assignment, this takes any name.
  return Object.fromEntries(value.members.map(([name, member]) => [name, plainJson(member)]));
}

/** How deep a value may be, and how long a text. */
const DEPTH_LIMIT = 32;
const LENGTH_LIMIT = 2 ** 24;

const BLANKS = /[ \t\n\r]*/y;
const PLAIN = /[{}[\],:]|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;

/** Reads tokens one after the other; undefined where there is none. */
class TokenReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  next(): string | undefined {
    BLANKS.lastIndex = this.#at;
    BLANKS.test(this.#text);
    const start = BLANKS.lastIndex;
    PLAIN.lastIndex = start;
    const end = this.#text[start] === '"' ? this.#endOfText(start) : PLAIN.test(this.#text) ? PLAIN.lastIndex : start;
    this.#at = end;
    return end > start ? this.#text.slice(start, end) : undefined;
  }

  /** Where the text ends whose quote stands at `start`. */
  #endOfText(start: number): number {
    for (let at = start + 1; at < this.#text.length; at++) {
      if (this.#text[at] === '\\') at++;
      else if (this.#text[at] === '"') return at + 1;
    }
    return start;
  }

  /** The next token, if it is this one. */
  take(wanted: string): boolean {
    const before = this.#at;
    if (this.next() === wanted) return true;
    this.#at = before;
    return false;
  }

  get isAtEnd(): boolean {
    return this.#text.slice(this.#at).trim() === '';
  }
}

/** Reads a text of JSON: members keep their order, and whole numbers all their digits. Undefined for what is none. */
export function parseJson(text: string): JsonValue | undefined {
  if (text.length > LENGTH_LIMIT) return undefined;
  const reader = new TokenReader(text);
  const value = readValue(reader, reader.next(), 0);
  return reader.isAtEnd ? value : undefined;
}

function readValue(reader: TokenReader, token: string | undefined, depth: number): JsonValue | undefined {
  if (token === undefined || depth > DEPTH_LIMIT) return undefined;
  switch (token[0]) {
    case '{':
      return readObject(reader, depth);
    case '[':
      return readArray(reader, depth);
    case '"':
      return unquote(token);
    case 't':
    case 'f':
      return token === 'true';
    case 'n':
      return null;
    default:
      return readNumber(token);
  }
}

function readNumber(token: string): JsonValue | undefined {
  if (!/^-?[0-9]/.test(token)) return undefined;
  const number = Number(token);
  if (Number.isSafeInteger(number)) return number;
  if (/^-?[0-9]+$/.test(token)) return BigInt(token);
  return Number.isFinite(number) ? number : undefined;
}

function unquote(token: string): string | undefined {
  try {
    return String(JSON.parse(token));
  } catch {
    return undefined;
  }
}

function readObject(reader: TokenReader, depth: number): JsonObject | undefined {
  const members: (readonly [string, JsonValue])[] = [];
  if (reader.take('}')) return { members };
  do {
    const name = readValue(reader, reader.next(), DEPTH_LIMIT);
    if (typeof name !== 'string' || !reader.take(':')) return undefined;
    const value = readValue(reader, reader.next(), depth + 1);
    if (value === undefined) return undefined;
    members.push([name, value]);
  } while (reader.take(','));
  return reader.take('}') ? { members } : undefined;
}

function readArray(reader: TokenReader, depth: number): readonly JsonValue[] | undefined {
  const items: JsonValue[] = [];
  if (reader.take(']')) return items;
  do {
    const value = readValue(reader, reader.next(), depth + 1);
    if (value === undefined) return undefined;
    items.push(value);
  } while (reader.take(','));
  return reader.take(']') ? items : undefined;
}
