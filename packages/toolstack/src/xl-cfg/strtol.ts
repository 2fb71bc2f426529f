/**
 * C's `strtol` with base 0 on a 64-bit machine, as the readers of numbers use it.
 *
 * @module
 */

export const LONG_MIN: bigint = -(2n ** 63n);
export const LONG_MAX: bigint = 2n ** 63n - 1n;

/**
 * `number`: the whole text is a number.
 * `junk`: it is not, or something stands after it.
 * `overflow`: the number at its beginning does not fit.
 */
export type Long =
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'junk' }
  | { readonly kind: 'overflow' };

const NUMBER = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)/;

/** No more digits than this are looked at: a number with more of them does not fit. */
const DIGITS = 64;

/** The value of a number's digits; longer ones than can fit are cut, which keeps them too large. */
function magnitude(digits: string): bigint {
  const isHex = /^0[xX]/.test(digits);
  const significant = digits.slice(isHex ? 2 : 0).replace(/^0+(?=.)/, '');
  if (significant.length > DIGITS) return LONG_MAX + 2n;
  if (isHex) return BigInt(`0x${significant}`);
  return digits.startsWith('0') ? BigInt(`0o${significant}`) : BigInt(significant);
}

/** The number that a text begins with, and whether anything follows it. */
export function parseLong(text: string): Long {
  const match = NUMBER.exec(text);
  if (match === null) return { kind: 'junk' };
  const size = magnitude(match[2] ?? '0');
  const value = match[1] === '-' ? -size : size;
  if (value < LONG_MIN || value > LONG_MAX) return { kind: 'overflow' };
  return match[0].length === text.length ? { kind: 'number', value } : { kind: 'junk' };
}
