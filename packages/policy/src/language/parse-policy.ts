/**
 * From the text of a policy to its syntax tree.
 *
 * A malformed statement is reported and left out; parsing goes on with the next one, so that all mistakes are found in
 * one run.
 *
 * @module
 */
import type { MappedText, Report } from '../text/index.ts';
import type { ParseHints } from './parse-hints.ts';
import { parseStatement, STATEMENT_WORDS } from './parse-statements.ts';
import { Cursor, SyntaxFault } from './parser.ts';
import { checkPlaces, checkSections } from './sections.ts';
import type { Statement, SyntaxTree } from './syntax-tree.ts';
import { originOf, TokenKind, tokenize, wordOf } from './tokens.ts';

function isOperator(cursor: Cursor, at: number, sign: '{' | '}' | '(' | ')'): boolean {
  return cursor.tokens.kinds[at] === TokenKind.operator && wordOf(cursor.tokens, at) === sign;
}

/** Goes on to where the next statement may begin. */
function skipStatement(cursor: Cursor, from: number): void {
  if (cursor.at === from) cursor.at++;
  // Parentheses that the statement opened before its fault are to be closed too.
  let depth = 0;
  for (let at = from; at < cursor.at; at++) {
    if (isOperator(cursor, at, '(')) depth++;
    else if (isOperator(cursor, at, ')')) depth--;
  }
  while (!cursor.isAtEnd) {
    const word = cursor.word();
    const isFirstOnLine = cursor.at > 0 && cursor.isFirstOnLine();
    if (isFirstOnLine && word !== ';' && STATEMENT_WORDS.has(word)) return;
    // What may be a macro, or the label of a device, with a misspelt name.
    const isNamed = isFirstOnLine && cursor.kind() === TokenKind.identifier;
    if (isNamed && (cursor.word(1) === '(' || cursor.kind(1) === TokenKind.number)) return;
    cursor.at++;
    if (word === '(') depth++;
    else if (word === ')' && depth > 0 && --depth === 0 && cursor.word() !== ';') return;
    else if (word === ';' && cursor.word() !== ':') return;
  }
}

/** How many blocks a conditional between two tokens leaves open. */
function openBlocksIn(cursor: Cursor, from: number): number {
  if (wordOf(cursor.tokens, from) !== 'if' || cursor.tokens.kinds[from] !== TokenKind.keyword) return 0;
  let depth = 0;
  for (let at = from; at < cursor.at; at++) {
    if (isOperator(cursor, at, '{')) depth++;
    else if (isOperator(cursor, at, '}')) depth--;
  }
  return Math.max(0, depth);
}

/** How far the parenthesis is looked for that closes a call which nobody expanded. */
const LONGEST_CALL = 10_000;

/** Goes on behind the call of an unknown macro at the cursor: what is in it is text for that macro. */
function skipCall(cursor: Cursor): boolean {
  const { tokens } = cursor;
  if (cursor.kind() !== TokenKind.identifier || cursor.word(1) !== '(') return false;
  const close = cursor.closingToken(cursor.at + 1);
  if (close === undefined || close - cursor.at > LONGEST_CALL) return false;
  cursor.at = close + 1;
  tokens.unread.forget(tokens.starts[cursor.at] ?? 0);
  return true;
}

/**
 * Goes on behind the optional block that begins at `from`, as what else is in it depends on what it requires, or behind
 * a block under an unknown word. False where there is no such block, or where it has no end.
 */
function skipOptional(cursor: Cursor, from: number): boolean {
  const { tokens } = cursor;
  const isOptional = wordOf(tokens, from) === 'optional' && tokens.kinds[from] === TokenKind.keyword;
  const isUnknown = cursor.at === from && tokens.kinds[from] === TokenKind.identifier;
  if (!isOptional && !isUnknown) return false;
  let open = from + 1;
  for (;;) {
    const close = isOperator(cursor, open, '{') ? cursor.closingToken(open) : undefined;
    if (close === undefined) return false;
    const hasElse = wordOf(tokens, close + 1) === 'else';
    if (hasElse) open = close + 2;
    else if (close < cursor.at) return false;
    else {
      cursor.at = close + 1;
      return true;
    }
  }
}

/** Words whose statements declare types, or put them into attributes. */
const OF_TYPES: ReadonlySet<string> = new Set(['type', 'typealias', 'typeattribute', 'attribute']);

/** Words whose statements use names and declare none. */
const RULES: ReadonlySet<string> = new Set([
  'allow',
  'auditallow',
  'auditdeny',
  'dontaudit',
  'neverallow',
  'type_transition',
  'type_member',
  'type_change',
  'role_transition',
  'range_transition',
  'constrain',
  'mlsconstrain',
  'validatetrans',
  'mlsvalidatetrans',
  'pirqcon',
  'pcidevicecon',
  'iomemcon',
  'ioportcon',
  'devicetreecon',
]);

/** Parses a whole policy. Reports every independent fault; statements without fault are in the tree. */
export function parsePolicy(source: MappedText, report: Report, hints: ParseHints = {}): SyntaxTree {
  let hasFault = false;
  const tokens = tokenize(source, report);
  const reportFault: Report = (diagnostic) => {
    tokens.unread.noteFault(diagnostic.origin);
    report(diagnostic);
  };
  const cursor = new Cursor(tokens, reportFault, hints, STATEMENT_WORDS);
  const statements: Statement[] = [];
  const skippedNames = new Set<string>();
  const doubtfulNames = new Set<string>();
  const doubtfulStems = new Set<string>();
  const doubtfulTypes = new Set<string>();
  /** How many conditional blocks a fault tore: the rules in them are looked at, their braces are passed over. */
  let tornBlocks = 0;
  let isAfterFault = false;
  /** Statements that a malformed one may be a part of, as their indices. */
  const besideFaults = new Set<number>();
  while (!cursor.isAtEnd) {
    const from = cursor.at;
    if (tornBlocks > 0 && cursor.accept('}')) {
      tornBlocks--;
      if (cursor.accept('else') && cursor.accept('{')) tornBlocks++;
      continue;
    }
    // What is left of the statement with the fault says nothing new.
    if (isAfterFault && cursor.accept('{')) tornBlocks++;
    if (isAfterFault && (cursor.at > from || cursor.accept('}') || cursor.accept(')'))) continue;
    let isRead = false;
    try {
      const statement = parseStatement(cursor);
      isRead = true;
      if (tokens.unread.hasParameter(tokens.starts[from] ?? 0, tokens.starts[cursor.at] ?? 0)) throw new SyntaxFault();
      statements.push(statement);
      // A name beside a character without meaning may be a part of one.
      if (tokens.unread.isBetween(tokens.starts[from] ?? 0, tokens.starts[cursor.at] ?? 0))
        for (let at = from; at < cursor.at; at++)
          if (tokens.kinds[at] === TokenKind.identifier) doubtfulNames.add(wordOf(tokens, at));
      if (isAfterFault) besideFaults.add(statements.length - 1);
      isAfterFault = false;
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      hasFault = true;
      isAfterFault = true;
      besideFaults.add(statements.length - 1);
      tokens.unread.tell(tokens.ends[cursor.at] ?? 0);
      if (!isRead && !(cursor.at === from && skipCall(cursor)) && !skipOptional(cursor, from)) {
        skipStatement(cursor, from);
        tornBlocks += openBlocksIn(cursor, from);
      }
      // A macro that nobody knows may declare what it is given, and one whose call is torn may mean anything by it.
      let declares = !RULES.has(wordOf(tokens, from)) || originOf(tokens, from).kind === 'expanded';
      const isCall = tokens.kinds[from] === TokenKind.identifier && isOperator(cursor, from + 1, '(');
      let isOfTypes = false;
      for (let at = from; at < cursor.at; at++) {
        const word = wordOf(tokens, at);
        if (tokens.kinds[at] === TokenKind.keyword) {
          declares ||= !RULES.has(word);
          isOfTypes ||= OF_TYPES.has(word);
        }
        if (tokens.kinds[at] !== TokenKind.identifier) continue;
        skippedNames.add(word);
        if (declares) doubtfulNames.add(word);
        if (isCall) doubtfulStems.add(word);
        if (isOfTypes) doubtfulTypes.add(word);
      }
    }
  }
  tokens.unread.tell(source.text.length);
  // A section may seem missing, and what stands beside a fault misplaced, only because its statements were malformed.
  // A text that stands alone has no macros.
  const isDirectory = hints.builtins !== undefined;
  const { isWhole, misplaced } = hasFault
    ? { isWhole: false, misplaced: checkPlaces(statements, besideFaults, tokens, report, isDirectory) }
    : checkSections(statements, tokens, report, isDirectory);
  return {
    tokens,
    statements,
    skippedNames: [...skippedNames],
    doubtfulNames: [...doubtfulNames],
    doubtfulStems: [...doubtfulStems],
    doubtfulTypes: [...doubtfulTypes],
    isWhole,
    misplaced,
  };
}
