/**
 * Leaves out entries that other entries cover: what `checkpolicy -O` does.
 *
 * An entry is covered by one for an attribute of its source, an attribute of its target, or both. Bits that are covered
 * are taken out one by one, so that a partly covered entry comes out smaller.
 * Format: libsepol `optimize.c` (`policydb_optimize`).
 *
 * Start reading at `optimizeRules`.
 *
 * @module
 */
import { type AvEntries, ENTRY_WORDS, isTypeKind } from './av-entries.ts';
import type { ConditionalEntries } from './expand-conditionals.ts';
import { AVTAB_AUDITDENY, AVTAB_ENABLED } from './format.ts';
import type { Conditional, PolicyDb } from './policydb.ts';
import type { ExpandedRules } from './write-policydb.ts';

/** What is left of a policy's rules, and the conditional blocks that still hold something. */
export interface OptimizedRules {
  readonly rules: ExpandedRules;
  readonly conditionals: readonly Conditional[];
}

/** For each type what covers it: itself and its attributes; for an attribute every attribute that holds its members. */
class Covers {
  /** By value; ascending. */
  readonly #covers: (readonly number[])[] = [[]];
  readonly #isAttribute: readonly boolean[];

  constructor({ types, typeAttributeMap }: PolicyDb) {
    const isAttribute = typeAttributeMap.map(() => false);
    for (const { kind, value } of types.entries) if (kind === 'attribute') isAttribute[value - 1] = true;
    this.#isAttribute = isAttribute;
    // An attribute that is always expanded has no members here.
    const members = new Map<number, Set<number>>();
    isAttribute.forEach((is, bit) => {
      if (is) members.set(bit, new Set());
    });
    typeAttributeMap.forEach((attributes, type) => {
      if (isAttribute[type] !== true) for (const attribute of attributes) members.get(attribute)?.add(type);
    });
    typeAttributeMap.forEach((attributes, bit) => {
      const own = members.get(bit);
      if (own === undefined) {
        this.#covers.push(Array.from(attributes, (attribute) => attribute + 1));
        return;
      }
      const wider = [...members].filter(
        ([, other]) => other.size >= own.size && [...own].every((type) => other.has(type)),
      );
      this.#covers.push(wider.map(([attribute]) => attribute + 1).sort((a, b) => a - b));
    });
  }

  of(value: number): readonly number[] {
    return this.#covers[value] ?? [];
  }

  isAttribute(value: number): boolean {
    return this.#isAttribute[value - 1] === true;
  }
}

interface Key {
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  /** Without the mark of enabled entries. */
  readonly kind: number;
}

/** A key as one number: 16 bits each for source, target and class, and 3 for the kind of an access vector rule. */
function keyNumber({ source, target, tclass, kind }: Key): number {
  return ((source * 0x10000 + target) * 0x10000 + tclass) * 8 + kind;
}

function keyAt(words: Uint32Array, entry: number): Key {
  const keys = words[entry * ENTRY_WORDS] ?? 0;
  const header = words[entry * ENTRY_WORDS + 1] ?? 0;
  const kind = (header >>> 16) & ~AVTAB_ENABLED;
  return { source: keys & 0xffff, target: keys >>> 16, tclass: header & 0xffff, kind };
}

/** Takes what `other` covers out of the datum of an entry; true where nothing is left. */
function removeCovered(words: Uint32Array, entry: number, kind: number, other: number): boolean {
  const at = entry * ENTRY_WORDS + 2;
  const data = words[at] ?? 0;
  const left = (kind === AVTAB_AUDITDENY ? data | ~other : data & ~other) >>> 0;
  words[at] = left;
  return left === (kind === AVTAB_AUDITDENY ? 0xffffffff : 0);
}

/** The entries outside conditionals that can cover others. */
class Table {
  readonly words: Uint32Array;
  readonly #covers: Covers;
  readonly #byKey = new Map<number, number>();
  readonly #hasSource = new Uint8Array(0x10000);
  readonly #hasTarget = new Uint8Array(0x10000);

  /** @param wanted keys that conditional entries have: an entry with an equal key covers them too */
  constructor({ count, words }: AvEntries, covers: Covers, wanted: ReadonlySet<number>) {
    this.words = words;
    this.#covers = covers;
    for (let entry = 0; entry < count; entry++) {
      const key = keyAt(words, entry);
      if (isTypeKind(key.kind)) continue;
      const number = keyNumber(key);
      if (!covers.isAttribute(key.source) && !covers.isAttribute(key.target) && !wanted.has(number)) continue;
      this.#byKey.set(number, entry);
      this.#hasSource[key.source] = 1;
      this.#hasTarget[key.target] = 1;
    }
  }

  remove(key: Key): void {
    this.#byKey.delete(keyNumber(key));
  }

  /** Takes out of an entry, which may be of another list, what entries of this table cover; true where nothing is left. */
  covers(words: Uint32Array, entry: number, isOwn: boolean): boolean {
    const key = keyAt(words, entry);
    const { tclass, kind } = key;
    if (isTypeKind(kind)) return false;
    const targets = this.#covers.of(key.target);
    for (const source of this.#covers.of(key.source)) {
      if (this.#hasSource[source] !== 1) continue;
      for (const target of targets) {
        if (this.#hasTarget[target] !== 1) continue;
        if (isOwn && source === key.source && target === key.target) continue;
        const other = this.#byKey.get(keyNumber({ source, target, tclass, kind }));
        if (other === undefined) continue;
        if (removeCovered(words, entry, kind, this.words[other * ENTRY_WORDS + 2] ?? 0)) return true;
      }
    }
    return false;
  }
}

/** The entries of these numbers, in this order. */
function pickEntries(words: Uint32Array, numbers: readonly number[]): AvEntries {
  const picked = new Uint32Array(numbers.length * ENTRY_WORDS);
  numbers.forEach((entry, i) => {
    picked.set(words.subarray(entry * ENTRY_WORDS, (entry + 1) * ENTRY_WORDS), i * ENTRY_WORDS);
  });
  return { count: numbers.length, words: picked };
}

/** Optimizes one branch of a conditional block: entries with attributes go to its end, last one first. */
function optimizeBranch({ count, words: original }: AvEntries, table: Table, covers: Covers): AvEntries {
  const words = original.slice(0, count * ENTRY_WORDS);
  const plain: number[] = [];
  const wide: number[] = [];
  for (let entry = 0; entry < count; entry++) {
    const { source, target } = keyAt(words, entry);
    if (covers.isAttribute(source) || covers.isAttribute(target)) wide.unshift(entry);
    else plain.push(entry);
  }
  const removed = new Set<number>();
  const isCoveredHere = (entry: number): boolean => {
    const key = keyAt(words, entry);
    if (isTypeKind(key.kind)) return false;
    const sources = covers.of(key.source);
    const targets = covers.of(key.target);
    for (const other of wide) {
      if (removed.has(other)) continue;
      const { source, target, tclass, kind } = keyAt(words, other);
      if (tclass !== key.tclass || kind !== key.kind) continue;
      if (source === key.source && target === key.target) continue;
      if (!sources.includes(source) || !targets.includes(target)) continue;
      if (removeCovered(words, entry, kind, words[other * ENTRY_WORDS + 2] ?? 0)) return true;
    }
    return false;
  };
  const kept: number[] = [];
  for (const entry of [...plain, ...wide]) {
    if (table.covers(words, entry, false) || isCoveredHere(entry)) removed.add(entry);
    else kept.push(entry);
  }
  return pickEntries(words, kept);
}

/** Optimizes the entries of a policy. The entries outside conditionals are changed in place. */
export function optimizeRules(policy: PolicyDb, { entries, blocks }: ExpandedRules): OptimizedRules {
  const covers = new Covers(policy);
  const wanted = new Set<number>();
  for (const { whenTrue, whenFalse } of blocks) {
    for (const { count, words } of [whenTrue, whenFalse]) {
      for (let entry = 0; entry < count; entry++) {
        const key = keyAt(words, entry);
        if (!isTypeKind(key.kind)) wanted.add(keyNumber(key));
      }
    }
  }
  const table = new Table(entries, covers, wanted);
  const { words } = entries;
  let count = 0;
  // INVARIANT: the entries that the table knows stand at their numbers until all have been looked at.
  const removed: number[] = [];
  for (let entry = 0; entry < entries.count; entry++) {
    if (!table.covers(words, entry, true)) continue;
    table.remove(keyAt(words, entry));
    removed.push(entry);
  }
  const conditionals: Conditional[] = [];
  const left: ConditionalEntries[] = [];
  blocks.forEach(({ whenTrue, whenFalse }, i) => {
    const conditional = policy.conditionals[i];
    const block: ConditionalEntries = {
      whenTrue: optimizeBranch(whenTrue, table, covers),
      whenFalse: optimizeBranch(whenFalse, table, covers),
    };
    if (conditional === undefined || (block.whenTrue.count === 0 && block.whenFalse.count === 0)) return;
    conditionals.push(conditional);
    left.push(block);
  });
  let nextRemoved = 0;
  for (let entry = 0; entry < entries.count; entry++) {
    if (removed[nextRemoved] === entry) nextRemoved++;
    else words.copyWithin(count++ * ENTRY_WORDS, entry * ENTRY_WORDS, (entry + 1) * ENTRY_WORDS);
  }
  return { rules: { entries: { count, words }, blocks: left }, conditionals };
}
