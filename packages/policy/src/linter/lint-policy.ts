/**
 * All lints, in one pass over a policy.
 *
 * @module
 */
import type { Diagnostic } from '../text/index.ts';
import { gatherFindings } from './gather-findings.ts';
import { type LintInput, LintSubject } from './lint-subject.ts';
import { argoConnects } from './rules/argo-connects.ts';
import { constraintFaults } from './rules/constraints.ts';
import { unusedDeviceLabels } from './rules/device-labels.ts';
import { noOwnRights, typeWithoutRole } from './rules/domain-types.ts';
import { idlePermissions } from './rules/idle-permissions.ts';
import { cannotDestroy, neverUnpaused, unseenByXenstored } from './rules/lives-of-domains.ts';
import { needsOfDom0 } from './rules/needs-of-dom0.ts';
import { relabelBack, relabelUnused } from './rules/relabel-rights.ts';
import { repeatedRules } from './rules/repeated-rules.ts';
import { unusedNames } from './rules/unused-names.ts';
import { isIgnored } from './suppressions.ts';

/** What looks for faults, with the codes that it can tell of. */
const RULES: readonly {
  readonly codes: readonly string[];
  readonly run: (subject: LintSubject) => readonly Diagnostic[];
}[] = [
  { codes: ['cannot-destroy'], run: cannotDestroy },
  { codes: ['never-unpaused'], run: neverUnpaused },
  { codes: ['dom0-cannot-list', 'no-xenstored'], run: needsOfDom0 },
  { codes: ['unseen-by-xenstored'], run: unseenByXenstored },
  { codes: ['no-own-rights'], run: noOwnRights },
  { codes: ['relabel-back'], run: relabelBack },
  { codes: ['relabel-unused'], run: relabelUnused },
  { codes: ['type-without-role'], run: typeWithoutRole },
  { codes: ['argo-connects'], run: argoConnects },
  { codes: ['rule-never-holds', 'constraint-never-met'], run: constraintFaults },
  { codes: ['repeated-rule'], run: repeatedRules },
  { codes: ['permission-does-nothing'], run: idlePermissions },
  { codes: ['unused-type', 'unused-attribute', 'unused-boolean', 'unused-role'], run: unusedNames },
  { codes: ['unused-device-label'], run: unusedDeviceLabels },
];

/** All codes, without the area. */
export const LINT_CODES: readonly string[] = RULES.flatMap(({ codes }) => codes);

/** Those of them that are looked for in sources alone, and so not in a binary. */
export const SOURCE_CODES: readonly string[] = ['repeated-rule', 'unused-type', 'unused-attribute'];

/** Which faults are looked for. */
export interface LintOptions {
  /** Only these codes, without the area; all where undefined. */
  readonly only?: readonly string[] | undefined;
  /** Not these. */
  readonly ignore?: readonly string[] | undefined;
}

/**
 * Looks for what compiles and is wrong.
 *
 * @returns the findings, by kind and then in the order of the policy, without those that a comment
 * `# dewar: ignore CODE` takes back; what a macro lacks is one finding, with those of its other calls as `alike`
 */
export function lintPolicy(input: LintInput, { only, ignore = [] }: LintOptions = {}): readonly Diagnostic[] {
  const isWanted = (code: string): boolean => (only === undefined || only.includes(code)) && !ignore.includes(code);
  const rules = RULES.filter(({ codes }) => codes.some(isWanted));
  if (rules.length === 0) return [];
  const subject = new LintSubject(input);
  const found = rules
    .flatMap(({ run }) => run(subject))
    .filter((one) => isWanted(one.code.slice(one.code.indexOf('/') + 1)) && !isIgnored(one));
  return gatherFindings(found);
}
