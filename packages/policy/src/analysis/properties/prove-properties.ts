/**
 * Proving properties of a policy: every label, every setting of its booleans, decided as the security server decides.
 *
 * The search is exact: the labels of a policy are finite, and those that no rule tells apart stand for each other. Where it
 * had to leave something out, the answer says so and is not `proved`.
 * Start reading at `proveProperties`.
 *
 * @module
 */
import { CEXPR_L1L2, type Context, type PolicyDb } from '../../policydb/index.ts';
import type { Diagnostic, Report } from '../../text/index.ts';
import { prove } from '../diagnostics.ts';
import { waysThatGive } from '../memory/acting.ts';
import { type BooleanSetting, Decisions, type Request } from '../memory/decisions.ts';
import { type Making, makingsOf, relabellingsOf } from '../memory/domain-lives.ts';
import type { Label } from '../memory/label-space.ts';
import { allSettings, possibleLabels } from '../memory/possible-labels.ts';
import { bootLabels, initialContext } from '../memory/reach.ts';
import { isWhole } from '../memory/reach-answer.ts';
import { type NumberedWay, numberWays, type Parties, type Pool, requestOf, WaySearch } from '../memory/way-search.ts';
import type { MemoryWay, Party } from '../memory/way-types.ts';
import { type LabelTest, labelTest, type Names, rightsOf, unknown } from './property-names.ts';
import type { Claim, Property, Rights } from './property-text.ts';

/** A check that passes, in a counterexample. */
export interface PassedCheck {
  readonly source: Label;
  readonly target: Label;
  readonly class: string;
  readonly permissions: readonly string[];
  /** Whether it is the one that is missing, rather than one that passes. */
  readonly isMissing: boolean;
  /** The booleans that matter, by value. */
  readonly setting: BooleanSetting;
}

/** Why a property does not hold. */
export interface Counterexample {
  /** What can be done, in words. */
  readonly what: string;
  readonly checks: readonly PassedCheck[];
  /** What it rests on beside the checks. */
  readonly condition: string | undefined;
  /** Labels in the checks that domains would have to have, and that no domain can be given. */
  readonly impossible: readonly Label[];
}

/** What came of one property. */
export interface ProvedProperty {
  readonly property: Property;
  readonly outcome: 'proved' | 'refuted' | 'undecided';
  readonly counterexample: Counterexample | undefined;
  /** How many settings of booleans were tried. */
  readonly settings: number;
}

/** What came of all. */
export interface Proof {
  readonly results: readonly ProvedProperty[];
  readonly diagnostics: readonly Diagnostic[];
  readonly decisions: Decisions;
  readonly bounds: readonly string[];
}

/** More booleans that matter than this are not tried out. */
const BOOLEAN_LIMIT = 12;
const GUEST_PARTIES: readonly Party[] = ['guest', 'guest label'];

/**
 * Decides whether properties hold of a policy that was read from bytes.
 *
 * @param initialSids names of the initial SIDs of the release, the first one SID 1
 */
export function proveProperties(
  policy: PolicyDb,
  properties: readonly Property[],
  initialSids: readonly string[],
): Proof {
  const diagnostics: Diagnostic[] = [];
  const report: Report = (one) => void diagnostics.push(one);
  const names: Names = { policy, report, pinned: [], userSets: [] };
  const tests = properties.map((property) => prepare(property, names));
  const decisions = new Decisions(policy, names.pinned, names.userSets);
  const bootType = initialContext(policy, initialSids, 'xenboot')?.type;
  const results: ProvedProperty[] = [];
  if (diagnostics.length > 0) return { results, diagnostics, decisions, bounds: [] };
  const bounds = new Set(decisions.labels.bounds);
  for (const prepared of tests) {
    results.push(new Prover(decisions, prepared, report, bootType, () => true).result());
    for (const bound of chainBoundsOf(prepared.property.claim, decisions)) bounds.add(bound);
  }
  if (results.every(({ counterexample }) => counterexample === undefined)) {
    return { results, diagnostics, decisions, bounds: [...bounds] };
  }
  const possible: ReadonlySet<Context> = labelsOfDomains(decisions, initialSids);
  const shown = results.map((result, i): ProvedProperty => {
    const { counterexample } = result;
    const prepared = tests[i];
    if (counterexample === undefined || prepared === undefined) return result;
    const impossible = impossibleIn(counterexample, possible);
    // A counterexample that can happen says more than one of labels that nobody has.
    const other =
      impossible.length === 0
        ? undefined
        : new Prover(decisions, prepared, report, bootType, (label) => possible.has(label)).result().counterexample;
    return other !== undefined && impossibleIn(other, possible).length === 0
      ? { ...result, counterexample: other }
      : { ...result, counterexample: { ...counterexample, impossible } };
  });
  return { results: shown, diagnostics, decisions, bounds: [...bounds] };
}

const REFUSAL_BOUND = ['levels that no name tells apart were not all tried for what is refused'];

/** What is not stood for in a claim about more than two labels at once. */
function chainBoundsOf({ kind }: Claim, { labels, policy }: Decisions): readonly string[] {
  if (kind === 'only' || kind === 'never') return [];
  if (labels.chainBounds.length > 0) return labels.chainBounds;
  // What must be refused is met by less, not by more.
  return kind === 'destroy' && labels.hasFreeLevels && levelsGuardDestruction(policy) ? REFUSAL_BOUND : [];
}

function levelsGuardDestruction({ classes }: PolicyDb): boolean {
  const domain = classes.byName.get('domain');
  const destroy = domain?.permissions.find(({ name }) => name === 'destroy');
  if (domain === undefined || destroy === undefined) return false;
  const bit = 1 << (destroy.value - 1);
  return domain.constraints.some(
    ({ permissions, expression }) =>
      (permissions & bit) !== 0 && expression.some((step) => step.kind === 'attribute' && step.attribute >= CEXPR_L1L2),
  );
}

/** The labels that domains can come to have, whatever the booleans. */
function labelsOfDomains(decisions: Decisions, initialSids: readonly string[]): ReadonlySet<Label> {
  const { policy, labels } = decisions;
  const requests = MAKING.flatMap(([tclass, permission]) => requestOf(policy, tclass, [permission]) ?? []);
  const security = initialContext(policy, initialSids, 'security');
  return possibleLabels(
    decisions,
    new Map(),
    decisions.booleansBehind(requests),
    bootLabels(decisions, initialSids),
    security === undefined ? undefined : labels.label(security),
  ).labels;
}

/** The labels in a counterexample that domains would have to have, and that no domain can be given. */
function impossibleIn({ checks }: Counterexample, possible: ReadonlySet<Context>): readonly Label[] {
  const domains = checks.flatMap(({ source, target, class: tclass }) =>
    tclass === 'domain' || tclass === 'domain2' ? [source, target] : [source],
  );
  return [...new Set(domains)].filter((label) => !possible.has(label));
}

/** What gives domains their labels, and what changes the booleans that it hangs on. */
const MAKING: readonly (readonly [tclass: string, permission: string])[] = [
  ['domain', 'create'],
  ['domain', 'transition'],
  ['domain2', 'relabelfrom'],
  ['domain2', 'relabelto'],
  ['domain2', 'relabelself'],
  ['security', 'setbool'],
];

/** A property with its names looked up. */
interface Prepared {
  readonly property: Property;
  readonly sets: ReadonlyMap<string, LabelTest>;
  readonly requests: readonly Request[];
  readonly fixed: BooleanSetting;
  readonly users: ReadonlySet<number>;
}

function prepare(property: Property, names: Names): Prepared {
  const { claim } = property;
  const sets = new Map<string, LabelTest>();
  const add = (key: string, set: Parameters<typeof labelTest>[0] | undefined): void => {
    if (set !== undefined) sets.set(key, labelTest(set, names));
  };
  let requests: readonly Request[] = [];
  const users = new Set<number>();
  switch (claim.kind) {
    case 'memory':
      add('but', claim.but);
      add('guest', claim.guest);
      break;
    case 'only':
    case 'never':
      add('who', claim.who);
      add('on', claim.on);
      requests = rightsOf(claim.rights, names);
      break;
    case 'relabel':
      add('from', claim.from);
      add('to', claim.to);
      break;
    case 'users apart':
      for (const name of claim.users) {
        const found = names.policy.users.byName.get(name.text);
        if (found === undefined) unknown(names, 'user', name, names.policy.users.byName.keys());
        else users.add(found.value);
      }
      names.userSets.push(users);
      add('among', claim.among);
      break;
    case 'destroy':
      break;
  }
  const fixed = new Map<number, boolean>();
  for (const { name, value } of property.when) {
    const found = names.policy.booleans.byName.get(name.text);
    if (found === undefined) unknown(names, 'boolean', name, names.policy.booleans.byName.keys());
    else fixed.set(found.value, value);
  }
  if (claim.kind === 'never' && claim.acrossUsers) names.userSets.push(new Set());
  return { property, sets, requests, fixed, users };
}

class Prover {
  readonly #decisions: Decisions;
  readonly #prepared: Prepared;
  readonly #report: Report;
  readonly #types: readonly number[];
  readonly #search: WaySearch;
  readonly #ways: readonly NumberedWay[];
  /** The type under which Xen makes domains at boot. */
  readonly #bootType: number | undefined;
  /** The labels that act, and that guests have. */
  readonly #isDomain: LabelTest;
  #setting: BooleanSetting = new Map();

  constructor(
    decisions: Decisions,
    prepared: Prepared,
    report: Report,
    bootType: number | undefined,
    isDomain: LabelTest,
  ) {
    this.#bootType = bootType;
    this.#isDomain = isDomain;
    this.#decisions = decisions;
    this.#prepared = prepared;
    this.#report = report;
    this.#types = decisions.policy.types.entries.filter(({ kind }) => kind === 'type').map(({ value }) => value);
    this.#search = new WaySearch(decisions, (type) => this.#domainsOf(type));
    this.#ways = numberWays(decisions.policy).ways;
  }

  result(): ProvedProperty {
    const { property, fixed } = this.#prepared;
    const { claim } = property;
    const booleans = this.#decisions.booleansBehind(this.#requests(claim)).filter((one) => !fixed.has(one));
    if (booleans.length > BOOLEAN_LIMIT) {
      this.#report(
        prove['too-many-booleans'](property.origin, { count: String(booleans.length), limit: String(BOOLEAN_LIMIT) }),
      );
      return { property, outcome: 'undecided', counterexample: undefined, settings: 0 };
    }
    const settings = allSettings(booleans).map((one): BooleanSetting => new Map([...fixed, ...one]));
    if (!this.#hasSubject(claim)) return { property, outcome: 'undecided', counterexample: undefined, settings: 0 };
    const counterexample = this.#refute(claim, settings);
    const isBounded = this.#decisions.labels.bounds.length > 0 || chainBoundsOf(claim, this.#decisions).length > 0;
    const outcome = counterexample !== undefined ? 'refuted' : isBounded ? 'undecided' : 'proved';
    return { property, outcome, counterexample, settings: settings.length };
  }

  /** A property about labels that do not exist says nothing, and is most likely a slip. */
  #hasSubject(claim: Claim): boolean {
    const { sets, property } = this.#prepared;
    const key = { memory: 'guest', only: 'on', never: 'on', relabel: 'from', destroy: '', 'users apart': 'among' }[
      claim.kind
    ];
    const test = sets.get(key);
    if (test === undefined || this.#labels(test).length > 0) return true;
    this.#report(prove['no-label'](property.origin, {}));
    return false;
  }

  #requests(claim: Claim): readonly Request[] {
    const named = (list: readonly (readonly [string, string])[]): Request[] =>
      list.flatMap(([tclass, permission]) => requestOf(this.#decisions.policy, tclass, [permission]) ?? []);
    switch (claim.kind) {
      case 'memory':
      case 'users apart':
        return this.#ways
          .filter(({ way }) => way.gives.kind === 'memory' || way.gives.kind === 'target')
          .flatMap(({ checks }) => checks);
      case 'destroy':
        return named([
          ['domain', 'create'],
          ['domain', 'destroy'],
          ['domain', 'transition'],
          ['domain2', 'relabelfrom'],
          ['domain2', 'relabelto'],
        ]);
      case 'relabel':
        return named([
          ['domain', 'transition'],
          ['domain2', 'relabelfrom'],
          ['domain2', 'relabelto'],
          ['domain2', 'relabelself'],
        ]);
      default:
        return this.#prepared.requests;
    }
  }

  #labels(test: LabelTest): Label[] {
    return this.#types.flatMap((type) => this.#decisions.labels.labelsOf(type).filter(test));
  }

  #domainsOf(type: number): readonly Label[] {
    return this.#decisions.labels.labelsOf(type).filter(this.#isDomain);
  }

  /** The labels of domains that count: whether others may do something need not be asked. */
  #domainsBut(isExcused: LabelTest): Pool {
    return (type) => this.#domainsOf(type).filter((one) => !isExcused(one));
  }

  #set(setting: BooleanSetting): void {
    this.#setting = setting;
    this.#decisions.setBooleans(setting);
  }

  #test(key: string): LabelTest {
    return this.#prepared.sets.get(key) ?? (() => true);
  }

  #refute(claim: Claim, settings: readonly BooleanSetting[]): Counterexample | undefined {
    if (claim.kind === 'destroy') return this.#refuteDestroy(settings);
    if (claim.kind === 'relabel') return this.#refuteRelabel(settings);
    for (const setting of settings) {
      this.#set(setting);
      const found =
        claim.kind === 'memory'
          ? this.#refuteMemory(claim)
          : claim.kind === 'users apart'
            ? this.#refuteApart()
            : this.#refuteRights(claim);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #passed(
    source: Label,
    target: Label,
    tclass: string,
    permissions: readonly string[],
    isMissing = false,
    setting: BooleanSetting = this.#setting,
  ): PassedCheck {
    return { source, target, class: tclass, permissions, isMissing, setting };
  }

  #refuteRights(claim: Claim & { readonly kind: 'only' | 'never' }): Counterexample | undefined {
    const isActor = claim.kind === 'only' ? (label: Label) => !this.#test('who')(label) : this.#test('who');
    const isTarget = this.#test('on');
    const [verb, rights]: [string, Rights] = [claim.kind, claim.rights];
    for (const [i, request] of this.#prepared.requests.entries()) {
      const permission = rights.permissions[i]?.text ?? '';
      for (const sourceType of this.#decisions.actingTypes(request)) {
        const targets = this.#decisions.targetTypes(sourceType, request) ?? this.#types;
        for (const source of this.#domainsOf(sourceType).filter(isActor)) {
          for (const targetType of targets) {
            for (const target of this.#decisions.labels.labelsOf(targetType).filter(isTarget)) {
              if (claim.kind === 'never' && claim.acrossUsers && source.user === target.user) continue;
              if (!this.#decisions.allows(source, target, request)) continue;
              const checks = [this.#passed(source, target, rights.class.text, [permission])];
              const what = verb === 'only' ? 'somebody else may' : 'it is allowed';
              return { what, checks, condition: undefined, impossible: [] };
            }
          }
        }
      }
    }
    return undefined;
  }

  #refuteMemory(claim: Claim & { readonly kind: 'memory' }): Counterexample | undefined {
    const isExcused = claim.but === undefined ? () => false : this.#test('but');
    const isMeant = ({ gives, phases, consent }: MemoryWay): boolean => {
      if (gives.kind !== 'memory' || consent !== undefined) return false;
      const isWanted =
        (claim.reads && gives.access.includes('read')) ||
        (claim.writes && gives.access.includes('write')) ||
        gives.isControl;
      return (
        isWanted && (gives.extent === 'all' || gives.isControl) && phases.some((one) => claim.phases.includes(one))
      );
    };
    const ways = this.#ways.filter(({ way }) => isMeant(way));
    const isModelled = claim.phases.includes('device model');
    const isOwn = claim.phases.some((one) => one !== 'device model');
    for (const guest of this.#labels(this.#test('guest')).filter(this.#isDomain)) {
      const found =
        (isOwn ? this.#directly(ways, guest, isExcused) : undefined) ??
        (isModelled ? this.#asModel(ways, guest, isExcused) : undefined);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #directly(ways: readonly NumberedWay[], guest: Label, isExcused: LabelTest): Counterexample | undefined {
    for (const numbered of ways) {
      const known: Parties = { guest, 'guest label': guest };
      const among = this.#domainsBut(isExcused);
      for (const parties of this.#search.each(numbered, numbered.way.beneficiary, known, among))
        return this.#counterexample(numbered.way, parties, []);
    }
    return undefined;
  }

  #asModel(ways: readonly NumberedWay[], guest: Label, isExcused: LabelTest): Counterexample | undefined {
    const known: Parties = { guest, 'guest label': guest };
    for (const making of waysThatGive(this.#ways, 'target')) {
      for (const made of this.#search.each(making, 'other', known, this.#domainsBut(isExcused))) {
        const model = made.other;
        const seen = model === undefined ? undefined : this.#decisions.domainLabel(guest, model);
        if (model === undefined || seen === undefined) continue;
        for (const numbered of ways.filter(({ way }) => way.beneficiary === 'actor')) {
          const parties = this.#search.find(numbered, { ...known, actor: model, guest: seen });
          if (parties !== undefined)
            return this.#counterexample(numbered.way, parties, this.#checksOf(making.way, made));
        }
      }
    }
    return undefined;
  }

  #refuteApart(): Counterexample | undefined {
    const { users } = this.#prepared;
    const isAmong = this.#test('among');
    const isOne: LabelTest = (label) => users.has(label.user) && isAmong(label);
    const ways = this.#ways.filter(
      ({ way }) =>
        way.gives.kind === 'memory' &&
        (isWhole(way) || ['granted pages', 'service pages', 'registers'].includes(way.gives.extent)),
    );
    for (const guest of this.#labels(isOne).filter(this.#isDomain)) {
      const isExcused: LabelTest = (label) => label.user === guest.user || !isOne(label);
      const found = this.#directly(ways, guest, isExcused) ?? this.#asModel(ways, guest, isExcused);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #checksOf(way: MemoryWay, parties: Parties): PassedCheck[] {
    return way.checks.flatMap(({ source, target, class: tclass, permissions }) => {
      const of = (party: Party): Label | undefined =>
        party === 'self' && parties.actor !== undefined
          ? (this.#decisions.domainLabel(parties.actor, parties.actor) ?? parties.actor)
          : parties[party];
      const [from, to] = [of(source === 'guest' ? 'guest label' : source), of(target)];
      return from === undefined || to === undefined ? [] : [this.#passed(from, to, tclass, permissions)];
    });
  }

  #counterexample(way: MemoryWay, parties: Parties, before: readonly PassedCheck[]): Counterexample {
    const checks = [...before, ...this.#checksOf(way, parties)];
    const isAboutGuest = way.checks.some(({ target }) => GUEST_PARTIES.includes(target));
    return { what: isAboutGuest ? `somebody ${way.does}` : way.does, checks, condition: way.condition, impossible: [] };
  }

  /** Who may create a domain may end it, also under a label that they give it, whatever booleans are then. */
  #refuteDestroy(settings: readonly BooleanSetting[]): Counterexample | undefined {
    const destroy = requestOf(this.#decisions.policy, 'domain', ['destroy']);
    if (destroy === undefined) return undefined;
    // Xen itself makes domains at boot, and ends none.
    const makings = makingsOf(this.#decisions, settings, (type) =>
      type === this.#bootType ? [] : this.#domainsOf(type),
    );
    for (const setting of settings) {
      this.#set(setting);
      for (const making of makings) {
        const { by, made } = making;
        if (this.#decisions.allows(by, made, destroy)) continue;
        const missing = this.#passed(by, made, 'domain', ['destroy'], true);
        return {
          what: 'a domain can be made that its creator cannot destroy',
          checks: [...this.#makingChecks(making), missing],
          condition: undefined,
          impossible: [],
        };
      }
    }
    return undefined;
  }

  #makingChecks({ by, first, made, setting }: Making): PassedCheck[] {
    const created = this.#passed(by, first, 'domain', ['create'], false, setting);
    if (first === made) return [created];
    return [
      created,
      this.#passed(by, first, 'domain2', ['relabelfrom'], false, setting),
      this.#passed(by, made, 'domain2', ['relabelto'], false, setting),
      this.#passed(first, made, 'domain', ['transition'], false, setting),
    ];
  }

  /** Relabels one after the other, each under a setting of its own. */
  #refuteRelabel(settings: readonly BooleanSetting[]): Counterexample | undefined {
    const isEnd = this.#test('to');
    const reached = new Map<Label, readonly PassedCheck[]>();
    let frontier = this.#labels(this.#test('from')).filter(this.#isDomain);
    for (const one of frontier) reached.set(one, []);
    while (frontier.length > 0) {
      const nexts: Label[] = [];
      for (const setting of settings) {
        this.#set(setting);
        for (const old of frontier) {
          for (const [next, checks] of this.#relabels(old)) {
            const all = [...(reached.get(old) ?? []), ...checks];
            if (isEnd(next))
              return { what: 'a relabel leads there', checks: all, condition: undefined, impossible: [] };
            if (reached.has(next)) continue;
            reached.set(next, all);
            nexts.push(next);
          }
        }
      }
      frontier = nexts;
    }
    return undefined;
  }

  /** Labels that a domain can be given, by itself or by another. */
  *#relabels(old: Label): Generator<readonly [Label, readonly PassedCheck[]]> {
    for (const { next, actor } of relabellingsOf(this.#decisions, old, (type) => this.#domainsOf(type))) {
      const last = this.#passed(old, next, 'domain', ['transition']);
      const before =
        actor === undefined
          ? [this.#passed(old, next, 'domain2', ['relabelself'])]
          : [this.#passed(actor, old, 'domain2', ['relabelfrom']), this.#passed(actor, next, 'domain2', ['relabelto'])];
      yield [next, [...before, last]];
    }
  }
}
