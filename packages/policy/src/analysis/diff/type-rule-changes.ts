/**
 * Rules that give something new a type, where they are not the same on both sides.
 *
 * @module
 */
import { compareText } from './access-changes.ts';
import { type ComparedSide, compareKeys } from './access-rows.ts';
import { ALWAYS } from './conditions.ts';
import { groupParts, isPermissionGroup } from './entry-table.ts';
import { joinPairs, type TypeBlock } from './join-pairs.ts';
import type { RuleCollector } from './rule-changes.ts';
import type { SharedNames } from './shared-names.ts';

/** Another type for what is new, the same for each source with each target. */
export interface TypeRuleChange extends TypeBlock {
  readonly kind: 'type_transition' | 'type_member' | 'type_change';
  readonly class: string;
  /** Undefined outside of conditional blocks. */
  readonly condition: string | undefined;
  /** The type that the old side gives; undefined where it has no such rule. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

interface Found {
  readonly group: number;
  readonly condition: number;
  readonly before: number;
  readonly after: number;
  readonly sources: number[];
  readonly targets: number[];
}

/** Compares the type rules of two sides; each that differs is also told to `rules`, if there is one. */
export function compareTypeRules(
  shared: SharedNames,
  old: ComparedSide,
  next: ComparedSide,
  rules: RuleCollector | undefined,
): TypeRuleChange[] {
  const found = new Map<string, Found>();
  const classes = shared.classes.length;
  const nameOf = (type: number): string => shared.types[type]?.name ?? '';
  const add = (source: number, group: number, condition: number, target: number, before: number, after: number) => {
    const key = `${group} ${condition} ${before} ${after}`;
    let change = found.get(key);
    if (change === undefined) {
      change = { group, condition, before, after, sources: [], targets: [] };
      found.set(key, change);
    }
    change.sources.push(source);
    change.targets.push(target);
    const { kind, tclass } = groupParts(classes, group);
    const listed = (type: number): string[] => (type < 0 ? [] : [nameOf(type)]);
    rules?.add({ kind, source, target, tclass, condition }, listed(before), listed(after));
  };
  const [a, b] = [old.entries, next.entries];
  for (let source = 0; source < shared.types.length; source++) {
    let i = a.starts[source] ?? 0;
    let j = b.starts[source] ?? 0;
    const [endA, endB] = [a.starts[source + 1] ?? 0, b.starts[source + 1] ?? 0];
    while (i < endA || j < endB) {
      const order = i >= endA ? 1 : j >= endB ? -1 : compareKeys(a, i, b, j);
      const [table, at] = order > 0 ? [b, j] : [a, i];
      const group = table.group[at] ?? 0;
      const before = order > 0 ? -1 : (a.data[i] ?? 0);
      const after = order < 0 ? -1 : (b.data[j] ?? 0);
      if (before !== after && !isPermissionGroup(classes, group))
        add(source, group, table.condition[at] ?? 0, table.target[at] ?? 0, before, after);
      if (order <= 0) i++;
      if (order >= 0) j++;
    }
  }
  const changes = [...found.values()].flatMap(({ group, condition, before, after, ...pairs }) => {
    const { kind, tclass } = groupParts(classes, group);
    const rest = {
      // Groups that give no permissions are of these kinds.
      kind: kind as TypeRuleChange['kind'],
      class: shared.classes[tclass]?.name ?? '',
      condition: condition === ALWAYS ? undefined : shared.conditions.text(condition),
      before: before < 0 ? undefined : nameOf(before),
      after: after < 0 ? undefined : nameOf(after),
    };
    return joinPairs(shared, after < 0 ? 'old' : 'new', pairs).map((block) => ({ ...block, ...rest }));
  });
  const key = (one: TypeRuleChange): string =>
    `${one.kind} ${one.sources.types.join()} ${one.targets === 'self' ? '' : one.targets.types.join()} ${one.class}`;
  return changes
    .map((one) => ({ one, key: key(one) }))
    .sort((x, y) => compareText(x.key, y.key))
    .map(({ one }) => one);
}
