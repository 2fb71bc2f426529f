/**
 * What a release of Xen checks: its object classes, permissions and initial SIDs by number.
 *
 * Imports: nothing.
 * Start reading at `xenRelease`.
 *
 * @module
 */
import {
  type ByRelease,
  INITIAL_SIDS,
  PERMISSIONS,
  POINT_RELEASES,
  XEN_RELEASES,
  type XenReleaseName,
} from './release-tables.ts';

export { type NeverChecked, neverChecked } from './never-checked.ts';
export { type NumberedOperation, operationOf } from './operation-numbers.ts';
export {
  BEHAVIOUR_CHANGES,
  type BehaviourChange,
  type BehaviourNeed,
  type ClassPermission,
  PERMISSION_MOVES,
  PERMISSION_SPLITS,
  type PermissionMove,
} from './permission-moves.ts';
export { operationsOf } from './permission-operations.ts';
export { gapsOf, RELEASE_GAPS, type ReleaseGap } from './release-gaps.ts';
export { hasEarlyChecks, releasesSince, releasesText, releasesThrough } from './release-sets.ts';
export { POINT_RELEASES, XEN_RELEASES, type XenReleaseName } from './release-tables.ts';

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

/** The parts of a version, `4.17.5` or `4.17`; undefined where it is none. */
function versionParts(text: string): readonly [series: string, point: number | undefined] | undefined {
  const [, series, point] = /^(\d{1,3}\.\d{1,3})(?:\.(\d{1,3}))?$/.exec(text) ?? [];
  return series === undefined ? undefined : [series, point === undefined ? undefined : Number(point)];
}

/** The release with tables that a name means: its own name, or a point release that an entry stands for. */
export function findXenRelease(text: string): XenReleaseName | undefined {
  if (isXenRelease(text)) return text;
  const [series, point] = versionParts(text) ?? [];
  if (point === undefined) return undefined;
  return XEN_RELEASES.find((name) => {
    if (name === 'master') return false;
    const [first, last] = POINT_RELEASES[name].map((one) => versionParts(one));
    return first?.[0] === series && Number(first?.[1]) <= point && point <= Number(last?.[1]);
  });
}

/**
 * The tables that serve a version of Xen best: its own; or those of its series, whose policies it takes; or, for a series
 * without tables, the last ones before it. Undefined for what is older than all of them, and for what is no version.
 */
export function nearestXenRelease(version: string): XenReleaseName | undefined {
  const own = findXenRelease(version);
  if (own !== undefined) return own;
  const [series, point] = versionParts(version) ?? [];
  if (series === undefined) return undefined;
  const value = (name: string): number => {
    const [major = 0, minor = 0] = name.split('.').map(Number);
    return major * 1000 + minor;
  };
  const released = XEN_RELEASES.filter((name) => name !== 'master');
  const ofSeries = released.filter((name) => value(name) === value(series));
  // A point release after the last that was read is most like that one.
  if (ofSeries.length > 0) {
    const last = ofSeries.at(-1);
    const isLater =
      point !== undefined && last !== undefined && point > Number(versionParts(POINT_RELEASES[last][1])?.[1]);
    return isLater ? last : ofSeries[0];
  }
  return released.filter((name) => value(name) < value(series)).at(-1);
}

/** Releases whose table has a permission of a class. */
export function releasesWith(className: string, permission: string): XenReleaseName[] {
  const lists = PERMISSIONS[className];
  return lists === undefined
    ? []
    : XEN_RELEASES.filter((release) => listAt(lists, release)?.includes(permission) === true);
}

/** Releases that have an initial SID of this name. */
export function releasesWithInitialSid(name: string): XenReleaseName[] {
  return XEN_RELEASES.filter((release) => listAt(INITIAL_SIDS, release)?.includes(name) === true);
}

/** Releases that have a class. */
export function releasesWithClass(className: string): XenReleaseName[] {
  const lists = PERMISSIONS[className];
  return lists === undefined ? [] : XEN_RELEASES.filter((release) => listAt(lists, release) !== undefined);
}
