/**
 * The types that a name stands for.
 *
 * @module
 */
import type { PolicyDb } from '../../policydb/index.ts';

/** Types with a name, or with an attribute of that name, by value; undefined where the policy has neither. */
export function matchTypes(policy: PolicyDb, name: string): ReadonlySet<number> | undefined {
  const found = policy.types.byName.get(name);
  if (found === undefined) return undefined;
  if (found.kind !== 'attribute') return new Set([found.value]);
  const members = policy.types.entries.filter(
    ({ kind, value }) => kind === 'type' && policy.typeAttributeMap[value - 1]?.has(found.value - 1) === true,
  );
  return new Set(members.map(({ value }) => value));
}
