/**
 * The rules of a policy as a hash table of numbers, for decisions.
 *
 * One table holds the rules outside conditional blocks, a second one those of the blocks that hold now.
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
  type PolicyDb,
  type RuleTable,
} from '../policydb/index.ts';

/** Access vectors by source key, target key and class. */
class AvTable {
  #keys: Uint32Array;
  #classes: Uint16Array;
  allowed: Uint32Array;
  auditAllow: Uint32Array;
  auditDeny: Uint32Array;
  #mask: number;
  #count = 0;

  constructor(expected: number) {
    let size = 16;
    while (size < expected * 2) size *= 2;
    this.#mask = size - 1;
    this.#keys = new Uint32Array(size);
    this.#classes = new Uint16Array(size);
    this.allowed = new Uint32Array(size);
    this.auditAllow = new Uint32Array(size);
    this.auditDeny = new Uint32Array(size);
  }

  /** Place of an entry, or -1. Class 0 marks a free place: no policy has a class 0. */
  find(source: number, target: number, tclass: number): number {
    const key = (source | (target << 16)) >>> 0;
    const mask = this.#mask;
    for (let at = hash(key, tclass) & mask; ; at = (at + 1) & mask) {
      const found = this.#classes[at];
      if (found === 0) return -1;
      if (found === tclass && this.#keys[at] === key) return at;
    }
  }

  /** Adds one entry of the access vector table; equal keys are joined. */
  add(source: number, target: number, tclass: number, kind: number, data: number): void {
    const at = this.#place(source, target, tclass);
    if (kind === AVTAB_ALLOWED) this.allowed[at] = (this.allowed[at] ?? 0) | data;
    else if (kind === AVTAB_AUDITALLOW) this.auditAllow[at] = (this.auditAllow[at] ?? 0) | data;
    else if (kind === AVTAB_AUDITDENY) this.auditDeny[at] = (this.auditDeny[at] ?? 0) & data;
  }

  #place(source: number, target: number, tclass: number): number {
    if (this.#count * 2 >= this.#mask) this.#grow();
    const key = (source | (target << 16)) >>> 0;
    let at = hash(key, tclass) & this.#mask;
    while (this.#classes[at] !== 0) {
      if (this.#classes[at] === tclass && this.#keys[at] === key) return at;
      at = (at + 1) & this.#mask;
    }
    this.#keys[at] = key;
    this.#classes[at] = tclass;
    this.auditDeny[at] = 0xffffffff;
    this.#count++;
    return at;
  }

  #grow(): void {
    const wider = new AvTable(this.#mask + 1);
    for (let at = 0; at <= this.#mask; at++) {
      const tclass = this.#classes[at] ?? 0;
      if (tclass === 0) continue;
      const key = this.#keys[at] ?? 0;
      const to = wider.#place(key & 0xffff, key >>> 16, tclass);
      wider.allowed[to] = this.allowed[at] ?? 0;
      wider.auditAllow[to] = this.auditAllow[at] ?? 0;
      wider.auditDeny[to] = this.auditDeny[at] ?? 0;
    }
    this.#keys = wider.#keys;
    this.#classes = wider.#classes;
    this.allowed = wider.allowed;
    this.auditAllow = wider.auditAllow;
    this.auditDeny = wider.auditDeny;
    this.#mask = wider.#mask;
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

/** The rules that hold: access vectors, and the results of type rules. */
export interface RuleIndex {
  readonly vectors: AvTable;
  readonly typeRules: ReadonlyMap<number, number>;
}

function fill(vectors: AvTable, typeRules: Map<number, number>, rules: RuleTable): void {
  for (let row = 0; row < rules.length; row++) {
    const kind = rules.kind[row] ?? 0;
    const source = rules.source[row] ?? 0;
    const target = rules.target[row] ?? 0;
    const tclass = rules.tclass[row] ?? 0;
    const data = rules.data[row] ?? 0;
    if ((kind & AVTAB_TYPE) !== 0) {
      const key = typeRuleKey(kind & AVTAB_TYPE, source, target, tclass);
      if (!typeRules.has(key)) typeRules.set(key, data);
    } else vectors.add(source, target, tclass, kind & 0x7, data);
  }
}

/** Indexes the rules outside conditional blocks. */
export function indexRules(policy: PolicyDb): RuleIndex {
  const vectors = new AvTable(policy.rules.length);
  const typeRules = new Map<number, number>();
  fill(vectors, typeRules, policy.rules);
  return { vectors, typeRules };
}

/** Indexes the branches that hold; undefined where the policy has no conditional block. */
export function indexConditionals(policy: PolicyDb, states: readonly boolean[]): RuleIndex | undefined {
  if (policy.conditionals.length === 0) return undefined;
  const vectors = new AvTable(16);
  const typeRules = new Map<number, number>();
  policy.conditionals.forEach(({ whenTrue, whenFalse }, i) => {
    fill(vectors, typeRules, states[i] === true ? whenTrue : whenFalse);
  });
  return { vectors, typeRules };
}

/** The type that a rule gives for just these two types, or undefined. */
export function findTypeRule(
  { typeRules }: RuleIndex,
  kind: number,
  source: number,
  target: number,
  tclass: number,
): number | undefined {
  return typeRules.get(typeRuleKey(kind, source, target, tclass));
}
