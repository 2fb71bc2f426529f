/**
 * Who of the domains that run could reach the memory of another one under one policy, and could not under another:
 * at once, or by what it could come to.
 *
 * Start reading at `newExposures`.
 *
 * @module
 */
import { type Access, isUnasked, type MemoryWay, type ReachAnswer, reach, type Step } from '@dewar/policy/analysis';
import type { Context } from '@dewar/policy/policydb';
import type { PolicyView } from '@dewar/policy/security-server';
import type { DomainState } from '@dewar/toolstack';

/** How long chains of steps are searched, for all guests together. */
const PATIENCE_MS = 10_000;

/** One domain and the memory of another. */
interface Exposure {
  readonly by: DomainState;
  readonly of: DomainState;
  /** Ways that are open at once, as sentences without their subject; none where there are steps. */
  readonly ways: readonly string[];
  /** What has to be done first, then next; the last step is the access. */
  readonly steps: readonly string[];
}

/** What was found. */
export interface Exposures {
  readonly found: readonly Exposure[];
  /** What was not searched, in words. */
  readonly bounds: readonly string[];
}

/**
 * Powers over the host, or over what is allowed, by which all guests are reached at once. They are told when they are new,
 * and are no step to something else: dom0 has one of them on most hosts, and would be told of nothing else.
 */
function isPower({ gives }: MemoryWay): boolean {
  return gives.kind === 'host' || gives.kind === 'policy';
}

type WaysByLabel = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Ways in words, by whose they are. */
function waysByLabel(view: PolicyView, access: readonly Access[]): WaysByLabel {
  const found = new Map<string, Map<string, string>>();
  for (const { holder, way } of access) {
    const label = view.text(holder);
    const ways = found.get(label) ?? new Map<string, string>();
    const condition = way.condition === undefined ? '' : `, if ${way.condition}`;
    found.set(label, ways.set(way.name, `${way.does}${condition}`));
  }
  return found;
}

/** What the domains with some labels may do to the memory of a guest. */
interface Reached {
  /** By label: ways that are open at once, by their names. */
  readonly direct: WaysByLabel;
  /** The same of powers over all guests. */
  readonly powers: WaysByLabel;
  /** By label: the steps that lead there. */
  readonly chains: ReadonlyMap<string, readonly Step[]>;
  readonly answer: ReachAnswer;
}

function reachOf(
  view: PolicyView,
  guest: Context,
  present: readonly Context[],
  initialSids: readonly string[],
  isOverdue: () => boolean,
): Reached {
  const setting = new Map(view.policy.booleans.entries.map(({ value }) => [value, view.booleans[value] === true]));
  const question = { build: guest, run: guest, setting, initialSids, present, isOverdue, isPassedOver: isPower };
  const answer = reach(view.policy, question);
  const running = answer.phases.filter(({ phase }) => phase === 'running').flatMap(({ access }) => access);
  const direct = waysByLabel(view, running.filter(isUnasked));
  const powers = waysByLabel(
    view,
    answer.powers.filter(({ way }) => isPower(way)),
  );
  const chains = new Map(
    answer.obtained
      .filter(({ phases }) => phases.includes('running'))
      .map(({ actor, steps }) => [view.text(actor), steps]),
  );
  return { direct, powers, chains, answer };
}

/** A step as a sentence. */
function stepText(view: PolicyView, { way, parties, gains, needs }: Step): string {
  const doer = parties.actor ?? needs[0];
  const who = doer === undefined ? '' : `\`${view.text(doer)}\` `;
  const whom = way.beneficiary === 'other' && parties.other !== undefined ? ` for \`${view.text(parties.other)}\`` : '';
  const condition = way.condition === undefined ? '' : `, if ${way.condition}`;
  const next = parties['new label'];
  const label = way.gives.kind === 'relabel' && next !== undefined ? `, \`${view.text(next)}\`` : '';
  const then = gains === undefined ? '' : `, and acts as \`${view.text(gains)}\``;
  return `${who}${way.does}${label}${whom}${condition}${then}`;
}

/**
 * The exposures that `after` brings; without `before`, all that it has. Both hold the booleans' values. `now` tells the
 * time in milliseconds.
 */
export function newExposures(
  domains: readonly DomainState[],
  before: PolicyView | undefined,
  after: PolicyView,
  initialSids: readonly string[],
  now: () => number = Date.now,
): Exposures {
  const end = now() + PATIENCE_MS;
  const isOverdue = (): boolean => now() >= end;
  const found: Exposure[] = [];
  const bounds = new Set<string>();
  const contexts = (view: PolicyView): Context[] =>
    domains.flatMap(({ label }) => {
      const context = view.readValid(label ?? '');
      return context === undefined ? [] : [context];
    });
  const known = new Map<string, { readonly old: Reached | undefined; readonly next: Reached } | undefined>();
  const compare = (label: string) => {
    const guest = after.readValid(label);
    if (guest === undefined) return undefined;
    const guestBefore = before?.readValid(label);
    const old =
      before === undefined || guestBefore === undefined
        ? undefined
        : reachOf(before, guestBefore, contexts(before), initialSids, isOverdue);
    return { old, next: reachOf(after, guest, contexts(after), initialSids, isOverdue) };
  };
  for (const of of domains) {
    const { label = '' } = of;
    if (!known.has(label)) known.set(label, compare(label));
    const reached = known.get(label);
    if (reached === undefined) continue;
    const { old, next } = reached;
    for (const bound of next.answer.bounds) bounds.add(bound);
    for (const bound of old?.answer.bounds ?? []) bounds.add(`of the policy before: ${bound}`);
    for (const by of domains) {
      const actor = after.readValid(by.label ?? '');
      if (by.domid === of.domid || actor === undefined) continue;
      const name = after.text(actor);
      const fresh = (now: WaysByLabel, then: WaysByLabel | undefined): string[] =>
        [...(now.get(name) ?? [])].filter(([way]) => then?.get(name)?.has(way) !== true).map(([, does]) => does);
      const ways = [...fresh(next.direct, old?.direct), ...fresh(next.powers, old?.powers)];
      if (ways.length > 0) found.push({ by, of, ways, steps: [] });
      const steps = next.chains.get(name);
      // Who had access at once, or could come to it, gains nothing new; what was not searched cannot be told.
      const had = old?.direct.has(name) === true || old?.chains.has(name) === true;
      if (steps !== undefined && !had && old?.answer.isSearched !== false)
        found.push({ by, of, ways: [], steps: steps.map((step) => stepText(after, step)) });
    }
  }
  return { found, bounds: [...bounds] };
}
