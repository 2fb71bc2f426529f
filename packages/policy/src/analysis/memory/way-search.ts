/**
 * Going a way: which labels can stand for the parties of its checks, all checks together.
 *
 * Start reading at `WaySearch`.
 *
 * @module
 */
import { type PolicyDb, permissionsOf } from '../../policydb/index.ts';
import { InvariantError } from '../../text/index.ts';
import type { Decisions, Request } from './decisions.ts';
import type { Label } from './label-space.ts';
import { MEMORY_WAYS } from './memory-ways.ts';
import type { MemoryWay, Party, WayCheck } from './way-types.ts';

/** Who is who in one way that somebody may go. */
export type Parties = Partial<Record<Party, Label>>;

/** A check in the numbers of a policy. */
interface NumberedCheck extends Request {
  readonly check: WayCheck;
  /** The checked party's label, as the solver knows it. */
  readonly source: Party;
  readonly target: Party;
}

/** A way in the numbers of a policy. */
export interface NumberedWay {
  readonly way: MemoryWay;
  readonly checks: readonly NumberedCheck[];
}

/** The ways of a policy, and those that need a permission that it does not have. */
export interface NumberedWays {
  readonly ways: readonly NumberedWay[];
  readonly unknown: readonly MemoryWay[];
}

/** The request that a class and permissions by name are; undefined where the policy lacks one. */
export function requestOf(
  policy: PolicyDb,
  className: string,
  permissions: readonly string[],
  isAnyEnough = false,
): Request | undefined {
  const found = policy.classes.byName.get(className);
  if (found === undefined) return undefined;
  const all = permissionsOf(policy, found);
  let mask = 0;
  for (const name of permissions) {
    const known = all.find((one) => one.name === name);
    if (known === undefined && !isAnyEnough) return undefined;
    if (known !== undefined) mask |= 1 << (known.value - 1);
  }
  return mask === 0 ? undefined : { tclass: found.value, mask: mask >>> 0, isAnyEnough };
}

/** The table of ways in the numbers of a policy. */
export function numberWays(policy: PolicyDb): NumberedWays {
  const ways: NumberedWay[] = [];
  const unknown: MemoryWay[] = [];
  for (const way of MEMORY_WAYS) {
    const checks: NumberedCheck[] = [];
    for (const check of way.checks) {
      const request = requestOf(policy, check.class, check.permissions, check.isAnyEnough);
      // A guest that acts does so under its own label.
      const source = check.source === 'guest' ? 'guest label' : check.source;
      if (request !== undefined) checks.push({ ...request, check, source, target: check.target });
    }
    if (checks.length === way.checks.length) ways.push({ way, checks });
    else unknown.push(way);
  }
  return { ways, unknown };
}

/** Which labels a party may have. */
export type Pool = (type: number) => readonly Label[];

/** The solver: labels for the parties of a way. */
export class WaySearch {
  readonly decisions: Decisions;
  /** Types of the policy, ascending. */
  readonly #types: readonly number[];
  /** Labels that domains have, and labels that anything has. */
  readonly domains: Pool;
  readonly #any: Pool;

  constructor(decisions: Decisions, domains: Pool) {
    this.decisions = decisions;
    this.domains = domains;
    this.#any = (type) => decisions.labels.labelsOf(type);
    this.#types = decisions.policy.types.entries
      .filter(({ kind }) => kind === 'type')
      .map(({ value }) => value)
      .sort((a, b) => a - b);
  }

  /**
   * Finds, for each label that `subject` can have, parties that make all checks of the way pass.
   *
   * @param known the parties that are given; `guest` is as the actor sees it
   * @param among the labels that the subject may have, where not all of a domain
   */
  *each({ checks }: NumberedWay, subject: Party, known: Parties, among?: Pool): Generator<Parties> {
    const pool = among ?? this.#poolOf(subject);
    for (const type of this.#subjectTypes(subject, checks, known)) {
      for (const label of pool(type)) {
        const found = this.#solve(checks, withParty(known, subject, label));
        if (found !== undefined) yield found;
      }
    }
  }

  /**
   * The types that a subject may have. Where a third party makes a check on a known one, or is the end of one, mostly few
   * labels or none can be that third party: then only types count that pass the checks with one of these.
   */
  #subjectTypes(subject: Party, checks: readonly NumberedCheck[], known: Parties): readonly number[] {
    const types = this.#typesFor(subject, checks, known);
    const isSubject = (party: Party): boolean => isSame(party, subject) || (party === 'self' && subject === 'actor');
    const others = checks.filter(({ source, target }) => !isSubject(source) && !isSubject(target));
    const third = others
      .flatMap(({ source, target }) => [source, target])
      .find((one) => one !== 'self' && one !== 'guest' && this.#labelOf(one, known) === undefined);
    // How an actor sees itself depends on its whole label.
    const isSeen = third === 'actor' && checks.some(({ source, target }) => source === 'self' || target === 'self');
    if (third === undefined || isSeen || types.length === 0) return types;
    const found = new Set<number>();
    for (const type of this.#typesFor(third, others, known)) {
      const passing = this.#poolOf(third)(type).find((label) => this.#passes(others, withParty(known, third, label)));
      if (passing === undefined) continue;
      // What rules say of a type does not depend on which label it is a part of.
      for (const one of this.#typesFor(subject, checks, withParty(known, third, passing))) found.add(one);
    }
    return types.filter((one) => found.has(one));
  }

  /** Whether all checks pass of which both parties are known. */
  #passes(checks: readonly NumberedCheck[], known: Parties): boolean {
    return checks.every((check) => {
      const source = this.#labelOf(check.source, known);
      const target = this.#labelOf(check.target, known);
      return source === undefined || target === undefined || this.decisions.allows(source, target, check);
    });
  }

  /** Parties that make all checks of a way pass; undefined where there are none. */
  find({ checks }: NumberedWay, known: Parties): Parties | undefined {
    return this.#solve(checks, known);
  }

  #poolOf(party: Party): Pool {
    return party === 'device' || party === 'new label' ? this.#any : this.domains;
  }

  /** The label that stands in a check; undefined where it is not known yet. */
  #labelOf(party: Party, known: Parties): Label | undefined {
    if (party === 'self' && known.self === undefined && known.actor !== undefined)
      return this.decisions.domainLabel(known.actor, known.actor) ?? known.actor;
    return known[party];
  }

  /** Types of an unknown party that the rules do not exclude. */
  #typesFor(party: Party, checks: readonly NumberedCheck[], known: Parties): readonly number[] {
    let types: readonly number[] | undefined;
    const narrow = (found: readonly number[] | undefined): void => {
      if (found === undefined) return;
      const set = new Set(found);
      types = types === undefined ? found : types.filter((one) => set.has(one));
    };
    for (const check of checks) {
      if (isSame(check.source, party)) {
        const target = this.#labelOf(check.target, known);
        narrow(
          target === undefined ? this.decisions.actingTypes(check) : this.decisions.sourceTypes(target.type, check),
        );
      }
      if (isSame(check.target, party)) {
        const source = this.#labelOf(check.source, known);
        narrow(
          source === undefined ? this.decisions.affectedTypes(check) : this.decisions.targetTypes(source.type, check),
        );
      }
    }
    return types ?? this.#types;
  }

  #solve(checks: readonly NumberedCheck[], known: Parties): Parties | undefined {
    const open: NumberedCheck[] = [];
    for (const check of checks) {
      const source = this.#labelOf(check.source, known);
      const target = this.#labelOf(check.target, known);
      if (source === undefined || target === undefined) open.push(check);
      else if (!this.decisions.allows(source, target, check)) return undefined;
    }
    const [next] = open;
    if (next === undefined) return known;
    const party = this.#labelOf(next.source, known) === undefined ? next.source : next.target;
    if (party === 'self' || party === 'guest') throw new InvariantError(`a way was searched without its ${party}`);
    for (const type of this.#typesFor(party, open, known)) {
      for (const label of this.#poolOf(party)(type)) {
        const found = this.#solve(open, withParty(known, party, label));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}

/** The guest as a subject is the guest under its own label too. */
function isSame(party: Party, subject: Party): boolean {
  return party === subject || (subject === 'guest' && party === 'guest label');
}

function withParty(known: Parties, party: Party, label: Label): Parties {
  if (party === 'guest') return { ...known, guest: label, 'guest label': label };
  return { ...known, [party]: label };
}
