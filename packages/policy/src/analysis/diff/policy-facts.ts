/**
 * What a policy says beside its rules between types, as facts that can be compared: each has a kind, a name, sets of words
 * and single words.
 *
 * Start reading at `policyFacts`.
 *
 * @module
 */
import { constraintText, findRelease, Names, readMembership, sidName } from '../../decompiler/index.ts';
import {
  CEXPR_L1L2,
  CEXPR_ROLE,
  CEXPR_TARGET,
  CEXPR_TYPE,
  CEXPR_USER,
  CEXPR_XTARGET,
  type Constraint,
  type ConstraintStep,
  POLICY_CAPABILITIES,
  type PolicyDb,
  type PolicyVersion,
} from '../../policydb/index.ts';
import { BASELINE_RELEASE, xenRelease } from '../../releases/index.ts';

/** The kinds of facts, in the order in which they are told. */
export const FACT_KINDS = [
  'property',
  'policy capability',
  'common',
  'class',
  'default',
  'attribute',
  'type',
  'typebounds',
  'role',
  'role bounds',
  'user',
  'user bounds',
  'boolean',
  'sensitivity',
  'category',
  'role allow',
  'role_transition',
  'range_transition',
  'type_transition by name',
  'constrain',
  'mlsconstrain',
  'validatetrans',
  'mlsvalidatetrans',
  'neverallow',
  'initial SID',
  'pirqcon',
  'ioportcon',
  'iomemcon',
  'pcidevicecon',
  'devicetreecon',
] as const;

/** A kind of fact. */
export type FactKind = (typeof FACT_KINDS)[number];

/** One thing that a policy says. */
export interface Fact {
  readonly kind: FactKind;
  readonly name: string;
  readonly sets: Readonly<Record<string, readonly string[]>>;
  readonly values: Readonly<Record<string, string>>;
}

type Add = (kind: FactKind, name: string, sets?: Fact['sets'], values?: Fact['values']) => void;

function addClasses({ classes, commons }: PolicyDb, names: Names, add: Add): void {
  for (const { name, permissions } of commons.entries)
    add('common', name, { permissions: permissions.map((one) => one.name) });
  for (const symbol of classes.entries) {
    const permissions = names.permissions(symbol).filter((one) => one !== undefined);
    add('class', symbol.name, { permissions });
    const { defaults } = symbol;
    const set = Object.entries(defaults).filter(([, value]) => value !== 0);
    if (set.length > 0)
      add('default', symbol.name, {}, Object.fromEntries(set.map(([part, value]) => [part, String(value)])));
  }
}

function addTypes(policy: PolicyDb, names: Names, add: Add): void {
  const { members, attributesOf } = readMembership(policy, names, false);
  const aliases = new Map<number, string[]>();
  for (const { kind, value, name } of policy.types.entries)
    if (kind === 'alias') aliases.set(value, [...(aliases.get(value) ?? []), name]);
  for (const [value, { name, kind, bounds }] of names.types) {
    if (kind === 'attribute') {
      add('attribute', name, { types: Array.from(members.get(value) ?? [], (bit) => names.type(bit + 1)) });
      continue;
    }
    const attributes = (attributesOf.get(value) ?? []).map((one) => names.type(one));
    const permissive = policy.permissive.has(value) ? { mode: 'permissive' } : { mode: 'enforcing' };
    add('type', name, { attributes, aliases: aliases.get(value) ?? [] }, permissive);
    if (bounds !== 0) add('typebounds', name, {}, { bounds: names.type(bounds) });
  }
}

function addRolesAndUsers(policy: PolicyDb, names: Names, add: Add): void {
  for (const { name, value, types, bounds, dominates } of policy.roles.entries) {
    const dominated = [...dominates].filter((bit) => bit + 1 !== value);
    add('role', name, {
      types: Array.from(types, (bit) => names.type(bit + 1)),
      dominates: dominated.map((bit) => names.role(bit + 1)),
    });
    if (bounds !== 0) add('role bounds', name, {}, { bounds: names.role(bounds) });
  }
  for (const { name, roles, range, defaultLevel, bounds } of policy.users.entries) {
    const levels = policy.isMls
      ? { 'default level': names.level(defaultLevel), range: names.range(range) }
      : { 'default level': 'none, without MLS', range: 'none, without MLS' };
    add('user', name, { roles: Array.from(roles, (bit) => names.role(bit + 1)) }, levels);
    if (bounds !== 0) add('user bounds', name, {}, { bounds: names.user(bounds) });
  }
  for (const { role, newRole } of policy.roleAllows) add('role allow', `${names.role(role)} ${names.role(newRole)}`);
  for (const { role, type, tclass, newRole } of policy.roleTransitions)
    add(
      'role_transition',
      `${names.role(role)} ${names.type(type)}:${names.class(tclass)}`,
      {},
      {
        role: names.role(newRole),
      },
    );
}

function addMls(policy: PolicyDb, names: Names, add: Add): void {
  const aliasesOf = <T extends { readonly name: string; readonly isAlias: boolean }>(
    list: readonly T[],
    numberOf: (one: T) => number,
    one: T,
  ): string[] => list.filter((other) => other.isAlias && numberOf(other) === numberOf(one)).map(({ name }) => name);
  const sensitivities = policy.sensitivities.entries;
  for (const one of sensitivities) {
    if (one.isAlias) continue;
    const aliases = aliasesOf(sensitivities, ({ level }) => level.sensitivity, one);
    add('sensitivity', one.name, {
      aliases,
      categories: Array.from(one.level.categories, (bit) => names.category(bit + 1)),
    });
  }
  const categories = policy.categories.entries;
  for (const one of categories)
    if (!one.isAlias) add('category', one.name, { aliases: aliasesOf(categories, ({ value }) => value, one) });
  for (const { source, target, tclass, range } of policy.rangeTransitions)
    add(
      'range_transition',
      `${names.type(source)} ${names.type(target)}:${names.class(tclass)}`,
      {},
      {
        range: names.range(range),
      },
    );
}

/** The users, roles or types that a step means, attributes replaced. */
function stepMembers(step: ConstraintStep, names: Names): string[] {
  if (step.kind !== 'names') return [];
  const nameOf = (value: number): string => {
    if ((step.attribute & CEXPR_USER) !== 0) return names.user(value);
    if ((step.attribute & CEXPR_ROLE) !== 0) return names.role(value);
    return (step.attribute & CEXPR_TYPE) !== 0 ? names.type(value) : String(value);
  };
  return Array.from(step.names, (bit) => nameOf(bit + 1));
}

/** What a step compares with names, as policy text calls it: `t1`. */
function stepTitle(attribute: number): string {
  const letter = (attribute & CEXPR_USER) !== 0 ? 'u' : (attribute & CEXPR_ROLE) !== 0 ? 'r' : 't';
  return `${letter}${(attribute & CEXPR_XTARGET) !== 0 ? 3 : (attribute & CEXPR_TARGET) !== 0 ? 2 : 1}`;
}

/** An expression without a text is told apart by its steps. */
function stepsText(steps: readonly ConstraintStep[], names: Names): string {
  return steps
    .map((step) =>
      step.kind === 'names' || step.kind === 'attribute'
        ? `${step.attribute} ${step.operator} { ${stepMembers(step, names).join(' ')} }`
        : step.kind,
    )
    .join(', ');
}

function addConstraints(policy: PolicyDb, names: Names, version: PolicyVersion, add: Add): void {
  const membership = readMembership(policy, names);
  const all = { names, membership, version, emptyRole: undefined };
  const addOne = (
    word: 'constrain' | 'validatetrans',
    tclass: string,
    permissions: readonly string[],
    { expression }: Constraint,
  ): void => {
    const isMls = expression.some((step) => step.kind === 'attribute' && step.attribute >= CEXPR_L1L2);
    const text = constraintText(all, expression, word === 'validatetrans') ?? stepsText(expression, names);
    const listed = permissions.length === 0 ? '' : ` { ${permissions.join(' ')} }`;
    const sets: Record<string, string[]> = {};
    for (const step of expression) {
      if (step.kind !== 'names') continue;
      const title = stepTitle(step.attribute);
      const times = Object.keys(sets).filter((key) => key.startsWith(title)).length;
      sets[times === 0 ? title : `${title}, ${times + 1}`] = stepMembers(step, names);
    }
    add(isMls ? `mls${word}` : word, `${tclass}${listed} (${text})`, sets);
  };
  for (const symbol of policy.classes.entries) {
    const own = names.permissions(symbol);
    for (const constraint of symbol.constraints) {
      const permissions = own.filter((name, bit) => name !== undefined && ((constraint.permissions >>> bit) & 1) === 1);
      addOne('constrain', symbol.name, permissions.filter((name) => name !== undefined).toSorted(), constraint);
    }
    for (const constraint of symbol.validateTransitions) addOne('validatetrans', symbol.name, [], constraint);
  }
}

function addContexts({ objectContexts }: PolicyDb, names: Names, sids: readonly string[], add: Add): void {
  const { initialSids, pirqs, ioports, iomem, pciDevices, deviceTree } = objectContexts;
  const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
  const range = (low: bigint, high: bigint): string => (low === high ? hex(low) : `${hex(low)}-${hex(high)}`);
  for (const { sid, context } of initialSids)
    add('initial SID', sidName(sid, sids), {}, { label: names.context(context) });
  for (const { number, context } of pirqs) add('pirqcon', String(number), {}, { label: names.context(context) });
  for (const { low, high, context } of ioports)
    add('ioportcon', range(low, high), {}, { label: names.context(context) });
  for (const { low, high, context } of iomem) add('iomemcon', range(low, high), {}, { label: names.context(context) });
  for (const { number, context } of pciDevices) add('pcidevicecon', hex(number), {}, { label: names.context(context) });
  for (const { path, context } of deviceTree) add('devicetreecon', path, {}, { label: names.context(context) });
}

/** All facts of a policy that was read from bytes. */
export function policyFacts(policy: PolicyDb, version: PolicyVersion): Fact[] {
  const facts: Fact[] = [];
  const add: Add = (kind, name, sets = {}, values = {}) => facts.push({ kind, name, sets, values });
  const names = new Names(policy, () => undefined);
  add('property', 'unknown permissions', {}, { answer: policy.handleUnknown });
  add('property', 'MLS', {}, { state: policy.isMls ? 'on' : 'off' });
  add('property', 'version', {}, { number: String(version) });
  for (const bit of policy.policyCapabilities) add('policy capability', POLICY_CAPABILITIES[bit] ?? `number ${bit}`);
  addClasses(policy, names, add);
  addTypes(policy, names, add);
  addRolesAndUsers(policy, names, add);
  for (const { name, state } of policy.booleans.entries) add('boolean', name, {}, { default: String(state) });
  addMls(policy, names, add);
  for (const { source, target, tclass, name, result } of policy.filenameTransitions)
    add(
      'type_transition by name',
      `${names.type(source)} ${names.type(target)}:${names.class(tclass)} "${name}"`,
      {},
      {
        type: names.type(result),
      },
    );
  addConstraints(policy, names, version, add);
  addContexts(policy, names, xenRelease(findRelease(policy)?.release ?? BASELINE_RELEASE).initialSids, add);
  return facts;
}
