/**
 * The ways to a guest's memory: what a domain must be allowed for each, and what it then has. One table, as data.
 *
 * `reach` searches it, `prove` reads properties with it, and who explains a denial looks a permission up in it.
 * Follows: Xen 4.17.5; each row names the function that it rests on. What FLASK does not ask is in `condition`.
 * Start reading at `MEMORY_WAYS`.
 *
 * @module
 */

import { CONSENTED, DIRECT } from './direct-ways.ts';
import { HOST, INDIRECT } from './power-ways.ts';
import type { MemoryWay } from './way-types.ts';

/**
 * All ways that are known. Left out, because they show or change no memory of another domain: `security setsecparam` (the
 * size of a cache), event channels, pausing and ending a domain, its share of processors and memory.
 */
export const MEMORY_WAYS: readonly MemoryWay[] = [...DIRECT, ...CONSENTED, ...HOST, ...INDIRECT];

/** The ways that need a permission of a class. */
export function waysThatNeed(className: string, permission: string): MemoryWay[] {
  return MEMORY_WAYS.filter(({ checks }) =>
    checks.some((one) => one.class === className && one.permissions.includes(permission)),
  );
}
