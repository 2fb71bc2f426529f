/**
 * A cursor over tokens with what all parts of the grammar need.
 *
 * @module
 */
import { type Fix, type Note, nearestName, type Origin, type Report, type Span, userSpan } from '../text/index.ts';
import { language } from './diagnostics.ts';
import { dialectNote } from './foreign-macros.ts';
import type { ParseHints, ShortCall } from './parse-hints.ts';
import { adviceOn, notesOnOpen } from './syntax-advice.ts';
import type { NameList, NameSet } from './syntax-tree.ts';
import { originOf, type Token, TokenKind, type Tokens, textOf, wordOf } from './tokens.ts';

// Looked up once, not for each token.
const { keyword: KEYWORD, operator: OPERATOR } = TokenKind;

/** Ends the parsing of one statement after its fault was reported. Never leaves this folder. */
export class SyntaxFault extends Error {
  override readonly name = 'SyntaxFault';
}

/** The fix that puts `name` where a person wrote something else. */
function replacement(origin: Origin, name: string): Fix {
  const edits = origin.kind === 'written' ? [{ span: origin.span, newText: name }] : [];
  return { title: `did you mean \`${name}\`?`, edits };
}

/** The fix that joins the name of a macro and its parenthesis, where blanks stand between. */
function withoutBlanks({ kind, span }: Origin): Fix[] {
  const { source, end } = span;
  const blanks = /^[ \t]+(?=\()/.exec(source.text.slice(end, end + 80))?.[0];
  if (blanks === undefined) return [];
  const edits = kind === 'written' ? [{ span: { source, start: end, end: end + blanks.length }, newText: '' }] : [];
  return [{ title: 'no blank may stand before the `(`', edits }];
}

/** How many torn calls are kept in mind. */
const MAX_TORN = 1000;

/** How far the parenthesis is looked for that closes a call. */
const LONGEST_CALL = 10_000;

/** The call of the macro whose name is at a place, through the parenthesis that closes it. */
function callSpan({ source, start, end }: Span): Span | undefined {
  const text = source.text.slice(end, end + LONGEST_CALL);
  let depth = 0;
  for (const { 0: sign, index } of text.matchAll(/[()]/g)) {
    depth += sign === '(' ? 1 : -1;
    if (depth <= 0) return index === 0 ? undefined : { source, start, end: end + index + 1 };
  }
  return undefined;
}

/** For each opening bracket the token that closes it; 0 or less for those that none closes, and for other tokens. */
function closingTokens(tokens: Tokens, opening: '{' | '('): Int32Array {
  const closer = opening === '{' ? '}' : ')';
  const closing = new Int32Array(tokens.count);
  // While a bracket is open its entry holds the one around it, as a number below 0.
  let innermost = -1;
  for (let at = 0; at < tokens.count; at++) {
    if (tokens.kinds[at] !== TokenKind.operator) continue;
    const word = wordOf(tokens, at);
    if (word === opening) {
      closing[at] = -innermost - 2;
      innermost = at;
    } else if (word === closer && innermost >= 0) {
      const around = -(closing[innermost] ?? 0) - 2;
      closing[innermost] = at;
      innermost = around;
    }
  }
  return closing;
}

/** Deepest nesting of parentheses and blocks: far above what a policy holds, far below what the stack holds. */
const MAX_NESTING = 1000;

export class Cursor {
  readonly tokens: Tokens;
  /** Columns of `tokens`: the next word is looked at several times for each token. */
  private readonly kinds: Uint8Array;
  private readonly words: Uint32Array;
  private readonly wordTexts: readonly string[];
  readonly report: Report;
  at: Token = 0;
  /** The first token of the statement that is being read. */
  statementAt: Token = 0;
  /** How what is being read is written, for a message. */
  form: string | undefined = undefined;
  /** The brace or parenthesis of the statement that is open. */
  #open: Token | undefined = undefined;
  #closers: ReadonlySet<Token> | undefined = undefined;
  #nesting = 0;
  readonly #hints: ParseHints;
  readonly #statementWords: ReadonlySet<string>;
  readonly #reportedCalls = new Set<ShortCall>();
  readonly #reportedModules = new Set<string>();
  /** Macros that a definition in another dialect was to define. */
  readonly #undefinable = new Set<string>();
  /** Macro calls in an argument of which a fault was reported: the rest of what they make says nothing new. */
  readonly #tornCalls: Span[] = [];
  readonly #closing: Partial<Record<'{' | '(', Int32Array>> = {};

  /** `statementWords`: the words that begin a statement. */
  constructor(tokens: Tokens, report: Report, hints: ParseHints, statementWords: ReadonlySet<string>) {
    this.tokens = tokens;
    this.kinds = tokens.kinds;
    this.words = tokens.words;
    this.wordTexts = tokens.wordTexts;
    this.report = report;
    this.#hints = hints;
    this.#statementWords = statementWords;
  }

  kind(offset = 0): number {
    return this.kinds[this.at + offset] ?? TokenKind.end;
  }

  /** The word of the token ahead, or '' for a token that is neither keyword nor operator. */
  word(offset = 0): string {
    const at = this.at + offset;
    const kind = this.kinds[at];
    return kind === KEYWORD || kind === OPERATOR ? (this.wordTexts[this.words[at] ?? 0] ?? '') : '';
  }

  /** Whether a token begins a line. */
  isFirstOnLine(offset = 0): boolean {
    const { source, starts, ends } = this.tokens;
    const at = this.at + offset;
    return at === 0 || source.text.slice(ends[at - 1], starts[at]).includes('\n');
  }

  /** Whether a name that calls no macro goes on in the line. */
  isGluedName(offset: number): boolean {
    return this.kind(offset) === TokenKind.identifier && this.word(offset + 1) !== '(' && !this.isFirstOnLine(offset);
  }

  get isAtEnd(): boolean {
    return this.kind() === TokenKind.end;
  }

  /**
   * Reports that something else was expected here, and gives up on the statement. `words`: those that may stand here;
   * `isName`: whether any name may.
   */
  fail(expected: string, words: readonly string[] = [], isName = false): never {
    const { tokens } = this;
    const kind = this.kind();
    const origin = originOf(tokens, this.at);
    const text = textOf(tokens, this.at);
    if (this.#followsUnread() || this.#blameShortCall() || this.#isTorn(origin)) throw new SyntaxFault();
    if (kind === TokenKind.end) {
      const notes = this.form === undefined ? [] : [{ message: this.form }];
      this.report(language['unexpected-end'](originOf(tokens, Math.max(0, this.at - 1)), { expected }, { notes }));
    } else if (this.#beginsStatement()) this.#reportBreak(expected, `\`${text}\``);
    else if (kind === TokenKind.keyword && isName && /^[a-z]/i.test(text)) {
      this.report(language['reserved-word'](origin, { word: text }));
      // The word was meant as a name: no statement begins with it.
      this.at++;
    } else
      this.report(
        language['unexpected-token'](origin, { expected, found: `\`${text}\`` }, this.#advice(expected, words)),
      );
    throw new SyntaxFault();
  }

  /** Whether a fault was reported in an argument of the call that this comes from; else keeps the call in mind. */
  #isTorn(fault: Origin): boolean {
    const { tokens } = this;
    const at = userSpan(fault);
    const isIn = ({ source, start, end }: Span): boolean => source === at.source && start <= at.start && at.start < end;
    if (this.#tornCalls.some(isIn)) return true;
    if (fault.kind !== 'written') return false;
    for (let token = Math.max(this.statementAt, this.at - MAX_TORN); token <= this.at; token++) {
      const origin = originOf(tokens, token);
      const call = origin.kind === 'written' ? undefined : callSpan(userSpan(origin));
      if (call !== undefined && isIn(call) && this.#tornCalls.length < MAX_TORN) {
        this.#tornCalls.push(call);
        break;
      }
    }
    return false;
  }

  #advice(expected: string, words: readonly string[]): { notes: readonly Note[]; fixes: readonly Fix[] } {
    const { tokens, at, form } = this;
    const statement = this.at > this.statementAt ? wordOf(tokens, this.statementAt) : '';
    return adviceOn({ tokens, at, expected, statement, open: this.#open, closes: this.#closes(at), words, form });
  }

  /** Whether a token closes a brace or parenthesis. */
  #closes(at: Token): boolean {
    this.#closers ??= new Set(
      (['{', '('] as const).flatMap((opening) =>
        [...closingTokens(this.tokens, opening)].filter((closer) => closer > 0),
      ),
    );
    return this.#closers.has(at);
  }

  /** Whether a character was passed over just before this token, so that the fault was told with it. */
  #followsUnread(): boolean {
    const { starts, ends, unread } = this.tokens;
    const [from, to] = [this.at === 0 ? 0 : (starts[this.at - 1] ?? 0), ends[this.at] ?? 0];
    if (unread.hasParameter(starts[this.statementAt] ?? 0, to)) return true;
    if (!unread.isBetween(from, to)) return false;
    const glued = unread.gluedBetween(from, to);
    // The name that has no beginning is not at fault where its beginning was to be an argument that is missing.
    return glued === undefined || !this.#blameShortCall(glued);
  }

  /** Whether the next statement begins here, on a line of its own, though the last one has no end. */
  #beginsStatement(): boolean {
    if (this.at === 0 || !this.isFirstOnLine()) return false;
    if (this.kind() === TokenKind.identifier) return this.word(1) === '(';
    const next = this.kind(1);
    const isFollowed = next === TokenKind.identifier || next === TokenKind.number || '{*~('.includes(this.word(1));
    return isFollowed && this.#statementWords.has(this.word());
  }

  /** Reports a statement that breaks off: at its last token, as what comes next is not to blame. */
  #reportBreak(expected: string, found: string): void {
    const { tokens } = this;
    const text = textOf(tokens, this.at - 1);
    const last = originOf(tokens, this.at - 1);
    const { source, end } = userSpan(last);
    const isWhole = last.kind === 'written' && source.text.slice(last.span.start, end) === text;
    const edits = isWhole ? [{ span: { source, start: end, end }, newText: ';' }] : [];
    const fixes = expected === '`;`' ? [{ title: 'a `;` is missing here', edits }] : [];
    const notes: Note[] = [{ message: 'the next statement begins here', origin: originOf(tokens, this.at) }];
    if (this.#open !== undefined) notes.push(...notesOnOpen(tokens, this.#open));
    if (this.form !== undefined) notes.push({ message: this.form });
    const args = { expected: `${expected} after \`${text}\``, found };
    this.report(language['unexpected-token'](last, args, { fixes, notes }));
  }

  /** What is known of a macro that does not exist where it is called; where nothing is, the macro that may be meant. */
  #knownOf(macro: string): { notes: Note[]; near: string | undefined } {
    const hints = this.#hints;
    const module = hints.macrosOff?.get(macro);
    if (module !== undefined)
      return {
        notes: [{ message: `module \`${module}\` defines it, and \`modules.conf\` switches it off` }],
        near: undefined,
      };
    const end = hints.macroEnd?.(macro);
    if (end !== undefined) return { notes: [{ message: 'it was taken away here', origin: end }], near: undefined };
    const place = hints.macroPlace?.(macro);
    if (place !== undefined)
      return {
        notes: [{ message: 'it is defined here, and known only from there on', origin: place }],
        near: undefined,
      };
    const quoted = hints.macroPlace?.(`"${macro}"`) ?? hints.macroPlace?.(`'${macro}'`);
    if (quoted !== undefined) {
      const message = "the quotes are part of the name that is defined here: m4 quotes with ``` and `'`";
      return { notes: [{ message, origin: quoted }], near: undefined };
    }
    const dialect = dialectNote(macro);
    if (dialect !== undefined) return { notes: [dialect.note], near: undefined };
    const known = [...(hints.macros ?? []), ...(hints.builtins ?? [])].filter((name) => /^\w+$/.test(name));
    return { notes: [], near: nearestName(macro, known) };
  }

  /** Reports the call of a macro that does not exist. */
  failOnMacro(): never {
    const macro = textOf(this.tokens, this.at);
    const origin = originOf(this.tokens, this.at);
    if (this.#blameBareBuiltin(macro, origin)) throw new SyntaxFault();
    const module = this.#hints.macrosOff?.get(macro);
    const { notes, near } = this.#knownOf(macro);
    const defines = dialectNote(macro)?.defines === true || near === 'define' || near === 'pushdef';
    if (defines && this.kind(2) === TokenKind.identifier) this.#undefinable.add(textOf(this.tokens, this.at + 2));
    if (this.#undefinable.has(macro) || (module !== undefined && this.#reportedModules.has(module)))
      throw new SyntaxFault();
    if (module !== undefined) this.#reportedModules.add(module);
    const fixes = near === undefined ? [] : [replacement(origin, near)];
    this.report(language['unknown-macro'](origin, { macro }, { fixes, notes }));
    throw new SyntaxFault();
  }

  /** Reports a macro of m4 itself that stands without its arguments, so that m4 takes it for text. */
  #blameBareBuiltin(macro: string, origin: Origin): boolean {
    if (this.#hints.builtins?.includes(macro) !== true) return false;
    const fixes = withoutBlanks(origin);
    const notes =
      fixes.length > 0
        ? []
        : [{ message: `m4 takes \`${macro}\` for its macro only where \`(\` stands right behind it` }];
    this.report(language['missing-argument'](origin, { argument: 1, macro }, { fixes, notes }));
    return true;
  }

  /** Reports a word that begins no statement. */
  failOnStatement(): never {
    if (this.#followsUnread() || this.#blameShortCall()) throw new SyntaxFault();
    const word = textOf(this.tokens, this.at);
    const origin = originOf(this.tokens, this.at);
    if (this.#blameBareBuiltin(word, origin)) throw new SyntaxFault();
    const near = nearestName(word, [
      ...[...this.#statementWords].filter((one) => /^[a-z]/.test(one)),
      ...(this.#hints.macros ?? []),
    ]);
    this.report(
      language['unknown-statement'](origin, { word }, near === undefined ? {} : { fixes: [replacement(origin, near)] }),
    );
    throw new SyntaxFault();
  }

  /** Whether the fault is here because an argument of a macro's call is missing; reports each such call once. */
  #blameShortCall(glued?: { readonly macro: string; readonly argument: number }): boolean {
    const calls = (this.#hints.shortCalls ?? []).filter(
      ({ macro, given, missing }) =>
        glued === undefined || (macro === glued.macro && missing === glued.argument && given < missing),
    );
    if (calls.length === 0) return false;
    const here = this.tokens.starts[this.at] ?? 0;
    const before = this.at > 0 ? (this.tokens.starts[this.at - 1] ?? 0) : here;
    const around = calls.filter(({ start, end }) => (start <= here && here < end) || (start <= before && before < end));
    // An argument that is there and empty was mostly passed on so.
    const call = around.findLast(({ given, missing }) => given < missing) ?? around[0];
    if (call === undefined) return false;
    if (!this.#reportedCalls.has(call)) {
      this.#reportedCalls.add(call);
      const fixes = call.given === 0 ? withoutBlanks(call.call) : [];
      this.report(language['missing-argument'](call.call, { argument: call.missing, macro: call.macro }, { fixes }));
    }
    return true;
  }

  accept(word: string): boolean {
    if (this.word() !== word) return false;
    this.at++;
    return true;
  }

  /** `words`: what else might have stood here. */
  expect(word: string, words: readonly string[] = []): void {
    if (!this.accept(word))
      this.fail(
        `\`${word}\``,
        [word, ...words].filter((one) => /^[a-z]/.test(one)),
      );
  }

  /** Runs `parse` between parentheses, the first of which was just read. */
  parenthesized(parse: () => void): void {
    const around = this.#open;
    this.#open = this.at - 1;
    this.nested(parse);
    this.expect(')');
    this.#open = around;
  }

  identifier(what = 'a name'): Token {
    if (this.kind() !== TokenKind.identifier) this.fail(what, [], true);
    return this.at++;
  }

  /** Begins a statement: nothing is open in it yet. */
  begin(): Token {
    this.statementAt = this.at;
    this.form = undefined;
    this.#open = undefined;
    return this.at;
  }

  /** The token that closes the brace or parenthesis at `open`; undefined where none does. */
  closingToken(open: Token): Token | undefined {
    const word = wordOf(this.tokens, open);
    if (word !== '{' && word !== '(') return undefined;
    this.#closing[word] ??= closingTokens(this.tokens, word);
    const closing = this.#closing[word][open] ?? 0;
    return closing > 0 ? closing : undefined;
  }

  /** Runs `parse` one level deeper; refuses nesting that no policy needs. */
  nested<T>(parse: () => T): T {
    if (++this.#nesting > MAX_NESTING) {
      this.report(language['expression-too-deep'](originOf(this.tokens, this.at), { limit: MAX_NESTING }));
      throw new SyntaxFault();
    }
    try {
      return parse();
    } finally {
      this.#nesting--;
    }
  }

  /** `name, name, …` */
  commaList(what = 'a name'): NameList {
    const first = this.identifier(what);
    while (this.accept(',')) this.identifier(what);
    return first;
  }

  #reportEmptySet(open: Token): void {
    if (!this.#blameShortCall()) this.report(language['empty-set'](originOf(this.tokens, open), {}));
  }

  /** `{ name … }`, nothing else inside. */
  flatSet(): NameSet {
    const first = this.at;
    this.expect('{');
    const around = this.#open;
    this.#open = first;
    while (this.word() !== '}') this.identifier('a name or `}`');
    this.#open = around;
    if (this.at === first + 1) this.#reportEmptySet(first);
    this.at++;
    return first;
  }

  /** `name`, `a - b`, `*`, `~name`, `~{ … }`, `{ … }` */
  nameSet(what = 'a name or a set of names'): NameSet {
    const first = this.at;
    if (this.accept('*')) return first;
    if (this.accept('~')) {
      if (this.word() === '{') this.#braces();
      else this.identifier();
      return first;
    }
    if (this.word() === '{') {
      this.#braces();
      return first;
    }
    this.identifier(what);
    if (this.accept('-')) this.identifier();
    return first;
  }

  /** A set in braces: names, names after `-`, sets in braces. */
  #braces(): void {
    const first = this.at;
    const around = this.#open;
    let depth = 0;
    this.#open = first;
    do {
      if (this.accept('{')) {
        depth++;
        if (this.word() === '}') this.#reportEmptySet(first);
      } else if (this.accept('}')) depth--;
      else {
        this.accept('-');
        this.identifier('a name or `}`');
      }
    } while (depth > 0);
    this.#open = around;
  }

  /** A set of names or one name, as `alias` takes it. */
  aliases(): NameSet | undefined {
    return this.accept('alias') ? this.nameSet() : undefined;
  }
}

/** One member of a set as written. */
export interface SetMember {
  readonly token: Token;
  /** Written after `-`. */
  readonly isExcluded: boolean;
}

/** What a set says as a whole. */
export interface SetReading {
  readonly isStar: boolean;
  readonly isComplement: boolean;
  readonly members: readonly SetMember[];
}

/** Reads a set of names from its first token; nested sets are flattened. */
export function readSet(tokens: Tokens, first: NameSet): SetReading {
  const isOperator = (at: Token, word: string): boolean =>
    tokens.kinds[at] === TokenKind.operator && wordOf(tokens, at) === word;
  if (isOperator(first, '*')) return { isStar: true, isComplement: false, members: [] };
  const isComplement = isOperator(first, '~');
  const start = isComplement ? first + 1 : first;
  if (!isOperator(start, '{')) {
    const members: SetMember[] = [{ token: start, isExcluded: false }];
    if (!isComplement && isOperator(start + 1, '-')) members.push({ token: start + 2, isExcluded: true });
    return { isStar: false, isComplement, members };
  }
  const members: SetMember[] = [];
  let depth = 0;
  let isExcluded = false;
  for (let at = start; at < tokens.count; at++) {
    if (tokens.kinds[at] === TokenKind.identifier) {
      members.push({ token: at, isExcluded });
      isExcluded = false;
    } else if (isOperator(at, '-')) isExcluded = true;
    else if (isOperator(at, '{')) depth++;
    else if (--depth === 0) break;
  }
  return { isStar: false, isComplement, members };
}

/** The names of a list separated by commas. */
export function readList(tokens: Tokens, first: NameList): Token[] {
  const names = [first];
  for (let at = first + 1; tokens.kinds[at] === TokenKind.operator && wordOf(tokens, at) === ','; at += 2)
    names.push(at + 1);
  return names;
}
