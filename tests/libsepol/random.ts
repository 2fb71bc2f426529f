/**
 * Choices that a seed decides.
 *
 * @module
 */

/** A source of choices; equal seeds choose alike on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 up to, and without, `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * limit);
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** One of the items; undefined where there is none. */
  maybe<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }

  /** One of the items, which there must be. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from');
    // The index is below the length, so the item is there, and `undefined` only where T has it.
    return items[this.below(items.length)] as T;
  }

  /** Up to `most` different items, at least one. */
  some<T>(items: readonly T[], most: number): T[] {
    const chosen = new Set<T>();
    for (let left = this.between(1, most); left > 0; left--) chosen.add(this.pick(items));
    return [...chosen];
  }
}
