/**
 * Says what is wrong with the form of an xl.cfg file: the place, the cause and, where there is one, the cure.
 *
 * libxlutil reports that it met a token it did not expect. Here the same event, with what stands around it, becomes
 * a diagnostic. One line gets at most one, for what follows on the line is mostly a consequence.
 *
 * @module
 */
import type { Diagnostic, Fix, Note, Origin, Span } from '@dewar/policy/text';
import { AFTER_APPEND, AFTER_ASSIGNMENT, AFTER_EQUALS, AFTER_KEY, LIST_END, STATEMENTS } from './automaton.ts';
import type { CfgText } from './cfg-text.ts';
import { cfg } from './diagnostics.ts';
import { adviseLexical, closesString, unquotedValue } from './lexical-advice.ts';
import type { Setting, XlValue } from './settings.ts';
import { showBytes, showToken } from './show-text.ts';
import type { Surroundings, Token } from './token.ts';

const LIMIT = 100;

/** Collects the diagnostics of one parse. */
export class SyntaxAdvisor {
  readonly diagnostics: Diagnostic[] = [];
  readonly #input: CfgText;
  #previous: Token | undefined;
  #key: Token | undefined;
  #brackets: Token[] = [];
  /** Up to here, an error is taken as a consequence of the one before. */
  #quietUntil = 0;
  /** A list broke off; the lines that follow may belong to it. */
  #isInBrokenList = false;
  #isUnheard = false;
  #hasCarriageReturn = false;

  constructor(input: CfgText) {
    this.#input = input;
  }

  /** The parser has accepted a token in this state. */
  shifted(token: Token, state: number): void {
    if (state === STATEMENTS) {
      this.#key = token.kind === 'ident' ? token : undefined;
      this.#brackets = [];
    }
    if (token.kind === '[') this.#brackets.push(token);
    if (token.kind === ']') this.#brackets.pop();
    if (token.kind === '=' || token.kind === '+=') this.#isInBrokenList = false;
    this.#previous = token;
  }

  /** libxlutil stops reading here. */
  libxlGaveUp(): void {
    this.#isUnheard = true;
  }

  lexicalError(start: number, end: number): void {
    this.#add(start, end, () => {
      if (this.#input.text.charAt(start) === '\r') {
        if (this.#hasCarriageReturn) return undefined;
        this.#hasCarriageReturn = true;
      }
      return adviseLexical(this.#surroundings(), start, end);
    });
  }

  syntaxError(state: number, token: Token): void {
    if (state === STATEMENTS && this.#followsError(token)) this.#quietUntil = this.#lineAfter(token.end);
    if (token.kind === 'end' && token.end > token.start) this.lexicalError(token.start, token.end);
    else this.#add(token.start, token.end, () => this.#adviseSyntax(state, token));
    if (this.#brackets.length > 0) this.#isInBrokenList = true;
    this.#brackets = [];
  }

  /** The whole file was accepted; xl has not looked at these characters. */
  fileAccepted(start: number, end: number): void {
    if (start === end) return;
    const text = this.#input.text.slice(start, end);
    if (text === '#') return;
    const notes = [
      { message: 'xl says nothing here: it meets the end of the file before it can report the character' },
    ];
    const args = { text: `\`${showBytes(text)}\`` };
    this.diagnostics.push(cfg['unread-character'](this.#origin(start, end), args, { notes }));
  }

  badEscape(at: number): void {
    const found = this.#input.text.slice(at, at + 2);
    const notes: Note[] = [{ message: 'xl.cfg knows `\\\\` `\\"` `\\\'` `\\a` `\\b` `\\f` `\\n` `\\r` `\\t` `\\v`' }];
    const isNumeric = /\\[x0-7]/.test(found);
    if (isNumeric) notes.push({ message: 'libxlutil has code for escapes with numbers, but it does not work' });
    const fixes = isNumeric ? [] : [this.#fix('write the backslash twice', at, at, '\\')];
    const args = { escape: showBytes(found) };
    this.#add(at, at + 2, () => cfg['bad-escape'](this.#origin(at, at + 2), args, { notes, fixes }));
  }

  vanishedEscape(at: number, length: number): void {
    if (this.diagnostics.length >= LIMIT) return;
    const args = { escape: showBytes(this.#input.text.slice(at, at + length)) };
    const notes = [{ message: 'xl says nothing here: it reads an octal escape and then leaves the character out' }];
    this.diagnostics.push(cfg['vanished-escape'](this.#origin(at, at + length), args, { notes }));
  }

  nulInString(start: number, end: number): void {
    const notes = [{ message: 'xl does not report this: an assertion fails and the process is aborted' }];
    this.#add(start, end, () => {
      const nul = Math.max(start, this.#input.text.indexOf('\0', start));
      return cfg['nul-in-string'](this.#origin(nul, nul + 1), {}, { notes });
    });
  }

  mixedAppend(key: Token, earlier: Setting, later: XlValue): void {
    const name = (value: XlValue): string => (value.kind === 'list' ? 'list' : 'single value');
    const notes = [{ message: 'set here before', origin: written(earlier.value.span) }];
    const args = { key: showBytes(key.text), earlier: name(earlier.value), later: name(later) };
    this.#add(key.start, key.end, () => cfg['mixed-append'](written(later.span), args, { notes }));
  }

  stackExhausted(start: number, end: number): void {
    this.#add(start, end, () => cfg['too-deep'](this.#origin(start, end), {}));
    if (this.#brackets.length > 0) this.#isInBrokenList = true;
    this.#brackets = [];
  }

  #surroundings(): Surroundings {
    return { input: this.#input, previous: this.#previous, key: this.#key, brackets: this.#brackets };
  }

  #origin(start: number, end: number): Origin {
    return written(this.#input.spanOf(start, end));
  }

  #fix(title: string, start: number, end: number, newText: string): Fix {
    return { title, edits: [{ span: this.#input.spanOf(start, end), newText }] };
  }

  #add(start: number, end: number, advise: () => Diagnostic | undefined): void {
    if (start < this.#quietUntil || this.#isSilent()) return;
    this.#quietUntil = this.#lineAfter(Math.max(start, end - 1));
    const diagnostic = advise();
    if (diagnostic === undefined) return;
    if (diagnostic.code === 'cfg/unclosed-string')
      this.#quietUntil = restOfString(this.#input.text, start, this.#quietUntil);
    if (this.diagnostics.length === LIMIT) {
      this.diagnostics.push(cfg['too-many-problems'](diagnostic.origin, { limit: LIMIT }));
    } else if (this.#isUnheard) {
      const note = { message: 'xl says nothing here: it has given up on the file before this line' };
      this.diagnostics.push({ ...diagnostic, notes: [...diagnostic.notes, note] });
    } else {
      this.diagnostics.push(diagnostic);
    }
  }

  /** Nothing will be reported now, whatever it is. */
  #isSilent(): boolean {
    return this.#isInBrokenList || this.diagnostics.length > LIMIT;
  }

  /** Where the line after this place begins. */
  #lineAfter(at: number): number {
    const end = this.#input.text.indexOf('\n', at);
    return end === -1 ? this.#input.text.length + 1 : end + 1;
  }

  /** A line that begins with no key, directly after a line with an error, belongs to that line. */
  #followsError(token: Token): boolean {
    if (this.#quietUntil === 0 || token.start < this.#quietUntil || this.#isSilent()) return false;
    return this.#input.text.slice(this.#quietUntil, token.start).trim() === '';
  }

  #adviseSyntax(state: number, token: Token): Diagnostic {
    const origin = this.#origin(token.start, token.end);
    const found = showToken(token);
    const key = this.#key?.text ?? '';
    switch (state) {
      case STATEMENTS:
        return cfg['no-key'](origin, { found });
      case AFTER_KEY:
        return this.#noEquals(token, key);
      case AFTER_EQUALS:
      case AFTER_APPEND:
        return this.#noValue(token, key);
      case AFTER_ASSIGNMENT:
        return this.#afterStatement(token, key);
      case LIST_END:
        return this.#inList(token, key);
      default:
        return cfg.unexpected(origin, { expected: 'a statement', found });
    }
  }

  #noEquals(token: Token, key: string): Diagnostic {
    const origin = this.#origin(token.start, token.end);
    const isPython = /^(import|from|def|if|for|while|print|class)$/.test(key);
    const notes = isPython ? [{ message: `\`${key}\` is Python; xl.cfg has assignments only` }] : [];
    const isValue = token.kind === 'string' || token.kind === 'number';
    const fixes = isValue && !isPython ? [this.#fix('write `=` between them', token.start, token.start, '= ')] : [];
    return cfg['no-equals'](origin, { key: showBytes(key), found: showToken(token) }, { notes, fixes });
  }

  #noValue(token: Token, key: string): Diagnostic {
    const previous = this.#previous ?? token;
    if (token.kind === 'ident') return unquotedValue(this.#surroundings(), token.start);
    if (token.kind === 'newline' || token.kind === ';' || token.kind === 'end') {
      const notes = [{ message: 'the value must begin on the same line as the `=`' }];
      return cfg['no-value'](this.#origin(previous.start, previous.end), { key: showBytes(key) }, { notes });
    }
    const origin = this.#origin(token.start, token.end);
    return cfg.unexpected(origin, { expected: 'a string, a number or a list', found: showToken(token) });
  }

  #afterStatement(token: Token, key: string): Diagnostic {
    const origin = this.#origin(token.start, token.end);
    switch (token.kind) {
      case 'ident':
        return cfg['two-statements'](
          origin,
          { key: showBytes(token.text) },
          { fixes: [this.#fix('write a `;` before it', token.start, token.start, '; ')] },
        );
      case 'string':
      case 'number':
      case '[':
        return cfg['two-values'](origin, { key: showBytes(key) });
      case ']':
        return cfg['unopened-list'](origin, {}, { fixes: [this.#fix('remove it', token.start, token.end, '')] });
      default:
        return cfg.unexpected(origin, { expected: 'the end of the line', found: showToken(token) });
    }
  }

  #inList(token: Token, key: string): Diagnostic {
    const origin = this.#origin(token.start, token.end);
    const open = this.#brackets.at(-1);
    const previous = this.#previous;
    const isNewLine = previous?.kind === 'newline';
    if (token.kind === 'end' || (token.kind === 'ident' && isNewLine)) {
      const notes = [{ message: `${showToken(token)} comes before a \`]\``, origin }];
      const mark = open === undefined ? origin : this.#origin(open.start, open.end);
      return cfg['unclosed-list'](mark, { key: showBytes(key) }, { notes });
    }
    switch (token.kind) {
      case 'ident':
        return unquotedValue(this.#surroundings(), token.start);
      case 'string':
      case 'number':
      case '[':
        return cfg['no-comma'](
          origin,
          {},
          { fixes: [this.#fix('write a `,` before it', token.start, token.start, ', ')] },
        );
      case ',':
        return cfg['empty-item'](origin, {}, { fixes: [this.#fix('remove it', token.start, token.end, '')] });
      default:
        return cfg.unexpected(origin, { expected: '`,` or `]`', found: showToken(token) });
    }
  }
}

function written(span: Span): Origin {
  return { kind: 'written', span };
}

/** Where the line after an unclosed string ends, when that line closes the string; else `lineEnd`. */
function restOfString(text: string, start: number, lineEnd: number): number {
  const next = text.indexOf('\n', lineEnd);
  const end = next === -1 ? text.length : next;
  return closesString(text.slice(lineEnd, end), text.charAt(start)) ? end + 1 : lineEnd;
}
