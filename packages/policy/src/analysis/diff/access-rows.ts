/**
 * Where the access that two policies give can differ, and what each gives there.
 *
 * Access of a source to a target is what the entries of all their keys give together. Where both sides have the same
 * entries of keys with the same members they give the same; so only what else there is is looked at: entries of one side
 * alone, those of keys whose members differ, and all entries of keys that a type has on one side alone. Of these, each
 * source is looked at once, with just the classes and targets concerned. Nothing grows with sources times targets but the
 * answer.
 *
 * Start reading at `forEachAccess`.
 *
 * @module
 */
import { ALWAYS } from './conditions.ts';
import { type EntryKind, type EntryTable, groupParts, isPermissionGroup, lowerBound } from './entry-table.ts';
import { PAGE_BITS, PAGES, type SharedNames, type SideNames } from './shared-names.ts';

/** A side with its entries. */
export interface ComparedSide {
  readonly names: SideNames;
  readonly entries: EntryTable;
}

/** Targets by group, for one key or one source. */
type Concerned = Map<number, Uint32Array>;

const NONE = new Uint32Array(0);

function union(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (a.length === 0 || a === b) return b;
  if (b.length === 0) return a;
  const out = new Uint32Array(a.length + b.length);
  let count = 0;
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const [x, y] = [a[i] ?? Number.MAX_SAFE_INTEGER, b[j] ?? Number.MAX_SAFE_INTEGER];
    out[count++] = Math.min(x, y);
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return count === a.length ? a : count === b.length ? b : out.slice(0, count);
}

/** What is in one of the two sets only. */
function difference(a: Uint32Array, b: Uint32Array): Uint32Array {
  const [inA, inB] = [new Set(a), new Set(b)];
  return Uint32Array.from([...a.filter((one) => !inB.has(one)), ...b.filter((one) => !inA.has(one))]).sort();
}

/** Gathers the targets of one key, group by group, marking types in a bitmap. */
class Gathering {
  readonly found: Concerned = new Map();
  readonly #mark: Uint8Array;
  #group = -1;
  #targets: Uint32Array[] = [];

  constructor(types: number) {
    this.#mark = new Uint8Array(types);
  }

  add(group: number, targets: Uint32Array): void {
    if (targets.length === 0) return;
    if (group !== this.#group) this.close();
    this.#group = group;
    this.#targets.push(targets);
  }

  /** Call it after the last target. */
  close(): void {
    const lists = this.#targets;
    if (lists.length === 0) return;
    const mark = this.#mark;
    for (const list of lists) for (let i = 0; i < list.length; i++) mark[list[i] ?? 0] = 1;
    let count = 0;
    for (let type = 0; type < mark.length; type++) if (mark[type] === 1) count++;
    const out = new Uint32Array(count);
    for (let type = 0, at = 0; type < mark.length; type++) {
      if (mark[type] !== 1) continue;
      out[at++] = type;
      mark[type] = 0;
    }
    this.found.set(this.#group, union(this.found.get(this.#group) ?? NONE, out));
    this.#targets = [];
  }
}

/** For each key, what its entries concern. */
class Differences {
  readonly #shared: SharedNames;
  readonly #sides: readonly [ComparedSide, ComparedSide];
  readonly #dirty: readonly (Uint32Array | undefined)[];
  /** What differs in the entries of a key that a type has on both sides. */
  readonly #byKey: (Concerned | undefined)[] = [];
  readonly #whole: [(Concerned | undefined)[], (Concerned | undefined)[]] = [[], []];

  constructor(shared: SharedNames, sides: readonly [ComparedSide, ComparedSide]) {
    this.#shared = shared;
    this.#sides = sides;
    this.#dirty = shared.types.map((_, key) => {
      const [a, b] = [sides[0].names.members[key] ?? NONE, sides[1].names.members[key] ?? NONE];
      const isSame = a.length === b.length && a.every((one, i) => one === b[i]);
      return isSame ? undefined : difference(a, b);
    });
  }

  /** The groups and targets for which the two sides may differ, for one source. */
  of(source: number): Concerned {
    const [a, b] = [this.#sides[0].names.keys[source] ?? NONE, this.#sides[1].names.keys[source] ?? NONE];
    const found: Concerned = new Map();
    const take = (more: Concerned): void => {
      for (const [group, targets] of more) found.set(group, union(found.get(group) ?? NONE, targets));
    };
    for (const key of a) take(b.includes(key) ? this.#both(key) : this.#all(0, key));
    for (const key of b) if (!a.includes(key)) take(this.#all(1, key));
    return found;
  }

  /** All that the entries of a key concern. */
  #all(side: 0 | 1, key: number): Concerned {
    let found = this.#whole[side][key];
    if (found === undefined) {
      const { entries, names } = this.#sides[side];
      const gathering = new Gathering(this.#shared.types.length);
      const classes = this.#shared.classes.length;
      for (let i = entries.starts[key] ?? 0; i < (entries.starts[key + 1] ?? 0); i++) {
        const group = entries.group[i] ?? 0;
        if (!isPermissionGroup(classes, group)) break;
        gathering.add(group, names.members[entries.target[i] ?? 0] ?? NONE);
      }
      gathering.close();
      found = gathering.found;
      this.#whole[side][key] = found;
    }
    return found;
  }

  /** What differs between the entries of a key: those of one side alone, and those with other targets. */
  #both(key: number): Concerned {
    let found = this.#byKey[key];
    if (found === undefined) {
      found = this.#compare(key);
      this.#byKey[key] = found;
    }
    return found;
  }

  #compare(key: number): Concerned {
    const [one, two] = this.#sides;
    const [a, b] = [one.entries, two.entries];
    const gathering = new Gathering(this.#shared.types.length);
    const classes = this.#shared.classes.length;
    let i = a.starts[key] ?? 0;
    let j = b.starts[key] ?? 0;
    const [endA, endB] = [a.starts[key + 1] ?? 0, b.starts[key + 1] ?? 0];
    const addFrom = (side: ComparedSide, at: number): void => {
      gathering.add(side.entries.group[at] ?? 0, side.names.members[side.entries.target[at] ?? 0] ?? NONE);
    };
    while (i < endA || j < endB) {
      const order = i >= endA ? 1 : j >= endB ? -1 : compareKeys(a, i, b, j);
      const group = (order > 0 ? b.group[j] : a.group[i]) ?? 0;
      if (!isPermissionGroup(classes, group)) break;
      if (order < 0) addFrom(one, i);
      else if (order > 0) addFrom(two, j);
      else if (a.data[i] !== b.data[j]) {
        addFrom(one, i);
        addFrom(two, j);
      } else gathering.add(group, this.#dirty[a.target[i] ?? 0] ?? NONE);
      if (order <= 0) i++;
      if (order >= 0) j++;
    }
    gathering.close();
    return gathering.found;
  }
}

/** How two entries of one source stand to each other in the order of the tables. */
export function compareKeys(a: EntryTable, i: number, b: EntryTable, j: number): number {
  return (
    (a.group[i] ?? 0) - (b.group[j] ?? 0) ||
    (a.condition[i] ?? 0) - (b.condition[j] ?? 0) ||
    (a.target[i] ?? 0) - (b.target[j] ?? 0)
  );
}

/** What both sides give under one condition: `width` words for each target of a row. */
interface Layer {
  readonly condition: number;
  readonly old: Uint32Array;
  readonly new: Uint32Array;
}

/** Access of one source by one kind of rule in one class: `targets[i]` has the words from `i * width` on in `layers`. */
export interface AccessRow {
  readonly source: number;
  readonly kind: EntryKind;
  readonly tclass: number;
  readonly targets: Uint32Array;
  /** Pages of permissions that the class has. */
  readonly width: number;
  /** The first one is that of no condition. */
  readonly layers: readonly Layer[];
}

/** The targets of a row that stand behind a key, as places in the row. */
class TargetPlaces {
  readonly #members: readonly Uint32Array[];
  readonly #places: Int32Array;
  readonly #cache = new Map<number, Uint32Array>();
  #targets: Uint32Array = NONE;

  constructor(members: readonly Uint32Array[]) {
    this.#members = members;
    this.#places = new Int32Array(members.length).fill(-1);
  }

  aim(targets: Uint32Array): void {
    if (targets === this.#targets) return;
    for (const target of this.#targets) this.#places[target] = -1;
    this.#targets = targets;
    for (let i = 0; i < targets.length; i++) this.#places[targets[i] ?? 0] = i;
    this.#cache.clear();
  }

  of(key: number): Uint32Array {
    let found = this.#cache.get(key);
    if (found === undefined) {
      const places = this.#places;
      const members = this.#members[key] ?? NONE;
      const list: number[] = [];
      for (let i = 0; i < members.length; i++) {
        const place = places[members[i] ?? 0] ?? -1;
        if (place >= 0) list.push(place);
      }
      found = list.length === 0 ? NONE : Uint32Array.from(list);
      this.#cache.set(key, found);
    }
    return found;
  }
}

/** Joins what is known of the pages of one class. */
function byFirstPage(concerned: Concerned): [number, Uint32Array][] {
  const found: Concerned = new Map();
  for (const [group, targets] of concerned) {
    const first = group - (group % PAGES);
    found.set(first, union(found.get(first) ?? NONE, targets));
  }
  return [...found].sort(([a], [b]) => a - b);
}

/** Calls `visit` for each source, kind and class in which access may differ; after the last one of a source `endSource`. */
export function forEachAccess(
  shared: SharedNames,
  old: ComparedSide,
  next: ComparedSide,
  visit: (row: AccessRow) => void,
  endSource: (source: number) => void,
): void {
  const differences = new Differences(shared, [old, next]);
  const places = [new TargetPlaces(old.names.members), new TargetPlaces(next.names.members)] as const;
  for (let source = 0; source < shared.types.length; source++) {
    if (shared.types[source]?.isAttribute === true) continue;
    const concerned = byFirstPage(differences.of(source));
    for (const [group, targets] of concerned) {
      const { kind, tclass } = groupParts(shared.classes.length, group);
      const width = Math.ceil((shared.classes[tclass]?.permissions.length ?? 0) / PAGE_BITS);
      const layers = new Map<number, Layer>();
      const layerOf = (condition: number): Layer => {
        let layer = layers.get(condition);
        if (layer === undefined) {
          const size = targets.length * width;
          layer = { condition, old: new Uint32Array(size), new: new Uint32Array(size) };
          layers.set(condition, layer);
        }
        return layer;
      };
      layerOf(ALWAYS);
      for (let page = 0; page < width; page++) {
        const at = { source, group: group + page, targets, width, page };
        addUp(old, places[0], at, (condition) => layerOf(condition).old);
        addUp(next, places[1], at, (condition) => layerOf(condition).new);
      }
      visit({ source, kind, tclass, targets, width, layers: [...layers.values()] });
    }
    if (concerned.length > 0) endSource(source);
  }
}

/** Where sums are to go. */
interface RowPlace {
  readonly source: number;
  readonly group: number;
  readonly targets: Uint32Array;
  readonly width: number;
  readonly page: number;
}

/** Adds what the entries of all keys of a source give. */
function addUp(
  { names, entries }: ComparedSide,
  places: TargetPlaces,
  { source, group, targets, width, page }: RowPlace,
  sumOf: (condition: number) => Uint32Array,
): void {
  places.aim(targets);
  for (const key of names.keys[source] ?? []) {
    const end = entries.starts[key + 1] ?? 0;
    for (let i = lowerBound(entries, key, group); i < end && entries.group[i] === group; i++) {
      const hits = places.of(entries.target[i] ?? 0);
      if (hits.length === 0) continue;
      const sum = sumOf(entries.condition[i] ?? 0);
      const data = entries.data[i] ?? 0;
      for (let h = 0; h < hits.length; h++) {
        const at = (hits[h] ?? 0) * width + page;
        sum[at] = ((sum[at] ?? 0) | data) >>> 0;
      }
    }
  }
}
