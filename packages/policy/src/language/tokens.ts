/**
 * Tokens of the policy language, in columns.
 *
 * A policy that m4 has expanded can hold millions of tokens, so a token is an index and what is known of it stands in
 * typed arrays. Each different word is kept once.
 *
 * SPEC: checkpolicy `policy_scan.l`: the longest match wins, and the earlier kind wins a tie.
 * Start reading at `tokenize`.
 *
 * @module
 */
import { type MappedText, type Origin, type Report, SpellingTable } from '../text/index.ts';
import { language } from './diagnostics.ts';
import { KEYWORDS } from './keywords.ts';
import { characterEnd, UnreadCharacters } from './unread-characters.ts';

/** Index of a token. */
export type Token = number;

/** Kinds of tokens, as `Tokens.kinds` has them. */
export const TokenKind = {
  end: 0,
  keyword: 1,
  identifier: 2,
  number: 3,
  path: 4,
  quotedPath: 5,
  filename: 6,
  /** An address, version or file-system name: lexed, but nowhere allowed in a policy for Xen. */
  foreign: 7,
  operator: 8,
} as const;

/** Longest token and longest line that checkpolicy reads (its `YYLMAX`). */
const MAX_LINE = 8192;

/** The tokens of one text. The last one is always of kind `end`. */
export interface Tokens {
  readonly source: MappedText;
  readonly count: number;
  readonly kinds: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** Number of the token's word: keywords in lower case, operators by their meaning, other tokens as written. */
  readonly words: Uint32Array;
  /** Word by number. */
  readonly wordTexts: readonly string[];
  /** What stands between the tokens and is no token. */
  readonly unread: UnreadCharacters;
}

/** The word of a token: a keyword in lower case, `&&` as `and` and so on, anything else as written. */
export function wordOf(tokens: Tokens, token: Token): string {
  return tokens.wordTexts[tokens.words[token] ?? 0] ?? '';
}

/** The token as written. */
export function textOf(tokens: Tokens, token: Token): string {
  return tokens.source.text.slice(tokens.starts[token], tokens.ends[token]);
}

/** Where the token was written, through any macros. */
export function originOf(tokens: Tokens, token: Token): Origin {
  return tokens.source.origins.originAt(tokens.starts[token] ?? 0, tokens.ends[token] ?? 0);
}

const OPERATOR_WORDS: Readonly<Record<string, string>> = {
  '==': 'eq',
  '!=': 'neq',
  '&&': 'and',
  '||': 'or',
  '!': 'not',
  '^': 'xor',
};

const CLASS = { other: 0, letter: 1, digit: 2, blank: 3, newline: 4, operator: 5, underscore: 6 } as const;

/** What each byte can begin. */
const classes = (() => {
  const table = new Uint8Array(256);
  for (let c = 0x41; c <= 0x5a; c++) table[c] = CLASS.letter;
  for (let c = 0x61; c <= 0x7a; c++) table[c] = CLASS.letter;
  for (let c = 0x30; c <= 0x39; c++) table[c] = CLASS.digit;
  for (const c of ' \t\f') table[c.charCodeAt(0)] = CLASS.blank;
  table[0x0a] = CLASS.newline;
  for (const c of '^,:;(){}[].~*-!=&|') table[c.charCodeAt(0)] = CLASS.operator;
  table[0x5f] = CLASS.underscore;
  return table;
})();

const isHex = (c: number): boolean => (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);

/** An IPv6 address: up to four hex digits and a colon, twice, then hex digits, colons and dots. */
const IPV6 = /(?:[0-9A-Fa-f]{0,4}:){2}[0-9A-Fa-f:.]*/y;
/** A name, and what it may go on with any number of times: together they would fill V8's stack. */
const NAME = /[A-Za-z][\w-]*/y;
const NAME_BEHIND_DOT = /\.[\w-]+/y;
const NUMBER_LIKE = /0x[0-9A-Fa-f]+|[0-9]+/y;
const FILESYSTEM = /[0-9A-Za-z]*[A-Za-z][0-9A-Za-z]*/y;
const IPV4 = /[0-9]{1,3}(?:\.[0-9]{1,3}){3}/y;
const VERSION = /[0-9]+(?:\.[A-Za-z0-9_.]*)?/y;

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** The token that begins with a digit. */
function numberToken(text: string, at: number): { kind: number; end: number } {
  const end = matchEnd(NUMBER_LIKE, text, at);
  const foreign = Math.max(
    matchEnd(FILESYSTEM, text, at),
    matchEnd(IPV4, text, at),
    matchEnd(IPV6, text, at),
    matchEnd(VERSION, text, at),
  );
  return foreign > end ? { kind: TokenKind.foreign, end: foreign } : { kind: TokenKind.number, end };
}

class TokenBuilder {
  kinds = new Uint8Array(1024);
  starts = new Uint32Array(1024);
  ends = new Uint32Array(1024);
  words = new Uint32Array(1024);
  count = 0;
  readonly #words = new SpellingTable();
  /** For each name the number of its word, and its kind in the lowest four bits. */
  readonly #names = new Map<string, number>();
  /** Number of the word of each operator of one character; 0 where it was not met yet. */
  readonly #signs = new Int32Array(256);

  constructor() {
    // Number 0 is the word of what has none.
    this.#words.numberOf('');
  }

  get wordTexts(): readonly string[] {
    return this.#words.words;
  }

  push(kind: number, start: number, end: number, word: string): void {
    this.#put(kind, start, end, this.#words.numberOf(word));
  }

  /**
   * The keyword or identifier that begins at `start`: runs of word bytes with single dots between. Answers where it ends,
   * and adds nothing where it ends before `least`.
   */
  pushName(text: string, start: number, least: number): number {
    NAME.lastIndex = start;
    NAME.test(text);
    let end = NAME.lastIndex;
    while (text.charCodeAt(end) === 0x2e) {
      const next = matchEnd(NAME_BEHIND_DOT, text, end);
      if (next === end) break;
      end = next;
    }
    if (end < least) return end;
    const name = text.slice(start, end);
    let known = this.#names.get(name);
    if (known === undefined) {
      const keyword = KEYWORDS.get(name);
      const kind = keyword === undefined ? TokenKind.identifier : TokenKind.keyword;
      known = this.#words.numberOf(keyword ?? name) * 16 + kind;
      this.#names.set(name, known);
    }
    this.#put(known & 15, start, end, known >>> 4);
    return end;
  }

  /** An operator of one character, which has the code `c` and means itself. */
  pushSign(c: number, start: number): void {
    let number = this.#signs[c] ?? 0;
    if (number === 0) {
      number = this.#words.numberOf(String.fromCharCode(c));
      this.#signs[c] = number;
    }
    this.#put(TokenKind.operator, start, start + 1, number);
  }

  #put(kind: number, start: number, end: number, word: number): void {
    if (this.count === this.kinds.length) this.#grow();
    const at = this.count++;
    this.kinds[at] = kind;
    this.starts[at] = start;
    this.ends[at] = end;
    this.words[at] = word;
  }

  #grow(): void {
    const wider = <T extends Uint8Array | Uint32Array>(column: T, to: T): T => {
      to.set(column);
      return to;
    };
    const size = this.kinds.length * 2;
    this.kinds = wider(this.kinds, new Uint8Array(size));
    this.starts = wider(this.starts, new Uint32Array(size));
    this.ends = wider(this.ends, new Uint32Array(size));
    this.words = wider(this.words, new Uint32Array(size));
  }
}

/** Cuts a policy text into tokens. Characters that begin no token are left out, and kept to be reported. */
export function tokenize(source: MappedText, report: Report): Tokens {
  const { text } = source;
  const build = new TokenBuilder();
  const unread = new UnreadCharacters(source, report);
  const length = text.length;
  let at = 0;
  let lineStart = 0;
  const endLine = (end: number): void => {
    // checkpolicy reads each line but the first together with the newline before it, as one token.
    if (end - lineStart + (lineStart === 0 ? 0 : 1) >= MAX_LINE && lineStart !== 0) {
      report(
        language['line-too-long'](source.origins.originAt(lineStart, lineStart + 1), {
          length: end - lineStart,
          limit: MAX_LINE,
        }),
      );
    }
    lineStart = end + 1;
  };
  while (at < length) {
    const c = text.charCodeAt(at);
    switch (classes[c] ?? CLASS.other) {
      case CLASS.newline:
        endLine(at);
        at++;
        break;
      case CLASS.blank:
        at++;
        break;
      case CLASS.letter: {
        const address = isHex(c) ? matchEnd(IPV6, text, at) : at;
        const end = build.pushName(text, at, address);
        if (address > end) build.push(TokenKind.foreign, at, address, text.slice(at, address));
        at = Math.max(end, address);
        break;
      }
      case CLASS.digit: {
        const { kind, end } = numberToken(text, at);
        build.push(kind, at, end, text.slice(at, end));
        at = end;
        break;
      }
      case CLASS.operator:
        at = operatorToken(text, at, c, build, unread);
        break;
      default:
        at = otherToken(text, at, c, build, unread);
    }
  }
  endLine(length);
  build.push(TokenKind.end, length, length, '');
  return { source, ...build, count: build.count, wordTexts: build.wordTexts, unread };
}

function operatorToken(text: string, at: number, c: number, build: TokenBuilder, unread: UnreadCharacters): number {
  if (c === 0x3a) {
    const address = matchEnd(IPV6, text, at);
    if (address > at) {
      build.push(TokenKind.foreign, at, address, text.slice(at, address));
      return address;
    }
  }
  if (isPlainSign(c)) {
    build.pushSign(c, at);
    return at + 1;
  }
  const two = text.slice(at, at + 2);
  const isDouble = two === '==' || two === '!=' || two === '&&' || two === '||';
  if (!isDouble && (c === 0x3d || c === 0x26 || c === 0x7c)) return passOver(text, at, unread);
  const written = isDouble ? two : text.charAt(at);
  const word = OPERATOR_WORDS[written];
  build.push(word === undefined ? TokenKind.operator : TokenKind.keyword, at, at + written.length, word ?? written);
  return at + written.length;
}

/** `{ } ( ) [ ] , ; : . ~ * -`: operators that no other character changes. */
function isPlainSign(c: number): boolean {
  return c !== 0x3d && c !== 0x21 && c !== 0x26 && c !== 0x7c && c !== 0x5e;
}

/** Comments, paths and quoted names; everything else is not a token. */
function otherToken(text: string, at: number, c: number, build: TokenBuilder, unread: UnreadCharacters): number {
  if (c === 0x23) {
    const end = text.indexOf('\n', at);
    return end === -1 ? text.length : end;
  }
  if (c === 0x2f) {
    let end = at + 1;
    while (end < text.length && !' \n\r\t\f'.includes(text.charAt(end))) end++;
    build.push(TokenKind.path, at, end, text.slice(at, end));
    return end;
  }
  if (c === 0x22) {
    const close = text.indexOf('"', at + 1);
    const newline = text.indexOf('\n', at);
    const inner = close === -1 || (newline !== -1 && newline < close) ? undefined : text.slice(at + 1, close);
    if (inner?.startsWith('/') === true) {
      build.push(TokenKind.quotedPath, at, close + 1, inner);
      return close + 1;
    }
    if (inner !== undefined && inner !== '' && !inner.includes('/')) {
      build.push(TokenKind.filename, at, close + 1, inner);
      return close + 1;
    }
  }
  return passOver(text, at, unread);
}

function passOver(text: string, at: number, unread: UnreadCharacters): number {
  const end = characterEnd(text, at);
  unread.add(at, end);
  return end;
}
