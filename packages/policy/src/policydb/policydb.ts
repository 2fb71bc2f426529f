/**
 * The policy as data: what the compiler makes, the reader reads, the writer writes and everything else works on.
 *
 * Numbers are the values of the binary format: symbols count from 1. Lists are in the order of the file.
 * Format: Xen `xen/xsm/flask/ss/policydb.h`; libsepol `policydb/policydb.h`.
 *
 * Imports: nothing outside this folder.
 * Start reading at `PolicyDb`.
 *
 * @module
 */
import type { Ebitmap } from './ebitmap.ts';
import type { RuleTable } from './rule-table.ts';
import type { TypeSets } from './type-sets.ts';

declare const brand: unique symbol;

/** Permission bits of one object class; bit n is the class's permission n + 1. */
export type AccessVector = number & { readonly [brand]: 'AccessVector' };

/** The vector with these bits. */
export function accessVector(bits: number): AccessVector {
  // Brand constructor: every vector is made here, as an unsigned 32-bit number.
  return (bits >>> 0) as AccessVector;
}

/** The symbols of one kind. */
export interface SymbolTable<T extends { readonly name: string }> {
  /** Highest value given out. */
  readonly primaryCount: number;
  /** In the order of the file, which is the order of libsepol's hash table. */
  readonly entries: readonly T[];
  readonly byName: ReadonlyMap<string, T>;
}

/** A permission of a class or of a common. */
export interface PermissionSymbol {
  readonly name: string;
  /** Bit number plus 1. */
  readonly value: number;
}

/** A set of permissions that classes share. */
export interface CommonSymbol {
  readonly name: string;
  readonly value: number;
  readonly permissionCount: number;
  readonly permissions: readonly PermissionSymbol[];
}

/** One step of a constraint expression in postfix order. Numbers are `CEXPR_…`. */
export type ConstraintStep =
  | { readonly kind: 'not' | 'and' | 'or' }
  | { readonly kind: 'attribute'; readonly attribute: number; readonly operator: number }
  | {
      readonly kind: 'names';
      readonly attribute: number;
      readonly operator: number;
      /** The users, roles or types meant, attributes replaced by their members; bit = value - 1. */
      readonly names: Ebitmap;
      /** The types and attributes as written; empty for users and roles. */
      readonly written: Ebitmap;
    };

/** What else must hold for some permissions, beside the rules. */
export interface Constraint {
  /** The permissions that need the expression to hold; 0 for `validatetrans`. */
  readonly permissions: AccessVector;
  readonly expression: readonly ConstraintStep[];
}

/** Which side gives the user, role, type or range of a new object; 0 for the class's own rule. */
export interface ObjectDefaults {
  readonly user: number;
  readonly role: number;
  readonly type: number;
  readonly range: number;
}

/** An object class. */
export interface ClassSymbol {
  readonly name: string;
  readonly value: number;
  /** Name of the common whose permissions come first, if any. */
  readonly common: string | undefined;
  /** Permissions in all, those of the common included. */
  readonly permissionCount: number;
  /** The class's own permissions. */
  readonly permissions: readonly PermissionSymbol[];
  readonly constraints: readonly Constraint[];
  readonly validateTransitions: readonly Constraint[];
  readonly defaults: ObjectDefaults;
}

/** A role. */
export interface RoleSymbol {
  readonly name: string;
  readonly value: number;
  /** Value of the role that bounds this one, or 0. */
  readonly bounds: number;
  readonly dominates: Ebitmap;
  readonly types: Ebitmap;
}

/** A type, an attribute, or another name of a type. */
export interface TypeSymbol {
  readonly name: string;
  /** An alias has the value of the type that it names. */
  readonly value: number;
  readonly kind: 'type' | 'attribute' | 'alias';
  /** Value of the type that bounds this one, or 0. */
  readonly bounds: number;
}

/** A sensitivity with categories. */
export interface MlsLevel {
  /** Value of the sensitivity; 0 in a policy without MLS. */
  readonly sensitivity: number;
  readonly categories: Ebitmap;
}

/** The two levels of a context. */
export interface MlsRange {
  readonly low: MlsLevel;
  readonly high: MlsLevel;
}

/** A user. */
export interface UserSymbol {
  readonly name: string;
  readonly value: number;
  readonly bounds: number;
  readonly roles: Ebitmap;
  readonly range: MlsRange;
  readonly defaultLevel: MlsLevel;
}

/** A boolean with its default. */
export interface BooleanSymbol {
  readonly name: string;
  readonly value: number;
  readonly state: boolean;
}

/** A sensitivity, or another name of one. */
export interface SensitivitySymbol {
  readonly name: string;
  readonly isAlias: boolean;
  readonly level: MlsLevel;
}

/** A category, or another name of one. */
export interface CategorySymbol {
  readonly name: string;
  readonly value: number;
  readonly isAlias: boolean;
}

/** A security context as numbers. */
export interface Context {
  readonly user: number;
  readonly role: number;
  readonly type: number;
  readonly range: MlsRange;
}

/** One step of a conditional's expression in postfix order: `COND_…`, and the boolean's value for `COND_BOOL`. */
export interface ConditionStep {
  readonly operator: number;
  readonly boolean: number;
}

/** A conditional block: an `if` over booleans, and the rules of its two branches. */
export interface Conditional {
  readonly expression: readonly ConditionStep[];
  /** Value of the expression under the booleans' defaults. */
  readonly state: boolean;
  readonly whenTrue: RuleTable;
  readonly whenFalse: RuleTable;
}

/** `allow` between roles: a role may become another one. */
export interface RoleAllow {
  readonly role: number;
  readonly newRole: number;
}

/** `role_transition`: the role that something new gets. */
export interface RoleTransition {
  readonly role: number;
  readonly type: number;
  readonly tclass: number;
  readonly newRole: number;
}

/** `type_transition` for a new object of a certain name. */
export interface FilenameTransition {
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly name: string;
  readonly result: number;
}

/** `range_transition`: the range that something new gets. */
export interface RangeTransition {
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly range: MlsRange;
}

/** The label of an initial SID. */
export interface InitialSidContext {
  readonly sid: number;
  readonly context: Context;
}

/** The label of one number: an interrupt, a PCI device. */
export interface NumberContext {
  readonly number: number;
  readonly context: Context;
}

/** The label of a range of I/O ports or of machine frames, both ends included. */
export interface RangeContext {
  readonly low: bigint;
  readonly high: bigint;
  readonly context: Context;
}

/** The label of a node of the device tree. */
export interface PathContext {
  readonly path: string;
  readonly context: Context;
}

/** Labels of things that are not domains (object contexts). */
export interface ObjectContexts {
  readonly initialSids: readonly InitialSidContext[];
  readonly pirqs: readonly NumberContext[];
  readonly ioports: readonly RangeContext[];
  readonly iomem: readonly RangeContext[];
  readonly pciDevices: readonly NumberContext[];
  readonly deviceTree: readonly PathContext[];
}

/** What Xen is to do with permissions that the policy does not know. */
export type HandleUnknown = 'deny' | 'reject' | 'allow';

/** A policy. */
export interface PolicyDb {
  readonly isMls: boolean;
  readonly handleUnknown: HandleUnknown;
  readonly policyCapabilities: Ebitmap;
  /** Permissive types; bit = value, not value - 1. */
  readonly permissive: Ebitmap;
  readonly commons: SymbolTable<CommonSymbol>;
  readonly classes: SymbolTable<ClassSymbol>;
  readonly roles: SymbolTable<RoleSymbol>;
  readonly types: SymbolTable<TypeSymbol>;
  readonly users: SymbolTable<UserSymbol>;
  readonly booleans: SymbolTable<BooleanSymbol>;
  readonly sensitivities: SymbolTable<SensitivitySymbol>;
  readonly categories: SymbolTable<CategorySymbol>;
  /** The sets that the rules refer to. */
  readonly typeSets: TypeSets;
  /**
   * Rules outside conditionals. Where `isExpanded`, the rows are the entries of a binary in its order; otherwise they
   * are the rules as written, and the writer makes the entries.
   */
  readonly rules: RuleTable;
  readonly conditionals: readonly Conditional[];
  readonly isExpanded: boolean;
  readonly roleTransitions: readonly RoleTransition[];
  readonly roleAllows: readonly RoleAllow[];
  readonly filenameTransitions: readonly FilenameTransition[];
  readonly objectContexts: ObjectContexts;
  readonly rangeTransitions: readonly RangeTransition[];
  /** For each type the type itself and its attributes, by value - 1; for an attribute itself. Bit = value - 1. */
  readonly typeAttributeMap: readonly Ebitmap[];
}

/** Makes a table of symbols that are already in file order. */
export function symbolTable<T extends { readonly name: string }>(
  entries: readonly T[],
  primaryCount: number,
): SymbolTable<T> {
  return { entries, primaryCount, byName: new Map(entries.map((entry) => [entry.name, entry])) };
}
