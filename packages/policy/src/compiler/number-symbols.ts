/**
 * Gives types, roles, booleans and users the numbers that they have in the file.
 *
 * checkpolicy numbers symbols as they come out of its hash tables, so a number depends on all names. Pass 2 begins when
 * all names are known and works with final numbers. Format: libsepol `expand.c` (`type_copy_callback` and its kin).
 *
 * @module
 */
import { tableOrder } from '../policydb/index.ts';
import { type Declarations, isLost, isUnmet, type TypeDeclaration } from './declarations.ts';

/** Types, attributes and aliases. Returns types and attributes by value - 1. */
export function numberTypes(declared: Declarations): TypeDeclaration[] {
  const { types, sizes } = declared;
  const byValue: TypeDeclaration[] = [];
  for (const type of tableOrder(types.values(), sizes.types.size)) {
    if (type.kind === 'alias' || isLost(declared, type)) continue;
    byValue.push(type);
    type.value = byValue.length;
  }
  for (const type of types.values()) if (type.primary !== undefined) type.value = type.primary.value;
  return byValue;
}

/** `object_r` is 1; role attributes take numbers too, and are not written. */
export function numberRoles(declared: Declarations): void {
  const { roles, sizes, objectRole } = declared;
  objectRole.value = 1;
  let value = 1;
  for (const role of tableOrder(roles.values(), sizes.roles.size))
    if (role !== objectRole && !isUnmet(declared, role)) role.value = ++value;
}

/** Tunables keep 0: they are gone when the policy is written. */
export function numberBooleans(declared: Declarations): void {
  const { booleans, sizes } = declared;
  let value = 0;
  for (const boolean of tableOrder(booleans.values(), sizes.booleans.size))
    if (!boolean.isTunable && !isLost(declared, boolean)) boolean.value = ++value;
}

export function numberUsers(declared: Declarations): void {
  const { users, sizes } = declared;
  let value = 0;
  for (const user of tableOrder(users.values(), sizes.users.size)) if (!isUnmet(declared, user)) user.value = ++value;
}
