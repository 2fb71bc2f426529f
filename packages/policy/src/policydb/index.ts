/**
 * The policy as data, its binary reader and its binary writer.
 *
 * Imports: `text`.
 * Start reading at `PolicyDb` in `policydb.ts`.
 *
 * @module
 */
export { type AvEntries, ENTRY_WORDS, isTypeKind, type RuleClash } from './av-entries.ts';
export { AVTAB_BUCKETS, avtabBucket } from './avtab-order.ts';
export type { ByteSource } from './byte-source.ts';
export { joinedParts } from './byte-writer.ts';
export { conditionHolds, evaluateCondition } from './conditions.ts';
export { Ebitmap, hasMember } from './ebitmap.ts';
export type { ConditionalEntries } from './expand-conditionals.ts';
export { expandPolicyRules } from './expand-policy-rules.ts';
export { rowKeys } from './expand-rules.ts';
export * from './format.ts';
export { type OptimizedRules, optimizeRules } from './optimize-rules.ts';
export { permissionNames, permissionsOf, ruleTables } from './policy-parts.ts';
export * from './policydb.ts';
export { type ReadPolicy, readPolicydb } from './read-policydb.ts';
export { RuleTable } from './rule-table.ts';
export * from './symtab-order.ts';
export { type TypeMembers, type TypeSet, type TypeSetKind, TypeSets } from './type-sets.ts';
export { type ExpandedRules, unwritableAt, writePolicydb, writePolicyParts } from './write-policydb.ts';
export { WrittenRules } from './written-rules.ts';
