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
  AVTAB_AUDITDENY,
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TYPE,
  type Conditional,
  type RuleTable,
} from '../policydb/index.ts';

/** Source, target and class to a number of the key's own, from 0 up. */
class KeyTable {
  #keys: Uint32Array;
  #classes: Uint16Array;
  #numbers: Uint32Array;
  #mask: number;
  #count = 0;

  constructor(expected: number) {
    let size = 16;
    while (size < expected * 2) size *= 2;
    this.#mask = size - 1;
    this.#keys = new Uint32Array(size);
    this.#classes = new Uint16Array(size);
    this.#numbers = new Uint32Array(size);
  }

  /** The key's number, or -1. Class 0 marks a free place: no policy has a class 0. */
  find(source: number, target: number, tclass: number): number {
    const key = (source | (target << 16)) >>> 0;
    const mask = this.#mask;
    const classes = this.#classes;
    const keys = this.#keys;
    for (let at = hash(key, tclass) & mask; ; at = (at + 1) & mask) {
      const found = classes[at];
      if (found === 0) return -1;
      if (found === tclass && keys[at] === key) return this.#numbers[at] ?? -1;
    }
  }

  /** The key's number; a new one if it has none yet. */
  add(source: number, target: number, tclass: number): number {
    if (this.#count * 2 > this.#mask) this.#grow();
    const key = (source | (target << 16)) >>> 0;
    let at = hash(key, tclass) & this.#mask;
    while (this.#classes[at] !== 0) {
      if (this.#classes[at] === tclass && this.#keys[at] === key) return this.#numbers[at] ?? -1;
      at = (at + 1) & this.#mask;
    }
    this.#keys[at] = key;
    this.#classes[at] = tclass;
    this.#numbers[at] = this.#count;
    return this.#count++;
  }

  #grow(): void {
    const [keys, classes, numbers] = [this.#keys, this.#classes, this.#numbers];
    const size = (this.#mask + 1) * 2;
    this.#mask = size - 1;
    this.#keys = new Uint32Array(size);
    this.#classes = new Uint16Array(size);
    this.#numbers = new Uint32Array(size);
    for (let from = 0; from < classes.length; from++) {
      const tclass = classes[from] ?? 0;
      if (tclass === 0) continue;
      const key = keys[from] ?? 0;
      let at = hash(key, tclass) & this.#mask;
      while (this.#classes[at] !== 0) at = (at + 1) & this.#mask;
      this.#keys[at] = key;
      this.#classes[at] = tclass;
      this.#numbers[at] = numbers[from] ?? 0;
    }
  }
}

function hash(key: number, tclass: number): number {
  let h = Math.imul(key ^ Math.imul(tclass, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 15;
  return Math.imul(h, 0xc2b2ae35) >>> 0;
}

/** A type rule's key as one number below 2^50. */
function typeRuleKey(kind: number, source: number, target: number, tclass: number): number {
  const index = kind === AVTAB_MEMBER ? 1 : kind === AVTAB_CHANGE ? 2 : 0;
  return ((index * 0x10000 + tclass) * 0x10000 + source) * 0x10000 + target;
}

/** Vectors that rules add to; a caller's own. */
export interface VectorSum {
  allowed: number;
  auditAllow: number;
  auditDeny: number;
}

/** The rules outside conditional blocks. */
export class RuleIndex {
  readonly #keys: KeyTable;
  readonly #allowed: Uint32Array;
  readonly #auditAllow: Uint32Array;
  readonly #auditDeny: Uint32Array;
  readonly #typeRules = new Map<number, number>();

  constructor(rules: RuleTable) {
    const { length } = rules;
    this.#keys = new KeyTable(length);
    this.#allowed = new Uint32Array(length);
    this.#auditAllow = new Uint32Array(length);
    this.#auditDeny = new Uint32Array(length).fill(0xffffffff);
    const { kind: kinds, source: sources, target: targets, tclass: classes, data: datas } = rules;
    for (let row = 0; row < length; row++) {
      const kind = kinds[row] ?? 0;
      const source = sources[row] ?? 0;
      const target = targets[row] ?? 0;
      const tclass = classes[row] ?? 0;
      const data = datas[row] ?? 0;
      if ((kind & AVTAB_TYPE) !== 0) {
        const key = typeRuleKey(kind & AVTAB_TYPE, source, target, tclass);
        if (!this.#typeRules.has(key)) this.#typeRules.set(key, data);
        continue;
      }
      const at = this.#keys.add(source, target, tclass);
      if ((kind & AVTAB_ALLOWED) !== 0) this.#allowed[at] = (this.#allowed[at] ?? 0) | data;
      else if ((kind & AVTAB_AUDITALLOW) !== 0) this.#auditAllow[at] = (this.#auditAllow[at] ?? 0) | data;
      else if ((kind & AVTAB_AUDITDENY) !== 0) this.#auditDeny[at] = (this.#auditDeny[at] ?? 0) & data;
    }
  }

  /** Adds what the rules for just these keys give. */
  addTo(sum: VectorSum, source: number, target: number, tclass: number): void {
    const at = this.#keys.find(source, target, tclass);
    if (at < 0) return;
    sum.allowed |= this.#allowed[at] ?? 0;
    sum.auditAllow |= this.#auditAllow[at] ?? 0;
    sum.auditDeny &= this.#auditDeny[at] ?? 0;
  }

  /** The type that a rule gives for just these two types, or undefined. */
  typeRule(kind: number, source: number, target: number, tclass: number): number | undefined {
    return this.#typeRules.get(typeRuleKey(kind, source, target, tclass));
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
      const kind = rules.kind[row] ?? 0;
      const source = rules.source[row] ?? 0;
      const target = rules.target[row] ?? 0;
      const tclass = rules.tclass[row] ?? 0;
      const data = rules.data[row] ?? 0;
      if ((kind & AVTAB_TYPE) !== 0) {
        const key = typeRuleKey(kind & AVTAB_TYPE, source, target, tclass);
        const known = this.#typeRules.get(key);
        if (known === undefined) this.#typeRules.set(key, [{ branch, type: data }]);
        else known.push({ branch, type: data });
        continue;
      }
      const at = this.#keys.add(source, target, tclass);
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
    const at = this.#keys.find(source, target, tclass);
    if (at < 0) return;
    for (let entry = this.#heads[at] ?? 0; entry > 0; entry = this.#nexts[entry - 1] ?? 0) {
      if (this.#holds[this.#branches[entry - 1] ?? 0] !== 1) continue;
      const kind = this.#kinds[entry - 1] ?? 0;
      const data = this.#datas[entry - 1] ?? 0;
      if ((kind & AVTAB_ALLOWED) !== 0) sum.allowed |= data;
      else if ((kind & AVTAB_AUDITALLOW) !== 0) sum.auditAllow |= data;
      else if ((kind & AVTAB_AUDITDENY) !== 0) sum.auditDeny &= data;
    }
  }

  /** The type that the first rule that holds gives for just these two types, or undefined. */
  typeRule(kind: number, source: number, target: number, tclass: number): number | undefined {
    const rules = this.#typeRules.get(typeRuleKey(kind, source, target, tclass));
    return rules?.find(({ branch }) => this.#holds[branch] === 1)?.type;
  }
}
