/**
 * Type enforcement rules in columns.
 *
 * A row is one rule for one class: source set, target set, class, kind, permissions or result type. Rows of a compiled
 * policy keep sets as written; rows read from a binary have sets of one. Columns of numbers keep a policy of millions of
 * entries small. Of a table that was read, the columns are made when somebody asks for them: most questions choose a few
 * rows out of the entries as they stand in the file, and nearly all of those only out of the entries that give permissions.
 *
 * @module
 */
import { ENTRY_WORDS, isTypeKind } from './av-entries.ts';
import type { FileEntries } from './file-entries.ts';

const INITIAL_ROWS = 64;
const NO_WORDS = new Uint32Array();

/** A table's columns, all of one length. */
class Columns {
  readonly kind: Uint16Array;
  readonly source: Uint32Array;
  readonly target: Uint32Array;
  readonly self: Uint8Array;
  readonly tclass: Uint16Array;
  readonly data: Uint32Array;
  readonly statement: Uint32Array;

  constructor(rows: number) {
    this.kind = new Uint16Array(rows);
    this.source = new Uint32Array(rows);
    this.target = new Uint32Array(rows);
    this.self = new Uint8Array(rows);
    this.tclass = new Uint16Array(rows);
    this.data = new Uint32Array(rows);
    this.statement = new Uint32Array(rows);
  }

  /** The same rows, with room for more. */
  grown(rows: number): Columns {
    const wider = new Columns(rows);
    wider.kind.set(this.kind);
    wider.source.set(this.source);
    wider.target.set(this.target);
    wider.self.set(this.self);
    wider.tclass.set(this.tclass);
    wider.data.set(this.data);
    wider.statement.set(this.statement);
    return wider;
  }
}

/** Entries of a binary as columns. */
function columnsOf(entries: Uint32Array, rows: number): Columns {
  const columns = new Columns(rows);
  const { kind, source, target, tclass, data } = columns;
  for (let row = 0, at = 0; row < rows; row++, at += ENTRY_WORDS) {
    const pair = entries[at] ?? 0;
    const header = entries[at + 1] ?? 0;
    source[row] = pair & 0xffff;
    target[row] = pair >>> 16;
    tclass[row] = header & 0xffff;
    kind[row] = header >>> 16;
    data[row] = entries[at + 2] ?? 0;
  }
  return columns;
}

/** Whether a row is meant. */
export type RowTest = (kind: number, source: number, target: number, tclass: number, data: number) => boolean;

/** Rules of one list, in the order in which they are to be taken. */
export class RuleTable {
  /** Rows in use. */
  length = 0;
  /** Undefined as long as nobody needs them of a table that was read. */
  #columns: Columns | undefined;
  /** The rows of a table that was read as words of a binary (`AvEntries`), until there are columns, which may be written to. */
  #entries: Uint32Array | undefined;
  /** The rows of a table that was read from a file, until there are words or columns. */
  #file: FileEntries | undefined;
  #vectors: RuleTable | undefined;
  /** The rows of a table that was read from a file that give types, but for those about event channels. */
  #types: RuleTable | undefined;
  #channelClass = 0;
  #byClass: (RuleTable | undefined)[] | undefined;

  /** Empty, with room for some rows; it grows where more come. */
  constructor(rows: number = INITIAL_ROWS, entries?: Uint32Array) {
    this.#entries = entries;
    if (entries === undefined) this.#columns = new Columns(rows);
    else this.length = rows;
  }

  /** The table with these entries of a binary, in words as `AvEntries` has them, without flags. They become the table's own. */
  static ofEntries(words: Uint32Array): RuleTable {
    return new RuleTable(words.length / ENTRY_WORDS, words);
  }

  /** The table with these entries of a binary. */
  static ofFile(entries: FileEntries): RuleTable {
    const table = new RuleTable(entries.count, NO_WORDS);
    table.#file = entries;
    table.#vectors = RuleTable.ofEntries(entries.taken.vectors);
    table.#types = RuleTable.ofEntries(entries.taken.types);
    table.#channelClass = entries.channelClass;
    return table;
  }

  /** The words of a table that has no columns. */
  get #words(): Uint32Array | undefined {
    if (this.#file !== undefined) {
      this.#entries = this.#file.words();
      this.#file = undefined;
    }
    return this.#entries;
  }

  get #filled(): Columns {
    if (this.#columns === undefined) {
      this.#columns = columnsOf(this.#words ?? NO_WORDS, this.length);
      this.#entries = undefined;
    }
    return this.#columns;
  }

  /** Kind of rule: one of `AVTAB_…`, `AVRULE_DONTAUDIT`, `AVRULE_NEVERALLOW`. */
  get kind(): Uint16Array {
    return this.#filled.kind;
  }

  /** Id of the source set in `TypeSets`. */
  get source(): Uint32Array {
    return this.#filled.source;
  }

  /** Id of the target set in `TypeSets`. */
  get target(): Uint32Array {
    return this.#filled.target;
  }

  /** 1 where the target also names `self`. */
  get self(): Uint8Array {
    return this.#filled.self;
  }

  /** Value of the object class. */
  get tclass(): Uint16Array {
    return this.#filled.tclass;
  }

  /** Permission bits as written, or the value of the result type. */
  get data(): Uint32Array {
    return this.#filled.data;
  }

  /** Which statement the row came from: equal for the rows of one statement; the start of its text, where there is one. */
  get statement(): Uint32Array {
    return this.#filled.statement;
  }

  /** Appends a row; the arguments are its columns. Not for a table that was read. */
  push(
    kind: number,
    source: number,
    target: number,
    self: boolean,
    tclass: number,
    data: number,
    statement: number,
  ): void {
    let columns = this.#filled;
    if (this.length === columns.kind.length) {
      columns = columns.grown(Math.max(INITIAL_ROWS, this.length * 2));
      this.#columns = columns;
    }
    const row = this.length++;
    columns.kind[row] = kind;
    columns.source[row] = source;
    columns.target[row] = target;
    columns.self[row] = self ? 1 : 0;
    columns.tclass[row] = tclass;
    columns.data[row] = data;
    columns.statement[row] = statement;
  }

  /** Appends one row of another table. */
  pushRow(from: RuleTable, row: number): void {
    const { kind, source, target, self, tclass, data, statement } = from.#filled;
    this.push(
      kind[row] ?? 0,
      source[row] ?? 0,
      target[row] ?? 0,
      self[row] === 1,
      tclass[row] ?? 0,
      data[row] ?? 0,
      statement[row] ?? 0,
    );
  }

  /** The rows that are meant, in their order, as a table of their own. */
  filter(isMeant: RowTest): RuleTable {
    const found = new RuleTable();
    // Where they lie: to take out few rows, not all need be copied.
    this.#file?.forEach((kind, source, target, tclass, data) => {
      if (isMeant(kind, source, target, tclass, data)) found.push(kind, source, target, false, tclass, data, 0);
    });
    if (this.#file !== undefined) return found;
    const entries = this.#entries;
    if (entries === undefined) {
      const { kind, source, target, tclass, data } = this.#filled;
      for (let row = 0; row < this.length; row++) {
        if (isMeant(kind[row] ?? 0, source[row] ?? 0, target[row] ?? 0, tclass[row] ?? 0, data[row] ?? 0))
          found.pushRow(this, row);
      }
      return found;
    }
    for (let at = 0; at < entries.length; at += ENTRY_WORDS) {
      const pair = entries[at] ?? 0;
      const header = entries[at + 1] ?? 0;
      if (isMeant(header >>> 16, pair & 0xffff, pair >>> 16, header & 0xffff, entries[at + 2] ?? 0))
        found.#pushEntry(entries, at);
    }
    return found;
  }

  #pushEntry(entries: Uint32Array, at: number): void {
    const pair = entries[at] ?? 0;
    const header = entries[at + 1] ?? 0;
    this.push(header >>> 16, pair & 0xffff, pair >>> 16, false, header & 0xffff, entries[at + 2] ?? 0, 0);
  }

  /** The rows as words of a binary (`AvEntries`), without flags; for reading only. */
  entries(): Uint32Array {
    if (this.#words !== undefined) return this.#words;
    const { kind, source, target, tclass, data } = this.#filled;
    const words = new Uint32Array(this.length * ENTRY_WORDS);
    for (let row = 0, at = 0; row < this.length; row++, at += ENTRY_WORDS) {
      words[at] = (source[row] ?? 0) | ((target[row] ?? 0) << 16);
      words[at + 1] = (tclass[row] ?? 0) | ((kind[row] ?? 0) << 16);
      words[at + 2] = data[row] ?? 0;
    }
    return words;
  }

  /**
   * A table with all rows about a class that give types, in their order; it may have other rows too. Of a table in which
   * nothing changes any more.
   */
  typesAbout(tclass: number): RuleTable {
    return tclass === this.#channelClass ? this : (this.#types ?? this);
  }

  /** The datum of the first row of this kind for just this key; undefined where there is none. */
  find(kind: number, source: number, target: number, tclass: number): number | undefined {
    if (this.#file !== undefined) return this.#file.find(kind, source, target, tclass);
    const words = this.entries();
    const pair = (source | (target << 16)) >>> 0;
    const header = (tclass | (kind << 16)) >>> 0;
    for (let at = 0; at < words.length; at += ENTRY_WORDS)
      if (words[at] === pair && words[at + 1] === header) return words[at + 2];
    return undefined;
  }

  /** How many rows there are of each kind. */
  countKinds(): ReadonlyMap<number, number> {
    if (this.#file !== undefined) return this.#file.countKinds();
    const counts = new Map<number, number>();
    const { kind } = this.#filled;
    for (let row = 0; row < this.length; row++) {
      const own = kind[row] ?? 0;
      counts.set(own, (counts.get(own) ?? 0) + 1);
    }
    return counts;
  }

  /** The rows that give permissions and no type; of a table in which nothing changes any more. */
  vectors(): RuleTable {
    this.#vectors ??= this.filter((kind) => !isTypeKind(kind));
    return this.#vectors;
  }

  /** Those of one class; of a table in which nothing changes any more. */
  vectorsOf(tclass: number): RuleTable {
    this.#byClass ??= this.#vectorsByClass();
    return this.#byClass[tclass] ?? new RuleTable(0);
  }

  #vectorsByClass(): (RuleTable | undefined)[] {
    const words = this.vectors().entries();
    const counts: number[] = [];
    for (let at = 1; at < words.length; at += ENTRY_WORDS) {
      const tclass = (words[at] ?? 0) & 0xffff;
      counts[tclass] = (counts[tclass] ?? 0) + 1;
    }
    /** Where the next entry of each class goes: class after class, those of one class in their order. */
    const places: number[] = [];
    const grouped = new Uint32Array(words.length);
    let end = 0;
    const tables = counts.map((count, tclass) => {
      places[tclass] = end;
      end += count * ENTRY_WORDS;
      return RuleTable.ofEntries(grouped.subarray(end - count * ENTRY_WORDS, end));
    });
    for (let at = 0; at < words.length; at += ENTRY_WORDS) {
      const header = words[at + 1] ?? 0;
      const place = places[header & 0xffff] ?? 0;
      grouped[place] = words[at] ?? 0;
      grouped[place + 1] = header;
      grouped[place + 2] = words[at + 2] ?? 0;
      places[header & 0xffff] = place + ENTRY_WORDS;
    }
    return tables;
  }
}
