/**
 * Choices questions about a policy, in the language of `sepol-harness.c`.
 *
 * @module
 */
import { AVTAB_CHANGE, AVTAB_MEMBER, AVTAB_TRANSITION, AVTAB_TYPE, type PolicyDb } from '@dewar/policy/policydb';
import { PolicyView } from '@dewar/policy/security-server';
import type { Choices } from './choices.ts';

/** Something that is asked about contexts by their numbers. */
export interface Query {
  readonly kind: 'a' | 't' | 'm' | 'h';
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
}

export type Question =
  | { readonly kind: 'c'; readonly text: string }
  | { readonly kind: 'b'; readonly name: string; readonly value: boolean }
  | Query;

export function questionText(question: Question): string {
  switch (question.kind) {
    case 'c':
      return `c ${question.text}`;
    case 'b':
      return `b ${question.name} ${question.value ? 1 : 0}`;
    default:
      return `${question.kind} ${question.source} ${question.target} ${question.tclass}`;
  }
}

const CONTEXTS = 200;
/** Queries between two changes of booleans. */
const STRETCH = 500;

function nameOf<T extends { readonly name: string }>(random: Choices, entries: readonly T[]): string {
  return random.maybe(entries)?.name ?? 'none';
}

function randomLevel(random: Choices, { sensitivities, categories }: PolicyDb): string {
  let text = nameOf(random, sensitivities.entries);
  for (let left = random.pick([0, 0, 1, 2]); left > 0; left--) {
    const first = random.maybe(categories.entries);
    const last = random.maybe(categories.entries);
    const item = random.chance(50) ? nameOf(random, categories.entries) : `${first?.name}.${last?.name}`;
    text += `${text.includes(':') ? ',' : ':'}${item}`;
  }
  return text;
}

/** A range, often within that of the user, so that many contexts are valid. */
function randomRange(random: Choices, view: PolicyView, user: string): string {
  const { policy } = view;
  const own = policy.users.byName.get(user);
  if (own !== undefined && random.chance(60)) {
    const text = view.text({ user: own.value, role: 1, type: 1, range: own.range });
    const whole = text.split(':').slice(3).join(':');
    const [low = ''] = whole.split('-');
    return random.chance(50) ? whole : low;
  }
  return random.chance(50)
    ? randomLevel(random, policy)
    : `${randomLevel(random, policy)}-${randomLevel(random, policy)}`;
}

/** A context; about half of them are valid. */
function randomContext(random: Choices, view: PolicyView): string {
  const { users, roles, types, isMls } = view.policy;
  const user = random.maybe(users.entries);
  const isObject = random.chance(30);
  const role = isObject ? 'object_r' : nameOf(random, roles.entries);
  const own = roles.byName.get(role)?.types.bits ?? new Uint32Array();
  const fitting = view.names.types[(own[random.below(own.length)] ?? 0) + 1];
  const type = isObject || fitting === undefined || random.chance(10) ? nameOf(random, types.entries) : fitting;
  const parts = [user?.name ?? 'none', role, type];
  if (isMls !== random.chance(2)) parts.push(isMls ? randomRange(random, view, parts[0] ?? '') : 's0');
  if (random.chance(2)) parts[random.below(3)] = random.pick(['', 'nobody', 'self']);
  if (random.chance(1)) parts.pop();
  return parts.join(':');
}

const KINDS = { t: AVTAB_TRANSITION, m: AVTAB_MEMBER, h: AVTAB_CHANGE } as const;

interface TypeRule {
  readonly kind: number;
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
}

function typeRules({ rules, conditionals }: PolicyDb): TypeRule[] {
  const found: TypeRule[] = [];
  for (const table of [rules, ...conditionals.flatMap(({ whenTrue, whenFalse }) => [whenTrue, whenFalse])]) {
    for (let row = 0; row < table.length; row++) {
      const kind = table.kind[row] ?? 0;
      if ((kind & AVTAB_TYPE) === 0) continue;
      const [source = 0, target = 0, tclass = 0] = [table.source[row], table.target[row], table.tclass[row]];
      found.push({ kind, source, target, tclass });
    }
  }
  return found;
}

/** About `count` questions: first contexts, then queries between the valid ones under changing booleans. */
export function makeQuestions(policy: PolicyDb, count: number, random: Choices): Question[] {
  const view = new PolicyView(policy);
  const questions: Question[] = [];
  const valid: number[] = [];
  const byType = new Map<number, number[]>();
  for (let i = 0; i < CONTEXTS; i++) {
    const text = randomContext(random, view);
    questions.push({ kind: 'c', text });
    const context = view.parse(text);
    if ('part' in context) continue;
    valid.push(i);
    byType.set(context.type, [...(byType.get(context.type) ?? []), i]);
  }
  if (valid.length === 0) return questions;
  const rules = typeRules(policy).filter(({ source, target }) => byType.has(source) && byType.has(target));
  const classes = policy.classes.primaryCount;
  while (questions.length < count) {
    if (questions.length % STRETCH === 0) {
      for (const { name } of policy.booleans.entries) {
        questions.push({ kind: 'b', name, value: random.chance(50) });
      }
    }
    const kind = random.pick(['a', 'a', 'a', 'a', 'a', 'a', 't', 't', 'm', 'h'] as const);
    const rule = kind === 'a' || random.chance(50) ? undefined : random.maybe(rules);
    if (kind !== 'a' && rule?.kind === KINDS[kind]) {
      const source = random.pick(byType.get(rule.source) ?? valid);
      const target = random.pick(byType.get(rule.target) ?? valid);
      questions.push({ kind, source, target, tclass: rule.tclass });
      continue;
    }
    const domain = policy.classes.byName.get('domain')?.value ?? 1;
    let tclass = random.chance(25) ? domain : random.between(1, classes);
    if (random.chance(1)) tclass = random.pick([0, classes + 1, 0xffff]);
    questions.push({ kind, source: random.pick(valid), target: random.pick(valid), tclass });
  }
  return questions;
}
