/**
 * Which types may do what to which, as far as rules say, under some setting of the booleans; and the statements behind it.
 *
 * Start reading at `Rights`.
 *
 * @module
 */
import { RuleFinder } from '../analysis/index.ts';
import { ruleOrigin } from '../compiler/index.ts';
import { initialContext, permissionBit, type Subject, typeName, typeValues, writtenPolicy } from '../explain/index.ts';
import { AVTAB_ALLOWED, AVTAB_TRANSITION, type PolicyDb, type RuleTable } from '../policydb/index.ts';
import type { Origin } from '../text/index.ts';

/** Targets by source. */
type Relation = ReadonlyMap<number, ReadonlySet<number>>;

const NONE: ReadonlySet<number> = new Set();

/** All tables of a policy's rules. */
export function ruleTables({ rules, conditionals }: PolicyDb): readonly RuleTable[] {
  return [rules, ...conditionals.flatMap(({ whenTrue, whenFalse }) => [whenTrue, whenFalse])];
}

/** What types may do. Types are numbers of the policy that was read from bytes, which are those of its source. */
export class Rights {
  readonly subject: Subject;
  /** The type under which Xen makes domains at boot; it ends none. */
  readonly bootType: number | undefined;
  readonly #relations = new Map<string, Relation>();
  readonly #members = new Map<number, readonly number[]>();
  #finder: RuleFinder | undefined;

  constructor(subject: Subject) {
    this.subject = subject;
    this.bootType = initialContext(subject, 'xenboot')?.type;
    const { types, typeAttributeMap } = subject.view.policy;
    const members = new Map<number, number[]>();
    for (const { kind, value } of types.entries) {
      if (kind !== 'type') continue;
      for (const key of new Set([value, ...[...(typeAttributeMap[value - 1] ?? [])].map((bit) => bit + 1)]))
        members.set(key, [...(members.get(key) ?? []), value]);
    }
    this.#members = members;
  }

  /** The types that a rule's end stands for. */
  membersOf(key: number): readonly number[] {
    return this.#members.get(key) ?? [];
  }

  /** Who may do something, and to whom. */
  relation(tclass: string, permission: string): Relation {
    const key = `${tclass} ${permission}`;
    let found = this.#relations.get(key);
    if (found === undefined) {
      found = this.#relate(tclass, permission);
      this.#relations.set(key, found);
    }
    return found;
  }

  #relate(tclass: string, permission: string): Relation {
    const { policy } = this.subject.view;
    const symbol = policy.classes.byName.get(tclass);
    const bit = symbol === undefined ? 0 : permissionBit(this.subject, symbol, permission);
    const found = new Map<number, Set<number>>();
    if (symbol === undefined || bit === 0) return found;
    for (const { length, kind, source, target, tclass: classes, data } of ruleTables(policy)) {
      for (let row = 0; row < length; row++) {
        if (classes[row] !== symbol.value || ((kind[row] ?? 0) & AVTAB_ALLOWED) === 0) continue;
        if (((data[row] ?? 0) & bit) === 0) continue;
        const targets = this.membersOf(target[row] ?? 0);
        for (const from of this.membersOf(source[row] ?? 0)) {
          const known = found.get(from) ?? new Set();
          found.set(from, known);
          for (const to of targets) known.add(to);
        }
      }
    }
    return found;
  }

  /** To whom a type may do something. */
  targets(source: number, tclass: string, permission: string): ReadonlySet<number> {
    return this.relation(tclass, permission).get(source) ?? NONE;
  }

  /** Whether a type may do something to another. */
  may(source: number, target: number, tclass: string, permission: string): boolean {
    return this.targets(source, tclass, permission).has(target);
  }

  /** Who may do something to a type. */
  sources(target: number, tclass: string, permission: string): number[] {
    return [...this.relation(tclass, permission)].flatMap(([source, targets]) => (targets.has(target) ? [source] : []));
  }

  /** The types of the domains that somebody creates; what Xen makes at boot is not meant. */
  guests(): ReadonlySet<number> {
    const found = new Set<number>();
    for (const [source, targets] of this.relation('domain', 'create'))
      if (source !== this.bootType) for (const target of targets) found.add(target);
    return found;
  }

  /** The types that a domain can be given after one: by a relabel, by whomever. */
  relabelsOf(from: number): ReadonlyMap<number, ReadonlySet<number>> {
    const found = new Map<number, Set<number>>();
    for (const to of this.targets(from, 'domain', 'transition')) {
      if (to === from) continue;
      const actors = this.sources(from, 'domain2', 'relabelfrom').filter((one) =>
        this.may(one, to, 'domain2', 'relabelto'),
      );
      // XEN: flask_relabel_domain() asks for another permission where a domain relabels itself.
      if (this.may(from, to, 'domain2', 'relabelself')) actors.push(from);
      if (actors.length > 0) found.set(to, new Set(actors));
    }
    return found;
  }

  /** The type of a domain as another one, or it itself, has it for a target. */
  seenBy(type: number, actor: number): number {
    const domain = this.subject.view.domainClass;
    for (const { length, kind, source, target, tclass, data } of ruleTables(this.subject.view.policy)) {
      for (let row = 0; row < length; row++) {
        const isMeant = ((kind[row] ?? 0) & AVTAB_TRANSITION) !== 0 && tclass[row] === domain;
        if (isMeant && source[row] === type && target[row] === actor) return data[row] ?? type;
      }
    }
    return type;
  }

  /** The types under which guests run: they are created under them and stay, or are relabelled to them, and can be unpaused. */
  runTypes(): readonly number[] {
    const guests = this.guests();
    const nexts = new Map([...guests].map((guest) => [guest, this.relabelsOf(guest)]));
    return typeValues(this.subject).filter((type) => {
      if (this.sources(type, 'domain', 'unpause').length === 0) return false;
      const isRelabelledTo = [...nexts.values()].some((next) => next.has(type));
      return isRelabelledTo || nexts.get(type)?.size === 0;
    });
  }

  name(type: number): string {
    return typeName(this.subject, type);
  }

  /** Where the first rule was written that gives something; undefined for a binary. */
  originOf(source: number, target: number, tclass: string, permission: string): Origin | undefined {
    const { source: written } = this.subject;
    if (written === undefined) return undefined;
    this.#finder ??= new RuleFinder(writtenPolicy(this.subject));
    const [rule] = this.#finder.find({
      kind: 'allow',
      source: this.name(source),
      target: this.name(target),
      class: tclass,
      permissions: [permission],
    });
    return rule && ruleOrigin(written.compiled, rule.statement);
  }
}
