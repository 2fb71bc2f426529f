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

/** A class of a policy: its name, and the permission of each bit. */
interface OwnClass {
  readonly name: string;
  readonly byBit: readonly (string | undefined)[];
}

function ownClasses(policy: PolicyDb): Map<number, OwnClass> {
  const found = new Map<number, OwnClass>();
  for (const tclass of policy.classes.entries) {
    const byBit: string[] = [];
    for (const { name, value } of permissionsOf(policy, tclass)) byBit[value - 1] = name;
    found.set(tclass.value, { name: tclass.name, byBit });
  }
  return found;
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
  const own = ownClasses(policy);
  let ownSize = 0;
  for (const { byBit } of own.values()) ownSize += byBit.filter((one) => one !== undefined).length;
  let best: { readonly release: XenReleaseName; readonly misses: number } | undefined;
  let isExact = false;
  for (const release of XEN_RELEASES) {
    let size = 0;
    let shared = 0;
    for (const { name, id, permissions } of xenRelease(release).classes) {
      size += permissions.length;
      const known = own.get(id);
      if (known?.name !== name) continue;
      for (let bit = 0; bit < permissions.length; bit++) if (known.byBit[bit] === permissions[bit]) shared++;
    }
    if (shared === 0) continue;
    const misses = size + ownSize - 2 * shared;
    if (best !== undefined && misses > best.misses) continue;
    const isOther = best === undefined || (release !== 'master' && seriesOf(release) !== seriesOf(best.release));
    if (misses === best?.misses && !isOther) continue;
    best = { release, misses };
    isExact = misses === 0;
  }
  return best && { release: best.release, isExact };
}
