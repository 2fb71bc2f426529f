/**
 * The names that a policy declares, as the declaring statements give them.
 *
 * A value of 0 means that the number is not known yet; `number-symbols.ts` gives numbers when all names are known.
 * Start reading at `Declarations`.
 *
 * @module
 */
import type { Statement, Token } from '../language/index.ts';
import { SYMTAB_SIZES, TableSize } from '../policydb/index.ts';

export interface CommonDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly value: number;
  /** Value of each permission, from 1. */
  readonly permissions: Map<string, number>;
}

/** A part of the policy: what stands outside of optional blocks (undefined), or the statements of one branch of a block. */
export type Part = readonly Statement[] | undefined;

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
  /** Those of them that only optional blocks put there, if any. */
  fromBlocks: Set<TypeDeclaration> | undefined;
  expansion: boolean | undefined;
  bounds: TypeDeclaration | undefined;
  /** The part that declares it. */
  readonly home: Part;
}

/** What one part of the policy says of a role. */
export interface RolePart {
  /** Roles and role attributes that it puts into the role attribute. */
  readonly members: Set<RoleDeclaration>;
  /** Roles that the role dominates, itself included. */
  readonly dominates: Set<RoleDeclaration>;
  /** Types and attributes that its statements name, and those that they take out. */
  readonly named: Set<TypeDeclaration>;
  readonly excluded: Set<TypeDeclaration>;
}

/** A name that several parts of the policy may declare: a role, a role attribute or a user. */
interface SharedDeclaration {
  readonly name: string;
  /** Where it is declared; until then, where it is required. */
  token: Token;
  value: number;
  /** Whether some part declares it; the others only require it. */
  isDeclared: boolean;
  /** The parts that declare or require it. XEN: it exists where one of them counts, be it one that only requires it. */
  readonly knownIn: Set<Part>;
}

export interface RoleDeclaration extends SharedDeclaration {
  readonly isAttribute: boolean;
  /** What is said of it outside of optional blocks. */
  readonly outer: RolePart;
  /** What blocks say of it. */
  readonly inBlocks: Map<Part, RolePart>;
  /** Of a role attribute: what it holds by all parts that count. Empty until that is known. */
  members: ReadonlySet<RoleDeclaration>;
  /** For a role that a dominance declares: where. Nothing above that place may name it. */
  readonly knownFrom: Token;
}

export interface BooleanDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly isTunable: boolean;
  readonly state: boolean;
  value: number;
  /** The part that declares it. */
  readonly home: Part;
}

/** A level that is still written to; aliases share it. */
interface LevelDraft {
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

/** What one part of the policy says of a user. */
export interface UserPart {
  readonly roles: Set<RoleDeclaration>;
  level: LevelValue | undefined;
  low: LevelValue | undefined;
  high: LevelValue | undefined;
}

export interface UserDeclaration extends SharedDeclaration {
  /** What is said of it outside of optional blocks. */
  readonly outer: UserPart;
  /** What blocks say of it. */
  readonly inBlocks: Map<Part, UserPart>;
}

export interface SidDeclaration {
  readonly name: string;
  readonly token: Token;
  readonly value: number;
}

/**
 * The part on which a type or boolean depends that is declared in a part, given the parts that required it before.
 *
 * XEN: a part that requires a name and then declares it keeps its place among those that know the name, and the last of
 * them passes for the one that declares it.
 */
export function homeOfDeclaration(part: Part, requiredIn: readonly Part[] | undefined): Part {
  return requiredIn?.includes(part) === true ? requiredIn.at(-1) : part;
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
  /** The main branches of optional blocks that do not count: what they alone declare does not exist. */
  lostParts: ReadonlySet<Part> = new Set();
  /**
   * What `require` blocks named so far, as kind and name, and the parts that did: such a name has a place in the tables
   * already.
   */
  readonly required: Map<string, Part[]> = new Map();
  /** Categories have values of their own; aliases do not count. */
  categoryCount = 0;

  /** The role that every object has, declared by nobody. */
  readonly objectRole: RoleDeclaration;

  constructor() {
    this.objectRole = makeRole('object_r', -1, false);
    this.objectRole.isDeclared = true;
    this.objectRole.knownIn.add(undefined);
    this.roles.set('object_r', this.objectRole);
    this.sizes.roles.insert(true);
  }
}

export function makeRolePart(): RolePart {
  return { members: new Set(), dominates: new Set(), named: new Set(), excluded: new Set() };
}

export function makeRole(name: string, token: Token, isAttribute: boolean, knownFrom: Token = 0): RoleDeclaration {
  return {
    name,
    token,
    isAttribute,
    value: 0,
    isDeclared: false,
    knownIn: new Set(),
    outer: makeRolePart(),
    inBlocks: new Map(),
    members: new Set(),
    knownFrom,
  };
}

export function makeUserPart(): UserPart {
  return { roles: new Set(), level: undefined, low: undefined, high: undefined };
}

export function makeType(
  name: string,
  token: Token,
  kind: TypeDeclaration['kind'],
  primary: TypeDeclaration | undefined,
  home?: Part,
): TypeDeclaration {
  return {
    name,
    token,
    kind,
    primary,
    value: 0,
    members: new Set(),
    fromBlocks: undefined,
    expansion: undefined,
    bounds: undefined,
    home,
  };
}

/** The type itself for a type or attribute; what it names for an alias. */
export function primaryOf(type: TypeDeclaration): TypeDeclaration {
  return type.primary ?? type;
}

/** Whether a name is declared in an optional block that does not count. Such a name has a place in the tables, and no number. */
export function isLost({ lostParts }: Declarations, { home }: { readonly home: Part }): boolean {
  return home !== undefined && lostParts.has(home);
}

/** Whether a role or user does not exist: nothing declares it, or all that knows it is in blocks that do not count. */
export function isUnmet({ lostParts }: Declarations, { isDeclared, knownIn }: SharedDeclaration): boolean {
  if (!isDeclared) return true;
  for (const part of knownIn) if (part === undefined || !lostParts.has(part)) return false;
  return true;
}
