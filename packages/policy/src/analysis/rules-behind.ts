/**
 * The rules behind a decision.
 *
 * @module
 */
import type { PolicyDb } from '../policydb/index.ts';
import { type FoundRule, searchRules } from './search-rules.ts';

/**
 * The `allow` rules that give a type some permissions on another type, sorted by text: those outside conditional blocks
 * first, and of several with the same permissions all.
 *
 * @param policy a compiled one, whose rules know their statements, or one that was read
 */
export function rulesBehind(
  policy: PolicyDb,
  source: string,
  target: string,
  className: string,
  permissions: readonly string[],
): FoundRule[] {
  const { rules } = searchRules(policy, {
    kinds: ['allow'],
    source: { text: source },
    target: { text: target },
    classes: [{ text: className }],
    permissions,
  });
  return rules.toSorted((a, b) => Number(a.condition !== undefined) - Number(b.condition !== undefined));
}
