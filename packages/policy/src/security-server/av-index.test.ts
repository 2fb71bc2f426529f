import { Random } from '@dewar/testkit';
import { expect, test } from 'vitest';
import {
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_AUDITDENY,
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  COND_BOOL,
  RuleTable,
} from '../policydb/index.ts';
import { ConditionalIndex, RuleIndex, type VectorSum } from './av-index.ts';

/** Rules of one class: kind, source, target, data. */
function tableOf(
  ...rows: readonly (readonly [kind: number, source: number, target: number, data: number])[]
): RuleTable {
  const table = new RuleTable();
  for (const [kind, source, target, data] of rows) table.push(kind, source, target, false, 1, data, 0);
  return table;
}

function sumOf(index: RuleIndex | ConditionalIndex, source: number, target: number, tclass = 1): VectorSum {
  const sum = { allowed: 0, auditAllow: 0, auditDeny: -1 };
  if (index instanceof RuleIndex) index.addTo(sum, Uint32Array.of(source), Uint32Array.of(target), tclass);
  else index.addTo(sum, source, target, tclass);
  return sum;
}

const NOTHING: VectorSum = { allowed: 0, auditAllow: 0, auditDeny: -1 };

test('rules of all kinds are found, whichever stands first', () => {
  const index = new RuleIndex(
    tableOf(
      [AVTAB_TRANSITION, 1, 2, 7],
      [AVTAB_ALLOWED, 1, 2, 0b1],
      [AVTAB_MEMBER, 1, 2, 8],
      [AVTAB_AUDITDENY, 1, 2, ~0b100 >>> 0],
      [AVTAB_CHANGE, 1, 2, 9],
      [AVTAB_AUDITALLOW, 1, 2, 0b10],
      [AVTAB_ALLOWED, 2, 1, 0b1000],
    ),
  );
  expect(index.duplicates).toEqual([]);
  expect(sumOf(index, 1, 2)).toEqual({ allowed: 0b1, auditAllow: 0b10, auditDeny: ~0b100 });
  expect(sumOf(index, 2, 1)).toEqual({ allowed: 0b1000, auditAllow: 0, auditDeny: -1 });
  expect(sumOf(index, 2, 2)).toEqual(NOTHING);
  expect(sumOf(index, 1, 2, 2)).toEqual(NOTHING);
  const kinds = [AVTAB_TRANSITION, AVTAB_MEMBER, AVTAB_CHANGE];
  expect(kinds.map((kind) => index.typeRule(kind, 1, 2, 1))).toEqual([7, 8, 9]);
  expect(kinds.map((kind) => index.typeRule(kind, 2, 1, 1))).toEqual([undefined, undefined, undefined]);
});

test('what is there twice is told in the order of the rules, and added up', () => {
  const index = new RuleIndex(
    tableOf(
      [AVTAB_ALLOWED, 1, 2, 0b1],
      [AVTAB_TRANSITION, 1, 2, 7],
      [AVTAB_TRANSITION, 1, 2, 8],
      [AVTAB_ALLOWED, 1, 2, 0b10],
      [AVTAB_AUDITALLOW, 1, 2, 0b100],
      [AVTAB_AUDITALLOW, 1, 2, 0b1000],
      [AVTAB_AUDITDENY, 1, 2, 0b0111],
      [AVTAB_AUDITDENY, 1, 2, 0b1110],
    ),
  );
  expect(index.duplicates).toEqual([2, 3, 5, 7]);
  expect(sumOf(index, 1, 2)).toEqual({ allowed: 0b11, auditAllow: 0b1100, auditDeny: 0b0110 });
  expect(index.typeRule(AVTAB_TRANSITION, 1, 2, 1)).toBe(7);
});

test('a question is answered alike by going through the rules and by the index', () => {
  const random = new Random(7);
  const kinds = [AVTAB_ALLOWED, AVTAB_AUDITALLOW, AVTAB_AUDITDENY, AVTAB_TRANSITION, AVTAB_MEMBER, AVTAB_CHANGE];
  for (let round = 0; round < 400; round++) {
    const rows = Array.from({ length: random.below(60) }, () => {
      const kind = kinds[random.below(kinds.length)] ?? AVTAB_ALLOWED;
      return [kind, 1 + random.below(4), 1 + random.below(4), 1 + random.below(200)] as const;
    });
    const [through, indexed] = [new RuleIndex(tableOf(...rows)), new RuleIndex(tableOf(...rows))];
    // To ask for what is there twice builds the index.
    expect(indexed.duplicates.length).toBeLessThanOrEqual(rows.length);
    for (let question = 0; question < 6; question++) {
      const some = (): Uint32Array => Uint32Array.from({ length: 1 + random.below(3) }, () => 1 + random.below(5));
      const [sources, targets, tclass] = [some(), some(), 1 + random.below(2)];
      const [a, b] = [{ ...NOTHING }, { ...NOTHING }];
      through.addTo(a, sources, targets, tclass);
      indexed.addTo(b, sources, targets, tclass);
      expect([a.allowed >>> 0, a.auditAllow >>> 0, a.auditDeny >>> 0]).toEqual([
        b.allowed >>> 0,
        b.auditAllow >>> 0,
        b.auditDeny >>> 0,
      ]);
      const [source = 0, target = 0] = [sources[0], targets[0]];
      for (const kind of kinds.slice(3))
        expect(through.typeRule(kind, source, target, tclass)).toBe(indexed.typeRule(kind, source, target, tclass));
    }
  }
});

test('the rules of the branches that hold are found, each by its kind', () => {
  const whenTrue = tableOf(
    [AVTAB_TRANSITION, 1, 2, 7],
    [AVTAB_MEMBER, 1, 2, 8],
    [AVTAB_CHANGE, 1, 2, 9],
    [AVTAB_ALLOWED, 1, 2, 0b1],
    [AVTAB_ALLOWED, 1, 3, 0b1],
    [AVTAB_AUDITALLOW, 1, 2, 0b10],
    [AVTAB_AUDITALLOW, 1, 2, 0b1000],
  );
  const whenFalse = tableOf(
    [AVTAB_CHANGE, 1, 2, 10],
    [AVTAB_ALLOWED, 1, 2, 0b100],
    [AVTAB_AUDITDENY, 1, 2, 0b111],
    [AVTAB_AUDITDENY, 1, 2, 0b110],
  );
  const expression = [{ operator: COND_BOOL, boolean: 1 }];
  const index = new ConditionalIndex([{ expression, state: false, whenTrue, whenFalse }]);
  const kinds = [AVTAB_TRANSITION, AVTAB_MEMBER, AVTAB_CHANGE];
  expect(sumOf(index, 1, 2)).toEqual(NOTHING);
  index.set(0, true);
  expect(sumOf(index, 1, 2)).toEqual({ allowed: 0b1, auditAllow: 0b1010, auditDeny: -1 });
  expect(kinds.map((kind) => index.typeRule(kind, 1, 2, 1))).toEqual([7, 8, 9]);
  index.set(0, false);
  expect(sumOf(index, 1, 2)).toEqual({ allowed: 0b100, auditAllow: 0, auditDeny: 0b110 });
  expect(sumOf(index, 1, 3)).toEqual(NOTHING);
  expect(sumOf(index, 3, 1)).toEqual(NOTHING);
  expect(kinds.map((kind) => index.typeRule(kind, 1, 2, 1))).toEqual([undefined, undefined, 10]);
});
