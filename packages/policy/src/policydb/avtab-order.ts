/**
 * The order of the access vector table.
 *
 * Format: libsepol `avtab.c` (hash), `policydb.c` (the table is made with 2^20 buckets whatever it holds).
 *
 * @module
 */

/** Number of buckets that libsepol gives the table of a policy it compiles. */
export const AVTAB_BUCKETS: number = 1 << 20;

/** The bucket of a key, by libsepol's mixing function. */
export function avtabBucket(source: number, target: number, tclass: number): number {
  let h = 0;
  let v = Math.imul(tclass, 0xcc9e2d51);
  v = Math.imul((v << 15) | (v >>> 17), 0x1b873593);
  h ^= v;
  h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  v = Math.imul(target, 0xcc9e2d51);
  v = Math.imul((v << 15) | (v >>> 17), 0x1b873593);
  h ^= v;
  h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  v = Math.imul(source, 0xcc9e2d51);
  v = Math.imul((v << 15) | (v >>> 17), 0x1b873593);
  h ^= v;
  h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h & (AVTAB_BUCKETS - 1);
}
