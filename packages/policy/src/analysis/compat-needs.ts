/**
 * What a release of Xen asks of dom0 lest the host cannot be used, and a policy does not give.
 *
 * @module
 */
import type { Context, PolicyDb } from '../policydb/index.ts';
import { type BehaviourNeed, type XenRelease, xenRelease } from '../releases/index.ts';
import { PolicyView } from '../security-server/index.ts';
import type { Diagnostic } from '../text/index.ts';
import type { ReleaseDifference } from './compat.ts';
import { compat } from './diagnostics.ts';
import { initialContext } from './memory/reach.ts';

/** A need that is not met, with the types that it is about. */
export interface UnmetNeed extends BehaviourNeed {
  readonly sourceType: string;
  readonly targetType: string;
}

function typeName(policy: PolicyDb, { type }: Context): string {
  return policy.types.entries.find(({ value }) => value === type)?.name ?? String(type);
}

/**
 * The needs that a policy does not meet, its booleans as they are after a boot. A policy that lacks one of the labels, the
 * class or the permission does not load, and is not told of here.
 *
 * @param policy as it is read from its bytes
 * @param release whose initial SIDs the policy has
 */
export function unmetNeeds(policy: PolicyDb, release: XenRelease, needs: readonly BehaviourNeed[]): UnmetNeed[] {
  if (needs.length === 0) return [];
  const view = new PolicyView(policy);
  return needs.flatMap((need) => {
    const source = initialContext(policy, release.initialSids, need.source);
    const target = initialContext(policy, release.initialSids, need.target);
    const tclass = policy.classes.byName.get(need.class);
    const permission = tclass?.permissions.find(({ name }) => name === need.permission);
    if (source === undefined || target === undefined || tclass === undefined || permission === undefined) return [];
    const { allowed } = view.computeAv(source, target, tclass.value);
    if (((allowed >>> (permission.value - 1)) & 1) === 1) return [];
    return [{ ...need, sourceType: typeName(policy, source), targetType: typeName(policy, target) }];
  });
}

/** What comes of a need that is not met, and the rule that meets it. */
export function needNotes({ class: className, permission, sourceType, targetType, otherwise }: UnmetNeed): {
  readonly message: string;
}[] {
  return [{ message: otherwise }, { message: `add \`allow ${sourceType} ${targetType}:${className} ${permission};\`` }];
}

/**
 * What the release asks for newly and the policy does not give, one diagnostic each.
 *
 * @param policy as it is read from its bytes
 */
export function needDiagnostics(policy: PolicyDb, { from, to, behaviour }: ReleaseDifference): Diagnostic[] {
  const needs = behaviour.flatMap(({ need, isGained }) => (isGained && need !== undefined ? [need] : []));
  return unmetNeeds(policy, xenRelease(from), needs).map((need) => {
    const { class: className, permission, sourceType: source, targetType: target } = need;
    const asked = { release: `Xen ${to}`, class: className, permission, source, target };
    return compat['permission-needed'](undefined, asked, { notes: needNotes(need) });
  });
}
