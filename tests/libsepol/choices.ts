/**
 * More ways to choose by a seed.
 *
 * @module
 */
import { Random } from '@dewar/testkit';

/** A stream of choices; the same seed gives the same stream. */
export class Choices extends Random {
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
    return items.length === 0 ? undefined : items[this.below(items.length)];
  }

  /** Up to `most` different items, at least one. */
  some<T>(items: readonly T[], most: number): T[] {
    const chosen = new Set<T>();
    for (let left = this.between(1, most); left > 0; left--) chosen.add(this.pick(items));
    return [...chosen];
  }
}
