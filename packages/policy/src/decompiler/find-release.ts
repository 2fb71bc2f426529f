/**
 * Which release of Xen a policy was made for: the binary does not say, its classes and permissions do.
 *
 * @module
 */
import { type PolicyDb, permissionsOf } from '../policydb/index.ts';
import { XEN_RELEASES, type XenReleaseName, xenRelease } from '../releases/index.ts';

/** The release whose classes and permissions are most like those of the policy, and whether they are the same. */
export interface ReleaseMatch {
  readonly release: XenReleaseName;
  readonly isExact: boolean;
}

function permissionKeys(policy: PolicyDb): Set<string> {
  const keys = new Set<string>();
  for (const tclass of policy.classes.entries) {
    for (const one of permissionsOf(policy, tclass))
      keys.add(`${tclass.value} ${tclass.name} ${one.value} ${one.name}`);
  }
  return keys;
}

/** `4.17` of `4.17.7`. */
function seriesOf(release: XenReleaseName): string {
  return release.split('.').slice(0, 2).join('.');
}

/**
 * The release that fits a policy best. Of those that fit equally well it is the newest series that was released, and the
 * first of its point releases.
 */
export function findRelease(policy: PolicyDb): ReleaseMatch | undefined {
  const own = permissionKeys(policy);
  let best: { readonly release: XenReleaseName; readonly misses: number } | undefined;
  let isExact = false;
  for (const name of XEN_RELEASES) {
    const keys = xenRelease(name).classes.flatMap(({ name: className, id, permissions }) =>
      permissions.map((permission, bit) => `${id} ${className} ${bit + 1} ${permission}`),
    );
    const shared = keys.filter((key) => own.has(key)).length;
    if (shared === 0) continue;
    const misses = keys.length + own.size - 2 * shared;
    if (best !== undefined && misses > best.misses) continue;
    const isOther = best === undefined || (name !== 'master' && seriesOf(name) !== seriesOf(best.release));
    if (misses === best?.misses && !isOther) continue;
    best = { release: name, misses };
    isExact = misses === 0;
  }
  return best && { release: best.release, isExact };
}
