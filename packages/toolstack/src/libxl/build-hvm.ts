/**
 * Building an HVM guest: firmware in an HVM container, which waits for a device model.
 *
 * Follows Xen `tools/libs/light/libxl_x86.c`, `tools/libs/light/libxl_dom.c`, `libxl__build_hvm`, and
 * `tools/libs/guest/xg_dom_x86.c`.
 *
 * @module
 */
import type { TimelineStep } from '../host.ts';
import type { Domid, Errno, FrameRange, HvmParam } from '../hypercalls.ts';
import {
  allocatePorts,
  type BuildOutcome,
  type BuildPlan,
  GuestMappings,
  type GuestPorts,
  initGrants,
  logBuildFailed,
  prepare,
  setCpuPolicy,
  setScheduler,
  stoppedAt,
} from './build-guest.ts';
import {
  HIGH_FRAME,
  PVH_RINGS,
  populateContainer,
  RING_PARAMS,
  SPECIAL,
  SPECIAL_FRAME,
  SPECIAL_PAGES,
  setConfParams,
  setFirstVcpu,
  setMemoryMap,
  setPorts,
  setTimeAndPaging,
  TIMER_PARAMS,
} from './build-pvh.ts';
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

/** XEN: `libxl__arch_domain_create`. */
export function setHvmPlatform(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  return operation.recorder.step('libxl sets timers, TSC mode and the memory for page tables', 'libxl', () =>
    setConfParams(operation, plan.domid, [['HPET_ENABLED', 1, 421], ['VPT_ALIGN', 1, 427], ...TIMER_PARAMS])
      ? setTimeAndPaging(operation, plan)
      : 'failed',
  );
}

/** XEN: `libxl__domain_construct_e820`; without ACPI tables of libxl's there is nothing to look up first. */
function describeMemory(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl tells Xen the memory map of the guest', 'libxl', () => setMemoryMap(operation, domid));
}

/** Firmware and the pages for device models. XEN: `xc_dom_build_image`, `alloc_magic_pages_hvm`. */
function load(operation: Operation, { domid }: BuildPlan, mappings: GuestMappings): TimelineStep['outcome'] {
  const { recorder } = operation;
  const give = (frames: FrameRange): boolean => {
    const answer = recorder.ask('libxc', 'memory_op.populate_physmap', { domid, frames });
    return answer.kind === 'ok' && answer.value.pagesDone === frames.count;
  };
  // XEN: nobody looks at the answers here; what is missing shows when the event channels are set.
  const set = (param: HvmParam, value: number): void => {
    recorder.ask('libxc', 'hvm_op.set_param', { domid, param, value });
  };
  const work = (): TimelineStep['outcome'] => {
    if (!mappings.mapImage(LOADER)) return 'failed';
    const specials = { first: SPECIAL_FRAME, count: SPECIAL_PAGES };
    if (!give(specials) || !mappings.mapImage(specials)) return 'failed';
    for (const param of RING_PARAMS) set(param, PVH_RINGS[param] ?? 0);
    const servers = { first: SERVER_FRAME, count: SERVER_PAGES };
    if (!give(servers) || !mappings.mapImage(servers)) return 'failed';
    set('IOREQ_SERVER_PFN', SERVER_FRAME);
    set('NR_IOREQ_SERVER_PAGES', SERVER_PAGES);
    if (!mappings.mapImage({ first: START_INFO_FRAME, count: 1 })) return 'failed';
    if (!mappings.mapImage({ first: SPECIAL.identityMap, count: 1 })) return 'failed';
    set('IDENT_PT', PVH_RINGS['IDENT_PT'] ?? 0);
    for (const first of [SPECIAL.console, SPECIAL.xenstore]) mappings.map({ first, count: 1 });
    return 'done';
  };
  return recorder.step('libxc loads hvmloader, the firmware and the special pages', 'libxc', () => {
    const outcome = work();
    if (outcome === 'failed') mappings.release();
    return outcome;
  });
}

/** XEN: `xc_dom_boot_image`, `bootlate_hvm`, `vcpu_hvm`. */
function makeReady(
  operation: Operation,
  { domid }: BuildPlan,
  ports: GuestPorts,
  mappings: GuestMappings,
): TimelineStep['outcome'] {
  const { recorder } = operation;
  const work = (): Errno | undefined => {
    const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
    if (info.kind === 'error') return info.errno;
    for (const first of [START_INFO_FRAME, INFO_FRAME]) {
      const errno = mappings.map({ first, count: 1 });
      if (errno !== undefined) return errno;
    }
    setPorts(operation, domid, ports);
    return setFirstVcpu(operation, domid, 0);
  };
  return recorder.step('libxc writes the start info and gives the first vCPU its registers', 'libxc', () => {
    const errno = work();
    mappings.release();
    if (errno === undefined) return 'done';
    logBuildFailed(operation, 'xc_dom_boot_image', errno);
    return 'failed';
  });
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
  const { domid } = plan;
  // The display is the device model's to ask for.
  const ram = { ...plan, pages: plan.pages - plan.videoPages, maxPages: plan.maxPages - plan.videoPages };
  if (prepare(operation, plan) === 'failed') return stoppedAt('the setting of vCPUs, placement and memory limit');
  const ports = allocatePorts(operation, domid);
  if (setHvmPlatform(operation, plan) === 'failed') return stoppedAt('the setting of its timers and TSC mode');
  if (setCpuPolicy(operation, plan) === 'failed') return stoppedAt('the setting of its CPU policy');
  const ranges = memoryFrames(ram.maxPages);
  if (populateContainer(operation, ram, ranges) === 'failed') return stoppedAt('the allocation of its memory');
  if (describeMemory(operation, domid) === 'failed') return stoppedAt('the setting of its memory map');
  const mappings = new GuestMappings(operation, domid);
  if (load(operation, plan, mappings) === 'failed') return stoppedAt('the loading of its memory');
  if (makeReady(operation, plan, ports, mappings) === 'failed') return stoppedAt('the setting of its first vCPU');
  if (initGrants(operation, domid, SPECIAL) === 'failed') {
    return stoppedAt('the granting of its xenstore and console pages');
  }
  if (describeVcpus(operation, domid) === 'failed') return stoppedAt('the writing of its table of vCPUs');
  if (setScheduler(operation, plan) === 'failed') return stoppedAt('the setting of its scheduler parameters');
  return {
    kind: 'built',
    guest: {
      storePort: ports.store,
      consolePort: ports.console,
      consoleFrame: SPECIAL.console,
      refusal: ports.refusal,
    },
  };
}
