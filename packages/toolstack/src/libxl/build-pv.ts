/**
 * Building a PV guest: from an empty domain to one that only has to be started.
 *
 * Follows Xen `tools/libs/light/libxl_dom.c`, `libxl__build_pv`, and `tools/libs/guest/xg_dom_{core,boot,x86}.c`.
 *
 * @module
 */
import type { TimelineStep } from '../host.ts';
import type { Errno } from '../hypercalls.ts';
import {
  allocatePorts,
  type BuildOutcome,
  type BuildPlan,
  GuestMappings,
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

/** Pages that libxc asks for at a time: one superpage of 2 MiB. */
const EXTENT_PAGES = 512;

/** Pages that libxc maps at a time when it fills the guest. */
const MAP_PAGES = 1024;

/** A large guest is mapped in larger pieces, so that its mappings stay few. */
const MAX_MAPS = 4096;

/** Where libxc puts the special pages of a PV guest: at the end of what it loads, in this order. */
export const SPECIAL_FRAMES = { startInfo: 16, xenstore: 17, console: 18, pageTable: 19 } as const;

/** The smallest guest that has room for its special pages. */
export const SMALLEST_PV_PAGES: number = SPECIAL_FRAMES.pageTable + 1;

/** XEN: `libxl__arch_domain_create`. */
export function setPvPlatform(operation: Operation, { domid, usesHostMap }: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl sets the memory map and the TSC mode', 'libxl', () => {
    // XEN: the answer about the memory map is not looked at for a PV guest.
    recorder.ask('libxl', 'memory_op.set_memory_map', { domid });
    const tsc = recorder.ask('libxl', 'domctl.settscinfo', { domid });
    if (tsc.kind === 'error') {
      const place = 'libxl_x86.c:506:libxl__arch_domain_create';
      logLibxl(operation, place, 'xc_domain_set_tsc_info() failed', tsc.errno);
      return 'failed';
    }
    // XEN: libxl__e820_alloc(); that it failed is logged, and forgotten.
    if (usesHostMap && recorder.ask('libxl', 'memory_op.machine_memory_map', {}).kind === 'ok') {
      recorder.ask('libxl', 'memory_op.set_memory_map', { domid });
    }
    return 'done';
  });
}

/** XEN: `xc_dom_boot_mem_init`, `meminit_pv`, and the claim around it. */
function populate(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  return recorder.step('libxc gives the guest its memory', 'libxc', () => {
    const sized = recorder.ask('libxc', 'domctl.set_address_size', { domid, size: 64 });
    const claimed =
      sized.kind === 'error' || !plan.claimsMemory
        ? sized
        : recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages: plan.pages });
    if (claimed.kind === 'error') {
      logNoMemory(operation, claimed.errno);
      return 'failed';
    }
    let isShort = false;
    for (let first = 0; first < plan.pages && !isShort; ) {
      const count = Math.min(EXTENT_PAGES, plan.pages - first);
      const done = recorder.ask('libxc', 'memory_op.populate_physmap', { domid, frames: { first, count } });
      const pagesDone = done.kind === 'ok' ? done.value.pagesDone : 0;
      isShort = pagesDone < count;
      first += count;
    }
    if (isShort) {
      recorder.explain('memory_op.populate_physmap', 'ENOMEM', 'Xen has no more pages for the domain');
      const words = `meminit_pv: failed to allocate 0x${plan.pages.toString(16)} pages`;
      panicLibxc(operation, 'xg_dom_x86.c:1319', words);
      logNoMemory(operation);
      return 'failed';
    }
    // XEN: what is left of the claim is given back.
    recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages: 0 });
    return 'done';
  });
}

/** XEN: `xc_dom_boot_image`: the first page table, what the guest shares with Xen, and the first vCPU. */
function boot(
  operation: Operation,
  { domid }: BuildPlan,
  mappings: GuestMappings,
  sharedInfoFrame: number,
): Errno | undefined {
  const { recorder } = operation;
  const frame = SPECIAL_FRAMES.pageTable;
  const pinned = recorder.ask('libxc', 'mmuext_op.pin_table', { domid, frame });
  if (pinned.kind === 'error') {
    const words = `bootlate_pv: pin_table failed (pfn 0x${frame.toString(16)}, rc=1)`;
    panicLibxc(operation, 'xg_dom_x86.c:1692', words);
    return pinned.errno;
  }
  const unmapped = mappings.map({ first: sharedInfoFrame, count: 1 });
  if (unmapped !== undefined) return unmapped;
  const set = recorder.ask('libxc', 'domctl.setvcpucontext', { domid, vcpu: 0 });
  if (set.kind === 'ok') return undefined;
  panicLibxc(operation, 'xg_dom_x86.c:970', 'vcpu_x86_64: SETVCPUCONTEXT failed (rc=-1)');
  return set.errno;
}

/** Maps, fills and releases what libxc writes into the guest, and makes its first vCPU ready. */
function fill(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  return recorder.step('libxc maps the guest, loads its kernel and starts its page tables', 'libxc', () => {
    const mappings = new GuestMappings(operation, domid);
    const work = (): TimelineStep['outcome'] => {
      const size = Math.max(MAP_PAGES, Math.ceil(plan.pages / MAX_MAPS));
      for (let first = 0; first < plan.pages; first += size) {
        if (!mappings.mapImage({ first, count: Math.min(size, plan.pages - first) })) return 'failed';
      }
      const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
      if (info.kind === 'error') return 'failed';
      // XEN: xc_dom_boot_image() clears the pages of the two rings.
      for (const first of [SPECIAL_FRAMES.console, SPECIAL_FRAMES.xenstore]) {
        if (!mappings.mapImage({ first, count: 1 })) return 'failed';
      }
      const errno = boot(operation, plan, mappings, info.value.sharedInfoFrame);
      if (errno === undefined) return 'done';
      logBuildFailed(operation, 'xc_dom_boot_image', errno);
      return 'failed';
    };
    const outcome = work();
    mappings.release();
    return outcome;
  });
}

/** Builds the guest, or says at which step it failed. */
export function buildPv(operation: Operation, plan: BuildPlan): BuildOutcome {
  const { domid } = plan;
  if (prepare(operation, plan) === 'failed') return stoppedAt('the setting of vCPUs, placement and memory limit');
  const ports = allocatePorts(operation, domid);
  if (setPvPlatform(operation, plan) === 'failed') return stoppedAt('the setting of its TSC mode');
  if (setCpuPolicy(operation, plan) === 'failed') return stoppedAt('the setting of its CPU policy');
  if (populate(operation, plan) === 'failed') return stoppedAt('the allocation of its memory');
  if (fill(operation, plan) === 'failed') return stoppedAt('the loading of its memory');
  if (initGrants(operation, domid, SPECIAL_FRAMES) === 'failed') {
    return stoppedAt('the granting of its xenstore and console pages');
  }
  if (setScheduler(operation, plan) === 'failed') return stoppedAt('the setting of its scheduler parameters');
  return {
    kind: 'built',
    guest: {
      storePort: ports.store,
      consolePort: ports.console,
      consoleFrame: SPECIAL_FRAMES.console,
      refusal: ports.refusal,
    },
  };
}
