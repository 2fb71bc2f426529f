/**
 * Who reaches the memory of a guest: directly, in each part of its life, and by what they can come to.
 *
 * The answer is exact for the checks that FLASK makes, over all labels that a domain can have and all settings of booleans
 * that the host can come to, within the bounds that it names. What FLASK is not asked about is in the conditions of the
 * ways. Start reading at `reach`.
 *
 * @module
 */
import type { Context, PolicyDb } from '../../policydb/index.ts';
import { waysThatGive } from './acting.ts';
import { Chains } from './chains.ts';
import { type BooleanSetting, Decisions } from './decisions.ts';
import type { Label } from './label-space.ts';
import { changesTo, type Possible, possibleLabels } from './possible-labels.ts';
import type { Access, Obtained, OtherSetting, PhaseAnswer } from './reach-answer.ts';
import { type NumberedWay, type NumberedWays, numberWays, type Parties, requestOf, WaySearch } from './way-search.ts';
import { GUEST_PHASES, type GuestPhase, type MemoryWay, type Party } from './way-types.ts';

/** What is asked. */
export interface ReachQuestion {
  /** The label that the guest is built under. */
  readonly build: Context;
  /** The label that it runs under; the same where nobody relabels it. */
  readonly run: Context;
  /** The values that the booleans have now; others have the policy's defaults. */
  readonly setting: BooleanSetting;
  /** Names of the initial SIDs of the release, the first one SID 1. */
  readonly initialSids: readonly string[];
  /** Labels that domains are known to have, beside those that follow from the policy. */
  readonly present?: readonly Context[];
  /**
   * Asked before each label of which it is searched what it can come to. Once the answer is yes the search ends, and a
   * bound tells so.
   */
  readonly isOverdue?: () => boolean;
  /** Ways that are to be no step of what somebody can come to; they are answered as access and powers all the same. */
  readonly isPassedOver?: (way: MemoryWay) => boolean;
}

/** The answer. */
export interface ReachAnswer {
  readonly phases: readonly PhaseAnswer[];
  /** Powers over all guests of the host, which need no other step. */
  readonly powers: readonly Access[];
  readonly obtained: readonly Obtained[];
  /** Whether chains were searched at all; a bound says why not. */
  readonly isSearched: boolean;
  readonly possible: Possible;
  /** What the search did not look at, in words; empty where it is exact. */
  readonly bounds: readonly string[];
  /** Ways that this policy has no permission for: it is made for another release of Xen. */
  readonly unknownWays: readonly MemoryWay[];
  readonly decisions: Decisions;
}

/** Answers who reaches a guest's memory. The policy must have been read from bytes. */
export function reach(policy: PolicyDb, question: ReachQuestion): ReachAnswer {
  return new Reach(policy, question).answer();
}

/** A setting of booleans, and what is otherwise in it than now. */
interface ChangedSetting {
  readonly setting: BooleanSetting;
  readonly changes: ReadonlyMap<number, boolean>;
  /** The ways to memory that somebody else may go then. */
  readonly ways: readonly NumberedWay[];
  /** The same for somebody who is the guest's device model: who that is can be otherwise too. */
  readonly modelWays: readonly NumberedWay[];
}

class Reach {
  readonly #question: ReachQuestion;
  readonly #numbered: NumberedWays;
  readonly #decisions: Decisions;
  readonly #search: WaySearch;
  readonly #possible: Possible;
  readonly #changedSettings: readonly ChangedSetting[];
  readonly #bounds: string[];
  /** Labels of initial SIDs that ways are about. */
  readonly #fixed: Parties;
  readonly #build: Label;
  readonly #run: Label;

  constructor(policy: PolicyDb, question: ReachQuestion) {
    this.#question = question;
    this.#numbered = numberWays(policy);
    const { present = [] } = question;
    const pinned = [question.build, question.run, ...present];
    this.#decisions = new Decisions(policy, pinned);
    const { labels } = this.#decisions;
    this.#build = labels.label(question.build);
    this.#run = labels.label(question.run);
    this.#fixed = fixedParties(this.#decisions, question.initialSids);
    const given = [...bootLabels(this.#decisions, question.initialSids), this.#build, this.#run];
    for (const one of present) given.push(labels.label(one));
    const booleans = this.#decisions.booleansBehind(this.#numbered.ways.flatMap(({ checks }) => checks));
    this.#possible = possibleLabels(this.#decisions, question.setting, booleans, given, this.#fixed.security);
    this.#changedSettings = this.#settingsToTry();
    const byType = new Map<number, Label[]>();
    for (const label of [...this.#possible.labels].sort((a, b) => a.id - b.id)) {
      const list = byType.get(label.type);
      if (list === undefined) byType.set(label.type, [label]);
      else list.push(label);
    }
    this.#search = new WaySearch(this.#decisions, (type) => byType.get(type) ?? []);
    this.#bounds = [...labels.bounds, ...labels.chainBounds];
    if (this.#possible.untriedBooleans > 0)
      this.#bounds.push(`${this.#possible.untriedBooleans} booleans were left as they are`);
  }

  answer(): ReachAnswer {
    const phases = GUEST_PHASES.map((phase) => this.#phase(phase));
    const powers = this.#powers();
    const { isPassedOver = () => false } = this.#question;
    const ways = this.#numbered.ways.filter(({ way }) => !isPassedOver(way));
    const chains = new Chains(
      {
        decisions: this.#decisions,
        search: this.#search,
        numbered: { ...this.#numbered, ways },
        fixed: this.#fixed,
        possible: this.#possible,
        present: this.#question.setting,
        labelIn: (phase) => this.#labelIn(phase),
        isOverdue: this.#question.isOverdue ?? (() => false),
      },
      this.#bounds,
    );
    const obtained = chains.obtained(phases);
    return {
      phases,
      powers,
      obtained,
      isSearched: chains.isSearched,
      possible: this.#possible,
      bounds: this.#bounds,
      unknownWays: this.#numbered.unknown,
      decisions: this.#decisions,
    };
  }

  /** The guest's own labels that a phase is about. */
  #labelIn(phase: GuestPhase): Label {
    return phase === 'built' ? this.#build : this.#run;
  }

  #phase(phase: GuestPhase): PhaseAnswer {
    const label = this.#labelIn(phase);
    this.#decisions.setBooleans(this.#question.setting);
    const ways = waysThatGive(this.#numbered.ways, 'memory');
    const access = this.#accessIn(phase, ways, ways);
    const otherSettings = this.#otherSettings(phase, access);
    this.#decisions.setBooleans(this.#question.setting);
    return { phase, label, access, otherSettings };
  }

  /** The settings beside the present one under which somebody else may have access, those with the fewest changes first. */
  #settingsToTry(): ChangedSetting[] {
    const { settings } = this.#possible;
    const memory = waysThatGive(this.#numbered.ways, 'memory');
    const target = waysThatGive(this.#numbered.ways, 'target');
    const changed = settings
      .map((setting) => ({
        setting,
        changes: changesTo(setting, this.#question.setting, this.#possible, this.#decisions),
      }))
      .sort((a, b) => a.changes.size - b.changes.size);
    const different = this.#decisions.different(
      changed.map(({ setting }) => setting),
      [...memory, ...target].flatMap(({ checks }) => checks),
    );
    return changed
      .filter(({ setting, changes }) => changes.size > 0 && different.includes(setting))
      .map((one) => {
        const isOther = ({ checks }: NumberedWay): boolean =>
          this.#decisions.different([this.#question.setting, one.setting], checks).length > 1;
        const ways = memory.filter(isOther);
        return { ...one, ways, modelWays: target.some(isOther) ? memory : ways };
      });
  }

  /** Access that other settings add, each with the fewest changes that bring it. */
  #otherSettings(phase: GuestPhase, now: readonly Access[]): OtherSetting[] {
    const known = new Set(now.map(accessKey));
    const others: OtherSetting[] = [];
    for (const { setting, changes, ways, modelWays } of this.#changedSettings) {
      this.#decisions.setBooleans(setting);
      const access = this.#accessIn(phase, ways, modelWays).filter((one) => !known.has(accessKey(one)));
      if (access.length === 0) continue;
      for (const one of access) known.add(accessKey(one));
      others.push({ changes, access });
    }
    return others;
  }

  /** Who has access in a phase by some ways, as a device model by others, under the booleans that are set. */
  #accessIn(phase: GuestPhase, ways: readonly NumberedWay[], modelWays: readonly NumberedWay[]): Access[] {
    if (phase !== 'device model') return this.#direct(this.#labelIn(phase), phase, ways);
    const own = new Set([this.#build, this.#run]);
    return [...own].flatMap((label) => this.#asTarget(label, modelWays));
  }

  /** Access to a label by ways that name it. */
  #direct(label: Label, phase: GuestPhase, ways: readonly NumberedWay[]): Access[] {
    const known: Parties = { ...this.#fixed, guest: label, 'guest label': label };
    return ways
      .filter(({ way }) => way.phases.includes(phase))
      .flatMap((numbered) => {
        const { way } = numbered;
        return [...this.#search.each(numbered, way.beneficiary, known)].flatMap((parties) =>
          access(way, parties, namesGuest(way) ? label : undefined),
        );
      });
  }

  /** Access of those that Xen can know as the device model of a guest with this label. */
  #asTarget(label: Label, ways: readonly NumberedWay[]): Access[] {
    const found: Access[] = [];
    const known: Parties = { ...this.#fixed, guest: label, 'guest label': label };
    for (const making of waysThatGive(this.#numbered.ways, 'target')) {
      for (const parties of this.#search.each(making, 'other', known)) {
        const model = parties.other;
        const seen = model === undefined ? undefined : this.#decisions.domainLabel(label, model);
        if (model === undefined || seen === undefined) continue;
        for (const numbered of ways) {
          if (numbered.way.beneficiary !== 'actor' || !numbered.way.phases.includes('device model')) continue;
          const gone = this.#search.find(numbered, { ...known, actor: model, guest: seen });
          if (gone !== undefined && namesGuest(numbered.way)) found.push(...access(numbered.way, gone, seen));
        }
      }
    }
    return found;
  }

  /** Powers over the host and the policy. */
  #powers(): Access[] {
    return this.#numbered.ways
      .filter(({ way }) => way.gives.kind === 'host' || way.gives.kind === 'policy' || way.gives.kind === 'booleans')
      .flatMap((numbered) =>
        [...this.#search.each(numbered, numbered.way.beneficiary, this.#fixed)].flatMap((parties) =>
          access(numbered.way, parties, undefined),
        ),
      );
  }
}

function access(way: MemoryWay, parties: Parties, sees: Label | undefined): Access[] {
  const holder = parties[way.beneficiary];
  return holder === undefined ? [] : [{ holder, way, parties, sees }];
}

function accessKey({ holder, way, sees }: Access): string {
  return `${holder.id}/${way.name}/${sees?.id ?? ''}`;
}

function namesGuest({ checks }: MemoryWay): boolean {
  return checks.some(({ source, target }) => source === 'guest' || target === 'guest');
}

/** The labels of Xen's own things that ways are about. */
function fixedParties({ view, labels }: Decisions, initialSids: readonly string[]): Parties {
  const of = (name: string): Label | undefined => {
    const context = initialContext(view.policy, initialSids, name);
    return context === undefined ? undefined : labels.label(context);
  };
  const found: Partial<Record<Party, Label | undefined>> = {
    xen: of('xen'),
    domxen: of('domxen'),
    security: of('security'),
    frames: of('iomem'),
  };
  return Object.fromEntries(Object.entries(found).filter(([, label]) => label !== undefined));
}

/** The label of an initial SID by its name in the release. */
export function initialContext(policy: PolicyDb, initialSids: readonly string[], name: string): Context | undefined {
  const sid = initialSids.indexOf(name) + 1;
  return policy.objectContexts.initialSids.find((one) => one.sid === sid)?.context;
}

/**
 * Labels that domains have without any being made under them.
 *
 * XEN: create_dom0() makes dom0; domains that Xen builds itself are unlabeled, and that of the shim has SID domU. From
 * 4.17 on xenboot needs `create` for each.
 */
export function bootLabels(decisions: Decisions, initialSids: readonly string[]): Label[] {
  const { labels, policy } = decisions;
  const of = (name: string): Label | undefined => {
    const context = initialContext(policy, initialSids, name);
    return context === undefined ? undefined : labels.label(context);
  };
  const dom0 = of('dom0');
  const boot = of('xenboot');
  const create = requestOf(policy, 'domain', ['create']);
  const others = [of('unlabeled'), of('domU')].filter(
    (one) => one !== undefined && boot !== undefined && create !== undefined && decisions.allows(boot, one, create),
  );
  return [dom0, ...others].filter((one) => one !== undefined);
}
