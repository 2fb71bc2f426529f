/**
 * Extensible bitmaps (ebitmap): the sets of the policydb.
 *
 * In memory a set is the sorted list of its bits: the sets of a policy are small or sparse, and members are what
 * everybody asks for. On disk it is a list of 64-bit words (see `byte-writer.ts`).
 *
 * @module
 */

/** Whether a list of numbers that ascend has one of them. */
export function hasMember(ascending: Uint32Array, value: number): boolean {
  let low = 0;
  let high = ascending.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = ascending[middle] ?? 0;
    if (found === value) return true;
    if (found < value) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

/** An immutable set of bit numbers. By convention bit = value - 1, except in the permissive map, where bit = value. */
export class Ebitmap {
  /** The members, ascending. */
  readonly bits: Uint32Array;

  private constructor(bits: Uint32Array) {
    this.bits = bits;
  }

  static readonly empty: Ebitmap = new Ebitmap(new Uint32Array(0));

  /** The set of these bits; order and repetition do not matter. */
  static of(bits: Iterable<number>): Ebitmap {
    return Ebitmap.fromUnsorted(Uint32Array.from(bits));
  }

  /** Takes ownership of `bits`, which may be unsorted and repeat. */
  static fromUnsorted(bits: Uint32Array): Ebitmap {
    if (bits.length < 2) return Ebitmap.fromSorted(bits);
    bits.sort();
    let count = 1;
    for (let i = 1; i < bits.length; i++) {
      const bit = bits[i] ?? 0;
      if (bit !== bits[count - 1]) bits[count++] = bit;
    }
    return new Ebitmap(count === bits.length ? bits : bits.slice(0, count));
  }

  /** Takes ownership of `bits`, which must be ascending without repetition. */
  static fromSorted(bits: Uint32Array): Ebitmap {
    return bits.length === 0 ? Ebitmap.empty : new Ebitmap(bits);
  }

  get size(): number {
    return this.bits.length;
  }

  /** Whether the set has this bit. */
  has(bit: number): boolean {
    return hasMember(this.bits, bit);
  }

  /** Whether every member is in `other`. */
  isSubsetOf(other: Ebitmap): boolean {
    const { bits } = this;
    const theirs = other.bits;
    if (bits.length > theirs.length) return false;
    let j = 0;
    for (let i = 0; i < bits.length; i++) {
      const bit = bits[i] ?? 0;
      while (j < theirs.length && (theirs[j] ?? 0) < bit) j++;
      if (theirs[j] !== bit) return false;
    }
    return true;
  }

  /** Whether both have the same bits. */
  equals(other: Ebitmap): boolean {
    return this === other || (this.size === other.size && this.isSubsetOf(other));
  }

  /** The bits in rising order. */
  [Symbol.iterator](): IterableIterator<number> {
    return this.bits[Symbol.iterator]();
  }
}
