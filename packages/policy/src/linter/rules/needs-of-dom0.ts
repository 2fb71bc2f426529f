/**
 * What Xen asks of dom0 lest the host cannot be used: now, or after the next update of the release.
 *
 * @module
 */
import { needNotes, type UnmetNeed, unmetNeeds } from '../../analysis/index.ts';
import { BEHAVIOUR_CHANGES, type BehaviourNeed, XEN_RELEASES, type XenReleaseName } from '../../releases/index.ts';
import type { Diagnostic } from '../../text/index.ts';
import { lint } from '../diagnostics.ts';
import { addBehind, type LintSubject } from '../lint-subject.ts';

/** The later point releases of the same series, `4.17.7` for `4.17`. */
function updatesOf(release: XenReleaseName): readonly XenReleaseName[] {
  return XEN_RELEASES.filter((name) => name.startsWith(`${release}.`));
}

function needsOf(release: XenReleaseName): BehaviourNeed[] {
  return BEHAVIOUR_CHANGES.flatMap(({ releases, need }) =>
    need !== undefined && releases.includes(release) ? [need] : [],
  );
}

/** Each need once, in the first release that has it. */
export function needsOfDom0(subject: LintSubject): Diagnostic[] {
  const { policy, release } = subject;
  const told = new Set<BehaviourNeed>();
  const findings: Diagnostic[] = [];
  for (const name of [release.name, ...updatesOf(release.name)]) {
    const needs = needsOf(name).filter((need) => !told.has(need));
    for (const need of needs) told.add(need);
    const when = name === release.name ? '' : ` once Xen ${release.name} is updated to ${name}`;
    for (const unmet of unmetNeeds(policy, release, needs)) findings.push(finding(subject, unmet, when));
  }
  return findings;
}

function finding(subject: LintSubject, need: UnmetNeed, when: string): Diagnostic {
  const { sourceType: dom0, targetType, class: className, permission } = need;
  const origin = subject.declarationOrigin('type', targetType);
  const rule = `allow ${dom0} ${targetType}:${className} ${permission};`;
  const fixes = addBehind(origin, rule);
  // A fix is shown at its place; without one the rule is told.
  const notes = fixes.length > 0 ? [{ message: need.otherwise }] : needNotes(need);
  const code = permission === 'get_domain_state' ? 'no-xenstored' : 'dom0-cannot-list';
  return lint[code](origin, { dom0, when }, { notes, fixes });
}
