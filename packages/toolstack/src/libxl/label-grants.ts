/**
 * Whether a policy lets a guest be made under its labels at all: the checks of Xen without which no guest comes to life.
 *
 * It is not the whole of a guest's creation, which a simulated host rehearses.
 *
 * @module
 */
import type { Diagnostic, Note } from '@dewar/policy/text';
import type { DomainConfig } from '../xl-cfg/domain-config.ts';
import { guest } from './diagnostics.ts';

/** Which of some permissions of a class a policy does not give one label on another. */
export type MissingGrants = (
  source: string,
  target: string,
  tclass: string,
  permissions: readonly string[],
) => readonly string[];

/**
 * Says where dom0 may not create a domain under the label of a guest, or change its label to the one that it is to run
 * under. `dom0` is dom0's own label; only valid labels are asked about.
 *
 * XEN: `flask_domain_create`, `flask_relabel_domain` (xsm/flask).
 */
export function adviseLabelGrants(
  { build, run }: DomainConfig['labels'],
  dom0: string,
  missing: MissingGrants,
): readonly Diagnostic[] {
  if (build === undefined) return [];
  const found: Diagnostic[] = [];
  const lacks = (source: string, target: string, tclass: string, permission: string): Note[] =>
    missing(source, target, tclass, [permission]).map(() => ({
      message: `\`${source}\` lacks \`${tclass} { ${permission} }\` on \`${target}\``,
    }));
  const created = lacks(dom0, build.text, 'domain', 'create');
  if (created.length > 0)
    found.push(
      guest['label-not-granted'](build.origin, { what: `created under \`${build.text}\`` }, { notes: created }),
    );
  // XEN: a change to the label that a domain has already is checked as any other.
  if (run === undefined) return found;
  const relabelled = [
    ...lacks(dom0, build.text, 'domain2', 'relabelfrom'),
    ...lacks(dom0, run.text, 'domain2', 'relabelto'),
    ...lacks(build.text, run.text, 'domain', 'transition'),
  ];
  if (relabelled.length > 0) {
    const what = `relabelled from \`${build.text}\` to \`${run.text}\``;
    found.push(guest['label-not-granted'](run.origin, { what }, { notes: relabelled }));
  }
  return found;
}
