/**
 * Whose hands a domain can come to use: starting from one label, all labels of domains that it can make do what it likes.
 *
 * A domain acts as another one that it controls (whose memory it writes, or whose registers it sets), as itself under a label
 * that it takes, as a domain that it controls under the label that it gives it, and as a guest whose device model it
 * controls. Start reading at `Acting`.
 *
 * @module
 */
import type { Label } from './label-space.ts';
import type { NumberedWay, NumberedWays, Parties, Pool, WaySearch } from './way-search.ts';
import type { MemoryWay } from './way-types.ts';

/** One thing that is done. */
export interface Step {
  readonly way: MemoryWay;
  readonly parties: Parties;
  /** The label that somebody acts under afterwards; undefined for a last step. */
  readonly gains: Label | undefined;
  /** Labels that must be acted under before. */
  readonly needs: readonly Label[];
  /** The booleans that have other values than at first when it is done, by value. */
  readonly under?: ReadonlyMap<number, boolean>;
}

/** What one label can come to act under: for each label the last step to it; none for the first. */
export type Reached = ReadonlyMap<Label, Step | undefined>;

/** Whether a way lets somebody decide what the domain does. */
export function isControl({ way }: NumberedWay): boolean {
  return way.gives.kind === 'memory' && way.gives.isControl && way.beneficiary === 'actor';
}

/** Ways by what they give. */
export function waysThatGive(ways: readonly NumberedWay[], kind: string): NumberedWay[] {
  return ways.filter(({ way }) => way.gives.kind === kind);
}

/** A search through what labels can come to act as, within some types that matter. */
export class Acting {
  readonly search: WaySearch;
  readonly #control: readonly NumberedWay[];
  readonly #ownLabel: readonly NumberedWay[];
  readonly #relabel: readonly NumberedWay[];
  readonly #target: readonly NumberedWay[];
  readonly #pool: Pool;
  readonly #any: Pool;
  readonly #single = new Map<Label, readonly Step[]>();

  /** `relevant`: the types that can be on the way to what is looked for. */
  constructor(search: WaySearch, { ways }: NumberedWays, relevant: ReadonlySet<number>) {
    this.search = search;
    this.#control = ways.filter(isControl);
    this.#ownLabel = waysThatGive(ways, 'own label');
    this.#relabel = waysThatGive(ways, 'relabel');
    this.#target = waysThatGive(ways, 'target');
    const { labels } = search.decisions;
    this.#pool = (type) => (relevant.has(type) ? search.domains(type) : []);
    this.#any = (type) => (relevant.has(type) ? labels.labelsOf(type) : []);
  }

  /** Forgets what depended on booleans. */
  reset(): void {
    this.#single.clear();
  }

  /** Everything that a label can come to act as, the label itself included, in the order of steps. */
  from(start: Label | Reached): Reached {
    const reached = new Map<Label, Step | undefined>(isReached(start) ? start : [[start, undefined]]);
    let frontier = [...reached.keys()];
    while (frontier.length > 0) {
      const steps = frontier.flatMap((one) => this.#alone(one));
      steps.push(...this.#together(reached, new Set(frontier)));
      frontier = [];
      for (const step of steps) {
        if (step.gains === undefined || reached.has(step.gains)) continue;
        reached.set(step.gains, step);
        frontier.push(step.gains);
      }
    }
    return reached;
  }

  /** Steps that one label needs no other for. */
  #alone(actor: Label): readonly Step[] {
    const known = this.#single.get(actor);
    if (known !== undefined) return known;
    const steps: Step[] = [];
    for (const way of this.#control) {
      for (const parties of this.search.each(way, 'guest', { actor }, this.#pool))
        steps.push({ way: way.way, parties, gains: parties['guest label'], needs: [actor] });
    }
    for (const way of this.#ownLabel) {
      for (const parties of this.search.each(way, 'new label', { actor }, this.#any))
        steps.push({ way: way.way, parties, gains: parties['new label'], needs: [actor] });
    }
    const byLabel = new Map(steps.toReversed().map((step) => [step.gains, step]));
    const kept = [...byLabel.values()].toReversed();
    this.#single.set(actor, kept);
    return kept;
  }

  /** Steps that need two labels, at least one of them new. */
  #together(reached: Reached, news: ReadonlySet<Label>): Step[] {
    const steps: Step[] = [];
    for (const actor of reached.keys()) {
      for (const way of this.#relabel) {
        if (!this.#mayAct(way, actor)) continue;
        for (const old of reached.keys()) {
          if (!news.has(actor) && !news.has(old)) continue;
          for (const parties of this.search.each(way, 'new label', { actor, 'guest label': old }, this.#any))
            steps.push({ way: way.way, parties, gains: parties['new label'], needs: [actor, old] });
        }
      }
      for (const way of this.#target) {
        if (!this.#mayAct(way, actor)) continue;
        for (const model of reached.keys()) {
          if (!news.has(actor) && !news.has(model)) continue;
          for (const parties of this.search.each(way, 'guest', { actor, other: model }, this.#pool)) {
            const guest = parties['guest label'];
            if (guest !== undefined && this.#controlsTarget(model, guest) !== undefined)
              steps.push({ way: way.way, parties, gains: guest, needs: [actor, model] });
          }
        }
      }
    }
    return steps;
  }

  /** Whether any rule lets the label make the checks of a way that are about its actor. */
  #mayAct({ checks }: NumberedWay, actor: Label): boolean {
    return checks.every((one) => one.source !== 'actor' || this.search.decisions.actingTypes(one).includes(actor.type));
  }

  /** The way in which a device model decides what its guest does. */
  #controlsTarget(model: Label, guest: Label): Parties | undefined {
    const seen = this.search.decisions.domainLabel(guest, model);
    if (seen === undefined) return undefined;
    for (const way of this.#control) {
      const found = this.search.find(way, { actor: model, guest: seen, 'guest label': guest });
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function isReached(start: Label | Reached): start is Reached {
  return start instanceof Map;
}

/** The steps to a label, first things first. */
export function stepsTo(reached: Reached, label: Label): Step[] {
  const steps: Step[] = [];
  const seen = new Set<Label>();
  const visit = (one: Label): void => {
    if (seen.has(one)) return;
    seen.add(one);
    const step = reached.get(one);
    if (step === undefined) return;
    for (const need of step.needs) visit(need);
    steps.push(step);
  };
  visit(label);
  return steps;
}
