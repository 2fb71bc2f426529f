/**
 * What access is gained and lost, said in as few words as a person needs: pairs of types with the same change stand
 * together as sets of sources and sets of targets.
 *
 * A permission is gained where some setting of the booleans gives it on the new side and not on the old one; the change
 * says which settings.
 * Start reading at `AccessCollector`.
 *
 * @module
 */
import type { AccessRow } from './access-rows.ts';
import { ALWAYS, NEVER } from './conditions.ts';
import type { EntryKind } from './entry-table.ts';
import { joinPairs, type TypeBlock } from './join-pairs.ts';
import { PAGE_BITS, type SharedNames, type Side } from './shared-names.ts';

/** Permissions of one class that were gained or lost. */
export interface ChangedPermissions {
  readonly kind: 'allow' | 'auditallow' | 'dontaudit';
  readonly class: string;
  readonly permissions: readonly string[];
  /** Under which settings of the booleans; undefined for all. */
  readonly condition: string | undefined;
}

/** The same change for each source with each target. */
export interface AccessChange extends TypeBlock {
  readonly access: readonly ChangedPermissions[];
}

/** What became of the access between types, as the rules give it. */
export interface AccessChanges {
  readonly gained: readonly AccessChange[];
  readonly lost: readonly AccessChange[];
  /** Source, target, class and permission: how many of them. */
  readonly gainedCount: number;
  readonly lostCount: number;
}

/** Changes times pairs of types up to which both ways to put them are tried. */
const MAX_PAIRS_BY_ITEM = 200_000;

/** One thing that happens to pairs of types. */
interface Item {
  readonly kind: EntryKind;
  readonly tclass: number;
  readonly page: number;
  readonly bits: number;
  readonly condition: number;
}

/** Lists of items, each once: an item behind a list. */
class ItemLists {
  readonly #items: Item[] = [];
  readonly #itemNumbers = new Map<string, number>();
  readonly #last: number[] = [0];
  readonly #before: number[] = [0];
  readonly #longer = new Map<number, number>();

  item(item: Item): number {
    const key = `${item.kind} ${item.tclass} ${item.page} ${item.bits} ${item.condition}`;
    let number = this.#itemNumbers.get(key);
    if (number === undefined) {
      number = this.#items.push(item) - 1;
      this.#itemNumbers.set(key, number);
    }
    return number;
  }

  /** The list with one item more; 0 is the empty list. */
  add(list: number, item: number): number {
    // Both are numbers of what was found in rows: far below 2^26.
    const key = list * 0x4000000 + item;
    let longer = this.#longer.get(key);
    if (longer === undefined) {
      longer = this.#last.push(item) - 1;
      this.#before.push(list);
      this.#longer.set(key, longer);
    }
    return longer;
  }

  items(list: number): Item[] {
    const found: Item[] = [];
    for (let at = list; at !== 0; at = this.#before[at] ?? 0) {
      const item = this.#items[this.#last[at] ?? 0];
      if (item !== undefined) found.push(item);
    }
    return found.reverse();
  }
}

/** One direction: what is gained, or what is lost. */
class Direction {
  readonly lists: ItemLists;
  readonly pairs = new Map<number, { readonly sources: number[]; readonly targets: number[] }>();
  count = 0;
  readonly #lists: Uint32Array;
  #touched: number[] = [];

  constructor(types: number, lists: ItemLists) {
    this.#lists = new Uint32Array(types);
    this.lists = lists;
  }

  add(target: number, item: number, bits: number): void {
    const list = this.#lists[target] ?? 0;
    if (list === 0) this.#touched.push(target);
    this.#lists[target] = this.lists.add(list, item);
    for (let rest = bits; rest !== 0; rest &= rest - 1) this.count++;
  }

  endSource(source: number): void {
    for (const target of this.#touched.sort((a, b) => a - b)) {
      const list = this.#lists[target] ?? 0;
      this.#lists[target] = 0;
      let pairs = this.pairs.get(list);
      if (pairs === undefined) {
        pairs = { sources: [], targets: [] };
        this.pairs.set(list, pairs);
      }
      pairs.sources.push(source);
      pairs.targets.push(target);
    }
    this.#touched = [];
  }
}

/** Under which conditions one permission of a pair is given: the layers that have it, as bits. */
interface Settled {
  readonly gained: number;
  readonly lost: number;
}

/** Gathers what the rows of a comparison mean. */
export class AccessCollector {
  readonly #shared: SharedNames;
  readonly #lists = new ItemLists();
  readonly #gained: Direction;
  readonly #lost: Direction;
  readonly #settled = new Map<string, Settled>();

  constructor(shared: SharedNames) {
    this.#shared = shared;
    this.#gained = new Direction(shared.types.length, this.#lists);
    this.#lost = new Direction(shared.types.length, this.#lists);
  }

  visit(row: AccessRow): void {
    const { layers, targets, width, kind, tclass } = row;
    const [base] = layers;
    if (base === undefined) return;
    const numbers = new Map<number, number>();
    const add = (direction: Direction, target: number, page: number, bits: number, condition: number): void => {
      if (bits === 0 || condition === NEVER) return;
      if (condition !== ALWAYS || page !== 0) {
        direction.add(target, this.#lists.item({ kind, tclass, page, bits, condition }), bits);
        return;
      }
      let item = numbers.get(bits);
      if (item === undefined) {
        item = this.#lists.item({ kind, tclass, page, bits, condition });
        numbers.set(bits, item);
      }
      direction.add(target, item, bits);
    };
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i] ?? 0;
      for (let page = 0; page < width; page++) {
        const word = i * width + page;
        const [old, next] = [base.old[word] ?? 0, base.new[word] ?? 0];
        const isConditional = layers.some(
          (layer, l) => l > 0 && ((layer.old[word] ?? 0) | (layer.new[word] ?? 0)) !== 0,
        );
        if (!isConditional) {
          add(this.#gained, target, page, (next & ~old) >>> 0, ALWAYS);
          add(this.#lost, target, page, (old & ~next) >>> 0, ALWAYS);
          continue;
        }
        for (const [{ gained, lost }, bits] of this.#settle(row, word)) {
          add(this.#gained, target, page, bits, gained);
          add(this.#lost, target, page, bits, lost);
        }
      }
    }
  }

  endSource(source: number): void {
    this.#gained.endSource(source);
    this.#lost.endSource(source);
  }

  /** For the permissions of one word, those with the same change together. */
  #settle({ layers }: AccessRow, word: number): Map<Settled, number> {
    const found = new Map<Settled, number>();
    for (let bit = 0; bit < PAGE_BITS; bit++) {
      const conditionsOf = (side: 'old' | 'new'): number[] =>
        layers.flatMap((layer) => (((layer[side][word] ?? 0) >>> bit) & 1 ? [layer.condition] : []));
      const [old, next] = [conditionsOf('old'), conditionsOf('new')];
      if (old.length === 0 && next.length === 0) continue;
      const key = `${old.join()} ${next.join()}`;
      let settled = this.#settled.get(key);
      if (settled === undefined) {
        const { conditions } = this.#shared;
        const [before, after] = [old, next].map((list) => list.reduce((a, b) => conditions.or(a, b), NEVER));
        settled = {
          gained: conditions.butNot(after ?? NEVER, before ?? NEVER),
          lost: conditions.butNot(before ?? NEVER, after ?? NEVER),
        };
        this.#settled.set(key, settled);
      }
      found.set(settled, ((found.get(settled) ?? 0) | (1 << bit)) >>> 0);
    }
    return found;
  }

  result(): AccessChanges {
    return {
      gained: this.#changes(this.#gained, 'new'),
      lost: this.#changes(this.#lost, 'old'),
      gainedCount: this.#gained.count,
      lostCount: this.#lost.count,
    };
  }

  /** In whichever of two ways takes fewer lines: by pairs of types with the same change, or by what changes. */
  #changes(direction: Direction, side: Side): AccessChange[] {
    const byPair = this.#byPair(direction, side);
    const byItem = this.#byItem(direction, side);
    return sortBlocks(byItem !== undefined && countLines(byItem) < countLines(byPair) ? byItem : byPair);
  }

  /** Each pair of types stands in one block, with all that changes for it. */
  #byPair({ pairs, lists }: Direction, side: Side): AccessChange[] {
    return [...pairs].flatMap(([list, found]) => {
      const access = this.#access(lists.items(list));
      return joinPairs(this.#shared, side, found).map((block) => ({ ...block, access }));
    });
  }

  /** Each change stands with all the pairs that have it, and changes of the same pairs together. */
  #byItem({ pairs, lists }: Direction, side: Side): AccessChange[] | undefined {
    const byItem = new Map<Item, [number, number][]>();
    let count = 0;
    for (const [list, { sources, targets }] of pairs) {
      for (const item of lists.items(list)) {
        count += sources.length;
        if (count > MAX_PAIRS_BY_ITEM) return undefined;
        const found = byItem.get(item) ?? [];
        for (const [i, source] of sources.entries()) found.push([source, targets[i] ?? 0]);
        byItem.set(item, found);
      }
    }
    const blocks = new Map<string, { readonly block: TypeBlock; readonly items: Item[] }>();
    for (const [item, found] of byItem) {
      found.sort(([a, b], [c, d]) => a - c || b - d);
      const sorted = { sources: found.map(([source]) => source), targets: found.map(([, target]) => target) };
      for (const block of joinPairs(this.#shared, side, sorted)) {
        const known = blocks.get(blockKey(block));
        if (known === undefined) blocks.set(blockKey(block), { block, items: [item] });
        else known.items.push(item);
      }
    }
    return [...blocks.values()].map(({ block, items }) => ({ ...block, access: this.#access(items) }));
  }

  /** Pages of one class side by side. */
  #access(items: readonly Item[]): ChangedPermissions[] {
    const found = new Map<string, { readonly item: Item; readonly permissions: string[] }>();
    for (const item of items) {
      const key = `${item.kind} ${item.tclass} ${item.condition}`;
      const names = this.#shared.permissions(item.tclass, item.page, item.bits);
      const known = found.get(key);
      if (known === undefined) found.set(key, { item, permissions: names });
      else known.permissions.push(...names);
    }
    return [...found.values()]
      .map(({ item, permissions }) => ({
        // Only kinds that give permissions come in rows.
        kind: item.kind as ChangedPermissions['kind'],
        class: this.#shared.classes[item.tclass]?.name ?? '',
        permissions: permissions.sort(),
        condition: item.condition === ALWAYS ? undefined : this.#shared.conditions.text(item.condition),
      }))
      .sort((a, b) => compareText(`${a.kind} ${a.class}`, `${b.kind} ${b.class}`));
  }
}

/** Names in the order of their bytes, whatever the language of the machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function blockKey({ sources, targets }: TypeBlock): string {
  return `${sources.types.join()} ${targets === 'self' ? 'self' : targets.types.join()}`;
}

function countLines(changes: readonly AccessChange[]): number {
  return changes.reduce((lines, { access }) => lines + 1 + access.length, 0);
}

function sortBlocks<T extends TypeBlock>(blocks: readonly T[]): T[] {
  return blocks
    .map((block) => ({ block, key: blockKey(block) }))
    .sort((a, b) => compareText(a.key, b.key))
    .map(({ block }) => block);
}
