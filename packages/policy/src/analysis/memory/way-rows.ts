/**
 * How the rows of the table of ways are written.
 *
 * @module
 */
import {
  GUEST_PHASES,
  type GuestPhase,
  type MemoryAccess,
  type MemoryExtent,
  type MemoryWay,
  type Party,
  type WayCheck,
  type WayGift,
} from './way-types.ts';

/** While the guest can act, or will. */
const LIVE: readonly GuestPhase[] = ['built', 'running', 'saved', 'device model'];

/** What differs from the usual in a way. */
export type Extra = Partial<Pick<MemoryWay, 'beneficiary' | 'phases' | 'consent' | 'condition' | 'certainty'>>;

/** A check for which all of the permissions are needed; with `|` between them, one is enough. */
export function check(source: Party, target: Party, tclass: string, permissions: string): WayCheck {
  const isAnyEnough = permissions.includes('|');
  return { source, target, class: tclass, permissions: permissions.split(isAnyEnough ? '|' : ' '), isAnyEnough };
}

/** Access to the guest. */
export function memory(access: MemoryAccess, extent: MemoryExtent, isControl = false): WayGift {
  return { kind: 'memory', access, extent, isControl };
}

/** A row of the table. */
export function way(
  name: string,
  does: string,
  gives: WayGift,
  checks: readonly WayCheck[],
  restsOn: string,
  extra: Extra = {},
): MemoryWay {
  return {
    name,
    does,
    checks,
    gives,
    beneficiary: 'actor',
    phases: LIVE,
    consent: undefined,
    condition: undefined,
    certainty: 'certain',
    restsOn,
    ...extra,
  };
}

/** The one check of the actor on the guest. */
export const onGuest = (tclass: string, permissions: string): WayCheck[] => [
  check('actor', 'guest', tclass, permissions),
];

/** Pages stay mappable until they are given back, and registers readable until the domain is gone. */
export const dyingToo: Extra = { phases: GUEST_PHASES };
