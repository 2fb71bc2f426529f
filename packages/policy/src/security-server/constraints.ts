/**
 * Evaluation of constraints.
 *
 * Follows: Xen `xen/xsm/flask/ss/services.c` (`constraint_expr_eval`), `mls.c`.
 *
 * @module
 */
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
  type Ebitmap,
  type MlsLevel,
} from '../policydb/index.ts';

/** Whether level `a` is at least level `b`. */
export function levelDominates(a: MlsLevel, b: MlsLevel): boolean {
  return a.sensitivity >= b.sensitivity && b.categories.isSubsetOf(a.categories);
}

export function levelsEqual(a: MlsLevel, b: MlsLevel): boolean {
  return a.sensitivity === b.sensitivity && a.categories.equals(b.categories);
}

/** The roles that a role dominates, by value; empty for a role that does not exist. */
export type DominatedRoles = (role: number) => Ebitmap;

function compareLevels(operator: number, a: MlsLevel, b: MlsLevel): boolean {
  switch (operator) {
    case CEXPR_EQ:
      return levelsEqual(a, b);
    case CEXPR_NEQ:
      return !levelsEqual(a, b);
    case CEXPR_DOM:
      return levelDominates(a, b);
    case CEXPR_DOMBY:
      return levelDominates(b, a);
    case CEXPR_INCOMP:
      return !levelDominates(a, b) && !levelDominates(b, a);
    default:
      return false;
  }
}

function compareRoles(operator: number, a: number, b: number, dominated: DominatedRoles): boolean {
  switch (operator) {
    case CEXPR_EQ:
      return a === b;
    case CEXPR_NEQ:
      return a !== b;
    case CEXPR_DOM:
      return dominated(a).has(b - 1);
    case CEXPR_DOMBY:
      return dominated(b).has(a - 1);
    case CEXPR_INCOMP:
      return !dominated(a).has(b - 1) && !dominated(b).has(a - 1);
    default:
      return false;
  }
}

function compareAttribute(
  attribute: number,
  operator: number,
  source: Context,
  target: Context,
  dominated: DominatedRoles,
): boolean {
  const { low: l1, high: h1 } = source.range;
  const { low: l2, high: h2 } = target.range;
  switch (attribute) {
    case CEXPR_USER:
      return (source.user === target.user) === (operator === CEXPR_EQ);
    case CEXPR_TYPE:
      return (source.type === target.type) === (operator === CEXPR_EQ);
    case CEXPR_ROLE:
      return compareRoles(operator, source.role, target.role, dominated);
    case CEXPR_L1L2:
      return compareLevels(operator, l1, l2);
    case CEXPR_L1H2:
      return compareLevels(operator, l1, h2);
    case CEXPR_H1L2:
      return compareLevels(operator, h1, l2);
    case CEXPR_H1H2:
      return compareLevels(operator, h1, h2);
    case CEXPR_L1H1:
      return compareLevels(operator, l1, h1);
    case CEXPR_L2H2:
      return compareLevels(operator, l2, h2);
    default:
      return false;
  }
}

/** Whether an expression holds. A malformed one does not. `third` is the subject of a `validatetrans` rule. */
export function evaluateConstraint(
  steps: readonly ConstraintStep[],
  source: Context,
  target: Context,
  dominated: DominatedRoles,
  third?: Context,
): boolean {
  const stack: boolean[] = [];
  for (const step of steps) {
    switch (step.kind) {
      case 'not':
        stack.push(!(stack.pop() ?? true));
        break;
      case 'and': {
        const b = stack.pop() ?? false;
        stack.push((stack.pop() ?? false) && b);
        break;
      }
      case 'or': {
        const b = stack.pop() ?? false;
        stack.push((stack.pop() ?? false) || b);
        break;
      }
      case 'attribute':
        stack.push(compareAttribute(step.attribute, step.operator, source, target, dominated));
        break;
      case 'names': {
        const side =
          (step.attribute & CEXPR_TARGET) !== 0 ? target : (step.attribute & CEXPR_XTARGET) !== 0 ? third : source;
        if (side === undefined) return false;
        const value =
          (step.attribute & CEXPR_USER) !== 0 ? side.user : (step.attribute & CEXPR_ROLE) !== 0 ? side.role : side.type;
        stack.push(step.names.has(value - 1) === (step.operator === CEXPR_EQ));
        break;
      }
    }
  }
  return stack[0] ?? false;
}
