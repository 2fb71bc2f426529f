/**
 * A policy that allows and denies what another one does, and has Xen log what it grants.
 *
 * @module
 */
import {
  AVTAB_ALLOWED,
  AVTAB_AUDITALLOW,
  AVTAB_TRANSITION,
  expandPolicyRules,
  type PolicyDb,
  permissionsOf,
  RuleTable,
  readPolicydb,
  ruleTables,
  writePolicydb,
} from '@dewar/policy/policydb';
import type { Diagnostic } from '@dewar/policy/text';

/**
 * What is checked so often that logging it would drown everything else: page by page while a guest is built, at each
 * event, at each step of a long hypercall, and at each reading of the console where the log itself is.
 */
export const NOT_AUDITED: Readonly<Record<string, readonly string[]>> = {
  mmu: ['map_read', 'map_write', 'mmuext_op', 'updatemp'],
  event: ['send', 'status'],
  domain: ['destroy'],
  xen: ['readconsole', 'clearconsole', 'writeconsole'],
};

/** What is never audited: to read the log would make it longer. */
const NEVER_AUDITED: Readonly<Record<string, readonly string[]>> = { xen: ['readconsole', 'clearconsole'] };

/** What to audit. */
export interface AuditChoice {
  /**
   * Types of which one must be source or target; without it, all rules are audited. What is asked of FLASK itself
   * (class `security`) is audited whoever asks: it is little, and shows that Xen writes its log.
   */
  readonly types?: readonly string[];
  /**
   * Audit also what `NOT_AUDITED` leaves out; but not what a domain does to page tables of its own, which a PV kernel
   * does all the time: that takes hours to log.
   */
  readonly isWhole?: boolean;
}

/** For each class, the permissions that are audited. */
function auditedPermissions(policy: PolicyDb, leftOut: typeof NOT_AUDITED): ReadonlyMap<number, number> {
  const masks = new Map<number, number>();
  for (const tclass of policy.classes.entries) {
    const { name, value, permissionCount } = tclass;
    let mask = permissionCount >= 32 ? 0xffffffff : 2 ** permissionCount - 1;
    for (const permission of permissionsOf(policy, tclass)) {
      if (leftOut[name]?.includes(permission.name) === true) mask &= ~(1 << (permission.value - 1));
    }
    masks.set(value, mask >>> 0);
  }
  return masks;
}

/** For each type the type that a domain has in its own eyes. XEN: `hooks.c`, `flask_domain_alloc_security`. */
function selfTypes({ rules, classes }: PolicyDb): ReadonlyMap<number, number> {
  const domain = classes.byName.get('domain')?.value;
  const selves = new Map<number, number>();
  for (let row = 0; row < rules.length; row++) {
    const [source = 0, target] = [rules.source[row], rules.target[row]];
    if (((rules.kind[row] ?? 0) & AVTAB_TRANSITION) === 0 || source !== target || rules.tclass[row] !== domain)
      continue;
    selves.set(source, rules.data[row] ?? source);
  }
  return selves;
}

/** The rules of a policy with an `auditallow` beside each `allow` that is to be audited. */
function withAuditing(policy: PolicyDb, { types, isWhole = false }: AuditChoice): RuleTable {
  const masks = auditedPermissions(policy, isWhole ? NEVER_AUDITED : NOT_AUDITED);
  const masksOfItself = isWhole ? auditedPermissions(policy, NOT_AUDITED) : masks;
  const selves = selfTypes(policy);
  const security = policy.classes.byName.get('security')?.value;
  const chosen = types === undefined ? undefined : new Set(types.map((name) => policy.types.byName.get(name)?.value));
  const rules = new RuleTable();
  for (let row = 0; row < policy.rules.length; row++) rules.pushRow(policy.rules, row);
  const audited = new Map<string, number>();
  const known = new Map<string, number>();
  for (let row = 0; row < rules.length; row++) {
    const key = `${rules.source[row]},${rules.target[row]},${rules.tclass[row]}`;
    if (((rules.kind[row] ?? 0) & AVTAB_AUDITALLOW) !== 0) known.set(key, row);
  }
  // A rule inside a conditional is audited outside of it: where it does not hold nothing is granted, so nothing logged.
  for (const table of ruleTables(policy)) {
    for (let row = 0; row < table.length; row++) {
      if (((table.kind[row] ?? 0) & AVTAB_ALLOWED) === 0) continue;
      const [source = 0, target = 0, tclass = 0] = [table.source[row], table.target[row], table.tclass[row]];
      if (chosen !== undefined && tclass !== security && !chosen.has(source) && !chosen.has(target)) continue;
      const isOnItself = target === source || target === selves.get(source);
      const mask = ((table.data[row] ?? 0) & ((isOnItself ? masksOfItself : masks).get(tclass) ?? 0)) >>> 0;
      const key = `${source},${target},${tclass}`;
      if (mask !== 0) audited.set(key, ((audited.get(key) ?? 0) | mask) >>> 0);
    }
  }
  for (const [key, mask] of audited) {
    const row = known.get(key);
    if (row === undefined) {
      const [source = 0, target = 0, tclass = 0] = key.split(',').map(Number);
      rules.push(AVTAB_AUDITALLOW, source, target, false, tclass, mask, 0);
    } else rules.data[row] = ((rules.data[row] ?? 0) | mask) >>> 0;
  }
  return rules;
}

/** What came of it: the bytes, or why the policy cannot be read or written. */
export interface AuditedPolicy {
  readonly bytes: Uint8Array | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Adds auditing to a binary policy. Nothing that it decides changes. */
export function auditPolicy(bytes: Uint8Array, choice: AuditChoice = {}): AuditedPolicy {
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) return { bytes: undefined, diagnostics: [read.diagnostic] };
  const policy = { ...read.policy, rules: withAuditing(read.policy, choice) };
  return { bytes: writePolicydb(policy, expandPolicyRules(policy).rules, read.version), diagnostics: [] };
}
