/**
 * Constraints that take a permission away: which expression, which of its terms, and with what values.
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
  CEXPR_USER,
  type ClassSymbol,
  type ConstraintStep,
  type Context,
} from '../policydb/index.ts';
import { type ConstraintTermStep, constraintTree, decidingTerms } from '../security-server/index.ts';
import type { Origin } from '../text/index.ts';
import { constraintOrigins } from './constraint-places.ts';
import type { Subject } from './subject.ts';

/** A term of a constraint's expression that had to hold, and does not. */
export interface FailedTerm {
  /** As the policy language writes it: `u1 == u2`. */
  readonly text: string;
  /** What stands for each side: `u1` is `customer_1`. */
  readonly values: readonly { readonly name: string; readonly value: string }[];
}

/** A constraint that does not hold for two labels. */
export interface FailedConstraint {
  /** The whole expression, as the policy language writes it. */
  readonly expression: string;
  /** Permissions of those asked for that it takes away. */
  readonly bits: number;
  /** The terms on which it fails; where there are several, see `isAnyEnough`. */
  readonly terms: readonly FailedTerm[];
  /** One term that held would be enough, and not each must. */
  readonly isAnyEnough: boolean;
  /** Where it was written; undefined for a binary, or where the place cannot be told for certain. */
  readonly origin: Origin | undefined;
}

const PAIRS: Readonly<Record<number, readonly [string, string]>> = {
  [CEXPR_USER]: ['u1', 'u2'],
  [CEXPR_ROLE]: ['r1', 'r2'],
  [CEXPR_L1L2]: ['l1', 'l2'],
  [CEXPR_L1H2]: ['l1', 'h2'],
  [CEXPR_H1L2]: ['h1', 'l2'],
  [CEXPR_H1H2]: ['h1', 'h2'],
  [CEXPR_L1H1]: ['l1', 'h1'],
  [CEXPR_L2H2]: ['l2', 'h2'],
};

const OPERATORS: Readonly<Record<number, string>> = {
  [CEXPR_EQ]: '==',
  [CEXPR_NEQ]: '!=',
  [CEXPR_DOM]: 'dom',
  [CEXPR_DOMBY]: 'domby',
  [CEXPR_INCOMP]: 'incomp',
};

/** Names of a comparison that are shown; a set of types can be long. */
const NAMES_SHOWN = 12;

function partsOf(step: ConstraintTermStep): readonly [string, string] {
  if (step.kind === 'attribute') return PAIRS[step.attribute] ?? ['t1', 't2'];
  const letter = (step.attribute & CEXPR_USER) !== 0 ? 'u' : (step.attribute & CEXPR_ROLE) !== 0 ? 'r' : 't';
  const side = `${letter}${(step.attribute & CEXPR_TARGET) !== 0 ? 2 : 1}`;
  return [side, side];
}

/** A value behind `u1`, `l2` and the like. */
function sideValue({ view }: Subject, name: string, source: Context, target: Context): string {
  const context = name.endsWith('1') ? source : target;
  switch (name[0]) {
    case 'u':
      return view.names.users[context.user] ?? '';
    case 'r':
      return view.names.roles[context.role] ?? '';
    case 't':
      return view.names.types[context.type] ?? '';
    case 'l':
      return view.levelText(context.range.low);
    default:
      return view.levelText(context.range.high);
  }
}

function comparedNames({ view }: Subject, step: Extract<ConstraintTermStep, { kind: 'names' }>): string {
  const { users, roles, types } = view.names;
  const table = (step.attribute & CEXPR_USER) !== 0 ? users : (step.attribute & CEXPR_ROLE) !== 0 ? roles : types;
  const bits = step.written.size > 0 ? step.written.bits : step.names.bits;
  const names = Array.from(bits, (bit) => table[bit + 1] ?? String(bit + 1));
  const shown =
    names.length <= NAMES_SHOWN ? names : [...names.slice(0, NAMES_SHOWN), `... ${names.length - NAMES_SHOWN} more`];
  return shown.length === 1 ? (shown[0] ?? '') : `{ ${shown.join(' ')} }`;
}

function termText(subject: Subject, step: ConstraintTermStep): string {
  const [left, right] = partsOf(step);
  const operator = OPERATORS[step.operator] ?? '==';
  return `${left} ${operator} ${step.kind === 'attribute' ? right : comparedNames(subject, step)}`;
}

/** An expression as the policy language writes it, with the parentheses that it needs. */
function expressionText(subject: Subject, steps: readonly ConstraintStep[]): string {
  const stack: { readonly text: string; readonly binds: 'or' | 'and' | 'all' }[] = [];
  for (const step of steps) {
    if (step.kind === 'attribute' || step.kind === 'names') {
      stack.push({ text: termText(subject, step), binds: 'all' });
    } else if (step.kind === 'not') {
      const part = stack.pop();
      stack.push({ text: `not (${part?.text ?? ''})`, binds: 'all' });
    } else {
      const right = stack.pop();
      const left = stack.pop();
      const inside = (part: typeof right): string =>
        part === undefined || part.binds === 'all' || part.binds === step.kind ? (part?.text ?? '') : `(${part.text})`;
      stack.push({ text: `${inside(left)} ${step.kind} ${inside(right)}`, binds: step.kind });
    }
  }
  return stack[0]?.text ?? '';
}

/** The constraints of a class that take some of the permissions away from two labels. */
export function failedConstraints(
  subject: Subject,
  source: Context,
  target: Context,
  tclass: ClassSymbol,
  bits: number,
): FailedConstraint[] {
  const failed: FailedConstraint[] = [];
  const { view } = subject;
  for (const [index, { permissions, expression }] of tclass.constraints.entries()) {
    const taken = (permissions & bits) >>> 0;
    if (taken === 0) continue;
    const tree = constraintTree(expression, source, target, (role) => view.dominated(role));
    if (tree?.holds === true) continue;
    const terms = tree === undefined ? [] : decidingTerms(tree);
    failed.push({
      expression: expressionText(subject, expression),
      bits: taken,
      terms: terms.map(({ step }) => {
        const names = [...new Set(step.kind === 'attribute' ? partsOf(step) : partsOf(step).slice(0, 1))];
        const values = names.map((name) => ({ name, value: sideValue(subject, name, source, target) }));
        return { text: termText(subject, step), values };
      }),
      isAnyEnough: tree?.kind === 'or',
      origin: constraintOrigins(subject, tclass.name)[index],
    });
  }
  return failed;
}
