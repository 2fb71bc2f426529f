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

const ULONG_MAX = 2n ** 64n - 1n;

/** The number that a stretch of text begins with, and the offset after it. */
export interface Unsigned {
  readonly value: bigint;
  readonly end: number;
}

const DIGITS_OF = {
  0: /[ \t\n\v\f\r]*([+-]?)(0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)/y,
  10: /[ \t\n\v\f\r]*([+-]?)([0-9]+)/y,
  16: /[ \t\n\v\f\r]*([+-]?)(?:0[xX](?=[0-9A-Fa-f]))?([0-9A-Fa-f]+)/y,
};

/**
 * C's `strtoul` on a 64-bit machine: a sign is taken and the number wraps around, and what does not fit is the largest
 * number. Undefined where there is no digit.
 */
export function parseUnsigned(text: string, at: number, base: 0 | 10 | 16): Unsigned | undefined {
  const pattern = new RegExp(DIGITS_OF[base]);
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const end = at + match[0].length;
  if (base === 0) return { value: strtoul(match[0]), end };
  const digits = (match[2] ?? '').replace(/^0+(?=.)/, '');
  const size = digits.length > DIGITS ? ULONG_MAX + 1n : BigInt(base === 16 ? `0x${digits}` : digits);
  if (size > ULONG_MAX) return { value: ULONG_MAX, end };
  return { value: BigInt.asUintN(64, match[1] === '-' ? -size : size), end };
}

/**
 * What C's `scanf` reads for `%x`: as `strtoul`, but a `0x` without a digit after it is the number 0.
 * The result is cut to this many bits.
 */
export function scanHex(text: string, at: number, bits: 32 | 64): Unsigned | undefined {
  const found = parseUnsigned(text, at, 16);
  if (found === undefined) return undefined;
  const isBare = text.charAt(found.end - 1) === '0' && /^[xX]/.test(text.charAt(found.end));
  const isFirstDigit = isBare && /^[ \t\n\v\f\r]*[+-]?0$/.test(text.slice(at, found.end));
  return { value: BigInt.asUintN(bits, found.value), end: isFirstDigit ? found.end + 1 : found.end };
}

/** C's `atoi`: a number as far as it goes, 0 where there is none, cut to 32 bits. */
export function atoi(text: string): number {
  const match = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)/.exec(text);
  if (match === null) return 0;
  const digits = (match[2] ?? '').replace(/^0+(?=.)/, '');
  const size = digits.length > DIGITS ? LONG_MAX + 1n : BigInt(digits);
  const value = match[1] === '-' ? -size : size;
  const clamped = value > LONG_MAX ? LONG_MAX : value < LONG_MIN ? LONG_MIN : value;
  return Number(BigInt.asIntN(32, clamped));
}

/** C's `strtoul` with base 0: octal and hexadecimal are told by their beginning; 0 where there is no number. */
export function strtoul(text: string): bigint {
  const match = NUMBER.exec(text);
  if (match === null) return 0n;
  const size = magnitude(match[2] ?? '0');
  if (size > ULONG_MAX || (match[2] ?? '').replace(/^0[xX]?0*/, '').length > DIGITS) return ULONG_MAX;
  return BigInt.asUintN(64, match[1] === '-' ? -size : size);
}
