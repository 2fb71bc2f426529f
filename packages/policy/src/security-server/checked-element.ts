/**
 * Elements of arrays by an index that the code around has kept in bounds. One that is out of bounds is our mistake.
 *
 * A function for each kind of array: an access that sees but one kind is compiled to a plain load.
 *
 * @module
 */
import { InvariantError } from '../text/index.ts';

function outOfBounds(index: number): never {
  throw new InvariantError(`there is no element ${index}`);
}

/** An element of 32 bits. */
export function word(list: Uint32Array, index: number): number {
  const found = list[index];
  return found === undefined ? outOfBounds(index) : found;
}

/** An element of 16 bits. */
export function half(list: Uint16Array, index: number): number {
  const found = list[index];
  return found === undefined ? outOfBounds(index) : found;
}

/** An element of 8 bits. */
export function byte(list: Uint8Array, index: number): number {
  const found = list[index];
  return found === undefined ? outOfBounds(index) : found;
}

/** An element of a list. */
export function element<T extends object | number | boolean>(list: readonly T[], index: number): T {
  const found = list[index];
  return found === undefined ? outOfBounds(index) : found;
}
