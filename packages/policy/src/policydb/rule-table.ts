/**
 * Type enforcement rules in columns.
 *
 * A row is one rule for one class: source set, target set, class, kind, permissions or result type. Rows of a compiled
 * policy keep sets as written; rows read from a binary have sets of one. Columns of numbers keep a policy of millions of
 * entries small.
 *
 * @module
 */

const INITIAL_ROWS = 64;

/** Rules of one list, in the order in which they are to be taken. */
export class RuleTable {
  /** Rows in use. */
  length = 0;
  /** Kind of rule: one of `AVTAB_…`, `AVRULE_DONTAUDIT`, `AVRULE_NEVERALLOW`. */
  kind: Uint16Array;
  /** Id of the source set in `TypeSets`. */
  source: Uint32Array;
  /** Id of the target set in `TypeSets`. */
  target: Uint32Array;
  /** 1 where the target also names `self`. */
  self: Uint8Array;
  /** Value of the object class. */
  tclass: Uint16Array;
  /** Permission bits as written, or the value of the result type. */
  data: Uint32Array;
  /** Which statement the row came from: equal for the rows of one statement; the start of its text, where there is one. */
  statement: Uint32Array;

  /** Empty, with room for some rows; it grows where more come. */
  constructor(rows: number = INITIAL_ROWS) {
    this.kind = new Uint16Array(rows);
    this.source = new Uint32Array(rows);
    this.target = new Uint32Array(rows);
    this.self = new Uint8Array(rows);
    this.tclass = new Uint16Array(rows);
    this.data = new Uint32Array(rows);
    this.statement = new Uint32Array(rows);
  }

  /** Appends a row; the arguments are its columns. */
  push(
    kind: number,
    source: number,
    target: number,
    self: boolean,
    tclass: number,
    data: number,
    statement: number,
  ): void {
    if (this.length === this.kind.length) this.#grow(Math.max(INITIAL_ROWS, this.length * 2));
    const row = this.length++;
    this.kind[row] = kind;
    this.source[row] = source;
    this.target[row] = target;
    this.self[row] = self ? 1 : 0;
    this.tclass[row] = tclass;
    this.data[row] = data;
    this.statement[row] = statement;
  }

  /** Appends one row of another table. */
  pushRow(from: RuleTable, row: number): void {
    const { kind, source, target, self, tclass, data, statement } = from;
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

  #grow(rows: number): void {
    const widen = <T extends Uint8Array | Uint16Array | Uint32Array>(column: T, wider: T): T => {
      wider.set(column);
      return wider;
    };
    this.kind = widen(this.kind, new Uint16Array(rows));
    this.source = widen(this.source, new Uint32Array(rows));
    this.target = widen(this.target, new Uint32Array(rows));
    this.self = widen(this.self, new Uint8Array(rows));
    this.tclass = widen(this.tclass, new Uint16Array(rows));
    this.data = widen(this.data, new Uint32Array(rows));
    this.statement = widen(this.statement, new Uint32Array(rows));
  }
}
