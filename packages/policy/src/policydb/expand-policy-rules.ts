/**
 * The entries of a whole policy: the table and the conditional blocks.
 *
 * @module
 */
import { type AvEntries, ENTRY_WORDS, isTypeKind, type RuleClash } from './av-entries.ts';
import { type ConditionalEntries, expandConditionals } from './expand-conditionals.ts';
import { expandRules } from './expand-rules.ts';
import { AVTAB_ENABLED } from './format.ts';
import type { PolicyDb } from './policydb.ts';
import type { RuleTable } from './rule-table.ts';
import type { ExpandedRules } from './write-policydb.ts';

/** Rows that are entries already, as words, with a flag beside their kind. */
function rowsAsEntries(rules: RuleTable, enabled: number): AvEntries {
  const words = rules.entries();
  if (enabled === 0) return { count: rules.length, words };
  const flagged = Uint32Array.from(words, (word, i) => (i % ENTRY_WORDS === 1 ? word | (enabled << 16) : word));
  return { count: rules.length, words: flagged };
}

/** Answers for the type rules that conditionals also have; everything else is of no interest. */
function unconditionalTypeRules(policy: PolicyDb, entries: AvEntries): Map<string, number> {
  const found = new Map<string, number>();
  const hasTypeRule = (rules: RuleTable): boolean => rules.kind.subarray(0, rules.length).some(isTypeKind);
  if (!policy.conditionals.some(({ whenTrue, whenFalse }) => hasTypeRule(whenTrue) || hasTypeRule(whenFalse)))
    return found;
  for (let i = 0; i < entries.count; i++) {
    const keys = entries.words[i * ENTRY_WORDS] ?? 0;
    const header = entries.words[i * ENTRY_WORDS + 1] ?? 0;
    if (isTypeKind(header >>> 16)) found.set(`${keys}:${header}`, entries.words[i * ENTRY_WORDS + 2] ?? 0);
  }
  return found;
}

/** Makes the entries of a policy's rules; `clashes` are type rules that contradict each other. */
export function expandPolicyRules(policy: PolicyDb): { rules: ExpandedRules; clashes: readonly RuleClash[] } {
  if (policy.isExpanded) {
    const blocks: ConditionalEntries[] = policy.conditionals.map(({ state, whenTrue, whenFalse }) => ({
      whenTrue: rowsAsEntries(whenTrue, state ? AVTAB_ENABLED : 0),
      whenFalse: rowsAsEntries(whenFalse, state ? 0 : AVTAB_ENABLED),
    }));
    return { rules: { entries: rowsAsEntries(policy.rules, 0), blocks }, clashes: [] };
  }
  const { entries, clashes } = expandRules(policy.rules, policy.typeSets);
  const typeRules = unconditionalTypeRules(policy, entries);
  const conditional = expandConditionals(policy.conditionals, policy.typeSets, (source, target, tclass, kind) =>
    typeRules.get(`${(source | (target << 16)) >>> 0}:${(tclass | (kind << 16)) >>> 0}`),
  );
  return { rules: { entries, blocks: conditional.blocks }, clashes: [...clashes, ...conditional.clashes] };
}
