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
import { checkSections } from './sections.ts';
import type { Statement, SyntaxTree } from './syntax-tree.ts';
import { TokenKind, tokenize, wordOf } from './tokens.ts';

function isOperator(cursor: Cursor, at: number, sign: '{' | '}' | '(' | ')'): boolean {
  return cursor.tokens.kinds[at] === TokenKind.operator && wordOf(cursor.tokens, at) === sign;
}

/** Goes on to where the next statement may begin. */
function skipStatement(cursor: Cursor, from: number): void {
  const { tokens } = cursor;
  if (cursor.at === from) cursor.at++;
  const { text } = tokens.source;
  // Parentheses that the statement opened before its fault are to be closed too.
  let depth = 0;
  for (let at = from; at < cursor.at; at++) {
    if (isOperator(cursor, at, '(')) depth++;
    else if (isOperator(cursor, at, ')')) depth--;
  }
  while (!cursor.isAtEnd) {
    const word = cursor.word();
    const before = cursor.at === 0 ? 0 : tokens.ends[cursor.at - 1];
    const isFirstOnLine = text.slice(before, tokens.starts[cursor.at]).includes('\n');
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
  /** How many conditional blocks a fault tore: the rules in them are looked at, their braces are passed over. */
  let tornBlocks = 0;
  let isAfterFault = false;
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
    try {
      statements.push(parseStatement(cursor));
      isAfterFault = false;
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      hasFault = true;
      isAfterFault = true;
      tokens.unread.tell(tokens.ends[cursor.at] ?? 0);
      if (!(cursor.at === from && skipCall(cursor)) && !skipOptional(cursor, from)) {
        skipStatement(cursor, from);
        tornBlocks += openBlocksIn(cursor, from);
      }
      for (let at = from; at < cursor.at; at++) {
        if (tokens.kinds[at] === TokenKind.identifier) skippedNames.add(wordOf(tokens, at));
      }
    }
  }
  tokens.unread.tell(source.text.length);
  // A section may seem missing or misplaced only because its statements were malformed.
  const { isWhole, misplaced } = hasFault
    ? { isWhole: false, misplaced: [] }
    : checkSections(statements, tokens, report, hints.macros !== undefined);
  return { tokens, statements, skippedNames: [...skippedNames], isWhole, misplaced };
}
