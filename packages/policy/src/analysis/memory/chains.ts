/**
 * What those can come to who have no access to a guest: the shortest chain of steps for each, other domains and booleans
 * included.
 *
 * Start reading at `Chains`.
 *
 * @module
 */
import { Acting, type Reached, type Step, stepsTo, waysThatGive } from './acting.ts';
import type { BooleanSetting, Decisions, Request } from './decisions.ts';
import { Holders, type Passage } from './holders.ts';
import type { Label } from './label-space.ts';
import { changesTo, type Possible } from './possible-labels.ts';
import { isUnasked, isWhole, type Obtained, type PhaseAnswer } from './reach-answer.ts';
import { relevantTypes, sourcesOn } from './relevant-types.ts';
import type { NumberedWay, NumberedWays, Parties, WaySearch } from './way-search.ts';
import type { GuestPhase, Party } from './way-types.ts';

/** More labels on the way than this are not searched. */
const ACTOR_LIMIT = 4000;
const GUESTS: readonly Party[] = ['guest', 'guest label'];
const NO_CHANGES: ReadonlyMap<number, boolean> = new Map();

/** What the search is about. */
export interface ChainQuestion {
  readonly decisions: Decisions;
  readonly search: WaySearch;
  readonly numbered: NumberedWays;
  /** The labels of Xen's own things. */
  readonly fixed: Parties;
  readonly possible: Possible;
  /** The setting of booleans at first. */
  readonly present: BooleanSetting;
  readonly labelIn: (phase: GuestPhase) => Label;
  /** Whether there is no time left. */
  readonly isOverdue: () => boolean;
}

/** A setting that somebody can bring about. */
interface Setting {
  readonly values: BooleanSetting;
  readonly changes: ReadonlyMap<number, boolean>;
}

/** Labels that the guest can be given, with the steps that do it. */
type GuestLabels = Map<Label, readonly Step[]>;

/** The search for chains. */
export class Chains {
  readonly #q: ChainQuestion;
  readonly #bounds: string[];
  readonly #holders: Holders;
  readonly #relabel: readonly NumberedWay[];
  /** Whether all chains were searched; false where there were too many labels, or too little time. */
  isSearched = true;
  /** The booleans that are otherwise than at first while a search goes on. */
  #under = NO_CHANGES;

  /** `bounds` gets what is not searched. */
  constructor(question: ChainQuestion, bounds: string[]) {
    this.#q = question;
    this.#bounds = bounds;
    const { ways } = question.numbered;
    this.#holders = new Holders(question.search, question.numbered, question.fixed);
    this.#relabel = waysThatGive(ways, 'relabel');
  }

  /** The chains of all labels that have no access to the guest, phase by phase. */
  obtained(phases: readonly PhaseAnswer[]): Obtained[] {
    const { decisions, numbered, possible, search } = this.#q;
    const relevant = relevantTypes(decisions, numbered.ways, this.#ends(phases));
    const actors = [...possible.labels].filter(({ type }) => relevant.has(type)).sort((a, b) => a.id - b.id);
    if (actors.length > ACTOR_LIMIT) {
      this.isSearched = false;
      this.#bounds.push(`${actors.length} labels can be on the way; what they can come to was not searched`);
      return [];
    }
    const acting = new Acting(search, numbered, relevant);
    const found = new Map<string, { actor: Label; steps: readonly Step[]; phases: GuestPhase[] }>();
    const holdersIn = (among: readonly PhaseAnswer[]): Set<Label> =>
      new Set(among.flatMap(({ access }) => access.filter(isUnasked).map(({ holder }) => holder)));
    // A guest with a device model runs, and who reaches it otherwise still does.
    const direct = phases.map((one) =>
      holdersIn(one.phase === 'device model' ? phases.filter(({ phase }) => phase === 'running').concat(one) : [one]),
    );
    for (const [i, actor] of actors.entries()) {
      if (this.#q.isOverdue()) {
        this.isSearched = false;
        this.#bounds.push(
          `of ${actors.length} labels it was searched for ${i} what they can come to; then time was up`,
        );
        break;
      }
      const open = phases.filter((_, at) => direct[at]?.has(actor) !== true).map(({ phase }) => phase);
      if (open.length === 0) continue;
      for (const [phase, steps] of this.#chainsOf(actor, open, acting)) {
        const key = `${actor.id}/${steps.map((step) => step.way.name).join('/')}/${steps.length}`;
        const known = found.get(key);
        if (known === undefined) found.set(key, { actor, steps, phases: [phase] });
        else known.phases.push(phase);
      }
    }
    return [...found.values()];
  }

  #chainsOf(actor: Label, open: readonly GuestPhase[], acting: Acting): Map<GuestPhase, Step[]> {
    const chains = new Map<GuestPhase, Step[]>();
    const now = acting.from(actor);
    for (const phase of open) {
      const steps = this.#stepsIn(phase, now, this.#guestLabels(phase));
      if (steps !== undefined) chains.set(phase, steps);
    }
    const left = open.filter((phase) => !chains.has(phase));
    if (left.length > 0 && this.#q.possible.settings.length > 1 && this.#setter(now) !== undefined)
      this.#withBooleans(now, left, acting, chains);
    return chains;
  }

  /**
   * Chains with other values of booleans. As long as some label that is acted under may set booleans, what is gained under
   * one setting can be used under the next; a setting under which none may is the last one.
   */
  #withBooleans(now: Reached, left: readonly GuestPhase[], acting: Acting, chains: Map<GuestPhase, Step[]>): void {
    const { decisions, possible, present } = this.#q;
    const settings = possible.settings
      .map((values): Setting => ({ values, changes: changesTo(values, present, possible, decisions) }))
      .sort((a, b) => a.changes.size - b.changes.size);
    const setters = new Map<string, Step>();
    const guests = new Map(left.map((phase) => [phase, this.#guestLabels(phase)]));
    let reached = now;
    for (let isGrowing = true; isGrowing; ) {
      isGrowing = false;
      for (const { values, changes } of settings) {
        decisions.setBooleans(values);
        acting.reset();
        this.#holders.reset();
        this.#under = changes;
        const grown = marked(acting.from(reached), reached, changes);
        const setter = this.#setter(grown);
        if (setter !== undefined) {
          setters.set(changesKey(changes), setter);
          isGrowing ||= grown.size > reached.size;
          reached = grown;
        }
        for (const phase of left) {
          if (chains.has(phase)) continue;
          const known = guests.get(phase) ?? new Map();
          const labels = new Map(known);
          const steps = this.#stepsIn(phase, grown, labels);
          if (steps !== undefined) chains.set(phase, withSettings(steps, setters));
          if (setter === undefined) continue;
          isGrowing ||= labels.size > known.size;
          guests.set(phase, labels);
        }
      }
    }
    this.#under = NO_CHANGES;
    decisions.setBooleans(present);
    acting.reset();
    this.#holders.reset();
  }

  /** The guest's label at first; more are added as somebody can relabel it. */
  #guestLabels(phase: GuestPhase): GuestLabels {
    return new Map([[this.#q.labelIn(phase), []]]);
  }

  #step({ way, parties }: Passage, needs: readonly Label[]): Step {
    const step = { way, parties, gains: undefined, needs };
    return this.#under.size === 0 ? step : { ...step, under: this.#under };
  }

  /** The step by which one of the labels sets booleans. */
  #setter(reached: Reached): Step | undefined {
    const setters = this.#holders.setters();
    for (const label of reached.keys()) {
      const passage = setters.get(label);
      if (passage !== undefined) return this.#step(passage, [label]);
    }
    return undefined;
  }

  /** Types of labels that have access, or have it to a label that the guest can be given. */
  #ends(phases: readonly PhaseAnswer[]): Set<number> {
    const { decisions, numbered } = this.#q;
    const ends = new Set<number>();
    const guests = this.#guestTypes(phases);
    const add = (types: readonly number[]): void => {
      for (const type of types) ends.add(type);
    };
    for (const { way, checks } of numbered.ways) {
      const { kind } = way.gives;
      const isToGuest = kind === 'target' || kind === 'relabel' || (way.consent === undefined && isWhole(way));
      if (!isToGuest && kind !== 'host' && kind !== 'policy' && kind !== 'booleans') continue;
      const isAboutGuest = checks.some(({ target }) => GUESTS.includes(target));
      if (!isAboutGuest) {
        for (const check of checks) add(this.#sourcesOf(check));
        // Whoever gets something from a way is a target in it, where another one goes it.
        for (const check of checks) if (check.target === 'other') add(decisions.affectedTypes(check) ?? []);
        continue;
      }
      for (const guest of guests) {
        for (const [party, sources] of sourcesOn(decisions, checks, GUESTS, guest)) {
          add(sources);
          for (const other of checks.filter(({ target }) => party === 'other' && target === 'other'))
            for (const source of sources) add(decisions.sourceTypes(source, other));
        }
        for (const check of checks)
          if (check.source === 'guest label' && check.target === 'other')
            add(decisions.targetTypes(guest, check) ?? []);
      }
    }
    for (const { access } of phases) for (const { holder } of access.filter(isUnasked)) ends.add(holder.type);
    return ends;
  }

  #sourcesOf(check: Request & { readonly target: Party }): readonly number[] {
    const { decisions, fixed } = this.#q;
    const target = fixed[check.target];
    return target === undefined ? decisions.actingTypes(check) : decisions.sourceTypes(target.type, check);
  }

  /** Types that the guest can have, as far as rules say. */
  #guestTypes(phases: readonly PhaseAnswer[]): Set<number> {
    const types = new Set(phases.map(({ label }) => label.type));
    const queue = [...types];
    const transitions = this.#relabel.flatMap(({ checks }) => checks.filter(({ source }) => source === 'guest label'));
    for (let type = queue.pop(); type !== undefined; type = queue.pop()) {
      for (const check of transitions) {
        for (const next of this.#q.decisions.targetTypes(type, check) ?? []) {
          if (types.has(next)) continue;
          types.add(next);
          queue.push(next);
        }
      }
    }
    return types;
  }

  /** The fewest steps to access, for somebody who can act as the labels reached; undefined where there are none. */
  #stepsIn(phase: GuestPhase, reached: Reached, labels: GuestLabels): Step[] | undefined {
    const guest = this.#stepsToGuest(phase, reached, labels);
    const host = this.#stepsToHost(reached);
    if (guest === undefined || host === undefined) return guest ?? host;
    return host.length < guest.length ? host : guest;
  }

  #stepsToHost(reached: Reached): Step[] | undefined {
    const holders = this.#holders.host();
    for (const label of reached.keys()) {
      const passage = holders.get(label);
      if (passage !== undefined) return [...stepsTo(reached, label), this.#step(passage, [label])];
    }
    return undefined;
  }

  /** The steps to the guest itself, which may be relabelled on the way, or be given a device model. */
  #stepsToGuest(phase: GuestPhase, reached: Reached, before: GuestLabels): Step[] | undefined {
    const { fixed, search } = this.#q;
    for (const [label, prefix] of before) {
      const holders = this.#holders.direct(label, phase);
      for (const holder of reached.keys()) {
        const passage = holders.get(holder);
        if (passage !== undefined)
          return joined([...prefix, ...stepsTo(reached, holder)], [this.#step(passage, [holder])]);
      }
      const modelled = phase === 'dying' ? undefined : this.#stepsAsModel(label, reached);
      if (modelled !== undefined) return joined(prefix, modelled);
      for (const numbered of this.#relabel) {
        for (const actor of reached.keys()) {
          const known: Parties = { ...fixed, actor, 'guest label': label };
          for (const parties of search.each(numbered, 'new label', known)) {
            const next = parties['new label'];
            if (next === undefined || before.has(next)) continue;
            const step = this.#step({ way: numbered.way, parties }, [actor]);
            before.set(next, joined([...prefix, ...stepsTo(reached, actor)], [step]));
          }
        }
      }
    }
    return undefined;
  }

  #stepsAsModel(label: Label, reached: Reached): Step[] | undefined {
    for (const { model, making, access } of this.#holders.models(label)) {
      const { actor } = making.parties;
      if (actor === undefined || !reached.has(model) || !reached.has(actor)) continue;
      return joined(
        [...stepsTo(reached, actor), ...stepsTo(reached, model)],
        [this.#step(making, [actor, model]), this.#step(access, [model])],
      );
    }
    return undefined;
  }
}

/** Steps one after the other, each once. */
function joined(before: readonly Step[], after: readonly Step[]): Step[] {
  return [...new Set([...before, ...after])];
}

/** What was reached, with the setting in which each new step was done. */
function marked(grown: Reached, before: Reached, under: ReadonlyMap<number, boolean>): Reached {
  return new Map(
    [...grown].map(([label, step]) => [
      label,
      step === undefined || before.has(label) ? (before.get(label) ?? step) : { ...step, under },
    ]),
  );
}

function changesKey(changes: ReadonlyMap<number, boolean>): string {
  return [...changes].map(([boolean, value]) => `${boolean}=${value}`).join(',');
}

/** Puts a step that sets booleans before each one that is done under another setting than the one before. */
function withSettings(steps: readonly Step[], setters: ReadonlyMap<string, Step>): Step[] {
  const all: Step[] = [];
  let now = NO_CHANGES;
  for (const step of steps) {
    const under = step.under ?? NO_CHANGES;
    const setter = setters.get(changesKey(now));
    if (changesKey(under) !== changesKey(now) && setter !== undefined) all.push({ ...setter, under });
    now = under;
    all.push(step);
  }
  return all;
}
