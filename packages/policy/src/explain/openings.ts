/**
 * What a rule would open: ways to a guest's memory, or to power over the policy, that it completes.
 *
 * The ways are those of `MEMORY_WAYS`. Only ways between the two types are looked at, with the labels of the log: a chain
 * over a third domain is what `dewar reach` finds.
 *
 * @module
 */
import { MEMORY_WAYS, type MemoryWay, type Party, type WayCheck } from '../analysis/index.ts';
import { AVTAB_TRANSITION, type Context } from '../policydb/index.ts';
import { creatableTypes, sourceTypes } from './label-faults.ts';
import type { PairBits } from './macro-calls.ts';
import { Relabelling, relabelOpenings } from './relabel-openings.ts';
import { initialContext, permissionBit, type Subject, typeName } from './subject.ts';

/** A way that a fix completes. */
export interface Opening {
  /** As in `MEMORY_WAYS`. */
  readonly way: string;
  /** What the source can then do, as a sentence without its subject. */
  readonly does: string;
  readonly gives: MemoryWay['gives'];
  /** What must hold beside. */
  readonly condition: string | undefined;
  /** The fix alone opens it; else it gives a part, and what is missing of the same check must be given too. */
  readonly isWhole: boolean;
  /**
   * No domain of the target's type can be made as the policy stands, and with the fix the source makes them: who builds a
   * guest writes its memory, so that nothing is opened that was closed.
   */
  readonly isForBuilding: boolean;
  readonly source: Context;
  readonly target: Context;
}

/** What somebody can do already. */
interface Reach {
  read: boolean;
  write: boolean;
}

class Openings {
  readonly #subject: Subject;
  readonly #extra: readonly PairBits[];

  constructor(subject: Subject, extra: readonly PairBits[]) {
    this.#subject = subject;
    this.#extra = extra;
  }

  #allowed(source: Context, target: Context, one: WayCheck, withExtra: boolean): boolean {
    const { view } = this.#subject;
    const tclass = view.policy.classes.byName.get(one.class);
    if (tclass === undefined) return false;
    let { allowed } = view.computeAv(source, target, tclass.value);
    if (withExtra) {
      for (const pair of this.#extra) {
        if (pair.source !== source.type || pair.target !== target.type || pair.tclass !== tclass.value) continue;
        allowed |= pair.bits & ~view.constrained(source, target, tclass.value, pair.bits);
      }
    }
    const has = (name: string): boolean => (allowed & permissionBit(this.#subject, tclass, name)) !== 0;
    return one.isAnyEnough ? one.permissions.some(has) : one.permissions.every(has);
  }

  #party(party: Party, actor: Context, guest: Context): Context | undefined {
    switch (party) {
      case 'actor':
        return actor;
      case 'guest':
      case 'guest label':
      case 'device':
        return guest;
      case 'self': {
        const { view } = this.#subject;
        return view.newContext(actor, actor, view.domainClass, AVTAB_TRANSITION);
      }
      // Somebody else who takes part: dom0, which hands devices out.
      case 'other':
        return initialContext(this.#subject, 'dom0');
      case 'xen':
      case 'domxen':
      case 'security':
        return initialContext(this.#subject, party);
      default:
        return undefined;
    }
  }

  /** Whether the extra gives a part of the one check that a way needs. */
  isPart({ checks }: MemoryWay, actor: Context, guest: Context): boolean {
    const [one, ...more] = checks;
    if (one === undefined || more.length > 0 || one.isAnyEnough) return false;
    const source = this.#party(one.source, actor, guest);
    const target = this.#party(one.target, actor, guest);
    if (source === undefined || target === undefined) return false;
    return one.permissions.some((name) => {
      const single = { ...one, permissions: [name] };
      return this.#allowed(source, target, single, true) && !this.#allowed(source, target, single, false);
    });
  }

  isOpen({ checks }: MemoryWay, actor: Context, guest: Context, withExtra: boolean): boolean {
    return checks.every((one) => {
      const source = this.#party(one.source, actor, guest);
      const target = this.#party(one.target, actor, guest);
      return source !== undefined && target !== undefined && this.#allowed(source, target, one, withExtra);
    });
  }
}

/** Ways that need no third party, and nothing of the guest. */
const WAYS = MEMORY_WAYS.filter(({ beneficiary, consent, gives, checks }) => {
  if (beneficiary !== 'actor' || consent !== undefined) return false;
  if (checks.some((one) => one.target === 'other')) return false;
  if (gives.kind === 'memory') return true;
  return gives.kind === 'host' || gives.kind === 'policy' || gives.kind === 'booleans';
});

/** Power over the whole host is no reason to be silent about a guest: a policy may hold it back by other means. */
function addReach(reach: Reach, { gives }: MemoryWay): void {
  if (gives.kind !== 'memory' || gives.extent !== 'all') return;
  if (gives.access !== 'write') reach.read = true;
  if (gives.access !== 'read') reach.write = true;
}

function isNew(reach: Reach, { gives }: MemoryWay): boolean {
  if (gives.kind !== 'memory') return true;
  return (gives.access !== 'write' && !reach.read) || (gives.access !== 'read' && !reach.write);
}

/**
 * Whether no domain of a type can be made: nobody who may create one can write its memory, and no domain of another type
 * may become one of it.
 */
function isUnbuilt(subject: Subject, type: number): boolean {
  const { view } = subject;
  const [domain, mmu] = [view.policy.classes.byName.get('domain'), view.policy.classes.byName.get('mmu')];
  if (domain === undefined || mmu === undefined) return false;
  const create = permissionBit(subject, domain, 'create');
  const transition = permissionBit(subject, domain, 'transition');
  const write = permissionBit(subject, mmu, 'map_write');
  if (sourceTypes(subject, type, domain, transition).some((other) => other !== type)) return false;
  const writers = new Set(sourceTypes(subject, type, mmu, write));
  return !sourceTypes(subject, type, domain, create).some((other) => writers.has(other));
}

/** Whether a fix makes the source one that creates domains of the target's type, or it is one already. */
function isBuilder(subject: Subject, extra: readonly PairBits[], source: number, target: number): boolean {
  const domain = subject.view.policy.classes.byName.get('domain');
  if (domain === undefined) return false;
  const create = permissionBit(subject, domain, 'create');
  const given = extra
    .filter((pair) => pair.source === source && pair.target === target && pair.tclass === domain.value)
    .reduce((bits, pair) => bits | pair.bits, subject.view.ruleVectors(source, target, domain.value).allowed);
  return (given & create) !== 0;
}

/** A label change gives all of the memory. */
const BY_RELABELLING: MemoryWay['gives'] = {
  kind: 'memory',
  access: 'read and write',
  extent: 'all',
  isControl: false,
};

/** Access that somebody comes to by a change of label that a rule is a part of. */
function byRelabelling(subject: Subject, pair: PairBits, source: Context, target: Context): Opening[] {
  const domainTypes = (): number[] => creatableTypes(subject);
  return relabelOpenings(subject, pair, source, target, domainTypes)
    .filter((one) => !isUnbuilt(subject, one.target.type))
    .map((one) => ({ ...one, way: 'relabel', gives: BY_RELABELLING, isForBuilding: false }));
}

/** How many types whose memory is gained are told. */
const TOLD = 3;

/**
 * What a domain gains that becomes one of another type: a guest that may take the label of dom0 may do all that dom0 may.
 * XEN: `flask_op.c`, `flask_relabel_domain`: who changes its own label is asked `relabelself`, and always `transition`.
 */
function byBecoming(
  subject: Subject,
  openings: Openings,
  extra: readonly PairBits[],
  { source: from, target: to }: PairBits,
  source: Context,
  target: Context,
): Opening[] {
  if (from === to) return [];
  const given = extra.filter((pair) => pair.source === from && pair.target === to);
  const relabelling = new Relabelling(subject);
  const gives = (tclass: string, permission: string): boolean =>
    given.some((pair) => relabelling.gives(pair, tclass, permission));
  const isSelf = gives('domain2', 'relabelself');
  if (!isSelf && !gives('domain2', 'relabelto') && !gives('domain', 'transition')) return [];
  const actor = { ...source, type: from };
  const other = { ...target, type: to };
  const has = (tclass: string, permission: string): boolean =>
    gives(tclass, permission) || relabelling.whoMay(tclass, [permission], to).has(from);
  const isWhole = has('domain', 'transition') && has('domain2', 'relabelself');
  const name = typeName(subject, to);
  const base = { way: 'become', condition: undefined, isWhole, isForBuilding: false, source: actor };
  const power = WAYS.find(
    (way) =>
      way.gives.kind !== 'memory' &&
      openings.isOpen(way, other, other, false) &&
      !openings.isOpen(way, actor, actor, false),
  );
  if (power !== undefined)
    return [{ ...base, does: `becomes one of \`${name}\`, and ${power.does}`, gives: power.gives, target: other }];
  const does = `maps its pages once it has become one of \`${name}\``;
  return creatableTypes(subject)
    .filter((type) => {
      const who = relabelling.whoMaps(type);
      return type !== from && type !== to && who.has(to) && !who.has(from);
    })
    .slice(0, TOLD)
    .map((type) => ({ ...base, does, gives: BY_RELABELLING, target: { ...target, type } }));
}

/**
 * The ways that are open with the extra permissions and not without, where they give more than the source has already.
 * `source` and `target` give the users, roles and ranges of the two labels.
 */
export function openingsOf(subject: Subject, extra: readonly PairBits[], source: Context, target: Context): Opening[] {
  const openings = new Openings(subject, extra);
  const pairs = new Map<string, PairBits>();
  for (const pair of extra) pairs.set(`${pair.source} ${pair.target}`, pair);
  const found: Opening[] = [];
  // XEN: `domio` owns the pages of devices; which of them a domain may map is asked of their labels.
  const deviceMemory = initialContext(subject, 'domio')?.type;
  for (const pair of pairs.values()) {
    if (pair.target === deviceMemory) continue;
    const actor = { ...(pair.source === target.type ? target : source), type: pair.source };
    const guest = { ...(pair.target === source.type ? source : target), type: pair.target };
    const before: Reach = { read: false, write: false };
    const open: { way: MemoryWay; isWhole: boolean }[] = [];
    for (const way of WAYS) {
      if (openings.isOpen(way, actor, guest, false)) addReach(before, way);
      else if (openings.isOpen(way, actor, guest, true)) open.push({ way, isWhole: true });
      else if (openings.isPart(way, actor, guest)) open.push({ way, isWhole: false });
    }
    const isAnyWhole = open.some(({ isWhole }) => isWhole);
    const isForBuilding =
      open.length > 0 && isBuilder(subject, extra, actor.type, guest.type) && isUnbuilt(subject, guest.type);
    for (const { way, isWhole } of open) {
      if (!isNew(before, way) || (isAnyWhole && !isWhole)) continue;
      const { name, does, gives, condition } = way;
      found.push({ way: name, does, gives, condition, isWhole, isForBuilding, source: actor, target: guest });
    }
  }
  for (const pair of extra) found.push(...byRelabelling(subject, pair, source, target));
  for (const pair of pairs.values()) found.push(...byBecoming(subject, openings, extra, pair, source, target));
  return found;
}
