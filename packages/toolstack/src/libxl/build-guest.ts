/**
 * What building a PV guest and a PVH guest have in common.
 *
 * Follows Xen `tools/libs/light/libxl_dom.c`, `libxl__build_pre`, `libxl__build_post`, and
 * `tools/libs/guest/xg_dom_boot.c`, `xc_dom_gnttab_seed`.
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
  readonly type: 'pv' | 'pvh' | 'hvm';
  readonly vcpus: number;
  /** vCPUs that the kernel is to bring up. */
  readonly onlineVcpus: number;
  readonly pages: number;
  readonly maxPages: number;
  /** Pages of the guest's memory that its device model asks for, for the display. */
  readonly videoPages: number;
  readonly claimsMemory: boolean;
  readonly scheduler: { readonly weight?: number; readonly cap?: number };
  /** It is given devices, so that a PV guest sees the memory map of the host. */
  readonly usesHostMap: boolean;
  /** Built in the middle of the creation of another, by a program that knows the host already. */
  readonly isStub: boolean;
}

/** A guest that is built, and where its rings are. */
export interface BuiltGuest {
  readonly storePort: Port;
  readonly consolePort: Port;
  readonly consoleFrame: number;
}

/** The event channels that libxl makes for the guest before its memory is there. */
export interface GuestPorts {
  readonly store: Port;
  readonly console: Port;
}

/** A build that went through, or the step at which it did not. */
export type BuildOutcome =
  | { readonly kind: 'built'; readonly guest: BuiltGuest }
  | { readonly kind: 'failed'; readonly rc: number; readonly step: string };

/** A way to build a guest. */
export type GuestBuilder = (operation: Operation, plan: BuildPlan) => BuildOutcome;

/** The build ends here. XEN: `ERROR_FAIL`. */
export function stoppedAt(step: string): BuildOutcome {
  return { kind: 'failed', rc: -3, step };
}

/** libxl gives a guest this much more than it asks for. XEN: `LIBXL_MAXMEM_CONSTANT`, 1 MiB. */
export const SLACK_PAGES = 256;

/** vCPUs, placement and the memory limit. XEN: `libxl__build_pre`. */
export function prepare(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  return recorder.step('libxl sets vCPUs, placement and the memory limit', 'libxl', () => {
    if (recorder.ask('libxl', 'domctl.max_vcpus', { domid, max: plan.vcpus }).kind === 'error') return 'failed';
    // XEN: xc_get_max_cpus() asks once, and keeps the answer.
    if (!plan.isStub) recorder.ask('libxl', 'sysctl.physinfo', {});
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
      () => recorder.ask('libxl', 'domctl.max_mem', { domid, maxPages: plan.pages + SLACK_PAGES }),
    ]);
  });
}

/** Two event channels of the guest, for xenstore and for the console. */
export function allocatePorts(operation: Operation, domid: Domid): GuestPorts | undefined {
  const { recorder, state } = operation;
  const ports: Port[] = [];
  const remotes = [state.xenstoreDomid ?? DOM0, DOM0];
  recorder.step('libxl makes event channels for xenstore and the console', 'libxl', () => {
    for (const remote of remotes) {
      const made = recorder.ask('libxl', 'event_channel_op.alloc_unbound', { domid, remote });
      if (made.kind === 'error') return 'failed';
      ports.push(made.value.port);
    }
    return 'done';
  });
  const [store, console] = ports;
  return store === undefined || console === undefined ? undefined : { store, console };
}

/** XEN: `libxl__cpuid_legacy`; a guest that is restored brings its policy along. */
export function setCpuPolicy(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl gives the guest its CPU policy', 'libxl', () => {
    lookAt(operation, domid, false);
    return inOrder([
      () => recorder.ask('libxc', 'sysctl.get_cpu_policy', {}),
      () => recorder.ask('libxc', 'sysctl.get_cpu_featureset', {}),
      () => recorder.ask('libxc', 'sysctl.get_cpu_policy', {}),
      () => recorder.ask('libxc', 'domctl.set_cpu_policy', { domid }),
    ]);
  });
}

/** Maps pages of the guest to write them, and gives them all back at the end. */
export class GuestMappings {
  readonly #operation: Operation;
  readonly #domid: Domid;
  readonly #mapped: MappingHandle[] = [];

  constructor(operation: Operation, domid: Domid) {
    this.#operation = operation;
    this.#domid = domid;
  }

  map(frames: FrameRange): boolean {
    const { recorder } = this.#operation;
    const args = { domid: this.#domid, frames, isWritable: true };
    const result = recorder.ask('libxc', 'mmu_update.map_foreign', args);
    if (result.kind === 'ok') this.#mapped.push(result.value.mapping);
    return result.kind === 'ok';
  }

  // XEN: xc_dom_release() gives back every mapping; one that stayed would outlive the relabel.
  release(): void {
    for (const mapping of this.#mapped.splice(0)) {
      this.#operation.recorder.ask('libxc', 'mmu_update.unmap_foreign', { mapping });
    }
  }
}

/** XEN: `xc_dom_gnttab_seed`. */
export function seedGrants(
  operation: Operation,
  domid: Domid,
  rings: { readonly console: number; readonly xenstore: number },
): TimelineStep['outcome'] {
  const { recorder, state } = operation;
  const title =
    state.xenstoreDomid === undefined
      ? 'libxc grants the xenstore and console pages to dom0'
      : `libxc grants the xenstore page to domain ${state.xenstoreDomid} and the console page to dom0`;
  return recorder.step(title, 'libxc', () => {
    const table = recorder.ask('libxc', 'memory_op.acquire_resource', { domid, resource: 'grant_table' });
    if (table.kind === 'error') return 'failed';
    const frames = { first: table.value.frame, count: 1 };
    const mapped = recorder.ask('libxc', 'mmu_update.map_foreign', { domid, frames, isWritable: true });
    if (mapped.kind === 'error') return 'failed';
    const { mapping } = mapped.value;
    const seed = (ref: number, frame: number, to: Domid) => () =>
      recorder.hypercalls.call({ domid: DOM0, process: 'libxc' }, 'grant_table.seed', {
        domid,
        mapping,
        ref,
        frame,
        to,
      });
    const outcome = inOrder([
      seed(CONSOLE_REF, rings.console, DOM0),
      seed(XENSTORE_REF, rings.xenstore, state.xenstoreDomid ?? DOM0),
    ]);
    recorder.ask('libxc', 'mmu_update.unmap_foreign', { mapping });
    return outcome;
  });
}

/** XEN: `libxl__sched_set_params`. */
export function setScheduler(operation: Operation, { domid, scheduler }: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  return recorder.step('libxl sets the scheduler parameters', 'libxl', () => {
    lookAt(operation, domid, false);
    recorder.ask('libxl', 'sysctl.cpupool_op', {});
    if (recorder.ask('libxl', 'domctl.getdomaininfo', { domid }).kind === 'error') return 'failed';
    const old = recorder.ask('libxl', 'domctl.scheduler_op.getinfo', { domid });
    if (old.kind === 'error') return 'failed';
    return inOrder([() => recorder.ask('libxl', 'domctl.scheduler_op.putinfo', { domid, ...old.value, ...scheduler })]);
  });
}
