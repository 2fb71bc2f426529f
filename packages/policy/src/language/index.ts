/**
 * The policy language: tokens, parser, syntax tree.
 *
 * Imports: `text`, and the constants of `policydb/format.ts`.
 * Start reading at `parsePolicy`.
 *
 * @module
 */
export type { ParseHints, ShortCall } from './parse-hints.ts';
export { parsePolicy } from './parse-policy.ts';
export { numberValue } from './parse-statements.ts';
export { readList, readSet, type SetMember, type SetReading } from './parser.ts';
export * from './syntax-tree.ts';
export { originOf, type Token, TokenKind, type Tokens, textOf, wordOf } from './tokens.ts';
export {
  enclosingCondition,
  quoteStatement,
  statementEnd,
  type TopStatement,
  topStatements,
} from './written-statements.ts';
