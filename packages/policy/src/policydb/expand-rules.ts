/**
 * Makes the entries of the access vector table from rules as written.
 *
 * libsepol inserts entry by entry into a hash table. We count, place and sort instead: the same order, without a table of
 * nodes. Format: libsepol `expand.c` (`expand_rule_helper`, `expand_terule_helper`, `expand_avrule_helper`), `avtab.c`.
 *
 * Start reading at `expandRules`.
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
import { AVTAB_BUCKETS, avtabBucket } from './avtab-order.ts';
import { AVRULE_DONTAUDIT, AVRULE_NEVERALLOW, AVTAB_AUDITDENY } from './format.ts';
import type { RuleTable } from './rule-table.ts';
import type { TypeSets } from './type-sets.ts';

/** Called for every key that a row stands for, in libsepol's order. */
type Visit = (source: number, target: number, tclass: number, kind: number, data: number) => void;

/** The two sets of a row, expanded as its kind demands. */
export function rowKeys(rules: RuleTable, row: number, sets: TypeSets): { sources: Uint32Array; targets: Uint32Array } {
  const source = rules.source[row] ?? 0;
  const target = rules.target[row] ?? 0;
  const always = isTypeKind(rules.kind[row] ?? 0) || rules.self[row] === 1;
  return always
    ? { sources: sets.members(source), targets: sets.members(target) }
    : { sources: sets.keys(source), targets: sets.keys(target) };
}

/** The keys of one row: for each source first the source itself where the rule says `self`, then the targets. */
function visitRow(rules: RuleTable, row: number, sets: TypeSets, skipped: ReadonlySet<string>, visit: Visit): void {
  const kind = rules.kind[row] ?? 0;
  const tclass = rules.tclass[row] ?? 0;
  const data = rules.data[row] ?? 0;
  const self = rules.self[row] === 1;
  const { sources, targets } = rowKeys(rules, row, sets);
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i] ?? 0;
    if (self && (skipped.size === 0 || !skipped.has(`${row}:${source}:${source}`)))
      visit(source, source, tclass, kind, data);
    for (let j = 0; j < targets.length; j++) {
      const target = targets[j] ?? 0;
      if (skipped.size === 0 || !skipped.has(`${row}:${source}:${target}`)) visit(source, target, tclass, kind, data);
    }
  }
}

/**
 * The keys that type rules with several classes do not get: where one class of a statement repeats an earlier rule,
 * libsepol drops the rest of the statement's classes for that pair of types.
 *
 * XEN: the same policy is what Xen loads, so the omission must be reproduced.
 */
function skippedByRepetition(rules: RuleTable, sets: TypeSets): Set<string> {
  const skipped = new Set<string>();
  const classes = new Set<number>();
  const isGroupStart = (row: number): boolean =>
    isTypeKind(rules.kind[row] ?? 0) &&
    row + 1 < rules.length &&
    rules.statement[row + 1] === rules.statement[row] &&
    rules.kind[row + 1] === rules.kind[row];
  for (let row = 0; row < rules.length; row++) {
    if (!isGroupStart(row)) continue;
    classes.add(rules.tclass[row] ?? 0);
    classes.add(rules.tclass[row + 1] ?? 0);
  }
  if (classes.size === 0) return skipped;

  const seen = new Set<string>();
  let row = 0;
  while (row < rules.length) {
    const kind = rules.kind[row] ?? 0;
    let end = row + 1;
    if (isTypeKind(kind)) {
      while (end < rules.length && rules.statement[end] === rules.statement[row] && rules.kind[end] === kind) end++;
      const { sources, targets } = rowKeys(rules, row, sets);
      const visitPair = (source: number, target: number): void => {
        for (let at = row; at < end; at++) {
          const tclass = rules.tclass[at] ?? 0;
          if (!classes.has(tclass)) continue;
          const key = `${kind}:${tclass}:${source}:${target}`;
          if (seen.has(key)) {
            for (let rest = at + 1; rest < end; rest++) skipped.add(`${rest}:${source}:${target}`);
            return;
          }
          seen.add(key);
        }
      };
      for (const source of sources) {
        if (rules.self[row] === 1) visitPair(source, source);
        for (const target of targets) visitPair(source, target);
      }
    }
    row = end;
  }
  return skipped;
}

/** Sorts the entries of one bucket by source, target and class, equal keys staying in the order of insertion. */
function sortBucket(words: Uint32Array, start: number, end: number): void {
  const swapHalves = (word: number): number => ((word << 16) | (word >>> 16)) >>> 0;
  if (end - start > 64) {
    const entries = Array.from({ length: end - start }, (_, i) => {
      const at = (start + i) * ENTRY_WORDS;
      return { key: swapHalves(words[at] ?? 0), rest: words[at + 1] ?? 0, data: words[at + 2] ?? 0 };
    });
    entries.sort((a, b) => a.key - b.key || (a.rest & 0xffff) - (b.rest & 0xffff));
    entries.forEach((entry, i) => {
      const at = (start + i) * ENTRY_WORDS;
      words[at] = swapHalves(entry.key);
      words[at + 1] = entry.rest;
      words[at + 2] = entry.data;
    });
    return;
  }
  for (let i = start + 1; i < end; i++) {
    const at = i * ENTRY_WORDS;
    const word0 = words[at] ?? 0;
    const word1 = words[at + 1] ?? 0;
    const word2 = words[at + 2] ?? 0;
    const key = swapHalves(word0);
    const tclass = word1 & 0xffff;
    let j = at - ENTRY_WORDS;
    while (j >= start * ENTRY_WORDS) {
      const other = swapHalves(words[j] ?? 0);
      if (other < key || (other === key && ((words[j + 1] ?? 0) & 0xffff) <= tclass)) break;
      words[j + ENTRY_WORDS] = words[j] ?? 0;
      words[j + ENTRY_WORDS + 1] = words[j + 1] ?? 0;
      words[j + ENTRY_WORDS + 2] = words[j + 2] ?? 0;
      j -= ENTRY_WORDS;
    }
    words[j + ENTRY_WORDS] = word0;
    words[j + ENTRY_WORDS + 1] = word1;
    words[j + ENTRY_WORDS + 2] = word2;
  }
}

/** Entries of rules outside conditionals, in the order of the file, and the type rules that clash. */
export function expandRules(rules: RuleTable, sets: TypeSets): { entries: AvEntries; clashes: RuleClash[] } {
  const skipped = skippedByRepetition(rules, sets);
  const isStored = (row: number): boolean => rules.kind[row] !== AVRULE_NEVERALLOW;

  const bucketEnds = new Uint32Array(AVTAB_BUCKETS + 1);
  let total = 0;
  for (let row = 0; row < rules.length; row++) {
    if (!isStored(row)) continue;
    visitRow(rules, row, sets, skipped, (source, target, tclass) => {
      const bucket = avtabBucket(source, target, tclass);
      bucketEnds[bucket] = (bucketEnds[bucket] ?? 0) + 1;
      total++;
    });
  }
  let position = 0;
  for (let bucket = 0; bucket < AVTAB_BUCKETS; bucket++) {
    const count = bucketEnds[bucket] ?? 0;
    bucketEnds[bucket] = position;
    position += count;
  }

  // A dontaudit rule keeps its own kind here; it becomes an auditdeny entry when entries are merged.
  const words = new Uint32Array(total * ENTRY_WORDS);
  for (let row = 0; row < rules.length; row++) {
    if (!isStored(row)) continue;
    visitRow(rules, row, sets, skipped, (source, target, tclass, kind, data) => {
      const bucket = avtabBucket(source, target, tclass);
      const index = bucketEnds[bucket] ?? 0;
      bucketEnds[bucket] = index + 1;
      const at = index * ENTRY_WORDS;
      words[at] = (source | (target << 16)) >>> 0;
      words[at + 1] = (tclass | (kind << 16)) >>> 0;
      words[at + 2] = data;
    });
  }

  const clashes: RuleClash[] = [];
  let count = 0;
  let start = 0;
  for (let bucket = 0; bucket < AVTAB_BUCKETS && start < total; bucket++) {
    const end = bucketEnds[bucket] ?? 0;
    if (end - start > 1) sortBucket(words, start, end);
    const bucketCount = count;
    for (let i = start; i < end; i++) count = mergeEntry(words, i, count, bucketCount, clashes);
    start = end;
  }
  return { entries: { count, words }, clashes };
}

/** Adds entry `i` to the `count` entries already merged, of which those from `bucketStart` are in its bucket. */
function mergeEntry(words: Uint32Array, i: number, count: number, bucketStart: number, clashes: RuleClash[]): number {
  const at = i * ENTRY_WORDS;
  const key = words[at] ?? 0;
  const tclass = (words[at + 1] ?? 0) & 0xffff;
  const kind = (words[at + 1] ?? 0) >>> 16;
  const data = words[at + 2] ?? 0;
  const stored = storedKind(kind);
  const header = (tclass | (stored << 16)) >>> 0;
  for (let j = count - 1; j >= bucketStart; j--) {
    const to = j * ENTRY_WORDS;
    if (words[to] !== key || ((words[to + 1] ?? 0) & 0xffff) !== tclass) break;
    if (words[to + 1] !== header) continue;
    const old = words[to + 2] ?? 0;
    if (isTypeKind(kind)) {
      if (old !== data) {
        clashes.push({
          kind: 'conflict',
          ruleKind: kind,
          source: key & 0xffff,
          target: key >>> 16,
          tclass,
          oldResult: old,
          newResult: data,
        });
      }
    } else {
      words[to + 2] = mergedDatum(kind, old, data);
    }
    return count;
  }
  const to = count * ENTRY_WORDS;
  words[to] = key;
  words[to + 1] = header;
  words[to + 2] =
    kind === AVRULE_DONTAUDIT || kind === AVTAB_AUDITDENY
      ? mergedDatum(kind, 0xffffffff, data)
      : firstDatum(kind, data);
  return count + 1;
}
