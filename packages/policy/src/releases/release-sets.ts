/**
 * Sets of releases: in which of them something holds.
 *
 * Most of what changes in Xen holds from a release on. What came as the fix of a security fault holds in the last point
 * releases of several series, and not in the series that began between them.
 *
 * @module
 */
import { XEN_RELEASES, type XenReleaseName } from './release-tables.ts';

/** A release and all after it. */
export function releasesSince(first: XenReleaseName): readonly XenReleaseName[] {
  return XEN_RELEASES.slice(XEN_RELEASES.indexOf(first));
}

/** The releases from one to another, both included. */
export function releasesThrough(first: XenReleaseName, last: XenReleaseName): readonly XenReleaseName[] {
  return XEN_RELEASES.slice(XEN_RELEASES.indexOf(first), XEN_RELEASES.indexOf(last) + 1);
}

/** XSA-492 and XSA-499, which went to all series that were alive in July 2026. */
const WITH_EARLY_CHECKS: readonly XenReleaseName[] = [
  '4.17.7',
  '4.18.6',
  '4.19.6',
  '4.20.4',
  '4.21.2',
  ...releasesSince('4.22'),
];

/**
 * Whether a release asks for permission before it takes the lock of domctls and sysctls: XSA-492 and XSA-499. What
 * changes with it for a policy is that listing domains needs `domain { getdomaininfo }` on the label of `domxen`.
 */
export function hasEarlyChecks(release: XenReleaseName): boolean {
  return WITH_EARLY_CHECKS.includes(release);
}

/** A set of releases as a person would write it, such as `4.3 to 4.8, 4.17.7`. */
export function releasesText(releases: readonly XenReleaseName[]): string {
  const parts: string[] = [];
  for (let i = 0; i < XEN_RELEASES.length; i++) {
    const first = XEN_RELEASES[i];
    if (first === undefined || !releases.includes(first)) continue;
    let last = i;
    for (let next = XEN_RELEASES[last + 1]; next !== undefined && releases.includes(next); ) {
      last++;
      next = XEN_RELEASES[last + 1];
    }
    const end = XEN_RELEASES[last] ?? first;
    parts.push(last === i ? first : last === i + 1 ? `${first}, ${end}` : `${first} to ${end}`);
    i = last;
  }
  return parts.join(', ');
}
