/**
 * The type rules outside conditional blocks, of which a large policy has more than a million.
 *
 * Compilers write the table of rules in the order of libsepol's buckets. Where a binary has that order, a rule's place
 * follows from its key, and nothing has to be built but a list of where each bucket starts; where it has another order,
 * the rules go into a hash table.
 *
 * Start reading at `indexTypeRules`.
 *
 * @module
 */
import { AVTAB_BUCKETS, avtabBucket, ENTRY_WORDS, isTypeKind, type RuleTable } from '../policydb/index.ts';
import { word } from './checked-element.ts';
import { KeyTable, typePair } from './key-table.ts';

/** Type rules by their key. */
export interface TypeRules {
  /** Rows that repeat the key and the kind of an earlier row. */
  readonly duplicates: readonly number[];
  /** The type that the first rule of a kind gives for just these two types, or undefined. */
  find(kind: number, source: number, target: number, tclass: number): number | undefined;
}

/** A type rule's class and kind as one word: kinds are bits, classes have 16 of them. */
function typeRuleWord(kind: number, tclass: number): number {
  return (tclass | (kind << 16)) >>> 0;
}

/** A bucket that is fuller than this is not searched from end to end. */
const BUCKET_LIMIT = 64;

/** The rules in the order of the binary, bucket after bucket. */
class OrderedTypeRules implements TypeRules {
  readonly duplicates: readonly number[];
  readonly #entries: Uint32Array;
  /** Where each group of buckets starts, and behind them where the last one ends. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  constructor(entries: Uint32Array, starts: Uint32Array, shift: number, duplicates: readonly number[]) {
    this.#entries = entries;
    this.#starts = starts;
    this.#shift = shift;
    this.duplicates = duplicates;
  }

  find(kind: number, source: number, target: number, tclass: number): number | undefined {
    const entries = this.#entries;
    const pair = typePair(source, target);
    const rest = typeRuleWord(kind, tclass);
    const slot = avtabBucket(source, target, tclass) >>> this.#shift;
    const end = word(this.#starts, slot + 1);
    for (let at = word(this.#starts, slot); at < end; at += ENTRY_WORDS) {
      if (word(entries, at) === pair && word(entries, at + 1) === rest) return word(entries, at + 2);
    }
    return undefined;
  }
}

/** The rules in a hash table. */
class HashedTypeRules implements TypeRules {
  readonly duplicates: readonly number[];
  readonly #keys: KeyTable;
  readonly #newTypes: Uint32Array;

  constructor(entries: Uint32Array) {
    let count = 0;
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) if (isTypeKind(word(entries, at + 1) >>> 16)) count++;
    this.#keys = new KeyTable(count);
    this.#newTypes = new Uint32Array(count);
    const duplicates: number[] = [];
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
      const header = word(entries, at + 1);
      if (!isTypeKind(header >>> 16)) continue;
      const before = this.#keys.count;
      const number = this.#keys.add(word(entries, at), header);
      if (this.#keys.count === before) duplicates.push(at / ENTRY_WORDS);
      else this.#newTypes[number] = word(entries, at + 2);
    }
    this.duplicates = duplicates;
  }

  find(kind: number, source: number, target: number, tclass: number): number | undefined {
    const at = this.#keys.find(typePair(source, target), typeRuleWord(kind, tclass));
    return at < 0 ? undefined : word(this.#newTypes, at);
  }
}

/** As many bits less as make about one group of buckets for each rule. */
function shiftFor(count: number): number {
  let shift = 0;
  while (AVTAB_BUCKETS >>> (shift + 1) > count) shift++;
  return shift;
}

/**
 * The entries as they stand, or undefined where they are not in the order of their buckets. Those that give permissions stay
 * among them: what they are for is a part of the key that is looked for.
 */
function takeInOrder(entries: Uint32Array): TypeRules | undefined {
  const shift = shiftFor(entries.length / ENTRY_WORDS);
  const slots = AVTAB_BUCKETS >>> shift;
  const starts = new Uint32Array(slots + 1);
  const duplicates: number[] = [];
  /** The group of the rule before, and where it starts. */
  let slot = -1;
  let start = 0;
  for (let end = 0; end < entries.length; end += ENTRY_WORDS) {
    const pair = word(entries, end);
    const header = word(entries, end + 1);
    const own = avtabBucket(pair & 0xffff, pair >>> 16, header & 0xffff) >>> shift;
    if (own < slot) return undefined;
    if (own > slot) {
      starts.fill(end, slot + 1, own + 1);
      slot = own;
      start = end;
    }
    if (end - start > BUCKET_LIMIT * ENTRY_WORDS) return undefined;
    if (!isTypeKind(header >>> 16)) continue;
    for (let at = start; at < end; at += ENTRY_WORDS) {
      if (word(entries, at) !== pair || word(entries, at + 1) !== header) continue;
      duplicates.push(end / ENTRY_WORDS);
      break;
    }
  }
  starts.fill(entries.length, slot + 1);
  return new OrderedTypeRules(entries, starts, shift, duplicates);
}

/** Indexes the type rules of a table. */
export function indexTypeRules(rules: RuleTable): TypeRules {
  const entries = rules.entries();
  return takeInOrder(entries) ?? new HashedTypeRules(entries);
}
