/**
 * The lexer of xl.cfg.
 *
 * Follows Xen `tools/libs/util/libxlu_cfg_l.l` as flex carries it out: which text stands in `yytext`, when the line
 * counter moves, and what happens to a token that the end of the file cuts short.
 *
 * @module
 */
import type { Terminal } from './automaton.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const HASH = 0x23;
const BACKSLASH = 0x5c;

const isLower = (code: number): boolean => code >= 0x61 && code <= 0x7a;
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isKeyTail = (code: number): boolean => isLower(code) || isDigit(code) || code === 0x2e || code === 0x5f;
const isNumberTail = (code: number): boolean => isDigit(code) || (code >= 0x61 && code <= 0x66) || code === 0x78;
const isBlank = (code: number): boolean => code === SPACE || code === TAB;

const PUNCTUATION = new Map<number, Terminal>([
  [0x2c, ','],
  [0x5b, '['],
  [0x5d, ']'],
  [0x3d, '='],
  [0x3b, ';'],
]);

/** Characters that make libxlutil suspect Python: `+ - . ( ) :`. */
const PYTHON = new Set([0x28, 0x29, 0x2b, 0x2d, 0x2e, 0x3a]);

/** Reads one token after another. The fields tell about the token read last. */
export class Lexer {
  /** Where the matched text begins and ends; at the end of the file it may hold one character that nobody read. */
  start = 0;
  end = 0;
  /** The line that the lexer has come to. */
  line = 1;
  /** The line that the last token says it is on. A line end says one less than the line that the lexer has come to. */
  tokenLine = 1;
  /** The end of the file was reached. */
  isAtEnd = false;
  /** A character was met that libxlutil takes as a sign of Python. */
  looksLikePython = false;
  readonly #text: string;
  readonly #onError: () => void;
  /** A `#` after the last line end begins no comment. */
  readonly #lastNewline: number;
  #at = 0;

  /** `onError` is called for a lexical error while `start` and `end` mark its text. */
  constructor(text: string, onError: () => void) {
    this.#text = text;
    this.#onError = onError;
    this.#lastNewline = text.lastIndexOf('\n');
  }

  next(): Terminal {
    for (;;) {
      const text = this.#text;
      const at = this.#at;
      this.start = at;
      if (at >= text.length) return this.#endOfFile(at);
      const code = text.charCodeAt(at);
      if (isLower(code)) return this.#run('ident', isKeyTail);
      if (isDigit(code)) return this.#run('number', isNumberTail);
      if (isBlank(code)) {
        this.#at = at + 1;
        continue;
      }
      if (code === NEWLINE) return this.#lineEnd(at + 1);
      if (code === HASH && at < this.#lastNewline) return this.#lineEnd(text.indexOf('\n', at) + 1);
      if (code === 0x2b && text.charCodeAt(at + 1) === 0x3d) return this.#token('+=', at + 2);
      const punctuation = PUNCTUATION.get(code);
      if (punctuation !== undefined) return this.#token(punctuation, at + 1);
      if (code === 0x22 || code === 0x27) {
        const end = stringEnd(text, at, code);
        if (end !== -1) return this.#token('string', end);
      }
      if (PYTHON.has(code)) this.looksLikePython = true;
      const terminal = this.#lexicalError(at + 1);
      if (terminal !== undefined) return terminal;
    }
  }

  #token(terminal: Terminal, end: number): Terminal {
    this.end = end;
    this.#at = end;
    this.tokenLine = this.line;
    return terminal;
  }

  #run(terminal: Terminal, isTail: (code: number) => boolean): Terminal {
    let end = this.start + 1;
    while (end < this.#text.length && isTail(this.#text.charCodeAt(end))) end++;
    return this.#token(terminal, end);
  }

  /** A line end, or a comment with the line end that closes it. */
  #lineEnd(end: number): Terminal {
    this.end = end;
    this.#at = end;
    this.line++;
    this.tokenLine = this.line - 1;
    return 'newline';
  }

  #endOfFile(end: number): Terminal {
    this.end = end;
    this.isAtEnd = true;
    return 'end';
  }

  /**
   * A character that begins no token takes everything up to the next blank or line end with it.
   * Returns a token only when it stands directly before a line end or the end of the file.
   */
  #lexicalError(after: number): Terminal | undefined {
    const text = this.#text;
    if (after >= text.length) {
      // XEN: flex reports the end of the file before the error rule gets to match, so nobody hears of the character.
      this.#at = after;
      return this.#endOfFile(after);
    }
    const code = text.charCodeAt(after);
    let end = after + 1;
    if (code === NEWLINE) this.line++;
    else if (!isBlank(code)) while (end < text.length && !isSpaceOrEnd(text.charCodeAt(end))) end++;
    this.end = end;
    this.#at = end;
    this.#onError();
    if (code !== NEWLINE) return undefined;
    this.tokenLine = this.line;
    return 'newline';
  }
}

const isSpaceOrEnd = (code: number): boolean => isBlank(code) || code === NEWLINE;

/** The offset after the closing quote, or -1 when the line ends first. */
function stringEnd(text: string, start: number, quote: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code === NEWLINE) return -1;
    if (code === BACKSLASH) {
      at++;
      if (at >= text.length || text.charCodeAt(at) === NEWLINE) return -1;
    }
  }
  return -1;
}
