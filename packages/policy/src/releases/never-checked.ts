/**
 * Permissions that a release of Xen has and never asks for: a rule that gives one of them does nothing.
 *
 * Read in Xen `xen/xsm/flask/hooks.c` and `flask_op.c` of each release; a test holds the list against 4.17.
 *
 * @module
 */
import type { ClassPermission } from './permission-moves.ts';
import { XEN_RELEASES, type XenReleaseName } from './release-tables.ts';

/** A permission that no check asks for, and what is asked for where it was meant. */
export interface NeverChecked extends ClassPermission {
  readonly instead: ClassPermission;
  /** One clause, lower case. */
  readonly why: string;
}

const rank = (name: XenReleaseName): number => XEN_RELEASES.indexOf(name);

/** The permissions that a release never asks for. */
export function neverChecked(release: XenReleaseName): readonly NeverChecked[] {
  if (rank(release) < rank('4.8')) return [];
  // XEN: flask_domctl() asks for the bit of `domain2 set_vnumainfo` in class `domain`, where it means something else.
  const permission = rank(release) < rank('4.13') ? 'getvcpucontext' : 'getvcpuinfo';
  return [
    {
      class: 'domain2',
      permission: 'set_vnumainfo',
      instead: { class: 'domain', permission },
      why: 'Xen looks for its bit in class `domain`, where that is another permission',
    },
  ];
}
