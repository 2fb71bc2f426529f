/**
 * From a rule of a compiled policy back to its place in the source.
 *
 * @module
 */
import type { Origin } from '../text/index.ts';
import type { CompiledPolicy } from './pipeline.ts';

/**
 * Where a rule was written.
 *
 * @param statement what the `statement` column of a rule table holds for the rule's row
 */
export function ruleOrigin({ text }: CompiledPolicy, statement: number): Origin {
  const word = /\w+/y;
  word.lastIndex = statement;
  const end = word.test(text.text) ? word.lastIndex : statement + 1;
  return text.origins.originAt(statement, end);
}
