/**
 * Where Xen's security server and libsepol are known to differ, and Dewar follows Xen. The reasons are in
 * `differences.md`, under the same names.
 *
 * @module
 */
import type { Context } from '@dewar/policy/policydb';
import type { OurAnswers } from './our-answers.ts';
import type { Question } from './questions.ts';

export const KNOWN_DIFFERENCES = ['object-defaults', 'role-transition-class', 'dyntransition', 'bounds'] as const;

export type KnownDifference = (typeof KNOWN_DIFFERENCES)[number];

function vectors(line: string): [number, number, number] {
  const [allowed = 0, auditAllow = 0, auditDeny = 0] = line.split(' ').map((hex) => Number.parseInt(hex, 16));
  return [allowed, auditAllow, auditDeny];
}

/** The name of the difference that two answers to one question show; undefined where they should be equal. */
export function knownDifference(
  ours: OurAnswers,
  question: Question,
  our: string,
  their: string,
): KnownDifference | undefined {
  if (question.kind === 'c' || question.kind === 'b') return undefined;
  const source = ours.context(question.source);
  const target = ours.context(question.target);
  if (source === undefined || target === undefined) return undefined;
  return question.kind === 'a'
    ? vectorDifference(ours, question.tclass, [source, target], vectors(our), vectors(their))
    : contextDifference(ours, question.kind === 't', question.tclass, [source, target]);
}

function vectorDifference(
  { view }: OurAnswers,
  tclass: number,
  [source, target]: readonly [Context, Context],
  [ourAllowed, ourAllow, ourDeny]: readonly [number, number, number],
  [theirAllowed, theirAllow, theirDeny]: readonly [number, number, number],
): KnownDifference | undefined {
  if (ourAllow !== theirAllow || ourDeny !== theirDeny) return undefined;
  const isBounded = [source, target].some(({ type }) => (view.lookup.types[type]?.bounds ?? 0) !== 0);
  if (isBounded) return 'bounds';
  const other = view.classSymbol(tclass)?.permissions.find(({ name }) => name === 'dyntransition');
  const isChange = tclass === view.domainClass && source.role !== target.role && other !== undefined;
  return isChange && (ourAllowed ^ theirAllowed) >>> 0 === (1 << (other.value - 1)) >>> 0 ? 'dyntransition' : undefined;
}

function contextDifference(
  { view }: OurAnswers,
  isTransition: boolean,
  tclass: number,
  [source, target]: readonly [Context, Context],
): KnownDifference | undefined {
  const { user, role, type, range } = view.classSymbol(tclass)?.defaults ?? { user: 0, role: 0, type: 0, range: 0 };
  if (user + role + type + range !== 0) return 'object-defaults';
  const hasRule = view.policy.roleTransitions.some((rule) => rule.role === source.role && rule.type === target.type);
  return isTransition && hasRule ? 'role-transition-class' : undefined;
}
