/**
 * The sets of types that rules name, each kept once.
 *
 * Format of the expansion: libsepol `expand.c`, `type_set_expand`.
 *
 * @module
 */
import { Ebitmap } from './ebitmap.ts';

/** What a set says besides its names: nothing, `*` (all types), or `~` (all types but these). */
export type TypeSetKind = 'listed' | 'star' | 'complement';

/** A set of types as written: names, names taken out, and what surrounds them. All numbers are type values. */
export interface TypeSet {
  readonly kind: TypeSetKind;
  /** Values of types and attributes named, ascending. */
  readonly named: readonly number[];
  /** Values of types and attributes named after `-`, ascending. */
  readonly excluded: readonly number[];
}

/** What is needed to expand a set: the types of the policy. */
export interface TypeMembers {
  /** Number of types and attributes. */
  readonly count: number;
  /** The members of an attribute by its value (bit = value - 1), undefined for a type. */
  membersOf(value: number): Ebitmap | undefined;
  /** Whether an attribute is always replaced by its members. */
  isExpanded(value: number): boolean;
}

/** The sets of a policy as data. */
export interface TypeSetParts {
  readonly count: number;
  /** In the order of their ids. */
  readonly added: readonly TypeSet[];
  /** The members of attributes, by value. */
  readonly members: readonly (readonly [value: number, members: Ebitmap])[];
  /** Attributes that are always replaced by their members. */
  readonly expanded: readonly number[];
}

/**
 * The interned sets of a policy. Ids 1 … count stand for the set of just that type or attribute; larger ids are sets
 * that were added.
 */
export class TypeSets {
  readonly #types: TypeMembers;
  readonly #added: TypeSet[] = [];
  readonly #ids = new Map<string, number>();
  readonly #keys = new Map<number, Uint32Array>();
  readonly #members = new Map<number, Uint32Array>();

  constructor(types: TypeMembers) {
    this.#types = types;
  }

  /** All that makes these sets what they are, as data. */
  parts(): TypeSetParts {
    const { count } = this.#types;
    const values = Array.from({ length: count }, (_, i) => i + 1);
    return {
      count,
      added: this.#added,
      members: values.flatMap((value) => {
        const bits = this.#types.membersOf(value);
        return bits === undefined ? [] : [[value, bits] as const];
      }),
      expanded: values.filter((value) => this.#types.isExpanded(value)),
    };
  }

  /** The sets that `parts` told of. */
  static ofParts({ count, added, members, expanded }: TypeSetParts): TypeSets {
    const byValue = new Map(members);
    const isExpanded = new Set(expanded);
    const sets = new TypeSets({
      count,
      membersOf: (value) => byValue.get(value),
      isExpanded: (value) => isExpanded.has(value),
    });
    for (const set of added) sets.add(set);
    return sets;
  }

  /** The id of a set; equal sets have equal ids. */
  add(set: TypeSet): number {
    const [only] = set.named;
    if (set.kind === 'listed' && set.excluded.length === 0 && set.named.length === 1 && only !== undefined) return only;
    const key = `${set.kind}|${set.named.join()}|${set.excluded.join()}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      this.#added.push(set);
      id = this.#types.count + this.#added.length;
      this.#ids.set(key, id);
    }
    return id;
  }

  /** The type that a set is, where it is one type and nothing else; else 0. */
  single(id: number): number {
    return id <= this.#types.count && this.#types.membersOf(id) === undefined ? id : 0;
  }

  /** The set with this id. */
  get(id: number): TypeSet {
    return this.#added[id - this.#types.count - 1] ?? { kind: 'listed', named: [id], excluded: [] };
  }

  /**
   * The keys of the access vector table that the set stands for, ascending: an attribute stays a key, unless something
   * was taken out of the set or the attribute is marked for expansion.
   */
  keys(id: number): Uint32Array {
    return this.#cached(this.#keys, id, false);
  }

  /** The types in the set, ascending, every attribute replaced by its members. */
  members(id: number): Uint32Array {
    return this.#cached(this.#members, id, true);
  }

  #cached(cache: Map<number, Uint32Array>, id: number, always: boolean): Uint32Array {
    let values = cache.get(id);
    if (values === undefined) {
      values = this.#expand(this.get(id), always);
      cache.set(id, values);
    }
    return values;
  }

  #expand(set: TypeSet, always: boolean): Uint32Array {
    const types = this.#types;
    const all = always || set.excluded.length > 0 || set.kind !== 'listed';
    const excluded = new Set<number>();
    for (const value of set.excluded) {
      const members = types.membersOf(value);
      if (members === undefined) excluded.add(value);
      else for (const bit of members.bits) excluded.add(bit + 1);
    }
    const everyTypeExcept = (out: ReadonlySet<number>): Uint32Array => {
      const values: number[] = [];
      for (let value = 1; value <= types.count; value++) {
        if (types.membersOf(value) === undefined && !out.has(value)) values.push(value);
      }
      return Uint32Array.from(values);
    };
    if (set.kind === 'star') return everyTypeExcept(excluded);
    const found: number[] = [];
    for (const value of set.named) {
      const members = types.membersOf(value);
      if (members !== undefined && (all || types.isExpanded(value)))
        for (const bit of members.bits) found.push(bit + 1);
      else found.push(value);
    }
    const kept = excluded.size === 0 ? found : found.filter((value) => !excluded.has(value));
    if (set.kind === 'complement') return everyTypeExcept(new Set(kept));
    return Ebitmap.of(kept).bits;
  }
}
