/**
 * What a toolstack needs for some operations on a guest, check by check: saving it, changing its label, giving it a device.
 *
 * Follows: libxl 4.17 (`libxl_domain_save`, `xc_domain_save`), Xen `xen/xsm/flask/flask_op.c` (`flask_relabel_domain`),
 * `hooks.c` (`flask_assign_device`).
 *
 * @module
 */
import type { Decisions } from './decisions.ts';
import type { Label } from './label-space.ts';
import { requestOf } from './way-search.ts';

/** One check of an operation. */
export interface OperationCheck {
  readonly source: Label;
  readonly target: Label;
  readonly class: string;
  readonly permission: string;
  readonly isAllowed: boolean;
}

/** What `xl save` and `xl migrate` ask for, in the classes' order; `hvm` only for guests that are not PV. */
const SAVE: readonly (readonly [tclass: string, permissions: string])[] = [
  ['domain', 'pause getaddrsize getvcpucontext'],
  ['domain2', 'gettsc'],
  ['hvm', 'gethvmc getparam'],
  ['mmu', 'stat pageinfo map_read'],
  ['shadow', 'enable disable logdirty'],
];

function checks(
  decisions: Decisions,
  source: Label,
  target: Label,
  className: string,
  permissions: string,
): OperationCheck[] {
  return permissions.split(' ').flatMap((permission) => {
    const request = requestOf(decisions.policy, className, [permission]);
    if (request === undefined) return [];
    return [{ source, target, class: className, permission, isAllowed: decisions.allows(source, target, request) }];
  });
}

/**
 * The checks of saving or migrating a guest.
 *
 * @param domxen the label of Xen's own pages, in which the table of frames is
 */
export function saveChecks(
  decisions: Decisions,
  toolstack: Label,
  guest: Label,
  domxen: Label | undefined,
): OperationCheck[] {
  return [
    ...SAVE.flatMap(([tclass, permissions]) => checks(decisions, toolstack, guest, tclass, permissions)),
    ...(domxen === undefined ? [] : checks(decisions, toolstack, domxen, 'mmu', 'map_read')),
  ];
}

/** The checks of changing a guest's label, in Xen's order. */
export function relabelChecks(decisions: Decisions, toolstack: Label, from: Label, to: Label): OperationCheck[] {
  return [
    ...checks(decisions, toolstack, from, 'domain2', 'relabelfrom'),
    ...checks(decisions, toolstack, to, 'domain2', 'relabelto'),
    ...checks(decisions, from, to, 'domain', 'transition'),
  ];
}

/** How a device can be used. */
export const DEVICE_USES = [
  { permission: 'use_iommu', host: 'with an IOMMU that remaps interrupts' },
  { permission: 'use_iommu_nointremap', host: 'with an IOMMU that does not remap interrupts' },
  { permission: 'use_noiommu', host: 'without an IOMMU' },
] as const;

/** The checks of giving a guest a device, in Xen's order; of the last three, the host decides which one is made. */
export function passthroughChecks(
  decisions: Decisions,
  toolstack: Label,
  guest: Label,
  device: Label,
): OperationCheck[] {
  return [
    ...checks(decisions, toolstack, guest, 'resource', 'add'),
    ...checks(decisions, toolstack, device, 'resource', 'add_device'),
    ...DEVICE_USES.flatMap(({ permission }) => checks(decisions, guest, device, 'resource', permission)),
  ];
}
