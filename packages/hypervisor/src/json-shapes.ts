/**
 * What is read back from JSON, checked: it may be old, or broken.
 *
 * @module
 */

/** An object as JSON has it. */
export type Json = Readonly<Record<string, unknown>>;

const LIST_LIMIT = 0x20000;
const TEXT_LIMIT = 0x4000;

/** Thrown by these functions where the shape is wrong, and caught by who reads a whole. */
export class ShapeError extends Error {}

/** An object that is no list. */
export function object(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ShapeError();
  // An object that is neither null nor a list has string keys.
  return value as Json;
}

/** A list of no more than any host has. */
export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length > LIST_LIMIT) throw new ShapeError();
  return value;
}

/** A whole number from 0 to `max`. */
export function whole(value: unknown, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) throw new ShapeError();
  return value;
}

/** A text of no more characters than that. */
export function text(value: unknown, limit: number = TEXT_LIMIT): string {
  if (typeof value !== 'string' || value.length > limit) throw new ShapeError();
  return value;
}

/** True or false. */
export function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new ShapeError();
  return value;
}

/** One of some words. */
export function oneOf<T extends string>(value: unknown, names: readonly T[]): T {
  const found = names.find((name) => name === value);
  if (found === undefined) throw new ShapeError();
  return found;
}
