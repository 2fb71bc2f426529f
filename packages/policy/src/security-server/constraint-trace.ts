/**
 * Why a constraint does not hold: its expression as a tree, with what each term came to.
 *
 * Start reading at `constraintTree`, then `decidingTerms`.
 *
 * @module
 */
import type { ConstraintStep, Context } from '../policydb/index.ts';
import { type DominatedRoles, evaluateConstraint } from './constraints.ts';

/** A step that compares something. */
export type ConstraintTermStep = Extract<ConstraintStep, { readonly kind: 'attribute' | 'names' }>;

/** A comparison, and what it came to. */
export interface ConstraintTerm {
  readonly kind: 'term';
  readonly holds: boolean;
  readonly step: ConstraintTermStep;
}

/** An expression, and what each part of it came to. */
export type ConstraintTree =
  | ConstraintTerm
  | { readonly kind: 'not'; readonly holds: boolean; readonly part: ConstraintTree }
  | {
      readonly kind: 'and' | 'or';
      readonly holds: boolean;
      readonly left: ConstraintTree;
      readonly right: ConstraintTree;
    };

/**
 * An expression for two contexts, with the value of each part; undefined where it is malformed, and so holds for nobody.
 * Terms are evaluated as `evaluateConstraint` does.
 */
export function constraintTree(
  steps: readonly ConstraintStep[],
  source: Context,
  target: Context,
  dominated: DominatedRoles,
): ConstraintTree | undefined {
  const stack: ConstraintTree[] = [];
  for (const step of steps) {
    if (step.kind === 'attribute' || step.kind === 'names') {
      stack.push({ kind: 'term', holds: evaluateConstraint([step], source, target, dominated), step });
      continue;
    }
    const right = stack.pop();
    if (right === undefined) return undefined;
    if (step.kind === 'not') {
      stack.push({ kind: 'not', holds: !right.holds, part: right });
      continue;
    }
    const left = stack.pop();
    if (left === undefined) return undefined;
    const holds = step.kind === 'and' ? left.holds && right.holds : left.holds || right.holds;
    stack.push({ kind: step.kind, holds, left, right });
  }
  return stack[0];
}

/**
 * The terms that make the tree what it is: where it fails, those of which one (in an `or`) or each (in an `and`) had to
 * come out otherwise.
 */
export function decidingTerms(tree: ConstraintTree): ConstraintTerm[] {
  if (tree.kind === 'term') return [tree];
  if (tree.kind === 'not') return decidingTerms(tree.part);
  // Of an `and` that fails, and of an `or` that holds, the parts of the same value decide; else both do.
  const decides = (part: ConstraintTree): boolean => part.holds === tree.holds;
  return [tree.left, tree.right].filter(decides).flatMap(decidingTerms);
}
