/**
 * The parser of xl.cfg.
 *
 * It does what libxlutil does, error for error, and beside it makes diagnostics of our own. Where libxlutil
 * gives up, we go on for the sake of the diagnostics; nothing that follows is stored.
 *
 * Follows Xen `tools/libs/util/libxlu_cfg_y.y` as bison carries it out, and the actions in `libxlu_cfg.c`.
 * Start reading at `parseXlCfg`.
 *
 * @module
 */
import type { SourceText } from '@dewar/policy/text';
import {
  ACCEPT,
  RECOVERING,
  RULES,
  type Rule,
  STACK_LIMIT,
  START,
  STATEMENTS,
  STATES,
  syntaxErrorText,
} from './automaton.ts';
import { type CfgText, cfgText } from './cfg-text.ts';
import { type Dequoted, dequote } from './escapes.ts';
import { Lexer } from './lexer.ts';
import { LibxlReport } from './libxl-report.ts';
import type { ParseOutcome, Setting, XlCfg, XlList, XlString, XlValue } from './settings.ts';
import { SyntaxAdvisor } from './syntax-advice.ts';
import type { Token } from './token.ts';

const MIXED_APPEND = `can't add [list] to "string" or vice versa`;

/** Parses a file, and after it the extra `key=value` words of `xl create`. */
export function parseXlCfg(source: SourceText, extraWords: readonly string[] = []): XlCfg {
  return new Parser(cfgText(source, extraWords)).parse();
}

/** A list under construction. */
interface GrowingList extends XlList {
  readonly items: XlValue[];
}

type BuiltValue = XlString | GrowingList;

/** A setting whose list may still be handed on to a later `+=`. */
interface StoredSetting extends Setting {
  value: BuiltValue;
}

/** What a symbol on the parser's stack carries. */
type Carried = Token | BuiltValue | undefined;

interface Entry {
  readonly state: number;
  readonly carried: Carried;
  /** libxlutil's line of the symbol's first token. */
  readonly line: number;
}

const BOTTOM: Entry = { state: START, carried: undefined, line: 0 };

class Parser {
  readonly #input: CfgText;
  readonly #lexer: Lexer;
  readonly #report: LibxlReport;
  readonly #advisor: SyntaxAdvisor;
  readonly #settings: StoredSetting[] = [];
  readonly #byKey = new Map<string, StoredSetting>();
  #outcome: ParseOutcome = 'parsed';
  #stack: Entry[] = [BOTTOM];
  /** The next token, once it was read. */
  #token: Token | undefined;
  /** bison's `yyerrstatus`: how many tokens must still be shifted before errors are reported again. */
  #errorStatus = 0;

  constructor(input: CfgText) {
    this.#input = input;
    this.#report = new LibxlReport(input.name);
    this.#advisor = new SyntaxAdvisor(input);
    this.#lexer = new Lexer(input.text, () => this.#lexicalError());
  }

  parse(): XlCfg {
    while (this.#step());
    this.#report.close(this.#lexer.looksLikePython);
    if (this.#report.hasError && this.#outcome === 'parsed') this.#outcome = 'refused';
    else if (this.#outcome === 'parsed') this.#advisor.fileAccepted(this.#lexer.start, this.#lexer.end);
    return {
      source: this.#input.source,
      outcome: this.#outcome,
      settings: this.#settings,
      byKey: this.#byKey,
      libxlReport: this.#report.text,
      diagnostics: this.#advisor.diagnostics,
    };
  }

  /** One move of the automaton; false when the parse is over. */
  #step(): boolean {
    if (this.#stack.length >= STACK_LIMIT) return this.#stackExhausted();
    const { state } = this.#top();
    if (state === ACCEPT) return false;
    const row = STATES[state] ?? {};
    if (row.on === undefined) return this.#reduce(row.otherwise ?? 0);
    this.#token ??= this.#read();
    const move = row.on[this.#token.kind] ?? (row.otherwise === undefined ? 0 : -row.otherwise);
    if (move > 0) return this.#shift(move, this.#token);
    return move < 0 ? this.#reduce(-move) : this.#syntaxError(this.#token);
  }

  #top(): Entry {
    return this.#stack[this.#stack.length - 1] ?? BOTTOM;
  }

  #shift(state: number, token: Token): boolean {
    if (this.#errorStatus > 0) this.#errorStatus--;
    this.#advisor.shifted(token, this.#top().state);
    this.#stack.push({ state, carried: token, line: token.line });
    this.#token = undefined;
    return true;
  }

  #reduce(number: number): boolean {
    const rule = RULES[number];
    if (rule === undefined) return false;
    const right = this.#stack.splice(this.#stack.length - rule.length, rule.length);
    const carried = this.#act(rule, right);
    const state = STATES[this.#top().state]?.goto?.[rule.left] ?? ACCEPT;
    this.#stack.push({ state, carried, line: right[0]?.line ?? 0 });
    return true;
  }

  #act(rule: Rule, right: readonly Entry[]): Carried {
    const first = right[0];
    switch (rule.action) {
      case 'none':
        return first?.carried;
      case 'assign':
        return this.#store('=', right);
      case 'append':
        return this.#store('+=', right);
      case 'atom-value': {
        const token = first?.carried;
        if (!isToken(token)) return undefined;
        return {
          kind: 'string',
          text: token.text,
          line: first?.line ?? 0,
          span: this.#input.spanOf(token.start, token.end),
        };
      }
      case 'list-value':
        return this.#closeList(right);
      case 'empty-list':
        return { kind: 'list', items: [], line: this.#lexer.tokenLine, span: this.#input.spanOf(0, 0) };
      case 'first-item': {
        const item = asValue(first?.carried);
        const items = item === undefined ? [] : [item];
        return { kind: 'list', items, line: first?.line ?? 0, span: this.#input.spanOf(0, 0) };
      }
      case 'next-item': {
        const list = first?.carried;
        const item = asValue(right[3]?.carried);
        if (isList(list) && item !== undefined) list.items.push(item);
        return list;
      }
    }
  }

  /** A list takes its line from its items, but its place from its brackets. */
  #closeList(right: readonly Entry[]): Carried {
    const open = right[0]?.carried;
    const list = right[2]?.carried;
    const close = right[3]?.carried;
    if (!isList(list) || !isToken(open) || !isToken(close)) return undefined;
    return { kind: 'list', items: list.items, line: list.line, span: this.#input.spanOf(open.start, close.end) };
  }

  /** Follows `xlu__cfg_set_store` and `xlu__cfg_concat_vals`. */
  #store(op: Setting['op'], right: readonly Entry[]): undefined {
    const key = right[0]?.carried;
    const written = asValue(right[2]?.carried);
    if (this.#report.hasError || !isToken(key) || written === undefined) return;
    const previous = op === '+=' ? this.#byKey.get(key.text) : undefined;
    let value = written;
    if (previous !== undefined) {
      if (previous.value.kind === 'string' && written.kind === 'string') {
        value = { ...written, text: previous.value.text + written.text };
      } else if (previous.value.kind === 'list' && written.kind === 'list') {
        // The earlier list hands its array on, so that many `+=` cost no more than the items they add.
        const { items } = previous.value;
        for (const item of written.items) items.push(item);
        value = { ...written, items };
        previous.value = { ...previous.value, items: [] };
      } else {
        this.#report.lexicalError(this.#lexer.line, this.#matched(), MIXED_APPEND);
        this.#advisor.mixedAppend(key, previous, written);
        return;
      }
    }
    const setting = {
      key: key.text,
      op,
      value,
      line: right[2]?.line ?? 0,
      keySpan: this.#input.spanOf(key.start, key.end),
    };
    this.#settings.push(setting);
    this.#byKey.set(key.text, setting);
  }

  #read(): Token {
    const kind = this.#lexer.next();
    const { start, end, tokenLine } = this.#lexer;
    const matched = this.#input.text.slice(start, end);
    const text = kind === 'string' ? this.#stringText(matched) : matched;
    return { kind, start, end, line: tokenLine, text };
  }

  #stringText(matched: string): string {
    const result: Dequoted = dequote(matched);
    const { line, start } = this.#lexer;
    switch (result.kind) {
      case 'text':
        for (const { at, length } of result.vanished) this.#advisor.vanishedEscape(start + at, length);
        return result.text;
      case 'error':
        this.#advisor.badEscape(start + result.at);
        // XEN: once there was an error, strings are not looked into any more.
        if (!this.#report.hasError) this.#report.lexicalError(line, matched, result.message);
        return '';
      case 'abort':
        this.#advisor.nulInString(start, this.#lexer.end);
        if (!this.#report.hasError) {
          this.#report.abort();
          this.#outcome = 'aborted';
        }
        return '';
    }
  }

  /** The matched text, with the byte that flex matches at the end of the file. */
  #matched(): string {
    const { start, end, isAtEnd } = this.#lexer;
    return this.#input.text.slice(start, end) + (isAtEnd ? '\0' : '');
  }

  #lexicalError(): void {
    this.#report.lexicalError(this.#lexer.line, this.#matched(), 'lexical error');
    this.#advisor.lexicalError(this.#lexer.start, this.#lexer.end);
  }

  #syntaxError(token: Token): boolean {
    const { state } = this.#top();
    if (this.#errorStatus === 0) this.#report.error(token.line, this.#matched(), syntaxErrorText(state, token.kind));
    if (state !== RECOVERING) this.#advisor.syntaxError(state, token);
    if (this.#errorStatus === 3) {
      if (token.kind === 'end') return false;
      this.#token = undefined;
    }
    return this.#recover();
  }

  #stackExhausted(): boolean {
    const { tokenLine } = this.#lexer;
    this.#report.error(tokenLine, this.#matched(), 'memory exhausted');
    this.#advisor.stackExhausted(this.#lexer.start, this.#lexer.end);
    this.#stack = [];
    return this.#recover();
  }

  /** Drops what the parse stands in the middle of, up to the last whole statement. */
  #recover(): boolean {
    const keep = this.#stack.findLastIndex((entry) => STATES[entry.state]?.on?.error !== undefined);
    if (keep === -1) {
      // libxlutil's parse ends here. Ours goes on with the next line, unheard.
      this.#report.close(this.#lexer.looksLikePython);
      this.#advisor.libxlGaveUp();
      if (this.#token?.kind === 'end') return false;
      this.#stack = [BOTTOM, { ...BOTTOM, state: STATEMENTS }];
    } else {
      this.#stack.length = keep + 1;
    }
    this.#errorStatus = 3;
    this.#stack.push({ state: RECOVERING, carried: undefined, line: 0 });
    return true;
  }
}

function isToken(carried: Carried): carried is Token {
  return carried !== undefined && 'start' in carried;
}

function isList(carried: Carried): carried is GrowingList {
  return carried !== undefined && carried.kind === 'list';
}

function asValue(carried: Carried): BuiltValue | undefined {
  if (carried === undefined || isToken(carried)) return undefined;
  return carried;
}
