/**
 * Expressions of constraints and of conditional blocks, made into postfix order.
 *
 * SPEC: checkpolicy `policy_parse.y` (`cexpr`, `cexpr_prim`, `cond_expr`).
 *
 * @module
 */

import * as format from '../policydb/format.ts';
import { language } from './diagnostics.ts';
import type { Cursor } from './parser.ts';
import type { ConditionNode, ConstraintNode, NameSet } from './syntax-tree.ts';
import { originOf, TokenKind } from './tokens.ts';

const OPERATORS: Readonly<Record<string, number>> = {
  eq: format.CEXPR_EQ,
  neq: format.CEXPR_NEQ,
  dom: format.CEXPR_DOM,
  domby: format.CEXPR_DOMBY,
  incomp: format.CEXPR_INCOMP,
};

const PAIRS: Readonly<Record<string, number>> = {
  l1l2: format.CEXPR_L1L2,
  l1h2: format.CEXPR_L1H2,
  h1l2: format.CEXPR_H1L2,
  h1h2: format.CEXPR_H1H2,
  l1h1: format.CEXPR_L1H1,
  l2h2: format.CEXPR_L2H2,
};

const KINDS: Readonly<Record<string, number>> = { u: format.CEXPR_USER, r: format.CEXPR_ROLE, t: format.CEXPR_TYPE };
const SIDES: Readonly<Record<string, number>> = { '1': 0, '2': format.CEXPR_TARGET, '3': format.CEXPR_XTARGET };

function operator(cursor: Cursor, allowed: readonly string[]): number {
  const number = OPERATORS[cursor.word()];
  if (number === undefined || !allowed.includes(cursor.word()))
    cursor.fail(`an operator (${allowed.map((word) => `\`${word}\``).join(', ')})`);
  cursor.at++;
  return number ?? 0;
}

const OPERATOR_WORDS: ReadonlySet<string> = new Set(Object.keys(OPERATORS));
const EQUALITY = ['eq', 'neq'];
const ALL = ['eq', 'neq', 'dom', 'domby', 'incomp'];

/** The names that a constraint compares with: one name or a flat set. `*` and `~` parse, and are refused later. */
function constraintNames(cursor: Cursor, what: string): NameSet {
  const first = cursor.at;
  if (cursor.word() === '{') return cursor.flatSet();
  if (cursor.accept('*')) return first;
  if (cursor.accept('~')) {
    if (cursor.word() === '{') cursor.flatSet();
    else cursor.identifier();
    return first;
  }
  // What is compared is mostly a keyword too, such as `t3`.
  if (cursor.kind() !== TokenKind.identifier) cursor.fail(what);
  return cursor.at++;
}

const KIND_NAMES: Readonly<Record<string, string>> = { u: 'users', r: 'roles', t: 'types' };

function constraintPrimary(cursor: Cursor, validatesTransition: boolean): ConstraintNode {
  const at = cursor.at;
  const word = cursor.word();
  if (cursor.accept('sameuser'))
    return { kind: 'attribute', at, attribute: format.CEXPR_USER, operator: format.CEXPR_EQ };
  if (word === 'source' || word === 'target') {
    cursor.at++;
    const side = word === 'target' ? format.CEXPR_TARGET : 0;
    const kind = cursor.accept('role')
      ? format.CEXPR_ROLE
      : cursor.accept('type')
        ? format.CEXPR_TYPE
        : cursor.fail('`role` or `type`');
    return {
      kind: 'names',
      at,
      attribute: kind | side,
      operator: format.CEXPR_EQ,
      names: constraintNames(cursor, 'a name or a set of names'),
    };
  }
  if (cursor.accept('role'))
    return { kind: 'attribute', at, attribute: format.CEXPR_ROLE, operator: operator(cursor, ALL) };
  if (/^[lh][12]$/.test(word)) {
    cursor.at++;
    const comparison = operator(cursor, ALL);
    const pair = PAIRS[word + cursor.word()];
    if (pair === undefined) return cursor.fail('a level to compare with');
    cursor.at++;
    return { kind: 'attribute', at, attribute: pair, operator: comparison };
  }
  const kind = KINDS[word.charAt(0)];
  const side = SIDES[word.charAt(1)];
  if (kind === undefined || side === undefined || word.length !== 2) {
    cursor.form =
      OPERATOR_WORDS.has(cursor.word(1)) && /^[urt][12]$/.test(cursor.word(2))
        ? 'a name stands to the right of the operator: `t1 == name`'
        : 'a term begins with `u1`, `r1` or `t1` of the source, or `u2`, `r2` or `t2` of the target';
    return cursor.fail('a term of a constraint');
  }
  if (side === format.CEXPR_XTARGET && !validatesTransition) {
    cursor.fail('a term of a constraint (`u3`, `r3` and `t3` exist in validatetrans only)');
  }
  cursor.at++;
  const comparison = operator(cursor, kind === format.CEXPR_ROLE && side === 0 ? ALL : EQUALITY);
  if (side === 0 && cursor.word() === `${word.charAt(0)}2`) {
    cursor.at++;
    return { kind: 'attribute', at, attribute: kind, operator: comparison };
  }
  if (comparison > format.CEXPR_NEQ) cursor.fail(`\`${word.charAt(0)}2\``);
  const names = `${side === 0 ? `\`${word.charAt(0)}2\` or ` : ''}names of ${KIND_NAMES[word.charAt(0)] ?? ''}`;
  return { kind: 'names', at, attribute: kind | side, operator: comparison, names: constraintNames(cursor, names) };
}

/** `or` binds loosest, then `and`, then `not`; all from the left. */
function constraintSteps(cursor: Cursor, minimum: number, validatesTransition: boolean, steps: ConstraintNode[]): void {
  const at = cursor.at;
  if (cursor.accept('not')) {
    cursor.nested(() => constraintSteps(cursor, 2, validatesTransition, steps));
    steps.push({ kind: 'not', at });
  } else if (cursor.accept('(')) {
    cursor.parenthesized(() => constraintSteps(cursor, 0, validatesTransition, steps));
  } else {
    steps.push(constraintPrimary(cursor, validatesTransition));
  }
  for (;;) {
    const word = cursor.word();
    const level = word === 'or' ? 0 : word === 'and' ? 1 : -1;
    if (level < minimum || (word !== 'or' && word !== 'and')) return;
    const operatorAt = cursor.at++;
    cursor.nested(() => constraintSteps(cursor, level + 1, validatesTransition, steps));
    steps.push({ kind: word, at: operatorAt });
  }
}

/** Reports an expression that needs a deeper stack than `limit`; a step takes 0, 1 or 2 values and leaves one. */
function checkDepth(cursor: Cursor, takes: readonly number[], limit: number, first: number): void {
  let depth = 0;
  for (const taken of takes) {
    depth += 1 - taken;
    if (depth > limit) {
      const notes = [{ message: '`(a and b) and c` needs a value less than `a and (b and c)`' }];
      cursor.report(language['expression-too-deep'](originOf(cursor.tokens, first), { limit }, { notes }));
      return;
    }
  }
}

export function constraintExpression(cursor: Cursor, validatesTransition: boolean): ConstraintNode[] {
  const first = cursor.at;
  const steps: ConstraintNode[] = [];
  constraintSteps(cursor, 0, validatesTransition, steps);
  const takes = steps.map((step) => (step.kind === 'not' ? 1 : step.kind === 'and' || step.kind === 'or' ? 2 : 0));
  checkDepth(cursor, takes, format.CEXPR_MAXDEPTH, first);
  return steps;
}

/** Binary operators of conditions, loosest first; all from the left. `!` stands between `&&` and `==`. */
const CONDITION_LEVELS: Readonly<Record<string, readonly [level: number, operator: number]>> = {
  or: [0, format.COND_OR],
  xor: [1, format.COND_XOR],
  and: [2, format.COND_AND],
  eq: [4, format.COND_EQ],
  neq: [4, format.COND_NEQ],
};

function conditionSteps(cursor: Cursor, minimum: number, steps: ConditionNode[]): void {
  const at = cursor.at;
  if (cursor.accept('not')) {
    cursor.nested(() => conditionSteps(cursor, 3, steps));
    steps.push({ operator: format.COND_NOT, at });
  } else if (cursor.accept('(')) {
    cursor.parenthesized(() => conditionSteps(cursor, 0, steps));
  } else {
    if (cursor.kind() !== TokenKind.identifier) cursor.fail('a boolean');
    steps.push({ operator: format.COND_BOOL, at: cursor.at++ });
  }
  for (;;) {
    const binary = CONDITION_LEVELS[cursor.word()];
    if (binary === undefined || binary[0] < minimum) return;
    const operatorAt = cursor.at++;
    cursor.nested(() => conditionSteps(cursor, binary[0] + 1, steps));
    steps.push({ operator: binary[1], at: operatorAt });
  }
}

export function conditionExpression(cursor: Cursor): ConditionNode[] {
  const steps: ConditionNode[] = [];
  conditionSteps(cursor, 0, steps);
  return steps;
}

/** Reports a condition, which begins at `first`, that needs a deeper stack than Xen has. */
export function checkConditionDepth(cursor: Cursor, steps: readonly ConditionNode[], first: number): void {
  const takes = steps.map((step) =>
    step.operator === format.COND_BOOL ? 0 : step.operator === format.COND_NOT ? 1 : 2,
  );
  checkDepth(cursor, takes, format.COND_EXPR_MAXDEPTH, first);
}
