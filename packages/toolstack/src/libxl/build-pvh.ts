/**
 * Building a PVH guest: a kernel in an HVM container, without a device model.
 *
 * Follows Xen `tools/libs/guest/xg_dom_x86.c`.
 *
 * @module
 */
import type { FrameRange } from '../hypercalls.ts';
import {
  buildContainer,
  HIGH_FRAME,
  type ImageLoader,
  SPECIAL_FRAME,
  SPECIAL_PAGES,
  TIMER_PARAMS,
} from './build-container.ts';
import type { BuildOutcome, BuildPlan } from './build-guest.ts';
import type { Operation } from './operation.ts';

/** Where the kernel is loaded: at 1 MiB; and as much as libxc maps of it and of its ramdisk. */
const KERNEL_FRAME = 0x100;
const KERNEL_PAGES = 0x1000;

/** The hole for devices begins with the ACPI tables. XEN: `ACPI_INFO_PHYSICAL_ADDRESS`, `NUM_ACPI_PAGES`. */
const ACPI_FRAME = 0xf_c000;
const ACPI_PAGES = 16;

/** The start info comes after the kernel. */
const START_INFO_FRAME = KERNEL_FRAME - 1;

/** The smallest guest that has room for a kernel. */
export const SMALLEST_PVH_PAGES: number = KERNEL_FRAME + 1;

/** Where the pages of a PVH guest are: below the hole, above it, and inside of it. */
export function pvhFrames(totalPages: number): FrameRange[] {
  const special = [
    { first: ACPI_FRAME, count: ACPI_PAGES },
    { first: SPECIAL_FRAME, count: SPECIAL_PAGES },
  ];
  return [...memoryFrames(Math.max(0, totalPages - ACPI_PAGES - SPECIAL_PAGES)), ...special].filter(
    ({ count }) => count > 0,
  );
}

/** Memory below and above the hole. */
function memoryFrames(pages: number): FrameRange[] {
  return [
    { first: 0, count: Math.min(pages, ACPI_FRAME) },
    { first: HIGH_FRAME, count: Math.max(0, pages - ACPI_FRAME) },
  ];
}

/** Kernel, ACPI tables and the special pages. */
function load({ maxPages }: BuildPlan, loader: ImageLoader): boolean {
  const { mappings } = loader;
  const memory = Math.min(maxPages, ACPI_FRAME);
  const kernel = { first: KERNEL_FRAME, count: Math.min(KERNEL_PAGES, memory - KERNEL_FRAME) };
  if (!mappings.mapImage(kernel)) return false;
  for (let page = 0; page < ACPI_PAGES; page++) {
    if (!loader.populate({ first: ACPI_FRAME + page, count: 1 })) return false;
  }
  if (!mappings.mapImage({ first: ACPI_FRAME, count: ACPI_PAGES })) return false;
  return loader.placeSpecials() && loader.placeIdentityMap();
}

/** Builds the guest, or says at which step it failed. */
export function buildPvh(operation: Operation, plan: BuildPlan): BuildOutcome {
  return buildContainer(operation, plan, {
    params: TIMER_PARAMS,
    ram: plan,
    ranges: memoryFrames(plan.maxPages),
    hasAcpiOfLibxl: true,
    image: {
      title: 'libxc loads the kernel, the ACPI tables and the special pages',
      load: (loader) => load(plan, loader),
    },
    start: {
      title: 'libxc gives the guest its start info and its first vCPU its registers',
      frames: [START_INFO_FRAME],
      memoryTypes: plan.vcpus,
    },
  });
}
