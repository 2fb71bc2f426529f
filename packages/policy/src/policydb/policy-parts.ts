/**
 * Parts of a policy that are kept in more than one place, put together.
 *
 * @module
 */
import type { ClassSymbol, PermissionSymbol, PolicyDb } from './policydb.ts';
import type { RuleTable } from './rule-table.ts';

/** All rule tables: that outside of conditionals, then the two branches of each conditional. */
export function ruleTables({ rules, conditionals }: Pick<PolicyDb, 'rules' | 'conditionals'>): RuleTable[] {
  return [rules, ...conditionals.flatMap(({ whenTrue, whenFalse }) => [whenTrue, whenFalse])];
}

/** The permissions of a class, those of its common first, each group in the order of the file. */
export function permissionsOf({ commons }: Pick<PolicyDb, 'commons'>, tclass: ClassSymbol): PermissionSymbol[] {
  const common = tclass.common === undefined ? undefined : commons.byName.get(tclass.common);
  return [...(common?.permissions ?? []), ...tclass.permissions];
}

/** The names of bits of a class, in the order of the bits. */
export function permissionNames(policy: Pick<PolicyDb, 'commons'>, tclass: ClassSymbol, bits: number): string[] {
  return permissionsOf(policy, tclass)
    .filter(({ value }) => ((bits >>> (value - 1)) & 1) === 1)
    .sort((a, b) => a.value - b.value)
    .map(({ name }) => name);
}
