/**
 * `dewar diff`: what changed in meaning from one policy to another, with the places that did it.
 *
 * @module
 */
import type {
  AccessChange,
  ChangedPermissions,
  ConstraintEffect,
  FactChange,
  FactDetail,
  PolicyDifference,
  PolicySide,
  RuleChange,
  TypeBlock,
  TypeGroup,
  TypeRuleChange,
} from '@dewar/policy/analysis';
import type { CompileOptions } from '@dewar/policy/compiler';
import { hasErrors, type Origin } from '@dewar/policy/text';
import { EXIT, NO_ANSWER, UsageError } from '../failures.ts';
import { guestChanges, guestLines } from '../guest-changes.ts';
import { placeLine } from '../place-line.ts';
import { type PolicyReading, readBinary, readPolicy } from '../policy-input.ts';
import { diagnosticJson, jsonText, originJson } from '../report-json.ts';
import { type Colours, coloursFor, print, printDiagnostics, printLine, safeLine, type Terminal } from '../terminal.ts';

export interface DiffFlags {
  readonly isJson: boolean;
  /** Rule by rule, as sediff lists them. */
  readonly showsRules: boolean;
  /** All names of a set, however many. */
  readonly isFull: boolean;
  /** The status says whether the new policy may allow more. */
  readonly refusesNewAccess: boolean;
  /** Configurations of guests whose lives are rehearsed under both policies. */
  readonly guests: readonly string[];
  readonly compile: CompileOptions;
}

/** A side of the comparison with its reading, which knows places where there is a source. */
interface Side {
  readonly reading: PolicyReading;
  readonly side: PolicySide;
}

/** Where one thing of a side was written. */
interface Places {
  readonly rules: (block: TypeBlock, access: PlacedAccess) => readonly Origin[];
  readonly fact: (kind: string, name: string) => Origin | undefined;
}

/** What rules are looked for: a class with its permissions, or a type that they give. */
interface PlacedAccess {
  readonly kind: ChangedPermissions['kind'] | TypeRuleChange['kind'];
  readonly class: string;
  readonly permissions?: readonly string[];
}

const NO_PLACES: Places = { rules: () => [], fact: () => undefined };

async function readSide(named: string, compile: CompileOptions): Promise<Side | PolicyReading> {
  const reading = await readPolicy(named, compile);
  const { compiled, diagnostics } = reading;
  const read = hasErrors(diagnostics) ? undefined : await readBinary(reading);
  if (read === undefined) return reading;
  if ('diagnostic' in read) return { ...reading, diagnostics: [read.diagnostic] };
  let neverallows: string[] | undefined;
  if (compiled?.policy !== undefined) {
    const { searchRules } = await import('@dewar/policy/analysis');
    neverallows = searchRules(compiled.policy, { kinds: ['neverallow'] }).rules.map(({ text }) => text);
  }
  return { reading, side: { ...read, neverallows } };
}

/** Pairs of types for which the rules behind a change are looked for. */
const MAX_PAIRS = 64;

async function placesOf({ reading: { compiled } }: Side): Promise<Places> {
  const policy = compiled?.policy;
  if (compiled === undefined || policy === undefined) return NO_PLACES;
  const { Declarations, RuleFinder } = await import('@dewar/policy/analysis');
  const { ruleOrigin } = await import('@dewar/policy/compiler');
  const finder = new RuleFinder(policy);
  const declarations = new Declarations(compiled.text.text);
  return {
    rules({ sources, targets }, access) {
      const pairs = sources.types.flatMap((source) =>
        (targets === 'self' ? [source] : targets.types).map((target) => ({ source, target })),
      );
      const statements = new Set<number>();
      for (const pair of pairs.slice(0, MAX_PAIRS))
        for (const { statement } of finder.find({ ...pair, ...access })) statements.add(statement);
      return [...statements].sort((a, b) => a - b).map((statement) => ruleOrigin(compiled, statement));
    },
    fact(kind, name) {
      const start = declarations.start(kind, name);
      return start === undefined ? undefined : ruleOrigin(compiled, start);
    },
  };
}

export async function runDiff(old: string, next: string, flags: DiffFlags, terminal: Terminal): Promise<number> {
  if (old === '-' && next === '-') throw new UsageError('only one of the two policies can come from standard input');
  const sides = [await readSide(old, flags.compile), await readSide(next, flags.compile)];
  const [before, after] = sides;
  if (before === undefined || after === undefined || !('side' in before) || !('side' in after)) {
    const broken = sides.flatMap((one) => ('side' in one ? [] : [one]));
    const diagnostics = broken.flatMap((one) => one.diagnostics);
    if (flags.isJson)
      print(terminal.out, jsonText({ outcome: 'failed', diagnostics: diagnostics.map(diagnosticJson) }));
    else printDiagnostics(terminal, diagnostics);
    return NO_ANSWER;
  }
  const { comparePolicies } = await import('@dewar/policy/analysis');
  const difference = comparePolicies(before.side, after.side, { rules: flags.showsRules });
  const places = { old: await placesOf(before), new: await placesOf(after) };
  const names = { old: before.reading.name, new: after.reading.name };
  const guests =
    flags.guests.length === 0
      ? []
      : await guestChanges(flags.guests, before.reading, after.reading, (found) => printDiagnostics(terminal, found));
  if (flags.isJson) print(terminal.out, jsonText({ ...differenceJson(difference, places, names), guests }));
  else {
    const colours = coloursFor(terminal.out);
    const lines = new Lines(colours, flags, places);
    for (const line of lines.of(withSafeTexts(difference), names)) printLine(terminal.out, line);
    for (const line of guestLines(guests, colours)) printLine(terminal.out, line);
  }
  return flags.refusesNewAccess && difference.newAccess.length > 0 ? EXIT.problem : EXIT.done;
}

interface BothPlaces {
  readonly old: Places;
  readonly new: Places;
}

function differenceJson(
  difference: PolicyDifference,
  places: BothPlaces,
  names: { readonly old: string; readonly new: string },
): object {
  const access = (changes: readonly AccessChange[], side: Places): object[] =>
    changes.map((change) => ({
      ...change,
      access: change.access.map((one) => ({ ...one, places: side.rules(change, one).map(originJson) })),
    }));
  const { gained, lost, ...counts } = difference.access;
  return {
    ...names,
    outcome: difference.isSame ? 'same' : 'different',
    newAccess: difference.newAccess,
    scope: SCOPE,
    access: { ...counts, gained: access(gained, places.new), lost: access(lost, places.old) },
    constraints: difference.constraints,
    typeRules: difference.typeRules.map((rule) => ({
      ...rule,
      places: (rule.after === undefined ? places.old : places.new).rules(rule, rule).map(originJson),
    })),
    facts: difference.facts.map((fact) => {
      const origin = (fact.change === 'removed' ? places.old : places.new).fact(fact.kind, fact.name);
      return { ...fact, place: origin && originJson(origin) };
    }),
    rules: difference.rules,
  };
}

const HEADINGS: Readonly<Record<FactChange['kind'], string>> = {
  property: 'properties',
  'policy capability': 'policy capabilities',
  common: 'commons',
  class: 'classes',
  default: 'defaults of new objects',
  attribute: 'attributes',
  type: 'types',
  typebounds: 'bounds of types',
  role: 'roles',
  'role bounds': 'bounds of roles',
  user: 'users',
  'user bounds': 'bounds of users',
  boolean: 'booleans',
  sensitivity: 'sensitivities',
  category: 'categories',
  'role allow': 'changes of role that are allowed',
  role_transition: 'role transitions',
  range_transition: 'range transitions',
  'type_transition by name': 'type transitions by name',
  constrain: 'constraints',
  mlsconstrain: 'constraints of MLS',
  validatetrans: 'rules on changes of label',
  mlsvalidatetrans: 'rules of MLS on changes of label',
  neverallow: 'neverallow rules',
  'initial SID': 'initial SIDs',
  pirqcon: 'interrupts',
  ioportcon: 'I/O ports',
  iomemcon: 'machine frames',
  pcidevicecon: 'PCI devices',
  devicetreecon: 'device tree nodes',
};

/** What the answer rests on, and what it leaves out. */
const SCOPE =
  'access is what rules give to types; constraints that changed are weighed for labels of both sides, changes of role and bounds are compared as statements';

/** Names of a set that are shown, unless all are asked for. */
const MAX_NAMES = 8;
/** Places of one change that are shown. */
const MAX_PLACES = 4;

const SIGNS = { added: '+', removed: '-', modified: '*' } as const;

/** A difference in lines for a person. */
class Lines {
  readonly #colours: Colours;
  readonly #isFull: boolean;
  readonly #places: BothPlaces;

  constructor(colours: Colours, { isFull }: DiffFlags, places: BothPlaces) {
    this.#colours = colours;
    this.#isFull = isFull;
    this.#places = places;
  }

  *of(difference: PolicyDifference, names: { readonly old: string; readonly new: string }): Generator<string> {
    const { access, constraints, typeRules, facts, rules, newAccess, isSame } = difference;
    yield `old  ${names.old}`;
    yield `new  ${names.new}`;
    if (isSame) {
      yield '';
      yield 'nothing changed in meaning';
      return;
    }
    yield* this.#access('access gained', access.gained, '+', this.#places.new);
    yield* this.#access('access lost', access.lost, '-', this.#places.old);
    yield* this.#effects('access gained by constraints', constraints.gained, '+');
    yield* this.#effects('access lost by constraints', constraints.lost, '-');
    for (const bound of constraints.bounds) yield `${this.#colours.warning('bound:')} ${bound}`;
    if (typeRules.length > 0) {
      yield '';
      yield this.#colours.strong('types of what is new');
      for (const rule of typeRules) yield* this.#typeRule(rule);
    }
    for (const kind of new Set(facts.map((fact) => fact.kind))) {
      yield '';
      yield this.#colours.strong(HEADINGS[kind]);
      for (const fact of facts) if (fact.kind === kind) yield* this.#fact(fact);
    }
    if (rules !== undefined && rules.length > 0) {
      yield '';
      yield this.#colours.strong('rule by rule');
      for (const rule of rules) yield `  ${this.#sign(SIGNS[rule.change])} ${ruleText(rule)}`;
    }
    yield '';
    if (newAccess.length === 0) yield `new access: ${this.#colours.good('none')}`;
    else {
      yield `new access: ${this.#colours.warning(newAccess.some(({ kind }) => kind === 'certain') ? 'yes' : 'possible')}`;
      for (const { text } of newAccess) yield `  ${text}`;
    }
    yield this.#colours.faint(SCOPE);
  }

  #sign(sign: string): string {
    if (sign === '+') return this.#colours.good(sign);
    return sign === '-' ? this.#colours.error(sign) : this.#colours.warning(sign);
  }

  *#access(title: string, changes: readonly AccessChange[], sign: '+' | '-', places: Places): Generator<string> {
    if (changes.length === 0) return;
    yield '';
    yield this.#colours.strong(title);
    for (const change of changes) {
      yield `  ${this.#group(change.sources)} ${this.#colours.faint('→')} ${this.#target(change)}`;
      for (const one of change.access) {
        const kind = one.kind === 'allow' ? '' : `${one.kind} `;
        const condition = one.condition === undefined ? '' : `  ${this.#colours.note(`while ${one.condition}`)}`;
        yield `    ${this.#sign(sign)} ${kind}${one.class} ${braced(one.permissions)}${condition}`;
        yield* this.#places4(places.rules(change, one));
      }
    }
  }

  *#effects(title: string, effects: readonly ConstraintEffect[], sign: '+' | '-'): Generator<string> {
    if (effects.length === 0) return;
    yield '';
    yield this.#colours.strong(title);
    const bySentence = new Map<string, ConstraintEffect[]>();
    for (const effect of effects) {
      const { condition, where } = effect;
      const held = condition === undefined ? '' : `  ${this.#colours.note(`while ${condition}`)}`;
      const whom = effect.isForAll ? 'for all labels' : where === undefined ? 'for some labels' : `where ${where}`;
      const sentence = `${effect.class} ${braced(effect.permissions)}  ${whom}${held}`;
      bySentence.set(sentence, [...(bySentence.get(sentence) ?? []), effect]);
    }
    for (const [sentence, same] of bySentence) {
      yield `  ${this.#sign(sign)} ${sentence}`;
      for (const one of this.#isFull ? same : same.slice(0, MAX_NAMES))
        yield `      ${this.#group(one.sources)} ${this.#colours.faint('→')} ${this.#target(one)}`;
      if (!this.#isFull && same.length > MAX_NAMES) yield `      … and ${same.length - MAX_NAMES} more`;
      const [first] = same;
      if (first !== undefined)
        yield `        ${this.#colours.faint(`such as ${first.example.source} → ${first.example.target}`)}`;
    }
  }

  *#places4(origins: readonly Origin[]): Generator<string> {
    const lines = [...new Set(origins.map(placeLine))];
    const shown = this.#isFull ? lines : lines.slice(0, MAX_PLACES);
    for (const line of shown) yield `        ${this.#colours.faint(line)}`;
    if (lines.length > shown.length) yield `        ${this.#colours.faint(`and ${lines.length - shown.length} more`)}`;
  }

  *#typeRule(rule: TypeRuleChange): Generator<string> {
    const { before, after, condition } = rule;
    const sign = before === undefined ? '+' : after === undefined ? '-' : '*';
    const result = sign === '*' ? `${after}, not ${before}` : (after ?? before ?? '');
    const while_ = condition === undefined ? '' : `  ${this.#colours.note(`while ${condition}`)}`;
    yield `  ${this.#sign(sign)} ${rule.kind} ${this.#group(rule.sources)} ${this.#target(rule)}:${rule.class} ${result}${while_}`;
    const places = after === undefined ? this.#places.old : this.#places.new;
    yield* this.#places4(places.rules(rule, { kind: rule.kind, class: rule.class }));
  }

  *#fact({ kind, name, change, details }: FactChange): Generator<string> {
    yield `  ${this.#sign(SIGNS[change])} ${name}`;
    for (const detail of details) {
      const line = this.#detail(detail, change);
      if (line !== undefined) yield `      ${line}`;
    }
    const origin = (change === 'removed' ? this.#places.old : this.#places.new).fact(kind, name);
    if (origin !== undefined) yield `        ${this.#colours.faint(placeLine(origin))}`;
  }

  #detail(detail: FactDetail, change: FactChange['change']): string | undefined {
    if ('after' in detail) {
      const { what, before, after } = detail;
      return change === 'modified' ? `${what}: ${after}, not ${before}` : `${what}: ${after ?? before}`;
    }
    const { what, added, removed } = detail;
    if (change !== 'modified') return `${what}: ${this.#list([...added, ...removed])}`;
    const parts = [
      ...(added.length > 0 ? [`${this.#sign('+')} ${this.#list(added)}`] : []),
      ...(removed.length > 0 ? [`${this.#sign('-')} ${this.#list(removed)}`] : []),
    ];
    return `${what}: ${parts.join('  ')}`;
  }

  #target({ targets }: TypeBlock): string {
    return targets === 'self' ? 'self' : this.#group(targets);
  }

  #group({ types, attribute, except }: TypeGroup): string {
    if (attribute !== undefined)
      return except.length === 0 ? attribute : `{ ${[attribute, ...except.map((one) => `-${one}`)].join(' ')} }`;
    return types.length === 1 ? (types[0] ?? '') : `{ ${this.#list(types)} }`;
  }

  #list(names: readonly string[]): string {
    if (this.#isFull || names.length <= MAX_NAMES + 1) return names.join(' ');
    return `${names.slice(0, MAX_NAMES).join(' ')} … and ${names.length - MAX_NAMES} more`;
  }
}

function braced(names: readonly string[]): string {
  return names.length === 1 ? (names[0] ?? '') : `{ ${names.join(' ')} }`;
}

function ruleText({
  kind,
  source,
  target,
  class: tclass,
  both,
  added,
  removed,
  change,
  condition,
}: RuleChange): string {
  const words =
    change === 'modified'
      ? [...both, ...added.map((one) => `+${one}`), ...removed.map((one) => `-${one}`)]
      : [...added, ...removed];
  const while_ = condition === undefined ? '' : ` [ ${condition} ]`;
  return `${kind} ${source} ${target}:${tclass} ${braced(words)};${while_}`;
}

/** A value with all its texts made safe to print: names of a binary may hold anything. */
function withSafeTexts<T>(value: T): T {
  // The same shape comes back: only texts are replaced, by texts.
  if (typeof value === 'string') return safeLine(value) as T;
  if (Array.isArray(value)) return value.map(withSafeTexts) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withSafeTexts(part)])) as T;
}
