/**
 * Role allows, and transitions that are not in the access vector table, as text.
 *
 * @module
 */
import type { PolicyDb, RangeTransition } from '../policydb/index.ts';
import { setText, wrap } from './layout.ts';
import type { Names } from './names.ts';

/** Runs of neighbours with the same key, the values of each rising. */
function runs<T>(items: readonly T[], key: (item: T) => string, value: (item: T) => number): T[][] {
  const found: T[][] = [];
  for (const item of items) {
    const run = found.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && key(last) === key(item) && value(last) < value(item)) run.push(item);
    else found.push([item]);
  }
  return found;
}

/** `allow` between roles: the statement written last comes first in the binary. */
export function roleAllowText(policy: PolicyDb, names: Names): string[] {
  const known = new Set(policy.roleAllows.map(({ role, newRole }) => `${role}:${newRole}`));
  if (known.size !== policy.roleAllows.length) names.otherOrder('role allow rules');
  const byRole = runs(
    policy.roleAllows,
    ({ role }) => String(role),
    ({ newRole }) => newRole,
  ).map((run) => ({
    role: run[0]?.role ?? 0,
    newRoles: run.map(({ newRole }) => newRole),
  }));
  const joined = runs(
    byRole,
    ({ newRoles }) => newRoles.join(),
    ({ role }) => role,
  );
  return joined.toReversed().map((run) => {
    const roles = setText(run.map(({ role }) => names.role(role)));
    return wrap(`allow ${roles} ${setText((run[0]?.newRoles ?? []).map((role) => names.role(role)))};`);
  });
}

/** `role_transition`: the statement written last comes first in the binary. */
export function roleTransitionText(policy: PolicyDb, names: Names): string[] {
  const transitions = policy.roleTransitions;
  const known = new Set(transitions.map(({ role, type, tclass }) => `${role}:${type}:${tclass}`));
  if (known.size !== transitions.length) names.lost('two role transitions for the same role, type and class');
  const byType = runs(
    transitions,
    ({ role, type, newRole }) => `${role}:${type}:${newRole}`,
    ({ tclass }) => tclass,
  ).map((run) => ({ ...first(run), classes: run.map(({ tclass }) => tclass) }));
  const byRole = runs(
    byType,
    ({ role, newRole, classes }) => `${role}:${newRole}:${classes.join()}`,
    ({ type }) => type,
  );
  return byRole.toReversed().map((run) => {
    const { role, newRole, classes } = first(run);
    const types = setText(run.map(({ type }) => names.type(type)));
    if (run.some(({ type }) => names.isAttribute(type))) names.lost('a role transition from an attribute');
    const classText = setText(classes.map((tclass) => names.class(tclass)));
    return wrap(`role_transition ${names.role(role)} ${types}:${classText} ${names.role(newRole)};`);
  });
}

/** The first of a list that is never empty. */
function first<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new RangeError('an empty run');
  return item;
}

/** `type_transition` for a named file: what has the same target, class and name stands last first. */
export function filenameText(policy: PolicyDb, names: Names): string[] {
  const list = policy.filenameTransitions;
  const known = new Set<string>();
  for (const { source, target, tclass, name, result } of list) {
    const key = `${source}:${target}:${tclass}:${name}`;
    if (known.has(key)) names.lost(`two transitions for the file name "${name.slice(0, 40)}"`);
    known.add(key);
    if (/["\n/]/.test(name) || name.length > 4000) names.lost('a transition for a file name that cannot be quoted');
    if ([source, target, result].some((value) => names.isAttribute(value)))
      names.lost('a transition with a file name that names an attribute');
  }
  const joined = runs(
    list,
    ({ target, tclass, name, result }) => `${target}:${tclass}:${result}:${name}`,
    ({ source }) => source,
  );
  return joined.toReversed().map((run) => {
    const { target, tclass, name, result } = first(run);
    const sources = setText(run.map(({ source }) => names.type(source)));
    return wrap(
      `type_transition ${sources} ${names.type(target)}:${names.class(tclass)} ${names.type(result)} "${name}";`,
    );
  });
}

/** Joins range transitions that differ in one part. */
interface RangeGroup {
  readonly sources: readonly number[];
  readonly targets: readonly number[];
  readonly tclass: number;
  readonly range: string;
}

function joinBy(groups: readonly RangeGroup[], part: 'sources' | 'targets'): RangeGroup[] {
  const other = part === 'sources' ? 'targets' : 'sources';
  const found = new Map<string, RangeGroup>();
  for (const group of groups) {
    const key = `${group[other].join()} ${group.tclass} ${group.range}`;
    const known = found.get(key);
    found.set(key, known === undefined ? group : { ...known, [part]: [...known[part], ...group[part]] });
  }
  return [...found.values()];
}

/** `range_transition`: a hash table gives the order, so any statements may be joined. */
export function rangeText(policy: PolicyDb, names: Names): string[] {
  const list = policy.rangeTransitions;
  if (list.length > 0 && !policy.isMls) {
    names.lost('range transitions of a policy without MLS');
    return [];
  }
  const keyOf = ({ source, target, tclass }: RangeTransition): string => `${source}:${target}:${tclass}`;
  if (new Set(list.map(keyOf)).size !== list.length) names.lost('two range transitions for the same types and class');
  let groups: RangeGroup[] = list.map(({ source, target, tclass, range }) => {
    if (names.isAttribute(source) || names.isAttribute(target))
      names.lost('a range transition that names an attribute');
    return { sources: [source], targets: [target], tclass, range: names.range(range) };
  });
  groups = joinBy(joinBy(groups, 'targets'), 'sources');
  const typeNames = (values: readonly number[]): string => setText(values.map((value) => names.type(value)).toSorted());
  return groups
    .map(({ sources, targets, tclass, range }) =>
      wrap(`range_transition ${typeNames(sources)} ${typeNames(targets)}:${names.class(tclass)} ${range};`),
    )
    .toSorted();
}
