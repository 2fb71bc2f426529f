/**
 * The rules of a policy as hash tables of numbers, for decisions.
 *
 * One table holds the rules outside conditional blocks, a second one those of all blocks: a change of booleans only turns
 * branches on and off.
 * Follows: Xen `xen/xsm/flask/ss/avtab.c`, `conditional.c`.
 *
 * @module
 */
import {
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_TYPE,
  type Conditional,
  isTypeKind,
  type RuleTable,
  type WrittenRules,
} from '../policydb/index.ts';
import { byte, element, half, word } from './checked-element.ts';
import { KeyTable, typePair } from './key-table.ts';
import { indexTypeRules, type TypeRules } from './type-rules.ts';

/** A type rule's key as one number below 2^51; its kind is one of the bits 4 to 6. */
function typeRuleKey(kind: number, source: number, target: number, tclass: number): number {
  return (((kind >>> 4) * 0x10000 + tclass) * 0x10000 + source) * 0x10000 + target;
}

/** Vectors that rules add to; a caller's own. */
export interface VectorSum {
  allowed: number;
  auditAllow: number;
  auditDeny: number;
}

/** What the rules outside conditional blocks give, by their keys; without the type rules. */
class VectorRules {
  /** Rows that repeat the key and the kind of an earlier row. */
  readonly duplicates: readonly number[];
  readonly #keys: KeyTable;
  /** What the rules of each key give, by its number. */
  readonly #allowed: Uint32Array;
  readonly #auditAllow: Uint32Array;
  readonly #auditDeny: Uint32Array;

  /** `rules` has no type rules. */
  constructor(rules: RuleTable) {
    const { length, kind: kinds, source, target, tclass, data: datas } = rules;
    this.#keys = new KeyTable(length);
    this.#allowed = new Uint32Array(length);
    this.#auditAllow = new Uint32Array(length);
    this.#auditDeny = new Uint32Array(length).fill(0xffffffff);
    const duplicates: number[] = [];
    /** The kinds of each key so far. */
    const seen = new Uint8Array(length);
    for (let row = 0; row < length; row++) {
      const kind = half(kinds, row);
      const at = this.#keys.add(typePair(word(source, row), word(target, row)), half(tclass, row));
      const before = byte(seen, at);
      if ((before & kind) !== 0) duplicates.push(row);
      seen[at] = before | kind;
      const data = word(datas, row);
      if (kind === AVTAB_ALLOWED) this.#allowed[at] = word(this.#allowed, at) | data;
      else if (kind === AVTAB_AUDITALLOW) this.#auditAllow[at] = word(this.#auditAllow, at) | data;
      else this.#auditDeny[at] = word(this.#auditDeny, at) & data;
    }
    this.duplicates = duplicates;
  }

  addTo(sum: VectorSum, source: number, target: number, tclass: number): void {
    const at = this.#keys.find(typePair(source, target), tclass);
    if (at < 0) return;
    sum.allowed |= word(this.#allowed, at);
    sum.auditAllow |= word(this.#auditAllow, at);
    sum.auditDeny &= word(this.#auditDeny, at);
  }
}

/** A number of a type has 16 bits in the table of rules. */
const TYPE_NUMBERS = 0x10000;

/**
 * To go through rules costs a small part of what it costs to index them. So the first few questions are answered by going
 * through them: a command with one question about a large policy never builds an index.
 */
const SCANS = 3;
/** Rules about the permissions of one class are few, and an index of them is soon read as often as it was written. */
const CLASS_SCANS = 8;

/** The rules about one class that give permissions. */
class ClassRules {
  readonly table: RuleTable;
  #scans = 0;
  #index: VectorRules | undefined;
  readonly #isSource: Uint8Array;
  readonly #isTarget: Uint8Array;

  /** The two sets are empty between two questions, so that all classes may share them. */
  constructor(table: RuleTable, isSource: Uint8Array, isTarget: Uint8Array) {
    this.table = table;
    this.#isSource = isSource;
    this.#isTarget = isTarget;
  }

  addTo(sum: VectorSum, sources: Uint32Array, targets: Uint32Array, tclass: number): void {
    if (this.#index === undefined && this.#scans++ < CLASS_SCANS) {
      this.#addRows(sum, sources, targets);
      return;
    }
    this.#index ??= new VectorRules(this.table);
    for (let i = 0; i < sources.length; i++) {
      const source = word(sources, i);
      for (let j = 0; j < targets.length; j++) this.#index.addTo(sum, source, word(targets, j), tclass);
    }
  }

  #addRows(sum: VectorSum, sources: Uint32Array, targets: Uint32Array): void {
    const [isSource, isTarget] = [this.#isSource, this.#isTarget];
    for (const source of sources) isSource[source] = 1;
    for (const target of targets) isTarget[target] = 1;
    const { length, kind, source, target, data } = this.table;
    for (let row = 0; row < length; row++) {
      if (isSource[word(source, row)] !== 1 || isTarget[word(target, row)] !== 1) continue;
      const ruleKind = half(kind, row);
      if (ruleKind === AVTAB_ALLOWED) sum.allowed |= word(data, row);
      else if (ruleKind === AVTAB_AUDITALLOW) sum.auditAllow |= word(data, row);
      else sum.auditDeny &= word(data, row);
    }
    for (const source of sources) isSource[source] = 0;
    for (const target of targets) isTarget[target] = 0;
  }
}

/** The rules outside conditional blocks. */
export class RuleIndex {
  readonly #rules: RuleTable;
  readonly #written: WrittenRules | undefined;
  /** By the table that is gone through, or has an index. */
  readonly #typeScans = new Map<RuleTable, number>();
  readonly #typeRules = new Map<RuleTable, TypeRules>();
  readonly #classes: (ClassRules | undefined)[] = [];
  readonly #isSource = new Uint8Array(TYPE_NUMBERS);
  readonly #isTarget = new Uint8Array(TYPE_NUMBERS);

  /** `written` where the rules are those of a compiled policy, as written. */
  constructor(rules: RuleTable, written?: WrittenRules) {
    this.#rules = rules;
    this.#written = written;
  }

  #ofClass(tclass: number): ClassRules {
    let found = this.#classes[tclass];
    if (found === undefined) {
      const table = (this.#written ?? this.#rules).vectorsOf(tclass);
      found = new ClassRules(table, this.#isSource, this.#isTarget);
      this.#classes[tclass] = found;
    }
    return found;
  }

  /** The entries about a class that give permissions. */
  vectorsOf(tclass: number): RuleTable {
    return this.#ofClass(tclass).table;
  }

  #indexed(table: RuleTable): TypeRules {
    let found = this.#typeRules.get(table);
    if (found === undefined) {
      found = indexTypeRules(table);
      this.#typeRules.set(table, found);
    }
    return found;
  }

  /** Rows that repeat the key and the kind of an earlier row, ascending. */
  get duplicates(): readonly number[] {
    const { duplicates } = new VectorRules(this.#rules.vectors());
    const types = this.#indexed(this.#rules).duplicates;
    if (duplicates.length === 0) return types;
    // Rows of the table without type rules, as rows of the whole.
    const { kind, length } = this.#rules;
    const rows: number[] = [];
    for (let row = 0; row < length; row++) if (!isTypeKind(half(kind, row))) rows.push(row);
    return [...duplicates.map((one) => element(rows, one)), ...types].sort((a, b) => a - b);
  }

  /** Adds what the rules give that have one of these sources, one of these targets and this class as their key. */
  addTo(sum: VectorSum, sources: Uint32Array, targets: Uint32Array, tclass: number): void {
    this.#ofClass(tclass).addTo(sum, sources, targets, tclass);
  }

  /** The type that a rule gives for just these two types, or undefined. */
  typeRule(kind: number, source: number, target: number, tclass: number): number | undefined {
    if (this.#written !== undefined) return this.#written.typeRule(kind, source, target, tclass);
    const table = this.#rules.typesAbout(tclass);
    const scans = this.#typeScans.get(table) ?? 0;
    if (scans >= SCANS) return this.#indexed(table).find(kind, source, target, tclass);
    this.#typeScans.set(table, scans + 1);
    return table.find(kind, source, target, tclass);
  }
}

/** The rules of conditional blocks. Branch 2n holds where conditional n is true, branch 2n + 1 where it is false. */
export class ConditionalIndex {
  readonly #keys = new KeyTable(16);
  /** The newest entry of each key; an entry's number plus 1. */
  readonly #heads: number[] = [];
  /** Entries in columns: the older entry of the same key, plus 1; branch; kind; data. */
  readonly #nexts: number[] = [];
  readonly #branches: number[] = [];
  readonly #kinds: number[] = [];
  readonly #datas: number[] = [];
  readonly #typeRules = new Map<number, { readonly branch: number; readonly type: number }[]>();
  readonly #holds: Uint8Array;

  constructor(conditionals: readonly Conditional[]) {
    this.#holds = new Uint8Array(conditionals.length * 2);
    conditionals.forEach(({ whenTrue, whenFalse }, i) => {
      this.#fill(whenTrue, 2 * i);
      this.#fill(whenFalse, 2 * i + 1);
    });
  }

  #fill(rules: RuleTable, branch: number): void {
    for (let row = 0; row < rules.length; row++) {
      const kind = half(rules.kind, row);
      const source = word(rules.source, row);
      const target = word(rules.target, row);
      const tclass = half(rules.tclass, row);
      const data = word(rules.data, row);
      if ((kind & AVTAB_TYPE) !== 0) {
        const key = typeRuleKey(kind & AVTAB_TYPE, source, target, tclass);
        const known = this.#typeRules.get(key);
        if (known === undefined) this.#typeRules.set(key, [{ branch, type: data }]);
        else known.push({ branch, type: data });
        continue;
      }
      const at = this.#keys.add(typePair(source, target), tclass);
      this.#nexts.push(this.#heads[at] ?? 0);
      this.#branches.push(branch);
      this.#kinds.push(kind);
      this.#datas.push(data);
      this.#heads[at] = this.#nexts.length;
    }
  }

  /** Says which side of a conditional holds. */
  set(conditional: number, state: boolean): void {
    this.#holds[2 * conditional] = state ? 1 : 0;
    this.#holds[2 * conditional + 1] = state ? 0 : 1;
  }

  /** Adds what the rules that hold give for just these keys. */
  addTo(sum: VectorSum, source: number, target: number, tclass: number): void {
    const at = this.#keys.find(typePair(source, target), tclass);
    if (at < 0) return;
    for (let entry = element(this.#heads, at); entry > 0; entry = element(this.#nexts, entry - 1)) {
      if (this.#holds[element(this.#branches, entry - 1)] !== 1) continue;
      const kind = element(this.#kinds, entry - 1);
      const data = element(this.#datas, entry - 1);
      if ((kind & AVTAB_ALLOWED) !== 0) sum.allowed |= data;
      else if ((kind & AVTAB_AUDITALLOW) !== 0) sum.auditAllow |= data;
      else sum.auditDeny &= data;
    }
  }

  /** The type that the first rule that holds gives for just these two types, or undefined. */
  typeRule(kind: number, source: number, target: number, tclass: number): number | undefined {
    const rules = this.#typeRules.get(typeRuleKey(kind, source, target, tclass));
    return rules?.find(({ branch }) => this.#holds[branch] === 1)?.type;
  }
}
