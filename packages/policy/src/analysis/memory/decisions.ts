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
  type Conditional,
  type ConditionStep,
  type Context,
  conditionHolds,
  type PolicyDb,
  type RuleTable,
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

/** The `allow` rules about one class, to be found from either end. */
class ClassRules {
  readonly source: number[] = [];
  readonly target: number[] = [];
  readonly data: number[] = [];
  /** The rules with a source, or a target, which may be an attribute. */
  readonly bySource = new Map<number, number[]>();
  readonly byTarget = new Map<number, number[]>();

  add({ length, kind, source, target, data }: RuleTable): void {
    for (let row = 0; row < length; row++) {
      if (((kind[row] ?? 0) & AVTAB_ALLOWED) === 0) continue;
      const [from, to] = [source[row] ?? 0, target[row] ?? 0];
      push(this.bySource, from, this.data.length);
      push(this.byTarget, to, this.data.length);
      this.source.push(from);
      this.target.push(to);
      this.data.push(data[row] ?? 0);
    }
  }
}

/** The values of a policy's booleans that matter, by value; others have their defaults. */
export type BooleanSetting = ReadonlyMap<number, boolean>;

/** A policy made ready for questions about some of its classes. */
export class Decisions {
  readonly policy: PolicyDb;
  readonly view: PolicyView;
  readonly labels: LabelSpace;
  readonly #attributes: readonly Uint32Array[];
  readonly #members = new Map<number, number[]>();
  /** By the number of the class, as they are asked for. */
  readonly #rules: (ClassRules | undefined)[] = [];
  /** Types whose event channels are asked about. */
  readonly #channelOwners: ReadonlySet<number>;
  readonly #permissive: readonly number[];
  /** Every type, without attributes and other names. */
  readonly types: readonly number[];
  readonly #vectors = new Map<number, number>();
  readonly #sourceCache = new Map<string, readonly number[]>();

  /**
   * @param policy as read from bytes
   * @param pinned contexts that the question names
   * @param userSets users that it tells from others
   */
  constructor(policy: PolicyDb, pinned: readonly Context[], userSets: readonly ReadonlySet<number>[] = []) {
    this.policy = policy;
    this.#channelOwners = new Set(pinned.map(({ type }) => type));
    this.view = new PolicyView(policy);
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
  }

  #rulesOf(tclass: number): ClassRules {
    let found = this.#rules[tclass];
    if (found === undefined) {
      found = new ClassRules();
      for (const table of this.view.vectorsOf(tclass)) found.add(table);
      this.#rules[tclass] = found;
    }
    return found;
  }

  /** The conditional blocks with a rule for one of these requests, or about labels, which change who is who. */
  #blocksAbout(requests: readonly Request[]): Conditional[] {
    const { domainClass } = this.view;
    const eventClass = this.policy.classes.byName.get('event')?.value ?? 0;
    const isAsked = ({ length, kind, source, tclass, data }: RuleTable): boolean => {
      for (let row = 0; row < length; row++) {
        const own = tclass[row] ?? 0;
        const isOfOwner = own === eventClass && this.#channelOwners.has(source[row] ?? 0);
        if (kind[row] === AVTAB_TRANSITION && (own === domainClass || isOfOwner)) return true;
        if (kind[row] !== AVTAB_ALLOWED) continue;
        const vector = data[row] ?? 0;
        if (requests.some((one) => one.tclass === own && (one.mask & vector) !== 0)) return true;
      }
      return false;
    };
    return this.view.conditionals.filter(({ whenTrue, whenFalse }) => isAsked(whenTrue) || isAsked(whenFalse));
  }

  /** Booleans that a rule for one of these requests hangs on, ascending. */
  booleansBehind(requests: readonly Request[]): number[] {
    const found = new Set<number>();
    for (const { expression } of this.#blocksAbout(requests)) {
      for (const step of expression as readonly ConditionStep[])
        if (step.operator === COND_BOOL) found.add(step.boolean);
    }
    return [...found].sort((a, b) => a - b);
  }

  /** Of some settings the first one of each kind: those of a kind give the same answers to these requests. */
  different(settings: readonly BooleanSetting[], requests: readonly Request[]): BooleanSetting[] {
    if (settings.length < 2) return [...settings];
    const blocks = this.#blocksAbout(requests);
    const found = new Map<string, BooleanSetting>();
    for (const setting of settings) {
      const booleans = this.#valuesUnder(setting);
      const key = blocks.map((block) => (conditionHolds(block, booleans) ? '1' : '0')).join('');
      if (!found.has(key)) found.set(key, setting);
    }
    return [...found.values()];
  }

  /** The value of each boolean, at its number. */
  #valuesUnder(setting: BooleanSetting): boolean[] {
    const values: boolean[] = [];
    for (const { value, state } of this.policy.booleans.entries) values[value] = setting.get(value) ?? state;
    return values;
  }

  /** Makes these values of booleans hold, and the defaults of the others. */
  setBooleans(setting: BooleanSetting): void {
    Object.assign(this.view.booleans, this.#valuesUnder(setting));
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
    return this.#cached(key, () => this.#ends(target, request, true));
  }

  /** Types that a rule, of whatever branch, lets a type do some of this to; undefined for all of them. */
  targetTypes(source: number, request: Request): readonly number[] | undefined {
    if (this.view.isPermissive(source)) return undefined;
    const key = `t${source}.${request.tclass}.${request.mask}`;
    return this.#cached(key, () => this.#ends(source, request, false));
  }

  /** Types that a rule lets do some of this to anything. */
  actingTypes(request: Request): readonly number[] {
    return this.#cached(`a.${request.tclass}.${request.mask}`, () => this.#all(request, true));
  }

  /** Types that a rule lets anything do some of this to; undefined for all of them. */
  affectedTypes(request: Request): readonly number[] | undefined {
    if (this.#permissive.length > 0) return undefined;
    return this.#cached(`p.${request.tclass}.${request.mask}`, () => this.#all(request, false));
  }

  #cached(key: string, make: () => number[]): readonly number[] {
    const known = this.#sourceCache.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#sourceCache.set(key, made);
    return made;
  }

  #all({ tclass, mask }: Request, isSource: boolean): number[] {
    const found = new Set<number>(isSource ? this.#permissive : []);
    const rules = this.#rulesOf(tclass);
    const ends = isSource ? rules.source : rules.target;
    for (let rule = 0; rule < ends.length; rule++) {
      if (((rules.data[rule] ?? 0) & mask) === 0) continue;
      for (const type of this.membersOf(ends[rule] ?? 0)) found.add(type);
    }
    return [...found].sort((a, b) => a - b);
  }

  /** The types at one end of rules that have a type at the other. */
  #ends(type: number, { tclass, mask }: Request, isSource: boolean): number[] {
    const found = new Set<number>(isSource ? this.#permissive : []);
    const rules = this.#rulesOf(tclass);
    const index = isSource ? rules.byTarget : rules.bySource;
    const ends = isSource ? rules.source : rules.target;
    for (const key of this.#attributes[type] ?? []) {
      for (const rule of index.get(key) ?? []) {
        if (((rules.data[rule] ?? 0) & mask) === 0) continue;
        for (const member of this.membersOf(ends[rule] ?? 0)) found.add(member);
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

  /** The labels to which rules let the type of the source do this, whatever booleans and constraints say. */
  targetsAmong(source: Label, request: Request): Label[] {
    return (this.targetTypes(source.type, request) ?? this.types).flatMap((type) => this.labels.labelsOf(type));
  }

  /** The labels to which the source may do this. */
  targetLabels(source: Label, request: Request): Label[] {
    return this.targetsAmong(source, request).filter((label) => this.allows(source, label, request));
  }

  /** The label of an event channel that a domain makes towards another. */
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
