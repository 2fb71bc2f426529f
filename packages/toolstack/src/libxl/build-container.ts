/**
 * Building a guest in an HVM container: what PVH and HVM guests have in common, step by step.
 *
 * Follows Xen `tools/libs/light/libxl_x86.c`, `tools/libs/light/libxl_dom.c`, `libxl__build_hvm`, and
 * `tools/libs/guest/xg_dom_{core,boot,x86}.c`.
 * Start reading at `buildContainer`.
 *
 * @module
 */
import { isSince } from '@dewar/policy/releases';
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

/** Where the parameters of such a guest say that its special pages are. */
export const SPECIAL_PARAMS: Readonly<Partial<Record<HvmParam, number>>> & {
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

/**
 * Memory that Xen sets aside for page tables: 1 MiB for each vCPU and 4 KiB for each MiB of memory, on a host whose CPUs
 * walk two levels of them. XEN: `libxl__get_required_paging_memory`.
 */
function pagingKib(plan: BuildPlan): number {
  return 4 * (256 * plan.vcpus + Math.floor(plan.maxPages / 256));
}

/**
 * XEN: until 4.14 libxl says of each guest whether it may have guests of its own, and Xen asks for the right to that also
 * where it may not; until 4.13 libxl did not look at the answer.
 */
function mayNest(operation: Operation, domid: Domid): boolean {
  const { recorder } = operation;
  if (isSince(recorder.hypercalls.release, '4.15')) return true;
  const set = recorder.ask('libxl', 'hvm_op.set_param', { domid, param: 'NESTEDHVM', value: 0 });
  if (set.kind === 'ok' || !isSince(recorder.hypercalls.release, '4.14')) return true;
  logLibxl(operation, 'libxl_x86.c:433:hvm_set_conf_params', "Couldn't set HVM_PARAM_NESTEDHVM");
  return false;
}

/** A parameter that libxl sets, its value, and the line on which it says that it could not. */
export type ConfParam = readonly [param: HvmParam, value: number, line: number];

/** XEN: `hvm_set_conf_params`, with the lines on which it says what could not be set. */
function setConfParams(operation: Operation, domid: Domid, params: readonly ConfParam[]): boolean {
  for (const [param, value, line] of params) {
    if (param === 'ALTP2M' && !mayNest(operation, domid)) return false;
    if (operation.recorder.ask('libxl', 'hvm_op.set_param', { domid, param, value }).kind === 'ok') continue;
    logLibxl(operation, `libxl_x86.c:${line}:hvm_set_conf_params`, `Couldn't set HVM_PARAM_${param}`);
    return false;
  }
  return true;
}

/** Those of them that every guest in an HVM container gets. */
export const TIMER_PARAMS: readonly ConfParam[] = [
  ['TIMER_MODE', 1, 441],
  // XEN: libxl sets it to 0 too, and Xen asks for the right to have alternative page tables all the same.
  ['ALTP2M', 0, 445],
];

/** XEN: the rest of `libxl__arch_domain_create`, of a guest in an HVM container. */
function setTimeAndPaging(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
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
export function setContainerPlatform(
  operation: Operation,
  plan: BuildPlan,
  params: readonly ConfParam[],
): TimelineStep['outcome'] {
  return operation.recorder.step('libxl sets timers, TSC mode and the memory for page tables', 'libxl', () =>
    setConfParams(operation, plan.domid, params) ? setTimeAndPaging(operation, plan) : 'failed',
  );
}

/** How much libxc asks for next. XEN: `meminit_hvm`. */
function nextExtent(first: number, left: number): number {
  if (first % GIB_PAGES === 0 && left >= GIB_PAGES) return GIB_PAGES;
  const count = Math.min(EXTENT_PAGES, left);
  return count > SUPERPAGE ? count - (count % SUPERPAGE) : count;
}

/** XEN: `meminit_hvm`: memory up to the hole and above it, on demand when the guest may grow. */
function populate(operation: Operation, plan: BuildPlan, ranges: readonly FrameRange[]): TimelineStep['outcome'] {
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
function setMemoryMap(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const set = operation.recorder.ask('libxl', 'memory_op.set_memory_map', { domid });
  if (set.kind === 'ok') return 'done';
  const place = 'libxl_x86.c:801:libxl__arch_domain_finalise_hw_description';
  logLibxl(operation, place, 'setting domain memory map failed', set.errno);
  logBuildFailed(operation, 'libxl__arch_domain_finalise_hw_description', set.errno);
  return 'failed';
}

/** What loads the image of a guest and puts the special pages in their places. */
export class ImageLoader {
  readonly #operation: Operation;
  readonly #domid: Domid;
  readonly mappings: GuestMappings;

  constructor(operation: Operation, domid: Domid) {
    this.#operation = operation;
    this.#domid = domid;
    this.mappings = new GuestMappings(operation, domid);
  }

  /** Whether Xen gave the guest the pages. */
  populate(frames: FrameRange): boolean {
    const args = { domid: this.#domid, frames };
    const answer = this.#operation.recorder.ask('libxc', 'memory_op.populate_physmap', args);
    return answer.kind === 'ok' && answer.value.pagesDone === frames.count;
  }

  /** XEN: nobody looks at the answers here; what is missing shows when the event channels are set. */
  set(param: HvmParam, value: number): void {
    this.#operation.recorder.ask('libxc', 'hvm_op.set_param', { domid: this.#domid, param, value });
  }

  /** The special pages, and where they are. XEN: `alloc_magic_pages_hvm`. */
  placeSpecials(): boolean {
    const specials = { first: SPECIAL_FRAME, count: SPECIAL_PAGES };
    if (!this.populate(specials) || !this.mappings.mapImage(specials)) return false;
    for (const param of RING_PARAMS) this.set(param, SPECIAL_PARAMS[param] ?? 0);
    return true;
  }

  /** The page tables with which a guest begins that has no paging yet. */
  placeIdentityMap(): boolean {
    if (!this.mappings.mapImage({ first: SPECIAL.identityMap, count: 1 })) return false;
    this.set('IDENT_PT', SPECIAL_PARAMS['IDENT_PT'] ?? 0);
    return true;
  }
}

/** What tells one kind of guest in a container from the other. */
export interface ContainerGuest {
  readonly params: readonly ConfParam[];
  /** The memory that it gets, and where. */
  readonly ram: BuildPlan;
  readonly ranges: readonly FrameRange[];
  /** Whether libxl looks the domain up before it sets the memory map, for the ACPI tables that it makes. */
  readonly hasAcpiOfLibxl: boolean;
  /** What libxc does to load the image, in words, and does it: whether all went well. */
  readonly image: { readonly title: string; readonly load: (loader: ImageLoader) => boolean };
  /** What libxc does before the guest can run, in words; the pages that it writes, and how many vCPUs get memory types. */
  readonly start: { readonly title: string; readonly frames: readonly number[]; readonly memoryTypes: number };
  /** What comes when the guest has its rings, and how a report calls it. */
  readonly finish?: { readonly what: string; readonly run: () => TimelineStep['outcome'] };
}

/** XEN: `libxl__arch_domain_finalise_hw_description`, `libxl__domain_construct_e820`. */
function describeMemory(operation: Operation, domid: Domid, looksUp: boolean): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl tells Xen the memory map of the guest', 'libxl', () => {
    if (looksUp && recorder.ask('libxl', 'domctl.getdomaininfo', { domid }).kind === 'error') return 'failed';
    return setMemoryMap(operation, domid);
  });
}

/** XEN: `xc_dom_build_image`. */
function loadImage(operation: Operation, { image }: ContainerGuest, loader: ImageLoader): TimelineStep['outcome'] {
  return operation.recorder.step(image.title, 'libxc', () => {
    if (image.load(loader)) return 'done';
    loader.mappings.release();
    return 'failed';
  });
}

/**
 * The registers of the first vCPU, and the memory types of all; the errno that libxc ends with. XEN: `vcpu_hvm`, which
 * goes on after each record that Xen does not take.
 */
function setFirstVcpu(operation: Operation, domid: Domid, memoryTypes: number): Errno | undefined {
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

/** Where the guest finds its ports; the answers are not looked at. */
function setPorts({ recorder }: Operation, domid: Domid, { console, store }: GuestPorts): void {
  recorder.ask('libxc', 'hvm_op.set_param', { domid, param: 'CONSOLE_EVTCHN', value: console });
  recorder.ask('libxc', 'hvm_op.set_param', { domid, param: 'STORE_EVTCHN', value: store });
}

/** XEN: `xc_dom_boot_image`, `bootlate_hvm`, `vcpu_hvm`. */
function makeReady(
  operation: Operation,
  domid: Domid,
  { start }: ContainerGuest,
  ports: GuestPorts,
  mappings: GuestMappings,
): TimelineStep['outcome'] {
  const { recorder } = operation;
  const work = (): Errno | undefined => {
    const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
    if (info.kind === 'error') return info.errno;
    for (const first of start.frames) {
      const errno = mappings.map({ first, count: 1 });
      if (errno !== undefined) return errno;
    }
    setPorts(operation, domid, ports);
    return setFirstVcpu(operation, domid, start.memoryTypes);
  };
  return recorder.step(start.title, 'libxc', () => {
    const errno = work();
    mappings.release();
    if (errno === undefined) return 'done';
    logBuildFailed(operation, 'xc_dom_boot_image', errno);
    return 'failed';
  });
}

/** Builds the guest, or says at which step it failed. */
export function buildContainer(operation: Operation, plan: BuildPlan, guest: ContainerGuest): BuildOutcome {
  const { domid } = plan;
  if (prepare(operation, plan) === 'failed') return stoppedAt('the setting of vCPUs, placement and memory limit');
  const ports = allocatePorts(operation, domid);
  if (setContainerPlatform(operation, plan, guest.params) === 'failed')
    return stoppedAt('the setting of its timers and TSC mode');
  if (setCpuPolicy(operation, plan) === 'failed') return stoppedAt('the setting of its CPU policy');
  if (populate(operation, guest.ram, guest.ranges) === 'failed') return stoppedAt('the allocation of its memory');
  if (describeMemory(operation, domid, guest.hasAcpiOfLibxl) === 'failed')
    return stoppedAt('the setting of its memory map');
  const loader = new ImageLoader(operation, domid);
  if (loadImage(operation, guest, loader) === 'failed') return stoppedAt('the loading of its memory');
  if (makeReady(operation, domid, guest, ports, loader.mappings) === 'failed')
    return stoppedAt('the setting of its first vCPU');
  if (initGrants(operation, domid, SPECIAL) === 'failed')
    return stoppedAt('the granting of its xenstore and console pages');
  if (guest.finish?.run() === 'failed') return stoppedAt(guest.finish.what);
  if (setScheduler(operation, plan) === 'failed') return stoppedAt('the setting of its scheduler parameters');
  const { store: storePort, console: consolePort, refusal } = ports;
  return { kind: 'built', guest: { storePort, consolePort, consoleFrame: SPECIAL.console, refusal } };
}
