/**
 * What is said about the reach of labels.
 *
 * @module
 */
import type { Step } from './acting.ts';
import type { Label } from './label-space.ts';
import type { Parties } from './way-search.ts';
import type { GuestPhase, MemoryWay } from './way-types.ts';

/** Somebody who may go a way to the guest's memory. */
export interface Access {
  readonly holder: Label;
  readonly way: MemoryWay;
  readonly parties: Parties;
  /** The guest's label as the holder sees it; undefined where the way does not name the guest. */
  readonly sees: Label | undefined;
}

/** Access under other values of booleans than those of now, with the fewest changes. */
export interface OtherSetting {
  /** Booleans that are different, by value. */
  readonly changes: ReadonlyMap<number, boolean>;
  readonly access: readonly Access[];
}

/** One part of the guest's life. */
export interface PhaseAnswer {
  readonly phase: GuestPhase;
  readonly label: Label;
  readonly access: readonly Access[];
  readonly otherSettings: readonly OtherSetting[];
}

/** What somebody can come to who has no access now. */
export interface Obtained {
  readonly actor: Label;
  /** First things first; the last step is the access. */
  readonly steps: readonly Step[];
  readonly phases: readonly GuestPhase[];
}

/** Access that the guest has no part in, to all of its memory. */
export function isUnasked({ way }: Access): boolean {
  return way.consent === undefined && isWhole(way);
}

/** Whether a way leads to all of a guest's memory: to any page, or to deciding what the guest does. */
export function isWhole({ gives }: MemoryWay): boolean {
  return gives.kind === 'memory' && (gives.extent === 'all' || gives.isControl);
}
