/**
 * `PagedMap`: the records of a host by their numbers, in pages that are read when a record of theirs is asked for.
 *
 * A host with ten thousand guests is kept as ten thousand of each kind of record, of which a command needs a few. So a
 * page that nobody asks for stays the text that it is, and one that nobody may have changed need not be written again.
 *
 * Imports: nothing.
 * Start reading at `PagedMap`.
 *
 * @module
 */

/** Records of a page, where the numbers are close to each other. */
const PAGE_SIZE = 64;

/** How records are written as plain JSON, and read back: undefined where what was written is none. */
export interface RecordForm<K extends number, V> {
  /** A record as plain JSON. */
  write(value: V): unknown;
  /** The record again; undefined where it is none. */
  read(value: unknown, key: K): V | undefined;
  /** The page of a number; a higher number is in no lower page. Without it, that many in a row make a page. */
  readonly pageOf?: (key: number) => number;
}

/** A page as it is kept: JSON of a list, in which each record stands after its number. Its text may be read when it is asked for. */
export interface KeptPage {
  readonly page: number;
  /** How many records it has; a page of none is one that there is no more. */
  readonly count: number;
  readonly text: string;
}

/** Thrown when a page that is asked for does not hold what was kept. */
export class KeptPageError extends Error {}

/** Pages of one table; no host has more. */
const PAGES_LIMIT = 0x20000;

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/**
 * The pages of a table as they were kept; none where nothing is said. Throws `KeptPageError` where they are none. Whether
 * one has a text shows when a record of it is asked for.
 */
export function readKeptPages(value: unknown): readonly KeptPage[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > PAGES_LIMIT) throw new KeptPageError();
  const pages: readonly unknown[] = value;
  const isPage = (one: unknown): one is KeptPage =>
    typeof one === 'object' &&
    one !== null &&
    'page' in one &&
    isCount(one.page) &&
    'count' in one &&
    isCount(one.count);
  if (!pages.every(isPage)) throw new KeptPageError();
  return pages;
}

interface Page<K, V> {
  readonly number: number;
  count: number;
  /** Undefined as long as nobody asked. */
  records: Map<K, V> | undefined;
  /** Whether the numbers stand in their order, and the highest of them. */
  isInOrder: boolean;
  last: number;
  /** As it was kept, which may have to be read from somewhere. */
  readonly kept: KeptPage | undefined;
  /** Whether a record of it may have changed, now or whenever who was given it likes. */
  isOpen: boolean;
}

function evenPages(key: number): number {
  return Math.floor(key / PAGE_SIZE);
}

/** A map from numbers, none of them negative, to records, in the order of the numbers. */
export class PagedMap<K extends number, V> {
  readonly #form: RecordForm<K, V>;
  readonly #pageOf: (key: number) => number;
  readonly #pages = new Map<number, Page<K, V>>();
  #size = 0;
  /** All pages in their order; undefined when one came or went since. */
  #order: Page<K, V>[] | undefined;

  /** A map with what was kept of another one. Throws `KeptPageError` where two pages have one number. */
  constructor(form: RecordForm<K, V>, kept: Iterable<KeptPage> = []) {
    this.#form = form;
    this.#pageOf = form.pageOf ?? evenPages;
    for (const one of kept) {
      const { page: number, count } = one;
      if (count === 0) continue;
      if (this.#pages.has(number)) throw new KeptPageError();
      const page = { number, count, records: undefined, isInOrder: true, last: 0, kept: one, isOpen: false };
      this.#pages.set(number, page);
      this.#size += count;
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Whether there is a record of that number. */
  has(key: K): boolean {
    return this.look(key) !== undefined;
  }

  /** A record that the caller may change. */
  get(key: K): V | undefined {
    const page = this.#pages.get(this.#pageOf(key));
    if (page === undefined) return undefined;
    const found = this.#recordsOf(page).get(key);
    if (found !== undefined) page.isOpen = true;
    return found;
  }

  /** A record that the caller leaves as it is. */
  look(key: K): Readonly<V> | undefined {
    const page = this.#pages.get(this.#pageOf(key));
    return page === undefined ? undefined : this.#recordsOf(page).get(key);
  }

  /** Puts a record in the place of the one with that number. Throws `RangeError` where that can number none. */
  set(key: K, value: V): this {
    if (!Number.isSafeInteger(key) || key < 0) throw new RangeError(`${key} numbers no record`);
    const number = this.#pageOf(key);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = { number, count: 0, records: new Map(), isInOrder: true, last: -1, kept: undefined, isOpen: true };
      this.#pages.set(number, page);
      // Most records come in their order.
      if ((this.#order?.at(-1)?.number ?? Infinity) < number) this.#order?.push(page);
      else this.#order = undefined;
    }
    const records = this.#recordsOf(page);
    if (!records.has(key)) {
      if (key < page.last) page.isInOrder = false;
      else page.last = key;
      page.count++;
      this.#size++;
    }
    records.set(key, value);
    page.isOpen = true;
    return this;
  }

  /** Takes a record out. Answers whether there was one. */
  delete(key: K): boolean {
    const page = this.#pages.get(this.#pageOf(key));
    if (page === undefined || !this.#recordsOf(page).delete(key)) return false;
    page.isOpen = true;
    page.count--;
    this.#size--;
    return true;
  }

  /** The records from a number on, before another one, in their order, for callers who leave them as they are. */
  *within(first: number, end: number = Number.MAX_SAFE_INTEGER): Generator<Readonly<V>, void, void> {
    for (const page of this.#pagesWithin(first, end)) {
      const records = this.#sorted(page);
      // Only the first page and the last can have others.
      if (first === 0 && end === Number.MAX_SAFE_INTEGER) yield* records.values();
      else for (const [key, value] of records) if (key >= first && key < end) yield value;
    }
  }

  /** All records, for callers who leave them as they are. */
  values(): Generator<Readonly<V>, void, void> {
    return this.within(0);
  }

  /** The numbers that there are from one on, before another one, ascending. */
  *keys(first: number = 0, end: number = Number.MAX_SAFE_INTEGER): Generator<K, void, void> {
    for (const page of this.#pagesWithin(first, end)) {
      for (const key of this.#sorted(page).keys()) if (key >= first && key < end) yield key;
    }
  }

  /** Its pages as they are to be kept: all, or those that may not be what was kept before. */
  pages(which: 'all' | 'changed'): KeptPage[] {
    return which === 'all' ? this.kept() : this.changed();
  }

  /** Its pages, as they are to be kept. */
  kept(): KeptPage[] {
    return this.#inOrder()
      .filter(({ count }) => count > 0)
      .map((page) => (page.isOpen || page.kept === undefined ? this.#written(page) : page.kept));
  }

  /** Those of its pages that may not be what was kept before. */
  changed(): KeptPage[] {
    return this.#inOrder()
      .filter(({ isOpen }) => isOpen)
      .map((page) => this.#written(page));
  }

  /** The pages that have numbers within the limits, and perhaps others. */
  #pagesWithin(first: number, end: number): readonly Page<K, V>[] {
    const order = this.#inOrder();
    return order.slice(placeOf(order, this.#pageOf(first)), placeOf(order, this.#pageOf(end - 1) + 1));
  }

  #written(page: Page<K, V>): KeptPage {
    const list: unknown[] = [];
    for (const [key, value] of this.#sorted(page)) list.push(key, this.#form.write(value));
    return { page: page.number, count: page.count, text: JSON.stringify(list) };
  }

  #recordsOf(page: Page<K, V>): Map<K, V> {
    page.records ??= this.#read(page);
    return page.records;
  }

  /** The records of a page in the order of their numbers. */
  #sorted(page: Page<K, V>): Map<K, V> {
    const records = this.#recordsOf(page);
    if (page.isInOrder) return records;
    page.records = new Map([...records].sort(([a], [b]) => a - b));
    page.isInOrder = true;
    return page.records;
  }

  #read(page: Page<K, V>): Map<K, V> {
    const { kept, count, number } = page;
    let list: unknown;
    try {
      list = JSON.parse(kept?.text ?? '[]');
    } catch (error) {
      throw new KeptPageError(undefined, { cause: error });
    }
    if (!Array.isArray(list) || list.length !== 2 * count) throw new KeptPageError();
    const items: readonly unknown[] = list;
    const records = new Map<K, V>();
    let before = -1;
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== 'number' || !Number.isSafeInteger(key) || key <= before) throw new KeptPageError();
      if (this.#pageOf(key) !== number) throw new KeptPageError();
      // Only numbers of the map's kind are put into it.
      const value = this.#form.read(items[i + 1], key as K);
      if (value === undefined) throw new KeptPageError();
      records.set(key as K, value);
      before = key;
    }
    page.last = before;
    return records;
  }

  #inOrder(): readonly Page<K, V>[] {
    this.#order ??= [...this.#pages.values()].sort((a, b) => a.number - b.number);
    return this.#order;
  }
}

/** Where the first page stands that has a number or a higher one. */
function placeOf(order: readonly { readonly number: number }[], number: number): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((order[middle]?.number ?? 0) < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The part of a `PagedMap` that belongs to one owner: `size` numbers, counted from 0. */
export class MapSlice<K extends number, V> {
  readonly #map: PagedMap<number, V>;
  readonly #base: number;
  readonly #size: number;

  constructor(map: PagedMap<number, V>, owner: number, size: number) {
    this.#map = map;
    this.#base = owner * size;
    this.#size = size;
  }

  /** Whether there is a record of that number. */
  has(key: K): boolean {
    return this.#isWithin(key) && this.#map.has(this.#base + key);
  }

  /** A record that the caller may change. */
  get(key: K): V | undefined {
    return this.#isWithin(key) ? this.#map.get(this.#base + key) : undefined;
  }

  /** Puts a record in the place of the one with that number. Throws `RangeError` where that can number none. */
  set(key: K, value: V): this {
    if (!this.#isWithin(key)) throw new RangeError(`${key} numbers no record`);
    this.#map.set(this.#base + key, value);
    return this;
  }

  /** Takes a record out. Answers whether there was one. */
  delete(key: K): boolean {
    return this.#isWithin(key) && this.#map.delete(this.#base + key);
  }

  /** All of it, in order, for callers who leave it as it is. */
  values(): Generator<Readonly<V>, void, void> {
    return this.#map.within(this.#base, this.#base + this.#size);
  }

  /** Takes all of it out. */
  clear(): void {
    for (const key of [...this.#map.keys(this.#base, this.#base + this.#size)]) this.#map.delete(key);
  }

  #isWithin(key: K): boolean {
    return Number.isInteger(key) && key >= 0 && key < this.#size;
  }
}
