/**
 * What is wrong with rules that only shows when all of them are expanded: clashes, and neverallow rules that are broken.
 *
 * @module
 */
import { type PolicyDb, permissionNames, type RuleClash } from '../policydb/index.ts';
import { type Note, type Origin, userSpan } from '../text/index.ts';
import { policy as messages } from './diagnostics.ts';
import { findViolations, type Violation } from './neverallow.ts';
import type { Scope } from './scope.ts';

const RULE_NAMES: Readonly<Record<number, string>> = { 16: 'type_transition', 32: 'type_member', 64: 'type_change' };

/** The statements that a clash is about, found by expanding rules until the pair appears. */
function clashPlaces(policy: PolicyDb, clash: RuleClash): number[] {
  const tables = [
    policy.rules,
    ...policy.conditionals.toReversed().flatMap(({ whenTrue, whenFalse }) => [whenTrue, whenFalse]),
  ];
  const places: number[] = [];
  for (const table of tables) {
    for (let row = 0; row < table.length; row++) {
      if (table.kind[row] !== clash.ruleKind || table.tclass[row] !== clash.tclass) continue;
      const data = table.data[row] ?? 0;
      if (data !== clash.oldResult && data !== clash.newResult) continue;
      const sources = policy.typeSets.members(table.source[row] ?? 0);
      const targets = policy.typeSets.members(table.target[row] ?? 0);
      const isSelf = table.self[row] === 1 && clash.source === clash.target;
      if (sources.includes(clash.source) && (isSelf || targets.includes(clash.target)))
        places.push(table.statement[row] ?? 0);
    }
  }
  return places;
}

/** The numbers of types of which not all attributes may be known: what comes of a fault is not told as one of its own. */
function doubtfulValues({ doubtfulTypes, declared }: Scope): ReadonlySet<number> {
  return new Set([...doubtfulTypes].flatMap((name) => declared.types.get(name)?.value ?? []));
}

/** The origin of the keyword with which a rule begins. */
function keywordOrigin(scope: Scope, start: number): Origin {
  const { text, origins } = scope.tokens.source;
  let end = start + 1;
  while (/[a-z_]/.test(text.charAt(end))) end++;
  return origins.originAt(start, end);
}

/** Reports type rules that give two answers to one question, or the same one twice. */
export function reportClashes(scope: Scope, policy: PolicyDb, clashes: readonly RuleClash[]): void {
  const name = (value: number): string =>
    policy.types.entries.find((type) => type.value === value && type.kind !== 'alias')?.name ?? '';
  const at = (offset: number) => keywordOrigin(scope, offset);
  const seen = new Set<string>();
  const doubtful = doubtfulValues(scope);
  for (const clash of clashes) {
    if (doubtful.has(clash.source) || doubtful.has(clash.target)) continue;
    const places = clashPlaces(policy, clash);
    const final = places.at(-1);
    const other = places.find((place) => place !== final);
    // A conditional rule is taken after all others: it is the earlier one in the text, where it stands above.
    const isSwapped = final !== undefined && other !== undefined && other > final;
    const [first, last] = isSwapped ? [final, other] : [other, final];
    const key = `${first}:${last}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const origin = last === undefined ? undefined : at(last);
    const notes = first === undefined ? [] : [{ message: 'the earlier rule is here', origin: at(first) }];
    const parts = {
      rule: RULE_NAMES[clash.ruleKind] ?? '',
      source: name(clash.source),
      target: name(clash.target),
      class: policy.classes.entries.find(({ value }) => value === clash.tclass)?.name ?? '',
    };
    if (clash.kind === 'conflict') {
      const [made, before] = isSwapped ? [clash.oldResult, clash.newResult] : [clash.newResult, clash.oldResult];
      const results = { new: name(made), old: name(before) };
      scope.report(messages['conflicting-type-rule'](origin, { ...parts, ...results }, { notes }));
    } else scope.report(messages['duplicate-type-rule'](origin, parts, { notes }));
  }
}

/** Reports rules that allow what a neverallow rule forbids. */
export function reportViolations(scope: Scope, policy: PolicyDb): void {
  const typeName = (value: number): string =>
    policy.types.entries.find((type) => type.value === value && type.kind !== 'alias')?.name ?? '';
  const at = (offset: number) => keywordOrigin(scope, offset);
  const doubtful = doubtfulValues(scope);
  const isLeftOut = (value: number): boolean => doubtful.has(value);
  // What one call of a macro allows by several rules is one fault.
  const faults = new Map<string, Violation & { readonly origin: Origin; rules: number }>();
  for (const found of findViolations(policy.rules, policy.conditionals, policy.typeSets, isLeftOut)) {
    const origin = at(found.allow);
    const { source, start } = userSpan(origin);
    const place = origin.kind === 'written' ? `${found.allow}` : `${source.name}:${start}`;
    const key = [place, found.neverallow, found.source, found.target, found.tclass].join(' ');
    const known = faults.get(key);
    const permissions = ((known?.permissions ?? 0) | found.permissions) >>> 0;
    faults.set(key, { ...(known ?? { ...found, origin }), permissions, rules: (known?.rules ?? 0) + 1 });
  }
  for (const { origin, rules, ...found } of faults.values()) {
    const tclass = policy.classes.entries.find(({ value }) => value === found.tclass);
    const notes: Note[] = [{ message: 'this `neverallow` rule forbids it', origin: at(found.neverallow) }];
    if (rules > 1) notes.push({ message: `${rules} rules of the macro allow it` });
    scope.report(
      messages['neverallow-violated'](
        origin,
        {
          source: typeName(found.source),
          target: typeName(found.target),
          class: tclass?.name ?? '',
          permissions: tclass === undefined ? '' : permissionNames(policy, tclass, found.permissions).join(' '),
        },
        { notes },
      ),
    );
  }
}
