/**
 * What another release of Xen asks for that it did not ask for before, and a policy does not give.
 *
 * @module
 */
import type { PolicyDb } from '../policydb/index.ts';
import { type BehaviourNeed, xenRelease } from '../releases/index.ts';
import { PolicyView } from '../security-server/index.ts';
import type { Diagnostic } from '../text/index.ts';
import type { ReleaseDifference } from './compat.ts';
import { compat } from './diagnostics.ts';

/** Whether a policy gives a permission, its booleans as they are after a boot; true where it lacks one of the labels. */
function isGiven(policy: PolicyDb, view: PolicyView, sidNames: readonly string[], need: BehaviourNeed): boolean {
  const labelOf = (name: string): PolicyDb['objectContexts']['initialSids'][number]['context'] | undefined =>
    policy.objectContexts.initialSids.find(({ sid }) => sidNames[sid - 1] === name)?.context;
  const [source, target] = [labelOf(need.source), labelOf(need.target)];
  const tclass = policy.classes.byName.get(need.class);
  const permission = tclass?.permissions.find(({ name }) => name === need.permission);
  if (source === undefined || target === undefined || tclass === undefined || permission === undefined) return true;
  return ((view.computeAv(source, target, tclass.value).allowed >>> (permission.value - 1)) & 1) === 1;
}

/**
 * What the release asks for newly and the policy does not give, one diagnostic each.
 *
 * @param policy as it is read from its bytes
 */
export function needDiagnostics(policy: PolicyDb, { from, to, behaviour }: ReleaseDifference): Diagnostic[] {
  const needs = behaviour.flatMap(({ need, isGained }) => (isGained && need !== undefined ? [need] : []));
  if (needs.length === 0) return [];
  const view = new PolicyView(policy);
  const { initialSids } = xenRelease(from);
  const typeOf = (name: string): string => {
    const sid = policy.objectContexts.initialSids.find((one) => initialSids[one.sid - 1] === name);
    return policy.types.entries.find(({ value }) => value === sid?.context.type)?.name ?? name;
  };
  return needs
    .filter((need) => !isGiven(policy, view, initialSids, need))
    .map((need) => {
      const [source, target] = [typeOf(need.source), typeOf(need.target)];
      return compat['permission-needed'](
        undefined,
        {
          release: `Xen ${to}`,
          class: need.class,
          permission: need.permission,
          source,
          target,
        },
        {
          notes: [
            { message: need.otherwise },
            { message: `add \`allow ${source} ${target}:${need.class} ${need.permission};\`` },
          ],
        },
      );
    });
}
