/**
 * The statements of a policy, beside its rules between types, of which it can be said that a scenario exercised them.
 *
 * | statement | exercised when |
 * |---|---|
 * | `constrain`, `mlsconstrain` | a check asked for one of its permissions, and a rule gives it: the constraint decided |
 * | `allow` between roles | a `domain transition` from the one to the other was granted |
 * | `role_transition` | something new got its role |
 * | `range_transition` | something new was made of its types and class |
 * | `user` | a label with the user took part in a check |
 * | `sid` with a label | a check, or the label of something new, was asked for with that SID |
 * | `pirqcon` and its like | the resource was looked up, and this statement gave its label |
 *
 * Of no other statement does it mean something: a declaration is there or not.
 *
 * Start reading at `OtherStatements`.
 *
 * @module
 */
import type { ObservedLabel, ObservedTransition } from '@dewar/hypervisor';
import type { CompiledPolicy } from '@dewar/policy/compiler';
import { ConstraintPlaces } from '@dewar/policy/explain';
import { numberValue, parsePolicy, type Token, textOf, wordOf } from '@dewar/policy/language';
import { type PermissionSymbol, type PolicyDb, permissionsOf, readPolicydb } from '@dewar/policy/policydb';
import { BASELINE_RELEASE, xenRelease } from '@dewar/policy/releases';
import { PolicyView } from '@dewar/policy/security-server';
import type { CheckRecord } from '@dewar/toolstack';

/** Kinds of such statements. */
export type OtherKind =
  | 'constraint'
  | 'role allow'
  | 'role_transition'
  | 'range_transition'
  | 'user'
  | 'initial SID'
  | 'device label';

/** Kinds that are found by their form in the text. */
type SearchedKind = Exclude<OtherKind, 'constraint' | 'initial SID' | 'device label'>;

/** A statement that begins at `start` in the policy's text after m4, with the names that stand in its sets. */
interface Statement {
  readonly start: number;
  readonly sets: readonly ReadonlySet<string>[];
}

const SET = String.raw`(\{[^{}]*\}|[\w.-]+)`;
const PATTERNS: Readonly<Record<SearchedKind, RegExp>> = {
  'role allow': new RegExp(String.raw`\ballow\s+${SET}\s+${SET}\s*;`, 'g'),
  role_transition: new RegExp(String.raw`\brole_transition\s+${SET}\s+${SET}(?:\s*:\s*${SET})?\s+${SET}\s*;`, 'g'),
  range_transition: new RegExp(String.raw`\brange_transition\s+${SET}\s+${SET}\s*:\s*${SET}\s`, 'g'),
  user: new RegExp(String.raw`\buser\s+${SET}\s+roles\b`, 'g'),
};

/** What tells one thing that a statement labels from all others. */
function labelKey(label: ObservedLabel): string {
  if (label.kind === 'initial SID') return `sid ${label.name}`;
  return label.kind === 'devicetree' ? `devicetree ${label.path}` : `${label.kind} ${label.low}-${label.high}`;
}

/** The statements that give labels, by what they label: where they begin, and of which kind they are. */
function labelStatements({ text }: CompiledPolicy): Map<string, { readonly start: number; readonly kind: OtherKind }> {
  const found = new Map<string, { readonly start: number; readonly kind: OtherKind }>();
  const { tokens, statements } = parsePolicy(text, () => {});
  const value = (token: Token): bigint => numberValue(textOf(tokens, token));
  for (const statement of statements) {
    let label: ObservedLabel;
    switch (statement.kind) {
      case 'sid-context':
        label = { kind: 'initial SID', name: textOf(tokens, statement.name) };
        break;
      case 'pirqcon':
      case 'pcidevicecon':
      case 'ioportcon':
      case 'iomemcon': {
        const low = value(statement.low);
        const high = statement.high === undefined ? low : value(statement.high);
        label = { kind: KIND_OF[statement.kind], low, high };
        break;
      }
      case 'devicetreecon':
        label = { kind: 'devicetree', path: wordOf(tokens, statement.path) };
        break;
      default:
        continue;
    }
    const key = labelKey(label);
    const start = tokens.starts[statement.at] ?? 0;
    // XEN: of two entries for one thing the first is found.
    if (!found.has(key)) found.set(key, { start, kind: label.kind === 'initial SID' ? 'initial SID' : 'device label' });
  }
  return found;
}

const KIND_OF = { pirqcon: 'pirq', pcidevicecon: 'pcidevice', ioportcon: 'ioport', iomemcon: 'iomem' } as const;

/** The parts of a label. */
function partsOf(label: string): { readonly user: string; readonly role: string; readonly type: string } {
  const [user = '', role = '', type = ''] = label.split(':');
  return { user, role, type };
}

function statementsOf(text: string, pattern: RegExp): Statement[] {
  return [...text.matchAll(pattern)].map((match) => ({
    start: match.index,
    sets: match.slice(1).map((set) => new Set((set ?? '').match(/[\w.-]+/g) ?? [])),
  }));
}

/** The statements of one policy that was compiled. */
export class OtherStatements {
  /** Where each of them begins, with its kind. */
  readonly starts: ReadonlyMap<number, OtherKind>;
  readonly #view: PolicyView | undefined;
  readonly #statements: Readonly<Record<SearchedKind, readonly Statement[]>>;
  /** By class: where the constraint of each node begins. */
  readonly #constraints = new Map<string, readonly number[]>();
  readonly #attributes = new Map<string, ReadonlySet<string>>();
  readonly #labels: ReturnType<typeof labelStatements>;

  constructor(compiled: CompiledPolicy) {
    const read = compiled.bytes === undefined ? undefined : readPolicydb(compiled.bytes);
    this.#view = read === undefined || 'diagnostic' in read ? undefined : new PolicyView(read.policy);
    // Comments keep their length, so that places stay.
    const text = compiled.text.text.replaceAll(/#[^\n]*/g, (comment) => ' '.repeat(comment.length));
    const of = (kind: SearchedKind): Statement[] => statementsOf(text, PATTERNS[kind]);
    this.#statements = {
      'role allow': of('role allow'),
      role_transition: of('role_transition'),
      range_transition: of('range_transition'),
      user: of('user'),
    };
    const starts = new Map<number, OtherKind>();
    // The keys are those of the table.
    for (const [kind, list] of Object.entries(this.#statements))
      for (const { start } of list) starts.set(start, kind as OtherKind);
    this.#labels = labelStatements(compiled);
    for (const { start, kind } of this.#labels.values()) starts.set(start, kind);
    if (this.#view !== undefined) {
      this.#readAttributes(this.#view.policy);
      const places = new ConstraintPlaces({
        view: this.#view,
        release: xenRelease(BASELINE_RELEASE),
        source: { compiled, options: {}, files: undefined },
        hasHostBooleans: false,
      });
      for (const { name } of this.#view.policy.classes.entries) {
        const list = places.startsOf(name);
        this.#constraints.set(name, list);
        for (const start of list) starts.set(start, 'constraint');
      }
    }
    this.starts = starts;
  }

  #readAttributes({ types, typeAttributeMap }: PolicyDb): void {
    const names = new Map(types.entries.flatMap((one) => (one.kind === 'alias' ? [] : [[one.value, one.name]])));
    for (const { name, kind, value } of types.entries) {
      if (kind !== 'type') continue;
      const keys = [...(typeAttributeMap[value - 1] ?? [])].flatMap((bit) => names.get(bit + 1) ?? []);
      this.#attributes.set(name, new Set([name, ...keys]));
    }
  }

  /** Whether a set names a type, by itself or by an attribute. */
  #hasType(set: ReadonlySet<string> | undefined, type: string): boolean {
    return [...(this.#attributes.get(type) ?? [type])].some((one) => set?.has(one) === true);
  }

  /** The booleans as they are when checks are told. */
  setBooleans(booleans: ReadonlyMap<string, boolean>): void {
    if (this.#view === undefined) return;
    for (const { name, value, state } of this.#view.policy.booleans.entries)
      this.#view.booleans[value] = booleans.get(name) ?? state;
    this.#view.applyBooleans();
  }

  /** Where the statements begin that a check exercises. */
  *ofCheck(check: CheckRecord): Generator<number> {
    const [source, target] = [partsOf(check.source), partsOf(check.target)];
    for (const { start, sets } of this.#statements.user)
      if (sets[0]?.has(source.user) === true || sets[0]?.has(target.user) === true) yield start;
    const isRoleChange =
      check.class === 'domain' &&
      check.permissions.includes('transition') &&
      !check.denied.includes('transition') &&
      source.role !== target.role;
    if (isRoleChange)
      for (const { start, sets } of this.#statements['role allow'])
        if (sets[0]?.has(source.role) === true && sets[1]?.has(target.role) === true) yield start;
    yield* this.#constraintsOf(check);
  }

  *#constraintsOf(check: CheckRecord): Generator<number> {
    const view = this.#view;
    const symbol = view?.policy.classes.byName.get(check.class);
    const starts = this.#constraints.get(check.class) ?? [];
    if (view === undefined || symbol === undefined || starts.length === 0) return;
    const [source, target] = [view.read(check.source), view.read(check.target)];
    if (source === undefined || target === undefined) return;
    const given = view.ruleVectors(source.type, target.type, symbol.value).allowed;
    const asked = bitsOf(permissionsOf(view.policy, symbol), check.permissions);
    for (const [i, { permissions }] of symbol.constraints.entries()) {
      const start = starts[i];
      if (start !== undefined && (permissions & asked & given) !== 0) yield start;
    }
  }

  /** Where the statement begins that gave a label, if it is one of this policy. */
  ofLabel(label: ObservedLabel): number[] {
    const found = this.#labels.get(labelKey(label));
    return found === undefined ? [] : [found.start];
  }

  /** Where the statements begin that a label for something new exercises. */
  *ofTransition({ source, target, class: tclass, result }: ObservedTransition): Generator<number> {
    const [from, to, made] = [partsOf(source), partsOf(target), partsOf(result)];
    // XEN: context_struct_compute_sid() looks for role transitions of domains only, whatever their class.
    if (tclass === 'domain')
      for (const { start, sets } of this.#statements.role_transition)
        if (sets[0]?.has(from.role) === true && this.#hasType(sets[1], to.type) && sets[3]?.has(made.role) === true)
          yield start;
    for (const { start, sets } of this.#statements.range_transition)
      if (this.#hasType(sets[0], from.type) && this.#hasType(sets[1], to.type) && sets[2]?.has(tclass) === true)
        yield start;
  }
}

function bitsOf(permissions: readonly PermissionSymbol[], names: readonly string[]): number {
  return permissions.reduce((bits, { name, value }) => (names.includes(name) ? bits | (1 << (value - 1)) : bits), 0);
}
