/**
 * Building a PVH guest: a kernel in an HVM container, without a device model.
 *
 * Follows Xen `tools/libs/light/libxl_x86.c`, `tools/libs/light/libxl_dom.c`, `libxl__build_hvm`, and
 * `tools/libs/guest/xg_dom_{core,boot,x86}.c`.
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
  logNoMemory,
  prepare,
  setCpuPolicy,
  setScheduler,
  stoppedAt,
} from './build-guest.ts';
import type { Operation } from './operation.ts';
import { logLibxl, panicLibxc } from './said.ts';

/** Pages of 1 GiB and of 2 MiB. */
const GIB_PAGES = 0x4_0000;
const SUPERPAGE = 512;

/** libxc asks for this much at a time where no page of 1 GiB fits. */
const EXTENT_PAGES = 4 * SUPERPAGE;

/** Where the kernel is loaded: at 1 MiB; and as much as libxc maps of it and of its ramdisk. */
const KERNEL_FRAME = 0x100;
const KERNEL_PAGES = 0x1000;

/** The hole for devices begins with the ACPI tables. XEN: `ACPI_INFO_PHYSICAL_ADDRESS`, `NUM_ACPI_PAGES`. */
const ACPI_FRAME = 0xf_c000;
const ACPI_PAGES = 16;

/** Memory above the hole. */
export const HIGH_FRAME = 0x10_0000;

/** XEN: `X86_HVM_END_SPECIAL_REGION` less `X86_HVM_NR_SPECIAL_PAGES`, and `SPECIALPAGE_*` from there. */
export const SPECIAL_FRAME = 0xf_eff8;
export const SPECIAL_PAGES = 8;

type SpecialPage = 'paging' | 'access' | 'sharing' | 'bufferedIoreq' | 'xenstore' | 'ioreq' | 'identityMap' | 'console';

/** What each of them is for. */
export const SPECIAL: Readonly<Record<SpecialPage, number>> = {
  paging: SPECIAL_FRAME,
  access: SPECIAL_FRAME + 1,
  sharing: SPECIAL_FRAME + 2,
  bufferedIoreq: SPECIAL_FRAME + 3,
  xenstore: SPECIAL_FRAME + 4,
  ioreq: SPECIAL_FRAME + 5,
  identityMap: SPECIAL_FRAME + 6,
  console: SPECIAL_FRAME + 7,
};

/** Where the parameters of a PVH guest say that its special pages are. */
export const PVH_RINGS: Readonly<Partial<Record<HvmParam, number>>> & {
  readonly STORE_PFN: number;
  readonly CONSOLE_PFN: number;
} = {
  STORE_PFN: SPECIAL.xenstore,
  BUFIOREQ_PFN: SPECIAL.bufferedIoreq,
  IOREQ_PFN: SPECIAL.ioreq,
  CONSOLE_PFN: SPECIAL.console,
  PAGING_RING_PFN: SPECIAL.paging,
  MONITOR_RING_PFN: SPECIAL.access,
  SHARING_RING_PFN: SPECIAL.sharing,
  IDENT_PT: SPECIAL.identityMap * 4096,
};

/** The order in which libxc sets them; that of the identity map comes after its page. */
export const RING_PARAMS: readonly HvmParam[] = [
  'STORE_PFN',
  'BUFIOREQ_PFN',
  'IOREQ_PFN',
  'CONSOLE_PFN',
  'PAGING_RING_PFN',
  'MONITOR_RING_PFN',
  'SHARING_RING_PFN',
];

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

/**
 * Memory that Xen sets aside for page tables: 1 MiB for each vCPU and 4 KiB for each MiB of memory, on a host whose CPUs
 * walk two levels of them. XEN: `libxl__get_required_paging_memory`.
 */
function pagingKib(plan: BuildPlan): number {
  return 4 * (256 * plan.vcpus + Math.floor(plan.maxPages / 256));
}

/** XEN: `hvm_set_conf_params`, with the lines on which it says what could not be set. */
export function setConfParams(
  operation: Operation,
  domid: Domid,
  params: readonly (readonly [param: HvmParam, value: number, line: number])[],
): boolean {
  for (const [param, value, line] of params) {
    if (operation.recorder.ask('libxl', 'hvm_op.set_param', { domid, param, value }).kind === 'ok') continue;
    logLibxl(operation, `libxl_x86.c:${line}:hvm_set_conf_params`, `Couldn't set HVM_PARAM_${param}`);
    return false;
  }
  return true;
}

/** Those of them that every guest in an HVM container gets. */
export const TIMER_PARAMS: readonly (readonly [param: HvmParam, value: number, line: number])[] = [
  ['TIMER_MODE', 1, 441],
  // XEN: libxl sets it to 0 too, and Xen asks for the right to have alternative page tables all the same.
  ['ALTP2M', 0, 445],
];

/** XEN: the rest of `libxl__arch_domain_create`, of a guest in an HVM container. */
export function setTimeAndPaging(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  const tsc = recorder.ask('libxl', 'domctl.settscinfo', { domid });
  if (tsc.kind === 'error') {
    logLibxl(operation, 'libxl_x86.c:506:libxl__arch_domain_create', 'xc_domain_set_tsc_info() failed', tsc.errno);
    return 'failed';
  }
  const kib = pagingKib(plan);
  const pool = recorder.ask('libxl', 'domctl.set_paging_mempool_size', { domid, kib });
  if (pool.kind === 'ok') return 'done';
  const words = `Domain ${domid}:Failed to set paging mempool size to ${kib}kB`;
  logLibxl(operation, 'libxl_dom.c:1470:libxl__domain_set_paging_mempool_size', words, pool.errno);
  return 'failed';
}

/** XEN: `libxl__arch_domain_create`. */
export function setPvhPlatform(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  return operation.recorder.step('libxl sets timers, TSC mode and the memory for page tables', 'libxl', () =>
    setConfParams(operation, plan.domid, TIMER_PARAMS) ? setTimeAndPaging(operation, plan) : 'failed',
  );
}

/** How much libxc asks for next. XEN: `meminit_hvm`. */
function nextExtent(first: number, left: number): number {
  if (first % GIB_PAGES === 0 && left >= GIB_PAGES) return GIB_PAGES;
  const count = Math.min(EXTENT_PAGES, left);
  return count > SUPERPAGE ? count - (count % SUPERPAGE) : count;
}

/** XEN: `meminit_hvm`: memory up to the hole and above it, on demand when the guest may grow. */
export function populateContainer(
  operation: Operation,
  plan: BuildPlan,
  ranges: readonly FrameRange[],
): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid, pages, maxPages } = plan;
  const isOnDemand = maxPages > pages;
  /** The errno that libxc ends with. */
  const work = (): Errno | undefined => {
    if (plan.claimsMemory) {
      const claimed = recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages });
      if (claimed.kind === 'error') return claimed.errno;
    }
    if (isOnDemand) {
      const target = recorder.ask('libxc', 'memory_op.set_pod_target', { domid, pages });
      if (target.kind === 'error') return target.errno;
    }
    for (const { first: start, count: total } of ranges) {
      for (let done = 0; done < total; ) {
        const first = start + done;
        const count = nextExtent(first, total - done);
        const frames = { first, count };
        const args = isOnDemand ? { domid, frames, isOnDemand } : { domid, frames };
        const answer = recorder.ask('libxc', 'memory_op.populate_physmap', args);
        if (answer.kind === 'error' || answer.value.pagesDone < count) {
          recorder.explain('memory_op.populate_physmap', 'ENOMEM', 'Xen has no more pages for the domain');
          return answer.kind === 'error' ? answer.errno : 'EBUSY';
        }
        done += count;
      }
    }
    return undefined;
  };
  return recorder.step('libxc gives the guest its memory', 'libxc', () => {
    const errno = work();
    const { refusal } = recorder;
    // XEN: the claim is given back however the rest went.
    recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages: 0 });
    if (errno === undefined) return 'done';
    recorder.blame(refusal);
    logNoMemory(operation, errno);
    return 'failed';
  });
}

/** XEN: `libxl__arch_domain_finalise_hw_description`. */
export function setMemoryMap(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const set = operation.recorder.ask('libxl', 'memory_op.set_memory_map', { domid });
  if (set.kind === 'ok') return 'done';
  const place = 'libxl_x86.c:801:libxl__arch_domain_finalise_hw_description';
  logLibxl(operation, place, 'setting domain memory map failed', set.errno);
  logBuildFailed(operation, 'libxl__arch_domain_finalise_hw_description', set.errno);
  return 'failed';
}

/** XEN: `libxl__arch_domain_finalise_hw_description`, of a PVH guest. */
function describeMemory(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl tells Xen the memory map of the guest', 'libxl', () => {
    const info = recorder.ask('libxl', 'domctl.getdomaininfo', { domid });
    if (info.kind === 'error') return 'failed';
    return setMemoryMap(operation, domid);
  });
}

/** Kernel, ACPI tables and the special pages. XEN: `xc_dom_build_image`, `alloc_magic_pages_hvm`. */
function load(operation: Operation, plan: BuildPlan, mappings: GuestMappings): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  const give = (frames: FrameRange): boolean => {
    const answer = recorder.ask('libxc', 'memory_op.populate_physmap', { domid, frames });
    return answer.kind === 'ok' && answer.value.pagesDone === frames.count;
  };
  // XEN: nobody looks at the answers here; what is missing shows when the event channels are set.
  const set = (param: HvmParam): void => {
    recorder.ask('libxc', 'hvm_op.set_param', { domid, param, value: PVH_RINGS[param] ?? 0 });
  };
  const work = (): TimelineStep['outcome'] => {
    const memory = Math.min(plan.maxPages, ACPI_FRAME);
    const kernel = { first: KERNEL_FRAME, count: Math.min(KERNEL_PAGES, memory - KERNEL_FRAME) };
    if (!mappings.mapImage(kernel)) return 'failed';
    for (let page = 0; page < ACPI_PAGES; page++) {
      if (!give({ first: ACPI_FRAME + page, count: 1 })) return 'failed';
    }
    if (!mappings.mapImage({ first: ACPI_FRAME, count: ACPI_PAGES })) return 'failed';
    const specials = { first: SPECIAL_FRAME, count: SPECIAL_PAGES };
    if (!give(specials) || !mappings.mapImage(specials)) return 'failed';
    for (const param of RING_PARAMS) set(param);
    if (!mappings.mapImage({ first: SPECIAL.identityMap, count: 1 })) return 'failed';
    set('IDENT_PT');
    return 'done';
  };
  return recorder.step('libxc loads the kernel, the ACPI tables and the special pages', 'libxc', () => {
    const outcome = work();
    if (outcome === 'failed') mappings.release();
    return outcome;
  });
}

/**
 * The registers of the first vCPU, and the memory types of all; the errno that libxc ends with. XEN: `vcpu_hvm`, which
 * goes on after each record that Xen does not take.
 */
export function setFirstVcpu(operation: Operation, domid: Domid, memoryTypes: number): Errno | undefined {
  const { recorder } = operation;
  const panic = (line: number, words: string): void =>
    panicLibxc(operation, `xg_dom_x86.c:${line}`, `vcpu_hvm: ${words} (rc=-1)`);
  // XEN: first for its size. There is no other way to the header of the saved state that libxc is to write.
  const size = recorder.ask('libxc', 'domctl.gethvmcontext', { domid });
  if (size.kind === 'error') {
    panic(1017, 'unable to fetch HVM context size');
    return size.errno;
  }
  const full = recorder.ask('libxc', 'domctl.gethvmcontext', { domid });
  if (full.kind === 'error') {
    panic(1036, 'unable to fetch HVM context');
    return full.errno;
  }
  for (let vcpu = 0; vcpu < memoryTypes; vcpu++) {
    const set = recorder.ask('libxc', 'domctl.sethvmcontext', { domid, vcpu, record: 'MTRR' });
    if (set.kind === 'error') panic(1129, 'SETHVMCONTEXT failed');
  }
  const set = recorder.ask('libxc', 'domctl.sethvmcontext', { domid, vcpu: 0, record: 'CPU' });
  if (set.kind === 'ok') return undefined;
  panic(1141, 'SETHVMCONTEXT failed');
  return set.errno;
}

/** XEN: `xc_dom_boot_image`, `bootlate_hvm`, `vcpu_hvm`. */
function makeReady(
  operation: Operation,
  plan: BuildPlan,
  ports: GuestPorts,
  mappings: GuestMappings,
): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  const work = (): Errno | undefined => {
    const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
    if (info.kind === 'error') return info.errno;
    const unmapped = mappings.map({ first: START_INFO_FRAME, count: 1 });
    if (unmapped !== undefined) return unmapped;
    setPorts(operation, domid, ports);
    return setFirstVcpu(operation, domid, plan.vcpus);
  };
  return recorder.step('libxc gives the guest its start info and its first vCPU its registers', 'libxc', () => {
    const errno = work();
    mappings.release();
    if (errno === undefined) return 'done';
    logBuildFailed(operation, 'xc_dom_boot_image', errno);
    return 'failed';
  });
}

/** Where the guest finds its ports; the answers are not looked at. */
export function setPorts({ recorder }: Operation, domid: Domid, { console, store }: GuestPorts): void {
  recorder.ask('libxc', 'hvm_op.set_param', { domid, param: 'CONSOLE_EVTCHN', value: console });
  recorder.ask('libxc', 'hvm_op.set_param', { domid, param: 'STORE_EVTCHN', value: store });
}

/** Builds the guest, or says at which step it failed. */
export function buildPvh(operation: Operation, plan: BuildPlan): BuildOutcome {
  const { domid } = plan;
  if (prepare(operation, plan) === 'failed') return stoppedAt('the setting of vCPUs, placement and memory limit');
  const ports = allocatePorts(operation, domid);
  if (setPvhPlatform(operation, plan) === 'failed') return stoppedAt('the setting of its timers and TSC mode');
  if (setCpuPolicy(operation, plan) === 'failed') return stoppedAt('the setting of its CPU policy');
  const ranges = memoryFrames(plan.maxPages);
  if (populateContainer(operation, plan, ranges) === 'failed') return stoppedAt('the allocation of its memory');
  if (describeMemory(operation, domid) === 'failed') return stoppedAt('the setting of its memory map');
  const mappings = new GuestMappings(operation, domid);
  if (load(operation, plan, mappings) === 'failed') return stoppedAt('the loading of its memory');
  if (makeReady(operation, plan, ports, mappings) === 'failed') return stoppedAt('the setting of its first vCPU');
  if (initGrants(operation, domid, SPECIAL) === 'failed') {
    return stoppedAt('the granting of its xenstore and console pages');
  }
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
