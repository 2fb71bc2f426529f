/**
 * The grammar of xl.cfg as the automaton that libxlutil's parser is.
 *
 * Which words a message expects, and whether the parse can go on after an error, follow from the states of the
 * LALR(1) automaton and from which reductions are made without looking at the next token. So the automaton is
 * written out, state by state, with the numbers that bison gives them.
 *
 * Follows the grammar of Xen `tools/libs/util/libxlu_cfg_y.y`.
 *
 * @module
 */

/** What the lexer hands out; `end` is the end of the file, `error` stands in for what an error threw away. */
export type Terminal = 'end' | 'error' | 'ident' | 'string' | 'number' | 'newline' | '+=' | '=' | ';' | '[' | ']' | ',';

type Nonterminal =
  | 'file'
  | 'stmts'
  | 'stmt'
  | 'assignment'
  | 'endstmt'
  | 'value'
  | 'atom'
  | 'valuelist'
  | 'values'
  | 'nlok';

/** The terminals as messages name them, in the order in which messages list them. */
const TERMINAL_NAMES: readonly (readonly [Terminal, string])[] = [
  ['end', '$end'],
  ['ident', 'IDENT'],
  ['string', 'STRING'],
  ['number', 'NUMBER'],
  ['newline', 'NEWLINE'],
  ['+=', '+='],
  ['=', "'='"],
  [';', "';'"],
  ['[', "'['"],
  [']', "']'"],
  [',', "','"],
];

/** What a reduction does beyond passing its first value on. */
type Action = 'none' | 'assign' | 'append' | 'atom-value' | 'list-value' | 'empty-list' | 'first-item' | 'next-item';

export interface Rule {
  readonly left: Nonterminal;
  readonly length: number;
  readonly action: Action;
}

const rule = (left: Nonterminal, length: number, action: Action = 'none'): Rule => ({ left, length, action });

/** The rules; number 0 is the start rule, which is never reduced. */
export const RULES: readonly Rule[] = [
  rule('file', 2),
  rule('file', 1), // file: stmts
  rule('file', 2), // file: stmts assignment
  rule('stmts', 0), // stmts:
  rule('stmts', 2), // stmts: stmts stmt
  rule('stmt', 2), // stmt: assignment endstmt
  rule('stmt', 1), // stmt: endstmt
  rule('stmt', 2), // stmt: error newline
  rule('assignment', 3, 'assign'), // assignment: ident '=' value
  rule('assignment', 3, 'append'), // assignment: ident '+=' value
  rule('endstmt', 1), // endstmt: newline
  rule('endstmt', 1), // endstmt: ';'
  rule('value', 1, 'atom-value'), // value: atom
  rule('value', 4, 'list-value'), // value: '[' nlok valuelist ']'
  rule('atom', 1), // atom: string
  rule('atom', 1), // atom: number
  rule('valuelist', 0, 'empty-list'), // valuelist:
  rule('valuelist', 1), // valuelist: values
  rule('valuelist', 3), // valuelist: values ',' nlok
  rule('values', 2, 'first-item'), // values: value nlok
  rule('values', 5, 'next-item'), // values: values ',' nlok value nlok
  rule('nlok', 0), // nlok:
  rule('nlok', 2), // nlok: nlok newline
];

export interface State {
  /** For a next token: the state to go to, or minus the rule to reduce. Without it no token is read in this state. */
  readonly on?: { readonly [T in Terminal]?: number };
  /** The rule to reduce when `on` has no answer; without it that is an error. */
  readonly otherwise?: number;
  /** Where to go after a reduction to this nonterminal. */
  readonly goto?: { readonly [N in Nonterminal]?: number };
}

const value = { string: 15, number: 16, '[': 17 } as const;

/** The states that other code has to know by name. */
export const START = 0;
export const AFTER_ASSIGNMENT = 1;
export const STATEMENTS = 2;
export const ACCEPT = 3;
export const RECOVERING = 4;
export const AFTER_KEY = 5;
export const AFTER_APPEND = 12;
export const AFTER_EQUALS = 13;
export const LIST_END = 24;

export const STATES: readonly State[] = [
  /* 0 */ { otherwise: 3, goto: { file: 1, stmts: 2 } },
  /* 1 */ { on: { end: ACCEPT } },
  /* 2 */ {
    on: { end: -1, error: RECOVERING, ident: AFTER_KEY, newline: 6, ';': 7 },
    goto: { stmt: 8, assignment: 9, endstmt: 10 },
  },
  /* 3 */ {},
  /* 4 */ { on: { newline: 11 } },
  /* 5 */ { on: { '+=': AFTER_APPEND, '=': AFTER_EQUALS } },
  /* 6 */ { otherwise: 10 },
  /* 7 */ { otherwise: 11 },
  /* 8 */ { otherwise: 4 },
  /* 9 */ { on: { newline: 6, ';': 7 }, otherwise: 2, goto: { endstmt: 14 } },
  /* 10 */ { otherwise: 6 },
  /* 11 */ { otherwise: 7 },
  /* 12 */ { on: value, goto: { value: 18, atom: 19 } },
  /* 13 */ { on: value, goto: { value: 20, atom: 19 } },
  /* 14 */ { otherwise: 5 },
  /* 15 */ { otherwise: 14 },
  /* 16 */ { otherwise: 15 },
  /* 17 */ { otherwise: 21, goto: { nlok: 21 } },
  /* 18 */ { otherwise: 9 },
  /* 19 */ { otherwise: 12 },
  /* 20 */ { otherwise: 8 },
  /* 21 */ {
    on: { ...value, newline: 22 },
    otherwise: 16,
    goto: { value: 23, atom: 19, valuelist: LIST_END, values: 25 },
  },
  /* 22 */ { otherwise: 22 },
  /* 23 */ { otherwise: 21, goto: { nlok: 26 } },
  /* 24 */ { on: { ']': 27 } },
  /* 25 */ { on: { ',': 28 }, otherwise: 17 },
  /* 26 */ { on: { newline: 22 }, otherwise: 19 },
  /* 27 */ { otherwise: 13 },
  /* 28 */ { otherwise: 21, goto: { nlok: 29 } },
  /* 29 */ { on: { ...value, newline: 22 }, otherwise: 18, goto: { value: 30, atom: 19 } },
  /* 30 */ { otherwise: 21, goto: { nlok: 31 } },
  /* 31 */ { on: { newline: 22 }, otherwise: 20 },
];

/** The parser gives up when its stack holds this many states: bison's `YYMAXDEPTH`. About 5,000 lists in one another. */
export const STACK_LIMIT = 10_000;

/** The message of a syntax error in a state, as bison's verbose errors word it. */
export function syntaxErrorText(state: number, found: Terminal): string {
  const on = STATES[state]?.on ?? {};
  const expected = TERMINAL_NAMES.filter(([terminal]) => on[terminal] !== undefined).map(([, name]) => name);
  const unexpected = TERMINAL_NAMES.find(([terminal]) => terminal === found)?.[1] ?? 'error';
  // XEN: yysyntax_error lists at most four words, and none when there are more.
  const list = expected.length === 0 || expected.length > 4 ? '' : `, expecting ${expected.join(' or ')}`;
  return `syntax error, unexpected ${unexpected}${list}`;
}
