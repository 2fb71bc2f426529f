/**
 * The parts that the questions to real Xen come in. Each is asked of a machine of its own, so that some can run at once, and
 * one whose machine went to pieces is asked again alone.
 *
 * @module
 */

/** What a host is asked that enforces. */
export const ENFORCING_PARTS = ['session', 'answers', 'commands', 'devices', 'migration'] as const;

/**
 * `session`: what a person would type, for the transcript; builds that are interrupted; the checks of single operations.
 * `answers`: the scenarios that the simulated host is asked, too. `commands`, `devices`,
 * `migration`: commands that only a real host has.
 */
export type EnforcingPart = (typeof ENFORCING_PARTS)[number];

/** The other modes that Xen is booted with. */
export const OTHER_MODES = ['permissive', 'disabled'] as const;

/** A mode that Xen is booted with, beside `enforcing`. */
export type OtherMode = (typeof OTHER_MODES)[number];

/** A part of the questions. */
export type Part = EnforcingPart | OtherMode;

/** All parts, in the order in which they are told of. */
export const PARTS: readonly Part[] = [...ENFORCING_PARTS, ...OTHER_MODES];
