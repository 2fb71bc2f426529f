/**
 * What one hypercall checks in other releases of Xen; `checks-by-release.ts` has the table.
 *
 * Imports: `@dewar/policy/releases`, `@dewar/toolstack`.
 *
 * @module
 */
import type { XenReleaseName } from '@dewar/policy/releases';
import type { HypercallName } from '@dewar/toolstack';
import type { CheckRow } from './checks.ts';

/** Checks of one hypercall that are not those of 4.17. */
export interface CheckDifference {
  readonly hypercall: HypercallName;
  /** The releases that make these checks. */
  readonly releases: readonly XenReleaseName[];
  /** All checks of the hypercall in these releases, in order. */
  readonly rows: readonly CheckRow[];
  /**
   * What these releases have in its place: the request by another name, `nothing` where they do not know the request,
   * or `the same`.
   */
  readonly instead: string;
  /** The function of Xen that shows it. */
  readonly seen: string;
}
