/**
 * What the condition of a conditional block comes to.
 *
 * Follows Xen `xen/xsm/flask/ss/conditional.c` and libsepol `conditional.c`, `cond_evaluate_expr`.
 *
 * @module
 */
import { COND_AND, COND_BOOL, COND_EQ, COND_NEQ, COND_NOT, COND_OR, COND_XOR } from './format.ts';
import type { Conditional } from './policydb.ts';

/**
 * The value of a condition: steps in postfix order, each an operator `COND_…` and, for `COND_BOOL`, what stands for the
 * boolean. What a malformed one lacks is false.
 */
export function evaluateCondition<B>(
  steps: readonly { readonly operator: number; readonly boolean: B }[],
  isTrue: (boolean: B) => boolean,
): boolean {
  const stack: boolean[] = [];
  for (const { operator, boolean } of steps) {
    if (operator === COND_BOOL) {
      stack.push(isTrue(boolean));
      continue;
    }
    const b = stack.pop() ?? false;
    if (operator === COND_NOT) {
      stack.push(!b);
      continue;
    }
    const a = stack.pop() ?? false;
    if (operator === COND_OR) stack.push(a || b);
    else if (operator === COND_AND) stack.push(a && b);
    else if (operator === COND_XOR || operator === COND_NEQ) stack.push(a !== b);
    else stack.push(operator === COND_EQ && a === b);
  }
  return stack[0] ?? false;
}

/** The value of a conditional block's condition under these booleans, by their values in the policy. */
export function conditionHolds({ expression }: Conditional, booleans: readonly boolean[]): boolean {
  return evaluateCondition(expression, (boolean) => booleans[boolean] === true);
}
