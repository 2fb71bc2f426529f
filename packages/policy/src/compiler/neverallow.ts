/**
 * Checks `neverallow` rules against every `allow` rule, in conditional blocks too.
 *
 * Works on rules as written, so that a report can show both rules; it finds a violation exactly where libsepol finds one.
 * Format: libsepol `assertion.c` (`check_assertion_avtab_match`, `report_assertion_avtab_matches`).
 *
 * @module
 */
import {
  AVRULE_NEVERALLOW,
  AVTAB_ALLOWED,
  type Conditional,
  hasMember,
  type RuleTable,
  ruleTables,
  type TypeSets,
} from '../policydb/index.ts';

/** An `allow` rule that a `neverallow` rule forbids, with one pair of types that shows it. */
export interface Violation {
  /** Offsets of the two statements in the policy text. */
  readonly neverallow: number;
  readonly allow: number;
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly permissions: number;
}

type IsLeftOut = (type: number) => boolean;

/** So much longer is a list in which the members of the other one are looked for, instead of going through both. */
const MUCH_LONGER = 16;

/** The first member of two ascending lists that is not left out. */
function firstCommon(a: Uint32Array, b: Uint32Array, isLeftOut: IsLeftOut): number | undefined {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length * MUCH_LONGER < long.length)
    return short.find((value) => hasMember(long, value) && !isLeftOut(value));
  let j = 0;
  for (let i = 0; i < a.length; i++) {
    const value = a[i] ?? 0;
    while (j < b.length && (b[j] ?? 0) < value) j++;
    if (b[j] === value && !isLeftOut(value)) return value;
  }
  return undefined;
}

function common(a: Uint32Array, b: Uint32Array): Uint32Array {
  const out: number[] = [];
  let j = 0;
  for (const value of a) {
    while (j < b.length && (b[j] ?? 0) < value) j++;
    if (b[j] === value) out.push(value);
  }
  return Uint32Array.from(out);
}

/** Answers about pairs of sets, each computed once. */
class Intersections {
  readonly #sets: TypeSets;
  readonly #known = new Map<number, number>();
  readonly isLeftOut: IsLeftOut;

  constructor(sets: TypeSets, isLeftOut: IsLeftOut) {
    this.#sets = sets;
    this.isLeftOut = isLeftOut;
  }

  first(a: number, b: number): number | undefined {
    const key = a * 0x200000 + b;
    let found = this.#known.get(key);
    if (found === undefined) {
      found = firstCommon(this.#sets.members(a), this.#sets.members(b), this.isLeftOut) ?? 0;
      this.#known.set(key, found);
    }
    return found === 0 ? undefined : found;
  }
}

/** An example pair of types that both rules mean. */
function examplePair(
  sets: TypeSets,
  meets: Intersections,
  never: { readonly source: number; readonly target: number; readonly self: boolean },
  allow: { readonly source: number; readonly target: number; readonly self: boolean },
): { source: number; target: number } | undefined {
  const source = meets.first(never.source, allow.source);
  if (source === undefined) return undefined;
  const firstOf = (types: Uint32Array): number | undefined => types.find((type) => !meets.isLeftOut(type));
  if (!never.self) {
    const target = meets.first(never.target, allow.target);
    if (target !== undefined) return { source, target };
    if (!allow.self) return undefined;
    const both = firstOf(
      common(common(sets.members(never.source), sets.members(never.target)), sets.members(allow.source)),
    );
    return both === undefined ? undefined : { source: both, target: both };
  }
  // XEN: with `self` libsepol reports pairs of equal types only, whatever else the target names.
  const sources = common(sets.members(never.source), sets.members(allow.source));
  const equal = firstOf(allow.self ? sources : common(sources, sets.members(allow.target)));
  return equal === undefined ? undefined : { source: equal, target: equal };
}

/**
 * Every pair of a `neverallow` rule and an `allow` rule that contradict each other, the rules in written order. Types that
 * are left out show no violation.
 */
export function findViolations(
  rules: RuleTable,
  conditionals: readonly Conditional[],
  sets: TypeSets,
  isLeftOut: IsLeftOut,
): Violation[] {
  const never: number[] = [];
  for (let row = 0; row < rules.length; row++) if (rules.kind[row] === AVRULE_NEVERALLOW) never.push(row);
  if (never.length === 0) return [];
  const byClass = new Map<number, { table: RuleTable; row: number }[]>();
  for (const table of ruleTables({ rules, conditionals })) {
    for (let row = 0; row < table.length; row++) {
      if (table.kind[row] !== AVTAB_ALLOWED) continue;
      const tclass = table.tclass[row] ?? 0;
      const list = byClass.get(tclass);
      if (list === undefined) byClass.set(tclass, [{ table, row }]);
      else list.push({ table, row });
    }
  }
  const meets = new Intersections(sets, isLeftOut);
  const rowOf = (table: RuleTable, row: number): { source: number; target: number; self: boolean } => ({
    source: table.source[row] ?? 0,
    target: table.target[row] ?? 0,
    self: table.self[row] === 1,
  });
  const violations: Violation[] = [];
  for (const neverRow of never) {
    const tclass = rules.tclass[neverRow] ?? 0;
    for (const { table, row } of byClass.get(tclass) ?? []) {
      const permissions = ((table.data[row] ?? 0) & (rules.data[neverRow] ?? 0)) >>> 0;
      if (permissions === 0) continue;
      const pair = examplePair(sets, meets, rowOf(rules, neverRow), rowOf(table, row));
      if (pair === undefined) continue;
      violations.push({
        neverallow: rules.statement[neverRow] ?? 0,
        allow: table.statement[row] ?? 0,
        ...pair,
        tclass,
        permissions,
      });
    }
  }
  return violations;
}
