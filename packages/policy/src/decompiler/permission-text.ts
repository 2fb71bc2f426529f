/**
 * Permission bits of a rule as text: names, `*` or `~ { names }`.
 *
 * A rule's `*` and `~` set bits that the class does not have. The binary keeps them, so the text must too.
 *
 * @module
 */
import { AVTAB_AUDITDENY, type ClassSymbol } from '../policydb/index.ts';
import { setText } from './layout.ts';
import type { Names } from './names.ts';

/** The word of a rule and its permissions; `key` is equal for equal text whatever the order of the names. */
export interface PermissionText {
  readonly isDontaudit: boolean;
  readonly text: string;
  readonly key: string;
}

/** Every bit of a class. */
export function fullMask(tclass: ClassSymbol): number {
  return tclass.permissionCount >= 32 ? 0xffffffff : 2 ** tclass.permissionCount - 1;
}

/** The names of some bits, or undefined where a bit has none. */
export function permissionNames(names: Names, tclass: ClassSymbol, bits: number): string[] | undefined {
  const all = names.permissions(tclass);
  const found: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    if (((bits >>> bit) & 1) === 0) continue;
    const name = all[bit];
    if (name === undefined) return undefined;
    found.push(name);
  }
  return found;
}

/** A set whose bits beyond the class are all alike. */
function bitsText(names: Names, tclass: ClassSymbol, bits: number): { text: string; key: string } | undefined {
  const mask = fullMask(tclass);
  const beyond = ~mask >>> 0;
  const inside = (bits & mask) >>> 0;
  if (bits === 0xffffffff) return { text: '*', key: '*' };
  if ((bits & beyond) >>> 0 === 0 && inside !== 0) {
    const listed = permissionNames(names, tclass, inside);
    return listed && { text: setText(listed), key: listed.toSorted().join(' ') };
  }
  if ((bits & beyond) >>> 0 !== beyond) return undefined;
  const left = permissionNames(names, tclass, (mask & ~inside) >>> 0);
  return left && left.length > 0 ? { text: `~${setText(left)}`, key: `~${left.toSorted().join(' ')}` } : undefined;
}

/** The permissions of an entry of the access vector table, or undefined where no rule gives them. */
export function permissionText(
  names: Names,
  tclass: ClassSymbol,
  kind: number,
  datum: number,
): PermissionText | undefined {
  if (kind !== AVTAB_AUDITDENY) {
    const found = bitsText(names, tclass, datum);
    return found && { ...found, isDontaudit: false };
  }
  // An entry keeps what a `dontaudit` rule leaves to be logged.
  const mask = fullMask(tclass);
  const beyond = ~mask >>> 0;
  const isComplement = datum !== 0xffffffff && (datum & beyond) >>> 0 === beyond;
  const isDontaudit = isComplement || datum === 0;
  const found = bitsText(names, tclass, isDontaudit ? ~datum >>> 0 : datum);
  return found && { text: found.text, key: `${isDontaudit ? '-' : '+'}${found.key}`, isDontaudit };
}
