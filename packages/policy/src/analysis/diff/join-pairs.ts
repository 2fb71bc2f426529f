/**
 * Pairs of types as sets of sources and sets of targets, named by attributes where one fits.
 *
 * Start reading at `joinPairs`.
 *
 * @module
 */
import type { SharedNames, Side } from './shared-names.ts';

/** A set of types, and how it can be said. */
export interface TypeGroup {
  /** Sorted. */
  readonly types: readonly string[];
  /** An attribute that has all of them, if one fits well. */
  readonly attribute: string | undefined;
  /** What the attribute has beside them. */
  readonly except: readonly string[];
}

/** Each source with each target; `self`: each source with itself. */
export interface TypeBlock {
  readonly sources: TypeGroup;
  readonly targets: TypeGroup | 'self';
}

/** Pairs of shared type numbers, side by side, in order of the sources and of the targets of each. */
export interface TypePairs {
  readonly sources: readonly number[];
  readonly targets: readonly number[];
}

/** A block before its types have names. */
interface Rectangle {
  readonly sources: readonly number[];
  readonly targets: readonly number[] | 'self';
}

/** Puts together the `from` that have the same list of `to`. */
function group(from: readonly number[], to: readonly number[]): (readonly [number[], number[]])[] {
  const lists = new Map<number, number[]>();
  for (let i = 0; i < from.length; i++) {
    const one = from[i] ?? 0;
    const list = lists.get(one);
    if (list === undefined) lists.set(one, [to[i] ?? 0]);
    else list.push(to[i] ?? 0);
  }
  const groups = new Map<string, readonly [number[], number[]]>();
  for (const [one, list] of lists) {
    const key = list.join();
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [[one], list]);
    else known[0].push(one);
  }
  return [...groups.values()];
}

function rectangles({ sources, targets }: TypePairs): Rectangle[] {
  const bySource = group(sources, targets);
  const byTarget = group(targets, sources);
  return bySource.length <= byTarget.length
    ? bySource.map(([from, to]) => ({ sources: from, targets: to }))
    : byTarget.map(([to, from]) => ({ sources: from, targets: to }));
}

/** The fewest rectangles that we find: with what each source may do to itself apart, or not. */
function cover(pairs: TypePairs): Rectangle[] {
  const all = rectangles(pairs);
  const isSelf = pairs.sources.map((source, i) => source === pairs.targets[i]);
  const selves = pairs.sources.filter((_, i) => isSelf[i]);
  if (selves.length < 2 || all.length < 2) {
    return all.map((one) =>
      one.sources.length === 1 && one.targets.length === 1 && one.targets[0] === one.sources[0]
        ? { sources: one.sources, targets: 'self' as const }
        : one,
    );
  }
  const others = rectangles({
    sources: pairs.sources.filter((_, i) => isSelf[i] !== true),
    targets: pairs.targets.filter((_, i) => isSelf[i] !== true),
  });
  return others.length + 1 < all.length ? [{ sources: selves, targets: 'self' }, ...others] : all;
}

/** An attribute may have this many types that are not meant, if there are more that are. */
const MAX_EXCEPT = 3;

function nameGroup(shared: SharedNames, side: Side, types: readonly number[]): TypeGroup {
  const nameOf = (type: number): string => shared.types[type]?.name ?? '';
  const names = types.map(nameOf).sort();
  let attribute: string | undefined;
  let except: string[] = [];
  if (types.length > 1) {
    const wanted = new Set(types);
    const { members, keys } = shared[side];
    let best = MAX_EXCEPT + 1;
    // What has all of the types is among the attributes of the first one.
    for (const key of keys[types[0] ?? 0] ?? []) {
      const found = members[key] ?? new Uint32Array(0);
      const more = found.length - types.length;
      if (shared.types[key]?.isAttribute !== true || more < 0 || more >= best || more >= types.length) continue;
      if (types.some((type) => !found.includes(type))) continue;
      best = more;
      attribute = nameOf(key);
      except = [...found]
        .filter((type) => !wanted.has(type))
        .map(nameOf)
        .sort();
    }
  }
  return { types: names, attribute, except };
}

/** Pairs as blocks; `side` says whose attributes may name them. */
export function joinPairs(shared: SharedNames, side: Side, pairs: TypePairs): TypeBlock[] {
  return cover(pairs).map(({ sources, targets }) => ({
    sources: nameGroup(shared, side, sources),
    targets: targets === 'self' ? 'self' : nameGroup(shared, side, targets),
  }));
}
