import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { AVTAB_CHANGE, AVTAB_MEMBER, AVTAB_TRANSITION, avtabBucket, RuleTable } from '../policydb/index.ts';
import { InvariantError } from '../text/index.ts';
import { byte, element, half, word } from './checked-element.ts';
import { indexTypeRules } from './type-rules.ts';

interface Row {
  readonly kind: number;
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly data: number;
}

const KINDS = [AVTAB_TRANSITION, AVTAB_MEMBER, AVTAB_CHANGE];
const ALLOW = 1;

const row: fc.Arbitrary<Row> = fc.record({
  kind: fc.constantFrom(...KINDS, ALLOW),
  source: fc.integer({ min: 1, max: 4 }),
  target: fc.integer({ min: 1, max: 4 }),
  tclass: fc.integer({ min: 1, max: 2 }),
  data: fc.integer({ min: 1, max: 0xffff }),
});

const bucket = ({ source, target, tclass }: Row): number => avtabBucket(source, target, tclass);

function tableOf(rows: readonly Row[]): RuleTable {
  // As large as it must be, like a table that was read.
  const table = new RuleTable(rows.length);
  for (const { kind, source, target, tclass, data } of rows) table.push(kind, source, target, false, tclass, data, 0);
  return table;
}

const isSame = (a: Row, b: Row): boolean =>
  a.kind === b.kind && a.source === b.source && a.target === b.target && a.tclass === b.tclass;

/** Every question about small numbers is answered as a walk through all rows answers it. */
function expectAllFound(rows: readonly Row[], keys: readonly Row[]): void {
  const typeRules = rows.filter(({ kind }) => kind !== ALLOW);
  const index = indexTypeRules(tableOf(rows));
  const isAgain = (one: Row, at: number): boolean =>
    one.kind !== ALLOW && rows.slice(0, at).some((before) => isSame(before, one));
  expect(index.duplicates).toEqual(rows.flatMap((one, at) => (isAgain(one, at) ? [at] : [])));
  for (const key of keys) {
    const found = index.find(key.kind, key.source, key.target, key.tclass);
    expect([key, found]).toEqual([key, typeRules.find((one) => isSame(one, key))?.data]);
  }
}

const EVERY_KEY: readonly Row[] = KINDS.flatMap((kind) =>
  [1, 2, 3, 4].flatMap((source) =>
    [1, 2, 3, 4].flatMap((target) => [1, 2].map((tclass) => ({ kind, source, target, tclass, data: 0 }))),
  ),
);

const numRuns = 200;

property.prop([fc.array(row, { maxLength: 60 })], { numRuns })('rules are found in whatever order they are', (rows) => {
  expectAllFound(rows, EVERY_KEY);
});

property.prop([fc.array(row, { maxLength: 60 })], { numRuns })(
  'rules are found in the order of the buckets',
  (rows) => {
    const inOrder = [...rows].sort((a, b) => bucket(a) - bucket(b));
    expectAllFound(inOrder, EVERY_KEY);
  },
);

test('a rule that is there three times is there twice too often', () => {
  const one = { kind: AVTAB_MEMBER, source: 1, target: 2, tclass: 1, data: 5 };
  const other = { ...one, source: 2 };
  const [low, high] = [one, other].sort((a, b) => bucket(a) - bucket(b));
  if (low === undefined || high === undefined) throw new Error('there are two');
  expect(indexTypeRules(tableOf([low, low, low, high])).duplicates).toEqual([1, 2]);
  expect(indexTypeRules(tableOf([high, low, low, low])).duplicates).toEqual([2, 3]);
});

describe('a bucket that is too full', () => {
  // 70 rules make groups of 2^13 buckets; these all fall into one.
  const GROUP = 5;
  const crowd: Row[] = [];
  for (let target = 1; crowd.length < 70; target++) {
    const one = { kind: AVTAB_TRANSITION, source: 7, target, tclass: 3, data: target };
    if (bucket(one) >>> 13 === GROUP) crowd.push(one);
  }

  test('has its rules found all the same', () => {
    expectAllFound(crowd, [...crowd, { kind: AVTAB_MEMBER, source: 7, target: 1, tclass: 3, data: 0 }]);
  });

  test('and the rule that is there twice', () => {
    const [first] = crowd;
    if (first === undefined) throw new Error('there are seventy');
    expectAllFound([...crowd, first], crowd);
    expectAllFound([first, ...crowd.slice(0, 30)], crowd.slice(0, 30));
  });
});

test('an element that is not there is our mistake', () => {
  expect(word(Uint32Array.of(7), 0)).toBe(7);
  expect(half(Uint16Array.of(7), 0)).toBe(7);
  expect(byte(Uint8Array.of(7), 0)).toBe(7);
  expect(element([false, true], 0)).toBe(false);
  expect(() => word(new Uint32Array(1), 1)).toThrow(InvariantError);
  expect(() => half(new Uint16Array(1), -1)).toThrow('there is no element -1');
  expect(() => byte(new Uint8Array(1), 1)).toThrow(InvariantError);
  expect(() => element([7], 1)).toThrow(InvariantError);
});
