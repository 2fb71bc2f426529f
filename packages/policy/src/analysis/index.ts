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
export { needDiagnostics, needNotes, type UnmetNeed, unmetNeeds } from './compat-needs.ts';
export { Declarations } from './declarations.ts';
export type { AccessChange, AccessChanges, ChangedPermissions } from './diff/access-changes.ts';
export { comparePolicies, type PolicyDifference, type PolicySide } from './diff/compare-policies.ts';
export type { ConstraintEffect, ConstraintEffects } from './diff/constraint-effects.ts';
export type { EntryKind } from './diff/entry-table.ts';
export type { FactChange, FactDetail } from './diff/fact-changes.ts';
export type { TypeBlock, TypeGroup } from './diff/join-pairs.ts';
export type { NewAccessReason } from './diff/new-access.ts';
export type { FactKind } from './diff/policy-facts.ts';
export type { RuleChange } from './diff/rule-changes.ts';
export type { TypeRuleChange } from './diff/type-rule-changes.ts';
export { type GivenBeside, givenBeside } from './given-beside.ts';
export { type GivingRule, isAbout, rulesGiving } from './giving-rules.ts';
export type { Step } from './memory/acting.ts';
export { type BooleanSetting, Decisions, type Request } from './memory/decisions.ts';
export { type ActorLabels, type Making, makingsOf, type Relabelling, relabellingsOf } from './memory/domain-lives.ts';
export type { Label, LabelSpace } from './memory/label-space.ts';
export { MEMORY_WAYS, waysThatNeed } from './memory/memory-ways.ts';
export { matchTypes } from './memory/named-types.ts';
export {
  DEVICE_USES,
  type OperationCheck,
  passthroughChecks,
  relabelChecks,
  saveChecks,
} from './memory/operations.ts';
export { type Possible, possibleLabels } from './memory/possible-labels.ts';
export { bootLabels, initialContext, type ReachAnswer, type ReachQuestion, reach } from './memory/reach.ts';
export {
  type Access,
  isUnasked,
  isWhole,
  type Obtained,
  type OtherSetting,
  type PhaseAnswer,
} from './memory/reach-answer.ts';
export { type Parties, requestOf } from './memory/way-search.ts';
export {
  GUEST_PHASES,
  type GuestPhase,
  type MemoryAccess,
  type MemoryExtent,
  type MemoryWay,
  type Party,
  type WayCheck,
  type WayGift,
} from './memory/way-types.ts';
export {
  type Claim,
  type LabelSet,
  type ParsedProperties,
  type Place,
  type Property,
  parseProperties,
  type Rights,
} from './properties/property-text.ts';
export {
  type Counterexample,
  type PassedCheck,
  type Proof,
  type ProvedProperty,
  proveProperties,
} from './properties/prove-properties.ts';
export { type FinderKind, RuleFinder, type RuleQuestion, type WrittenRule } from './rule-finder.ts';
export { RulesBehind } from './rules-behind.ts';
export {
  type FoundRule,
  type NamePattern,
  RULE_KINDS,
  type RuleKind,
  type RuleQuery,
  type SearchResult,
  searchRules,
} from './search-rules.ts';
