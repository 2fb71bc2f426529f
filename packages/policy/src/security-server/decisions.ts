/**
 * Decisions over one policy, on contexts: access vectors and the contexts of new objects.
 *
 * Follows: Xen `xen/xsm/flask/ss/services.c` (`context_struct_compute_av`, `type_attribute_bounds_av`,
 * `security_compute_sid`), `mls.c` (`mls_compute_sid`).
 * Start reading at `PolicyView`.
 *
 * @module
 */
import {
  type AccessVector,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  accessVector,
  type ClassSymbol,
  type Conditional,
  type Context,
  conditionHolds,
  Ebitmap,
  type MlsLevel,
  type MlsRange,
  OBJECT_R,
  type PolicyDb,
  type RuleTable,
  WrittenRules,
} from '../policydb/index.ts';
import { ConditionalIndex, RuleIndex } from './av-index.ts';
import { word } from './checked-element.ts';
import { evaluateConstraint } from './constraints.ts';
import {
  type ContextFault,
  type ContextLookup,
  type ContextNames,
  contextFault,
  contextLookup,
  contextNames,
  contextText,
  levelText,
  parseContext,
  readContext,
} from './context-text.ts';

/** What the security server says about one source, target and object class. */
export interface AvDecision {
  readonly allowed: AccessVector;
  readonly auditAllow: AccessVector;
  readonly auditDeny: AccessVector;
  /** The policy's sequence number, so that a cached decision can be told stale. */
  readonly seqno: number;
  /** The source type is permissive: report a denial, but let it pass. */
  readonly permissive: boolean;
}

/** Access vectors without what only a server knows. */
export interface Vectors {
  allowed: number;
  auditAllow: number;
  auditDeny: number;
}

/** Told of permissions that the bounds of a type take away. */
export type OnBounds = (source: Context, target: Context, tclass: number, removed: number) => void;

/** Each side may be bounded three deep in a policy that Xen loads. Other policies may be looked at too. */
const BOUNDS_DEPTH = 6;

/**
 * A policy with what decisions need at hand. One that was compiled and not read from bytes is decided on as Xen decides on its
 * bytes of version 30.
 */
export class PolicyView {
  readonly policy: PolicyDb;
  readonly names: ContextNames;
  readonly lookup: ContextLookup;
  /** Value of class `domain`, or 0. */
  readonly domainClass: number;
  readonly #classes: (ClassSymbol | undefined)[] = [];
  readonly #transitionBit: number;
  readonly #roleAllows = new Set<number>();
  readonly #roleTransitions = new Map<number, number>();
  readonly #rangeTransitions = new Map<number, MlsRange>();
  /** The rules outside conditional blocks. */
  readonly rules: RuleIndex;
  /** Keys of each type in the access vector table, as far as they were asked for: the type and its attributes. */
  readonly #keys: (Uint32Array | undefined)[] = [];
  /** Undefined where the policy has no conditional block. */
  readonly #conditional: ConditionalIndex | undefined;
  /** The conditional blocks, their rules as entries. */
  readonly conditionals: readonly Conditional[];
  /** What was answered last of what rules give. */
  #last:
    | { readonly source: number; readonly target: number; readonly tclass: number; readonly vectors: Vectors }
    | undefined;
  readonly #texts = new WeakMap<Context, string>();
  /** Booleans by value. */
  readonly booleans: boolean[] = [];

  constructor(policy: PolicyDb) {
    this.policy = policy;
    this.names = contextNames(policy);
    this.lookup = contextLookup(policy);
    for (const symbol of policy.classes.entries) this.#classes[symbol.value] = symbol;
    const domain = policy.classes.byName.get('domain');
    this.domainClass = domain?.value ?? 0;
    const transition = domain?.permissions.find(({ name }) => name === 'transition');
    this.#transitionBit = transition === undefined ? 0 : (1 << (transition.value - 1)) >>> 0;
    for (const { role, newRole } of policy.roleAllows) this.#roleAllows.add(role * 0x10000 + newRole);
    for (const { role, type, newRole } of policy.roleTransitions) {
      const key = role * 0x10000 + type;
      if (!this.#roleTransitions.has(key)) this.#roleTransitions.set(key, newRole);
    }
    for (const { source, target, tclass, range } of policy.rangeTransitions) {
      const key = ruleKey(source, target, tclass);
      if (!this.#rangeTransitions.has(key)) this.#rangeTransitions.set(key, range);
    }
    const written = policy.isExpanded ? undefined : new WrittenRules(policy);
    this.rules = new RuleIndex(policy.rules, written);
    const conditionals = written?.conditionals() ?? policy.conditionals;
    this.#conditional = conditionals.length === 0 ? undefined : new ConditionalIndex(conditionals);
    this.conditionals = conditionals;
    for (const { value, state } of policy.booleans.entries) this.booleans[value] = state;
    this.applyBooleans();
  }

  /** The entries about a class that give permissions: those outside of conditional blocks, then those of all branches. */
  vectorsOf(tclass: number): RuleTable[] {
    const branches = this.conditionals.flatMap(({ whenTrue, whenFalse }) => [whenTrue, whenFalse]);
    return [this.rules.vectorsOf(tclass), ...branches.map((table) => table.vectorsOf(tclass))];
  }

  /** Makes the values in `booleans` hold. */
  applyBooleans(): void {
    this.#last = undefined;
    this.policy.conditionals.forEach((conditional, i) => {
      this.#conditional?.set(i, conditionHolds(conditional, this.booleans));
    });
  }

  /** The context as text, made once: each check of a host tells two of them. */
  text(context: Context): string {
    const known = this.#texts.get(context);
    if (known !== undefined) return known;
    const text = contextText(context, this.names, this.policy.isMls);
    this.#texts.set(context, text);
    return text;
  }

  /** A level of a context as text. */
  levelText(level: MlsLevel): string {
    return levelText(level, this.names);
  }

  /** The context that a text names, or why it is not valid. */
  parse(text: string): Context | ContextFault {
    return parseContext(text, this.policy, this.lookup);
  }

  /** The context that a text names, valid or not; undefined where a name in it is not known. */
  read(text: string): Context | undefined {
    const context = readContext(text, this.policy);
    return 'part' in context ? undefined : context;
  }

  /** The valid context that a text names; undefined where there is none. */
  readValid(text: string): Context | undefined {
    const context = this.parse(text);
    return 'part' in context ? undefined : context;
  }

  /** Why a context is not valid; undefined where it is. */
  fault(context: Context): ContextFault | undefined {
    return contextFault(context, this.policy, this.lookup);
  }

  /** The class with this number; undefined where there is none. */
  classSymbol(tclass: number): ClassSymbol | undefined {
    return this.#classes[tclass];
  }

  /** Whether denials of this source type are let pass. */
  isPermissive(type: number): boolean {
    return this.policy.permissive.has(type);
  }

  /** The roles that a role dominates, itself included; none for `object_r`. */
  dominated(role: number): Ebitmap {
    return role === OBJECT_R ? Ebitmap.empty : (this.lookup.roles[role]?.dominates ?? Ebitmap.empty);
  }

  /** What the rules give, before constraints, roles and bounds. */
  ruleVectors(sourceType: number, targetType: number, tclass: number): Vectors {
    const last = this.#last;
    // Who asks about all labels asks about those of a type one after the other.
    if (last?.source !== sourceType || last.target !== targetType || last.tclass !== tclass) {
      const vectors = this.#findVectors(sourceType, targetType, tclass);
      this.#last = { source: sourceType, target: targetType, tclass, vectors };
      return { ...vectors };
    }
    return { ...last.vectors };
  }

  #findVectors(sourceType: number, targetType: number, tclass: number): Vectors {
    const out: Vectors = { allowed: 0, auditAllow: 0, auditDeny: 0xffffffff };
    const sources = this.#keysOf(sourceType);
    const targets = this.#keysOf(targetType);
    if (sources === undefined || targets === undefined) return out;
    this.rules.addTo(out, sources, targets, tclass);
    const conditional = this.#conditional;
    if (conditional === undefined) return out;
    for (let i = 0; i < sources.length; i++) {
      const source = word(sources, i);
      for (let j = 0; j < targets.length; j++) conditional.addTo(out, source, word(targets, j), tclass);
    }
    return out;
  }

  #keysOf(type: number): Uint32Array | undefined {
    const known = this.#keys[type];
    if (known !== undefined) return known;
    const map = this.policy.typeAttributeMap[type - 1];
    // XEN: policydb_read() adds to each type's attributes the type itself.
    const keys = map && (map.has(type - 1) ? map : Ebitmap.of([...map, type - 1])).bits.map((bit) => bit + 1);
    this.#keys[type] = keys;
    return keys;
  }

  /** The permissions that the constraints of a class take away. */
  constrained(source: Context, target: Context, tclass: number, allowed: number): number {
    let removed = 0;
    for (const { permissions, expression } of this.#classes[tclass]?.constraints ?? []) {
      if ((permissions & allowed & ~removed) === 0) continue;
      if (!evaluateConstraint(expression, source, target, (role) => this.dominated(role))) removed |= permissions;
    }
    return removed >>> 0;
  }

  /** Whether the change of role that `transition` means is allowed. */
  roleChangeRefused(source: Context, target: Context, tclass: number): boolean {
    return (
      tclass === this.domainClass &&
      source.role !== target.role &&
      !this.#roleAllows.has(source.role * 0x10000 + target.role)
    );
  }

  get transitionBit(): number {
    return this.#transitionBit;
  }

  /** The type that bounds a type, or 0. */
  #boundsOf(type: number): number {
    return this.lookup.types[type]?.bounds ?? 0;
  }

  /** The name of a class, or its number where it has none. */
  className(tclass: number): string {
    return this.#classes[tclass]?.name ?? String(tclass);
  }

  /** What the source may do to the target: rules, constraints, role changes and bounds. */
  computeAv(source: Context, target: Context, tclass: number, onBounds?: OnBounds): Vectors {
    return this.#compute(source, target, tclass, onBounds, 0);
  }

  #compute(source: Context, target: Context, tclass: number, onBounds: OnBounds | undefined, depth: number): Vectors {
    const out = this.ruleVectors(source.type, target.type, tclass);
    out.allowed &= ~this.constrained(source, target, tclass, out.allowed);
    if ((out.allowed & this.#transitionBit) !== 0 && this.roleChangeRefused(source, target, tclass)) {
      out.allowed &= ~this.#transitionBit;
    }
    const sourceBounds = this.#boundsOf(source.type);
    const targetBounds = this.#boundsOf(target.type);
    if ((sourceBounds !== 0 || targetBounds !== 0) && depth < BOUNDS_DEPTH) {
      const removed = this.#exceeding(source, target, tclass, out.allowed, onBounds, depth);
      if (removed !== 0) {
        out.allowed &= ~removed;
        onBounds?.(source, target, tclass, removed);
      }
    }
    out.allowed >>>= 0;
    out.auditAllow >>>= 0;
    out.auditDeny >>>= 0;
    return out;
  }

  /**
   * Permissions that bounds take away. Xen tries the bounding source, then the bounding target, then both, and is content
   * as soon as one of them is allowed everything.
   */
  #exceeding(
    source: Context,
    target: Context,
    tclass: number,
    allowed: number,
    onBounds: OnBounds | undefined,
    depth: number,
  ): number {
    const sourceBounds = this.#boundsOf(source.type);
    const targetBounds = this.#boundsOf(target.type);
    const lowSource = { ...source, type: sourceBounds };
    const lowTarget = { ...target, type: targetBounds };
    let masked = 0;
    const attempts: [Context, Context][] = [];
    if (sourceBounds !== 0) attempts.push([lowSource, target]);
    if (targetBounds !== 0) attempts.push([source, lowTarget]);
    if (sourceBounds !== 0 && targetBounds !== 0) attempts.push([lowSource, lowTarget]);
    for (const [from, to] of attempts) {
      masked = (allowed & ~this.#compute(from, to, tclass, onBounds, depth + 1).allowed) >>> 0;
      if (masked === 0) return 0;
    }
    return masked;
  }

  /** The context of a new object; not checked for validity. `kind` is `AVTAB_TRANSITION`, `AVTAB_MEMBER` or `AVTAB_CHANGE`. */
  newContext(source: Context, target: Context, tclass: number, kind: number): Context {
    const isDomain = tclass === this.domainClass;
    const user = kind === AVTAB_MEMBER ? target.user : source.user;
    let role = isDomain ? source.role : OBJECT_R;
    let type = isDomain ? source.type : target.type;
    const rule =
      this.rules.typeRule(kind, source.type, target.type, tclass) ??
      this.#conditional?.typeRule(kind, source.type, target.type, tclass);
    if (rule !== undefined) type = rule;
    // XEN: the class of a role transition is ignored; only domains have one.
    if (kind === AVTAB_TRANSITION && isDomain)
      role = this.#roleTransitions.get(source.role * 0x10000 + target.type) ?? role;
    return { user, role, type, range: this.#newRange(source, target, tclass, kind, isDomain) };
  }

  #newRange(source: Context, target: Context, tclass: number, kind: number, isDomain: boolean): MlsRange {
    const low: MlsRange = { low: source.range.low, high: source.range.low };
    if (kind === AVTAB_MEMBER) return low;
    const rule =
      kind === AVTAB_TRANSITION ? this.#rangeTransitions.get(ruleKey(source.type, target.type, tclass)) : undefined;
    return rule ?? (isDomain ? source.range : low);
  }
}

/** A key of a rule as one number below 2^48. */
function ruleKey(source: number, target: number, tclass: number): number {
  return (tclass * 0x10000 + source) * 0x10000 + target;
}

/** A decision of a server in the state `seqno`. */
export function decision({ allowed, auditAllow, auditDeny }: Vectors, seqno: number, permissive: boolean): AvDecision {
  return {
    allowed: accessVector(allowed),
    auditAllow: accessVector(auditAllow),
    auditDeny: accessVector(auditDeny),
    seqno,
    permissive,
  };
}
