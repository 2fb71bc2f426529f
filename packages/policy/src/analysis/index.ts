/**
 * Questions about a policy as a whole.
 *
 * Imports: `text`, `policydb`, `releases`.
 * Start reading at `searchRules`.
 *
 * @module
 */
export {
  type FoundRule,
  type NamePattern,
  RULE_KINDS,
  type RuleKind,
  type RuleQuery,
  type SearchResult,
  searchRules,
} from './search-rules.ts';
