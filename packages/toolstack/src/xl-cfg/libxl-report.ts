/**
 * What libxlutil writes about a file that it cannot parse.
 *
 * Follows Xen `tools/libs/util/libxlu_cfg.c`, `xlu__cfg_yyerror` and `parse`: one line for each error, nothing for
 * what stands on a line that already had a lexical error, and line numbers that are one short at a line end.
 *
 * @module
 */

const PYTHON_HINT = [
  'warning: Config file looks like it contains Python code.\n',
  'warning:  Arbitrary Python is no longer supported.\n',
  'warning:  See https://wiki.xen.org/wiki/PythonInXlConfig\n',
];

/** The matched text as messages show it: cut at a NUL byte, without a line end and the blanks before it. */
function nearText(matched: string): string {
  let length = matched.length;
  if (matched === '\n') return '<newline>';
  if (matched.endsWith('\n')) length--;
  while (length > 0 && (matched[length - 1] === ' ' || matched[length - 1] === '\t')) length--;
  if (length === 0) return '';
  const nul = matched.indexOf('\0');
  return `\`${matched.slice(0, nul === -1 ? length : Math.min(nul, length))}'`;
}

/** Collects libxlutil's messages, and knows whether there was an error. */
export class LibxlReport {
  /** An error has happened: nothing is stored from here on. */
  hasError = false;
  readonly #name: string;
  readonly #lines: string[] = [];
  #lastLexicalLine = -1;
  #isClosed = false;

  constructor(name: string) {
    this.#name = name;
  }

  /** An error at a token; `matched` is the text of the token that was read last. */
  error(line: number, matched: string, message: string): void {
    if (line <= this.#lastLexicalLine) return;
    this.hasError = true;
    if (this.#isClosed) return;
    const shown = matched.endsWith('\n') ? line - 1 : line;
    this.#lines.push(`${this.#name}:${shown}: config parsing error near ${nearText(matched)}: ${message}\n`);
  }

  /** A lexical error: later errors up to this line are not reported. `line` is where the lexer has come to. */
  lexicalError(line: number, matched: string, message: string): void {
    this.error(line, matched, message);
    this.#lastLexicalLine = line;
    this.hasError = true;
  }

  /** libxlutil's parse has ended; nothing more is written but the hint. */
  close(looksLikePython: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.hasError && looksLikePython) this.#lines.push(...PYTHON_HINT);
  }

  /** libxlutil's process has died; nothing more is written at all. */
  abort(): void {
    this.hasError = true;
    this.#isClosed = true;
  }

  get text(): string {
    return this.#lines.join('');
  }
}
