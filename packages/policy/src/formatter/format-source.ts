/**
 * Formats a policy source without changing what it compiles to.
 *
 * Only blanks change: how a line is indented, what stands at its end, runs of empty lines, and the blanks beside braces and
 * semicolons. A source is a program for m4 before it is a policy, so words are never moved from line to line, and the
 * inside of a line of arguments is left as it is.
 *
 * @module
 */

/** Statements that end with a semicolon wherever their lines end. */
const STATEMENTS = new Set([
  'allow',
  'attribute',
  'attribute_role',
  'auditallow',
  'auditdeny',
  'bool',
  'constrain',
  'default_range',
  'default_role',
  'default_type',
  'default_user',
  'dominance',
  'dontaudit',
  'expandattribute',
  'mlsconstrain',
  'mlsvalidatetrans',
  'neverallow',
  'permissive',
  'range_transition',
  'role',
  'role_transition',
  'roleattribute',
  'tunable',
  'type',
  'type_change',
  'type_member',
  'type_transition',
  'typealias',
  'typeattribute',
  'typebounds',
  'user',
  'validatetrans',
]);

/** An opening `(`, `{` or quote that is not closed yet. */
interface Open {
  readonly sign: string;
  /** By how many steps later lines are set in; of the signs that one line opens, only the first does it. */
  readonly steps: number;
}

/** How far the lines of a set are set in. */
const SET_STEPS = 2;

/** No line is set in further. */
const MAX_STEPS = 20;

const CLOSER: Readonly<Record<string, string>> = { '(': ')', '{': '}', '`': "'" };

/** Reads lines one after the other, and knows how deep the next one stands. */
class Layout {
  readonly #open: Open[] = [];
  /** Steps of all that is open, and how many quotations are. */
  #steps = 0;
  #quotes = 0;
  /** The statement that began on an earlier line is not over. */
  #isInStatement = false;

  /** Whether the next line begins inside of a quotation. */
  get isQuoted(): boolean {
    return this.#quotes > 0;
  }

  /** Steps by which a line is set in, given its text without the blanks in front. */
  depthOf(line: string): number {
    let level = this.#open.length;
    let steps = this.#steps;
    for (const sign of line) {
      const top = this.#open[level - 1];
      if (top === undefined || CLOSER[top.sign] !== sign) break;
      steps -= top.steps;
      level--;
    }
    const isContinued = this.#isInStatement && level === this.#open.length && !this.#isInBrackets();
    return Math.min(steps, MAX_STEPS) + (isContinued ? 1 : 0);
  }

  #push(sign: string, steps: number): void {
    this.#open.push({ sign, steps });
    this.#steps += steps;
    if (sign === '`') this.#quotes++;
  }

  /** Takes the innermost sign away; answers whether it had set lines in. */
  #pop(): boolean {
    const top = this.#open.pop();
    if (top === undefined) return false;
    this.#steps -= top.steps;
    if (top.sign === '`') this.#quotes--;
    return top.steps > 0;
  }

  #isInBrackets(): boolean {
    const sign = this.#open.at(-1)?.sign;
    return sign === '(' || sign === '{';
  }

  /** Takes a line, after `depthOf`. */
  take(line: string): void {
    const [first = ''] = /^\w+/.exec(line) ?? [];
    if (!this.#isInStatement && STATEMENTS.has(first)) this.#isInStatement = true;
    let hasOpened = false;
    for (let at = 0; at < line.length; at++) {
      const sign = line.charAt(at);
      // The `#` of `$#` begins no comment.
      if (sign === '#' && line.charAt(at - 1) !== '$') {
        // Outside of quotations this is a comment for m4 too. Inside, m4 still sees quotes in it.
        if (!this.isQuoted) break;
        this.#takeQuotes(line.slice(at));
        break;
      }
      if (
        !this.isQuoted &&
        line.startsWith('dnl', at) &&
        !/\w/.test(line.charAt(at - 1)) &&
        !/\w/.test(line.charAt(at + 3))
      )
        break;
      if (sign === '(' || sign === '{' || sign === '`') {
        // A set that goes on is set in twice, so that it does not look like a block.
        const steps = sign === '{' && this.#isInStatement ? SET_STEPS : 1;
        this.#push(sign, hasOpened ? 0 : steps);
        hasOpened = true;
      } else if (sign === ')' || sign === '}' || sign === "'") {
        if (this.#close(sign)) hasOpened = false;
      } else if (sign === ';') {
        this.#isInStatement = false;
      }
    }
  }

  /**
   * Closes the innermost sign that `sign` closes; answers whether that had set lines in. A sign that closes nothing is
   * left alone. A quotation ends whatever was left open in it: a call may be put together from two quotations.
   */
  #close(sign: string): boolean {
    if (sign === "'") this.#isInStatement = false;
    const top = this.#open.at(-1);
    if (top === undefined) return false;
    if (CLOSER[top.sign] === sign) return this.#pop();
    if (sign !== "'" || !this.isQuoted) return false;
    while (this.#open.at(-1)?.sign !== '`') this.#pop();
    return this.#pop();
  }

  #takeQuotes(comment: string): void {
    for (const sign of comment) {
      if (sign === '`') this.#push(sign, 0);
      else if (sign === "'") this.#close(sign);
    }
  }
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

/** A text without spaces and tabs in front. Other white space stays: its bytes may belong to a longer character. */
function trimFront(text: string): string {
  let start = 0;
  while (isBlank(text.charCodeAt(start))) start++;
  return text.slice(start);
}

/** A text without spaces and tabs at its end. */
function trimBack(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Blanks beside braces and before semicolons, in a line that holds statements and no calls. */
function spaceOut(line: string): string {
  // In calls and quotations a blank may belong to an argument; in comments it belongs to the writer.
  if (/[(`'"#]/.test(line)) return line;
  const pieces = line.split(/([{};])/);
  const spaced: string[] = [];
  // The last text that was kept; reading it off the whole again and again would take time with the square of it.
  let last = '';
  const add = (text: string): void => {
    if (text === '') return;
    spaced.push(text);
    last = text;
  };
  for (const [i, piece] of pieces.entries()) {
    if (piece === '{') add(last === '' || last.endsWith('~') || last.endsWith(':') ? '{' : ' {');
    else if (piece === '}') add(' }');
    else if (piece === ';') add(';');
    else add(besideBrace(i === pieces.length - 1 ? piece : trimBack(piece), pieces[i - 1]));
  }
  return trimFront(trimBack(spaced.join('')));
}

/** A text behind a brace: one blank between the two, none where a colon or the like belongs to the brace. */
function besideBrace(text: string, before: string | undefined): string {
  if (before !== '{' && before !== '}') return text;
  const bare = trimFront(text);
  if (bare === '') return '';
  return before === '{' || bare !== text || /^\w/.test(text) ? ` ${bare}` : text;
}

/** The source in Dewar's layout: tabs, one step for each open bracket or quotation, at most one empty line in a row. */
export function formatSource(text: string): string {
  const layout = new Layout();
  const lines: string[] = [];
  for (const written of text.split('\n')) {
    const bare = trimFront(trimBack(written));
    if (bare === '') {
      if (lines.length > 0 && lines.at(-1) !== '') lines.push('');
      continue;
    }
    const line = spaceOut(bare);
    lines.push('\t'.repeat(layout.depthOf(line)) + line);
    layout.take(line);
  }
  while (lines.at(-1) === '') lines.pop();
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
