/**
 * Classes, permissions and bits of a log that the policy does not have.
 *
 * @module
 */
import {
  type ClassPermission,
  PERMISSION_MOVES,
  PERMISSION_SPLITS,
  releasesText,
  releasesWith,
  releasesWithClass,
  XEN_RELEASES,
  type XenReleaseName,
  xenRelease,
} from '../releases/index.ts';

/** A name that the policy does not have. */
export interface UnknownName {
  readonly kind: 'class' | 'permission' | 'bits';
  readonly class: string;
  /** The permission, or the bits as Xen writes them. */
  readonly name: string;
  /** Releases of Xen that have it; for bits, that have a permission at one of them. */
  readonly releases: readonly XenReleaseName[];
  /** What other releases ask for instead. */
  readonly replacements: readonly ClassPermission[];
  /** One clause, lower case. */
  readonly why: string | undefined;
  /** For bits: the permissions that releases have there. */
  readonly namesByRelease: readonly string[];
}

/** A class that the policy does not have. */
export function unknownClass(className: string): UnknownName {
  const releases = releasesWithClass(className);
  const base = { replacements: [], why: undefined, namesByRelease: [] };
  return { kind: 'class', class: className, name: className, releases, ...base };
}

/** A permission that the policy's class does not have. */
export function unknownPermission(className: string, permission: string): UnknownName {
  const isIt = (one: ClassPermission): boolean => one.class === className && one.permission === permission;
  const moves = [...PERMISSION_MOVES, ...PERMISSION_SPLITS];
  const move = moves.find(({ before }) => before.some(isIt)) ?? moves.find(({ after }) => after.some(isIt));
  const replacements = move === undefined ? [] : move.before.some(isIt) ? move.after : move.before;
  return {
    kind: 'permission',
    class: className,
    name: permission,
    releases: releasesWith(className, permission),
    replacements,
    why: move?.why,
    namesByRelease: [],
  };
}

/** Bits for which the Xen that wrote the line had no name. */
export function unknownBits(className: string, bits: number): UnknownName {
  const named = new Map<string, XenReleaseName[]>();
  const releases: XenReleaseName[] = [];
  for (const release of XEN_RELEASES) {
    const permissions = xenRelease(release).classes.find(({ name }) => name === className)?.permissions ?? [];
    const found = permissions.filter((_, bit) => ((bits >>> bit) & 1) === 1);
    if (found.length === 0) continue;
    releases.push(release);
    const names = found.join(' ');
    named.set(names, [...(named.get(names) ?? []), release]);
  }
  const name = `0x${bits.toString(16)}`;
  const namesByRelease = [...named].map(([names, list]) => `${releasesText(list)}: ${names}`);
  return { kind: 'bits', class: className, name, releases, replacements: [], why: undefined, namesByRelease };
}
