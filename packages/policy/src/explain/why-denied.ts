/**
 * Why a policy denies something, permission by permission.
 *
 * Follows: Xen `xen/xsm/flask/ss/services.c` (`context_struct_compute_av`): rules, then constraints, then the change of
 * role, then bounds.
 *
 * @module
 */

import { type GivingRule, rulesGiving } from '../analysis/index.ts';
import { AVTAB_ALLOWED, type ClassSymbol, type Context } from '../policydb/index.ts';
import type { ConstraintFinder, FailedConstraint } from './failed-constraints.ts';
import { type Subject, writtenPolicy } from './subject.ts';

/** Why some permissions are denied, or that they are not. */
export type Verdict =
  /** The policy allows it, by rules that always hold. */
  | { readonly kind: 'allowed'; readonly bits: number; readonly rules: readonly GivingRule[] }
  /** The policy allows it as long as booleans are as they are here. */
  | { readonly kind: 'allowed-by-boolean'; readonly bits: number; readonly rules: readonly GivingRule[] }
  /** A rule in a conditional block would give it, were the booleans otherwise. */
  | {
      readonly kind: 'boolean';
      readonly bits: number;
      readonly rules: readonly GivingRule[];
      readonly constraints: readonly FailedConstraint[];
    }
  | { readonly kind: 'constraint'; readonly bits: number; readonly constraints: readonly FailedConstraint[] }
  /** `domain transition` from a role to another that it may not become. */
  | { readonly kind: 'role'; readonly bits: number }
  /** A type that bounds the source or the target may not do it. */
  | { readonly kind: 'bounds'; readonly bits: number }
  | { readonly kind: 'no-rule'; readonly bits: number; readonly constraints: readonly FailedConstraint[] };

const bitsOf = (rules: readonly GivingRule[]): number => rules.reduce((bits, one) => (bits | one.bits) >>> 0, 0);

/** What the policy says of each of the permissions. Together the verdicts name each bit once. */
export function verdictsOn(
  subject: Subject,
  constraints: ConstraintFinder,
  source: Context,
  target: Context,
  tclass: ClassSymbol,
  asked: number,
): Verdict[] {
  const { view } = subject;
  const verdicts: Verdict[] = [];
  const allRules = rulesGiving(writtenPolicy(subject), source.type, target.type, tclass.value, asked, AVTAB_ALLOWED);
  const always = bitsOf(allRules.filter(({ block }) => block === undefined));
  const rulesFor = (bits: number): GivingRule[] =>
    allRules.filter((one) => (one.bits & bits) !== 0).map((one) => ({ ...one, bits: (one.bits & bits) >>> 0 }));
  const allowed = (view.computeAv(source, target, tclass.value).allowed & asked) >>> 0;
  const plain = (allowed & always) >>> 0;
  if (plain !== 0) verdicts.push({ kind: 'allowed', bits: plain, rules: rulesFor(plain) });
  const lucky = (allowed & ~always) >>> 0;
  if (lucky !== 0) verdicts.push({ kind: 'allowed-by-boolean', bits: lucky, rules: rulesFor(lucky) });

  const missing = (asked & ~allowed) >>> 0;
  const ruled = (view.ruleVectors(source.type, target.type, tclass.value).allowed & missing) >>> 0;
  const held = constraints.failed(source, target, tclass, missing);
  const heldBits = held.reduce((bits, one) => (bits | one.bits) >>> 0, 0);
  const constraintsOn = (bits: number): FailedConstraint[] => held.filter((one) => (one.bits & bits) !== 0);
  const constrained = (ruled & heldBits) >>> 0;
  if (constrained !== 0)
    verdicts.push({ kind: 'constraint', bits: constrained, constraints: constraintsOn(constrained) });
  let rest = (ruled & ~constrained) >>> 0;
  if ((rest & view.transitionBit) !== 0 && view.roleChangeRefused(source, target, tclass.value)) {
    verdicts.push({ kind: 'role', bits: view.transitionBit });
    rest = (rest & ~view.transitionBit) >>> 0;
  }
  if (rest !== 0) verdicts.push({ kind: 'bounds', bits: rest });

  const unruled = (missing & ~ruled) >>> 0;
  const dormant = (bitsOf(allRules.filter(({ block }) => block !== undefined)) & unruled) >>> 0;
  if (dormant !== 0)
    verdicts.push({ kind: 'boolean', bits: dormant, rules: rulesFor(dormant), constraints: constraintsOn(dormant) });
  const ruleless = (unruled & ~dormant) >>> 0;
  if (ruleless !== 0) verdicts.push({ kind: 'no-rule', bits: ruleless, constraints: constraintsOn(ruleless) });
  return verdicts;
}
