/**
 * Building a PVH guest: a kernel in an HVM container, without a device model.
 *
 * Follows Xen `tools/libs/light/libxl_x86.c`, `tools/libs/light/libxl_dom.c`, `libxl__build_hvm`, and
 * `tools/libs/guest/xg_dom_{core,boot,x86}.c`.
 *
 * @module
 */
import type { TimelineStep } from '../host.ts';
import type { Domid, FrameRange, HvmParam } from '../hypercalls.ts';
import {
  allocatePorts,
  type BuildOutcome,
  type BuildPlan,
  GuestMappings,
  type GuestPorts,
  prepare,
  seedGrants,
  setCpuPolicy,
  setScheduler,
  stoppedAt,
} from './build-guest.ts';
import type { Operation } from './operation.ts';
import { type AnyResult, inOrder } from './recorder.ts';

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

/** Memory that Xen sets aside for page tables: 1 MiB for each vCPU and 8 KiB for each MiB of memory. */
export function pagingKib(plan: BuildPlan): number {
  return 4 * (256 * plan.vcpus + 2 * Math.ceil(plan.maxPages / 256));
}

/** XEN: `libxl__arch_domain_create`, `hvm_set_conf_params`. */
export function setPvhPlatform(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  return recorder.step('libxl sets timers, TSC mode and the memory for page tables', 'libxl', () =>
    inOrder([
      () => recorder.ask('libxl', 'hvm_op.set_param', { domid, param: 'TIMER_MODE', value: 1 }),
      // XEN: libxl sets it to 0 too, and Xen asks for the right to have alternative page tables all the same.
      () => recorder.ask('libxl', 'hvm_op.set_param', { domid, param: 'ALTP2M', value: 0 }),
      () => recorder.ask('libxl', 'domctl.settscinfo', { domid }),
      () => recorder.ask('libxl', 'domctl.set_paging_mempool_size', { domid, kib: pagingKib(plan) }),
    ]),
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
  const work = (): TimelineStep['outcome'] => {
    if (plan.claimsMemory && recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages }).kind === 'error') {
      return 'failed';
    }
    if (isOnDemand && recorder.ask('libxc', 'memory_op.set_pod_target', { domid, pages }).kind === 'error') {
      return 'failed';
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
          return 'failed';
        }
        done += count;
      }
    }
    return 'done';
  };
  return recorder.step('libxc gives the guest its memory', 'libxc', () => {
    const outcome = work();
    const { refusal } = recorder;
    // XEN: the claim is given back however the rest went.
    recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages: 0 });
    if (outcome === 'failed') recorder.blame(refusal);
    return outcome;
  });
}

/** XEN: `libxl__arch_domain_construct_memmap`. */
function describeMemory(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl tells Xen the memory map of the guest', 'libxl', () => {
    const info = recorder.ask('libxl', 'domctl.getdomaininfo', { domid });
    if (info.kind === 'error') return 'failed';
    return inOrder([() => recorder.ask('libxl', 'memory_op.set_memory_map', { domid })]);
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
    if (!mappings.map({ first: KERNEL_FRAME, count: Math.min(KERNEL_PAGES, memory - KERNEL_FRAME) })) return 'failed';
    for (let page = 0; page < ACPI_PAGES; page++) {
      if (!give({ first: ACPI_FRAME + page, count: 1 })) return 'failed';
    }
    if (!mappings.map({ first: ACPI_FRAME, count: ACPI_PAGES })) return 'failed';
    const specials = { first: SPECIAL_FRAME, count: SPECIAL_PAGES };
    if (!give(specials) || !mappings.map(specials)) return 'failed';
    for (const param of RING_PARAMS) set(param);
    if (!mappings.map({ first: SPECIAL.identityMap, count: 1 })) return 'failed';
    set('IDENT_PT');
    return 'done';
  };
  return recorder.step('libxc loads the kernel, the ACPI tables and the special pages', 'libxc', () => {
    const outcome = work();
    if (outcome === 'failed') mappings.release();
    return outcome;
  });
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
  const work = (): TimelineStep['outcome'] => {
    if (recorder.ask('libxc', 'domctl.getdomaininfo', { domid }).kind === 'error') return 'failed';
    if (!mappings.map({ first: START_INFO_FRAME, count: 1 })) return 'failed';
    const mtrrs = Array.from(
      { length: plan.vcpus },
      (_, vcpu) => (): AnyResult => recorder.ask('libxc', 'domctl.sethvmcontext', { domid, vcpu, record: 'MTRR' }),
    );
    return inOrder([
      () => recorder.ask('libxc', 'hvm_op.set_param', { domid, param: 'CONSOLE_EVTCHN', value: ports.console }),
      () => recorder.ask('libxc', 'hvm_op.set_param', { domid, param: 'STORE_EVTCHN', value: ports.store }),
      // XEN: first for its size. There is no other way to the header of the saved state that libxc is to write.
      () => recorder.ask('libxc', 'domctl.gethvmcontext', { domid }),
      () => recorder.ask('libxc', 'domctl.gethvmcontext', { domid }),
      ...mtrrs,
      () => recorder.ask('libxc', 'domctl.sethvmcontext', { domid, vcpu: 0, record: 'CPU' }),
    ]);
  };
  return recorder.step('libxc gives the guest its start info and its first vCPU its registers', 'libxc', () => {
    const outcome = work();
    mappings.release();
    return outcome;
  });
}

/** Builds the guest, or says at which step it failed. */
export function buildPvh(operation: Operation, plan: BuildPlan): BuildOutcome {
  const { domid } = plan;
  if (prepare(operation, plan) === 'failed') return stoppedAt('the setting of vCPUs, placement and memory limit');
  const ports = allocatePorts(operation, domid);
  if (ports === undefined) return stoppedAt('the making of its event channels');
  if (setPvhPlatform(operation, plan) === 'failed') return stoppedAt('the setting of its timers and TSC mode');
  if (setCpuPolicy(operation, domid) === 'failed') return stoppedAt('the setting of its CPU policy');
  const ranges = memoryFrames(plan.maxPages);
  if (populateContainer(operation, plan, ranges) === 'failed') return stoppedAt('the allocation of its memory');
  if (describeMemory(operation, domid) === 'failed') return stoppedAt('the setting of its memory map');
  const mappings = new GuestMappings(operation, domid);
  if (load(operation, plan, mappings) === 'failed') return stoppedAt('the loading of its memory');
  if (makeReady(operation, plan, ports, mappings) === 'failed') return stoppedAt('the setting of its first vCPU');
  if (seedGrants(operation, domid, SPECIAL) === 'failed') {
    return stoppedAt('the granting of its xenstore and console pages');
  }
  if (setScheduler(operation, plan) === 'failed') return stoppedAt('the setting of its scheduler parameters');
  return {
    kind: 'built',
    guest: { storePort: ports.store, consolePort: ports.console, consoleFrame: SPECIAL.console },
  };
}
