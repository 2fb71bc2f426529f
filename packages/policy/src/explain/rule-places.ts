/**
 * Rules and conditional blocks of a policy, as a reader finds them in the source.
 *
 * @module
 */

import type { GivingRule } from '../analysis/index.ts';
import { ruleOrigin } from '../compiler/index.ts';
import { enclosingCondition, quoteStatement } from '../language/index.ts';
import { type ClassSymbol, COND_BOOL, conditionHolds } from '../policydb/index.ts';
import { userSpan } from '../text/index.ts';
import type { ConstraintFinder } from './failed-constraints.ts';
import type { ConditionPlace, RulePlace } from './findings.ts';
import { permissionNames, type Subject, typeName } from './subject.ts';

/** Places of rules that are told; more of the same add nothing. */
const MAX_PLACES = 6;

/** A rule of a binary as text. */
function ruleText(subject: Subject, { table, row, bits }: GivingRule, tclass: ClassSymbol): string {
  const names = permissionNames(subject, tclass, bits);
  const set = names.length === 1 ? names[0] : `{ ${names.join(' ')} }`;
  const source = typeName(subject, table.source[row] ?? 0);
  const target = typeName(subject, table.target[row] ?? 0);
  const word = table.kind[row] === 2 ? 'auditallow' : 'allow';
  return `${word} ${source} ${target}:${tclass.name} ${set};`;
}

/** The places of rules, each once. */
export function rulePlaces(subject: Subject, rules: readonly GivingRule[], tclass: ClassSymbol): RulePlace[] {
  const places = new Map<string, RulePlace>();
  for (const rule of rules) {
    if (places.size >= MAX_PLACES) break;
    if (subject.source === undefined) {
      const text = ruleText(subject, rule, tclass);
      places.set(text, { text, origin: undefined });
      continue;
    }
    const origin = ruleOrigin(subject.source.compiled, rule.statement);
    const span = userSpan(origin);
    places.set(`${span.source.name}:${span.start}`, { text: quoteStatement(span), origin });
  }
  return [...places.values()];
}

/** The conditional blocks of rules, each once, with what would bring the rules into force. */
export function conditionPlaces(
  subject: Subject,
  words: ConstraintFinder,
  rules: readonly GivingRule[],
): ConditionPlace[] {
  const { view, source } = subject;
  const policy = source?.compiled.policy ?? view.policy;
  const found = new Map<string, ConditionPlace>();
  for (const { block, statement } of rules) {
    const conditional = block && policy.conditionals[block.conditional];
    if (block === undefined || conditional === undefined) continue;
    const written = source && enclosingCondition(source.compiled.text, statement);
    const key = written === undefined ? `${block.conditional} ${block.branch}` : `${written.text} ${written.isElse}`;
    if (found.has(key)) continue;
    const nameOf = (value: number): string =>
      policy.booleans.entries.find((one) => one.value === value)?.name ?? String(value);
    const numbers = [
      ...new Set(conditional.expression.flatMap((step) => (step.operator === COND_BOOL ? [step.boolean] : []))),
    ];
    // The numbers of the written policy and of its binary are the same: one was made from the other.
    const stateOf = (number: number): boolean => view.booleans[number] === true;
    const holdsWith = (changed: number | undefined): boolean => {
      const values = [...view.booleans];
      if (changed !== undefined) values[changed] = !stateOf(changed);
      return conditionHolds(conditional, values) === block.branch;
    };
    const isOn = holdsWith(undefined);
    const state = (number: number): { name: string; value: boolean } => ({
      name: nameOf(number),
      value: stateOf(number),
    });
    const flips = numbers.filter((number) => holdsWith(number) !== isOn);
    found.set(key, {
      text: written?.text ?? `if (${words.condition(conditional.expression)})`,
      isElse: written?.isElse ?? !block.branch,
      origin: written?.origin,
      booleans: numbers.map(state),
      changes: flips.map((number) => ({ name: nameOf(number), value: !stateOf(number) })),
    });
  }
  return [...found.values()];
}
