/**
 * What a release of Xen does otherwise than 4.17, beside the checks of its hypercalls: data.
 *
 * Only what bears on labels and checks is here. What hypercalls do once their checks have passed is 4.17's.
 * Facts: Xen `xen/xsm/flask/{hooks,flask_op}.c`, `xen/common/{domctl,domain}.c` at the tags of the tables.
 *
 * @module
 */
import { hasEarlyChecks, isSince, type XenReleaseName } from '@dewar/policy/releases';
import type { FlaskMode } from './flask.ts';

/** What a release does otherwise. */
export interface Behaviour {
  /** How FLASK starts where nobody says how. */
  readonly defaultMode: FlaskMode;
  /** The values of the boot parameter that it knows; 4.3 has `flask_enabled=` and `flask_enforcing=` in its place. */
  readonly modes: readonly FlaskMode[];
  /** Whether an enforcing Xen stops without a policy, or goes on and allows everything. */
  readonly needsPolicy: boolean;
  /** Whether the console tells that no policy is in force, and when the first one comes. */
  readonly tellsOfPolicy: boolean;
  /** The label of Xen that makes dom0, which is then checked; without one dom0 is made unasked. */
  readonly bootLabel: 'xenboot' | undefined;
  /** Whether only one domain may ever have the label of dom0, and SID 0 gives way to `unlabeled` before the check. */
  readonly guardsLabels: boolean;
  /** What `createdomain` says of a number that is taken. */
  readonly takenDomid: 'EEXIST' | 'EINVAL';
  /** Whether `getdomaininfo` answers with the next domain where there is none of that number. */
  readonly findsNextDomain: boolean;
  /** Whether it keeps in mind whose state changed, and tells of that. XEN: `XEN_DOMCTL_get_domain_state`. */
  readonly tellsOfChanges: boolean;
  /** Whether `shadow_op` is checked before anything else is looked at. */
  readonly checksShadowFirst: boolean;
  /** Whether it has shadow page tables where nobody asks for them: without, nobody sees what a PV guest writes. XEN: XSA-495. */
  readonly hasShadowPaging: boolean;
  /** Whether a request that FLASK does not know passes where the policy allows unknown permissions, or Xen is permissive. */
  readonly asksPolicyOfUnknown: boolean;
  /** Whether FLASK can be switched off before the first policy. XEN: `FLASK_DISABLE`. */
  readonly canDisable: boolean;
  /** Whether `FLASK_SETBOOL` without a commit says yes to a boolean that does not exist. */
  readonly overlooksNoBoolean: boolean;
  /** Whether texts may be longer than a page. */
  readonly takesLongTexts: boolean;
  /** What `xen_version` tells. */
  readonly version: { readonly release: string; readonly extra: string };
}

const VERSIONS: Readonly<Record<XenReleaseName, Behaviour['version']>> = {
  '4.3': { release: '4.3', extra: '.0' },
  '4.8': { release: '4.8', extra: '.0' },
  '4.13': { release: '4.13', extra: '.0' },
  '4.14': { release: '4.14', extra: '.6' },
  '4.15': { release: '4.15', extra: '.7' },
  '4.16': { release: '4.16', extra: '.7' },
  '4.17': { release: '4.17', extra: '.5' },
  '4.17.7': { release: '4.17', extra: '.7' },
  '4.18': { release: '4.18', extra: '.5' },
  '4.18.6': { release: '4.18', extra: '.6' },
  '4.19': { release: '4.19', extra: '.5' },
  '4.19.6': { release: '4.19', extra: '.6' },
  '4.20': { release: '4.20', extra: '.2' },
  '4.20.4': { release: '4.20', extra: '.4' },
  '4.21': { release: '4.21', extra: '.1' },
  '4.21.2': { release: '4.21', extra: '.2' },
  '4.22': { release: '4.22', extra: '.0' },
  master: { release: '4.23', extra: '-unstable' },
};

/** What a release does. */
export function behaviourOf(release: XenReleaseName): Behaviour {
  const since48 = isSince(release, '4.8');
  const since417 = isSince(release, '4.17');
  return {
    defaultMode: since48 ? 'enforcing' : 'permissive',
    modes: since48 ? ['enforcing', 'permissive', 'late', 'disabled'] : ['enforcing', 'permissive', 'disabled'],
    needsPolicy: since48,
    tellsOfPolicy: since48,
    bootLabel: since417 ? 'xenboot' : undefined,
    guardsLabels: since417,
    takenDomid: isSince(release, '4.14') ? 'EEXIST' : 'EINVAL',
    findsNextDomain: !isSince(release, '4.18'),
    tellsOfChanges: isSince(release, '4.21'),
    checksShadowFirst: hasEarlyChecks(release),
    // The points of its mending are those of XSA-492.
    hasShadowPaging: !hasEarlyChecks(release),
    asksPolicyOfUnknown: since48,
    canDisable: !isSince(release, '4.16'),
    overlooksNoBoolean: !since48,
    takesLongTexts: !since48,
    version: VERSIONS[release],
  };
}
