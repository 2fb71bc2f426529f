/**
 * What the generators ask of chance, beyond what `Random` offers.
 *
 * @module
 */
import { Random } from '@dewar/testkit';

/** Choices that a seed repeats. */
export class Choices extends Random {
  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** One of the values; the first where there is no other way. */
  pickOr<T>(values: readonly T[], otherwise: T): T {
    return values.length === 0 ? otherwise : this.pick(values);
  }

  shuffled<T>(values: readonly T[]): T[] {
    const rest = [...values];
    const out: T[] = [];
    while (rest.length > 0) out.push(...rest.splice(this.below(rest.length), 1));
    return out;
  }

  /** Up to `count` different values. */
  sample<T>(values: readonly T[], count: number): T[] {
    return this.shuffled(values).slice(0, count);
  }
}
