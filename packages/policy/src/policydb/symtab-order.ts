/**
 * The order of symbols: libsepol keeps them in chained hash tables, and both the file and the numbering follow the
 * order of those tables.
 *
 * Format: libsepol `symtab.c` (hash), `hashtab.c` (growth and iteration).
 *
 * @module
 */

/** Initial sizes of the tables, as libsepol makes them. */
export const SYMTAB_SIZES = {
  commons: 2,
  classes: 32,
  roles: 16,
  types: 512,
  users: 128,
  booleans: 16,
  sensitivities: 16,
  categories: 16,
  permissions: 32,
} as const;

/** libsepol's hash of a symbol's name. */
function symbolHash(name: string): number {
  let value = 0;
  for (let i = 0; i < name.length; i++) value = ((value << 4) | (value >>> 28)) ^ name.charCodeAt(i);
  return value >>> 0;
}

/** Follows the size of a table. It grows before an insert is tried, also before one that then fails. */
export class TableSize {
  size: number;
  #count = 0;

  constructor(initial: number) {
    this.size = initial;
  }

  /** Records one attempt to insert; `isNew` tells whether it succeeded. */
  insert(isNew: boolean): void {
    while (this.size <= this.#count) this.size *= 2;
    if (isNew) this.#count++;
  }
}

/** The size of a table into which `count` different names were inserted. */
export function tableSizeFor(initial: number, count: number): number {
  let size = initial;
  while (size < count) size *= 2;
  return size;
}

function compareBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** No table holds more symbols (`read-symbols.ts`); a bucket and a place among so many fit into the 53 bits of a number. */
const PLACES = 2 ** 24;

/** The names in the order in which a table of this size gives them: by bucket, then by bytes. */
export function tableOrder<T extends { readonly name: string }>(symbols: Iterable<T>, size: number): T[] {
  const given = [...symbols];
  const keys = new Float64Array(given.length);
  for (let i = 0; i < given.length; i++) keys[i] = (symbolHash(given[i]?.name ?? '') & (size - 1)) * PLACES + i;
  // V8 sorts numbers by itself; a function of ours is then asked about the few names that share a bucket.
  keys.sort();
  const ordered: T[] = [];
  for (let i = 0; i < keys.length; ) {
    const bucket = Math.floor((keys[i] ?? 0) / PLACES);
    const first = i;
    for (; i < keys.length && Math.floor((keys[i] ?? 0) / PLACES) === bucket; i++) {
      const symbol = given[(keys[i] ?? 0) % PLACES];
      if (symbol !== undefined) ordered.push(symbol);
    }
    if (i - first === 1) continue;
    for (const symbol of ordered.splice(first).sort((a, b) => compareBytes(a.name, b.name))) ordered.push(symbol);
  }
  return ordered;
}

/** `tableOrder` for symbols that were inserted once each into a table of this initial size. */
export function insertedOrder<T extends { readonly name: string }>(symbols: readonly T[], initial: number): T[] {
  return tableOrder(symbols, tableSizeFor(initial, symbols.length));
}
