/**
 * Quotes, comments and character classes: the rules by which text is split into tokens.
 *
 * @module
 */

/** May begin a name. */
export const NAME_START = 1;
/** May stand inside a name. */
export const NAME = 2;
/** May begin a quotation or a comment. */
export const SPECIAL = 4;
/** `(`, `)` or a comma. */
export const STRUCTURE = 8;
/** Blank in front of an argument. */
export const BLANK = 16;

/** The current rules. Every change starts a new generation. */
export class Syntax {
  openQuote = '`';
  closeQuote = "'";
  openComment = '#';
  closeComment = '\n';
  /** Changes whenever a word or character may mean something else than before. Never 0. */
  generation = 1;
  /** Changes with the quotes and comments. */
  quoteGeneration = 1;
  readonly classes: Uint8Array = new Uint8Array(256);

  constructor() {
    this.#classify();
  }

  /** SPEC: GNU m4 manual, "Changing the quote characters". Undefined stands for an argument that was not given. */
  changeQuotes(open: string | undefined, close: string | undefined): void {
    this.openQuote = open ?? '`';
    this.closeQuote = open === undefined ? "'" : close === undefined || (open !== '' && close === '') ? "'" : close;
    this.#changed();
  }

  /** SPEC: GNU m4 manual, "Changing the comment delimiters". */
  changeComments(open: string | undefined, close: string | undefined): void {
    this.openComment = open ?? '';
    this.closeComment = open === undefined ? '' : close === undefined || (open !== '' && close === '') ? '\n' : close;
    this.#changed();
  }

  /** A word that stood for itself has become a macro. */
  forgetWords(): void {
    this.generation++;
  }

  #changed(): void {
    this.generation++;
    this.quoteGeneration++;
    this.#classify();
  }

  /** Whether the quotes are those that m4 begins with. */
  get hasUsualQuotes(): boolean {
    return this.openQuote === '`' && this.closeQuote === "'";
  }

  /** Whether both quotes are one character each and differ, so that balanced texts stay balanced when joined. */
  get hasSimpleQuotes(): boolean {
    return this.openQuote.length === 1 && this.closeQuote.length === 1 && this.openQuote !== this.closeQuote;
  }

  #classify(): void {
    const { classes } = this;
    classes.fill(0);
    for (let code = 48; code <= 57; code++) classes[code] = NAME;
    for (let code = 65; code <= 90; code++) classes[code] = NAME | NAME_START;
    for (let code = 97; code <= 122; code++) classes[code] = NAME | NAME_START;
    classes[95] = NAME | NAME_START;
    for (const code of [9, 10, 11, 12, 13, 32]) classes[code] = BLANK;
    for (const code of [40, 41, 44]) classes[code] = STRUCTURE;
    for (const delimiter of [this.openQuote, this.openComment]) {
      if (delimiter === '') continue;
      const code = delimiter.charCodeAt(0);
      if (code < 256) classes[code] = (classes[code] ?? 0) | SPECIAL;
    }
  }
}
