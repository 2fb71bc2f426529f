/**
 * The labels that a question is about: all valid contexts of a policy, each kind of them at least once.
 *
 * Users that no rule can tell apart stand for each other, and so do levels. Three of each kind of user are kept where
 * users are compared, because no operation of Xen compares the labels of more than three domains. Levels are kept for each
 * set of categories that the users' ranges can tell apart; where that is too many, fewer are, and `bounds` says so.
 *
 * Where constraints only ask that levels dominate each other or are equal, levels that no name tells apart need not be looked
 * at: what is allowed to some is allowed to those that stand for them. Else three groups of such categories are kept, enough for two labels, whose four levels can lie to each other in no way that three groups do not
 * show; for more labels at once `chainBounds` says so.
 * Start reading at `LabelSpace`.
 *
 * @module
 */
import {
  CEXPR_DOM,
  CEXPR_DOMBY,
  CEXPR_EQ,
  CEXPR_H1H2,
  CEXPR_H1L2,
  CEXPR_L1H1,
  CEXPR_L1H2,
  CEXPR_L1L2,
  CEXPR_L2H2,
  CEXPR_USER,
  type ConstraintStep,
  type Context,
  Ebitmap,
  type MlsLevel,
  type MlsRange,
  OBJECT_R,
  type PolicyDb,
} from '../../policydb/index.ts';
import type { PolicyView } from '../../security-server/index.ts';

/** Comparisons that look at a high level. */
const HIGHS = CEXPR_L1H2 | CEXPR_H1L2 | CEXPR_H1H2 | CEXPR_L1H1 | CEXPR_L2H2;
/** Comparisons of levels. */
export const LEVELS: number = CEXPR_L1L2 | CEXPR_L1H2 | CEXPR_H1L2 | CEXPR_H1H2 | CEXPR_L1H1 | CEXPR_L2H2;
/** How many blocks of categories there may be at most: the number of ranges grows with their third power. */
const BLOCK_LIMIT = 3;
const SENSITIVITY_LIMIT = 8;
const NO_LEVEL: MlsLevel = { sensitivity: 0, categories: Ebitmap.empty };

/** A label with a number of its own; equal labels are one. */
export interface Label extends Context {
  readonly id: number;
}

/** What the constraints of a policy look at. */
interface Looks {
  readonly comparesUsers: boolean;
  readonly comparesLevels: boolean;
  /** A constraint looks at the high level of a range: else a range is as good as its low level. */
  readonly comparesHighs: boolean;
  /** A constraint is met because levels do not dominate each other, or are not equal. */
  readonly needsUnrelated: boolean;
  /** Names of users that a constraint tells from others, as sets. */
  readonly userSets: readonly Ebitmap[];
}

function looksOf(policy: PolicyDb): Looks {
  const userSets: Ebitmap[] = [];
  let comparesUsers = false;
  let comparesLevels = false;
  let needsUnrelated = false;
  let comparesHighs = false;
  const look = (step: ConstraintStep): void => {
    if (step.kind === 'names' && (step.attribute & CEXPR_USER) !== 0) userSets.push(step.names);
    if (step.kind !== 'attribute') return;
    if (step.attribute === CEXPR_USER) comparesUsers = true;
    if ((step.attribute & LEVELS) !== 0) comparesLevels = true;
    if ((step.attribute & HIGHS) !== 0) comparesHighs = true;
  };
  for (const { constraints } of policy.classes.entries)
    for (const { expression } of constraints) {
      for (const step of expression) look(step);
      needsUnrelated ||= asksForUnrelated(expression);
    }
  return { comparesUsers, comparesLevels, comparesHighs, needsUnrelated, userSets };
}

/** Whether an expression can hold because a level does not dominate, or equal, another. */
function asksForUnrelated(expression: readonly ConstraintStep[]): boolean {
  /** For each part whether it asks for related levels, and whether for unrelated ones. */
  const stack: (readonly [related: boolean, unrelated: boolean])[] = [];
  for (const step of expression) {
    if (step.kind === 'not') {
      const [related, unrelated] = stack.pop() ?? [false, false];
      stack.push([unrelated, related]);
    } else if (step.kind === 'and' || step.kind === 'or') {
      const [a, b] = stack.pop() ?? [false, false];
      const [c, d] = stack.pop() ?? [false, false];
      stack.push([a || c, b || d]);
    } else {
      const isOfLevels = step.kind === 'attribute' && (step.attribute & LEVELS) !== 0;
      const isRelated = isOfLevels && [CEXPR_DOM, CEXPR_DOMBY, CEXPR_EQ].includes(step.operator);
      stack.push([isRelated, isOfLevels && !isRelated]);
    }
  }
  return stack.some(([, unrelated]) => unrelated);
}

/** All labels of a policy that matter, by type. */
export class LabelSpace {
  readonly view: PolicyView;
  /** What was left out, in words; empty where every label is stood for. */
  readonly bounds: readonly string[];
  /** What is not stood for where more than two labels are compared at once; empty where all is. */
  readonly chainBounds: readonly string[];
  /** Levels stand for others that no name tells from them: enough to find what is allowed, not what is refused. */
  readonly hasFreeLevels: boolean;
  /** How many users there are beside those that stand for them. */
  readonly otherUsers: number;
  readonly #labels = new Map<string, Label>();
  /** A number for each range, and for each object that is one: labels share them. */
  readonly #ranges = new Map<string, number>();
  readonly #rangeIds = new Map<MlsRange, number>();
  readonly #byType = new Map<number, readonly Label[]>();
  readonly #users: readonly PolicyDb['users']['entries'][number][];
  readonly #userRanges = new Map<number, readonly MlsRange[]>();
  readonly #objectRanges: readonly MlsRange[];

  /**
   * @param pinned contexts that the question names; their users and ranges are kept
   * @param userSets users that the question tells from others; it may compare users too
   * @param comparesLevels whether the question compares levels, beside what constraints do
   */
  constructor(
    view: PolicyView,
    pinned: readonly Context[],
    userSets: readonly ReadonlySet<number>[] = [],
    comparesLevels = false,
  ) {
    this.view = view;
    const { policy } = view;
    const own = looksOf(policy);
    const looks: Looks = {
      ...own,
      comparesUsers: own.comparesUsers || userSets.length > 0,
      comparesLevels: own.comparesLevels || comparesLevels,
      userSets: [...own.userSets, ...userSets.map((set) => Ebitmap.of([...set].map((value) => value - 1)))],
    };
    const bounds: string[] = [];
    this.#users = keptUsers(policy, looks, pinned);
    this.otherUsers = policy.users.entries.length - this.#users.length;
    const levels =
      policy.isMls && looks.comparesLevels
        ? levelRanges(
            policy,
            pinned,
            {
              comparesHighs: looks.comparesHighs || comparesLevels,
              isFree: looks.needsUnrelated || comparesLevels,
            },
            bounds,
          )
        : undefined;
    const ranges = levels?.ranges;
    this.hasFreeLevels = levels?.isWhole === false;
    this.chainBounds =
      this.hasFreeLevels && looks.needsUnrelated
        ? ['levels of more than two labels at once were looked at over a part of the categories and sensitivities']
        : [];
    for (const user of this.#users) {
      const own = pinned.filter((one) => one.user === user.value).map(({ range }) => range);
      const given = ranges ?? [{ low: user.range.low, high: user.range.low }, ...own];
      this.#userRanges.set(user.value, policy.isMls ? given : [{ low: NO_LEVEL, high: NO_LEVEL }]);
    }
    this.#objectRanges = ranges ?? [];
    this.bounds = bounds;
  }

  /** The label of a context. */
  label(context: Context): Label {
    const key = `${context.user}.${context.role}.${context.type}.${this.#rangeId(context.range)}`;
    let label = this.#labels.get(key);
    if (label === undefined) {
      const { user, role, type, range } = context;
      label = { user, role, type, range, id: this.#labels.size };
      this.#labels.set(key, label);
    }
    return label;
  }

  #rangeId(range: MlsRange): number {
    const known = this.#rangeIds.get(range);
    if (known !== undefined) return known;
    const { low, high } = range;
    const level = ({ sensitivity, categories }: MlsLevel): string => `${sensitivity}:${categories.bits.join(',')}`;
    const key = `${level(low)}-${level(high)}`;
    const id = this.#ranges.get(key) ?? this.#ranges.size;
    this.#ranges.set(key, id);
    this.#rangeIds.set(range, id);
    return id;
  }

  /** The labels that have a type. */
  labelsOf(type: number): readonly Label[] {
    const known = this.#byType.get(type);
    if (known !== undefined) return known;
    const found: Label[] = [];
    // Those of domains first: an answer names the label that a reader knows, where several are as good.
    const roles = this.view.policy.roles.entries.toSorted(
      (a, b) => Number(a.value === OBJECT_R) - Number(b.value === OBJECT_R),
    );
    for (const role of roles) {
      const isObject = role.value === OBJECT_R;
      for (const user of this.#users) {
        if (!isObject && !(user.roles.has(role.value - 1) && role.types.has(type - 1))) continue;
        const ranges = this.#userRanges.get(user.value) ?? [];
        for (const range of isObject && this.#objectRanges.length > 0 ? this.#objectRanges : ranges) {
          const context = { user: user.value, role: role.value, type, range };
          if (this.view.fault(context) === undefined) found.push(this.label(context));
        }
      }
    }
    this.#byType.set(type, found);
    return found;
  }

  /** The label as text. */
  text(label: Context): string {
    return this.view.text(label);
  }
}

/** Users, of those that nothing tells apart only as many as can be compared with each other at once. */
function keptUsers(policy: PolicyDb, looks: Looks, pinned: readonly Context[]): PolicyDb['users']['entries'] {
  const limit = looks.comparesUsers ? 3 : 1;
  const isPinned = new Set(
    [...pinned, ...policy.objectContexts.initialSids.map(({ context }) => context)].map(({ user }) => user),
  );
  const seen = new Map<string, number>();
  return policy.users.entries
    .toSorted((a, b) => a.value - b.value)
    .filter((user) => {
      if (isPinned.has(user.value)) return true;
      const sets = looks.userSets.map((set) => (set.has(user.value - 1) ? '1' : '0')).join('');
      const { low, high } = user.range;
      const range = policy.isMls ? `${levelKey(low)}-${levelKey(high)}` : '';
      const key = `${user.roles.bits.join(',')}/${sets}/${range}`;
      const count = seen.get(key) ?? 0;
      seen.set(key, count + 1);
      return count < limit;
    });
}

function levelKey({ sensitivity, categories }: MlsLevel): string {
  return `${sensitivity}:${categories.bits.join(',')}`;
}

/** Ranges for every way in which the levels that the policy and the question name can lie to a domain's. */
function levelRanges(
  policy: PolicyDb,
  pinned: readonly Context[],
  { comparesHighs, isFree }: { readonly comparesHighs: boolean; readonly isFree: boolean },
  bounds: string[],
): { readonly ranges: readonly MlsRange[]; readonly isWhole: boolean } {
  const given: MlsRange[] = [
    ...policy.rangeTransitions.map(({ range }) => range),
    ...policy.objectContexts.initialSids.map(({ context }) => context.range),
    ...pinned.map(({ range }) => range),
  ];
  const named = [...policy.users.entries.map(({ range }) => range), ...given].flatMap(({ low, high }) => [low, high]);
  const sensitivities = keptSensitivities(policy, named, isFree ? 2 : 0, bounds);
  const sets = [
    ...named.map(({ categories }) => categories),
    ...policy.sensitivities.entries.filter(({ isAlias }) => !isAlias).map(({ level }) => level.categories),
  ];
  const blocks = categoryBlocks(policy, sets, isFree ? [3, 2, 1] : [1], bounds);
  const levels: MlsLevel[] = [];
  for (const sensitivity of sensitivities) {
    for (let chosen = 0; chosen < 1 << blocks.length; chosen++) {
      const bits = blocks.flatMap((block, i) => ((chosen >>> i) & 1 ? block : []));
      levels.push({ sensitivity, categories: Ebitmap.of(bits) });
    }
  }
  const highsOf = (low: MlsLevel): MlsLevel[] =>
    levels.filter((high) => high.sensitivity >= low.sensitivity && low.categories.isSubsetOf(high.categories));
  const made = levels.flatMap((low) => (comparesHighs ? highsOf(low) : [low]).map((high) => ({ low, high })));
  const rangeKey = ({ low, high }: MlsRange): string => `${levelKey(low)}-${levelKey(high)}`;
  // What the policy and the question give is there, also where its high level makes no difference.
  const ranges = [...new Map([...made, ...given].map((range) => [rangeKey(range), range])).values()];
  const all = new Set(policy.sensitivities.entries.map(({ level }) => level.sensitivity));
  return {
    ranges,
    isWhole: sensitivities.length === all.size && blocks.every((block) => block.length === 1),
  };
}

/** The sensitivities that are named, and one in each gap between them. */
function keptSensitivities(policy: PolicyDb, named: readonly MlsLevel[], inGap: number, bounds: string[]): number[] {
  const all = [...new Set(policy.sensitivities.entries.map(({ level }) => level.sensitivity))].sort((a, b) => a - b);
  const isNamed = new Set(named.map(({ sensitivity }) => sensitivity));
  const kept: number[] = [];
  let gap = 0;
  for (const one of all) {
    if (isNamed.has(one)) gap = 0;
    // Two in a gap can be told from each other by no name, but one can be above the other.
    if (isNamed.has(one) || gap++ < inGap) kept.push(one);
  }
  if (kept.length > SENSITIVITY_LIMIT) {
    bounds.push(`of ${all.length} sensitivities ${SENSITIVITY_LIMIT} were looked at`);
    return kept.slice(0, SENSITIVITY_LIMIT);
  }
  return kept;
}

/** Categories that no named set tells apart, each such kind in up to three blocks. */
function categoryBlocks(
  policy: PolicyDb,
  sets: readonly Ebitmap[],
  tried: readonly number[],
  bounds: string[],
): number[][] {
  const kinds = new Map<string, number[]>();
  const distinct = [...new Map(sets.map((set) => [set.bits.join(','), set])).values()];
  for (const { value, isAlias } of policy.categories.entries.toSorted((a, b) => a.value - b.value)) {
    if (isAlias) continue;
    const key = distinct.map((set) => (set.has(value - 1) ? '1' : '0')).join('');
    const kind = kinds.get(key);
    if (kind === undefined) kinds.set(key, [value - 1]);
    else kind.push(value - 1);
  }
  const split = (kind: readonly number[], parts: number): number[][] => {
    const singles = kind.slice(0, parts - 1).map((one) => [one]);
    const rest = kind.slice(parts - 1);
    return rest.length > 0 ? [...singles, rest] : singles;
  };
  for (const parts of tried) {
    const blocks = [...kinds.values()].flatMap((kind) => split(kind, parts));
    if (blocks.length > BLOCK_LIMIT) continue;
    const isWhole = [...kinds.values()].every((kind) => kind.length <= parts);
    if (!isWhole && parts < (tried[0] ?? 1))
      bounds.push(`categories that nothing tells apart were taken in ${parts} groups at most`);
    return blocks;
  }
  bounds.push(`of ${kinds.size} kinds of categories ${BLOCK_LIMIT} were looked at`);
  return [...kinds.values()].slice(0, BLOCK_LIMIT);
}
