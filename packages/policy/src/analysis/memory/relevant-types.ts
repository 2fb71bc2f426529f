/**
 * Types whose labels can be on the way to some labels: what has no rule that leads on need not be searched.
 *
 * @module
 */
import { isControl } from './acting.ts';
import type { Decisions } from './decisions.ts';
import type { NumberedWay } from './way-search.ts';
import type { Party } from './way-types.ts';

const GUEST: readonly Party[] = ['guest', 'guest label'];

/**
 * All types from which a label of one of the given types can be acted as, and more (a device model is one that may have the
 * guest as its target, whatever it then sees): a type is left out only where no rule
 * leads on from it, whatever booleans and constraints say.
 */
export function relevantTypes(decisions: Decisions, ways: readonly NumberedWay[], ends: Iterable<number>): Set<number> {
  const relevant = new Set(ends);
  const queue = [...relevant];
  const add = (types: readonly number[]): void => {
    for (const type of types) {
      if (relevant.has(type)) continue;
      relevant.add(type);
      queue.push(type);
    }
  };
  const leading = ways.filter(
    (one) => isControl(one) || ['own label', 'relabel', 'target'].includes(one.way.gives.kind),
  );
  for (let type = queue.pop(); type !== undefined; type = queue.pop()) {
    for (const { checks, way } of leading) {
      const isTaken: readonly Party[] =
        way.gives.kind === 'own label' || way.gives.kind === 'relabel' ? ['new label'] : GUEST;
      for (const [party, sources] of sourcesOn(decisions, checks, isTaken, type)) {
        add(sources);
        // Who is named in a check may have to be reached by the actor in another one.
        for (const other of checks.filter((one) => party === 'other' && one.target === 'other'))
          for (const source of sources) add(decisions.sourceTypes(source, other));
      }
    }
  }
  return relevant;
}

/** For each party of a way, the types that may make all of its checks on a type that is the target. */
export function sourcesOn(
  decisions: Decisions,
  checks: NumberedWay['checks'],
  targets: readonly Party[],
  type: number,
): Map<Party, readonly number[]> {
  const sources = new Map<Party, readonly number[]>();
  for (const check of checks) {
    if (!targets.includes(check.target)) continue;
    const found = decisions.sourceTypes(type, check);
    const before = sources.get(check.source);
    const isFound = new Set(found);
    sources.set(check.source, before === undefined ? found : before.filter((one) => isFound.has(one)));
  }
  return sources;
}
