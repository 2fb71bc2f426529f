/**
 * One numbering for the names of two policies: what has the same name is the same thing, whatever its number.
 *
 * Start reading at `SharedNames`.
 *
 * @module
 */
import { conditionText, Names } from '../../decompiler/index.ts';
import type { PolicyDb } from '../../policydb/index.ts';
import { Conditions } from './conditions.ts';

/** The two sides of a comparison. */
export type Side = 'old' | 'new';

/** Permissions of one class: both sides' together may be more than a word has bits, so they lie on pages. */
export const PAGE_BITS = 32;
/** A class has at most 32 permissions on each side. */
export const PAGES = 2;

/** A type or an attribute of one policy or of both. */
export interface SharedType {
  readonly name: string;
  readonly isAttribute: boolean;
}

/** An object class of one policy or of both. */
export interface SharedClass {
  readonly name: string;
  /** Those of both sides, by shared number. */
  readonly permissions: readonly string[];
}

/** How one side's numbers become shared ones. */
export interface SideNames {
  readonly policy: PolicyDb;
  /** Numbers a policy without a name for them does not lose: they get a made-up one. */
  readonly names: Names;
  /** Shared number of a type or attribute by its value. */
  readonly typeOf: Uint32Array;
  /** Shared number of a class by its value. */
  readonly classOf: Uint32Array;
  /** For each bit of a class its shared number; -1 for bits that the class does not have. */
  readonly bitsOf: readonly (Int32Array | undefined)[];
  /** Keys of each type in the access vector table: itself and its attributes. Undefined where the side has no such type. */
  readonly keys: readonly (Uint32Array | undefined)[];
  /** Types that stand behind each key, ascending. */
  readonly members: readonly Uint32Array[];
  /** For each conditional the condition of its two branches. */
  readonly branches: readonly { readonly whenTrue: number; readonly whenFalse: number }[];
}

const NONE = new Uint32Array(0);

/** What two policies have in common. */
export class SharedNames {
  readonly types: SharedType[] = [];
  readonly classes: SharedClass[] = [];
  readonly conditions: Conditions = new Conditions();
  readonly old: SideNames;
  readonly new: SideNames;
  readonly #typeNumbers = new Map<string, number>();
  readonly #classNumbers = new Map<string, number>();
  readonly #permissions: string[][] = [];

  constructor(old: PolicyDb, next: PolicyDb) {
    const sides = [old, next].map((policy) => {
      const names = new Names(policy, () => undefined);
      return { policy, names, typeOf: this.#numberTypes(policy, names), ...this.#numberClasses(policy, names) };
    });
    this.classes.push(
      ...[...this.#classNumbers.keys()].map((name, i) => ({ name, permissions: this.#permissions[i] ?? [] })),
    );
    const whole = sides.map((side) => ({
      ...side,
      ...this.#membership(side.policy, side.typeOf),
      branches: this.#branches(side.policy, side.names),
    }));
    const [first, second] = whole;
    if (first === undefined || second === undefined) throw new RangeError('two policies have two sides');
    this.old = first;
    this.new = second;
  }

  #numberTypes(policy: PolicyDb, names: Names): Uint32Array {
    const typeOf = new Uint32Array(policy.types.primaryCount + 1);
    for (let value = 1; value <= policy.types.primaryCount; value++) {
      const isAttribute = names.isAttribute(value);
      const name = names.type(value);
      const key = `${isAttribute ? 'attribute' : 'type'} ${name}`;
      let number = this.#typeNumbers.get(key);
      if (number === undefined) {
        number = this.types.length;
        this.#typeNumbers.set(key, number);
        this.types.push({ name, isAttribute });
      }
      typeOf[value] = number;
    }
    return typeOf;
  }

  #numberClasses(policy: PolicyDb, names: Names): Pick<SideNames, 'classOf' | 'bitsOf'> {
    const classOf = new Uint32Array(policy.classes.primaryCount + 1);
    const bitsOf: (Int32Array | undefined)[] = [];
    for (let value = 1; value <= policy.classes.primaryCount; value++) {
      const name = names.class(value);
      const number = this.#classNumbers.get(name) ?? this.#classNumbers.size;
      this.#classNumbers.set(name, number);
      classOf[value] = number;
      const shared = this.#permissions[number] ?? [];
      this.#permissions[number] = shared;
      const bits = new Int32Array(PAGE_BITS).fill(-1);
      const symbol = names.classes.get(value);
      const own = symbol === undefined ? [] : names.permissions(symbol);
      for (const [bit, permission] of own.entries()) {
        if (permission === undefined || bit >= PAGE_BITS) continue;
        const known = shared.indexOf(permission);
        bits[bit] = known === -1 ? shared.push(permission) - 1 : known;
      }
      bitsOf[value] = bits;
    }
    return { classOf, bitsOf };
  }

  #membership(policy: PolicyDb, typeOf: Uint32Array): Pick<SideNames, 'keys' | 'members'> {
    const keys: (Uint32Array | undefined)[] = new Array<undefined>(this.types.length).fill(undefined);
    const members: number[][] = this.types.map(() => []);
    for (let value = 1; value < typeOf.length; value++) {
      const type = typeOf[value] ?? 0;
      if (this.types[type]?.isAttribute === true) continue;
      // XEN: policydb_read() adds to each type's attributes the type itself.
      const found = new Set([type]);
      for (const bit of policy.typeAttributeMap[value - 1] ?? []) {
        const key = typeOf[bit + 1];
        if (key !== undefined) found.add(key);
      }
      keys[type] = Uint32Array.from(found);
      for (const key of found) members[key]?.push(type);
    }
    return { keys, members: members.map((list) => (list.length === 0 ? NONE : Uint32Array.from(list).sort())) };
  }

  #branches(policy: PolicyDb, names: Names): SideNames['branches'] {
    return policy.conditionals.map((conditional) => {
      const text = conditionText(names, conditional.expression);
      const whenTrue = this.conditions.ofConditional(conditional, (boolean) => names.boolean(boolean), text);
      return { whenTrue, whenFalse: this.conditions.not(whenTrue) };
    });
  }

  /** The permissions in the bits of one page of a class, sorted. */
  permissions(tclass: number, page: number, bits: number): string[] {
    const all = this.classes[tclass]?.permissions ?? [];
    const found: string[] = [];
    for (let bit = 0; bit < PAGE_BITS; bit++) {
      const name = all[page * PAGE_BITS + bit];
      if (name !== undefined && ((bits >>> bit) & 1) === 1) found.push(name);
    }
    return found.sort();
  }
}

/** The bits of one page that one side's bits stand for. */
export function pageBits(side: SideNames, tclass: number, data: number, page: number): number {
  const shared = side.bitsOf[tclass];
  if (shared === undefined) return 0;
  let out = 0;
  for (let rest = data; rest !== 0; rest &= rest - 1) {
    const bit = 31 - Math.clz32(rest & -rest);
    const number = shared[bit] ?? -1;
    if (number >> 5 === page) out |= 1 << (number & 31);
  }
  return out >>> 0;
}
