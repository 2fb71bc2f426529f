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

/** Goes on to where the next statement may begin. */
function skipStatement(cursor: Cursor, from: number): void {
  const { tokens } = cursor;
  if (cursor.at === from) cursor.at++;
  const { text } = tokens.source;
  let depth = 0;
  while (!cursor.isAtEnd) {
    const word = cursor.word();
    const lineStart = text.lastIndexOf('\n', tokens.starts[cursor.at] ?? 0) + 1;
    const isFirstOnLine = text.slice(lineStart, tokens.starts[cursor.at]).trim() === '';
    if (isFirstOnLine && word !== ';' && STATEMENT_WORDS.has(word)) return;
    if (isFirstOnLine && cursor.kind() === TokenKind.identifier && cursor.word(1) === '(') return;
    cursor.at++;
    if (word === '(') depth++;
    else if (word === ')' && depth > 0 && --depth === 0 && cursor.word() !== ';') return;
    else if (word === ';') return;
  }
}

/** Parses a whole policy. Reports every independent fault; statements without fault are in the tree. */
export function parsePolicy(source: MappedText, report: Report, hints: ParseHints = {}): SyntaxTree {
  let hasFault = false;
  const tokens = tokenize(source, report);
  const cursor = new Cursor(tokens, report, hints);
  const statements: Statement[] = [];
  const skippedNames = new Set<string>();
  while (!cursor.isAtEnd) {
    const from = cursor.at;
    try {
      statements.push(parseStatement(cursor));
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      hasFault = true;
      skipStatement(cursor, from);
      for (let at = from; at < cursor.at; at++) {
        if (tokens.kinds[at] === TokenKind.identifier) skippedNames.add(wordOf(tokens, at));
      }
    }
  }
  // A section may seem missing or misplaced only because its statements were malformed.
  if (!hasFault) checkSections(statements, tokens, report);
  return { tokens, statements, skippedNames: [...skippedNames] };
}
