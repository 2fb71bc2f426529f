/**
 * What building a PV guest and a PVH guest have in common.
 *
 * Follows Xen `tools/libs/light/libxl_dom.c`, `libxl__build_pre`, `libxl__build_post`, and
 * `tools/libs/guest/xg_dom_boot.c`, `xc_dom_gnttab_seed`.
 *
 * @module
 */
import type { TimelineStep } from '../host.ts';
import type { Domid, Errno, FrameRange, MappingHandle, Port } from '../hypercalls.ts';
import { setVcpuAffinity } from './affinity.ts';
import { learnScheduler, lookAtPool } from './cpupools.ts';
import { CONSOLE_REF, DOM0, XENSTORE_REF } from './daemons.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { lookAt, type Operation } from './operation.ts';
import { type AnyResult, inOrder, type Refusal } from './recorder.ts';
import { errnoNumber, errnoText, logLibxc, logLibxl, panicLibxc, warnLibxl } from './said.ts';
import type { Placement } from './stored-json.ts';

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
  readonly placement: Placement;
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
  /** What was denied in the build and shows later. */
  readonly refusal: Refusal | undefined;
}

/** The event channels that libxl makes for the guest before its memory is there. */
export interface GuestPorts {
  readonly store: Port;
  readonly console: Port;
  /** Why one of them is none. */
  readonly refusal: Refusal | undefined;
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

/** XEN: `numa_place_domain`; `libxl_set_vcpuaffinity_all` and `libxl_domain_set_nodeaffinity`, whose failure is told and forgotten. */
function placeOnNodes(operation: Operation, { domid, vcpus }: BuildPlan): void {
  const { recorder } = operation;
  let refusal: Refusal | undefined;
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    if (setVcpuAffinity(operation, domid, vcpu)) continue;
    refusal = recorder.refusal;
    const words = `Domain ${domid}:Failed to set affinity for ${vcpu}`;
    warnLibxl(operation, 'libxl_sched.c:124:libxl_set_vcpuaffinity_all', words);
  }
  const set = recorder.ask('libxl', 'domctl.setnodeaffinity', { domid });
  if (set.kind === 'error') {
    const place = 'libxl_sched.c:138:libxl_domain_set_nodeaffinity';
    logLibxl(operation, place, `Domain ${domid}:Setting node affinity`, set.errno);
    refusal = recorder.refusal;
  }
  if (refusal === undefined) return;
  const notes = refusalNotes(refusal);
  operation.diagnostics.push(guest['affinity-not-set'](undefined, { domid }, { notes }));
}

/** What the configuration says of CPUs; false where Xen does not take it, and the build ends. */
function pinAsConfigured(operation: Operation, { domid, placement: { hard, soft } }: BuildPlan): boolean {
  for (let vcpu = 0; vcpu < Math.max(hard.length, soft.length); vcpu++) {
    if (setVcpuAffinity(operation, domid, vcpu, { hard: hard[vcpu], soft: soft[vcpu] })) continue;
    logLibxl(operation, 'libxl_dom.c:350:libxl__build_pre', `setting affinity failed on vcpu \`${vcpu}'`);
    return false;
  }
  return true;
}

/** vCPUs, placement and the memory limit. XEN: `libxl__build_pre`. */
export function prepare(operation: Operation, plan: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const { domid } = plan;
  return recorder.step('libxl sets vCPUs, placement and the memory limit', 'libxl', () => {
    if (recorder.ask('libxl', 'domctl.max_vcpus', { domid, max: plan.vcpus }).kind === 'error') {
      logLibxl(operation, 'libxl_dom.c:253:libxl__build_pre', "Couldn't set max vcpu count");
      return 'failed';
    }
    // XEN: xc_get_max_cpus() asks once, and keeps the answer.
    if (!plan.isStub) recorder.ask('libxl', 'sysctl.physinfo', {});
    if (plan.placement.isAutomatic) {
      lookAt(operation, domid, false);
      if (!lookAtPool(operation)) return 'failed';
      recorder.ask('libxl', 'sysctl.numainfo', {});
      recorder.ask('libxl', 'sysctl.numainfo', {});
      recorder.ask('libxl', 'sysctl.cputopoinfo', {});
      recorder.ask('libxl', 'sysctl.cputopoinfo', {});
      placeOnNodes(operation, plan);
    }
    if (!pinAsConfigured(operation, plan)) return 'failed';
    const limit = recorder.ask('libxl', 'domctl.max_mem', { domid, maxPages: plan.pages + SLACK_PAGES });
    if (limit.kind === 'ok') return 'done';
    logLibxl(operation, 'libxl_dom.c:364:libxl__build_pre', "Couldn't set max memory", limit.errno);
    return 'failed';
  });
}

/** What libxl takes for the port of a channel that it was denied. */
const NO_PORT = -1 as Port;

/** Two event channels of the guest, for xenstore and for the console. XEN: nobody looks whether they were made. */
export function allocatePorts(operation: Operation, domid: Domid): GuestPorts {
  const { recorder, state } = operation;
  const make = (remote: Domid): Port => {
    const made = recorder.ask('libxl', 'event_channel_op.alloc_unbound', { domid, remote });
    if (made.kind === 'ok') return made.value.port;
    logLibxc(operation, 'do_evtchn_op: HYPERVISOR_event_channel_op failed: -1');
    return NO_PORT;
  };
  let ports: GuestPorts = { store: NO_PORT, console: NO_PORT, refusal: undefined };
  recorder.step('libxl makes event channels for xenstore and the console', 'libxl', () => {
    const [store, console] = [make(state.xenstoreDomid ?? DOM0), make(DOM0)];
    ports = { store, console, refusal: recorder.refusal };
    return recorder.refusal === undefined ? 'done' : 'ignored-failure';
  });
  return ports;
}

/** XEN: `xc_cpuid_apply_policy`; what libxc says where it stops. */
function applyCpuPolicy(operation: Operation, domid: Domid, isHvm: boolean): Errno | undefined {
  const { recorder } = operation;
  const all = (0xffff_ffff).toString(16);
  const requests: readonly (readonly [ask: () => AnyResult, words: string])[] = [
    [() => recorder.ask('libxc', 'sysctl.get_cpu_policy', {}), 'Failed to obtain policy info size'],
    [() => recorder.ask('libxc', 'sysctl.get_cpu_featureset', {}), 'Failed to obtain host featureset'],
    [
      () => recorder.ask('libxc', 'sysctl.get_cpu_policy', {}),
      `Failed to obtain ${isHvm ? 'hvm' : 'pv'} default policy`,
    ],
    [
      () => recorder.ask('libxc', 'domctl.set_cpu_policy', { domid }),
      `Failed to set d${domid}'s policy (err leaf 0x${all}, subleaf 0x${all}, msr 0x${all})`,
    ],
  ];
  for (const [ask, words] of requests) {
    const answer = ask();
    if (answer.kind === 'ok') continue;
    logLibxc(operation, words, answer.errno);
    return answer.errno;
  }
  return undefined;
}

/** XEN: `libxl__cpuid_legacy`; a guest that is restored brings its policy along. */
export function setCpuPolicy(operation: Operation, { domid, type }: BuildPlan): TimelineStep['outcome'] {
  return operation.recorder.step('libxl gives the guest its CPU policy', 'libxl', () => {
    lookAt(operation, domid, false);
    const errno = applyCpuPolicy(operation, domid, type !== 'pv');
    if (errno === undefined) return 'done';
    const place = 'libxl_cpuid.c:525:libxl__cpuid_legacy';
    logLibxl(operation, place, `Domain ${domid}:Failed to apply CPUID policy`, errno);
    return 'failed';
  });
}

/** The acts of libxc in a build, with the lines on which libxl says that one failed. XEN: `libxl__build_dom`. */
const BUILD_ACTS = {
  xc_dom_boot_mem_init: 586,
  libxl__arch_domain_finalise_hw_description: 590,
  xc_dom_build_image: 594,
  xc_dom_boot_image: 598,
  xc_dom_gnttab_init: 602,
} as const;

/** An act of libxc in the build failed, after libxc has said why; with the errno that it left. */
export function logBuildFailed(operation: Operation, act: keyof typeof BUILD_ACTS, errno: Errno): void {
  logLibxl(operation, `libxl_dom.c:${BUILD_ACTS[act]}:libxl__build_dom`, `${act} failed`, errno);
}

/** The guest got no memory, or not all. Where Xen gives fewer pages than were asked for, libxc says `EBUSY`. */
export function logNoMemory(operation: Operation, errno: Errno = 'EBUSY'): void {
  const words = "xc_dom_boot_mem_init: can't allocate low memory for domain";
  panicLibxc(operation, 'xg_dom_boot.c:119', words, 'Out of memory');
  logBuildFailed(operation, 'xc_dom_boot_mem_init', errno);
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

  /** Undefined when it worked. */
  map(frames: FrameRange): Errno | undefined {
    const { recorder } = this.#operation;
    const args = { domid: this.#domid, frames, isWritable: true };
    const result = recorder.ask('libxc', 'mmu_update.map_foreign', args);
    if (result.kind === 'error') return result.errno;
    this.#mapped.push(result.value.mapping);
    return undefined;
  }

  /** As libxc maps what the image goes into, with what is said when it cannot. XEN: `xc_dom_boot_domU_map`. */
  mapImage(frames: FrameRange): boolean {
    const errno = this.map(frames);
    if (errno === undefined) return true;
    const range = `0x${frames.first.toString(16)}+0x${frames.count.toString(16)}`;
    const why = `[mmap, errno=${errnoNumber(errno)} (${errnoText(errno)})]`;
    const words = `xc_dom_boot_domU_map: failed to mmap domU pages ${range} ${why}`;
    panicLibxc(this.#operation, 'xg_dom_boot.c:155', words);
    logBuildFailed(this.#operation, 'xc_dom_build_image', errno);
    return false;
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
    const frames = { first: table.kind === 'ok' ? table.value.frame : 0, count: 1 };
    // XEN: one request to Linux, which acquires the page and maps it.
    const mapped =
      table.kind === 'ok'
        ? recorder.ask('libxc', 'mmu_update.map_foreign', { domid, frames, isWritable: true })
        : table;
    if (mapped.kind === 'error') {
      const words = `failed to acquire d${domid} grant table [errno=${errnoNumber(mapped.errno)}]\n`;
      panicLibxc(operation, 'xg_dom_boot.c:411', `xc_dom_gnttab_seed: ${words}`);
      return 'failed';
    }
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

/** XEN: `xc_dom_gnttab_init`. */
export function initGrants(...args: Parameters<typeof seedGrants>): TimelineStep['outcome'] {
  const outcome = seedGrants(...args);
  const [operation] = args;
  if (outcome === 'failed')
    logBuildFailed(operation, 'xc_dom_gnttab_init', operation.recorder.refusal?.errno ?? 'EINVAL');
  return outcome;
}

/** XEN: `libxl_domain_sched_params_set`. */
export function setScheduler(operation: Operation, { domid, scheduler }: BuildPlan): TimelineStep['outcome'] {
  const { recorder } = operation;
  const place = (line: number): string => `libxl_sched.c:${line}:sched_credit2_domain_set`;
  return recorder.step('libxl sets the scheduler parameters', 'libxl', () => {
    if (!learnScheduler(operation, domid, 'set')) return 'failed';
    if (recorder.ask('libxl', 'domctl.getdomaininfo', { domid }).kind === 'error') return 'failed';
    const old = recorder.ask('libxl', 'domctl.scheduler_op.getinfo', { domid });
    if (old.kind === 'error') {
      logLibxl(operation, place(439), `Domain ${domid}:Getting domain sched credit2`, old.errno);
      return 'failed';
    }
    const put = recorder.ask('libxl', 'domctl.scheduler_op.putinfo', { domid, ...old.value, ...scheduler });
    if (put.kind === 'ok') return 'done';
    logLibxl(operation, place(465), `Domain ${domid}:Setting domain sched credit2`, put.errno);
    return 'failed';
  });
}
