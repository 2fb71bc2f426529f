/**
 * What a release of Xen checks: its object classes, permissions and initial SIDs by number.
 *
 * Imports: nothing.
 * Start reading at `xenRelease`.
 *
 * @module
 */
import { type ByRelease, INITIAL_SIDS, PERMISSIONS, XEN_RELEASES, type XenReleaseName } from './release-tables.ts';

export { type NeverChecked, neverChecked } from './never-checked.ts';
export { type NumberedOperation, operationOf } from './operation-numbers.ts';
export {
  BEHAVIOUR_CHANGES,
  type BehaviourChange,
  type ClassPermission,
  PERMISSION_MOVES,
  PERMISSION_SPLITS,
  type PermissionMove,
} from './permission-moves.ts';
export { operationsOf } from './permission-operations.ts';
export { XEN_RELEASES, type XenReleaseName } from './release-tables.ts';

/** The release that stands for Xen where nobody says which one is meant. */
export const BASELINE_RELEASE: XenReleaseName = '4.17';

/** An object class as a release of Xen has it. */
export interface ReleaseClass {
  readonly name: string;
  /** Xen's number of the class, from 1. */
  readonly id: number;
  /** In the order of their bits. */
  readonly permissions: readonly string[];
}

/** What a release of Xen checks. */
export interface XenRelease {
  readonly name: XenReleaseName;
  /** In the order of their numbers. */
  readonly classes: readonly ReleaseClass[];
  /** Names of the initial SIDs; the first is SID 1. */
  readonly initialSids: readonly string[];
  /** The newest version of a binary policy that it reads. XEN: `POLICYDB_VERSION_MAX`. */
  readonly newestPolicyVersion: 24 | 30;
}

/** What holds in a release: the list of the newest release not after it. */
function listAt(lists: ByRelease, release: XenReleaseName): readonly string[] | undefined {
  for (let i = XEN_RELEASES.indexOf(release); i >= 0; i--) {
    const name = XEN_RELEASES[i];
    const list = name === undefined ? undefined : lists[name];
    if (list !== undefined) return list.split(' ');
  }
  return undefined;
}

/** The tables of a release. */
export function xenRelease(name: XenReleaseName): XenRelease {
  const classes: ReleaseClass[] = [];
  for (const [className, lists] of Object.entries(PERMISSIONS)) {
    const permissions = listAt(lists, name);
    if (permissions !== undefined) classes.push({ name: className, id: classes.length + 1, permissions });
  }
  return {
    name,
    classes,
    initialSids: listAt(INITIAL_SIDS, name) ?? [],
    newestPolicyVersion: isSince(name, '4.8') ? 30 : 24,
  };
}

/** Whether a release is a certain one or a later one. */
export function isSince(name: XenReleaseName, first: XenReleaseName): boolean {
  return XEN_RELEASES.indexOf(name) >= XEN_RELEASES.indexOf(first);
}

/** Whether the avc lines of a release name domains as `domid=`; from 4.17 on they have `source=` and `target=`. */
export function hasOldAvcText(name: XenReleaseName): boolean {
  return !isSince(name, '4.17');
}

/** Whether a text names a release that has tables. */
export function isXenRelease(name: string): name is XenReleaseName {
  const names: readonly string[] = XEN_RELEASES;
  return names.includes(name);
}

/** Releases whose table has a permission of a class. */
export function releasesWith(className: string, permission: string): XenReleaseName[] {
  const lists = PERMISSIONS[className];
  return lists === undefined
    ? []
    : XEN_RELEASES.filter((release) => listAt(lists, release)?.includes(permission) === true);
}

/** Releases that have a class. */
export function releasesWithClass(className: string): XenReleaseName[] {
  const lists = PERMISSIONS[className];
  return lists === undefined ? [] : XEN_RELEASES.filter((release) => listAt(lists, release) !== undefined);
}
