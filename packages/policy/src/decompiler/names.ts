/**
 * The names behind the numbers of a policy, each checked once: policy text can hold no other names than identifiers.
 *
 * Start reading at `Names`.
 *
 * @module
 */
import { KEYWORDS } from '../language/keywords.ts';
import {
  type ClassSymbol,
  type MlsLevel,
  type MlsRange,
  type PolicyDb,
  permissionsOf,
  type RoleSymbol,
  type TypeSymbol,
  type UserSymbol,
} from '../policydb/index.ts';
import type { Report } from '../text/index.ts';
import { decompile, printable } from './diagnostics.ts';

const IDENTIFIER = /^[A-Za-z](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-]))*$/;

/** Short enough, and of the right letters, for the lexer to take it for a part of an IPv6 address. */
const ADDRESS_LIKE = /^[0-9A-Fa-f]{1,4}$/;

/** The longest line that checkpolicy reads, with room for what stands around a name. */
const MAX_NAME = 8000;

function byNumber<T extends { readonly value: number }>(symbols: Iterable<T>): Map<number, T> {
  const found = new Map<number, T>();
  for (const symbol of symbols) if (!found.has(symbol.value)) found.set(symbol.value, symbol);
  return found;
}

/** Names by number. A number without a symbol is reported once, and gets a name that no policy declares. */
export class Names {
  readonly policy: PolicyDb;
  readonly types: ReadonlyMap<number, TypeSymbol>;
  readonly classes: ReadonlyMap<number, ClassSymbol>;
  readonly roles: ReadonlyMap<number, RoleSymbol>;
  readonly users: ReadonlyMap<number, UserSymbol>;
  readonly #booleans: ReadonlyMap<number, string>;
  readonly #sensitivities: ReadonlyMap<number, string>;
  readonly #categories: ReadonlyMap<number, string>;
  readonly #permissions = new Map<number, readonly (string | undefined)[]>();
  readonly #report: Report;
  readonly #reported = new Set<string>();

  constructor(policy: PolicyDb, report: Report) {
    this.policy = policy;
    this.#report = report;
    this.types = byNumber(policy.types.entries.filter(({ kind }) => kind !== 'alias'));
    this.classes = byNumber(policy.classes.entries);
    this.roles = byNumber(policy.roles.entries);
    this.users = byNumber(policy.users.entries);
    this.#booleans = new Map(policy.booleans.entries.map(({ value, name }) => [value, name]));
    this.#categories = new Map(
      policy.categories.entries.filter(({ isAlias }) => !isAlias).map(({ value, name }) => [value, name]),
    );
    this.#sensitivities = new Map(
      policy.sensitivities.entries
        .filter(({ isAlias }) => !isAlias)
        .map(({ level, name }) => [level.sensitivity, name]),
    );
  }

  /** Reports that something has no text; the same thing once. */
  lost(what: string): void {
    if (this.#reported.has(what)) return;
    this.#reported.add(what);
    this.#report(decompile['no-text'](undefined, { what: printable(what, 200) }));
  }

  /** Reports that a list is in an order of its own. */
  otherOrder(what: string): void {
    if (this.#reported.has(`order ${what}`)) return;
    this.#reported.add(`order ${what}`);
    this.#report(decompile['other-order'](undefined, { what: printable(what, 200) }));
  }

  /** Reports names that are no identifiers. */
  checkNames(what: string, symbols: Iterable<{ readonly name: string }>, allowsDots = true): void {
    for (const { name } of symbols) {
      const isFine = IDENTIFIER.test(name) && name.length <= MAX_NAME && !KEYWORDS.has(name);
      if (isFine && (allowsDots || !name.includes('.'))) continue;
      this.#report(decompile['not-a-name'](undefined, { what, name: printable(name) }));
    }
  }

  #missing(what: string, number: number): string {
    const key = `${what} ${number}`;
    if (!this.#reported.has(key)) {
      this.#reported.add(key);
      this.#report(decompile['no-symbol'](undefined, { what, number }));
    }
    return `nameless_${what}_${number}`;
  }

  /** The name of a type or an attribute. */
  type(value: number): string {
    return this.types.get(value)?.name ?? this.#missing('type', value);
  }

  /** Whether it is an attribute. */
  isAttribute(value: number): boolean {
    return this.types.get(value)?.kind === 'attribute';
  }

  /** The name of a class. */
  class(value: number): string {
    return this.classes.get(value)?.name ?? this.#missing('class', value);
  }

  /** The name of a role. */
  role(value: number): string {
    return this.roles.get(value)?.name ?? this.#missing('role', value);
  }

  /** The name of a user. */
  user(value: number): string {
    return this.users.get(value)?.name ?? this.#missing('user', value);
  }

  /** The name of a boolean. */
  boolean(value: number): string {
    return this.#booleans.get(value) ?? this.#missing('boolean', value);
  }

  /** The name of a category. */
  category(value: number): string {
    return this.#categories.get(value) ?? this.#missing('category', value);
  }

  /** The name of a sensitivity. */
  sensitivity(value: number): string {
    return this.#sensitivities.get(value) ?? this.#missing('sensitivity', value);
  }

  /** The permissions of a class by bit, those of its common included. */
  permissions(tclass: ClassSymbol): readonly (string | undefined)[] {
    let names = this.#permissions.get(tclass.value);
    if (names === undefined) {
      const found: (string | undefined)[] = [];
      for (const { name, value } of permissionsOf(this.policy, tclass)) found[value - 1] = name;
      names = found;
      this.#permissions.set(tclass.value, names);
    }
    return names;
  }

  /** Categories as text: single ones, and runs of three or more as `low.high`. */
  categories(bits: Uint32Array): string[] {
    const items: string[] = [];
    for (let i = 0; i < bits.length; ) {
      const low = bits[i] ?? 0;
      let end = i + 1;
      while (end < bits.length && bits[end] === low + (end - i)) end++;
      if (end - i >= 3) items.push(`${this.category(low + 1)}.${this.category(low + end - i)}`);
      else for (let at = i; at < end; at++) items.push(this.category((bits[at] ?? 0) + 1));
      i = end;
    }
    return items;
  }

  /** A level as text. */
  level({ sensitivity, categories }: MlsLevel): string {
    const name = this.sensitivity(sensitivity);
    if (categories.size === 0) return name;
    const items = this.categories(categories.bits);
    // A list of many is broken into lines, which needs blanks.
    return `${name}:${items.join(items.length > 100 ? ', ' : ',')}`;
  }

  /** Reports levels of a policy that is without MLS. */
  checkNoLevels(...levels: readonly MlsLevel[]): void {
    if (levels.some(({ sensitivity, categories }) => sensitivity !== 0 || categories.size > 0))
      this.lost('a level in a policy without MLS');
  }

  /** A range as text: one level, or two. */
  range({ low, high }: MlsRange): string {
    const isOne = low.sensitivity === high.sensitivity && low.categories.equals(high.categories);
    return isOne ? this.level(low) : `${this.level(low)} - ${this.level(high)}`;
  }

  /** A context as text. */
  context(context: {
    readonly user: number;
    readonly role: number;
    readonly type: number;
    readonly range: MlsRange;
  }): string {
    const parts = [this.user(context.user), this.role(context.role), this.type(context.type)];
    if (this.policy.isMls) parts.push(this.range(context.range));
    else this.checkNoLevels(context.range.low, context.range.high);
    // `a:b:c` would be read as an address where the names are hexadecimal.
    return parts.join(parts.some((part) => ADDRESS_LIKE.test(part)) ? ' : ' : ':');
  }
}
