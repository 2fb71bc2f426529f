/**
 * The policy that is looked at, with what several rules ask of it.
 *
 * @module
 */
import {
  type BooleanSetting,
  bootLabels,
  Decisions,
  Declarations,
  initialContext,
  type Label,
  type Making,
  makingsOf,
  type Possible,
  possibleLabels,
  type Request,
  RuleFinder,
  requestOf,
} from '../analysis/index.ts';
import { type CompiledPolicy, ruleOrigin } from '../compiler/index.ts';
import { originOf, parsePolicy, type SyntaxTree, statementEnd, type Token, wordOf } from '../language/index.ts';
import { AVTAB_ALLOWED, AVTAB_TRANSITION, type PolicyDb, permissionNames, ruleTables } from '../policydb/index.ts';
import type { XenRelease } from '../releases/index.ts';
import { type Fix, type Origin, userSpan } from '../text/index.ts';

/** What is looked at. */
export interface LintInput {
  /** The policy as read from its bytes. */
  readonly policy: PolicyDb;
  /** What the compiler made of its sources; undefined for a binary. */
  readonly compiled: CompiledPolicy | undefined;
  readonly release: XenRelease;
  /** The values of booleans on a host; those that are missing have their defaults. */
  readonly setting?: BooleanSetting | undefined;
}

/** Which types' domains make event channels of which types. */
interface Channels {
  readonly byOwner: ReadonlyMap<number, ReadonlySet<number>>;
  readonly byChannel: ReadonlyMap<number, ReadonlySet<number>>;
}

function channelsOf({ classes, rules }: PolicyDb, decisions: Decisions): Channels {
  const byOwner = new Map<number, Set<number>>();
  const byChannel = new Map<number, Set<number>>();
  const add = (map: Map<number, Set<number>>, key: number, value: number): void => {
    map.set(key, (map.get(key) ?? new Set()).add(value));
  };
  const event = classes.byName.get('event')?.value;
  for (let row = 0; row < rules.length; row++) {
    if (((rules.kind[row] ?? 0) & AVTAB_TRANSITION) === 0 || rules.tclass[row] !== event) continue;
    for (const owner of decisions.membersOf(rules.source[row] ?? 0)) {
      add(byOwner, owner, rules.data[row] ?? 0);
      add(byChannel, rules.data[row] ?? 0, owner);
    }
  }
  return { byOwner, byChannel };
}

/** A type that domains are given by those who make them. */
export interface MadeType {
  /** Who makes the first of them, and the label under which. */
  readonly by: Label;
  readonly first: Label;
  /** The labels with the type that domains are given. */
  readonly labels: Set<Label>;
}

/** A policy made ready. What is costly is found when it is first asked for. */
export class LintSubject {
  readonly policy: PolicyDb;
  readonly release: XenRelease;
  readonly compiled: CompiledPolicy | undefined;
  readonly decisions: Decisions;
  /** What a host with this policy can come to. */
  readonly possible: Possible;
  #tree: SyntaxTree | undefined;
  #makings: readonly Making[] | undefined;
  #madeTypes: Map<number, MadeType> | undefined;
  #setting: BooleanSetting | undefined;
  #finder: RuleFinder | undefined;
  #declarations: Declarations | undefined;
  #foundChannels: Channels | undefined;
  readonly #actors = new Map<number, Label[]>();

  constructor({ policy, compiled, release, setting }: LintInput) {
    this.policy = policy;
    this.compiled = compiled;
    this.release = release;
    this.decisions = new Decisions(policy, []);
    const given = bootLabels(this.decisions, release.initialSids);
    const security = initialContext(policy, release.initialSids, 'security');
    this.possible = possibleLabels(
      this.decisions,
      setting ?? new Map(),
      this.decisions.booleansBehind([...this.#requests()]),
      given,
      security === undefined ? undefined : this.decisions.labels.label(security),
    );
    for (const label of [...this.possible.labels].sort((a, b) => a.id - b.id)) {
      const list = this.#actors.get(label.type);
      if (list === undefined) this.#actors.set(label.type, [label]);
      else list.push(label);
    }
  }

  /** What booleans can matter for. */
  *#requests(): Generator<Request> {
    const asked: readonly (readonly [tclass: string, permission: string])[] = [
      ['domain', 'create'],
      ['domain', 'destroy'],
      ['domain', 'unpause'],
      ['domain', 'transition'],
      ['domain2', 'get_domain_state'],
      ['domain2', 'relabelfrom'],
      ['domain2', 'relabelto'],
      ['domain2', 'relabelself'],
    ];
    for (const [tclass, permission] of asked) {
      const request = requestOf(this.policy, tclass, [permission]);
      if (request !== undefined) yield request;
    }
  }

  /** The settings of booleans that the host can come to, the default one first. */
  get settings(): readonly BooleanSetting[] {
    return this.possible.settings;
  }

  /** Makes a setting of booleans hold; nothing is done where it holds already. */
  setBooleans(setting: BooleanSetting): void {
    if (this.#setting === setting) return;
    this.#setting = setting;
    this.decisions.setBooleans(setting);
  }

  /** The labels of a type that a domain can come to have. */
  readonly actorsOf = (type: number): readonly Label[] => this.#actors.get(type) ?? [];

  /** The labels that domains can be given by those who make them. */
  get makings(): readonly Making[] {
    if (this.#makings === undefined) {
      this.#makings = makingsOf(this.decisions, this.settings, this.actorsOf);
      this.#setting = undefined;
    }
    return this.#makings;
  }

  /** The types that domains can be given by those who make them, in the order of the makings. */
  get madeTypes(): ReadonlyMap<number, MadeType> {
    if (this.#madeTypes === undefined) {
      this.#madeTypes = new Map();
      for (const { by, first, made } of this.makings) {
        const known = this.#madeTypes.get(made.type) ?? { by, first, labels: new Set<Label>() };
        this.#madeTypes.set(made.type, known);
        known.labels.add(made);
      }
    }
    return this.#madeTypes;
  }

  /** The sources as the parser reads them; undefined for a binary. */
  get tree(): SyntaxTree | undefined {
    if (this.compiled === undefined) return undefined;
    this.#tree ??= parsePolicy(this.compiled.text, () => {});
    return this.#tree;
  }

  /** The name of a type. */
  typeName(type: number): string {
    return this.decisions.view.names.types[type] ?? String(type);
  }

  /** What must be set otherwise than by default: ` while `locked` is true`, or nothing. */
  when(setting: BooleanSetting): string {
    const changed = this.policy.booleans.entries.filter(({ value, state }) => (setting.get(value) ?? state) !== state);
    const words = changed.map(({ name, state }) => `\`${name}\` is ${state ? 'false' : 'true'}`);
    return words.length === 0 ? '' : ` while ${words.join(' and ')}`;
  }

  /** Where a rule gives a type this; undefined for a binary. Rules outside of conditional blocks come first. */
  ruleOrigin(source: number, target: number, className: string, permission: string): Origin | undefined {
    const { compiled } = this;
    if (compiled?.policy === undefined) return undefined;
    this.#finder ??= new RuleFinder(compiled.policy);
    const [rule] = this.#finder.find({
      kind: 'allow',
      source: this.typeName(source),
      target: this.typeName(target),
      class: className,
      permissions: [permission],
    });
    return rule === undefined ? undefined : ruleOrigin(compiled, rule.statement);
  }

  /** The policy whose rows are looked at: as it was written where there are sources, else as it was read. */
  get written(): PolicyDb {
    return this.compiled?.policy ?? this.policy;
  }

  /** The types that a row of that policy names by one of its sets. */
  membersOf(set: number): readonly number[] {
    const { isExpanded, typeSets } = this.written;
    if (isExpanded) return this.decisions.membersOf(set);
    return set === 0 ? [] : [...typeSets.members(set)];
  }

  /**
   * Visits each `allow` rule of whatever branch that gives some of a request: where it was written, its source types, and the
   * target types for each of them.
   */
  eachAllow(
    { tclass, mask }: Request,
    visit: (
      origin: Origin | undefined,
      sources: readonly number[],
      targets: (source: number) => readonly number[],
    ) => void,
  ): void {
    for (const table of ruleTables(this.written)) {
      for (let row = 0; row < table.length; row++) {
        if (table.kind[row] !== AVTAB_ALLOWED || table.tclass[row] !== tclass) continue;
        if (((table.data[row] ?? 0) & mask) === 0) continue;
        const others = this.membersOf(table.target[row] ?? 0);
        const targets = (source: number): readonly number[] => (table.self[row] === 1 ? [...others, source] : others);
        visit(this.statementOrigin(table.statement[row] ?? 0), this.membersOf(table.source[row] ?? 0), targets);
      }
    }
  }

  /** Where a row of a rule table was written; undefined for a binary. */
  statementOrigin(statement: number): Origin | undefined {
    return this.compiled === undefined ? undefined : ruleOrigin(this.compiled, statement);
  }

  /** Where a token of the sources was written. */
  tokenOrigin(token: Token): Origin | undefined {
    return this.tree === undefined ? undefined : originOf(this.tree.tokens, token);
  }

  /** The word of a token of the sources. */
  word(token: Token): string {
    return this.tree === undefined ? '' : wordOf(this.tree.tokens, token);
  }

  /** The names of bits of a class, in their order. */
  permissionNames(tclass: number, bits: number): string[] {
    const symbol = this.decisions.view.classSymbol(tclass);
    return symbol === undefined ? [] : permissionNames(this.policy, symbol, bits);
  }

  /** The types that event channels of domains of a type can have. */
  channelTypes(owner: number): Iterable<number> {
    return this.#channels.byOwner.get(owner) ?? [];
  }

  /** The types whose domains can make event channels of a type. */
  channelOwners(channel: number): Iterable<number> {
    return this.#channels.byChannel.get(channel) ?? [];
  }

  get #channels(): Channels {
    this.#foundChannels ??= channelsOf(this.policy, this.decisions);
    return this.#foundChannels;
  }

  /** Where a name is declared; undefined for a binary. */
  declarationOrigin(kind: string, name: string): Origin | undefined {
    const { compiled } = this;
    if (compiled === undefined) return undefined;
    this.#declarations ??= new Declarations(compiled.text.text);
    const start = this.#declarations.start(kind, name);
    return start === undefined ? undefined : ruleOrigin(compiled, start);
  }

  /** Where an allow rule can be asked of any label that a type has, under any setting that the host can come to. */
  canEver(sources: (target: Label) => readonly Label[], target: Label, request: Request): boolean {
    return this.settings.some((setting) => {
      this.setBooleans(setting);
      return sources(target).some((source) => this.decisions.allows(source, target, request));
    });
  }
}

/** A fix that writes a statement on a line of its own, behind what a person wrote at a place. */
export function addBehind(origin: Origin | undefined, statement: string): readonly Fix[] {
  if (origin === undefined) return [];
  const { source, start } = userSpan(origin);
  const { text } = source;
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const indent = /^[ \t]*/.exec(text.slice(lineStart, start))?.[0] ?? '';
  const end = statementEnd(text, start);
  const newline = text.indexOf('\n', end);
  // Behind more code on the same line the statement would land in the middle of it.
  if (!/^\s*(?:#.*)?$/.test(text.slice(end, newline < 0 ? text.length : newline))) return [];
  const at = newline < 0 ? text.length : newline + 1;
  const before = newline < 0 ? '\n' : '';
  const edit = { span: { source, start: at, end: at }, newText: `${before}${indent}${statement}\n` };
  return [{ title: `add \`${statement}\``, edits: [edit] }];
}

/** A fix that takes away what a person wrote at a place, with its line where nothing else is on it. */
export function takeAway(origin: Origin | undefined, title: string): readonly Fix[] {
  if (origin === undefined) return [];
  const { source, start } = userSpan(origin);
  const { text } = source;
  const end = statementEnd(text, start);
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const newline = text.indexOf('\n', end);
  const lineEnd = newline < 0 ? text.length : newline + 1;
  const isAlone = text.slice(lineStart, start).trim() === '' && text.slice(end, lineEnd).trim() === '';
  const span = isAlone ? { source, start: lineStart, end: lineEnd } : { source, start, end };
  return [{ title, edits: [{ span, newText: '' }] }];
}
