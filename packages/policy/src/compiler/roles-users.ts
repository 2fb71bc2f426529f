/**
 * Roles, users, and what role attributes stand for.
 *
 * Format: libsepol `expand.c` (`role_fix_callback`, `expand_role_ebitmap`), `link.c` (`populate_roleattributes`).
 *
 * @module
 */
import { type DominanceNode, readSet, type Statement, type Token } from '../language/index.ts';
import { Ebitmap, type RoleAllow, type RoleTransition, type TypeSets, type UserSymbol } from '../policydb/index.ts';
import { makeRole, type RoleDeclaration, type TypeDeclaration, type UserDeclaration } from './declarations.ts';
import { mls, policy } from './diagnostics.ts';
import { InParts } from './in-parts.ts';
import { dominates, mlsLevel, mlsRange, readLevel, readRange } from './mls.ts';
import type { RuleCompiler } from './rules.ts';
import type { Scope } from './scope.ts';

/** The roles that a set of roles and role attributes stands for, through any nesting. */
export function rolesMeant(roles: Iterable<RoleDeclaration>): Set<RoleDeclaration> {
  const meant = new Set<RoleDeclaration>();
  const seen = new Set<RoleDeclaration>();
  const pending = [...roles];
  for (let role = pending.pop(); role !== undefined; role = pending.pop()) {
    if (!role.isAttribute) meant.add(role);
    else if (!seen.has(role)) {
      seen.add(role);
      pending.push(...role.members);
    }
  }
  return meant;
}

const ascending = (roles: Iterable<RoleDeclaration>): RoleDeclaration[] => [...roles].sort((a, b) => a.value - b.value);

/** `role r types …`: names add up, and a name taken out once is out for good. */
export function addRoleTypes(scope: Scope, node: Extract<Statement, { kind: 'role-types' }>): void {
  const role = scope.role(node.name);
  const { isStar, isComplement, members } = readSet(scope.tokens, node.types);
  if (isStar || isComplement) {
    const operator = isStar ? '*' : '~';
    scope.report(policy['set-operator'](scope.origin(node.types), { operator, what: 'types', statement: 'role' }));
  }
  for (const { token, isExcluded } of members) {
    const type = scope.type(token, 'role');
    if (type !== undefined) (isExcluded ? role?.excluded : role?.named)?.add(type);
  }
}

/** Declares the roles of a dominance that nobody declared; they are known from there on. */
export function declareDominanceRoles(scope: Scope, nodes: readonly DominanceNode[]): void {
  const { roles, sizes } = scope.declared;
  for (const { role, children } of nodes) {
    declareDominanceRoles(scope, children);
    const name = scope.word(role);
    if (roles.has(name)) continue;
    sizes.roles.insert(true);
    roles.set(name, makeRole(name, role, false, role));
  }
}

/** What a role hands up to the role above it. */
interface Dominated {
  readonly dominates: ReadonlySet<RoleDeclaration>;
  readonly types: ReadonlySet<TypeDeclaration>;
}

/** Types, with attributes replaced by their members. */
function membersOf(types: ReadonlySet<TypeDeclaration>): TypeDeclaration[] {
  return [...types].flatMap((type) => (type.kind === 'attribute' ? [...type.members] : [type]));
}

/** The types that the statements so far give to a role. */
function typesSoFar({ named, excluded }: RoleDeclaration): Set<TypeDeclaration> {
  const out = new Set(membersOf(excluded));
  return new Set(membersOf(named).filter((type) => !out.has(type)));
}

/** Gives a role, and every role that dominates it, what is below it. */
function raise(scope: Scope, role: RoleDeclaration, below: Dominated): void {
  const gain = (one: RoleDeclaration, { dominates, types }: Dominated): void => {
    for (const dominated of dominates) one.dominates.add(dominated);
    for (const type of types) one.named.add(type);
  };
  gain(role, below);
  const own: Dominated = { dominates: role.dominates, types: typesSoFar(role) };
  for (const other of scope.declared.roles.values()) if (other !== role && other.dominates.has(role)) gain(other, own);
}

/**
 * A role gains what the roles below it dominate, and their types; so does every role that dominates it already.
 *
 * XEN: of several roles side by side, attributes and names count, but not the types that were taken out.
 */
export function addDominance(scope: Scope, nodes: readonly DominanceNode[]): Dominated {
  const sides: RoleDeclaration[] = [];
  const merged = { dominates: new Set<RoleDeclaration>(), types: new Set<TypeDeclaration>() };
  for (const { role: token, children } of nodes) {
    const below = children.length === 0 ? undefined : addDominance(scope, children);
    const role = scope.role(token);
    if (role === undefined) continue;
    if (below !== undefined) raise(scope, role, below);
    sides.push(role);
    for (const side of sides.length === 2 ? sides : [role]) {
      for (const dominated of side.dominates) merged.dominates.add(dominated);
      for (const type of membersOf(side.named)) merged.types.add(type);
    }
  }
  const [only, ...others] = sides;
  if (only === undefined || others.length > 0) return merged;
  return { dominates: only.dominates, types: typesSoFar(only) };
}

/** The types that a role's own statements give it, as values. */
export function ownTypes(role: RoleDeclaration, sets: TypeSets): Uint32Array {
  const values = (types: RoleDeclaration['named']): number[] =>
    [...types].map(({ value }) => value).sort((a, b) => a - b);
  return sets.members(sets.add({ kind: 'listed', named: values(role.named), excluded: values(role.excluded) }));
}

/** The types of every role, those from role attributes included. */
export function roleTypes(scope: Scope, sets: TypeSets): Map<RoleDeclaration, Ebitmap> {
  const bits = new Map<RoleDeclaration, number[]>();
  const { roles } = scope.declared;
  for (const role of roles.values())
    bits.set(
      role,
      Array.from(ownTypes(role, sets), (value) => value - 1),
    );
  for (const attribute of roles.values()) {
    if (!attribute.isAttribute) continue;
    const own = Array.from(ownTypes(attribute, sets), (value) => value - 1);
    for (const role of rolesMeant([attribute])) for (const bit of own) bits.get(role)?.push(bit);
  }
  return new Map([...bits].map(([role, types]) => [role, Ebitmap.of(types)]));
}

/** Takes a `user` statement; statements about the same user add up. */
export function declareUser(scope: Scope, node: Extract<Statement, { kind: 'user' }>): void {
  const { users, sizes, required } = scope.declared;
  const name = scope.word(node.name);
  let user = users.get(name);
  // A name that a block required before has its place in the table already.
  sizes.users.insert(user === undefined && !required.has(`user ${name}`));
  if (user === undefined) {
    user = { name, token: node.name, value: 0, roles: new Set(), level: undefined, low: undefined, high: undefined };
    users.set(name, user);
  }
  for (const role of scope.roles(node.roles, 'user')) user.roles.add(role);
  if (scope.isMls) addUserRange(scope, node, user);
  else if (node.level !== undefined) scope.report(mls['unexpected-range'](scope.origin(node.level.sensitivity), {}));
}

function addUserRange(scope: Scope, node: Extract<Statement, { kind: 'user' }>, user: UserDeclaration): void {
  if (node.level === undefined || node.range === undefined) {
    scope.report(mls['no-range'](scope.origin(node.name), { what: 'level and range' }));
    return;
  }
  const level = readLevel(scope, node.level);
  const range = readRange(scope, node.range);
  if (level === undefined || range === undefined) return;
  const joined = (next: typeof level, before: typeof user.level): typeof level => ({
    sensitivity: next.sensitivity,
    categories: new Set([...next.categories, ...(before?.categories ?? [])]),
  });
  user.level = joined(level, user.level);
  user.low = joined(range.low, user.low);
  user.high = node.range.high === undefined ? user.low : joined(range.high, user.high);
  if (!dominates(user.high, user.low)) scope.report(mls['range-order'](scope.origin(node.range.low.sensitivity), {}));
  else if (!dominates(user.level, user.low) || !dominates(user.high, user.level)) {
    scope.report(mls['default-outside-range'](scope.origin(node.level.sensitivity), { user: user.name }));
  }
}

export function userSymbol(user: UserDeclaration, bounds: number): UserSymbol {
  return {
    name: user.name,
    value: user.value,
    bounds,
    roles: Ebitmap.of([...rolesMeant(user.roles)].map(({ value }) => value - 1)),
    range: mlsRange(user.low, user.high),
    defaultLevel: mlsLevel(user.level),
  };
}

/** Role allow rules and role transitions: of each part of the policy, the statement written last comes first. */
export class RoleRules {
  readonly #scope: Scope;
  readonly #allows: InParts<{ readonly source: Set<RoleDeclaration>; readonly target: Set<RoleDeclaration> }> =
    new InParts();
  readonly #transitions: InParts<RoleTransition[]> = new InParts();
  /** The statement that gave each transition. */
  readonly #known = new Map<string, Token>();

  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** Takes a rule. One that does not count is looked at, and forgotten. */
  addAllow(node: Extract<Statement, { kind: 'role-allow' }>, counts: boolean): void {
    const source = this.#scope.roles(node.source, 'allow');
    const target = this.#scope.roles(node.target, 'allow');
    if (counts) this.#allows.add({ source, target });
  }

  /** Takes a rule. One that does not count is forgotten, but must not be repeated either. */
  addTransition(node: Extract<Statement, { kind: 'role_transition' }>, rules: RuleCompiler, counts: boolean): void {
    const scope = this.#scope;
    const roles = scope.roles(node.source, 'role_transition');
    const types = rules.expandedTypes(node.types, 'role_transition', 'types');
    const classes = transitionClasses(scope, node.classes, node.at, 'role_transition', rules);
    const newRole = scope.plainRole(node.result);
    if (types === undefined || classes === undefined || newRole === undefined) return;
    const made: RoleTransition[] = [];
    for (const role of ascending(rolesMeant(roles))) {
      for (const type of types) {
        for (const tclass of classes) {
          const key = `${role.value}:${type}:${tclass}`;
          if (this.#known.has(key)) {
            const names = { role: role.name, type: typeName(scope, type), class: className(scope, tclass) };
            const extra = scope.earlier(this.#known.get(key), 'the earlier one is here');
            scope.report(policy['duplicate-role-transition'](scope.origin(node.at), names, extra));
            return;
          }
          this.#known.set(key, node.at);
          made.push({ role: role.value, type, tclass, newRole: newRole.value });
        }
      }
    }
    if (counts) this.#transitions.add(made);
  }

  /** Ends the rules of one part of the policy: what is outside of optional blocks, or one block. */
  endPart(): void {
    this.#allows.endPart();
    this.#transitions.endPart();
  }

  finish(): { allows: RoleAllow[]; transitions: RoleTransition[] } {
    const allows: RoleAllow[] = [];
    const known = new Set<string>();
    for (const { source, target } of this.#allows.inOrder()) {
      for (const role of ascending(rolesMeant(source))) {
        for (const newRole of ascending(rolesMeant(target))) {
          const key = `${role.value}:${newRole.value}`;
          if (known.has(key)) continue;
          known.add(key);
          allows.push({ role: role.value, newRole: newRole.value });
        }
      }
    }
    return { allows, transitions: this.#transitions.inOrder().flat() };
  }
}

export function typeName(scope: Scope, value: number): string {
  for (const type of scope.declared.types.values()) if (type.value === value && type.kind !== 'alias') return type.name;
  return String(value);
}

export function className(scope: Scope, value: number): string {
  for (const tclass of scope.declared.classes.values()) if (tclass.value === value) return tclass.name;
  return String(value);
}

/** Values of the classes of a role or range transition, ascending; without a set they are for class `process`. */
export function transitionClasses(
  scope: Scope,
  set: number | undefined,
  at: number,
  statement: string,
  rules: RuleCompiler,
): number[] | undefined {
  if (set !== undefined) return rules.classes(set, statement).map(({ value }) => value);
  const process = scope.declared.classes.get('process');
  if (process !== undefined) return [process.value];
  const notes = [{ message: 'Xen has no processes: name a class after a colon, such as `:domain`' }];
  scope.report(policy['no-process-class'](scope.origin(at), { statement }, { notes }));
  return undefined;
}
