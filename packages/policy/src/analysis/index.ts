/**
 * Questions about a policy as a whole.
 *
 * Imports: `text`, `policydb`, `releases`.
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
  type FoundRule,
  type NamePattern,
  RULE_KINDS,
  type RuleKind,
  type RuleQuery,
  type SearchResult,
  searchRules,
} from './search-rules.ts';
