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
  index.addTo(sum, source, target, tclass);
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
