/**
 * How domains come to their labels: made under one, and relabelled to others.
 *
 * Follows: Xen `xen/xsm/flask/hooks.c` (`flask_domain_create`), `flask_op.c` (`flask_relabel_domain`).
 *
 * @module
 */
import type { BooleanSetting, Decisions } from './decisions.ts';
import type { Label } from './label-space.ts';
import { requestOf } from './way-search.ts';

/** A label that somebody can give a domain that they make. */
export interface Making {
  readonly by: Label;
  /** The label under which the domain is made. */
  readonly first: Label;
  /** The label that it then has: the same one, or one that its maker relabels it to. */
  readonly made: Label;
  /** Booleans under which it can be. */
  readonly setting: BooleanSetting;
}

/** A change of a domain's label. */
export interface Relabelling {
  readonly next: Label;
  /** Who relabels it; undefined where the domain does so itself. */
  readonly actor: Label | undefined;
}

/** Labels of a type that somebody who acts may have. */
export type ActorLabels = (type: number) => readonly Label[];

/**
 * All labels that domains can be given by those who make them, each pair of maker and label once.
 *
 * @param settings of the booleans; each is set in turn, and the last one stays
 */
export function makingsOf(
  decisions: Decisions,
  settings: readonly BooleanSetting[],
  actorsOf: ActorLabels,
): readonly Making[] {
  const { policy } = decisions;
  const create = requestOf(policy, 'domain', ['create']);
  const transition = requestOf(policy, 'domain', ['transition']);
  const from = requestOf(policy, 'domain2', ['relabelfrom']);
  const to = requestOf(policy, 'domain2', ['relabelto']);
  const found = new Map<string, Making>();
  if (create === undefined) return [];
  const add = (making: Making): void => {
    const key = `${making.by.id}/${making.made.id}`;
    if (!found.has(key)) found.set(key, making);
  };
  for (const setting of settings) {
    decisions.setBooleans(setting);
    for (const by of decisions.actingTypes(create).flatMap(actorsOf)) {
      const ends = to === undefined ? undefined : new Set(decisions.targetLabels(by, to));
      for (const first of decisions.targetLabels(by, create)) {
        add({ by, first, made: first, setting });
        if (from === undefined || ends === undefined || ends.size === 0 || transition === undefined) continue;
        if (!decisions.allows(by, first, from)) continue;
        for (const made of decisions.targetLabels(first, transition))
          if (ends.has(made)) add({ by, first, made, setting });
      }
    }
  }
  return [...found.values()];
}

/** The labels that a domain can be given in one step, by itself or by another, under the booleans that are set. */
export function* relabellingsOf(decisions: Decisions, old: Label, actorsOf: ActorLabels): Generator<Relabelling> {
  const { policy } = decisions;
  const transition = requestOf(policy, 'domain', ['transition']);
  const self = requestOf(policy, 'domain2', ['relabelself']);
  const from = requestOf(policy, 'domain2', ['relabelfrom']);
  const to = requestOf(policy, 'domain2', ['relabelto']);
  if (transition === undefined) return;
  for (const next of decisions.targetLabels(old, transition)) {
    if (self !== undefined && decisions.allows(old, next, self)) {
      yield { next, actor: undefined };
      continue;
    }
    if (from === undefined || to === undefined) continue;
    const actor = decisions
      .sourceTypes(old.type, from)
      .flatMap(actorsOf)
      .find((one) => decisions.allows(one, old, from) && decisions.allows(one, next, to));
    if (actor !== undefined) yield { next, actor };
  }
}
