/**
 * Whether a policy may allow what the one before did not: what decides `dewar diff --no-new-access`.
 *
 * Rules between types are compared exactly, for every setting of the booleans, and so are constraints, for every label of both
 * sides. Of all else only its direction is known: what can give access counts as giving it. So no reason means that nothing is allowed which was not, and a reason means that
 * something may be.
 *
 * @module
 */
import type { AccessChanges } from './access-changes.ts';
import type { ConstraintEffects } from './constraint-effects.ts';
import type { FactChange, FactDetail } from './fact-changes.ts';
import type { TypeRuleChange } from './type-rule-changes.ts';

/** One reason why there may be new access. */
export interface NewAccessReason {
  /** `certain`: rules give what they did not. `possible`: it can give access, and no more is known. */
  readonly kind: 'certain' | 'possible';
  /** One clause, lower case. */
  readonly text: string;
}

const added = (detail: FactDetail): readonly string[] => ('added' in detail ? detail.added : []);

function reasonOf({ kind, name, change, details }: FactChange, isUnknownAllowed: boolean): string | undefined {
  const gains = details.some((detail) => added(detail).length > 0);
  switch (kind) {
    case 'property':
      return name === 'unknown permissions' && details.some((one) => 'after' in one && one.after === 'allow')
        ? 'permissions that the policy does not know are allowed'
        : undefined;
    case 'common':
    case 'class':
      return isUnknownAllowed &&
        (change === 'removed' || details.some((one) => 'removed' in one && one.removed.length > 0))
        ? `${kind} \`${name}\` lost permissions, and what the policy does not know is allowed`
        : undefined;
    case 'type':
      return details.some((one) => 'after' in one && one.after === 'permissive')
        ? `type \`${name}\` is permissive`
        : undefined;
    case 'typebounds':
    case 'role bounds':
    case 'user bounds':
      return change === 'added' ? undefined : `\`${name}\` is no longer bounded as it was`;
    case 'role':
      return gains ? `role \`${name}\` has more types or dominates more roles` : undefined;
    case 'user':
      return gains || (change === 'modified' && details.some((one) => 'after' in one))
        ? `user \`${name}\` has more roles, or another range`
        : undefined;
    case 'role allow':
      return change === 'added' ? `a change of role is allowed: \`${name}\`` : undefined;
    case 'constrain':
    case 'mlsconstrain':
    case 'validatetrans':
    case 'mlsvalidatetrans':
      if (change === 'added') return undefined;
      return change === 'removed'
        ? `a constraint is gone: ${kind} ${name}`
        : `a constraint means others: ${kind} ${name}`;
    case 'role_transition':
    case 'range_transition':
    case 'type_transition by name':
      return `something new gets another label: ${kind} \`${name}\``;
    case 'sensitivity':
      return gains && change === 'modified' ? `sensitivity \`${name}\` may have more categories` : undefined;
    case 'initial SID':
    case 'pirqcon':
    case 'ioportcon':
    case 'iomemcon':
    case 'pcidevicecon':
    case 'devicetreecon':
      return `another label: ${kind} \`${name}\``;
    case 'boolean':
      return change === 'modified' ? `boolean \`${name}\` starts otherwise` : undefined;
    // XEN: class_read() throws away which side a new object takes its parts from.
    case 'default':
    case 'attribute':
    case 'category':
    case 'policy capability':
    case 'neverallow':
      return undefined;
  }
}

/** All that differs. */
interface Differences {
  readonly access: AccessChanges;
  readonly constraints: ConstraintEffects;
  readonly typeRules: readonly TypeRuleChange[];
  readonly facts: readonly FactChange[];
}

function inClasses(names: readonly string[]): string {
  const classes = [...new Set(names)].sort();
  return `in ${classes.length === 1 ? 'class' : 'classes'} ${classes.join(', ')}`;
}

/** Why the new policy may allow more than the old one; empty where it cannot. */
export function newAccessReasons(
  { access, constraints, typeRules, facts }: Differences,
  isUnknownAllowed: boolean,
): NewAccessReason[] {
  const reasons: NewAccessReason[] = [];
  const gained = access.gained.flatMap((change) => change.access).filter(({ kind }) => kind === 'allow');
  if (gained.length > 0)
    reasons.push({ kind: 'certain', text: `rules give more access, ${inClasses(gained.map((one) => one.class))}` });
  if (constraints.gained.length > 0) {
    const where = inClasses(constraints.gained.map((one) => one.class));
    reasons.push({ kind: 'certain', text: `constraints let pass more access, ${where}` });
  }
  if (typeRules.length > 0) reasons.push({ kind: 'possible', text: 'something new gets another type' });
  const isWeighed = constraints.bounds.length === 0;
  for (const change of facts) {
    // What they do to the labels of both sides is known; new labels have reasons of their own.
    if (isWeighed && (change.kind === 'constrain' || change.kind === 'mlsconstrain')) continue;
    const text = reasonOf(change, isUnknownAllowed);
    if (text !== undefined) reasons.push({ kind: 'possible', text });
  }
  return reasons;
}
