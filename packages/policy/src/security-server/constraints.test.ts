import { describe, expect, test } from 'vitest';
import {
  CEXPR_DOM,
  CEXPR_DOMBY,
  CEXPR_EQ,
  CEXPR_H1H2,
  CEXPR_H1L2,
  CEXPR_INCOMP,
  CEXPR_L1H1,
  CEXPR_L1H2,
  CEXPR_L1L2,
  CEXPR_L2H2,
  CEXPR_NEQ,
  CEXPR_ROLE,
  CEXPR_TARGET,
  CEXPR_TYPE,
  CEXPR_USER,
  CEXPR_XTARGET,
  type ConstraintStep,
  type Context,
  Ebitmap,
  type MlsLevel,
} from '../policydb/index.ts';
import { evaluateConstraint, levelDominates, levelsEqual } from './constraints.ts';

const level = (sensitivity: number, ...categories: number[]): MlsLevel => ({
  sensitivity,
  categories: Ebitmap.of(categories),
});

const context = (
  user: number,
  role: number,
  type: number,
  low: MlsLevel = level(1),
  high: MlsLevel = low,
): Context => ({ user, role, type, range: { low, high } });

const a = context(1, 2, 3);
const other = context(4, 5, 6);

/** Role 2 dominates role 5 and itself; role 5 itself. Bits are role numbers less one. */
const dominated = (role: number): Ebitmap => Ebitmap.of(role === 2 ? [1, 4] : role === 5 ? [4] : []);

function holds(steps: readonly ConstraintStep[], source = a, target = other, third?: Context): boolean {
  return evaluateConstraint(steps, source, target, dominated, third);
}

const compare = (attribute: number, operator: number): ConstraintStep => ({ kind: 'attribute', attribute, operator });
const named = (attribute: number, operator: number, ...values: number[]): ConstraintStep => ({
  kind: 'names',
  attribute,
  operator,
  names: Ebitmap.of(values.map((value) => value - 1)),
  written: Ebitmap.empty,
});
const yes = compare(CEXPR_USER, CEXPR_NEQ);
const no = compare(CEXPR_USER, CEXPR_EQ);
const not: ConstraintStep = { kind: 'not' };
const and: ConstraintStep = { kind: 'and' };
const or: ConstraintStep = { kind: 'or' };

test('users and types are the same or not', () => {
  for (const attribute of [CEXPR_USER, CEXPR_TYPE]) {
    expect([holds([compare(attribute, CEXPR_EQ)]), holds([compare(attribute, CEXPR_NEQ)])]).toEqual([false, true]);
    expect([holds([compare(attribute, CEXPR_EQ)], a, a), holds([compare(attribute, CEXPR_NEQ)], a, a)]).toEqual([
      true,
      false,
    ]);
  }
});

test.each([
  // Of the role of the source against that of the target: eq, neq, dom, domby, incomp.
  [2, 2, [true, false, true, true, false]],
  [2, 5, [false, true, true, false, false]],
  [5, 2, [false, true, false, true, false]],
  [5, 7, [false, true, false, false, true]],
] as const)('role %i against role %i', (from, to, expected) => {
  const operators = [CEXPR_EQ, CEXPR_NEQ, CEXPR_DOM, CEXPR_DOMBY, CEXPR_INCOMP];
  const found = operators.map((operator) =>
    holds([compare(CEXPR_ROLE, operator)], context(1, from, 1), context(1, to, 1)),
  );
  expect(found).toEqual(expected);
});

const LEVELS: readonly (readonly [string, MlsLevel, MlsLevel, readonly boolean[]])[] = [
  // eq, neq, dom, domby, incomp of the first against the second.
  ['the same', level(2, 1), level(2, 1), [true, false, true, true, false]],
  ['higher', level(3, 1), level(2, 1), [false, true, true, false, false]],
  ['with more categories', level(2, 1, 2), level(2, 1), [false, true, true, false, false]],
  ['lower', level(1, 1), level(2, 1), [false, true, false, true, false]],
  ['with fewer categories', level(2), level(2, 1), [false, true, false, true, false]],
  ['with others', level(2, 1), level(2, 2), [false, true, false, false, true]],
  ['higher with fewer', level(3), level(2, 1), [false, true, false, false, true]],
];
const OPERATORS = [CEXPR_EQ, CEXPR_NEQ, CEXPR_DOM, CEXPR_DOMBY, CEXPR_INCOMP];

describe.each(LEVELS)('a level %s', (_, x, y, expected) => {
  // Levels that no comparison may look at.
  const odd = level(9, 9);

  test.each([
    ['l1 l2', CEXPR_L1L2, context(1, 1, 1, x, odd), context(1, 1, 1, y, odd)],
    ['l1 h2', CEXPR_L1H2, context(1, 1, 1, x, odd), context(1, 1, 1, odd, y)],
    ['h1 l2', CEXPR_H1L2, context(1, 1, 1, odd, x), context(1, 1, 1, y, odd)],
    ['h1 h2', CEXPR_H1H2, context(1, 1, 1, odd, x), context(1, 1, 1, odd, y)],
    ['l1 h1', CEXPR_L1H1, context(1, 1, 1, x, y), context(1, 1, 1, odd, odd)],
    ['l2 h2', CEXPR_L2H2, context(1, 1, 1, odd, odd), context(1, 1, 1, x, y)],
  ] as const)('as %s', (_name, attribute, source, target) => {
    const found = OPERATORS.map((operator) => holds([compare(attribute, operator)], source, target));
    expect(found).toEqual(expected);
  });

  test('by itself', () => {
    expect([levelsEqual(x, y), levelDominates(x, y), levelDominates(y, x)]).toEqual([
      expected[0],
      expected[2],
      expected[3],
    ]);
  });
});

test('an operator or an attribute that does not exist does not hold', () => {
  for (const attribute of [CEXPR_L1L2, CEXPR_ROLE]) expect(holds([compare(attribute, 99)], a, a)).toBe(false);
  expect(holds([compare(0x4000, CEXPR_EQ)], a, a)).toBe(false);
});

test('names are looked for on the side and in the part that the step says', () => {
  const sides = [
    [0, a],
    [CEXPR_TARGET, other],
    [CEXPR_XTARGET, context(7, 8, 9)],
  ] as const;
  for (const [side, { user, role, type }] of sides) {
    for (const [part, value] of [
      [CEXPR_USER, user],
      [CEXPR_ROLE, role],
      [CEXPR_TYPE, type],
    ] as const) {
      const third = context(7, 8, 9);
      expect(holds([named(part | side, CEXPR_EQ, value)], a, other, third)).toBe(true);
      expect(holds([named(part | side, CEXPR_NEQ, value)], a, other, third)).toBe(false);
      const others = [user, role, type].filter((one) => one !== value);
      expect(holds([named(part | side, CEXPR_EQ, ...others)], a, other, third)).toBe(false);
      expect(holds([named(part | side, CEXPR_NEQ, ...others)], a, other, third)).toBe(true);
    }
  }
});

test('without a third context what is said of it does not hold, either way', () => {
  expect(holds([named(CEXPR_USER | CEXPR_XTARGET, CEXPR_EQ, 1)])).toBe(false);
  expect(holds([named(CEXPR_USER | CEXPR_XTARGET, CEXPR_NEQ, 1)])).toBe(false);
});

test('not, and, or take what stands before them', () => {
  expect([holds([yes]), holds([no])]).toEqual([true, false]);
  expect([holds([yes, not]), holds([no, not])]).toEqual([false, true]);
  const pairs = [
    [yes, yes],
    [yes, no],
    [no, yes],
    [no, no],
  ];
  expect(pairs.map((pair) => holds([...pair, and]))).toEqual([true, false, false, false]);
  expect(pairs.map((pair) => holds([...pair, or]))).toEqual([true, true, true, false]);
  expect(holds([no, yes, yes, and, or])).toBe(true);
  expect(holds([yes, yes, yes, and, and])).toBe(true);
  expect(holds([yes, no, or, no, and])).toBe(false);
});

test('an expression that lacks an operand, or everything, does not hold', () => {
  expect(holds([])).toBe(false);
  expect(holds([not])).toBe(false);
  expect(holds([yes, and])).toBe(false);
  expect(holds([no, or])).toBe(false);
  expect(holds([and])).toBe(false);
  expect(holds([or])).toBe(false);
});
