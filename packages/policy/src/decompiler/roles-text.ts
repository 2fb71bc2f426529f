/**
 * Roles, users, booleans and the levels of MLS as text.
 *
 * @module
 */
import { Ebitmap, type PolicyDb, type RoleSymbol, SYMTAB_SIZES } from '../policydb/index.ts';
import { setText, wrap } from './layout.ts';
import type { Names } from './names.ts';
import { isCounted, isInsertedOrder, planRoles, planTunables, planUsers } from './numbering.ts';
import type { Membership } from './types-text.ts';

const byValue = (a: { readonly value: number }, b: { readonly value: number }): number => a.value - b.value;

/** A set of types, by the name of an attribute where one has just these members. */
function typeSetNames(names: Names, { members }: Membership, types: Ebitmap): string[] {
  if (types.size > 3) {
    for (const [attribute, set] of members) if (set.equals(types)) return [names.type(attribute)];
  }
  return Array.from(types.bits, (bit) => names.type(bit + 1)).toSorted();
}

/** More roles than any policy with dominance has; the work grows with their square. */
const MAX_DOMINATING = 1000;

/**
 * Dominance of roles. A statement gives a role what each named role dominates at that moment, so roles come before those
 * that they dominate.
 */
function dominanceText(roles: readonly RoleSymbol[], names: Names): string[] {
  const isPlain = roles.every(({ name, value, dominates }) =>
    name === 'object_r' ? dominates.size === 0 : dominates.size === 1 && dominates.has(value - 1),
  );
  if (isPlain) return [];
  if (roles.length > MAX_DOMINATING) {
    names.lost('dominance among very many roles');
    return [];
  }
  const gained = new Map<number, Set<number>>(
    // `object_r`, which nothing declares, does not even dominate itself.
    roles.map(({ name, value }) => [value, new Set(name === 'object_r' ? [] : [value - 1])]),
  );
  const byNumber = new Map(roles.map((role) => [role.value, role]));
  const statements: string[] = [];
  const done = new Set<number>();
  const dominators = (role: RoleSymbol): RoleSymbol[] =>
    roles.filter(
      (one) => one !== role && one.dominates.has(role.value - 1) && !role.dominates.isSubsetOf(one.dominates),
    );
  const visit = (first: RoleSymbol): void => {
    const pending = [first];
    const open = new Set<number>();
    for (let role = pending.at(-1); role !== undefined; role = pending.at(-1)) {
      const before = open.has(role.value)
        ? []
        : dominators(role).filter(({ value }) => !done.has(value) && !open.has(value));
      open.add(role.value);
      if (before.length > 0) {
        pending.push(...before);
        continue;
      }
      pending.pop();
      if (done.has(role.value)) continue;
      done.add(role.value);
      const own = role.value - 1;
      const others = [...role.dominates.bits].filter((bit) => bit !== own);
      if (others.length === 0) continue;
      const parts = others.map((bit) => `role ${names.role(bit + 1)};`);
      statements.push(wrap(`dominance { role ${role.name} { ${parts.join(' ')} } }`));
      for (const bit of others) for (const one of gained.get(bit + 1) ?? []) gained.get(role.value)?.add(one);
    }
  };
  for (const role of roles) visit(role);
  for (const [value, set] of gained) {
    const role = byNumber.get(value);
    if (role !== undefined && !Ebitmap.of(set).equals(role.dominates))
      names.lost(`the roles that \`${role.name}\` dominates`);
  }
  return statements;
}

function checkDotted(names: Names, what: string, symbols: PolicyDb['roles'] | PolicyDb['users']): void {
  for (const { name, bounds } of symbols.entries) {
    const dot = name.lastIndexOf('.');
    const parent = dot < 0 ? 0 : symbols.byName.get(name.slice(0, dot))?.value;
    if (bounds !== parent) names.lost(`the bounds of ${what} \`${name}\``);
  }
}

/** Role statements, and a role attribute that no role has, if there is one. */
export interface RoleText {
  readonly statements: readonly string[];
  readonly emptyAttribute: string | undefined;
}

/** Declarations of roles, their types, and dominance. */
export function roleText(policy: PolicyDb, names: Names, membership: Membership): RoleText {
  const { entries } = policy.roles;
  names.checkNames('a role', entries);
  checkDotted(names, 'role', policy.roles);
  const plan = planRoles(policy, names);
  const sorted = entries.filter(({ name }) => name !== 'object_r').toSorted(byValue);
  const statements: string[] = plan.attributes.map((name) => `attribute_role ${name};`);
  for (const { name } of sorted) statements.push(`role ${name};`);
  if (plan.isRepeated && sorted[0] !== undefined) statements.push(`role ${sorted[0].name};`);
  statements.push(...dominanceText(entries, names));
  for (const { name, types } of entries.toSorted(byValue)) {
    if (types.size === 0) continue;
    if (name === 'object_r' || [...types.bits].some((bit) => names.types.get(bit + 1)?.kind !== 'type'))
      names.lost(`the types of role \`${name}\``);
    statements.push(wrap(`role ${name} types ${setText(typeSetNames(names, membership, types))};`));
  }
  return { statements, emptyAttribute: plan.attributes[0] };
}

/** User statements. */
export function userText(policy: PolicyDb, names: Names, { emptyAttribute }: RoleText): string[] {
  const { entries } = policy.users;
  names.checkNames('a user', entries);
  checkDotted(names, 'user', policy.users);
  const isRepeated = planUsers(policy, names);
  const statements = entries.toSorted(byValue).map(({ name, roles, range, defaultLevel }) => {
    const listed = [...roles.bits].map((bit) => names.role(bit + 1));
    if (listed.length === 0) {
      if (emptyAttribute === undefined) names.lost(`user \`${name}\` has no role`);
      listed.push(emptyAttribute ?? 'object_r');
    }
    if (!policy.isMls) names.checkNoLevels(range.low, range.high, defaultLevel);
    const level = policy.isMls ? ` level ${names.level(defaultLevel)} range ${names.range(range)}` : '';
    return wrap(`user ${name} roles ${setText(listed)}${level};`);
  });
  return isRepeated ? [...statements, ...statements.slice(0, 1)] : statements;
}

/** Declarations of booleans, and of tunables that only make a table grow. */
export function booleanText(policy: PolicyDb, names: Names): string[] {
  const { entries, byName } = policy.booleans;
  names.checkNames('a boolean', entries, false);
  const tunables: string[] = [];
  for (let i = 1, left = planTunables(policy, names); left > 0; i++) {
    if (byName.has(`tunable_${i}`)) continue;
    tunables.push(`tunable tunable_${i} false;`);
    left--;
  }
  return [...entries.toSorted(byValue).map(({ name, state }) => `bool ${name} ${state};`), ...tunables];
}

/** The sections of MLS that stand before its constraints. */
export function mlsText(
  policy: PolicyDb,
  names: Names,
): { sensitivities: string[]; dominance: string[]; categories: string[]; levels: string[] } {
  const nothing = { sensitivities: [], dominance: [], categories: [], levels: [] };
  if (!policy.isMls) {
    if (policy.sensitivities.entries.length + policy.categories.entries.length > 0)
      names.lost('sensitivities and categories of a policy without MLS');
    return nothing;
  }
  const { sensitivities, categories } = policy;
  names.checkNames('a sensitivity', sensitivities.entries, false);
  names.checkNames('a category', categories.entries, false);
  if (!isInsertedOrder(sensitivities.entries, SYMTAB_SIZES.sensitivities)) names.otherOrder('sensitivities');
  if (!isInsertedOrder(categories.entries, SYMTAB_SIZES.categories)) names.otherOrder('categories');
  const primaries = sensitivities.entries
    .filter(({ isAlias }) => !isAlias)
    .toSorted((a, b) => a.level.sensitivity - b.level.sensitivity);
  const numbered = primaries.map(({ name, level }) => ({ name, value: level.sensitivity }));
  if (!isCounted(numbered)) names.lost('the numbers of sensitivities');
  if (primaries.length === 0) names.lost('a policy with MLS that has no sensitivity');
  for (const { name, isAlias, level } of sensitivities.entries) {
    const primary = primaries.find((one) => one.level.sensitivity === level.sensitivity);
    if (isAlias && primary?.level.categories.equals(level.categories) !== true)
      names.lost(`\`${name}\` is another name of no sensitivity`);
  }
  const primaryCategories = categories.entries.filter(({ isAlias }) => !isAlias).toSorted(byValue);
  if (!isCounted(primaryCategories)) names.lost('the numbers of categories');
  for (const { name, value, isAlias } of categories.entries)
    if (isAlias && value > primaryCategories.length) names.lost(`\`${name}\` is another name of no category`);
  const aliasText = (aliases: readonly { readonly name: string }[]): string =>
    aliases.length === 0 ? '' : ` alias ${setText(aliases.map(({ name }) => name).toSorted())}`;
  return {
    sensitivities: primaries.map(({ name, level }) => {
      const aliases = sensitivities.entries.filter((one) => one.isAlias && one.level.sensitivity === level.sensitivity);
      return wrap(`sensitivity ${name}${aliasText(aliases)};`);
    }),
    dominance: [wrap(`dominance { ${primaries.map(({ name }) => name).join(' ')} }`)],
    categories: primaryCategories.map(({ name, value }) =>
      wrap(`category ${name}${aliasText(categories.entries.filter((one) => one.isAlias && one.value === value))};`),
    ),
    levels: primaries.map(({ level }) => wrap(`level ${names.level(level)};`)),
  };
}
