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
import { AVTAB_BUCKETS, avtabBucket, bucketOf, mixRound, mixWord } from './avtab-order.ts';
import { AVRULE_DONTAUDIT, AVRULE_NEVERALLOW, AVTAB_AUDITDENY } from './format.ts';
import type { RuleTable } from './rule-table.ts';
import type { TypeSets } from './type-sets.ts';

/** The two sets of a row, expanded as its kind demands. */
export function rowKeys(rules: RuleTable, row: number, sets: TypeSets): { sources: Uint32Array; targets: Uint32Array } {
  const source = rules.source[row] ?? 0;
  const target = rules.target[row] ?? 0;
  const always = isTypeKind(rules.kind[row] ?? 0) || rules.self[row] === 1;
  return always
    ? { sources: sets.members(source), targets: sets.members(target) }
    : { sources: sets.keys(source), targets: sets.keys(target) };
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
        for (const target of targets) {
          // Beside `self` the pair was just visited: its repetition adds nothing, and takes nothing away.
          if (rules.self[row] !== 1 || target !== source) visitPair(source, target);
        }
      }
    }
    row = end;
  }
  return skipped;
}

/** Buckets are gathered in this many groups, one after the other. */
const GROUPS = 1024;
const GROUP_SHIFT = 10;
const GROUP_SIZE = AVTAB_BUCKETS / GROUPS;

/** Where entries go as rows are read: first only counted, then written into their group. */
class Placement {
  /** Number of entries of each group; once counted, where its next entry goes. */
  readonly groups = new Uint32Array(GROUPS + 1);
  total = 0;
  words = new Uint32Array(0);

  readonly #rules: RuleTable;
  readonly #sets: TypeSets;
  readonly #skipped: ReadonlySet<string>;
  /** Mixing of class and target for the last row's targets; rows in sequence often have the same. */
  #mixed = new Int32Array(0);
  #mixedTargets: Uint32Array | undefined;
  #mixedClass = -1;

  constructor(rules: RuleTable, sets: TypeSets, skipped: ReadonlySet<string>) {
    this.#rules = rules;
    this.#sets = sets;
    this.#skipped = skipped;
  }

  /** Counts every entry, then makes room. */
  countAll(): void {
    for (let row = 0; row < this.#rules.length; row++) if (this.#isStored(row)) this.#readRow(row, false);
    let position = 0;
    for (let group = 0; group < GROUPS; group++) {
      const count = this.groups[group] ?? 0;
      this.groups[group] = position;
      position += count;
    }
    this.total = position;
    this.words = new Uint32Array(position * ENTRY_WORDS);
  }

  /** Writes every entry into its group. Afterwards `groups` says where each group ends. */
  placeAll(): void {
    for (let row = 0; row < this.#rules.length; row++) if (this.#isStored(row)) this.#readRow(row, true);
  }

  #isStored(row: number): boolean {
    return this.#rules.kind[row] !== AVRULE_NEVERALLOW;
  }

  #mixTargets(targets: Uint32Array, tclass: number): Int32Array {
    if (this.#mixedTargets === targets && this.#mixedClass === tclass) return this.#mixed;
    if (this.#mixed.length < targets.length) this.#mixed = new Int32Array(targets.length * 2);
    const mixed = this.#mixed;
    const start = mixRound(0, mixWord(tclass));
    for (let j = 0; j < targets.length; j++) mixed[j] = mixRound(start, mixWord(targets[j] ?? 0));
    this.#mixedTargets = targets;
    this.#mixedClass = tclass;
    return mixed;
  }

  /** The keys of one row: for each source first the source itself where the rule says `self`, then the targets. */
  #readRow(row: number, isPlacing: boolean): void {
    const rules = this.#rules;
    const skipped = this.#skipped;
    const tclass = rules.tclass[row] ?? 0;
    const self = rules.self[row] === 1;
    const { sources, targets } = rowKeys(rules, row, this.#sets);
    const mixed = this.#mixTargets(targets, tclass);
    const isWhole = skipped.size === 0;
    const { groups, words } = this;
    // A dontaudit rule keeps its own kind here; it becomes an auditdeny entry when entries are merged.
    const header = (tclass | ((rules.kind[row] ?? 0) << 16)) >>> 0;
    const data = rules.data[row] ?? 0;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i] ?? 0;
      const mixedSource = mixWord(source);
      for (let j = self ? -1 : 0; j < targets.length; j++) {
        const target = j < 0 ? source : (targets[j] ?? 0);
        if (!isWhole && skipped.has(`${row}:${source}:${target}`)) continue;
        const hash = j < 0 ? mixRound(mixRound(0, mixWord(tclass)), mixWord(source)) : (mixed[j] ?? 0);
        const group = bucketOf(mixRound(hash, mixedSource)) >>> GROUP_SHIFT;
        const index = groups[group] ?? 0;
        groups[group] = index + 1;
        if (!isPlacing) continue;
        const at = index * ENTRY_WORDS;
        words[at] = (source | (target << 16)) >>> 0;
        words[at + 1] = header;
        words[at + 2] = data;
      }
    }
  }
}

/** Orders entries of one bucket: by source, then target, then class. */
function isBefore(key: number, tclass: number, otherKey: number, otherClass: number): boolean {
  const mine = ((key << 16) | (key >>> 16)) >>> 0;
  const other = ((otherKey << 16) | (otherKey >>> 16)) >>> 0;
  return mine < other || (mine === other && tclass < otherClass);
}

function bucketAt(words: Uint32Array, at: number): number {
  const key = words[at] ?? 0;
  return avtabBucket(key & 0xffff, key >>> 16, (words[at + 1] ?? 0) & 0xffff);
}

/** Most entries that are sorted by insertion. */
const FEW = 64;

/** Puts one group's entries in the order of the file, equal keys staying in the order of insertion. */
class GroupSorter {
  readonly #ends = new Uint32Array(GROUP_SIZE + 1);
  #words = new Uint32Array(0);
  #buckets = new Uint16Array(0);

  /** Sorts `words` from entry `start` to `end`. */
  sort(words: Uint32Array, start: number, end: number): void {
    if (end - start <= FEW) {
      this.#sortFew(words, start, end);
      return;
    }
    const ends = this.#sortByBucket(words, start, end);
    let from = start;
    for (let bucket = 0; bucket < GROUP_SIZE && from < end; bucket++) {
      const to = start + (ends[bucket] ?? 0);
      if (to - from > FEW) sortMany(words, from, to);
      else if (to - from > 1) sortBucket(words, from, to);
      from = to;
    }
  }

  #reserve(count: number): void {
    if (this.#buckets.length >= count) return;
    this.#buckets = new Uint16Array(count * 2);
    this.#words = new Uint32Array(count * 2 * ENTRY_WORDS);
  }

  /** By insertion, by bucket first. */
  #sortFew(words: Uint32Array, start: number, end: number): void {
    this.#reserve(FEW);
    const buckets = this.#buckets;
    for (let i = start; i < end; i++) {
      const at = i * ENTRY_WORDS;
      const word0 = words[at] ?? 0;
      const word1 = words[at + 1] ?? 0;
      const word2 = words[at + 2] ?? 0;
      const bucket = bucketAt(words, at) & (GROUP_SIZE - 1);
      let j = i - 1;
      for (; j >= start; j--) {
        const other = buckets[j - start] ?? 0;
        const to = j * ENTRY_WORDS;
        if (other < bucket) break;
        if (other === bucket && !isBefore(word0, word1 & 0xffff, words[to] ?? 0, (words[to + 1] ?? 0) & 0xffff)) break;
        buckets[j - start + 1] = other;
        words[to + ENTRY_WORDS] = words[to] ?? 0;
        words[to + ENTRY_WORDS + 1] = words[to + 1] ?? 0;
        words[to + ENTRY_WORDS + 2] = words[to + 2] ?? 0;
      }
      buckets[j - start + 1] = bucket;
      const to = (j + 1) * ENTRY_WORDS;
      words[to] = word0;
      words[to + 1] = word1;
      words[to + 2] = word2;
    }
  }

  /** By counting; answers where each bucket of the group ends, from `start` on. */
  #sortByBucket(words: Uint32Array, start: number, end: number): Uint32Array {
    const count = end - start;
    const ends = this.#ends.fill(0);
    this.#reserve(count);
    const buckets = this.#buckets;
    for (let i = 0; i < count; i++) {
      const bucket = bucketAt(words, (start + i) * ENTRY_WORDS) & (GROUP_SIZE - 1);
      buckets[i] = bucket;
      ends[bucket] = (ends[bucket] ?? 0) + 1;
    }
    let position = 0;
    for (let bucket = 0; bucket < GROUP_SIZE; bucket++) {
      const size = ends[bucket] ?? 0;
      ends[bucket] = position;
      position += size;
    }
    const sorted = this.#words;
    for (let i = 0; i < count; i++) {
      const bucket = buckets[i] ?? 0;
      const to = (ends[bucket] ?? 0) * ENTRY_WORDS;
      ends[bucket] = (ends[bucket] ?? 0) + 1;
      const from = (start + i) * ENTRY_WORDS;
      sorted[to] = words[from] ?? 0;
      sorted[to + 1] = words[from + 1] ?? 0;
      sorted[to + 2] = words[from + 2] ?? 0;
    }
    words.set(sorted.subarray(0, count * ENTRY_WORDS), start * ENTRY_WORDS);
    return ends;
  }
}

/** Sorts the entries of one bucket by insertion. */
function sortBucket(words: Uint32Array, start: number, end: number): void {
  const first = start * ENTRY_WORDS;
  for (let at = first + ENTRY_WORDS; at < end * ENTRY_WORDS; at += ENTRY_WORDS) {
    const word0 = words[at] ?? 0;
    const word1 = words[at + 1] ?? 0;
    const word2 = words[at + 2] ?? 0;
    let to = at - ENTRY_WORDS;
    while (to >= first && isBefore(word0, word1 & 0xffff, words[to] ?? 0, (words[to + 1] ?? 0) & 0xffff)) {
      words[to + ENTRY_WORDS] = words[to] ?? 0;
      words[to + ENTRY_WORDS + 1] = words[to + 1] ?? 0;
      words[to + ENTRY_WORDS + 2] = words[to + 2] ?? 0;
      to -= ENTRY_WORDS;
    }
    words[to + ENTRY_WORDS] = word0;
    words[to + ENTRY_WORDS + 1] = word1;
    words[to + ENTRY_WORDS + 2] = word2;
  }
}

/** Sorts a crowded bucket in a time that does not grow with the square of its size. */
function sortMany(words: Uint32Array, start: number, end: number): void {
  const entries = Array.from({ length: end - start }, (_, i) => {
    const at = (start + i) * ENTRY_WORDS;
    return { key: words[at] ?? 0, header: words[at + 1] ?? 0, data: words[at + 2] ?? 0 };
  });
  entries.sort((a, b) => {
    if (isBefore(a.key, a.header & 0xffff, b.key, b.header & 0xffff)) return -1;
    return isBefore(b.key, b.header & 0xffff, a.key, a.header & 0xffff) ? 1 : 0;
  });
  entries.forEach((entry, i) => {
    const at = (start + i) * ENTRY_WORDS;
    words[at] = entry.key;
    words[at + 1] = entry.header;
    words[at + 2] = entry.data;
  });
}

/** Entries of rules outside conditionals, in the order of the file, and the type rules that clash. */
export function expandRules(rules: RuleTable, sets: TypeSets): { entries: AvEntries; clashes: RuleClash[] } {
  const placement = new Placement(rules, sets, skippedByRepetition(rules, sets));
  placement.countAll();
  placement.placeAll();
  const { groups, total, words } = placement;
  const sorter = new GroupSorter();
  const clashes: RuleClash[] = [];
  let count = 0;
  let groupStart = 0;
  for (let group = 0; group < GROUPS && groupStart < total; group++) {
    const groupEnd = groups[group] ?? 0;
    if (groupEnd - groupStart > 1) sorter.sort(words, groupStart, groupEnd);
    for (let i = groupStart; i < groupEnd; i++) count = mergeEntry(words, i, count, clashes);
    groupStart = groupEnd;
  }
  return { entries: { count, words }, clashes };
}

/** Adds entry `i` to the `count` entries already merged; those with its key are the last of them. */
function mergeEntry(words: Uint32Array, i: number, count: number, clashes: RuleClash[]): number {
  const at = i * ENTRY_WORDS;
  const key = words[at] ?? 0;
  const tclass = (words[at + 1] ?? 0) & 0xffff;
  const kind = (words[at + 1] ?? 0) >>> 16;
  const data = words[at + 2] ?? 0;
  const stored = storedKind(kind);
  const header = (tclass | (stored << 16)) >>> 0;
  for (let j = count - 1; j >= 0; j--) {
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
