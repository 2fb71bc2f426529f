/**
 * Reads the eight symbol tables of a binary policy.
 *
 * Format: Xen `xen/xsm/flask/ss/policydb.c` (`common_read`, `class_read`, `role_read`, `type_read`, `user_read`,
 * `cond_read_bool`, `sens_read`, `cat_read`).
 *
 * @module
 */
import type { ByteReader } from './byte-reader.ts';
import { Ebitmap } from './ebitmap.ts';
import * as format from './format.ts';
import {
  accessVector,
  type BooleanSymbol,
  type CategorySymbol,
  type ClassSymbol,
  type CommonSymbol,
  type Constraint,
  type ConstraintStep,
  type MlsLevel,
  type MlsRange,
  type PermissionSymbol,
  type RoleSymbol,
  type SensitivitySymbol,
  type SymbolTable,
  symbolTable,
  type TypeSymbol,
  type UserSymbol,
} from './policydb.ts';

/** Highest number of types, attributes and classes: the access vector table holds 16-bit keys. */
const MAX_KEY = 0xffff;
/** No user, role, sensitivity or category bit may lie above this; libsepol's own limit is far below. */
const MAX_SYMBOLS = 1 << 24;

/** The symbol tables of a policy. */
export interface Symbols {
  readonly commons: SymbolTable<CommonSymbol>;
  readonly classes: SymbolTable<ClassSymbol>;
  readonly roles: SymbolTable<RoleSymbol>;
  readonly types: SymbolTable<TypeSymbol>;
  readonly users: SymbolTable<UserSymbol>;
  readonly booleans: SymbolTable<BooleanSymbol>;
  readonly sensitivities: SymbolTable<SensitivitySymbol>;
  readonly categories: SymbolTable<CategorySymbol>;
}

/** Reads one table; `read` is given the table's highest value, which no symbol's value may exceed. */
function readTable<T extends { readonly name: string }>(
  input: ByteReader,
  what: string,
  size: number,
  maximum: number,
  read: (primaryCount: number) => T,
): SymbolTable<T> {
  const start = input.offset;
  const primaryCount = input.u32(what);
  if (primaryCount > Math.min(maximum, start + input.remaining))
    input.fail({ kind: 'bad-count', what, count: primaryCount }, start);
  const count = input.count(size, what);
  const entries: T[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    const at = input.offset;
    const symbol = read(primaryCount);
    if (names.has(symbol.name)) input.fail({ kind: 'duplicate', what, name: symbol.name }, at);
    names.add(symbol.name);
    entries.push(symbol);
  }
  return symbolTable(entries, primaryCount);
}

function readValue(input: ByteReader, maximum: number, what: string): number {
  const value = input.u32(what);
  if (value === 0 || value > maximum) input.fail({ kind: 'bad-value', what, value }, input.offset - 4);
  return value;
}

function readBounds(input: ByteReader, maximum: number, what: string): number {
  const value = input.u32(what);
  if (value > maximum) input.fail({ kind: 'bad-value', what, value }, input.offset - 4);
  return value;
}

function readPermissions(input: ByteReader, count: number, maximum: number): PermissionSymbol[] {
  const permissions: PermissionSymbol[] = [];
  for (let i = 0; i < count; i++) {
    const length = input.u32('permission');
    const value = readValue(input, maximum, 'permission');
    permissions.push({ value, name: input.name(length, 'permission') });
  }
  return permissions;
}

function readPermissionCounts(input: ByteReader): { total: number; own: number } {
  const total = input.u32('permissions');
  if (total > 32) input.fail({ kind: 'bad-value', what: 'number of permissions', value: total }, input.offset - 4);
  const own = input.u32('permissions');
  if (own > total) input.fail({ kind: 'bad-value', what: 'number of permissions', value: own }, input.offset - 4);
  return { total, own };
}

function readLevel(input: ByteReader): MlsLevel {
  const sensitivity = input.u32('level');
  return { sensitivity, categories: input.ebitmap(MAX_SYMBOLS, 'categories') };
}

export function readRange(input: ByteReader): MlsRange {
  const items = input.u32('range');
  if (items !== 1 && items !== 2)
    input.fail({ kind: 'bad-value', what: 'number of levels', value: items }, input.offset - 4);
  const lowSensitivity = input.u32('range');
  const highSensitivity = items === 2 ? input.u32('range') : lowSensitivity;
  const lowCategories = input.ebitmap(MAX_SYMBOLS, 'categories');
  const highCategories = items === 2 ? input.ebitmap(MAX_SYMBOLS, 'categories') : lowCategories;
  return {
    low: { sensitivity: lowSensitivity, categories: lowCategories },
    high: { sensitivity: highSensitivity, categories: highCategories },
  };
}

function readConstraintStep(input: ByteReader, version: number): ConstraintStep {
  const start = input.offset;
  const type = input.u32('constraint');
  const attribute = input.u32('constraint');
  const operator = input.u32('constraint');
  switch (type) {
    case format.CEXPR_NOT:
      return { kind: 'not' };
    case format.CEXPR_AND:
      return { kind: 'and' };
    case format.CEXPR_OR:
      return { kind: 'or' };
    case format.CEXPR_ATTR:
      return { kind: 'attribute', attribute, operator };
    case format.CEXPR_NAMES: {
      const names = input.ebitmap(MAX_SYMBOLS, 'names of a constraint');
      let written = Ebitmap.empty;
      if (version >= format.POLICYDB_VERSION_CONSTRAINT_NAMES) {
        written = input.ebitmap(MAX_SYMBOLS, 'names of a constraint');
        input.ebitmap(MAX_SYMBOLS, 'names of a constraint');
        input.u32('constraint');
      }
      return { kind: 'names', attribute, operator, names, written };
    }
    default:
      return input.fail({ kind: 'bad-value', what: 'kind of constraint term', value: type }, start);
  }
}

/** A constraint whose steps use the stack as an expression does: never empty, never too deep, one value at the end. */
function readConstraint(input: ByteReader, version: number): Constraint {
  const permissions = accessVector(input.u32('constraint'));
  const start = input.offset;
  const count = input.count(12, 'constraint');
  const expression: ConstraintStep[] = [];
  let depth = 0;
  for (let i = 0; i < count; i++) {
    const step = readConstraintStep(input, version);
    const needed = step.kind === 'not' ? 1 : step.kind === 'and' || step.kind === 'or' ? 2 : 0;
    if (depth < needed) input.fail({ kind: 'bad-value', what: 'constraint expression', value: step.kind }, start);
    depth += needed === 0 ? 1 : needed === 2 ? -1 : 0;
    if (depth > format.CEXPR_MAXDEPTH)
      input.fail({ kind: 'bad-value', what: 'depth of a constraint', value: depth }, start);
    expression.push(step);
  }
  if (depth !== 1) input.fail({ kind: 'bad-value', what: 'constraint expression', value: count }, start);
  return { permissions, expression };
}

function readConstraints(input: ByteReader, count: number, version: number): Constraint[] {
  return Array.from({ length: count }, () => readConstraint(input, version));
}

function readClass(input: ByteReader, primaryCount: number, version: number): ClassSymbol {
  const nameLength = input.u32('class');
  const commonLength = input.u32('class');
  const value = readValue(input, primaryCount, 'class');
  const { total, own } = readPermissionCounts(input);
  const constraintCount = input.count(8, 'constraints');
  const name = input.name(nameLength, 'class');
  const common = commonLength === 0 ? undefined : input.name(commonLength, 'common');
  const permissions = readPermissions(input, own, total);
  const constraints = readConstraints(input, constraintCount, version);
  const validateTransitions = readConstraints(input, input.count(8, 'constraints'), version);
  let user = 0;
  let role = 0;
  let range = 0;
  let type = 0;
  if (version >= format.POLICYDB_VERSION_NEW_OBJECT_DEFAULTS) {
    user = readBounds(input, 2, 'default user');
    role = readBounds(input, 2, 'default role');
    range = readBounds(input, format.DEFAULT_GLBLUB, 'default range');
  }
  if (version >= format.POLICYDB_VERSION_DEFAULT_TYPE) type = readBounds(input, 2, 'default type');
  return {
    name,
    value,
    common,
    permissionCount: total,
    permissions,
    constraints,
    validateTransitions,
    defaults: { user, role, range, type },
  };
}

function readType(input: ByteReader, primaryCount: number): TypeSymbol {
  const length = input.u32('type');
  const value = readValue(input, primaryCount, 'type');
  const properties = input.u32('type');
  if (properties > 3 || properties === format.TYPE_FLAG_ATTRIBUTE) {
    input.fail({ kind: 'bad-value', what: 'properties of a type', value: properties }, input.offset - 4);
  }
  const bounds = readBounds(input, primaryCount, 'bounds of a type');
  const kind = properties === 0 ? 'alias' : (properties & format.TYPE_FLAG_ATTRIBUTE) === 0 ? 'type' : 'attribute';
  return { value, kind, bounds, name: input.name(length, 'type') };
}

/** Reads the symbol tables, which follow the policy's permissive map. */
export function readSymbols(input: ByteReader, version: number): Symbols {
  const commons = readTable(input, 'commons', 16, MAX_KEY, (primaryCount): CommonSymbol => {
    const length = input.u32('common');
    const value = readValue(input, primaryCount, 'common');
    const { total, own } = readPermissionCounts(input);
    const name = input.name(length, 'common');
    return { name, value, permissionCount: total, permissions: readPermissions(input, own, total) };
  });
  const classes = readTable(input, 'classes', 28, MAX_KEY, (primaryCount) => readClass(input, primaryCount, version));
  const roles = readTable(input, 'roles', 36, MAX_SYMBOLS, (primaryCount): RoleSymbol => {
    const length = input.u32('role');
    const value = readValue(input, primaryCount, 'role');
    const bounds = readBounds(input, primaryCount, 'bounds of a role');
    const name = input.name(length, 'role');
    const dominates = input.ebitmap(primaryCount, 'roles');
    return { name, value, bounds, dominates, types: input.ebitmap(MAX_KEY, 'types of a role') };
  });
  const types = readTable(input, 'types', 16, MAX_KEY, (primaryCount) => readType(input, primaryCount));
  const users = readTable(input, 'users', 40, MAX_SYMBOLS, (primaryCount): UserSymbol => {
    const length = input.u32('user');
    const value = readValue(input, primaryCount, 'user');
    const bounds = readBounds(input, primaryCount, 'bounds of a user');
    const name = input.name(length, 'user');
    const userRoles = input.ebitmap(roles.primaryCount, 'roles of a user');
    const range = readRange(input);
    return { name, value, bounds, roles: userRoles, range, defaultLevel: readLevel(input) };
  });
  const booleans = readTable(input, 'booleans', 12, MAX_SYMBOLS, (primaryCount): BooleanSymbol => {
    const value = readValue(input, primaryCount, 'boolean');
    const state = readBounds(input, 1, 'state of a boolean') === 1;
    return { value, state, name: input.name(input.u32('boolean'), 'boolean') };
  });
  const sensitivities = readTable(input, 'sensitivities', 24, MAX_SYMBOLS, (): SensitivitySymbol => {
    const length = input.u32('sensitivity');
    const isAlias = input.u32('sensitivity') !== 0;
    const name = input.name(length, 'sensitivity');
    return { name, isAlias, level: readLevel(input) };
  });
  const categories = readTable(input, 'categories', 12, MAX_SYMBOLS, (primaryCount): CategorySymbol => {
    const length = input.u32('category');
    const value = readValue(input, primaryCount, 'category');
    const isAlias = input.u32('category') !== 0;
    return { value, isAlias, name: input.name(length, 'category') };
  });
  return { commons, classes, roles, types, users, booleans, sensitivities, categories };
}
