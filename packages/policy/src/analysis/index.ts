/**
 * Questions about a policy as a whole.
 *
 * Imports: `text`, `policydb`, `releases`, `security-server`, and the words of the `decompiler`.
 * Start reading at `searchRules`.
 *
 * @module
 */
export {
  compareReleases,
  compatDiagnostics,
  type NumberChange,
  type PermissionChange,
  type PermissionUse,
  permissionUses,
  type ReleaseDifference,
} from './compat.ts';
export { declarationStart } from './declarations.ts';
export type { AccessChange, AccessChanges, ChangedPermissions } from './diff/access-changes.ts';
export { comparePolicies, type PolicyDifference, type PolicySide } from './diff/compare-policies.ts';
export type { EntryKind } from './diff/entry-table.ts';
export type { FactChange, FactDetail } from './diff/fact-changes.ts';
export type { TypeBlock, TypeGroup } from './diff/join-pairs.ts';
export type { NewAccessReason } from './diff/new-access.ts';
export type { FactKind } from './diff/policy-facts.ts';
export type { RuleChange } from './diff/rule-changes.ts';
export type { TypeRuleChange } from './diff/type-rule-changes.ts';
export {
  GUEST_PHASES,
  type GuestPhase,
  MEMORY_WAYS,
  type MemoryAccess,
  type MemoryExtent,
  type MemoryWay,
  type Party,
  type WayCheck,
  type WayGift,
  waysThatNeed,
} from './memory/memory-ways.ts';
export { type FinderKind, RuleFinder, type RuleQuestion, type WrittenRule } from './rule-finder.ts';
export {
  type FoundRule,
  type NamePattern,
  RULE_KINDS,
  type RuleKind,
  type RuleQuery,
  type SearchResult,
  searchRules,
} from './search-rules.ts';
