/**
 * Constraints and `validatetrans` rules of classes.
 *
 * SPEC: checkpolicy `policy_define.c` (`define_constraint`, `define_validatetrans`).
 *
 * @module
 */
import { type ConstraintNode, readSet, type Statement } from '../language/index.ts';
import {
  accessVector,
  CEXPR_ROLE,
  CEXPR_USER,
  type Constraint,
  type ConstraintStep,
  Ebitmap,
  type TypeSets,
} from '../policydb/index.ts';
import type { ClassDeclaration, ConstraintDraft, ConstraintStepDraft } from './declarations.ts';
import { policy } from './diagnostics.ts';
import { rolesMeant } from './roles.ts';
import type { Scope } from './scope.ts';

const NOTHING: ReadonlySet<number> = new Set();

/** The users, roles or types that a step compares with; undefined after a report. */
function names(
  scope: Scope,
  sets: TypeSets,
  node: Extract<ConstraintNode, { kind: 'names' }>,
  statement: string,
): Pick<ConstraintStepDraft, 'names' | 'written'> | undefined {
  const { isStar, isComplement } = readSet(scope.tokens, node.names);
  if (isStar || isComplement) {
    const operator = isStar ? '*' : '~';
    scope.report(policy['set-operator'](scope.origin(node.names), { operator, what: 'names', statement }));
    return undefined;
  }
  const tokens = scope.plainNames(node.names, 'names', statement);
  const collect = <T>(find: (token: number) => T | undefined): T[] | undefined => {
    const found = tokens.map(find);
    const known = found.flatMap((item) => (item === undefined ? [] : [item]));
    return known.length === found.length ? known : undefined;
  };
  if ((node.attribute & CEXPR_USER) !== 0) {
    const users = collect((token) => scope.user(token));
    return users && { names: new Set(users.map(({ value }) => value - 1)), written: NOTHING };
  }
  if ((node.attribute & CEXPR_ROLE) !== 0) {
    const roles = collect((token) => scope.role(token));
    return roles && { names: new Set([...rolesMeant(roles)].map(({ value }) => value - 1)), written: NOTHING };
  }
  const types = collect((token) => scope.type(token, statement));
  if (types === undefined) return undefined;
  const values = [...new Set(types.map(({ value }) => value))].sort((a, b) => a - b);
  const id = sets.add({ kind: 'listed', named: values, excluded: [] });
  return {
    names: new Set([...sets.members(id)].map((value) => value - 1)),
    written: new Set(values.map((value) => value - 1)),
  };
}

function expression(
  scope: Scope,
  sets: TypeSets,
  nodes: readonly ConstraintNode[],
  statement: string,
): ConstraintStepDraft[] | undefined {
  const steps: ConstraintStepDraft[] = [];
  let isWhole = true;
  for (const node of nodes) {
    if (node.kind === 'names') {
      const meant = names(scope, sets, node, statement);
      if (meant === undefined) isWhole = false;
      else steps.push({ kind: 'names', attribute: node.attribute, operator: node.operator, ...meant });
    } else if (node.kind === 'attribute') {
      steps.push({
        kind: 'attribute',
        attribute: node.attribute,
        operator: node.operator,
        names: NOTHING,
        written: NOTHING,
      });
    } else steps.push({ kind: node.kind, attribute: 0, operator: 0, names: NOTHING, written: NOTHING });
  }
  return isWhole ? steps : undefined;
}

/** Every permission of a class. */
function fullMask(tclass: ClassDeclaration): number {
  return tclass.permissionCount === 32 ? 0xffffffff : (1 << tclass.permissionCount) - 1;
}

/** Takes one constraint; the one written last comes first in its class. */
export function addConstraint(scope: Scope, sets: TypeSets, node: Extract<Statement, { kind: 'constrain' }>): void {
  const statement = scope.statementWord(node);
  const steps = expression(scope, sets, node.expression, statement);
  const listed = scope.classes(node.classes, statement);
  const { isStar, isComplement, members } = readSet(scope.tokens, node.permissions);
  const excluded = members.find((member) => member.isExcluded);
  if (excluded !== undefined) {
    scope.report(
      policy['set-operator'](scope.origin(excluded.token), { operator: '-', what: 'permissions', statement }),
    );
  }
  // XEN: a class named twice gets two nodes, and only the second one gets the permissions.
  const first = new Map<ClassDeclaration, ConstraintDraft>();
  for (const tclass of listed) {
    const draft: ConstraintDraft = { permissions: 0, expression: steps ?? [] };
    tclass.constraints.unshift(draft);
    first.set(tclass, draft);
  }
  for (const [tclass, draft] of first) {
    const mask = fullMask(tclass);
    if (isStar) draft.permissions = mask >>> 0;
    for (const { token } of members) draft.permissions = (draft.permissions | scope.permissionBit(tclass, token)) >>> 0;
    if (!isComplement) continue;
    draft.permissions = (~draft.permissions & mask) >>> 0;
    if (draft.permissions !== 0) continue;
    tclass.constraints.shift();
    scope.report(policy['empty-constraint'](scope.origin(node.at), {}));
  }
}

export function addValidateTransition(
  scope: Scope,
  sets: TypeSets,
  node: Extract<Statement, { kind: 'validatetrans' }>,
): void {
  const statement = scope.statementWord(node);
  const steps = expression(scope, sets, node.expression, statement);
  for (const tclass of scope.classes(node.classes, statement)) {
    tclass.validateTransitions.unshift({ permissions: 0, expression: steps ?? [] });
  }
}

function finishStep(step: ConstraintStepDraft): ConstraintStep {
  const { kind, attribute, operator } = step;
  if (kind === 'names')
    return { kind, attribute, operator, names: Ebitmap.of(step.names), written: Ebitmap.of(step.written) };
  return kind === 'attribute' ? { kind, attribute, operator } : { kind };
}

export function finishConstraint({ permissions, expression: steps }: ConstraintDraft): Constraint {
  return { permissions: accessVector(permissions), expression: steps.map(finishStep) };
}
