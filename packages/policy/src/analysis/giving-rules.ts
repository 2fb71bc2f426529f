/**
 * The rules that give some permissions between two types, as written or as a binary has them, by the policy's numbers.
 * `RuleFinder` answers many such questions by names.
 *
 * @module
 */
import { AVTAB_ALLOWED, hasMember, type PolicyDb, type RuleTable } from '../policydb/index.ts';

/** The conditional block that a rule stands in, by its index, and in which branch. */
export interface RuleBlock {
  readonly conditional: number;
  readonly branch: boolean;
}

/** A rule that gives a permission. */
export interface GivingRule {
  /** The permissions of those asked for that it gives. */
  readonly bits: number;
  readonly row: number;
  readonly table: RuleTable;
  /** As the `statement` column of a compiled policy has it. */
  readonly statement: number;
  readonly block: RuleBlock | undefined;
}

/** Whether a row of rules, of which the source is one, has a type as its target: by its set, or by `self`. */
export function hasTarget(policy: PolicyDb, table: RuleTable, row: number, source: number, target: number): boolean {
  if (table.self[row] === 1 && source === target) return true;
  return hasMember(policy.typeSets.members(table.target[row] ?? 0), target);
}

/** Whether a row of rules is about a pair of types. */
export function isAbout(policy: PolicyDb, table: RuleTable, row: number, source: number, target: number): boolean {
  if (!hasMember(policy.typeSets.members(table.source[row] ?? 0), source)) return false;
  return hasTarget(policy, table, row, source, target);
}

/** All rules of a kind that have one of the bits for a pair of types, in the order of the policy. */
export function rulesGiving(
  policy: PolicyDb,
  source: number,
  target: number,
  tclass: number,
  bits: number,
  kind: number = AVTAB_ALLOWED,
): GivingRule[] {
  const found: GivingRule[] = [];
  const look = (whole: RuleTable, block: GivingRule['block']): void => {
    const table = policy.isExpanded ? whole.vectorsOf(tclass) : whole;
    const { kind: kinds, tclass: classes, data, statement } = table;
    for (let row = 0; row < table.length; row++) {
      if (classes[row] !== tclass || ((kinds[row] ?? 0) & kind) === 0 || kinds[row] === 0) continue;
      const given = ((data[row] ?? 0) & bits) >>> 0;
      if (given === 0 || !isAbout(policy, table, row, source, target)) continue;
      found.push({ bits: given, row, table, statement: statement[row] ?? 0, block });
    }
  };
  look(policy.rules, undefined);
  policy.conditionals.forEach(({ whenTrue, whenFalse }, conditional) => {
    look(whenTrue, { conditional, branch: true });
    look(whenFalse, { conditional, branch: false });
  });
  return found;
}
