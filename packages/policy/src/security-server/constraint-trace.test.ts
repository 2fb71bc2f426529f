import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import {
  CEXPR_EQ,
  CEXPR_NEQ,
  CEXPR_ROLE,
  CEXPR_TARGET,
  CEXPR_TYPE,
  CEXPR_USER,
  type ConstraintStep,
  type Context,
  Ebitmap,
} from '../policydb/index.ts';
import { type ConstraintTree, constraintTree, decidingTerms } from './constraint-trace.ts';
import { evaluateConstraint } from './constraints.ts';

const level = { sensitivity: 1, categories: Ebitmap.empty };
const contexts = fc
  .tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 }))
  .map(([user, role, type]): Context => ({ user, role, type, range: { low: level, high: level } }));

const comparisons: fc.Arbitrary<ConstraintStep> = fc.record({
  kind: fc.constant('attribute' as const),
  attribute: fc.constantFrom(CEXPR_USER, CEXPR_ROLE, CEXPR_TYPE),
  operator: fc.constantFrom(CEXPR_EQ, CEXPR_NEQ),
});
const namings: fc.Arbitrary<ConstraintStep> = fc
  .record({ side: fc.constantFrom(0, CEXPR_TARGET), bit: fc.integer({ min: 0, max: 1 }) })
  .map(({ side, bit }) => ({
    kind: 'names',
    attribute: CEXPR_TYPE | side,
    operator: CEXPR_EQ,
    names: Ebitmap.of([bit]),
    written: Ebitmap.empty,
  }));

/** Expressions as Xen keeps them: operands before their operator. */
const { expressions } = fc.letrec<{ expressions: ConstraintStep[] }>((tie) => ({
  expressions: fc.oneof(
    { depthSize: 'small' },
    fc.oneof(comparisons, namings).map((step) => [step]),
    tie('expressions').map((part): ConstraintStep[] => [...part, { kind: 'not' }]),
    fc
      .tuple(tie('expressions'), tie('expressions'), fc.constantFrom('and' as const, 'or' as const))
      .map(([left, right, kind]): ConstraintStep[] => [...left, ...right, { kind }]),
  ),
}));

const nobody = (): Ebitmap => Ebitmap.empty;

/** What the tree would come to were these terms the other way round. */
function valueWithout(tree: ConstraintTree, turned: ReadonlySet<ConstraintTree>): boolean {
  if (tree.kind === 'term') return turned.has(tree) !== tree.holds;
  if (tree.kind === 'not') return !valueWithout(tree.part, turned);
  const [left, right] = [valueWithout(tree.left, turned), valueWithout(tree.right, turned)];
  return tree.kind === 'and' ? left && right : left || right;
}

test.prop([expressions, contexts, contexts])(
  'the tree of an expression comes to what the expression comes to',
  (steps, source, target) => {
    const expected = evaluateConstraint(steps, source, target, nobody);
    expect(constraintTree(steps, source, target, nobody)?.holds).toBe(expected);
  },
);

test.prop([expressions, contexts, contexts])(
  'the value turns when every deciding term does',
  (steps, source, target) => {
    const tree = constraintTree(steps, source, target, nobody);
    if (tree === undefined) throw new Error('a whole expression has a tree');
    expect(valueWithout(tree, new Set(decidingTerms(tree)))).toBe(!tree.holds);
  },
);

test.each([
  ['no operand for `not`', [{ kind: 'not' }]],
  ['one operand for `and`', [{ kind: 'attribute', attribute: CEXPR_USER, operator: CEXPR_EQ }, { kind: 'and' }]],
  ['nothing', []],
] as const)('a malformed expression has no tree: %s', (_, steps) => {
  const context: Context = { user: 1, role: 1, type: 1, range: { low: level, high: level } };
  expect(constraintTree(steps, context, context, nobody)).toBeUndefined();
});
