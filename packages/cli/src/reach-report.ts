/**
 * The report of `dewar reach` for a reader.
 *
 * @module
 */
import type { Access, GuestPhase, Label, MemoryExtent, Obtained, PhaseAnswer, Step } from '@dewar/policy/analysis';
import { gapLines } from './gap-lines.ts';
import { policyTitle } from './host-session.ts';
import { placeLine } from './place-line.ts';
import { Evidence, NOT_COVERED, type Operations, operations, type ShownCheck, settingNames } from './reach-json.ts';
import type { ReachResult } from './reach-result.ts';
import { type Colours, coloursFor, printLine, safeLine, type Terminal } from './terminal.ts';

const PHASE_TITLES: Readonly<Record<GuestPhase, string>> = {
  built: 'while it is built',
  running: 'while it runs',
  saved: 'while it is saved',
  'device model': 'with its device model',
  dying: 'while it dies',
};
const EXTENTS: Readonly<Record<MemoryExtent, string>> = {
  all: 'all of it',
  registers: 'its registers',
  'service pages': 'its grant table and service pages',
  'granted pages': 'pages that it grants',
  messages: 'Argo messages',
  placement: 'where its frames are',
  emulation: 'what it asks of emulated devices',
  metadata: 'which pages it has and changes',
};
/** Labels of one type that are named one by one. */
const NAMED_LABELS = 3;
/** Places of rules that are shown for one check. */
const PLACES = 2;

/** Prints the answer. */
export async function printReach(result: ReachResult, isVerbose: boolean, terminal: Terminal): Promise<void> {
  const report = new Report(result, await Evidence.of(result), isVerbose, coloursFor(terminal.out));
  report.head();
  const phases = report.grouped(result.answer.phases);
  for (const group of phases) report.phase(group);
  report.operations(await operations(result));
  report.obtained(result.answer.obtained);
  report.powers(result.answer.powers);
  report.end();
  for (const line of report.lines) printLine(terminal.out, line);
}

/** Phases that have the same answer. */
interface PhaseGroup {
  readonly phases: readonly GuestPhase[];
  readonly answer: PhaseAnswer;
}

class Report {
  readonly lines: string[] = [];
  readonly #result: ReachResult;
  readonly #evidence: Evidence;
  readonly #isVerbose: boolean;
  readonly #colours: Colours;
  /** How many labels that a domain can have are of each type. */
  readonly #labelCounts = new Map<number, number>();

  constructor(result: ReachResult, evidence: Evidence, isVerbose: boolean, colours: Colours) {
    for (const { type } of result.answer.possible.labels)
      this.#labelCounts.set(type, (this.#labelCounts.get(type) ?? 0) + 1);
    this.#result = result;
    this.#evidence = evidence;
    this.#isVerbose = isVerbose;
    this.#colours = colours;
  }

  head(): void {
    const { answer, build, run, guestName, policyName } = this.#result;
    const { labels, view } = answer.decisions;
    const [built, runs] = [safeLine(labels.text(build)), safeLine(labels.text(run))];
    if (guestName !== undefined) this.lines.push(`guest     ${this.#colours.strong(safeLine(guestName))}`);
    this.lines.push(`runs as   ${runs}`);
    if (built !== runs) this.lines.push(`built as  ${built}`);
    this.lines.push(`policy    ${policyTitle(policyName)}`);
    const { booleans } = answer.possible;
    const values = this.#values(new Map(booleans.map((one) => [one, view.booleans[one] === true])));
    if (values !== '') this.lines.push(`booleans  ${values}`);
  }

  /** Phases with the same label and the same access are one. */
  grouped(phases: readonly PhaseAnswer[]): PhaseGroup[] {
    const groups: { phases: GuestPhase[]; answer: PhaseAnswer; key: string }[] = [];
    for (const answer of phases) {
      const all = [answer.access, ...answer.otherSettings.map(({ access }) => access)];
      const key = `${answer.label.id}/${all.map((one) => one.map((a) => `${a.holder.id} ${a.way.name} ${a.sees?.id}`).join()).join(';')}`;
      const known = groups.find((one) => one.key === key);
      if (known === undefined) groups.push({ phases: [answer.phase], answer, key });
      else known.phases.push(answer.phase);
    }
    return groups;
  }

  phase({ phases, answer }: PhaseGroup): void {
    if (answer.phase === 'device model' && answer.access.length === 0 && answer.otherSettings.length === 0) return;
    const title = phases.map((phase) => PHASE_TITLES[phase]).join(', ');
    this.lines.push('', `${this.#colours.strong(title)}, as ${this.#text(answer.label)}`);
    this.#accessLines(answer.access, answer.phase === 'device model');
    for (const { changes, access } of answer.otherSettings) {
      const whole = access.filter((one) => this.#result.shows(one.holder));
      if (whole.length === 0) continue;
      this.lines.push(`  and with ${this.#values(changes)}:`);
      this.#accessLines(access, false, '  ', true);
    }
  }

  #accessLines(access: readonly Access[], isModel: boolean, indent = '', isMore = false): void {
    const shown = access.filter(({ holder }) => this.#result.shows(holder));
    const isWhole = ({ way }: Access): boolean =>
      way.gives.kind === 'memory' && way.consent === undefined && (way.gives.extent === 'all' || way.gives.isControl);
    const whole = shown.filter(isWhole);
    const part = shown.filter((one) => !isWhole(one) && one.way.consent === undefined);
    const consented = shown.filter(({ way }) => way.consent !== undefined);
    if (whole.length === 0 && !isMore) {
      const who = isModel ? 'no device model' : 'nobody but the guest itself';
      this.lines.push(`${indent}  ${this.#colours.good(`${who} reads or writes its memory`)}`);
    }
    for (const [ways, holders] of this.#byHolders(whole)) {
      this.lines.push(`${indent}  ${this.#colours.warning(this.#who(holders))} ${accessWords(ways)}`);
      const most = this.#isVerbose ? ways : ways.slice(0, 2);
      for (const one of most) this.#wayLines(one, `${indent}    `);
      const rest = ways.slice(most.length).map(({ way }) => way.name);
      if (rest.length > 0) this.lines.push(`${indent}    ${this.#colours.faint(`and by ${rest.join(', ')}`)}`);
    }
    for (const [ways, holders] of this.#byHolders(part))
      this.lines.push(
        `${indent}  in part: ${this.#who(holders)}: ${extentWords(ways)} ${this.#colours.faint(`(${ways.map(({ way }) => way.name).join(', ')})`)}`,
      );
    for (const [ways, holders] of this.#byHolders(consented))
      this.lines.push(
        `${indent}  by its consent: ${this.#who(holders)}: ${extentWords(ways)} ${this.#colours.faint(`(${ways.map(({ way }) => way.name).join(', ')})`)}`,
      );
  }

  /** Holders that have the same ways, together. */
  #byHolders(access: readonly Access[]): Map<readonly Access[], Label[]> {
    const ways = new Map<Label, Access[]>();
    for (const one of access) {
      const list = ways.get(one.holder);
      if (list === undefined) ways.set(one.holder, [one]);
      else if (!list.some(({ way }) => way === one.way)) list.push(one);
    }
    const groups = new Map<string, { ways: readonly Access[]; holders: Label[] }>();
    for (const [holder, list] of ways) {
      const key = `${list.map(({ way }) => way.name).join()}`;
      const known = groups.get(key);
      if (known === undefined) groups.set(key, { ways: list, holders: [holder] });
      else known.holders.push(holder);
    }
    return new Map([...groups.values()].map(({ ways: list, holders }) => [list, holders]));
  }

  #wayLines({ way, parties, sees }: Access, indent: string): void {
    const seen = sees === undefined || sees === parties['guest label'] ? '' : `, which it sees as ${this.#text(sees)}`;
    this.lines.push(`${indent}${way.does}${seen}`);
    this.#checkLines(this.#evidence.checks(way, parties), indent);
    if (this.#isVerbose && way.condition !== undefined) this.lines.push(`${indent}  if ${way.condition}`);
    if (this.#isVerbose) this.lines.push(`${indent}  ${this.#colours.faint(way.restsOn)}`);
  }

  #checkLines(checks: readonly ShownCheck[], indent: string): void {
    for (const check of checks) {
      const rights = `${check.class} { ${check.permissions.join(' ')} }`;
      this.lines.push(`${indent}  ${this.#short(check.source)} → ${this.#short(check.target)}  ${rights}`);
      const places = [...new Set(check.places.map(placeLine))];
      const shown = this.#isVerbose ? places : places.slice(0, PLACES);
      for (const place of shown) this.lines.push(`${indent}    ${this.#colours.faint(place)}`);
      if (places.length === 0)
        for (const rule of check.rules.slice(0, 1))
          this.lines.push(`${indent}    ${this.#colours.faint(safeLine(rule))}`);
      if (check.rules.length === 0)
        this.lines.push(`${indent}    ${this.#colours.faint('the type of the source is permissive')}`);
    }
  }

  operations({ save, relabel, passthrough, around }: Operations): void {
    if (save.length > 0) {
      const missing = save.filter(({ isAllowed }) => !isAllowed);
      this.lines.push('', this.#colours.strong('saving and migrating it'));
      this.lines.push(
        missing.length === 0
          ? '  dom0 may'
          : `  dom0 may not: ${byClass(missing)} ${missing.length === 1 ? 'is' : 'are'} missing`,
      );
    }
    if (relabel.length > 0) {
      this.lines.push('', this.#colours.strong('the change of its label'));
      for (const one of relabel) this.#verdict(one);
    }
    for (const { phase, self, channel } of relabel.length > 0 ? around : [])
      this.lines.push(`  ${PHASE_TITLES[phase]}: it is ${self} to itself, and its event channels are ${channel}`);
    if (passthrough.length > 0) {
      this.lines.push('', this.#colours.strong('giving it the device'));
      for (const one of passthrough) this.#verdict(one);
      const [add, addDevice, ...uses] = passthrough;
      const isGiven = add?.isAllowed === true && addDevice?.isAllowed === true;
      const allowed = uses.filter(({ isAllowed }) => isAllowed).map(({ permission }) => permission);
      this.lines.push(
        isGiven && allowed.length > 0
          ? `  it can be given, where Xen asks for ${allowed.join(' or ')}`
          : '  it cannot be given',
      );
    }
  }

  #verdict({ source, target, class: tclass, permission, isAllowed }: Operations['save'][number]): void {
    const verdict = isAllowed ? this.#colours.good('granted') : this.#colours.error('denied ');
    this.lines.push(
      `  ${verdict}  ${this.#short(this.#text(source))} → ${this.#short(this.#text(target))}  ${tclass} ${permission}`,
    );
  }

  obtained(all: readonly Obtained[]): void {
    const shown = all.filter(({ actor }) => this.#result.shows(actor));
    this.lines.push('', this.#colours.strong('who can come to its memory otherwise'));
    if (shown.length === 0) {
      const isSearched = this.#result.answer.isSearched;
      this.lines.push(
        `  ${isSearched ? this.#colours.good('nobody') : this.#colours.warning('not searched: see below')}`,
      );
    }
    const groups = new Map<string, { first: Obtained; actors: Label[] }>();
    for (const one of shown) {
      const key = `${one.actor.type}/${one.phases.join()}/${one.steps.map(({ way }) => way.name).join()}`;
      const known = groups.get(key);
      if (known === undefined) groups.set(key, { first: one, actors: [one.actor] });
      else known.actors.push(one.actor);
    }
    for (const { first, actors } of groups.values()) {
      const helpers = [
        ...new Set(first.steps.flatMap((step) => helpersIn(step).map((one) => this.#short(this.#text(one))))),
      ];
      const help = helpers.length === 0 ? '' : `, with the help of ${helpers.join(', ')}`;
      this.lines.push(
        `  ${this.#colours.warning(this.#who(actors))}${help}, ${first.phases.map((phase) => PHASE_TITLES[phase]).join(', ')}`,
      );
      for (const [i, step] of first.steps.entries()) this.#stepLines(step, first.steps.length > 1 ? `${i + 1}. ` : '');
    }
  }

  #stepLines({ way, parties, gains, under, needs }: Step, number: string): void {
    const depends = way.certainty === 'depends' && way.condition !== undefined ? `, if ${way.condition}` : '';
    const sets =
      way.gives.kind === 'booleans' && under !== undefined ? `: ${this.#values(under) || 'as they were'}` : '';
    const doer = parties.actor ?? needs[0];
    const who = doer === undefined ? '' : `${this.#short(this.#text(doer))} `;
    const whom =
      way.beneficiary === 'other' && parties.other !== undefined
        ? `, for ${this.#short(this.#text(parties.other))}`
        : '';
    const then = gains === undefined ? '' : `, and acts as ${this.#short(this.#text(gains))}`;
    this.lines.push(`    ${number}${who}${way.does}${whom}${sets}${depends}${then}`);
    this.#checkLines(this.#evidence.checks(way, parties), '    ');
  }

  powers(all: readonly Access[]): void {
    const shown = all.filter(({ holder }) => this.#result.shows(holder));
    if (shown.length === 0) return;
    this.lines.push('', this.#colours.strong('powers over all guests of the host'));
    const byWay = new Map<string, Access[]>();
    for (const one of shown) {
      const known = byWay.get(one.way.name);
      if (known === undefined) byWay.set(one.way.name, [one]);
      else known.push(one);
    }
    for (const list of byWay.values()) {
      const [first] = list;
      if (first === undefined) continue;
      const { way } = first;
      const depends =
        way.certainty === 'depends' && way.condition !== undefined ? this.#colours.faint(`, if ${way.condition}`) : '';
      const who = this.#who(list.map(({ holder }) => holder));
      const doers = this.#who(list.flatMap(({ parties }) => parties.actor ?? []));
      this.lines.push(
        way.beneficiary === 'other' ? `  for ${who}: ${doers} ${way.does}${depends}` : `  ${who} ${way.does}${depends}`,
      );
      if (this.#isVerbose) this.#checkLines(this.#evidence.checks(way, first.parties), '  ');
    }
  }

  end(): void {
    const { answer } = this.#result;
    this.lines.push('', this.#colours.strong('not covered'));
    for (const one of NOT_COVERED) this.lines.push(`  ${one}`);
    for (const line of gapLines(this.#result.release)) this.lines.push(`  ${line}`);
    for (const one of answer.bounds) this.lines.push(`  ${this.#colours.warning('bound:')} ${one}`);
    if (answer.unknownWays.length > 0)
      this.lines.push(`  the policy has no permission for ${answer.unknownWays.map(({ name }) => name).join(', ')}`);
  }

  /** `name=1` for each boolean. */
  #values(booleans: ReadonlyMap<number, boolean>): string {
    const named = Object.entries(settingNames(this.#result, booleans));
    return named.map(([name, value]) => `${safeLine(name)}=${value ? 1 : 0}`).join(' ');
  }

  #text(label: Label): string {
    return safeLine(this.#result.answer.decisions.labels.text(label));
  }

  #short(text: string): string {
    return safeLine(text.split(':')[2] ?? text);
  }

  /** The types of labels; where not every label of a type that a domain can have is meant, the labels. */
  #who(holders: readonly Label[]): string {
    const { answer } = this.#result;
    const byType = new Map<number, Label[]>();
    for (const one of new Set(holders)) {
      const known = byType.get(one.type);
      if (known === undefined) byType.set(one.type, [one]);
      else known.push(one);
    }
    const parts = [...byType].map(([type, labels]) => {
      const name = safeLine(answer.decisions.view.names.types[type] ?? '');
      if (labels.length === this.#labelCounts.get(type)) return name;
      const named = labels.slice(0, NAMED_LABELS).map((one) => this.#text(one));
      const more = labels.length - named.length;
      return more === 0 ? named.join(', ') : `${named.join(', ')} and ${more} more of ${name}`;
    });
    return parts.join(', ');
  }
}

/** Domains that must do something in a step, and are not in the hands of whoever takes it. */
function helpersIn({ way, parties, needs }: Step): Label[] {
  const acting = way.checks.map(({ source }) => source);
  const doers = [parties.actor, acting.includes('other') ? parties.other : undefined];
  return doers
    .filter((one) => one !== undefined && !needs.some(({ type }) => type === one.type))
    .flatMap((one) => one ?? []);
}

function accessWords(access: readonly Access[]): string {
  const gives = access.map(({ way }) => way.gives);
  const has = (what: 'read' | 'write'): boolean =>
    gives.some((one) => one.kind === 'memory' && (one.access.includes(what) || one.isControl));
  if (has('read') && has('write')) return 'reads and writes it';
  return has('read') ? 'reads it' : 'writes it';
}

function extentWords(access: readonly Access[]): string {
  const words = access.flatMap(({ way }) => (way.gives.kind === 'memory' ? [EXTENTS[way.gives.extent]] : []));
  return [...new Set(words)].join(', ');
}

function byClass(checks: Operations['save']): string {
  const classes = new Map<string, string[]>();
  for (const one of checks) classes.set(one.class, [...(classes.get(one.class) ?? []), one.permission]);
  return [...classes].map(([name, list]) => `${name} { ${list.join(' ')} }`).join(', ');
}
