/**
 * The names that a policy declares, as the declaring statements give them.
 *
 * A value of 0 means that the number is not known yet; `number-symbols.ts` gives numbers when all names are known.
 * Start reading at `Declarations`.
 *
 * @module
 */
import type { Token } from '../language/index.ts';
import { SYMTAB_SIZES, TableSize } from '../policydb/index.ts';

export interface CommonDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly value: number;
  /** Value of each permission, from 1. */
  readonly permissions: Map<string, number>;
}

/** Where a name is declared: undefined outside of optional blocks, and otherwise the first token of its block. */
export type Home = Token | undefined;

/** A constraint under construction: permissions are added name by name. */
export interface ConstraintDraft {
  permissions: number;
  readonly expression: readonly ConstraintStepDraft[];
}

export interface ConstraintStepDraft {
  readonly kind: 'not' | 'and' | 'or' | 'attribute' | 'names';
  readonly attribute: number;
  readonly operator: number;
  /** Values less 1 of what is meant. */
  readonly names: ReadonlySet<number>;
  /** Values less 1 of types and attributes as written. */
  readonly written: ReadonlySet<number>;
}

export interface ClassDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly value: number;
  common: CommonDeclaration | undefined;
  /** Own permissions; undefined until the access vector of the class is read. */
  permissions: Map<string, number> | undefined;
  /** Permissions in all. */
  permissionCount: number;
  /** The last one written comes first. */
  readonly constraints: ConstraintDraft[];
  readonly validateTransitions: ConstraintDraft[];
  readonly defaults: { user: number; role: number; type: number; range: number };
}

export interface TypeDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly kind: 'type' | 'attribute' | 'alias';
  /** The type that an alias names; otherwise undefined. */
  readonly primary: TypeDeclaration | undefined;
  value: number;
  /** Types of an attribute. */
  readonly members: Set<TypeDeclaration>;
  expansion: boolean | undefined;
  bounds: TypeDeclaration | undefined;
  readonly home: Home;
}

export interface RoleDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly isAttribute: boolean;
  value: number;
  /** Roles and role attributes of a role attribute. */
  readonly members: Set<RoleDeclaration>;
  /** Roles that it dominates, itself first. */
  readonly dominates: Set<RoleDeclaration>;
  /** Types and attributes that its statements name, and those that they take out. */
  readonly named: Set<TypeDeclaration>;
  readonly excluded: Set<TypeDeclaration>;
  /** For a role that a dominance declares: where. Nothing above that place may name it. */
  readonly knownFrom: Token;
}

export interface BooleanDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly isTunable: boolean;
  readonly state: boolean;
  value: number;
  readonly home: Home;
}

/** A level that is still written to; aliases share it. */
export interface LevelDraft {
  sensitivity: number;
  readonly categories: Set<number>;
  isDefined: boolean;
}

export interface SensitivityDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly isAlias: boolean;
  readonly level: LevelDraft;
}

export interface CategoryDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly value: number;
  readonly isAlias: boolean;
}

/** A level of a user or a range: categories by number, ends included. */
export interface LevelValue {
  readonly sensitivity: number;
  readonly categories: ReadonlySet<number>;
}

export interface UserDeclaration {
  readonly name: string;
  readonly token: Token;
  value: number;
  readonly roles: Set<RoleDeclaration>;
  level: LevelValue | undefined;
  low: LevelValue | undefined;
  high: LevelValue | undefined;
}

export interface SidDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly value: number;
}

/** Everything that a policy declares, each kind under its names. */
export class Declarations {
  readonly commons: Map<string, CommonDeclaration> = new Map();
  readonly classes: Map<string, ClassDeclaration> = new Map();
  readonly types: Map<string, TypeDeclaration> = new Map();
  readonly roles: Map<string, RoleDeclaration> = new Map();
  readonly booleans: Map<string, BooleanDeclaration> = new Map();
  readonly users: Map<string, UserDeclaration> = new Map();
  readonly sensitivities: Map<string, SensitivityDeclaration> = new Map();
  readonly categories: Map<string, CategoryDeclaration> = new Map();
  readonly sids: Map<string, SidDeclaration> = new Map();
  readonly capabilities: Set<number> = new Set();
  /** The sizes of libsepol's tables, on which numbers depend. */
  readonly sizes: Readonly<Record<'types' | 'roles' | 'booleans' | 'users', TableSize>> = {
    types: new TableSize(SYMTAB_SIZES.types),
    roles: new TableSize(SYMTAB_SIZES.roles),
    booleans: new TableSize(SYMTAB_SIZES.booleans),
    users: new TableSize(SYMTAB_SIZES.users),
  };
  /** Optional blocks that do not count: what they declare does not exist. */
  lostHomes: ReadonlySet<Home> = new Set();
  /** What `require` blocks named so far, as kind and name: such a name has a place in the tables already. */
  readonly required: Set<string> = new Set();
  /** Categories have values of their own; aliases do not count. */
  categoryCount = 0;

  /** The role that every object has, declared by nobody. */
  readonly objectRole: RoleDeclaration;

  constructor() {
    this.objectRole = makeRole('object_r', -1, false);
    this.objectRole.dominates.clear();
    this.roles.set('object_r', this.objectRole);
    this.sizes.roles.insert(true);
  }
}

export function makeRole(name: string, token: Token, isAttribute: boolean, knownFrom: Token = 0): RoleDeclaration {
  const role: RoleDeclaration = {
    name,
    token,
    isAttribute,
    value: 0,
    members: new Set(),
    dominates: new Set(),
    named: new Set(),
    excluded: new Set(),
    knownFrom,
  };
  role.dominates.add(role);
  return role;
}

export function makeType(
  name: string,
  token: Token,
  kind: TypeDeclaration['kind'],
  primary: TypeDeclaration | undefined,
  home?: Home,
): TypeDeclaration {
  return { name, token, kind, primary, value: 0, members: new Set(), expansion: undefined, bounds: undefined, home };
}

/** The type itself for a type or attribute; what it names for an alias. */
export function primaryOf(type: TypeDeclaration): TypeDeclaration {
  return type.primary ?? type;
}

/** Whether a name is declared in an optional block that does not count. Such a name has a place in the tables, and no number. */
export function isLost({ lostHomes }: Declarations, { home }: { readonly home: Home }): boolean {
  return home !== undefined && lostHomes.has(home);
}
