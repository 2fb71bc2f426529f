/**
 * What is in a policy: the questions of `seinfo`.
 *
 * Start reading at `policyInfo`.
 *
 * @module
 */
import {
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_AUDITDENY,
  AVTAB_CHANGE,
  AVTAB_MEMBER,
  AVTAB_TRANSITION,
  CEXPR_L1L2,
  type HandleUnknown,
  POLICY_CAPABILITIES,
  type PolicyDb,
  type PolicyVersion,
  ruleTables,
} from '../policydb/index.ts';
import { BASELINE_RELEASE, type XenReleaseName, xenRelease } from '../releases/index.ts';
import { constraintStatements } from './constraints-text.ts';
import { deviceText } from './contexts-text.ts';
import { conditionText } from './expressions.ts';
import { findRelease } from './find-release.ts';
import { Names } from './names.ts';
import { defaultText, sidName } from './symbols-text.ts';
import { readMembership } from './types-text.ts';

/** What is in a policy. Lists are sorted by name, but for what has an order of its own. */
export interface PolicyInfo {
  readonly version: PolicyVersion;
  readonly isMls: boolean;
  readonly handleUnknown: HandleUnknown;
  /** The release of Xen that gives the initial SIDs their names, and whether the policy's classes are just its. */
  readonly release: { readonly name: XenReleaseName; readonly isExact: boolean };
  /** In the order of their numbers; permissions in the order of their bits. */
  readonly classes: readonly {
    readonly name: string;
    readonly common: string | undefined;
    readonly permissions: readonly string[];
  }[];
  readonly commons: readonly { readonly name: string; readonly permissions: readonly string[] }[];
  readonly types: readonly {
    readonly name: string;
    readonly aliases: readonly string[];
    readonly attributes: readonly string[];
    readonly bounds: string | undefined;
    readonly isPermissive: boolean;
  }[];
  readonly attributes: readonly { readonly name: string; readonly types: readonly string[] }[];
  readonly roles: readonly { readonly name: string; readonly types: readonly string[] }[];
  readonly users: readonly {
    readonly name: string;
    readonly roles: readonly string[];
    /** With MLS only. */
    readonly level: string | undefined;
    readonly range: string | undefined;
  }[];
  readonly booleans: readonly { readonly name: string; readonly state: boolean }[];
  readonly conditionals: readonly { readonly condition: string; readonly state: boolean; readonly rules: number }[];
  /** Statements, as policy text has them. */
  readonly constraints: readonly string[];
  readonly defaults: readonly string[];
  readonly sensitivities: readonly string[];
  readonly categories: readonly string[];
  readonly capabilities: readonly string[];
  /** In the order of their numbers. */
  readonly initialSids: readonly { readonly sid: number; readonly name: string; readonly context: string }[];
  /** Statements, as policy text has them. */
  readonly devices: readonly string[];
  /** How many there are, by the word with which a statement begins. */
  readonly counts: Readonly<Record<string, number>>;
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
const byValue = (a: { readonly value: number }, b: { readonly value: number }): number => a.value - b.value;

function countRules(policy: PolicyDb): Record<string, number> {
  const tables = ruleTables(policy).map((table) => table.countKinds());
  const ofKind = (kind: number): number => tables.reduce((sum, kinds) => sum + (kinds.get(kind) ?? 0), 0);
  const counts: Record<string, number> = {
    allow: ofKind(AVTAB_ALLOWED),
    auditallow: ofKind(AVTAB_AUDITALLOW),
    dontaudit: ofKind(AVTAB_AUDITDENY),
    type_transition: ofKind(AVTAB_TRANSITION) + policy.filenameTransitions.length,
    type_member: ofKind(AVTAB_MEMBER),
    type_change: ofKind(AVTAB_CHANGE),
    'role allow': policy.roleAllows.length,
    role_transition: policy.roleTransitions.length,
    range_transition: policy.rangeTransitions.length,
    constrain: 0,
    mlsconstrain: 0,
    validatetrans: 0,
    mlsvalidatetrans: 0,
  };
  for (const { constraints, validateTransitions } of policy.classes.entries) {
    for (const [word, list] of [
      ['constrain', constraints],
      ['validatetrans', validateTransitions],
    ] as const) {
      for (const { expression } of list) {
        const isMls = expression.some((step) => step.kind === 'attribute' && step.attribute >= CEXPR_L1L2);
        const key = isMls ? `mls${word}` : word;
        counts[key] = (counts[key] ?? 0) + 1;
      }
    }
  }
  return counts;
}

function typeInfo(policy: PolicyDb, names: Names): Pick<PolicyInfo, 'types' | 'attributes' | 'roles'> {
  const { members, attributesOf } = readMembership(policy, names, false);
  const { entries } = policy.types;
  const typeNames = (bits: Iterable<number>): string[] => Array.from(bits, (bit) => names.type(bit + 1)).toSorted();
  const aliases = new Map<number, string[]>();
  for (const { kind, value, name } of entries)
    if (kind === 'alias') aliases.set(value, [...(aliases.get(value) ?? []), name]);
  return {
    types: entries
      .filter(({ kind }) => kind === 'type')
      .toSorted(byName)
      .map(({ name, value, bounds }) => ({
        name,
        aliases: aliases.get(value)?.toSorted() ?? [],
        attributes: (attributesOf.get(value) ?? []).map((one) => names.type(one)).toSorted(),
        bounds: bounds === 0 ? undefined : names.type(bounds),
        isPermissive: policy.permissive.has(value),
      })),
    attributes: entries
      .filter(({ kind }) => kind === 'attribute')
      .toSorted(byName)
      .map(({ name, value }) => ({ name, types: typeNames(members.get(value) ?? []) })),
    roles: policy.roles.entries.toSorted(byName).map(({ name, types }) => ({ name, types: typeNames(types) })),
  };
}

/** What is in a policy that was read from a binary. */
export function policyInfo(policy: PolicyDb, version: PolicyVersion, release?: XenReleaseName): PolicyInfo {
  // What has no name gets a made-up one; whoever wants to know what is wrong decompiles.
  const names = new Names(policy, () => undefined);
  const match = findRelease(policy);
  const name = release ?? match?.release ?? BASELINE_RELEASE;
  const sids = xenRelease(name).initialSids;
  const { classes, commons, users, booleans, sensitivities, categories, policyCapabilities } = policy;
  const membership = readMembership(policy, names);
  const constraints = constraintStatements({ names, membership, version, emptyRole: undefined });
  const types = typeInfo(policy, names);
  return {
    version,
    isMls: policy.isMls,
    handleUnknown: policy.handleUnknown,
    release: { name, isExact: match?.isExact === true && match.release === name },
    classes: classes.entries.toSorted(byValue).map((tclass) => ({
      name: tclass.name,
      common: tclass.common,
      permissions: names.permissions(tclass).filter((permission) => permission !== undefined),
    })),
    commons: commons.entries
      .toSorted(byValue)
      .map((one) => ({ name: one.name, permissions: one.permissions.toSorted(byValue).map((each) => each.name) })),
    ...types,
    users: users.entries.toSorted(byName).map((user) => ({
      name: user.name,
      roles: Array.from(user.roles, (bit) => names.role(bit + 1)).toSorted(),
      level: policy.isMls ? names.level(user.defaultLevel) : undefined,
      range: policy.isMls ? names.range(user.range) : undefined,
    })),
    booleans: booleans.entries.toSorted(byName).map((one) => ({ name: one.name, state: one.state })),
    conditionals: policy.conditionals.map(({ expression, state, whenTrue, whenFalse }) => ({
      condition: conditionText(names, expression),
      state,
      rules: whenTrue.length + whenFalse.length,
    })),
    constraints: [...constraints.mls, ...constraints.others],
    defaults: defaultText(policy, names),
    sensitivities: sensitivities.entries
      .filter(({ isAlias }) => !isAlias)
      .toSorted((a, b) => a.level.sensitivity - b.level.sensitivity)
      .map((one) => one.name),
    categories: categories.entries
      .filter(({ isAlias }) => !isAlias)
      .toSorted(byValue)
      .map((one) => one.name),
    capabilities: Array.from(policyCapabilities, (bit) => POLICY_CAPABILITIES[bit] ?? `capability_${bit}`),
    initialSids: policy.objectContexts.initialSids
      .toSorted((a, b) => a.sid - b.sid)
      .map(({ sid, context }) => ({ sid, name: sidName(sid, sids), context: names.context(context) })),
    devices: deviceText(policy, names),
    counts: countRules(policy),
  };
}
