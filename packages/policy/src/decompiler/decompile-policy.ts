/**
 * A policy read from bytes, written as text that compiles to the same bytes.
 *
 * What the binary does not have comes back in another shape: macros are gone, `neverallow` rules were only checked, role
 * attributes and tunables have left holes at most. What the binary has and text cannot say is a diagnostic.
 * Start reading at `decompilePolicy`.
 *
 * @module
 */
import { POLICY_CAPABILITIES, type PolicyDb, type PolicyVersion } from '../policydb/index.ts';
import { BASELINE_RELEASE, type XenReleaseName, xenRelease } from '../releases/index.ts';
import type { Diagnostic } from '../text/index.ts';
import { conditionalText } from './conditionals-text.ts';
import { constraintStatements } from './constraints-text.ts';
import { deviceText } from './contexts-text.ts';
import { printable } from './diagnostics.ts';
import { findRelease } from './find-release.ts';
import { Names } from './names.ts';
import { booleanText, mlsText, roleText, userText } from './roles-text.ts';
import { checkRuleOrder, ruleText } from './rules-text.ts';
import { checkVersion, classText, defaultText, sidText } from './symbols-text.ts';
import { filenameText, rangeText, roleAllowText, roleTransitionText } from './transitions-text.ts';
import { permissiveText, readMembership, typeText } from './types-text.ts';

/** How a policy is decompiled. */
export interface DecompileOptions {
  /** The version in which the binary was written. */
  readonly version: PolicyVersion;
  /** The release whose names the initial SIDs get; without it, the one that fits the policy's classes best. */
  readonly release?: XenReleaseName;
}

/** The text of a policy, and what could not be said in it. */
export interface DecompiledPolicy {
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
}

function section(title: string, statements: readonly string[], gap = '\n'): string {
  return statements.length === 0 ? '' : `# ${title}\n\n${statements.join(gap)}\n\n`;
}

function header(policy: PolicyDb, version: PolicyVersion, releaseText: string): string {
  const mls = policy.isMls ? 'with MLS' : 'without MLS';
  return [
    `# A policy for Xen, version ${version}, ${mls}, handle-unknown ${policy.handleUnknown}.`,
    '# The compiler is told these three things; compiled with them, this text gives the same bytes.',
    `# Initial SIDs have the names of Xen ${releaseText}.`,
    '',
    '',
  ].join('\n');
}

function capabilities(policy: PolicyDb, names: Names): string[] {
  return Array.from(policy.policyCapabilities.bits, (bit) => {
    const name = POLICY_CAPABILITIES[bit];
    if (name === undefined) names.lost(`policy capability number ${bit}`);
    return `policycap ${name ?? `capability_${bit}`};`;
  });
}

/** Writes a policy as text. It must have been read from a binary: rules are taken as entries of its table. */
export function decompilePolicy(policy: PolicyDb, options: DecompileOptions): DecompiledPolicy {
  const diagnostics: Diagnostic[] = [];
  const names = new Names(policy, (diagnostic) => diagnostics.push(diagnostic));
  const match = findRelease(policy);
  const release = options.release ?? match?.release ?? BASELINE_RELEASE;
  const isSure = options.release !== undefined || match?.isExact === true;
  const { version } = options;

  const classes = classText(policy, names);
  const sids = sidText(policy, names, xenRelease(release).initialSids);
  const membership = readMembership(policy, names);
  const types = typeText(policy, names, membership);
  const roles = roleText(policy, names, membership);
  const mls = mlsText(policy, names);
  const constraints = constraintStatements({ names, membership, version, emptyRole: roles.emptyAttribute });
  checkVersion(policy, names, version);
  checkRuleOrder(policy, names);

  const text = [
    header(policy, version, isSure ? release : `${release}, whose classes are most like the ones here`),
    section('Object classes', classes.declarations),
    section('Initial SIDs', sids.declarations),
    section('Permissions', classes.commons, '\n\n'),
    section(classes.commons.length > 0 ? 'Permissions of classes' : 'Permissions', classes.vectors, '\n\n'),
    section('Defaults of classes', defaultText(policy, names)),
    section('Sensitivities', [...mls.sensitivities, ...mls.dominance]),
    section('Categories', mls.categories),
    section('Levels', mls.levels),
    section('Constraints of MLS', constraints.mls, '\n\n'),
    section('Policy capabilities', capabilities(policy, names)),
    section('Attributes', types.attributes),
    section('Types', [...types.types, ...types.bounds]),
    section('Booleans', booleanText(policy, names)),
    section('Roles', [...roles.statements, ...roleAllowText(policy, names)]),
    section('Rules', ruleText(policy, names), '\n\n'),
    section('Transitions', [
      ...filenameText(policy, names),
      ...roleTransitionText(policy, names),
      ...rangeText(policy, names),
    ]),
    section('Conditional blocks', conditionalText(policy, names), '\n\n'),
    section('Permissive types', permissiveText(policy, names)),
    section('Users', userText(policy, names, roles)),
    section('Constraints', constraints.others, '\n\n'),
    section('Labels of the initial SIDs', sids.labels),
    section('Labels of devices', deviceText(policy, names)),
  ];
  const isReadable = !diagnostics.some(({ code }) => code === 'decompile/not-a-name');
  const whole = `${text.join('').trimEnd()}\n`;
  return {
    text: isReadable
      ? whole
      : whole
          .split('\n')
          .map((line) => printable(line, line.length))
          .join('\n'),
    diagnostics,
  };
}
