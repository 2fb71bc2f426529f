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

/** What a log cannot tell even where a check is chosen by itself (`AuditChoice.checks`), each with the reason. */
const NOT_TOLD: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  mmu: Object.fromEntries(
    (NOT_AUDITED['mmu'] ?? []).map((one) => [one, 'Xen checks it page by page, too often for its log']),
  ),
  event: Object.fromEntries((NOT_AUDITED['event'] ?? []).map((one) => [one, 'Xen checks it at each event'])),
  xen: {
    readconsole: 'who reads the log makes it longer',
    clearconsole: 'who reads the log makes it longer',
    writeconsole: 'Xen checks it at each line that a guest writes',
    physinfo:
      'programs that begin to work with Xen are granted it, and not alike: xl asks, and Dewar calls libxl without xl',
  },
  domain: {
    // Seen on real Xen with a serial console: each line takes so long that Xen puts the destruction off after each page.
    destroy: 'Xen checks it anew at each part of a destruction, and to log that makes the parts smaller',
    getdomaininfo: 'who looks at a domain is granted it, and Dewar looks more often than xl',
  },
  security: {
    check_context: 'who looks at a label is granted it, and Dewar looks more often than xl',
    compute_av: 'Dewar is granted it, which asks whether Xen still logs what it grants',
  },
};

/** A check that is to be logged when it is granted. Without a type, that side is anybody. */
export interface AuditedCheck {
  readonly class: string;
  readonly permissions: readonly string[];
  readonly source?: string | undefined;
  readonly target?: string | undefined;
}

/**
 * Why a log with auditing does not tell whether one operation was granted this; undefined where it does. Where it does
 * not, `auditPolicy` leaves it out also when it is chosen in `AuditChoice.checks`.
 */
export function whyNotTold({ class: name, source, target }: AuditedCheck, permission: string): string | undefined {
  if (name === 'version') return 'programs and kernels ask for it whenever they start';
  // The kernel of dom0 pins page tables whenever a process forks.
  if (name === 'mmu' && source !== undefined && source === target)
    return 'a kernel does that with page tables of its own whenever it needs to';
  return NOT_TOLD[name]?.[permission];
}

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
  /** Only these checks, as far as a log tells of them (`whyNotTold`), and those of class `security`. */
  readonly checks?: readonly AuditedCheck[];
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

/** What is to be audited of one `allow`: between whom, and which permissions. */
interface AuditedPart {
  readonly source: number;
  readonly target: number;
  readonly mask: number;
}

/** The parts of an `allow` that are to be audited. Its source and its target are types or attributes. */
type PartsOf = (source: number, target: number, tclass: number) => readonly AuditedPart[];

/** Whether a type is meant by a type or an attribute that stands in a rule. */
function isMeant({ typeAttributeMap }: PolicyDb, inRule: number, type: number): boolean {
  return inRule === type || typeAttributeMap[type - 1]?.has(inRule - 1) === true;
}

/** A type by its name; one that the policy has not is that of no rule. */
function typeValue(policy: PolicyDb, name: string): number {
  return policy.types.byName.get(name)?.value ?? 0;
}

/** Only what some checks ask for. */
function partsOfChecks(policy: PolicyDb, checks: readonly AuditedCheck[]): PartsOf {
  const chosen = checks.map((check) => {
    const tclass = policy.classes.byName.get(check.class);
    const told = check.permissions.filter((one) => whyNotTold(check, one) === undefined);
    const values = (tclass === undefined ? [] : permissionsOf(policy, tclass))
      .filter(({ name }) => told.includes(name))
      .map(({ value }) => value);
    const mask = values.reduce((bits, value) => bits | (1 << (value - 1)), 0) >>> 0;
    const valueOfType = (name: string | undefined): number | undefined =>
      name === undefined ? undefined : typeValue(policy, name);
    return { tclass: tclass?.value, mask, source: valueOfType(check.source), target: valueOfType(check.target) };
  });
  /** The side of a rule that is audited: the type that was named, if it is meant, or all. */
  const narrowed = (inRule: number, named: number | undefined): number | undefined =>
    named === undefined ? inRule : isMeant(policy, inRule, named) ? named : undefined;
  return (source, target, tclass) =>
    chosen.flatMap((one) => {
      const [from, to] = [narrowed(source, one.source), narrowed(target, one.target)];
      if (one.tclass !== tclass || from === undefined || to === undefined) return [];
      return [{ source: from, target: to, mask: one.mask }];
    });
}

/** What a choice audits. */
function partsOf(policy: PolicyDb, { types, isWhole = false, checks }: AuditChoice): PartsOf {
  const security = policy.classes.byName.get('security')?.value;
  const all = auditedPermissions(policy, isWhole ? NEVER_AUDITED : NOT_AUDITED);
  const ofItself = isWhole ? auditedPermissions(policy, NOT_AUDITED) : all;
  const selves = selfTypes(policy);
  const whole: PartsOf = (source, target, tclass) => {
    const isOnItself = target === source || target === selves.get(source);
    return [{ source, target, mask: (isOnItself ? ofItself : all).get(tclass) ?? 0 }];
  };
  const chosenParts = checks === undefined ? undefined : partsOfChecks(policy, checks);
  const values = types?.map((name) => typeValue(policy, name));
  return (source, target, tclass) => {
    if (tclass === security) return whole(source, target, tclass);
    if (chosenParts !== undefined) return chosenParts(source, target, tclass);
    if (values === undefined) return whole(source, target, tclass);
    return values.flatMap((type) => [
      ...(isMeant(policy, source, type) ? whole(type, target, tclass) : []),
      ...(isMeant(policy, target, type) ? whole(source, type, tclass) : []),
    ]);
  };
}

/** The rules of a policy with an `auditallow` beside each `allow` that is to be audited. */
function withAuditing(policy: PolicyDb, choice: AuditChoice): RuleTable {
  const parts = partsOf(policy, choice);
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
      for (const part of parts(source, target, tclass)) {
        const mask = ((table.data[row] ?? 0) & part.mask) >>> 0;
        const key = `${part.source},${part.target},${tclass}`;
        if (mask !== 0) audited.set(key, ((audited.get(key) ?? 0) | mask) >>> 0);
      }
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
