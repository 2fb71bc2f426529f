/**
 * Conditions as functions of booleans, so that two conditions written differently are the same where they mean the same.
 *
 * A condition has a number: `ALWAYS`, `NEVER`, or that of a function. A function knows only the booleans that it depends
 * on. Over more than `MAX_BOOLEANS` of them no table is made: then a condition is known by its text alone, and is never
 * taken for `NEVER`.
 *
 * Start reading at `Conditions`.
 *
 * @module
 */
import { COND_BOOL, type Conditional, conditionHolds } from '../../policydb/index.ts';

/** The condition that holds whatever the booleans. */
export const ALWAYS = 0;
/** The condition that no booleans meet. */
export const NEVER = 1;

/** Most booleans of a table: 2^12 rows. */
const MAX_BOOLEANS = 12;
/** Most booleans for which a text is made from the table itself: 3^6 products are tried. */
const MAX_WORDED = 6;

/** `table` has the value for each setting: bit i of the row's number is boolean i. */
interface Condition {
  readonly booleans: readonly string[];
  /** Undefined where there are too many booleans. */
  readonly table: Uint8Array | undefined;
  readonly text: string;
}

/** Drops the booleans that make no difference. */
function reduce(booleans: readonly string[], table: Uint8Array): { booleans: string[]; table: Uint8Array } {
  let names = [...booleans];
  let values = table;
  for (let i = names.length - 1; i >= 0; i--) {
    const bit = 1 << i;
    if (values.some((value, row) => (row & bit) === 0 && value !== values[row | bit])) continue;
    const low = bit - 1;
    const kept = new Uint8Array(values.length / 2);
    for (let row = 0; row < kept.length; row++) kept[row] = values[((row & ~low) << 1) | (row & low)] ?? 0;
    values = kept;
    names = names.filter((_, at) => at !== i);
  }
  return { booleans: names, table: values };
}

/** All conditions of a comparison, each once. */
export class Conditions {
  readonly #list: Condition[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #combined = new Map<string, number>();

  constructor() {
    this.#intern([], new Uint8Array([1]), 'always');
    this.#intern([], new Uint8Array([0]), 'never');
  }

  /** How many there are. */
  get count(): number {
    return this.#list.length;
  }

  /** The condition in words. */
  text(condition: number): string {
    return this.#list[condition]?.text ?? '';
  }

  /** The condition of a conditional block. */
  ofConditional(conditional: Conditional, nameOf: (boolean: number) => string, text: string): number {
    const values = conditional.expression
      .filter(({ operator }) => operator === COND_BOOL)
      .map(({ boolean }) => boolean);
    const booleans = [...new Set(values.map(nameOf))].toSorted();
    if (booleans.length > MAX_BOOLEANS) return this.#intern(booleans, undefined, text);
    const places = values.map((value) => [value, booleans.indexOf(nameOf(value))] as const);
    const table = new Uint8Array(1 << booleans.length);
    for (let row = 0; row < table.length; row++) {
      const settings: boolean[] = [];
      for (const [value, place] of places) settings[value] = ((row >>> place) & 1) === 1;
      table[row] = conditionHolds(conditional, settings) ? 1 : 0;
    }
    return this.#intern(booleans, table, text);
  }

  /** The condition that holds where this one does not. */
  not(condition: number): number {
    return this.#combine('not', condition, ALWAYS, (a) => 1 - a, `!(${this.text(condition)})`);
  }

  /** The condition that holds where one of the two does. */
  or(a: number, b: number): number {
    if (a === ALWAYS || b === ALWAYS) return ALWAYS;
    if (a === NEVER || a === b) return b;
    if (b === NEVER) return a;
    return this.#combine('or', a, b, (x, y) => x | y, `(${this.text(a)}) || (${this.text(b)})`);
  }

  /** The condition that holds where the first one does and the second one does not. */
  butNot(a: number, b: number): number {
    if (b === ALWAYS || a === NEVER || a === b) return NEVER;
    if (b === NEVER) return a;
    if (a === ALWAYS) return this.not(b);
    return this.#combine('but not', a, b, (x, y) => x & (1 - y), `(${this.text(a)}) && !(${this.text(b)})`);
  }

  #combine(what: string, a: number, b: number, join: (x: number, y: number) => number, text: string): number {
    const key = `${what} ${a} ${b}`;
    let found = this.#combined.get(key);
    if (found === undefined) {
      found = this.#make(a, b, join, text);
      this.#combined.set(key, found);
    }
    return found;
  }

  #make(a: number, b: number, join: (x: number, y: number) => number, text: string): number {
    const [one, two] = [this.#list[a], this.#list[b]];
    const booleans = [...new Set([...(one?.booleans ?? []), ...(two?.booleans ?? [])])].toSorted();
    if (one?.table === undefined || two?.table === undefined || booleans.length > MAX_BOOLEANS)
      return this.#intern(booleans, undefined, text);
    const rowIn = (of: Condition, row: number): number =>
      of.booleans.reduce((sum, name, i) => sum | (((row >>> booleans.indexOf(name)) & 1) << i), 0);
    const table = new Uint8Array(1 << booleans.length);
    for (let row = 0; row < table.length; row++)
      table[row] = join(one.table[rowIn(one, row)] ?? 0, two.table[rowIn(two, row)] ?? 0);
    return this.#intern(booleans, table, undefined, text);
  }

  /** `text` is how a person wrote it; `made` is what can always be said. */
  #intern(
    booleans: readonly string[],
    table: Uint8Array | undefined,
    text: string | undefined,
    made: string = text ?? '',
  ): number {
    const reduced = table === undefined ? undefined : reduce(booleans, table);
    const key = reduced === undefined ? `text ${made}` : `${reduced.booleans.join()} ${reduced.table.join('')}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#list.length;
      this.#numbers.set(key, number);
      const shown = text ?? (reduced === undefined ? made : (wordTable(reduced.booleans, reduced.table) ?? made));
      this.#list.push({ booleans: reduced?.booleans ?? booleans, table: reduced?.table, text: shown });
    }
    return number;
  }
}

/** A product of booleans: those in `mask` have the values in `values`. */
interface Product {
  readonly mask: number;
  readonly values: number;
}

/** A table as a short sum of products; undefined where it has too many booleans. */
function wordTable(booleans: readonly string[], table: Uint8Array): string | undefined {
  if (booleans.length > MAX_WORDED) return undefined;
  const all = (1 << booleans.length) - 1;
  const rows = [...table.keys()];
  const covers = ({ mask, values }: Product, row: number): boolean => (row & mask) === values;
  const products: Product[] = [];
  for (let mask = 0; mask <= all; mask++) {
    for (let values = mask; ; values = (values - 1) & mask) {
      const product = { mask, values };
      if (rows.every((row) => !covers(product, row) || table[row] === 1)) products.push(product);
      if (values === 0) break;
    }
  }
  let open = rows.filter((row) => table[row] === 1);
  const chosen: Product[] = [];
  while (open.length > 0) {
    // Those with few booleans come first, and of equals the first wins.
    const counts = products.map((one) => open.filter((row) => covers(one, row)).length);
    const best = products[counts.indexOf(Math.max(...counts))];
    if (best === undefined) return undefined;
    chosen.push(best);
    open = open.filter((row) => !covers(best, row));
  }
  const word = ({ mask, values }: Product): string =>
    booleans.flatMap((name, i) => ((mask >>> i) & 1 ? [`${(values >>> i) & 1 ? '' : '!'}${name}`] : [])).join(' && ');
  return chosen.map(word).join(' || ');
}
