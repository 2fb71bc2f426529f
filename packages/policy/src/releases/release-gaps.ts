/**
 * What a release of Xen lets pass whatever its policy says: data.
 *
 * No rule closes these: only another Xen does. Facts: Xen's history of `xen/xsm/flask`, `xen/common/{domctl,sysctl}.c`;
 * the point releases that first have a fix are those whose tag contains it.
 * Start reading at `gapsOf`.
 *
 * @module
 */
import { releasesThrough } from './release-sets.ts';
import type { XenReleaseName } from './release-tables.ts';

/** Something that FLASK of some releases does not hold back. */
export interface ReleaseGap {
  /** The advisory of Xen's security team, or the commit that mended it where there is none. */
  readonly id: string;
  /** The releases with tables that have it. */
  readonly releases: readonly XenReleaseName[];
  /** One clause, lower case: who can do what. */
  readonly text: string;
  /** The first point releases that no longer have it, in words. */
  readonly mendedIn: string;
}

/** Every gap that is known, the oldest first. */
export const RELEASE_GAPS: readonly ReleaseGap[] = [
  {
    id: 'XSA-84',
    releases: ['4.3'],
    text: 'any domain can have FLASK copy a name of a boolean, or a label, of any length it states',
    mendedIn: '4.3.2',
  },
  {
    id: 'XSA-85',
    releases: ['4.3'],
    text: 'any domain can read what lies behind the statistics of the access vector cache',
    mendedIn: '4.3.2',
  },
  {
    id: 'XSA-237',
    releases: ['4.3', '4.8'],
    text: 'when an interrupt of a PCI device is given back, the label that is asked for can be that of another device',
    mendedIn: '4.7.4, 4.8.3, 4.9.1 and 4.10.0',
  },
  {
    id: 'commit ee32b9b29a',
    releases: releasesThrough('4.3', '4.16'),
    text:
      'any domain can have a domain half made before it is refused, and so choose, with a reboot of its own, ' +
      'the number that it has next',
    mendedIn: '4.17.5, 4.18.3, 4.19.1 and 4.20.0',
  },
  {
    id: 'commit 3007efadf7',
    releases: releasesThrough('4.13', '4.16'),
    text: 'of the domains that Xen makes as it boots (dom0less) the first has the label of dom0, and the others have none',
    mendedIn: '4.17.0',
  },
  {
    id: 'XSA-492 and XSA-499',
    releases: [...releasesThrough('4.3', '4.17'), '4.18', '4.19', '4.20', '4.21'],
    text: 'any domain can take the locks that domctls and sysctls share before it is refused, and hold up the toolstack',
    mendedIn: '4.17.7, 4.18.6, 4.19.6, 4.20.4, 4.21.2 and 4.22.0',
  },
];

/** What a release lets pass, the oldest first. */
export function gapsOf(release: XenReleaseName): readonly ReleaseGap[] {
  return RELEASE_GAPS.filter(({ releases }) => releases.includes(release));
}
