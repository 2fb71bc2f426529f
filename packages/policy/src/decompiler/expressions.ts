/**
 * Expressions of constraints and of conditions: from the postfix order of the binary back to what a person writes.
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
  COND_AND,
  COND_BOOL,
  COND_EQ,
  COND_NEQ,
  COND_NOT,
  COND_OR,
  COND_XOR,
  type ConditionStep,
  type ConstraintStep,
  Ebitmap,
  type PolicyVersion,
} from '../policydb/index.ts';
import { setText } from './layout.ts';
import type { Names } from './names.ts';
import type { Membership } from './types-text.ts';

/** A part of an expression and how tightly it holds together. */
interface Part {
  readonly text: string;
  readonly level: number;
}

const ATOM = 9;

function inside(part: Part | undefined, level: number): string {
  if (part === undefined) return '';
  return part.level < level ? `(${part.text})` : part.text;
}

/** Joins two parts by an operator of a level; all operators group from the left. */
function join(left: Part | undefined, operator: string, right: Part | undefined, level: number): Part {
  return { text: `${inside(left, level)} ${operator} ${inside(right, level + 1)}`, level };
}

const PAIRS: Readonly<Record<number, readonly [string, string]>> = {
  [CEXPR_USER]: ['u1', 'u2'],
  [CEXPR_ROLE]: ['r1', 'r2'],
  [CEXPR_TYPE]: ['t1', 't2'],
  [CEXPR_L1L2]: ['l1', 'l2'],
  [CEXPR_L1H2]: ['l1', 'h2'],
  [CEXPR_H1L2]: ['h1', 'l2'],
  [CEXPR_H1H2]: ['h1', 'h2'],
  [CEXPR_L1H1]: ['l1', 'h1'],
  [CEXPR_L2H2]: ['l2', 'h2'],
};
const COMPARISONS: Readonly<Record<number, string>> = {
  [CEXPR_EQ]: '==',
  [CEXPR_NEQ]: '!=',
  [CEXPR_DOM]: 'dom',
  [CEXPR_DOMBY]: 'domby',
  [CEXPR_INCOMP]: 'incomp',
};
const LETTERS: Readonly<Record<number, string>> = { [CEXPR_USER]: 'u', [CEXPR_ROLE]: 'r', [CEXPR_TYPE]: 't' };

/** Whether an operator may stand after these two sides: users and types know only equality. */
function comparisonText(attribute: number, operator: number): string | undefined {
  const isOrdered = attribute !== CEXPR_USER && attribute !== CEXPR_TYPE;
  return isOrdered || operator === CEXPR_EQ || operator === CEXPR_NEQ ? COMPARISONS[operator] : undefined;
}

/** What is needed to name the members of a comparison. */
export interface ConstraintNames {
  readonly names: Names;
  readonly membership: Membership;
  readonly version: PolicyVersion;
  /** A role attribute without roles, if there is one. */
  readonly emptyRole: string | undefined;
}

/** The types that types and attributes stand for. */
function membersOf({ names, membership }: ConstraintNames, written: Ebitmap): Ebitmap {
  const bits: number[] = [];
  for (const bit of written.bits) {
    if (!names.isAttribute(bit + 1)) bits.push(bit);
    else for (const member of membership.members.get(bit + 1)?.bits ?? []) bits.push(member);
  }
  return Ebitmap.of(bits);
}

/** The names that a step compares with; undefined where no set of names stands for them. */
function comparedNames(all: ConstraintNames, step: Extract<ConstraintStep, { kind: 'names' }>): string[] | undefined {
  const { names, membership, version, emptyRole } = all;
  const kind = step.attribute & (CEXPR_USER | CEXPR_ROLE | CEXPR_TYPE);
  if (kind !== CEXPR_TYPE && step.written.size > 0) return undefined;
  if (kind === CEXPR_USER && step.names.size > 0) return Array.from(step.names.bits, (bit) => names.user(bit + 1));
  if (kind === CEXPR_ROLE) {
    if (step.names.size > 0) return Array.from(step.names.bits, (bit) => names.role(bit + 1));
    return emptyRole === undefined ? undefined : [emptyRole];
  }
  if (kind !== CEXPR_TYPE) return undefined;
  if (version === 30) {
    if (step.written.size === 0 || !membersOf(all, step.written).equals(step.names)) return undefined;
    return Array.from(step.written.bits, (bit) => names.type(bit + 1));
  }
  for (const [attribute, members] of membership.members)
    if (members.size !== 1 && members.equals(step.names)) return [names.type(attribute)];
  if (step.names.size === 0 || [...step.names.bits].some((bit) => names.isAttribute(bit + 1))) return undefined;
  return Array.from(step.names.bits, (bit) => names.type(bit + 1));
}

function stepPart(all: ConstraintNames, step: ConstraintStep, validates: boolean): Part | undefined {
  if (step.kind === 'attribute') {
    const pair = PAIRS[step.attribute];
    const comparison = comparisonText(step.attribute, step.operator);
    return pair && comparison !== undefined ? { text: `${pair[0]} ${comparison} ${pair[1]}`, level: ATOM } : undefined;
  }
  if (step.kind !== 'names') return undefined;
  const side = step.attribute & (CEXPR_TARGET | CEXPR_XTARGET);
  const kind = step.attribute - side;
  const letter = LETTERS[kind];
  const number = { 0: '1', [CEXPR_TARGET]: '2', [CEXPR_XTARGET]: validates ? '3' : undefined }[side];
  const isEquality = step.operator === CEXPR_EQ || step.operator === CEXPR_NEQ;
  const listed = comparedNames(all, step)?.toSorted();
  if (letter === undefined || number === undefined || !isEquality || listed === undefined) return undefined;
  return { text: `${letter}${number} ${COMPARISONS[step.operator] ?? ''} ${setText(listed)}`, level: ATOM };
}

const OR = 0;
const AND = 1;
const NOT = 2;

/** A constraint's expression as text; undefined where it has none. */
export function constraintText(
  all: ConstraintNames,
  steps: readonly ConstraintStep[],
  validates: boolean,
): string | undefined {
  const stack: Part[] = [];
  for (const step of steps) {
    if (step.kind === 'not') stack.push({ text: `not ${inside(stack.pop(), ATOM)}`, level: NOT });
    else if (step.kind === 'and' || step.kind === 'or') {
      const right = stack.pop();
      stack.push(join(stack.pop(), step.kind, right, step.kind === 'and' ? AND : OR));
    } else {
      const part = stepPart(all, step, validates);
      if (part === undefined) return undefined;
      stack.push(part);
    }
  }
  return stack.at(-1)?.text;
}

/** Words and levels of the operators of conditions; `!` stands between `&&` and `==`. */
const CONDITIONS: Readonly<Record<number, readonly [string, number]>> = {
  [COND_OR]: ['||', 0],
  [COND_XOR]: ['^', 1],
  [COND_AND]: ['&&', 2],
  [COND_EQ]: ['==', 4],
  [COND_NEQ]: ['!=', 4],
};

/** A condition as text, without the parentheses around it. */
export function conditionText(names: Names, steps: readonly ConditionStep[]): string {
  const stack: Part[] = [];
  for (const { operator, boolean } of steps) {
    if (operator === COND_BOOL) stack.push({ text: names.boolean(boolean), level: ATOM });
    else if (operator === COND_NOT) stack.push({ text: `!${inside(stack.pop(), ATOM)}`, level: 3 });
    else {
      const [word, level] = CONDITIONS[operator] ?? ['', 0];
      const right = stack.pop();
      stack.push(join(stack.pop(), word, right, level));
    }
  }
  return stack.at(-1)?.text ?? '';
}
