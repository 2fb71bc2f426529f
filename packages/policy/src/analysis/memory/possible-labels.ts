/**
 * The labels that a domain can come to have: those that Xen gives at boot, those under which a domain can be made, and those
 * to which one can be relabelled, by domains that can be there themselves.
 *
 * A domain keeps its label when booleans change, so a label counts that it could get under any setting that the host can
 * be in. Follows: Xen `xen/xsm/flask/hooks.c` (`flask_domain_create`), `flask_op.c` (`flask_relabel_domain`).
 *
 * @module
 */
import type { BooleanSetting, Decisions, Request } from './decisions.ts';
import type { Label } from './label-space.ts';
import { requestOf } from './way-search.ts';

/** More booleans than this are not tried out. */
const BOOLEAN_LIMIT = 8;

/** What a host can come to. */
export interface Possible {
  readonly labels: ReadonlySet<Label>;
  /** Settings of booleans, the present one first. */
  readonly settings: readonly BooleanSetting[];
  /** Labels that may set booleans. */
  readonly setters: readonly Label[];
  /** Booleans that matter, by value. */
  readonly booleans: readonly number[];
  /** Where not every setting was tried: how many booleans there are. */
  readonly untriedBooleans: number;
}

/** Every setting of some booleans. */
export function allSettings(booleans: readonly number[]): BooleanSetting[] {
  return Array.from(
    { length: 1 << booleans.length },
    (_, bits) => new Map(booleans.map((boolean, i) => [boolean, ((bits >>> i) & 1) === 1])),
  );
}

/** What makes one label out of another. */
interface Makers {
  readonly create: Request | undefined;
  readonly relabelFrom: Request | undefined;
  readonly relabelTo: Request | undefined;
  readonly relabelSelf: Request | undefined;
  readonly transition: Request | undefined;
}

/**
 * Finds the labels that domains can come to have, and the settings of booleans that the host can come to.
 *
 * @param present the setting that the host has now
 * @param given labels that are known to be there
 * @param security the label of the security server; undefined where the policy has none
 */
export function possibleLabels(
  decisions: Decisions,
  present: BooleanSetting,
  booleans: readonly number[],
  given: readonly Label[],
  security: Label | undefined,
): Possible {
  const { policy } = decisions;
  const makers: Makers = {
    create: requestOf(policy, 'domain', ['create']),
    relabelFrom: requestOf(policy, 'domain2', ['relabelfrom']),
    relabelTo: requestOf(policy, 'domain2', ['relabelto']),
    relabelSelf: requestOf(policy, 'domain2', ['relabelself']),
    transition: requestOf(policy, 'domain', ['transition']),
  };
  const setBoolean = requestOf(policy, 'security', ['setbool']);
  const tried = booleans.length > BOOLEAN_LIMIT ? booleans.slice(0, BOOLEAN_LIMIT) : booleans;
  const labels = new Set<Label>(given);
  const setters = new Set<Label>();
  let settings: readonly BooleanSetting[] = [present];
  const making = Object.values(makers).filter((one: Request | undefined) => one !== undefined);
  for (;;) {
    const before = labels.size + setters.size + settings.length;
    // Under the other settings the same is decided.
    for (const setting of decisions.different(settings, making)) {
      decisions.setBooleans(setting);
      grow(decisions, makers, labels);
    }
    if (setBoolean !== undefined && security !== undefined) {
      const mayBe = new Set(decisions.sourceTypes(security.type, setBoolean));
      const candidates = [...labels].filter(({ type }) => mayBe.has(type));
      for (const setting of decisions.different(settings, [setBoolean])) {
        decisions.setBooleans(setting);
        for (const label of candidates) if (decisions.allows(label, security, setBoolean)) setters.add(label);
      }
    }
    if (settings.length === 1 && setters.size > 0 && tried.length > 0) {
      const others = allSettings(tried).filter((one) => !isSameSetting(one, present, tried, decisions));
      settings = [present, ...others];
    }
    if (before === labels.size + setters.size + settings.length) break;
  }
  decisions.setBooleans(present);
  const untriedBooleans = booleans.length - tried.length;
  return { labels, settings, setters: [...setters], booleans: tried, untriedBooleans };
}

/** The value that a setting gives a boolean. */
function booleanIn(setting: BooleanSetting, boolean: number, { policy }: Decisions): boolean {
  return setting.get(boolean) ?? policy.booleans.entries.find(({ value }) => value === boolean)?.state === true;
}

/** The booleans that a setting has otherwise than another. */
export function changesTo(
  setting: BooleanSetting,
  present: BooleanSetting,
  { booleans }: Pick<Possible, 'booleans'>,
  decisions: Decisions,
): ReadonlyMap<number, boolean> {
  const changes = new Map<number, boolean>();
  for (const boolean of booleans) {
    const value = booleanIn(setting, boolean, decisions);
    if (value !== booleanIn(present, boolean, decisions)) changes.set(boolean, value);
  }
  return changes;
}

function isSameSetting(
  a: BooleanSetting,
  b: BooleanSetting,
  booleans: readonly number[],
  decisions: Decisions,
): boolean {
  return booleans.every((one) => booleanIn(a, one, decisions) === booleanIn(b, one, decisions));
}

/** Adds what can be made out of the labels that are there, under the booleans that are set. */
function grow(decisions: Decisions, makers: Makers, labels: Set<Label>): void {
  const { create, relabelSelf, transition } = makers;
  const creating = new Set(create === undefined ? [] : decisions.actingTypes(create));
  const changing = new Set(relabelSelf === undefined ? [] : decisions.actingTypes(relabelSelf));
  const isActing = ({ type }: Label): boolean => creating.has(type) || changing.has(type);
  const queue = [...labels].filter(isActing);
  const add = (label: Label): void => {
    labels.add(label);
    if (isActing(label)) queue.push(label);
  };
  let isGrowing = true;
  while (isGrowing) {
    const size = labels.size;
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      if (create !== undefined && creating.has(at.type))
        for (const made of newTargets(decisions, at, create, labels)) add(made);
      if (relabelSelf === undefined || transition === undefined || !changing.has(at.type)) continue;
      for (const next of newTargets(decisions, at, relabelSelf, labels))
        if (decisions.allows(at, next, transition)) add(next);
    }
    relabelled(decisions, makers, labels, add);
    isGrowing = labels.size > size;
  }
}

/** The labels to which the source may do this, without those that are known: most are, and need not be asked about. */
function newTargets(decisions: Decisions, source: Label, request: Request, known: ReadonlySet<Label>): Label[] {
  return decisions
    .targetsAmong(source, request)
    .filter((one) => !known.has(one) && decisions.allows(source, one, request));
}

/** Labels to which some domain can relabel another. */
function relabelled(
  decisions: Decisions,
  { relabelFrom, relabelTo, transition }: Makers,
  labels: ReadonlySet<Label>,
  add: (label: Label) => void,
): void {
  if (relabelFrom === undefined || relabelTo === undefined || transition === undefined) return;
  const acting = new Set(decisions.actingTypes(relabelTo));
  for (const actor of [...labels]) {
    if (!acting.has(actor.type)) continue;
    const news = newTargets(decisions, actor, relabelTo, labels);
    if (news.length === 0) continue;
    const olds = new Map<number, Label[]>();
    for (const old of decisions.targetLabels(actor, relabelFrom)) {
      if (!labels.has(old)) continue;
      const known = olds.get(old.type);
      if (known === undefined) olds.set(old.type, [old]);
      else known.push(old);
    }
    for (const next of news) {
      // Rules say which types can come into question: few of those that somebody may relabel.
      const mayBecome = (type: number): boolean =>
        olds.get(type)?.some((old) => decisions.allows(old, next, transition)) === true;
      if (decisions.sourceTypes(next.type, transition).some(mayBecome)) add(next);
    }
  }
}
