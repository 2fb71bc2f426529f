/**
 * Whether compiling gives symbols the numbers and the order that a binary has, and what must be added where it would not.
 *
 * Numbers follow libsepol's hash tables. Role attributes and tunables take part there and are not in the binary, and a
 * statement that repeats a role or a user can make the table grow: so their traces are put back under new names.
 *
 * Start reading at `planRoles`.
 *
 * @module
 */
import { insertedOrder, type PolicyDb, SYMTAB_SIZES, tableOrder, tableSizeFor } from '../policydb/index.ts';
import type { Names } from './names.ts';

interface Numbered {
  readonly name: string;
  readonly value: number;
}

const MAX_TABLE = 1 << 20;
/** Names that are tried for numbers without a symbol, all in all: a hostile binary can have many. */
const MAX_TRIES = 1 << 17;

/** Whether a list is what compiling makes of the same symbols. */
export function isInsertedOrder(entries: readonly { readonly name: string }[], initial: number): boolean {
  return insertedOrder(entries, initial).every((symbol, i) => symbol === entries[i]);
}

/** Whether a table of this size numbers the symbols as they are numbered. */
function isNumberedBy(symbols: readonly Numbered[], size: number): boolean {
  let last = 0;
  for (const { value } of tableOrder(symbols, size)) {
    if (value <= last) return false;
    last = value;
  }
  return true;
}

/** Whether the numbers of some symbols are 1 to their count. */
export function isCounted(symbols: readonly Numbered[]): boolean {
  return (
    new Set(symbols.map(({ value }) => value)).size === symbols.length &&
    symbols.every(({ value }) => value <= symbols.length)
  );
}

/** Types and attributes: nothing can hide in their table. */
export function checkTypeNumbers({ types }: PolicyDb, names: Names): void {
  const primaries = types.entries.filter(({ kind }) => kind !== 'alias');
  const size = tableSizeFor(SYMTAB_SIZES.types, types.entries.length);
  if (!isCounted(primaries) || types.primaryCount !== primaries.length || !isNumberedBy(primaries, size))
    names.otherOrder('numbers of types');
  if (!isInsertedOrder(types.entries, SYMTAB_SIZES.types)) names.otherOrder('types');
}

/** Names for the numbers that a table skips: each must come between its neighbours in the table. */
function fillGaps(known: readonly Numbered[], count: number, size: number, stem: string): string[] | undefined {
  const byValue = new Map(known.map((symbol) => [symbol.value, symbol.name]));
  const taken = new Set(byValue.values());
  const isBefore = (a: string, b: string): boolean =>
    tableOrder([{ name: a }, { name: b }], size)[0]?.name === a && a !== b;
  const found: string[] = [];
  let tries = 0;
  let before: string | undefined;
  for (let value = 2; value <= count; value++) {
    const here = byValue.get(value);
    if (here !== undefined) {
      before = here;
      continue;
    }
    let end = value;
    while (end < count && !byValue.has(end + 1)) end++;
    const after = byValue.get(end + 1);
    const gap = end - value + 1;
    const candidates: { name: string }[] = [];
    for (const prefix of [stem, ...(before === undefined ? [] : [`${before}_`, `${before}-`]), `A_${stem}`]) {
      for (let i = 1; i <= 4096 && candidates.length < gap * 4; i++) {
        if (++tries > MAX_TRIES) return undefined;
        const name = `${prefix}${i}`;
        const fits = (before === undefined || isBefore(before, name)) && (after === undefined || isBefore(name, after));
        if (fits && !taken.has(name)) candidates.push({ name });
      }
      if (candidates.length >= gap) break;
    }
    if (candidates.length < gap) return undefined;
    const chosen = tableOrder(candidates, size).slice(0, gap);
    for (const { name } of chosen) taken.add(name);
    found.push(...chosen.map(({ name }) => name));
    before = chosen.at(-1)?.name;
    value = end;
  }
  return found;
}

/** What must be declared besides the roles of the binary. */
export interface RolePlan {
  /** Role attributes with new names. */
  readonly attributes: readonly string[];
  /** A role must be declared once more, so that the table grows. */
  readonly isRepeated: boolean;
}

/** Finds what was in the table of roles besides the roles. */
export function planRoles({ roles }: PolicyDb, names: Names): RolePlan {
  const { primaryCount, entries } = roles;
  const nothing: RolePlan = { attributes: [], isRepeated: false };
  if (entries.find(({ name }) => name === 'object_r')?.value !== 1) {
    names.otherOrder('numbers of roles');
    return nothing;
  }
  const natural = tableSizeFor(SYMTAB_SIZES.roles, primaryCount);
  const others = entries.filter(({ name }) => name !== 'object_r');
  const isSound = new Set(entries.map(({ value }) => value)).size === entries.length && primaryCount <= MAX_TABLE;
  for (const size of primaryCount === natural ? [natural, natural * 2] : [natural]) {
    if (!isSound || !isNumberedBy(others, size)) continue;
    const attributes = fillGaps(entries, primaryCount, size, 'role_attribute_');
    if (attributes === undefined) continue;
    const all = [...entries, ...attributes.map((name) => ({ name }))];
    const written = new Set<{ readonly name: string }>(entries);
    if (
      !insertedOrder(all, SYMTAB_SIZES.roles)
        .filter((one) => written.has(one))
        .every((one, i) => one === entries[i])
    )
      names.otherOrder('roles');
    return { attributes, isRepeated: size !== natural };
  }
  names.otherOrder('numbers of roles');
  return nothing;
}

/** Whether a user must be declared once more, so that the table grows. */
export function planUsers({ users }: PolicyDb, names: Names): boolean {
  const { entries } = users;
  const natural = tableSizeFor(SYMTAB_SIZES.users, entries.length);
  if (!isInsertedOrder(entries, SYMTAB_SIZES.users)) names.otherOrder('users');
  if (isCounted(entries) && users.primaryCount === entries.length) {
    if (isNumberedBy(entries, natural)) return false;
    if (entries.length === natural && isNumberedBy(entries, natural * 2)) return true;
  }
  names.otherOrder('numbers of users');
  return false;
}

/** How many tunables must be declared besides the booleans, so that the table grows to what it was. */
export function planTunables({ booleans }: PolicyDb, names: Names): number {
  const { entries } = booleans;
  if (!isInsertedOrder(entries, SYMTAB_SIZES.booleans)) names.otherOrder('booleans');
  const natural = tableSizeFor(SYMTAB_SIZES.booleans, entries.length);
  if (isCounted(entries) && booleans.primaryCount === entries.length) {
    for (let size = natural; size <= Math.max(natural, 1 << 12); size *= 2) {
      if (isNumberedBy(entries, size)) return size === natural ? 0 : size / 2 + 1 - entries.length;
    }
  }
  names.otherOrder('numbers of booleans');
  return 0;
}
