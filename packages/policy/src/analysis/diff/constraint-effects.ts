/**
 * What changed constraints do to access: for which labels they now let pass what rules give, or no longer do.
 *
 * Labels that no constraint tells apart are asked about once, all others pair by pair, on both sides. What changed is then held
 * against the rules: only access that a rule gives counts, on the new side where it is gained, on the old one where it is lost.
 *
 * Start reading at `constraintEffects`.
 *
 * @module
 */
import { CEXPR_ROLE, CEXPR_TYPE, CEXPR_USER, type ConstraintStep } from '../../policydb/index.ts';
import { compareText } from './access-changes.ts';
import type { ComparedSide } from './access-rows.ts';
import { ALWAYS } from './conditions.ts';
import { lowerBound } from './entry-table.ts';
import type { FactChange } from './fact-changes.ts';
import { joinPairs, type TypeBlock } from './join-pairs.ts';
import { constraintSteps, type JointLabel, type JointLabels, jointLabels } from './joint-labels.ts';
import { PAGE_BITS, PAGES, pageBits, type SharedNames, type Side } from './shared-names.ts';
import { type Term, termTexts, wordPairs } from './word-pairs.ts';

/** Access that changed constraints give or take, the same for each source with each target. */
export interface ConstraintEffect extends TypeBlock {
  readonly class: string;
  readonly permissions: readonly string[];
  /** Under which settings of the booleans a rule gives it; undefined for all. */
  readonly condition: string | undefined;
  /** Whether it is so for all labels that have these types. */
  readonly isForAll: boolean;
  /** Where not for all: for which labels, in the words of constraints; undefined where a few terms cannot say it. */
  readonly where: string | undefined;
  /** Two labels for which it is so. */
  readonly example: { readonly source: string; readonly target: string };
}

/** What became of access by constraints. */
export interface ConstraintEffects {
  readonly gained: readonly ConstraintEffect[];
  readonly lost: readonly ConstraintEffect[];
  /** Why nothing was weighed, or which labels were left out; empty where the answer is whole. */
  readonly bounds: readonly string[];
}

/** Pairs of labels that are asked about at most. */
const PAIR_LIMIT = 3_000_000;

/** Labels that no constraint tells apart. */
interface Kind {
  readonly id: number;
  /** Stands for all of them. */
  readonly label: JointLabel;
  readonly byType: Map<number, JointLabel>;
}

/** A change of one pair of kinds of types, before it is held against rules. */
interface Turned {
  readonly effect: number;
  readonly bits: number;
  readonly source: Kind;
  readonly target: Kind;
}

/** What is said of all that has the same number. */
interface EffectHead {
  readonly isGained: boolean;
  readonly tclass: number;
  readonly page: number;
  readonly isForAll: boolean;
  readonly where: string | undefined;
}

/** Whether a change of this fact can change what constraints mean. */
function touchesConstraints({ kind, details }: FactChange): boolean {
  if (kind === 'constrain' || kind === 'mlsconstrain' || kind === 'sensitivity' || kind === 'category') return true;
  return kind === 'role' && details.some(({ what }) => what === 'dominates');
}

/** What tells a label from others, in the eyes of these steps. */
function kindKey(label: JointLabel, steps: readonly { readonly side: Side; readonly step: ConstraintStep }[]): string {
  let key = '';
  for (const { side, step } of steps) {
    const { user, role, type, range } = label[side];
    if (step.kind === 'names') {
      const value = (step.attribute & CEXPR_USER) !== 0 ? user : (step.attribute & CEXPR_ROLE) !== 0 ? role : type;
      key += step.names.has(value - 1) ? '1' : '0';
    } else if (step.kind === 'attribute') {
      if (step.attribute === CEXPR_USER) key += `u${user}`;
      else if (step.attribute === CEXPR_ROLE) key += `r${role}`;
      else if (step.attribute === CEXPR_TYPE) key += `t${type}`;
      else key += [range.low, range.high].map((one) => `l${one.sensitivity}:${[...one.categories].join('.')}`).join('');
    }
    key += ',';
  }
  return key;
}

/** The kinds of labels for the constraints of one class. */
function kindsOf(shared: SharedNames, { labels }: JointLabels, tclass: number): Kind[] {
  const steps = (['old', 'new'] as const).flatMap((side) =>
    constraintSteps(shared[side].policy, (value) => shared[side].classOf[value] === tclass)
      .filter((step) => step.kind === 'attribute' || step.kind === 'names')
      .map((step) => ({ side, step })),
  );
  const kinds = new Map<string, Kind>();
  for (const label of labels) {
    const key = kindKey(label, steps);
    let kind = kinds.get(key);
    if (kind === undefined) {
      kind = { id: kinds.size, label, byType: new Map() };
      kinds.set(key, kind);
    }
    if (!kind.byType.has(label.type)) kind.byType.set(label.type, label);
  }
  return [...kinds.values()];
}

/** Types whose labels are of the same kinds. */
interface TypeKind {
  readonly id: number;
  readonly kinds: readonly Kind[];
  readonly types: number[];
}

function typeKindsOf(kinds: readonly Kind[]): TypeKind[] {
  const byType = new Map<number, Kind[]>();
  for (const kind of kinds)
    for (const type of kind.byType.keys()) byType.set(type, [...(byType.get(type) ?? []), kind]);
  const found = new Map<string, TypeKind>();
  for (const [type, list] of byType) {
    const key = list.map(({ id }) => id).join();
    const known = found.get(key);
    if (known === undefined) found.set(key, { id: found.size, kinds: list, types: [type] });
    else known.types.push(type);
  }
  return [...found.values()];
}

/** What was found so far. */
interface Found {
  readonly gained: ConstraintEffect[];
  readonly lost: ConstraintEffect[];
}

/** Weighs the constraints of one class. */
class Weighing {
  readonly #shared: SharedNames;
  readonly #joint: JointLabels;
  readonly #kinds: readonly Kind[];
  readonly #typeKinds: readonly TypeKind[];
  readonly #kindOfType: Int32Array;
  readonly #heads: EffectHead[] = [];
  readonly #headNumbers = new Map<string, number>();
  readonly #found: Found;

  constructor(shared: SharedNames, joint: JointLabels, kinds: readonly Kind[], found: Found) {
    this.#found = found;
    this.#shared = shared;
    this.#joint = joint;
    this.#kinds = kinds;
    this.#typeKinds = typeKindsOf(kinds);
    this.#kindOfType = new Int32Array(shared.types.length).fill(-1);
    for (const { id, types } of this.#typeKinds) for (const type of types) this.#kindOfType[type] = id;
  }

  weigh(tclass: number, old: ComparedSide, next: ComparedSide): void {
    const changes = this.#changesOf(tclass);
    if (changes === undefined) return;
    const terms = termTexts(this.#shared, tclass);
    for (const [isGained, side] of [
      [true, next],
      [false, old],
    ] as const) {
      for (let page = 0; page < PAGES; page++) {
        const turned = this.#turned({ tclass, page, isGained }, changes, terms);
        if (turned.size > 0) this.#holdAgainst(side, tclass, page, turned);
      }
    }
  }

  /** For each pair of kinds what constraints take away on the old side only, then on the new side only: words by page. */
  #changesOf(tclass: number): Uint32Array | undefined {
    const { old, new: next } = this.#shared;
    const [oldClass, newClass] = [old.classOf.indexOf(tclass, 1), next.classOf.indexOf(tclass, 1)];
    if (oldClass < 1 || newClass < 1) return undefined;
    const count = this.#kinds.length;
    const words = new Uint32Array(count * count * PAGES * 2);
    const known = Array.from(
      { length: PAGES },
      (_, page) => pageBits(old, oldClass, 0xffffffff, page) & pageBits(next, newClass, 0xffffffff, page),
    );
    let hasAny = false;
    const { oldView, newView } = this.#joint;
    for (const source of this.#kinds) {
      for (const target of this.#kinds) {
        const before = oldView.constrained(source.label.old, target.label.old, oldClass, 0xffffffff);
        const after = newView.constrained(source.label.new, target.label.new, newClass, 0xffffffff);
        for (let page = 0; page < PAGES; page++) {
          const [a, b] = [pageBits(old, oldClass, before, page), pageBits(next, newClass, after, page)];
          const at = ((source.id * count + target.id) * PAGES + page) * 2;
          words[at] = a & ~b & (known[page] ?? 0);
          words[at + 1] = b & ~a & (known[page] ?? 0);
          hasAny ||= words[at] !== 0 || words[at + 1] !== 0;
        }
      }
    }
    return hasAny ? words : undefined;
  }

  /** What turned for each pair of kinds of types. */
  #turned(
    { tclass, page, isGained }: Pick<EffectHead, 'tclass' | 'page' | 'isGained'>,
    changes: Uint32Array,
    terms: readonly Term[],
  ): Map<number, Turned[]> {
    const count = this.#kinds.length;
    const bitsOf = (source: Kind, target: Kind): number =>
      changes[((source.id * count + target.id) * PAGES + page) * 2 + (isGained ? 0 : 1)] ?? 0;
    const found = new Map<number, Turned[]>();
    for (const from of this.#typeKinds) {
      for (const to of this.#typeKinds) {
        const pairs = from.kinds.flatMap((source) => to.kinds.map((target) => ({ source, target })));
        const bits = pairs.map(({ source, target }) => bitsOf(source, target));
        const any = bits.reduce((a, b) => a | b, 0);
        if (any === 0) continue;
        const turned: Turned[] = [];
        for (const [pattern, mask] of patternsOf(bits, any)) {
          const isForAll = !pattern.includes('0');
          const chosen = pairs.filter((_, i) => pattern[i] === '1');
          const others = pairs.filter((_, i) => pattern[i] !== '1');
          const [first] = chosen;
          if (first === undefined) continue;
          const where = isForAll
            ? undefined
            : wordPairs(terms, this.#joint, chosen.map(labelsOf), others.map(labelsOf));
          const effect = this.#head({ isGained, tclass, page, isForAll, where });
          turned.push({ effect, bits: mask, source: first.source, target: first.target });
        }
        found.set(from.id * this.#typeKinds.length + to.id, turned);
      }
    }
    return found;
  }

  #head(head: EffectHead): number {
    const key = `${head.isGained} ${head.tclass} ${head.page} ${head.isForAll} ${head.where ?? ''}`;
    let number = this.#headNumbers.get(key);
    if (number === undefined) {
      number = this.#heads.push(head) - 1;
      this.#headNumbers.set(key, number);
    }
    return number;
  }

  /** Keeps what a rule of the side gives, and adds it to what was found. */
  #holdAgainst(side: ComparedSide, tclass: number, page: number, turned: ReadonlyMap<number, readonly Turned[]>): void {
    const { entries, names } = side;
    // Rules that allow are the first kind of group.
    const group = tclass * PAGES + page;
    const types = this.#shared.types.length;
    const given = new Map<number, Map<number, [condition: number, bits: number][]>>();
    const at = new Map<string, Turned>();
    for (let key = 0; key < types; key++) {
      const end = entries.starts[key + 1] ?? 0;
      for (let i = lowerBound(entries, key, group); i < end && entries.group[i] === group; i++) {
        for (const source of names.members[key] ?? []) {
          for (const target of names.members[entries.target[i] ?? 0] ?? []) {
            const [from, to] = [this.#kindOfType[source] ?? -1, this.#kindOfType[target] ?? -1];
            if (from < 0 || to < 0) continue;
            for (const one of turned.get(from * this.#typeKinds.length + to) ?? []) {
              const bits = (entries.data[i] ?? 0) & one.bits;
              if (bits === 0) continue;
              const pairs = given.get(one.effect) ?? new Map<number, [number, number][]>();
              given.set(one.effect, pairs);
              const pair = source * types + target;
              const list = pairs.get(pair);
              if (list === undefined) pairs.set(pair, [[entries.condition[i] ?? 0, bits]]);
              else list.push([entries.condition[i] ?? 0, bits]);
              at.set(`${one.effect} ${from} ${to}`, one);
            }
          }
        }
      }
    }
    for (const [effect, pairs] of given) this.#tell(effect, pairs, at);
  }

  #tell(
    effect: number,
    pairs: ReadonlyMap<number, readonly (readonly [condition: number, bits: number])[]>,
    at: ReadonlyMap<string, Turned>,
  ): void {
    const head = this.#heads[effect];
    if (head === undefined) return;
    const types = this.#shared.types.length;
    const same = new Map<string, { bits: number; condition: number; sources: number[]; targets: number[] }>();
    for (const [pair, list] of [...pairs].sort(([a], [b]) => a - b)) {
      for (const [condition, bits] of this.#byCondition(list)) {
        const key = `${condition} ${bits}`;
        const known = same.get(key) ?? { bits, condition, sources: [], targets: [] };
        same.set(key, known);
        known.sources.push(Math.floor(pair / types));
        known.targets.push(pair % types);
      }
    }
    const side = head.isGained ? 'new' : 'old';
    for (const { bits, condition, ...rest } of same.values()) {
      for (const block of joinPairs(this.#shared, side, rest)) {
        const example = this.#example(effect, block, rest, at);
        if (example === undefined) continue;
        this.#found[head.isGained ? 'gained' : 'lost'].push({
          ...block,
          class: this.#shared.classes[head.tclass]?.name ?? '',
          permissions: this.#shared.permissions(head.tclass, head.page, bits),
          condition: condition === ALWAYS ? undefined : this.#shared.conditions.text(condition),
          isForAll: head.isForAll,
          where: head.where,
          example,
        });
      }
    }
  }

  /** Permissions with the condition under which some rule gives them. */
  #byCondition(list: readonly (readonly [condition: number, bits: number])[]): Map<number, number> {
    const found = new Map<number, number>();
    for (let bit = 0; bit < PAGE_BITS; bit++) {
      const conditions = list.flatMap(([condition, bits]) => ((bits >>> bit) & 1 ? [condition] : []));
      const [first, ...others] = conditions;
      if (first === undefined) continue;
      const condition = others.reduce((a, b) => this.#shared.conditions.or(a, b), first);
      found.set(condition, ((found.get(condition) ?? 0) | (1 << bit)) >>> 0);
    }
    return found;
  }

  /** The first pair of a block, with labels for which it is so. */
  #example(
    effect: number,
    { sources, targets }: TypeBlock,
    pairs: { readonly sources: readonly number[]; readonly targets: readonly number[] },
    at: ReadonlyMap<string, Turned>,
  ): ConstraintEffect['example'] | undefined {
    const nameOf = (type: number): string => this.#shared.types[type]?.name ?? '';
    const [from] = sources.types;
    const to = targets === 'self' ? from : targets.types[0];
    const i = pairs.sources.findIndex((one, n) => nameOf(one) === from && nameOf(pairs.targets[n] ?? -1) === to);
    const [source, target] = [pairs.sources[i] ?? -1, pairs.targets[i] ?? -1];
    const turned = at.get(`${effect} ${this.#kindOfType[source]} ${this.#kindOfType[target]}`);
    const [one, two] = [turned?.source.byType.get(source), turned?.target.byType.get(target)];
    if (one === undefined || two === undefined) return undefined;
    const { newView } = this.#joint;
    return { source: newView.text(one.new), target: newView.text(two.new) };
  }
}

function labelsOf({
  source,
  target,
}: {
  readonly source: Kind;
  readonly target: Kind;
}): readonly [JointLabel, JointLabel] {
  return [source.label, target.label];
}

/** Bits with the pairs for which each of them turned, as a row of 0 and 1; those with the same row together. */
function patternsOf(bits: readonly number[], any: number): Map<string, number> {
  const found = new Map<string, number>();
  for (let rest = any; rest !== 0; rest &= rest - 1) {
    const bit = rest & -rest;
    const pattern = bits.map((one) => ((one & bit) !== 0 ? '1' : '0')).join('');
    found.set(pattern, ((found.get(pattern) ?? 0) | bit) >>> 0);
  }
  return found;
}

/** Weighs the constraints of two policies against the rules, where `facts` say that what they mean may have changed. */
export function constraintEffects(
  shared: SharedNames,
  old: ComparedSide,
  next: ComparedSide,
  facts: readonly FactChange[],
): ConstraintEffects {
  if (!facts.some(touchesConstraints)) return { gained: [], lost: [], bounds: [] };
  const joint = jointLabels(shared);
  if ('refused' in joint) return { gained: [], lost: [], bounds: [`constraints were not weighed: ${joint.refused}`] };
  const found: Found = { gained: [], lost: [] };
  const bounds = [...joint.bounds];
  for (const [tclass, { name }] of shared.classes.entries()) {
    const kinds = kindsOf(shared, joint, tclass);
    if (kinds.length ** 2 > PAIR_LIMIT)
      bounds.push(`constraints of class ${name} were not weighed: they tell ${kinds.length} kinds of labels apart`);
    else if (kinds.length > 0) new Weighing(shared, joint, kinds, found).weigh(tclass, old, next);
  }
  return { gained: inOrder(found.gained), lost: inOrder(found.lost), bounds };
}

function inOrder(list: readonly ConstraintEffect[]): ConstraintEffect[] {
  return list
    .map((one) => ({ one, key: `${one.class} ${one.sources.types.join()} ${one.permissions.join()} ${one.where}` }))
    .sort((a, b) => compareText(a.key, b.key))
    .map(({ one }) => one);
}
