/**
 * How much memory a xenstore domain may get, in the words of `init-xenstore-domain --maxmem`.
 *
 * @module
 */

/** XEN: `INT_MAX / 1024`: no number may be as large. */
const TOO_LARGE_MIB = Math.floor((2 ** 31 - 1) / 1024);

export const PAGES_PER_MIB = 256;

/** A number as `strtoul` reads it, for which there must be no other character. */
function numberIn(text: string): number | undefined {
  const digits = /^[ \t\n\v\f\r]*\+?(\d+)$/.exec(text)?.[1];
  const value = digits === undefined ? 0 : Number(digits);
  return value === 0 || value >= TOO_LARGE_MIB ? undefined : value;
}

/**
 * The most memory in MiB that a text means on a host with so many pages: `MIB`, a fraction `A/B` of the host's, or
 * `MIB:A/B` or `A/B:MIB`, the larger of both; 0 for an empty text. Undefined for another text, and when it is too much.
 *
 * Follows Xen `tools/helpers/init-xenstore-domain.c`, `parse_maxmem`.
 */
export function maxMemoryMib(text: string, hostPages: number): number | undefined {
  if (text === '') return 0;
  let mib: number | undefined;
  let share: number | undefined;
  for (const part of text.split(':')) {
    const numbers = part.split('/').map(numberIn);
    const [first, second] = numbers;
    if (first === undefined || numbers.includes(undefined) || numbers.length > 2) return undefined;
    if (second === undefined) {
      if (mib !== undefined) return undefined;
      mib = first;
    } else {
      if (share !== undefined) return undefined;
      share = Math.floor((hostPages * first) / (second * PAGES_PER_MIB));
      if (share >= TOO_LARGE_MIB) return undefined;
    }
  }
  return Math.max(mib ?? 0, share ?? 0);
}
