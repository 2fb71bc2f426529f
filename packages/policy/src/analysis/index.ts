/**
 * Questions about a policy as a whole.
 *
 * Imports: `text`, `policydb`, `releases`, `security-server`.
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
export {
  type FoundRule,
  type NamePattern,
  RULE_KINDS,
  type RuleKind,
  type RuleQuery,
  type SearchResult,
  searchRules,
} from './search-rules.ts';
