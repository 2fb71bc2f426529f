/**
 * Makes the entries of conditional blocks from rules as written.
 *
 * Format: libsepol `expand.c` (`expand_cond_insert`, `find_avtab_node`), `conditional.c` (`cond_optimize`).
 *
 * @module
 */
import {
  type AvEntries,
  ENTRY_WORDS,
  firstDatum,
  isTypeKind,
  mergedDatum,
  type RuleClash,
  storedKind,
} from './av-entries.ts';
import { rowKeys } from './expand-rules.ts';
import { AVRULE_NEVERALLOW, AVTAB_ENABLED } from './format.ts';
import type { Conditional } from './policydb.ts';
import type { RuleTable } from './rule-table.ts';
import type { TypeSets } from './type-sets.ts';

/** The entries of one conditional block, in the order of the file. */
export interface ConditionalEntries {
  readonly whenTrue: AvEntries;
  readonly whenFalse: AvEntries;
}

interface Entry {
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly kind: number;
  data: number;
  readonly list: EntryList;
}

interface EntryList {
  readonly entries: Entry[];
  readonly isEnabled: boolean;
}

/** Looks up the result of a type rule outside conditionals; undefined where there is none. */
type FindUnconditional = (source: number, target: number, tclass: number, kind: number) => number | undefined;

const keyOf = (source: number, target: number, tclass: number, kind: number): string =>
  `${source}:${target}:${tclass}:${kind}`;

/** libsepol puts each new entry first, then moves type rules to the front one by one. */
function inFileOrder(list: EntryList): AvEntries {
  const reversed = list.entries.toReversed();
  const typeRules = reversed.filter((entry) => isTypeKind(entry.kind)).toReversed();
  const ordered = [...typeRules, ...reversed.filter((entry) => !isTypeKind(entry.kind))];
  const words = new Uint32Array(ordered.length * ENTRY_WORDS);
  const enabled = list.isEnabled ? AVTAB_ENABLED : 0;
  ordered.forEach((entry, i) => {
    words[i * ENTRY_WORDS] = (entry.source | (entry.target << 16)) >>> 0;
    words[i * ENTRY_WORDS + 1] = (entry.tclass | ((entry.kind | enabled) << 16)) >>> 0;
    words[i * ENTRY_WORDS + 2] = entry.data;
  });
  return { count: ordered.length, words };
}

/** The entries of every conditional block, and the type rules in them that clash. */
export function expandConditionals(
  conditionals: readonly Conditional[],
  sets: TypeSets,
  findUnconditional: FindUnconditional,
): { blocks: ConditionalEntries[]; clashes: RuleClash[] } {
  const clashes: RuleClash[] = [];
  // Entries of all blocks by key, newest first: what libsepol's conditional table holds.
  const table = new Map<string, Entry[]>();

  const insert = (
    list: EntryList,
    opposite: EntryList,
    ruleKind: number,
    source: number,
    target: number,
    tclass: number,
    data: number,
  ): boolean => {
    const kind = storedKind(ruleKind);
    const key = keyOf(source, target, tclass, kind);
    const present = table.get(key);
    if (isTypeKind(kind)) {
      const outside = findUnconditional(source, target, tclass, kind);
      const first = present?.[0];
      const clashing = outside ?? (first !== undefined && first.list !== opposite ? first.data : undefined);
      if (clashing !== undefined) {
        const isRepetition = clashing === data && outside === undefined && first?.list === list;
        if (!isRepetition) {
          clashes.push({
            kind: clashing === data ? 'duplicate' : 'conflict',
            ruleKind: kind,
            source,
            target,
            tclass,
            oldResult: clashing,
            newResult: data,
          });
        }
        return false;
      }
    }
    const own = present?.find((entry) => entry.list === list);
    if (own !== undefined) {
      own.data = mergedDatum(ruleKind, own.data, data);
      return true;
    }
    const entry: Entry = { source, target, tclass, kind, data: firstDatum(ruleKind, data), list };
    list.entries.push(entry);
    if (present === undefined) table.set(key, [entry]);
    else present.unshift(entry);
    return true;
  };

  /** The rows of one statement go pair by pair, so that a clash ends the statement's classes for that pair. */
  const expandTable = (rules: RuleTable, list: EntryList, opposite: EntryList): void => {
    let row = 0;
    while (row < rules.length) {
      let end = row + 1;
      while (end < rules.length && rules.statement[end] === rules.statement[row] && rules.kind[end] === rules.kind[row])
        end++;
      const kind = rules.kind[row] ?? 0;
      if (kind !== AVRULE_NEVERALLOW) {
        const { sources, targets } = rowKeys(rules, row, sets);
        const insertPair = (source: number, target: number): void => {
          for (let at = row; at < end; at++) {
            if (!insert(list, opposite, kind, source, target, rules.tclass[at] ?? 0, rules.data[at] ?? 0)) return;
          }
        };
        for (const source of sources) {
          if (rules.self[row] === 1) insertPair(source, source);
          for (const target of targets) insertPair(source, target);
        }
      }
      row = end;
    }
  };

  // The last block of the file was written first.
  const blocks: ConditionalEntries[] = new Array<ConditionalEntries>(conditionals.length);
  for (let i = conditionals.length - 1; i >= 0; i--) {
    const conditional = conditionals[i];
    if (conditional === undefined) continue;
    const whenTrue: EntryList = { entries: [], isEnabled: conditional.state };
    const whenFalse: EntryList = { entries: [], isEnabled: !conditional.state };
    expandTable(conditional.whenTrue, whenTrue, whenFalse);
    expandTable(conditional.whenFalse, whenFalse, whenTrue);
    blocks[i] = { whenTrue: inFileOrder(whenTrue), whenFalse: inFileOrder(whenFalse) };
  }
  return { blocks, clashes };
}
