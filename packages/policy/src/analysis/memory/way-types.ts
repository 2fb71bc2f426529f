/**
 * What a way to a guest's memory is made of.
 *
 * @module
 */

/**
 * A part of a guest's life.
 *
 * `built`: its memory is filled, under the label to build under. `running`: under the label to run under.
 * `saved`: it is suspended and copied out, under the label to run under. `device model`: it runs, and a device model
 * that Xen knows as such (`set_target`) sees it under a label of its own. `dying`: it has been destroyed, and what is left
 * of it goes.
 */
export type GuestPhase = 'built' | 'running' | 'saved' | 'device model' | 'dying';

/** All phases, in the order of a guest's life. */
export const GUEST_PHASES: readonly GuestPhase[] = ['built', 'running', 'saved', 'device model', 'dying'];

/**
 * Whose label stands in a check.
 *
 * `actor`: the domain that wants the power. `self`: the actor as it sees itself. `guest`: the guest as the actor, or the
 * source of the check, sees it: under its own label, or under its target label for its device model. `guest label`: the
 * guest's own label whoever asks. `other`: any other domain. `new label`: a label that is asked for. `device`: any
 * resource. `frames`: the label of memory that no `iomemcon` covers, initial SID `iomem`. `xen`, `domxen`, `security`: the
 * initial SIDs.
 */
export type Party =
  | 'actor'
  | 'self'
  | 'guest'
  | 'guest label'
  | 'other'
  | 'new label'
  | 'device'
  | 'frames'
  | 'xen'
  | 'domxen'
  | 'security';

/** One check; a way needs all of its checks. */
export interface WayCheck {
  readonly source: Party;
  readonly target: Party;
  readonly class: string;
  /** All are needed, where `isAnyEnough` is not set. */
  readonly permissions: readonly string[];
  /** One of the permissions is enough: which one Xen asks for depends on the host. */
  readonly isAnyEnough: boolean;
}

/** Which way data goes: `read` out of the guest, `write` into it. */
export type MemoryAccess = 'read' | 'write' | 'read and write';

/**
 * How much of a guest is meant.
 *
 * `all`: any page. `registers`: of its processors. `service pages`: its grant table, the rings of device models, trace
 * buffers. `granted pages`: what it grants itself. `messages`: what it asks to be sent. `placement`: which frame is where, or
 * what a frame is filled with, without a choice of the contents. `emulation`: what passes between it and emulated
 * devices. `metadata`: kinds of pages, sizes, which pages change.
 */
export type MemoryExtent =
  | 'all'
  | 'registers'
  | 'service pages'
  | 'granted pages'
  | 'messages'
  | 'placement'
  | 'emulation'
  | 'metadata';

/**
 * What somebody has who may go a way.
 *
 * `memory`: access to the guest that the checks are about. `host`: to the memory of every domain. The others are powers
 * from which access can be made: `policy`, to change all that is allowed, or to end enforcing; `booleans`, to set them;
 * `own label`, the actor takes the new label; `relabel`, the guest (or another domain, in its place) gets the new label;
 * `target`, `other` becomes the device model of the guest, and sees it under its target label; `domain`, a new domain with
 * the new label.
 */
export type WayGift =
  | {
      readonly kind: 'memory';
      readonly access: MemoryAccess;
      readonly extent: MemoryExtent;
      /** Whoever has it can have the domain do what they like, and so has all that its label is allowed. */
      readonly isControl: boolean;
    }
  | { readonly kind: 'host'; readonly access: MemoryAccess }
  | { readonly kind: 'policy' | 'booleans' | 'own label' | 'relabel' | 'target' | 'domain' };

/** A way to the memory of a guest. */
export interface MemoryWay {
  /** Stable; for JSON and for tests. */
  readonly name: string;
  /** What the actor does, as a sentence without its subject. */
  readonly does: string;
  readonly checks: readonly WayCheck[];
  readonly gives: WayGift;
  /** Who has it then. */
  readonly beneficiary: 'actor' | 'other';
  readonly phases: readonly GuestPhase[];
  /** What the guest must have done itself; without that, the way leads nowhere. */
  readonly consent: string | undefined;
  /** What must hold that FLASK is not asked about. */
  readonly condition: string | undefined;
  /**
   * Whether what it gives follows from Xen's code alone. `depends`: on the host's hardware, or on how Xen was built; who
   * wants to be sure counts it, too.
   */
  readonly certainty: 'certain' | 'depends';
  /** File and function of Xen 4.17.5. */
  readonly restsOn: string;
}
