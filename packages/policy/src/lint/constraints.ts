/**
 * Constraints that nothing meets of what rules give: the rules are there in vain, or the constraint says what nobody meant.
 *
 * @module
 */
import { type Label, LabelSpace } from '../analysis/index.ts';
import { ConstraintPlaces, permissionNames } from '../explain/index.ts';
import { AVTAB_ALLOWED, type ClassSymbol, type Constraint, type PolicyDb } from '../policydb/index.ts';
import { constraintTree } from '../security-server/index.ts';
import type { Report } from '../text/index.ts';
import { lint } from './diagnostics.ts';
import { type Rights, ruleTables } from './rights.ts';

const OBJECT_R = 1;
/** Pairs of labels that are asked about for one constraint. */
const PAIR_LIMIT = 400_000;

/** The pairs of keys that rules give some of these permissions. */
function givenKeys(policy: PolicyDb, tclass: number, mask: number): Map<string, readonly [number, number, number]> {
  const found = new Map<string, readonly [number, number, number]>();
  for (const { length, kind, source, target, tclass: classes, data } of ruleTables(policy)) {
    for (let row = 0; row < length; row++) {
      const bits = (data[row] ?? 0) & mask;
      if (classes[row] !== tclass || ((kind[row] ?? 0) & AVTAB_ALLOWED) === 0 || bits === 0) continue;
      const key = `${source[row]} ${target[row]}`;
      found.set(key, [source[row] ?? 0, target[row] ?? 0, (found.get(key)?.[2] ?? 0) | bits]);
    }
  }
  return found;
}

class Meeting {
  readonly #rights: Rights;
  readonly #space: LabelSpace;
  #asked = 0;

  constructor(rights: Rights, space: LabelSpace) {
    this.#rights = rights;
    this.#space = space;
  }

  /** Permissions that rules give and only to labels that the constraint refuses; undefined where there were too many to ask. */
  unmet({ value }: ClassSymbol, { expression, permissions }: Constraint): number | undefined {
    const { view } = this.#rights.subject;
    const seen = new Set<string>();
    let given = 0;
    let met = 0;
    this.#asked = 0;
    for (const [from, to, bits] of givenKeys(view.policy, value, permissions).values()) {
      given |= bits;
      if ((bits & ~met) === 0) continue;
      for (const source of this.#rights.membersOf(from)) {
        for (const target of this.#rights.membersOf(to)) {
          const key = `${source} ${target} ${bits}`;
          if ((bits & ~met) === 0 || seen.has(key)) continue;
          seen.add(key);
          const isMet = this.#isMet(source, target, expression);
          if (isMet === undefined) return undefined;
          if (isMet) met |= bits;
        }
      }
    }
    return (given & ~met) >>> 0;
  }

  /** The labels of a type. That of a domain has a role; those of things have `object_r`. */
  #labelsOf(type: number): readonly Label[] {
    const all = this.#space.labelsOf(type);
    const ofDomains = all.filter(({ role }) => role !== OBJECT_R);
    return ofDomains.length > 0 ? ofDomains : all;
  }

  #isMet(from: number, to: number, expression: Constraint['expression']): boolean | undefined {
    const { view } = this.#rights.subject;
    for (const source of this.#labelsOf(from)) {
      for (const target of this.#labelsOf(to)) {
        if (this.#asked++ > PAIR_LIMIT) return undefined;
        if (constraintTree(expression, source, target, (role) => view.dominated(role))?.holds === true) return true;
      }
    }
    return false;
  }
}

/** Constraints that refuse all that rules give. Where there are too many labels to ask, none is found. */
export function lintConstraints(rights: Rights, report: Report): void {
  const { subject } = rights;
  const meeting = new Meeting(rights, new LabelSpace(subject.view, []));
  const places = new ConstraintPlaces(subject);
  for (const symbol of subject.view.policy.classes.entries) {
    for (const [i, constraint] of symbol.constraints.entries()) {
      const bits = meeting.unmet(symbol, constraint);
      if (bits === undefined || bits === 0) continue;
      const permissions = permissionNames(subject, symbol, bits).join(' ');
      report(lint['constraint-never-met'](places.of(symbol.name)[i], { class: symbol.name, permissions }));
    }
  }
}
