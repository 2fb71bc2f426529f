/**
 * The rules of a compiled policy as decisions need them, without making the million entries that type rules can become.
 *
 * Rules about permissions are expanded as the writer does it. A type rule is looked for among the statements when somebody
 * asks for one pair of types.
 * Format: libsepol `expand.c`, `expand_terule_helper`.
 *
 * @module
 */
import { type AvEntries, ENTRY_WORDS, firstDatum, isTypeKind, storedKind } from './av-entries.ts';
import { hasMember } from './ebitmap.ts';
import { expandConditionals } from './expand-conditionals.ts';
import { rowKeys } from './expand-rules.ts';
import { AVRULE_NEVERALLOW, AVTAB_ENABLED } from './format.ts';
import type { Conditional, PolicyDb } from './policydb.ts';
import { RuleTable } from './rule-table.ts';

function asTable({ words, count }: AvEntries): RuleTable {
  const own = words.slice(0, count * ENTRY_WORDS);
  for (let at = 1; at < own.length; at += ENTRY_WORDS) own[at] = (own[at] ?? 0) & ~(AVTAB_ENABLED << 16);
  return RuleTable.ofEntries(own);
}

/** The rules of a compiled policy. */
export class WrittenRules {
  readonly #policy: PolicyDb;
  #rowsByClass: readonly (readonly number[] | undefined)[] | undefined;
  /** The rows of type rules by each type that is a source of theirs, ascending. */
  #rowsBySource: Map<number, number[]> | undefined;

  /** @param policy as the compiler made it, without clashes */
  constructor(policy: PolicyDb) {
    this.#policy = policy;
  }

  /** The entries about a class outside of conditional blocks that give permissions; one key may have several. */
  vectorsOf(tclass: number): RuleTable {
    const { rules, typeSets } = this.#policy;
    const found = new RuleTable();
    const { kind: kinds, data: datas, self: selves } = rules;
    for (const row of this.#vectorRows()[tclass] ?? []) {
      const kind = kinds[row] ?? 0;
      const data = firstDatum(kind, datas[row] ?? 0);
      // Most rows are about two types: nothing has to be expanded for them.
      const [from, to] = [typeSets.single(rules.source[row] ?? 0), typeSets.single(rules.target[row] ?? 0)];
      if (from !== 0 && to !== 0) {
        if (selves[row] === 1) found.push(storedKind(kind), from, from, false, tclass, data, 0);
        found.push(storedKind(kind), from, to, false, tclass, data, 0);
        continue;
      }
      const { sources, targets } = rowKeys(rules, row, typeSets);
      for (const source of sources) {
        if (selves[row] === 1) found.push(storedKind(kind), source, source, false, tclass, data, 0);
        for (const target of targets) found.push(storedKind(kind), source, target, false, tclass, data, 0);
      }
    }
    return found;
  }

  /** The rows that give permissions, by their class. */
  #vectorRows(): readonly (readonly number[] | undefined)[] {
    if (this.#rowsByClass === undefined) {
      const { kind: kinds, tclass: classes, length } = this.#policy.rules;
      const rows: number[][] = [];
      for (let row = 0; row < length; row++) {
        const kind = kinds[row] ?? 0;
        if (isTypeKind(kind) || kind === AVRULE_NEVERALLOW) continue;
        const tclass = classes[row] ?? 0;
        const known = rows[tclass];
        if (known === undefined) rows[tclass] = [row];
        else known.push(row);
      }
      this.#rowsByClass = rows;
    }
    return this.#rowsByClass;
  }

  /** The conditional blocks, their rules as entries. */
  conditionals(): Conditional[] {
    const { conditionals, typeSets } = this.#policy;
    const { blocks } = expandConditionals(conditionals, typeSets, (source, target, tclass, kind) =>
      this.typeRule(kind, source, target, tclass),
    );
    return conditionals.map((conditional, i) => {
      const block = blocks[i];
      if (block === undefined) return conditional;
      return { ...conditional, whenTrue: asTable(block.whenTrue), whenFalse: asTable(block.whenFalse) };
    });
  }

  #rows(source: number): readonly number[] {
    if (this.#rowsBySource === undefined) {
      this.#rowsBySource = new Map();
      const { rules, typeSets } = this.#policy;
      const { kind, length } = rules;
      for (let row = 0; row < length; row++) {
        if (!isTypeKind(kind[row] ?? 0)) continue;
        for (const one of rowKeys(rules, row, typeSets).sources) {
          const known = this.#rowsBySource.get(one);
          if (known === undefined) this.#rowsBySource.set(one, [row]);
          else known.push(row);
        }
      }
    }
    return this.#rowsBySource.get(source) ?? [];
  }

  /**
   * The type that the rules outside of conditional blocks give for just these two types, or undefined.
   *
   * Where one class of a statement repeats an earlier rule, the rest of the statement's classes is dropped for that pair.
   */
  typeRule(kind: number, source: number, target: number, tclass: number): number | undefined {
    const { rules, typeSets } = this.#policy;
    const known = new Map<number, number>();
    let broken = -1;
    for (const row of this.#rows(source)) {
      if (rules.kind[row] !== kind || rules.statement[row] === broken) continue;
      const isTarget =
        (rules.self[row] === 1 && source === target) || hasMember(rowKeys(rules, row, typeSets).targets, target);
      if (!isTarget) continue;
      const own = rules.tclass[row] ?? 0;
      if (known.has(own)) broken = rules.statement[row] ?? -1;
      else known.set(own, rules.data[row] ?? 0);
    }
    return known.get(tclass);
  }
}
