/**
 * Roles: what declares them, what they are given, and what role attributes stand for.
 *
 * Several parts of a policy may speak of one role: the text outside of optional blocks, and each block for itself. What
 * the blocks that count say is joined once it is known which do.
 * Format: checkpolicy `module_compiler.c` (`declare_role`, `get_local_role`), `policy_define.c` (`define_role_types`,
 * `define_role_dom`); libsepol `link.c` (`populate_roleattributes`), `expand.c` (`role_copy_callback`, `role_fix_callback`).
 *
 * @module
 */
import { type DominanceNode, readList, readSet, type Statement, type Token } from '../language/index.ts';
import { Ebitmap, type TypeSets } from '../policydb/index.ts';
import { reportOrphanInBlock } from './bounds.ts';
import {
  type Declarations,
  makeRole,
  makeRolePart,
  type Part,
  type RoleDeclaration,
  type RolePart,
  type TypeDeclaration,
} from './declarations.ts';
import { policy } from './diagnostics.ts';
import type { Scope } from './scope.ts';

/** The roles that a set of roles and role attributes stands for, through any nesting. */
export function rolesMeant(roles: Iterable<RoleDeclaration>): Set<RoleDeclaration> {
  const meant = new Set<RoleDeclaration>();
  const seen = new Set<RoleDeclaration>();
  const pending = [...roles];
  for (let role = pending.pop(); role !== undefined; role = pending.pop()) {
    if (!role.isAttribute) {
      // A role that does not exist has no number, and stands for nothing.
      if (role.value !== 0) meant.add(role);
    } else if (!seen.has(role)) {
      seen.add(role);
      pending.push(...role.members);
    }
  }
  return meant;
}

/** What a part of the policy says of a role; made where it says nothing yet. */
function partOf(role: RoleDeclaration, part: Part): RolePart {
  if (part === undefined) return role.outer;
  let said = role.inBlocks.get(part);
  if (said === undefined) {
    said = makeRolePart();
    role.inBlocks.set(part, said);
  }
  return said;
}

/** Finds a name in the table of roles, or puts it there. XEN: a role dominates itself by the part that puts it there. */
function insertRole(scope: Scope, token: Token, isAttribute: boolean, part: Part): RoleDeclaration {
  const { roles, sizes } = scope.declared;
  const name = scope.word(token);
  let role = roles.get(name);
  sizes.roles.insert(role === undefined);
  if (role === undefined) {
    role = makeRole(name, token, isAttribute);
    partOf(role, part).dominates.add(role);
    roles.set(name, role);
  }
  return role;
}

/** Takes a role or role attribute that a part of the policy requires. */
export function requireRole(scope: Scope, token: Token, isAttribute: boolean, part: Part): void {
  const role = insertRole(scope, token, isAttribute, undefined);
  if (role.isAttribute === isAttribute) role.knownIn.add(part);
  else reportKind(scope, token, role.name, isAttribute);
}

/** Says that a name is not of the kind that is asked for at a place. */
function reportKind(scope: Scope, token: Token, name: string, isAttribute: boolean): void {
  scope.report(policy[isAttribute ? 'not-a-role-attribute' : 'not-a-role'](scope.origin(token), { name }));
}

function declareRole(scope: Scope, token: Token, isAttribute: boolean): RoleDeclaration | undefined {
  const part = scope.branch?.part;
  const { roles } = scope.declared;
  const isNewHere = roles.get(scope.word(token))?.inBlocks.has(part) !== true;
  const role = insertRole(scope, token, isAttribute, part);
  if (role.isDeclared && (isAttribute || role.isAttribute)) {
    scope.reportDuplicate('role', token, role.token);
    return undefined;
  }
  if (role.isAttribute !== isAttribute) reportKind(scope, role.token, role.name, role.isAttribute);
  if (part !== undefined && isNewHere) reportOrphanInBlock(scope, 'role', token, part, roles);
  partOf(role, part);
  if (!role.isDeclared) role.token = token;
  role.isDeclared = true;
  role.knownIn.add(part);
  return role;
}

/** Puts a role into the role attributes of a list. */
function addToRoleAttributes(scope: Scope, attributes: Token, role: RoleDeclaration): void {
  for (const token of readList(scope.tokens, attributes)) {
    const attribute = scope.roleAttribute(token);
    if (attribute !== undefined) partOf(attribute, scope.branch?.part).members.add(role);
  }
}

/** First pass: what declares roles, and fills role attributes. */
export function declareRoles(scope: Scope, node: Statement): void {
  switch (node.kind) {
    case 'attribute_role':
      declareRole(scope, node.name, true);
      break;
    case 'role': {
      const role = declareRole(scope, node.name, false);
      if (role !== undefined && node.attributes !== undefined) addToRoleAttributes(scope, node.attributes, role);
      break;
    }
    case 'roleattribute': {
      const role = scope.role(node.name);
      if (role !== undefined) addToRoleAttributes(scope, node.others, role);
      else for (const token of readList(scope.tokens, node.others)) scope.roleAttribute(token);
      break;
    }
    default:
  }
}

/** `role r types …`: names add up, and a name taken out once is out for good. */
export function addRoleTypes(scope: Scope, node: Extract<Statement, { kind: 'role-types' }>): void {
  const role = scope.role(node.name);
  const said = role === undefined ? undefined : partOf(role, scope.branch?.part);
  const { isStar, isComplement, members } = readSet(scope.tokens, node.types);
  if (isStar || isComplement) {
    const operator = isStar ? '*' : '~';
    scope.report(policy['set-operator'](scope.origin(node.types), { operator, what: 'types', statement: 'role' }));
  }
  for (const { token, isExcluded } of members) {
    const type = scope.type(token, 'role');
    if (type !== undefined) (isExcluded ? said?.excluded : said?.named)?.add(type);
  }
}

/** Declares the roles of a dominance that nobody declared; they are known from the statement, at `from`, on. */
export function declareDominanceRoles(scope: Scope, nodes: readonly DominanceNode[], from: Token): void {
  const { roles, sizes } = scope.declared;
  for (const { role: token, children } of nodes) {
    declareDominanceRoles(scope, children, from);
    const name = scope.word(token);
    if (roles.has(name)) continue;
    if (scope.branch?.isElse === true)
      scope.report(policy['optional-unsupported'](scope.origin(token), { statement: 'role' }));
    sizes.roles.insert(true);
    const role = makeRole(name, token, false, from);
    role.outer.dominates.add(role);
    role.isDeclared = true;
    role.knownIn.add(scope.branch?.part);
    roles.set(name, role);
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

/** The types that a part of the policy gives to a role, by the members that attributes have so far. */
function typesSoFar({ named, excluded }: RolePart): Set<TypeDeclaration> {
  const out = new Set(membersOf(excluded));
  return new Set(membersOf(named).filter((type) => !out.has(type)));
}

/** Gives a role, and every role that dominates it, what is below it. */
function raise(scope: Scope, role: RoleDeclaration, below: Dominated): void {
  const gain = ({ outer }: RoleDeclaration, { dominates, types }: Dominated): void => {
    for (const dominated of dominates) outer.dominates.add(dominated);
    for (const type of types) outer.named.add(type);
  };
  gain(role, below);
  const own: Dominated = { dominates: role.outer.dominates, types: typesSoFar(role.outer) };
  for (const other of scope.declared.roles.values())
    if (other !== role && other.outer.dominates.has(role)) gain(other, own);
}

/**
 * A role gains what the roles below it dominate, and their types; so does every role that dominates it already.
 *
 * XEN: of several roles side by side, attributes and names count, but not the types that were taken out. A dominance in
 * an optional block reads and writes what is said outside of blocks, and does so even where its block does not count.
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
    for (const { outer } of sides.length === 2 ? sides : [role]) {
      for (const dominated of outer.dominates) merged.dominates.add(dominated);
      for (const type of membersOf(outer.named)) merged.types.add(type);
    }
  }
  const [only, ...others] = sides;
  if (only === undefined || others.length > 0) return merged;
  return { dominates: only.outer.dominates, types: typesSoFar(only.outer) };
}

/** Settles what role attributes hold, once it is known which branches of blocks count. */
export function settleRoleAttributes({ roles }: Declarations, counted: readonly Part[]): void {
  for (const role of roles.values()) {
    if (!role.isAttribute) continue;
    const parts = counted.flatMap((part) => role.inBlocks.get(part) ?? []);
    role.members =
      parts.length === 0 ? role.outer.members : new Set([role.outer, ...parts].flatMap((part) => [...part.members]));
  }
}

/** The types that statements outside of optional blocks give to a role, as values. */
export function outerTypes({ outer }: RoleDeclaration, sets: TypeSets): Uint32Array {
  const values = (types: ReadonlySet<TypeDeclaration>): number[] =>
    [...types].map(({ value }) => value).sort((a, b) => a - b);
  return sets.members(sets.add({ kind: 'listed', named: values(outer.named), excluded: values(outer.excluded) }));
}

/**
 * Collects the types of roles, part after part of the policy.
 *
 * XEN: what an attribute stands for in a part is what the parts before and it have put into the attribute.
 */
export class RoleTypes {
  readonly #declared: Declarations;
  readonly #types = new Map<RoleDeclaration, Set<TypeDeclaration>>();

  constructor(declared: Declarations) {
    this.#declared = declared;
  }

  /** Takes what one part says of roles, by the members that attributes have now. */
  addPart(part: Part): void {
    for (const role of this.#declared.roles.values()) {
      const said = part === undefined ? role.outer : role.inBlocks.get(part);
      if (said === undefined || said.named.size === 0) continue;
      const types = typesSoFar(said);
      const known = this.#types.get(role);
      if (known === undefined) this.#types.set(role, types);
      else for (const type of types) known.add(type);
    }
  }

  /** The types of each role, those from role attributes included, as value - 1. */
  finish(): Map<RoleDeclaration, Ebitmap> {
    const bits = new Map<RoleDeclaration, number[]>();
    const add = (role: RoleDeclaration, types: Iterable<TypeDeclaration>): void => {
      const list = bits.get(role);
      // A type of a block that does not count has no number.
      const values = [...types].flatMap(({ value }) => (value === 0 ? [] : [value - 1]));
      if (list === undefined) bits.set(role, values);
      else list.push(...values);
    };
    for (const [role, types] of this.#types) {
      if (role.value === 0) continue;
      if (!role.isAttribute) add(role, types);
      else for (const one of rolesMeant([role])) add(one, types);
    }
    return new Map([...bits].map(([role, values]) => [role, Ebitmap.of(values)]));
  }
}

/** The roles that a role dominates by all parts that count, as value - 1. */
export function dominatedRoles({ outer, inBlocks }: RoleDeclaration, counted: readonly Part[]): Ebitmap {
  const parts = [outer, ...counted.flatMap((part) => inBlocks.get(part) ?? [])];
  return Ebitmap.of(
    parts.flatMap(({ dominates }) => [...dominates].flatMap(({ value }) => (value === 0 ? [] : [value - 1]))),
  );
}
