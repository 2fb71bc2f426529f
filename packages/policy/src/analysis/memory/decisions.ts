/**
 * Decisions over the labels of a policy, found from either end: who may do something to a label, and to which labels one may
 * do it.
 *
 * Rules say which types can come into question; each answer is then a whole decision of the security server: rules that
 * hold, constraints, changes of role, bounds, permissive types.
 * Start reading at `Decisions`.
 *
 * @module
 */
import {
  AVTAB_ALLOWED,
  AVTAB_TRANSITION,
  COND_BOOL,
  type ConditionStep,
  type Context,
  type PolicyDb,
  RuleTable,
} from '../../policydb/index.ts';
import { PolicyView } from '../../security-server/index.ts';
import { type Label, LabelSpace } from './label-space.ts';

/** A class and some of its permissions, as numbers. */
export interface Request {
  readonly tclass: number;
  readonly mask: number;
  /** One of the permissions is enough. */
  readonly isAnyEnough: boolean;
}

interface IndexedRule {
  readonly source: number;
  readonly target: number;
  readonly tclass: number;
  readonly data: number;
}

/** The values of a policy's booleans that matter, by value; others have their defaults. */
export type BooleanSetting = ReadonlyMap<number, boolean>;

/** What is kept of a policy's rules: a large policy has mostly others, about event channels. */
interface Wanted {
  readonly classes: ReadonlySet<number>;
  readonly domainClass: number;
  readonly eventClass: number;
  /** Types whose event channels are asked about. */
  readonly channelOwners: ReadonlySet<number>;
}

/** Only the rules that decide about access of the classes asked for, and about labels. */
function reducedTable(rules: RuleTable, { classes, domainClass, eventClass, channelOwners }: Wanted): RuleTable {
  const kept = new RuleTable();
  for (let row = 0; row < rules.length; row++) {
    const kind = rules.kind[row] ?? 0;
    const tclass = rules.tclass[row] ?? 0;
    const isAllow = (kind & AVTAB_ALLOWED) !== 0 && classes.has(tclass);
    const isNewLabel =
      (kind & AVTAB_TRANSITION) !== 0 &&
      (tclass === domainClass || (tclass === eventClass && channelOwners.has(rules.source[row] ?? 0)));
    if (isAllow || isNewLabel) kept.pushRow(rules, row);
  }
  return kept;
}

/** A policy made ready for questions about some of its classes. */
export class Decisions {
  readonly policy: PolicyDb;
  readonly view: PolicyView;
  readonly labels: LabelSpace;
  readonly #attributes: readonly Uint32Array[];
  readonly #members = new Map<number, number[]>();
  readonly #byTarget = new Map<number, IndexedRule[]>();
  readonly #bySource = new Map<number, IndexedRule[]>();
  readonly #rules: IndexedRule[] = [];
  readonly #permissive: readonly number[];
  /** Every type, without attributes and other names. */
  readonly types: readonly number[];
  readonly #vectors = new Map<number, number>();
  readonly #sourceCache = new Map<string, readonly number[]>();

  /**
   * @param policy as read from bytes
   * @param classes numbers of the classes that questions will be about
   * @param pinned contexts that the question names
   * @param userSets users that it tells from others
   */
  constructor(
    policy: PolicyDb,
    classes: ReadonlySet<number>,
    pinned: readonly Context[],
    userSets: readonly ReadonlySet<number>[] = [],
  ) {
    const wanted: Wanted = {
      classes,
      domainClass: policy.classes.byName.get('domain')?.value ?? 0,
      eventClass: policy.classes.byName.get('event')?.value ?? 0,
      channelOwners: new Set(pinned.map(({ type }) => type)),
    };
    const reduce = (rules: RuleTable): RuleTable => reducedTable(rules, wanted);
    this.policy = {
      ...policy,
      rules: reduce(policy.rules),
      conditionals: policy.conditionals.map((conditional) => ({
        ...conditional,
        whenTrue: reduce(conditional.whenTrue),
        whenFalse: reduce(conditional.whenFalse),
      })),
    };
    this.view = new PolicyView(this.policy);
    this.labels = new LabelSpace(this.view, pinned, userSets);
    const types = policy.types.entries.filter(({ kind }) => kind === 'type');
    this.types = types.map(({ value }) => value);
    this.#permissive = types.filter(({ value }) => this.view.isPermissive(value)).map(({ value }) => value);
    const attributes: Uint32Array[] = [];
    for (const { value } of types) {
      const keys = [...new Set([...(policy.typeAttributeMap[value - 1] ?? []), value - 1])].map((bit) => bit + 1);
      attributes[value] = Uint32Array.from(keys);
      for (const key of keys) push(this.#members, key, value);
    }
    this.#attributes = attributes;
    for (const { whenTrue, whenFalse } of this.policy.conditionals) {
      this.#index(whenTrue);
      this.#index(whenFalse);
    }
    this.#index(this.policy.rules);
  }

  #index({ length, kind, source, target, tclass, data }: RuleTable): void {
    for (let row = 0; row < length; row++) {
      if (((kind[row] ?? 0) & AVTAB_ALLOWED) === 0) continue;
      const rule = {
        source: source[row] ?? 0,
        target: target[row] ?? 0,
        tclass: tclass[row] ?? 0,
        data: data[row] ?? 0,
      };
      this.#rules.push(rule);
      push(this.#byTarget, rule.target * 0x10000 + rule.tclass, rule);
      push(this.#bySource, rule.source * 0x10000 + rule.tclass, rule);
    }
  }

  /** Booleans that a rule for one of these requests hangs on, ascending. */
  booleansBehind(requests: readonly Request[]): number[] {
    const found = new Set<number>();
    const isAsked = ({ length, kind, tclass, data }: RuleTable): boolean => {
      for (let row = 0; row < length; row++) {
        // A rule about labels changes who is who.
        if (((kind[row] ?? 0) & AVTAB_ALLOWED) === 0) return true;
        const vector = data[row] ?? 0;
        if (requests.some((one) => one.tclass === tclass[row] && (one.mask & vector) !== 0)) return true;
      }
      return false;
    };
    for (const { expression, whenTrue, whenFalse } of this.policy.conditionals) {
      if (!isAsked(whenTrue) && !isAsked(whenFalse)) continue;
      for (const step of expression as readonly ConditionStep[])
        if (step.operator === COND_BOOL) found.add(step.boolean);
    }
    return [...found].sort((a, b) => a - b);
  }

  /** Makes these values of booleans hold, and the defaults of the others. */
  setBooleans(setting: BooleanSetting): void {
    for (const { value, state } of this.policy.booleans.entries)
      this.view.booleans[value] = setting.get(value) ?? state;
    this.view.applyBooleans();
    this.#vectors.clear();
  }

  /** The types that have one of a rule's ends, which may be an attribute. */
  membersOf(key: number): readonly number[] {
    return this.#members.get(key) ?? [];
  }

  /** Types that a rule, of whatever branch, lets do some of this to a type. */
  sourceTypes(target: number, request: Request): readonly number[] {
    const key = `s${target}.${request.tclass}.${request.mask}`;
    return this.#cached(key, () => this.#ends(this.#byTarget, target, request, ({ source }) => source, true));
  }

  /** Types that a rule, of whatever branch, lets a type do some of this to; undefined for all of them. */
  targetTypes(source: number, request: Request): readonly number[] | undefined {
    if (this.view.isPermissive(source)) return undefined;
    const key = `t${source}.${request.tclass}.${request.mask}`;
    return this.#cached(key, () => this.#ends(this.#bySource, source, request, ({ target }) => target, false));
  }

  /** Types that a rule lets do some of this to anything. */
  actingTypes(request: Request): readonly number[] {
    return this.#cached(`a.${request.tclass}.${request.mask}`, () => this.#all(request, ({ source }) => source, true));
  }

  /** Types that a rule lets anything do some of this to; undefined for all of them. */
  affectedTypes(request: Request): readonly number[] | undefined {
    if (this.#permissive.length > 0) return undefined;
    return this.#cached(`p.${request.tclass}.${request.mask}`, () => this.#all(request, ({ target }) => target, false));
  }

  #cached(key: string, make: () => number[]): readonly number[] {
    const known = this.#sourceCache.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#sourceCache.set(key, made);
    return made;
  }

  #all(request: Request, end: (rule: IndexedRule) => number, isSource: boolean): number[] {
    const found = new Set<number>(isSource ? this.#permissive : []);
    for (const rule of this.#rules) {
      if (rule.tclass !== request.tclass || (rule.data & request.mask) === 0) continue;
      for (const type of this.membersOf(end(rule))) found.add(type);
    }
    return [...found].sort((a, b) => a - b);
  }

  #ends(
    index: ReadonlyMap<number, readonly IndexedRule[]>,
    type: number,
    { tclass, mask }: Request,
    end: (rule: IndexedRule) => number,
    isSource: boolean,
  ): number[] {
    const found = new Set<number>(isSource ? this.#permissive : []);
    for (const key of this.#attributes[type] ?? []) {
      for (const rule of index.get(key * 0x10000 + tclass) ?? []) {
        if ((rule.data & mask) === 0) continue;
        for (const member of this.membersOf(end(rule))) found.add(member);
      }
    }
    return [...found].sort((a, b) => a - b);
  }

  /** Whether the source may do this to the target, under the booleans that are set. */
  allows(source: Label, target: Label, { tclass, mask, isAnyEnough }: Request): boolean {
    // INVARIANT: below 2^53 for up to 2^18 labels and any class number.
    const key = (tclass * 0x40000 + source.id) * 0x40000 + target.id;
    let vector = this.#vectors.get(key);
    if (vector === undefined) {
      vector = this.view.isPermissive(source.type) ? 0xffffffff : this.view.computeAv(source, target, tclass).allowed;
      this.#vectors.set(key, vector);
    }
    return isAnyEnough ? (vector & mask) !== 0 : (vector & mask) >>> 0 === mask;
  }

  /** The labels to which the source may do this. */
  targetLabels(source: Label, request: Request): Label[] {
    const types = this.targetTypes(source.type, request) ?? this.types;
    return types.flatMap((type) => this.labels.labelsOf(type).filter((label) => this.allows(source, label, request)));
  }

  /** The label of an event channel that a domain makes towards another; only of those whose labels are pinned. */
  channelLabel(owner: Label, remote: Label): Label | undefined {
    const event = this.policy.classes.byName.get('event')?.value;
    if (event === undefined) return undefined;
    const made = this.view.newContext(owner, remote, event, AVTAB_TRANSITION);
    return this.view.fault(made) === undefined ? this.labels.label(made) : undefined;
  }

  /** The label of a new domain, or of a domain as another sees it; undefined where it would not be valid. */
  domainLabel(source: Label, target: Label): Label | undefined {
    const made = this.view.newContext(source, target, this.view.domainClass, AVTAB_TRANSITION);
    return this.view.fault(made) === undefined ? this.labels.label(made) : undefined;
  }
}

function push<T>(map: Map<number, T[]>, key: number, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
