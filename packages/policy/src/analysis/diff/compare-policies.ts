/**
 * What changed in meaning from one policy to another.
 *
 * Both are compared as Xen loads them, by names: an alias, an attribute or a macro that came or went changes nothing by
 * itself. Access between types is what the rules give. Constraints that changed are compared as what they say, and as what
 * they give and take of that for labels of both sides; changes of role and bounds are compared as what they say.
 * Start reading at `comparePolicies`.
 *
 * @module
 */
import type { PolicyDb, PolicyVersion } from '../../policydb/index.ts';
import { type AccessChanges, AccessCollector } from './access-changes.ts';
import { forEachAccess } from './access-rows.ts';
import { type ConstraintEffects, constraintEffects } from './constraint-effects.ts';
import { entryTable } from './entry-table.ts';
import { compareFacts, type FactChange } from './fact-changes.ts';
import { type NewAccessReason, newAccessReasons } from './new-access.ts';
import { policyFacts } from './policy-facts.ts';
import { type RuleChange, RuleCollector } from './rule-changes.ts';
import { SharedNames } from './shared-names.ts';
import { compareTypeRules, type TypeRuleChange } from './type-rule-changes.ts';

/** A policy to compare. */
export interface PolicySide {
  /** As it was read from bytes. */
  readonly policy: PolicyDb;
  readonly version: PolicyVersion;
  /** The `neverallow` rules of its source, a line each; a binary has none. Compared where both sides know theirs. */
  readonly neverallows?: readonly string[] | undefined;
}

/** What changed from the old policy to the new one. */
export interface PolicyDifference {
  readonly access: AccessChanges;
  /** What changed constraints give and take of what rules give. */
  readonly constraints: ConstraintEffects;
  readonly typeRules: readonly TypeRuleChange[];
  readonly facts: readonly FactChange[];
  /** Rule by rule; undefined where it was not asked for. */
  readonly rules: readonly RuleChange[] | undefined;
  /** Why the new policy may allow what the old one does not; empty where it cannot. */
  readonly newAccess: readonly NewAccessReason[];
  /** Nothing changed in meaning. */
  readonly isSame: boolean;
}

function factsOf(
  { policy, version, neverallows }: PolicySide,
  hasNeverallows: boolean,
): ReturnType<typeof policyFacts> {
  const lines = hasNeverallows ? (neverallows ?? []) : [];
  return [
    ...policyFacts(policy, version),
    ...lines.map((name) => ({ kind: 'neverallow' as const, name, sets: {}, values: {} })),
  ];
}

/** Compares two policies. With `rules`, the rules that differ are listed one by one too, which can be millions. */
export function comparePolicies(
  old: PolicySide,
  next: PolicySide,
  options: { readonly rules?: boolean } = {},
): PolicyDifference {
  if (!old.policy.isExpanded || !next.policy.isExpanded)
    throw new RangeError('a comparison needs policies that were read from bytes');
  const shared = new SharedNames(old.policy, next.policy);
  const before = { names: shared.old, entries: entryTable(shared, shared.old) };
  const after = { names: shared.new, entries: entryTable(shared, shared.new) };
  const collector = new AccessCollector(shared);
  const rules = options.rules === true ? new RuleCollector(shared) : undefined;
  forEachAccess(
    shared,
    before,
    after,
    (row) => {
      collector.visit(row);
      rules?.visit(row);
    },
    (source) => collector.endSource(source),
  );
  const access = collector.result();
  const typeRules = compareTypeRules(shared, before, after, rules);
  const hasNeverallows = old.neverallows !== undefined && next.neverallows !== undefined;
  const facts = compareFacts(factsOf(old, hasNeverallows), factsOf(next, hasNeverallows));
  const constraints = constraintEffects(shared, before, after, facts);
  return {
    access,
    constraints,
    typeRules,
    facts,
    rules: rules?.result(),
    newAccess: newAccessReasons({ access, constraints, typeRules, facts }, next.policy.handleUnknown === 'allow'),
    isSame: access.gained.length === 0 && access.lost.length === 0 && typeRules.length === 0 && facts.length === 0,
  };
}
