/**
 * Building a PV guest: from an empty domain to one that only has to be started.
 *
 * Follows Xen `tools/libs/light/libxl_dom.c`, `libxl__build_pre`, `libxl__build_pv`, `libxl__build_post`, and
 * `tools/libs/guest/xg_dom_{core,boot,x86}.c`.
 *
 * @module
 */
import type { TimelineStep } from '../host.ts';
import type { Domid, FrameRange, MappingHandle, Port } from '../hypercalls.ts';
import { CONSOLE_REF, DOM0, XENSTORE_REF } from './daemons.ts';
import { lookAt, type Operation } from './operation.ts';
import { inOrder } from './recorder.ts';

/** What the build needs to know of the guest. */
export interface BuildPlan {
  readonly domid: Domid;
  readonly vcpus: number;
  readonly pages: number;
  readonly maxPages: number;
  readonly claimsMemory: boolean;
}

export interface BuiltGuest {
  readonly storePort: Port;
  readonly consolePort: Port;
  readonly consoleFrame: number;
}

/** Pages that libxc asks for at a time: one superpage of 2 MiB. */
const EXTENT_PAGES = 512;

/** Pages that libxc maps at a time when it fills the guest. */
const MAP_PAGES = 1024;

/** A large guest is mapped in larger pieces, so that its mappings stay few. */
const MAX_MAPS = 4096;

/** libxl gives a guest this much more than it asks for. XEN: `LIBXL_MAXMEM_CONSTANT`. */
const SLACK_PAGES = 256;

/** Where libxc puts the special pages of a PV guest: at the end of what it loads, in this order. */
const SPECIAL_FRAMES = { startInfo: 16, xenstore: 17, console: 18, pageTable: 19 } as const;

/** vCPUs, placement and the memory limit. XEN: `libxl__build_pre`. */
function prepare(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  return recorder.step('libxl sets vCPUs, placement and the memory limit', 'libxl', () => {
    if (recorder.ask('libxl', 'domctl.max_vcpus', { domid, max: plan.vcpus }).kind === 'error') return 'failed';
    recorder.ask('libxl', 'sysctl.physinfo', {});
    lookAt(operation, domid, false);
    recorder.ask('libxl', 'sysctl.cpupool_op', {});
    recorder.ask('libxl', 'sysctl.numainfo', {});
    recorder.ask('libxl', 'sysctl.numainfo', {});
    recorder.ask('libxl', 'sysctl.cputopoinfo', {});
    recorder.ask('libxl', 'sysctl.cputopoinfo', {});
    const affinities = Array.from(
      { length: plan.vcpus },
      (_, vcpu) => () => recorder.ask('libxl', 'domctl.setvcpuaffinity', { domid, vcpu }),
    );
    return inOrder([
      () => recorder.ask('libxl', 'domctl.setnodeaffinity', { domid }),
      ...affinities,
      () => recorder.ask('libxl', 'domctl.max_mem', { domid, maxPages: plan.maxPages + SLACK_PAGES }),
    ]);
  });
}

function allocatePorts(operation: Operation, domid: Domid): { store: Port; console: Port } | undefined {
  const { recorder } = operation;
  const ports: Port[] = [];
  recorder.step('libxl makes event channels for xenstore and the console', 'libxl', () => {
    for (let i = 0; i < 2; i++) {
      const made = recorder.ask('libxl', 'event_channel_op.alloc_unbound', { domid, remote: DOM0 });
      if (made.kind === 'error') return 'failed';
      ports.push(made.value.port);
    }
    return 'done';
  });
  const [store, console] = ports;
  return store === undefined || console === undefined ? undefined : { store, console };
}

/** XEN: `libxl__arch_domain_create` and `libxl__cpuid_legacy`. */
function setPlatform(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl sets the memory map, the TSC mode and the CPU policy', 'libxl', () => {
    // XEN: the answer about the memory map is not looked at for a PV guest.
    recorder.ask('libxl', 'memory_op.set_memory_map', { domid });
    if (recorder.ask('libxl', 'domctl.settscinfo', { domid }).kind === 'error') return 'failed';
    lookAt(operation, domid, false);
    return inOrder([
      () => recorder.ask('libxc', 'sysctl.get_cpu_policy', {}),
      () => recorder.ask('libxc', 'sysctl.get_cpu_featureset', {}),
      () => recorder.ask('libxc', 'sysctl.get_cpu_policy', {}),
      () => recorder.ask('libxc', 'domctl.set_cpu_policy', { domid }),
    ]);
  });
}

/** XEN: `xc_dom_boot_mem_init`, and the claim around it. */
function populate(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  return recorder.step('libxc gives the guest its memory', 'libxc', () => {
    if (recorder.ask('libxc', 'domctl.set_address_size', { domid, size: 64 }).kind === 'error') return 'failed';
    if (plan.claimsMemory) {
      const claimed = recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages: plan.pages });
      if (claimed.kind === 'error') return 'failed';
    }
    let isShort = false;
    for (let first = 0; first < plan.pages && !isShort; ) {
      const count = Math.min(EXTENT_PAGES, plan.pages - first);
      const done = recorder.ask('libxc', 'memory_op.populate_physmap', { domid, frames: { first, count } });
      const pagesDone = done.kind === 'ok' ? done.value.pagesDone : 0;
      isShort = pagesDone < count;
      first += count;
    }
    // XEN: the claim is given back however the rest went.
    if (plan.claimsMemory) recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages: 0 });
    if (isShort) recorder.explain('memory_op.populate_physmap', 'ENOMEM', 'Xen has no more pages for the domain');
    return isShort ? 'failed' : 'done';
  });
}

/** Maps, fills and releases what libxc writes into the guest, and makes its first vCPU ready. */
function fill(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  return recorder.step('libxc maps the guest, loads its kernel and starts its page tables', 'libxc', () => {
    const mapped: MappingHandle[] = [];
    const map = (frames: FrameRange): boolean => {
      const result = recorder.ask('libxc', 'mmu_update.map_foreign', { domid, frames, isWritable: true });
      if (result.kind === 'ok') mapped.push(result.value.mapping);
      return result.kind === 'ok';
    };
    const work = (): TimelineStep['outcome'] => {
      const size = Math.max(MAP_PAGES, Math.ceil(plan.pages / MAX_MAPS));
      for (let first = 0; first < plan.pages; first += size) {
        if (!map({ first, count: Math.min(size, plan.pages - first) })) return 'failed';
      }
      const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
      if (info.kind === 'error') return 'failed';
      const ready = inOrder([
        () => recorder.ask('libxc', 'mmu_update.machphys_update', { domid, frames: { first: 0, count: plan.pages } }),
        () => recorder.ask('libxc', 'mmuext_op.pin_table', { domid, frame: SPECIAL_FRAMES.pageTable }),
      ]);
      if (ready === 'failed' || !map({ first: info.value.sharedInfoFrame, count: 1 })) return 'failed';
      return inOrder([() => recorder.ask('libxc', 'domctl.setvcpucontext', { domid, vcpu: 0 })]);
    };
    const outcome = work();
    // XEN: xc_dom_release() gives back every mapping; one that stayed would outlive the relabel.
    for (const mapping of mapped) recorder.ask('libxc', 'mmu_update.unmap_foreign', { mapping });
    return outcome;
  });
}

/** XEN: `xc_dom_gnttab_seed`. */
function seedGrants(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxc grants the xenstore and console pages to dom0', 'libxc', () => {
    const table = recorder.ask('libxc', 'memory_op.acquire_resource', { domid, resource: 'grant_table' });
    if (table.kind === 'error') return 'failed';
    const frames = { first: table.value.frame, count: 1 };
    const mapped = recorder.ask('libxc', 'mmu_update.map_foreign', { domid, frames, isWritable: true });
    if (mapped.kind === 'error') return 'failed';
    const { mapping } = mapped.value;
    const seed = (ref: number, frame: number) => () =>
      recorder.hypercalls.call({ domid: DOM0, process: 'libxc' }, 'grant_table.seed', {
        domid,
        mapping,
        ref,
        frame,
        to: DOM0,
      });
    const outcome = inOrder([seed(CONSOLE_REF, SPECIAL_FRAMES.console), seed(XENSTORE_REF, SPECIAL_FRAMES.xenstore)]);
    recorder.ask('libxc', 'mmu_update.unmap_foreign', { mapping });
    return outcome;
  });
}

/** XEN: `libxl__sched_set_params`. */
function setScheduler(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl sets the scheduler parameters', 'libxl', () => {
    lookAt(operation, domid, false);
    recorder.ask('libxl', 'sysctl.cpupool_op', {});
    if (recorder.ask('libxl', 'domctl.getdomaininfo', { domid }).kind === 'error') return 'failed';
    const old = recorder.ask('libxl', 'domctl.scheduler_op.getinfo', { domid });
    if (old.kind === 'error') return 'failed';
    return inOrder([() => recorder.ask('libxl', 'domctl.scheduler_op.putinfo', { domid, ...old.value })]);
  });
}

/** The smallest guest that has room for its special pages. */
export const SMALLEST_PAGES: number = SPECIAL_FRAMES.pageTable + 1;

/** Builds the guest, or says at which step it failed. */
export function buildPv(
  operation: Operation,
  plan: BuildPlan,
):
  | { readonly kind: 'built'; readonly guest: BuiltGuest }
  | { readonly kind: 'failed'; readonly rc: number; readonly step: string } {
  const { domid } = plan;
  const stopped = (step: string) => ({ kind: 'failed', rc: -3, step }) as const;
  if (prepare(operation, plan) === 'failed') return stopped('the setting of vCPUs, placement and memory limit');
  const ports = allocatePorts(operation, domid);
  if (ports === undefined) return stopped('the making of its event channels');
  if (setPlatform(operation, domid) === 'failed') return stopped('the setting of TSC mode and CPU policy');
  if (populate(operation, plan) === 'failed') return stopped('the allocation of its memory');
  if (fill(operation, plan) === 'failed') return stopped('the loading of its memory');
  if (seedGrants(operation, domid) === 'failed') return stopped('the granting of its xenstore and console pages');
  if (setScheduler(operation, domid) === 'failed') return stopped('the setting of its scheduler parameters');
  return {
    kind: 'built',
    guest: { storePort: ports.store, consolePort: ports.console, consoleFrame: SPECIAL_FRAMES.console },
  };
}
