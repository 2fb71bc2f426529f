/**
 * The entries of a policy's rule tables that a question can be about.
 *
 * A policy that was read has entries already. Of a compiled one, the rows whose sets can match are expanded, as the writer
 * would, and remembered, so that an entry can be traced back to the statements behind it.
 *
 * @module
 */
import {
  AVRULE_DONTAUDIT,
  AVRULE_NEVERALLOW,
  AVTAB_AUDITDENY,
  type AvEntries,
  ENTRY_WORDS,
  expandPolicyRules,
  isTypeKind,
  type PolicyDb,
  RuleTable,
  rowKeys,
  ruleTables,
} from '../policydb/index.ts';
import type { Matcher } from './query-matchers.ts';

/** Flags of the stored kind that are no part of it. */
const KIND_MASK = 0x7fff;

const storedKind = (kind: number): number => (kind === AVRULE_DONTAUDIT ? AVTAB_AUDITDENY : kind);

function entriesAsRows({ count, words }: AvEntries): RuleTable {
  const rows = new RuleTable();
  for (let i = 0; i < count; i++) {
    const keys = words[i * ENTRY_WORDS] ?? 0;
    const header = words[i * ENTRY_WORDS + 1] ?? 0;
    rows.push(
      (header >>> 16) & KIND_MASK,
      keys & 0xffff,
      keys >>> 16,
      false,
      header & 0xffff,
      words[i * ENTRY_WORDS + 2] ?? 0,
      0,
    );
  }
  return rows;
}

/** Tables are numbered: 0 is the one outside conditionals, then two for each conditional. */
export class EntrySource {
  readonly source: Matcher;
  readonly target: Matcher;
  readonly #policy: PolicyDb;
  readonly #tables: readonly RuleTable[];
  /** Rows as written that can match, by table, kind and class. */
  readonly #written = new Map<string, { readonly table: RuleTable; readonly row: number }[]>();
  readonly #sets = new Map<Uint32Array, ReadonlySet<number>>();

  constructor(policy: PolicyDb, source: Matcher, target: Matcher, wants: (kind: number) => boolean) {
    this.#policy = policy;
    this.source = source;
    this.target = target;
    const written = ruleTables(policy);
    if (policy.isExpanded) {
      this.#tables = written;
      return;
    }
    const kept = written.map((table, number) => this.#keep(table, number, wants));
    const conditionals = policy.conditionals.map((conditional, i) => ({
      ...conditional,
      whenTrue: kept[1 + 2 * i] ?? new RuleTable(),
      whenFalse: kept[2 + 2 * i] ?? new RuleTable(),
    }));
    const { entries, blocks } = expandPolicyRules({ ...policy, rules: kept[0] ?? new RuleTable(), conditionals }).rules;
    this.#tables = [entries, ...blocks.flatMap(({ whenTrue, whenFalse }) => [whenTrue, whenFalse])].map(entriesAsRows);
  }

  /** The rows of a table that can be behind an answer. */
  #keep(table: RuleTable, number: number, wants: (kind: number) => boolean): RuleTable {
    const kept = new RuleTable();
    const { typeSets } = this.#policy;
    /** Whether a set has something that is meant, by its id: most rows name the same few. */
    const ofSource: (boolean | undefined)[] = [];
    const ofTarget: (boolean | undefined)[] = [];
    const isMatch = (matches: Matcher, known: (boolean | undefined)[], id: number, isWhole: boolean): boolean => {
      const at = id * 2 + (isWhole ? 1 : 0);
      let answer = known[at];
      if (answer === undefined) {
        answer = (isWhole ? typeSets.members(id) : typeSets.keys(id)).some(matches);
        known[at] = answer;
      }
      return answer;
    };
    for (let row = 0; row < table.length; row++) {
      const kind = table.kind[row] ?? 0;
      if (kind === AVRULE_NEVERALLOW || !wants(storedKind(kind))) continue;
      const isSelf = table.self[row] === 1;
      const isWhole = isSelf || isTypeKind(kind);
      const sources = table.source[row] ?? 0;
      if (!isMatch(this.source, ofSource, sources, isWhole)) continue;
      // All classes of a type rule stay: one that repeats an earlier rule takes others with it.
      const isEnd = isMatch(this.target, ofTarget, table.target[row] ?? 0, isWhole);
      if (!isEnd && !(isSelf && isMatch(this.target, ofTarget, sources, isWhole))) continue;
      kept.pushRow(table, row);
      const key = `${number}:${storedKind(kind)}:${table.tclass[row] ?? 0}`;
      const known = this.#written.get(key);
      if (known === undefined) this.#written.set(key, [{ table, row }]);
      else known.push({ table, row });
    }
    return kept;
  }

  table(number: number): RuleTable {
    return this.#tables[number] ?? new RuleTable();
  }

  #setOf(values: Uint32Array): ReadonlySet<number> {
    let set = this.#sets.get(values);
    if (set === undefined) {
      set = new Set(values);
      this.#sets.set(values, set);
    }
    return set;
  }

  /** The statements behind an entry, in the order written. */
  statementsOf(table: number, kind: number, source: number, target: number, tclass: number): number[] {
    const found = new Set<number>();
    for (const { table: rules, row } of this.#written.get(`${table}:${kind}:${tclass}`) ?? []) {
      const { sources, targets } = rowKeys(rules, row, this.#policy.typeSets);
      if (!this.#setOf(sources).has(source)) continue;
      if (this.#setOf(targets).has(target) || (rules.self[row] === 1 && source === target))
        found.add(rules.statement[row] ?? 0);
      // Of several rules about a type, the first one counts.
      if (isTypeKind(kind) && found.size > 0) break;
    }
    return [...found].sort((a, b) => a - b);
  }
}
