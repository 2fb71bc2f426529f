/**
 * What a rule about changes of label would open: a domain that somebody is kept out of could be given a label whose memory
 * he maps.
 *
 * A change of label takes three rules (XEN: `flask_op.c`, `flask_relabel_domain`). The right to take a label away, and the
 * right to change from one to another, are told each by itself: what is missing beside may come with the next fix.
 *
 * @module
 */
import type { Context } from '../policydb/index.ts';
import { sourceTypes } from './label-faults.ts';
import type { PairBits } from './macro-calls.ts';
import { permissionBit, type Subject } from './subject.ts';

/** Who could map the memory of a domain after its label changed, and could not before. */
export interface RelabelOpening {
  readonly does: string;
  /** What must hold beside. */
  readonly condition: string;
  /** All that it takes is there. */
  readonly isWhole: boolean;
  readonly source: Context;
  readonly target: Context;
}

/** Those that are told of one rule. */
const TOLD = 3;

/** Who may do what to a type, as far as changes of label are about it. */
export class Relabelling {
  readonly #subject: Subject;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** The types that the rules in force let do something of this to a type. */
  whoMay(className: string, permissions: readonly string[], target: number): ReadonlySet<number> {
    const tclass = this.#subject.view.policy.classes.byName.get(className);
    if (tclass === undefined) return new Set();
    const bits = permissions.reduce((sum, name) => sum | permissionBit(this.#subject, tclass, name), 0);
    return new Set(sourceTypes(this.#subject, target, tclass, bits));
  }

  whoMaps(type: number): ReadonlySet<number> {
    return this.whoMay('mmu', ['map_read', 'map_write'], type);
  }

  /** The bits of a pair that are one permission of a class. */
  gives(pair: PairBits, className: string, permission: string): boolean {
    const tclass = this.#subject.view.policy.classes.byName.get(className);
    if (tclass === undefined || tclass.value !== pair.tclass) return false;
    return (permissionBit(this.#subject, tclass, permission) & pair.bits) !== 0;
  }

  /** Whether a type is one that domains have, and not the one that the pair is of already. */
  maps(actor: number, others: Iterable<number>): boolean {
    for (const type of others) if (type !== actor && this.whoMaps(type).has(actor)) return true;
    return false;
  }
}

/**
 * What a fix opens by a change of label. `domainTypes` are types that domains are made with. `source` and `target` give the
 * users, roles and ranges of the two labels.
 */
export function relabelOpenings(
  subject: Subject,
  pair: PairBits,
  source: Context,
  target: Context,
  domainTypes: () => Iterable<number>,
): RelabelOpening[] {
  const relabelling = new Relabelling(subject);
  const actor = { ...source, type: pair.source };
  const other = { ...target, type: pair.target };
  if (relabelling.gives(pair, 'domain2', 'relabelfrom') && pair.source !== pair.target) {
    const isOpen = relabelling.whoMaps(pair.target).has(pair.source);
    if (isOpen || !relabelling.maps(pair.source, domainTypes())) return [];
    const does = 'takes its label away, and could give it one whose memory it maps';
    const condition = 'the domain may change to such a label, and the actor give it';
    return [{ does, condition, isWhole: false, source: actor, target: other }];
  }
  if (!relabelling.gives(pair, 'domain', 'transition') || pair.source === pair.target) return [];
  const before = relabelling.whoMaps(pair.source);
  const after = relabelling.whoMaps(pair.target);
  const gaining = [...after].filter((type) => !before.has(type) && type !== pair.source && type !== pair.target);
  const from = relabelling.whoMay('domain2', ['relabelfrom'], pair.source);
  const to = relabelling.whoMay('domain2', ['relabelto'], pair.target);
  const isWhole = [...from].some((type) => to.has(type));
  const condition = 'somebody changes the label of a domain that runs';
  return gaining.slice(0, TOLD).map((type) => ({
    does: 'maps its pages once it has its other label',
    condition,
    isWhole,
    source: { ...source, type },
    target: actor,
  }));
}
