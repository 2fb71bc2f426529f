/**
 * Building an HVM guest: firmware in an HVM container, which waits for a device model.
 *
 * Follows Xen `tools/libs/light/libxl_x86.c`, `tools/libs/light/libxl_dom.c`, `libxl__build_hvm`, and
 * `tools/libs/guest/xg_dom_x86.c`.
 *
 * @module
 */
import type { TimelineStep } from '../host.ts';
import type { Domid, FrameRange } from '../hypercalls.ts';
import {
  buildContainer,
  type ConfParam,
  HIGH_FRAME,
  type ImageLoader,
  SPECIAL,
  SPECIAL_FRAME,
  SPECIAL_PAGES,
  TIMER_PARAMS,
} from './build-container.ts';
import { type BuildOutcome, type BuildPlan, GuestMappings } from './build-guest.ts';
import type { Operation } from './operation.ts';

/** The hole for devices. XEN: `HVM_BELOW_4G_MMIO_START`. */
const HOLE_FRAME = 0xf_0000;

/** Where a PC has its display card; no memory there. XEN: `LIBXL_VGA_HOLE_SIZE`. */
const VGA_HOLE: FrameRange = { first: 0xa0, count: 0x20 };

/** hvmloader and the firmware that it is to start. */
const LOADER: FrameRange = { first: 0x100, count: 0x75 };

/** The start info comes after them. */
const START_INFO_FRAME = LOADER.first + LOADER.count - 1;

/** XEN: `HVM_INFO_PFN`. */
const INFO_FRAME = 0x9f;

/** Pages for device models beside the first. XEN: `NR_IOREQ_SERVER_PAGES`, before the special pages. */
const SERVER_PAGES = 8;
const SERVER_FRAME = SPECIAL_FRAME - SERVER_PAGES;

/** The smallest guest that has room for its firmware. */
export const SMALLEST_HVM_PAGES: number = LOADER.first + LOADER.count;

/** Where the first page after the memory of the guest is; its device model puts its own there. */
export function firstFreeFrame(pages: number): number {
  return pages > HOLE_FRAME ? HIGH_FRAME + pages - HOLE_FRAME : pages;
}

/** Memory below the display card, above it, and above the hole for devices. */
function memoryFrames(pages: number): FrameRange[] {
  const low = Math.min(pages, HOLE_FRAME);
  const above = VGA_HOLE.first + VGA_HOLE.count;
  return [
    { first: 0, count: VGA_HOLE.first },
    { first: above, count: Math.max(0, low - above) },
    { first: HIGH_FRAME, count: Math.max(0, pages - HOLE_FRAME) },
  ].filter(({ count }) => count > 0);
}

/** Where the pages are that a built guest has, without those of its device model. */
export function hvmFrames(pages: number): FrameRange[] {
  return [...memoryFrames(pages), { first: SERVER_FRAME, count: SERVER_PAGES + SPECIAL_PAGES }];
}

/** What libxl sets of an HVM guest. XEN: `hvm_set_conf_params`. */
export const HVM_PARAMS: readonly ConfParam[] = [['HPET_ENABLED', 1, 421], ['VPT_ALIGN', 1, 427], ...TIMER_PARAMS];

/** Firmware, the special pages and the pages for device models. */
function load(loader: ImageLoader): boolean {
  const { mappings } = loader;
  if (!mappings.mapImage(LOADER) || !loader.placeSpecials()) return false;
  const servers = { first: SERVER_FRAME, count: SERVER_PAGES };
  if (!loader.populate(servers) || !mappings.mapImage(servers)) return false;
  loader.set('IOREQ_SERVER_PFN', SERVER_FRAME);
  loader.set('NR_IOREQ_SERVER_PAGES', SERVER_PAGES);
  if (!mappings.mapImage({ first: START_INFO_FRAME, count: 1 }) || !loader.placeIdentityMap()) return false;
  for (const first of [SPECIAL.console, SPECIAL.xenstore]) mappings.map({ first, count: 1 });
  return true;
}

/** XEN: `hvm_build_set_params`, once the guest is there. */
function describeVcpus(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  return operation.recorder.step('libxl tells the firmware of the vCPUs', 'libxl', () => {
    const mappings = new GuestMappings(operation, domid);
    const outcome = mappings.map({ first: INFO_FRAME, count: 1 }) === undefined ? 'done' : 'failed';
    mappings.release();
    return outcome;
  });
}

/** Builds the guest, or says at which step it failed. */
export function buildHvm(operation: Operation, plan: BuildPlan): BuildOutcome {
  // The display is the device model's to ask for.
  const ram = { ...plan, pages: plan.pages - plan.videoPages, maxPages: plan.maxPages - plan.videoPages };
  return buildContainer(operation, plan, {
    params: HVM_PARAMS,
    ram,
    ranges: memoryFrames(ram.maxPages),
    // The firmware brings its own tables.
    hasAcpiOfLibxl: false,
    image: { title: 'libxc loads hvmloader, the firmware and the special pages', load },
    start: {
      title: 'libxc writes the start info and gives the first vCPU its registers',
      frames: [START_INFO_FRAME, INFO_FRAME],
      memoryTypes: 0,
    },
    finish: { what: 'the writing of its table of vCPUs', run: () => describeVcpus(operation, plan.domid) },
  });
}
