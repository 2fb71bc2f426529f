/**
 * Who may go the ways to all of a guest's memory, and those to powers over every guest: asked once for each label that the
 * guest can have.
 *
 * @module
 */
import { waysThatGive } from './acting.ts';
import type { Label } from './label-space.ts';
import { isWhole } from './reach-answer.ts';
import type { NumberedWay, NumberedWays, Parties, WaySearch } from './way-search.ts';
import type { GuestPhase, MemoryWay } from './way-types.ts';

/** A way, and one choice of parties for which all of its checks pass. */
export interface Passage {
  readonly way: MemoryWay;
  readonly parties: Parties;
}

/** A device model, how it comes to be one, and what it then may. */
export interface ModelPassage {
  readonly model: Label;
  readonly making: Passage;
  readonly access: Passage;
}

/** The answers, under the booleans that are set. */
export class Holders {
  readonly #search: WaySearch;
  readonly #fixed: Parties;
  readonly #whole: readonly NumberedWay[];
  readonly #host: readonly NumberedWay[];
  readonly #target: readonly NumberedWay[];
  readonly #booleans: readonly NumberedWay[];
  readonly #direct = new Map<string, ReadonlyMap<Label, Passage>>();
  readonly #models = new Map<Label, readonly ModelPassage[]>();
  readonly #powers = new Map<string, ReadonlyMap<Label, Passage>>();

  constructor(search: WaySearch, { ways }: NumberedWays, fixed: Parties) {
    this.#search = search;
    this.#fixed = fixed;
    this.#whole = ways.filter(({ way }) => way.consent === undefined && isWhole(way));
    this.#host = [...waysThatGive(ways, 'policy'), ...waysThatGive(ways, 'host')].sort(
      (a, b) => rank(a.way) - rank(b.way),
    );
    this.#target = waysThatGive(ways, 'target');
    this.#booleans = waysThatGive(ways, 'booleans');
  }

  /** Forgets what depended on booleans. */
  reset(): void {
    this.#direct.clear();
    this.#models.clear();
    this.#powers.clear();
  }

  /** Powers over the memory of every guest, and over the policy. */
  host(): ReadonlyMap<Label, Passage> {
    return this.#first('host', this.#host, this.#fixed);
  }

  /** Labels that may set booleans. */
  setters(): ReadonlyMap<Label, Passage> {
    return this.#first('booleans', this.#booleans, this.#fixed);
  }

  #first(key: string, ways: readonly NumberedWay[], known: Parties): ReadonlyMap<Label, Passage> {
    const before = this.#powers.get(key);
    if (before !== undefined) return before;
    const found = this.#passages(ways, known);
    this.#powers.set(key, found);
    return found;
  }

  #passages(ways: readonly NumberedWay[], known: Parties): ReadonlyMap<Label, Passage> {
    const found = new Map<Label, Passage>();
    for (const numbered of ways) {
      const { way } = numbered;
      for (const parties of this.#search.each(numbered, way.beneficiary, known)) {
        const holder = parties[way.beneficiary];
        if (holder !== undefined && !found.has(holder)) found.set(holder, { way, parties });
      }
    }
    return found;
  }

  /** Access to a guest with a label, by others than a device model of its own. */
  direct(guest: Label, phase: GuestPhase): ReadonlyMap<Label, Passage> {
    const ways = this.#whole.filter(({ way }) => way.phases.includes(phase));
    const key = `${guest.id}/${ways.length}`;
    const before = this.#direct.get(key);
    if (before !== undefined) return before;
    const found = this.#passages(ways, { ...this.#fixed, guest, 'guest label': guest });
    this.#direct.set(key, found);
    return found;
  }

  /** Device models of a guest with a label, each with every actor that can make it one. */
  models(guest: Label): readonly ModelPassage[] {
    const before = this.#models.get(guest);
    if (before !== undefined) return before;
    const known: Parties = { ...this.#fixed, guest, 'guest label': guest };
    const ways = this.#whole.filter(({ way }) => way.beneficiary === 'actor' && way.phases.includes('device model'));
    const found: ModelPassage[] = [];
    for (const numbered of this.#target) {
      for (const { other: model } of this.#search.each(numbered, 'other', known)) {
        const seen = model === undefined ? undefined : this.#search.decisions.domainLabel(guest, model);
        if (model === undefined || seen === undefined) continue;
        const access = this.#firstWay(ways, { ...known, actor: model, guest: seen });
        if (access === undefined) continue;
        for (const parties of this.#search.each(numbered, 'actor', { ...known, other: model }))
          found.push({ model, making: { way: numbered.way, parties }, access });
      }
    }
    this.#models.set(guest, found);
    return found;
  }

  #firstWay(ways: readonly NumberedWay[], known: Parties): Passage | undefined {
    for (const numbered of ways) {
      const parties = this.#search.find(numbered, known);
      if (parties !== undefined) return { way: numbered.way, parties };
    }
    return undefined;
  }
}

/** Ways that Xen's code alone decides come first, and of them those through the policy. */
function rank({ certainty, gives }: MemoryWay): number {
  return (certainty === 'depends' ? 2 : 0) + (gives.kind === 'policy' ? 0 : 1);
}
