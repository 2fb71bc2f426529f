/**
 * Numbers as m4 reads them.
 *
 * @module
 */

/** A decimal number, with blanks in front allowed, as 32 bits hold it; undefined for anything else. */
export function wholeNumber(digits: string): number | undefined {
  if (!/^[ \t\n\v\f\r]*[-+]?[0-9]+$/.test(digits)) return undefined;
  // Nine digits fit; `incr` is called so often that the exact way is too long.
  if (digits.length < 10) return Number(digits) | 0;
  const exact = BigInt(digits.trim());
  const limit = 2n ** 63n;
  // strtol stops at the ends of 64 bits; the rest of m4 keeps the low 32.
  const clamped = exact >= limit ? limit - 1n : exact < -limit ? -limit : exact;
  return Number(BigInt.asIntN(32, clamped));
}
