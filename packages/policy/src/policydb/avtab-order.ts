/**
 * The order of the access vector table.
 *
 * Format: libsepol `avtab.c` (hash), `policydb.c` (the table is made with 2^20 buckets whatever it holds).
 *
 * @module
 */

/** Number of buckets that libsepol gives the table of a policy it compiles. */
export const AVTAB_BUCKETS: number = 1 << 20;

/** The share of a word in libsepol's mixing function. */
export function mixWord(word: number): number {
  const v = Math.imul(word, 0xcc9e2d51);
  return Math.imul((v << 15) | (v >>> 17), 0x1b873593);
}

/** One round of the mixing function: `mixed` is `mixWord` of the next word. */
export function mixRound(hash: number, mixed: number): number {
  const h = hash ^ mixed;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** The bucket in which a mixing of class, target and source ends. */
export function bucketOf(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h & (AVTAB_BUCKETS - 1);
}

/** The bucket of a key, by libsepol's mixing function. */
export function avtabBucket(source: number, target: number, tclass: number): number {
  return bucketOf(mixRound(mixRound(mixRound(0, mixWord(tclass)), mixWord(target)), mixWord(source)));
}
