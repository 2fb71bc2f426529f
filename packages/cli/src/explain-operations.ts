/**
 * Which operation makes a check, which command of xl it belongs to, and what else that command would be denied.
 *
 * @module
 */
import { type CommandCheck, checksOfCommand, commandsAsking, hypercallsAsking } from '@dewar/hypervisor';
import type { ExplainedLines, Subject } from '@dewar/policy/explain';
import { AVTAB_TRANSITION, type Context } from '@dewar/policy/policydb';
import { operationsOf } from '@dewar/policy/releases';

/** Who asks for what some lines deny. */
export interface AskedBy {
  /** Operations of Xen, those of the table of checks first. */
  readonly operations: readonly string[];
  /** Commands of xl that make the check, as recorded. */
  readonly commands: readonly string[];
  /** What a denial does, where the table of checks says it. */
  readonly effect: 'fails' | 'does-less' | undefined;
}

/** What a command asks of a guest with this label, and what of it is denied. */
export interface CommandOutlook {
  readonly command: string;
  readonly asked: number;
  /** Class and permissions; empty where all else is granted. */
  readonly denied: readonly string[];
}

/** The initial SIDs that are parties of recorded checks by their names. */
const NAMED_PARTIES = ['dom0', 'xen', 'domxen', 'security'];
/** Whose label a guest's can be in a recorded check. */
const GUEST_PARTIES = ['guest', 'build-label'];

/** Two labels of a log, and whose they can be in the recorded checks. */
class Parties {
  readonly #subject: Subject;
  readonly source: Context;
  readonly target: Context;

  private constructor(subject: Subject, source: Context, target: Context) {
    this.#subject = subject;
    this.source = source;
    this.target = target;
  }

  static of(subject: Subject, { group }: ExplainedLines): Parties | undefined {
    if (typeof group.source === 'number' || typeof group.target === 'number') return undefined;
    const [source, target] = [subject.view.read(group.source), subject.view.read(group.target)];
    return source === undefined || target === undefined ? undefined : new Parties(subject, source, target);
  }

  #partiesOf(context: Context): readonly string[] {
    const { view, release } = this.#subject;
    const named = NAMED_PARTIES.find((name) => {
      const sid = release.initialSids.indexOf(name) + 1;
      return view.policy.objectContexts.initialSids.find((one) => one.sid === sid)?.context.type === context.type;
    });
    if (named !== undefined) return [named];
    if (view.names.roles[context.role] === 'object_r') return ['dom0-channel', 'guest-channel'];
    return [...GUEST_PARTIES, 'guest-itself'];
  }

  /** Whether the target can be the end of a check that a hypercall makes. Only some checks are about Xen itself. */
  canEnd(endpoints: readonly string[]): boolean {
    const [party = ''] = this.#partiesOf(this.target);
    const isOfXen = party !== 'dom0' && NAMED_PARTIES.includes(party);
    return endpoints.some((one) => (isOfXen ? one === party : !NAMED_PARTIES.includes(one)));
  }

  get isByDom0(): boolean {
    return this.#partiesOf(this.source).includes('dom0');
  }

  isAllowed({ class: className, permissions }: Pick<CommandCheck, 'class' | 'permissions'>): boolean {
    const { view } = this.#subject;
    const tclass = view.policy.classes.byName.get(className);
    if (tclass === undefined) return false;
    const { allowed } = view.computeAv(this.source, this.target, tclass.value);
    return permissions.every((name) => {
      const symbol = tclass.permissions.find((known) => known.name === name);
      return symbol !== undefined && ((allowed >>> (symbol.value - 1)) & 1) === 1;
    });
  }

  /** The label of an event channel that one of the two owns. */
  #channel(owner: Context, remote: Context): Context | undefined {
    const { view } = this.#subject;
    const event = view.policy.classes.byName.get('event');
    return event && view.newContext(owner, remote, event.value, AVTAB_TRANSITION);
  }

  /** The labels of a recorded check, where dom0 is the source here and the guest, as one of the parties, the target. */
  pairOf({ source, target }: CommandCheck, guest: string): Parties | undefined {
    const labelOf = (party: string): Context | undefined => {
      if (party === 'dom0') return this.source;
      if (party === guest) return this.target;
      if (party === 'dom0-channel') return this.#channel(this.source, this.target);
      return party === 'guest-channel' ? this.#channel(this.target, this.source) : undefined;
    };
    const [from, to] = [labelOf(source), labelOf(target)];
    if (from === undefined || to === undefined || (source !== guest && target !== guest && source === target))
      return undefined;
    return new Parties(this.#subject, from, to);
  }

  /** A check on these labels in words; the labels are named where they are not those of dom0 and the guest. */
  text({ source, target, class: className, permissions }: CommandCheck): string {
    const { types } = this.#subject.view.names;
    const words = `${className} { ${permissions.join(' ')} }`;
    const isPlain = source === 'dom0' && GUEST_PARTIES.includes(target);
    return isPlain ? words : `${types[this.source.type] ?? ''} -> ${types[this.target.type] ?? ''}: ${words}`;
  }

  /** Whether a recorded check can be one on these labels. A guest is built only under a label that may be created. */
  fits({ source, target }: CommandCheck, denied: string): boolean {
    if (!this.#partiesOf(this.source).includes(source) || !this.#partiesOf(this.target).includes(target)) return false;
    if (target !== 'build-label' || denied === 'create') return true;
    return this.isAllowed({ class: 'domain', permissions: ['create'] });
  }
}

/** Who asks for the permissions of some lines. */
export function askedBy(subject: Subject, lines: readonly ExplainedLines[]): AskedBy {
  const operations: string[] = [];
  const commands = new Set<string>();
  const denials = new Set<string>();
  for (const line of lines) {
    const { group, permissions } = line;
    const parties = Parties.of(subject, line);
    for (const permission of permissions) {
      const all = hypercallsAsking(group.class, permission, subject.release.name);
      const fitting = all.filter(({ targets }) => parties === undefined || parties.canEnd(targets));
      // No check is about such a label as a rule; so it was given to what usually has another one.
      const simulated = fitting.length > 0 ? fitting : all;
      for (const { hypercall, denial } of simulated) {
        operations.push(hypercall);
        denials.add(denial);
      }
      const names = all.map(({ hypercall }) => `${hypercall}.`);
      const others = operationsOf(group.class, permission).filter(
        (one) => !names.some((name) => name.startsWith(`${one}.`)),
      );
      if (others.length > 0) denials.add('');
      operations.push(...others);
      for (const { command, checks } of commandsAsking(group.class, permission, subject.release.name))
        if (parties === undefined || checks.some((one) => parties.fits(one, permission))) commands.add(command);
    }
  }
  const [only, ...more] = denials;
  const isKnown = more.length === 0 && only !== undefined && only !== '';
  return {
    operations: [...new Set(operations)],
    commands: [...commands],
    effect: !isKnown ? undefined : only === 'does less' ? 'does-less' : 'fails',
  };
}

/** Commands that are told of: those that make most of the checks in question. */
const MAX_COMMANDS = 3;

/** A command and a label that it would act on. */
interface Outlook {
  readonly command: string;
  readonly parties: Parties;
  readonly party: string;
  /** How many of the permissions in question it asks for. */
  matches: number;
}

/**
 * What the commands that make a check would be denied beside it, for checks of dom0 on a guest: xl stops at the first
 * denial, so a log shows one and not those behind it. The checks on the event channels between the two count too.
 */
export function outlooks(subject: Subject, lines: readonly ExplainedLines[]): CommandOutlook[] {
  const found = new Map<string, Outlook>();
  for (const line of lines) {
    const parties = Parties.of(subject, line);
    if (parties?.isByDom0 !== true) continue;
    for (const permission of line.permissions) {
      for (const { command, checks } of commandsAsking(line.group.class, permission, subject.release.name)) {
        const fitting = checks.filter((one) => parties.fits(one, permission));
        const party = GUEST_PARTIES.find((name) => fitting.some(({ target }) => target === name));
        if (party === undefined) continue;
        const key = `${command} ${line.group.target}`;
        const known = found.get(key);
        if (known === undefined) found.set(key, { command, parties, party, matches: 1 });
        else known.matches++;
      }
    }
  }
  const sorted = [...found.values()].toSorted((a, b) => b.matches - a.matches);
  return sorted.slice(0, MAX_COMMANDS).map(({ command, parties, party }) => {
    const asked = checksOfCommand(command, subject.release.name).flatMap((one) => {
      const pair = parties.pairOf(one, party);
      return pair === undefined ? [] : [{ text: pair.text(one), isAllowed: pair.isAllowed(one) }];
    });
    const denied = asked.filter(({ isAllowed }) => !isAllowed).map(({ text }) => text);
    return { command, asked: new Set(asked.map(({ text }) => text)).size, denied: [...new Set(denied)] };
  });
}
