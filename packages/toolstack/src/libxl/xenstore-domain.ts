/**
 * `init-xenstore-domain`: xenstored in a domain of its own, instead of in dom0.
 *
 * Follows Xen `tools/helpers/init-xenstore-domain.c`. It must come first: once the kernel of dom0 has spoken to an
 * xenstored, it changes to no other.
 *
 * @module
 */
import type { OperationReport, XenstoreDomainOptions } from '../host.ts';
import type { Actor, Domid, FrameRange, Port, Process, SidNumber } from '../hypercalls.ts';
import { RING_PARAMS, SPECIAL, SPECIAL_FRAME, SPECIAL_PAGES, SPECIAL_PARAMS } from './build-container.ts';
import { GuestMappings } from './build-guest.ts';
import { SPECIAL_FRAMES } from './build-pv.ts';
import { defaultSid } from './create-labels.ts';
import { attachConsole, CONSOLE_REF, DOM0, startXenstored, XENSTORE_REF } from './daemons.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { finalState, lookAt, type Operation, report } from './operation.ts';
import { type AnyResult, inOrder } from './recorder.ts';
import { startGuest } from './start-guest.ts';
import { addGuest } from './toolstack-state.ts';
import { maxMemoryMib, PAGES_PER_MIB } from './xenstore-memory.ts';

const INIT: Process = 'init-xenstore-domain';

const DOM0_KERNEL: Actor = { domid: DOM0, process: 'driver' };

/** The page of dom0's kernel that it shares with xenstored; which one does not matter. */
const STORE_FRAME = 1;

const LOST = 'dom0 has gone over to a domain that is no xenstore: the host has to be booted anew';

const KIB_PER_MIB = 1024;

/** Memory in MiB that a xenstore domain can have here. */
const SMALLEST_MIB = 8;
const LARGEST_MIB = 1024 * 1024;

/** What libxc asks for at a time. */
const EXTENT_PAGES = 512;

/** Where the kernel is loaded. */
const KERNEL_FRAME = 0x100;

/** XEN: `check_domain`: whether there is such a domain already. */
function findExisting({ recorder }: Operation): Domid | undefined {
  let domid = 1;
  for (;;) {
    // Any number may be asked for; Xen answers with the next domain.
    const info = recorder.ask(INIT, 'domctl.getdomaininfo', { domid: domid as Domid });
    if (info.kind === 'error') return undefined;
    if (info.value.isXenstore) return info.value.domid;
    domid = info.value.domid + 1;
  }
}

/** What the build needs to know. */
interface Plan {
  readonly sid: SidNumber;
  readonly memoryMib: number;
  /** It may grow to so much. */
  readonly maxMib: number;
  readonly isPvh: boolean;
  readonly uuid: string;
  readonly name: string;
}

/** Gives it memory, piece by piece. */
function populate({ recorder }: Operation, domid: Domid, { memoryMib, isPvh }: Plan): boolean {
  if (!isPvh && recorder.ask('libxc', 'domctl.set_address_size', { domid, size: 64 }).kind === 'error') return false;
  const pages = memoryMib * PAGES_PER_MIB;
  let isShort = false;
  for (let first = 0; first < pages && !isShort; first += EXTENT_PAGES) {
    const count = Math.min(EXTENT_PAGES, pages - first);
    const given = recorder.ask('libxc', 'memory_op.populate_physmap', { domid, frames: { first, count } });
    isShort = given.kind === 'error' || given.value.pagesDone < count;
  }
  recorder.ask('libxc', 'memory_op.claim_pages', { domid, pages: 0 });
  if (isShort) recorder.explain('memory_op.populate_physmap', 'ENOMEM', 'Xen has no more pages for the domain');
  return !isShort;
}

/** A PV domain: kernel, page tables, shared info, the first vCPU. */
function loadPv({ recorder }: Operation, domid: Domid, pages: number, mappings: GuestMappings): boolean {
  if (mappings.map({ first: 0, count: pages }) !== undefined) return false;
  const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
  if (info.kind === 'error') return false;
  const pinned = recorder.ask('libxc', 'mmuext_op.pin_table', { domid, frame: SPECIAL_FRAMES.pageTable });
  if (pinned.kind === 'error' || mappings.map({ first: info.value.sharedInfoFrame, count: 1 }) !== undefined)
    return false;
  return recorder.ask('libxc', 'domctl.setvcpucontext', { domid, vcpu: 0 }).kind === 'ok';
}

/** A PVH domain: memory map, kernel, special pages, the first vCPU. */
function loadPvh({ recorder }: Operation, domid: Domid, pages: number, mappings: GuestMappings): boolean {
  if (recorder.ask(INIT, 'memory_op.set_memory_map', { domid }).kind === 'error') return false;
  const kernel: FrameRange = { first: KERNEL_FRAME, count: pages - KERNEL_FRAME };
  if (mappings.map(kernel) !== undefined) return false;
  const frames = { first: SPECIAL_FRAME, count: SPECIAL_PAGES };
  const given = recorder.ask('libxc', 'memory_op.populate_physmap', { domid, frames });
  if (given.kind === 'error' || given.value.pagesDone < SPECIAL_PAGES || mappings.map(frames) !== undefined)
    return false;
  for (const param of [...RING_PARAMS, 'IDENT_PT'] as const) {
    recorder.ask('libxc', 'hvm_op.set_param', { domid, param, value: SPECIAL_PARAMS[param] ?? 0 });
  }
  if (recorder.ask('libxc', 'domctl.getdomaininfo', { domid }).kind === 'error') return false;
  if (mappings.map({ first: KERNEL_FRAME, count: 1 }) !== undefined) return false;
  const set = (param: 'CONSOLE_EVTCHN' | 'STORE_EVTCHN') => (): AnyResult =>
    recorder.ask('libxc', 'hvm_op.set_param', { domid, param, value: 1 });
  return (
    inOrder([
      set('CONSOLE_EVTCHN'),
      set('STORE_EVTCHN'),
      () => recorder.ask('libxc', 'domctl.gethvmcontext', { domid }),
      () => recorder.ask('libxc', 'domctl.gethvmcontext', { domid }),
      () => recorder.ask('libxc', 'domctl.sethvmcontext', { domid, vcpu: 0, record: 'MTRR' }),
      () => recorder.ask('libxc', 'domctl.sethvmcontext', { domid, vcpu: 0, record: 'CPU' }),
    ]) === 'done'
  );
}

/** XEN: `xc_dom_gnttab_init`: the console is dom0's; xenstore's own page needs no grant. */
function grantConsole({ recorder }: Operation, domid: Domid, frame: number): boolean {
  const table = recorder.ask('libxc', 'memory_op.acquire_resource', { domid, resource: 'grant_table' });
  if (table.kind === 'error') return false;
  const frames = { first: table.value.frame, count: 1 };
  const mapped = recorder.ask('libxc', 'mmu_update.map_foreign', { domid, frames, isWritable: true });
  if (mapped.kind === 'error') return false;
  const { mapping } = mapped.value;
  const args = { domid, mapping, ref: CONSOLE_REF, frame, to: DOM0 };
  const seeded = recorder.hypercalls.call({ domid: DOM0, process: 'libxc' }, 'grant_table.seed', args);
  recorder.ask('libxc', 'mmu_update.unmap_foreign', { mapping });
  return seeded.kind === 'ok';
}

/** What came of it. */
interface Built {
  readonly domid: Domid | undefined;
  /** The step that failed. */
  readonly failed?: string;
  /** The domain runs, and stays. */
  readonly isRunning?: boolean;
}

/** From nothing to the running domain. */
function build(operation: Operation, plan: Plan): Built {
  const { recorder } = operation;
  const { isPvh, memoryMib, maxMib, uuid, sid } = plan;
  const pages = memoryMib * PAGES_PER_MIB;
  let domid: Domid | undefined;
  let consolePort = 0;
  let storePort = 0;
  const made = recorder.step('init-xenstore-domain creates the domain', INIT, () => {
    const args = { ssidref: sid, maxVcpus: 1, handle: uuid, isHvm: isPvh, isXenstore: true };
    const created = recorder.ask(INIT, 'domctl.createdomain', args);
    if (created.kind === 'error') return 'failed';
    const { domid: own } = created.value;
    domid = own;
    const sized = inOrder([
      () => recorder.ask(INIT, 'domctl.max_vcpus', { domid: own, max: 1 }),
      () => recorder.ask(INIT, 'domctl.max_mem', { domid: own, maxPages: maxMib * PAGES_PER_MIB + SPECIAL_PAGES }),
    ]);
    if (sized === 'failed') return 'failed';
    const port = recorder.ask(INIT, 'event_channel_op.alloc_unbound', { domid: own, remote: DOM0 });
    if (port.kind === 'error') return 'failed';
    consolePort = port.value.port;
    // XEN: xc_domain_set_memmap_limit(), of a PV domain only.
    const limited = isPvh || recorder.ask(INIT, 'memory_op.set_memory_map', { domid: own }).kind === 'ok';
    if (!limited) return 'failed';
    // XEN: xenbus_alloc() of Linux, in dom0's kernel: its page and its channel are for that domain now.
    const channel = recorder.ask('driver', 'event_channel_op.alloc_unbound', { domid: DOM0, remote: own });
    if (channel.kind === 'error') return 'failed';
    storePort = channel.value.port;
    recorder.hypercalls.call(DOM0_KERNEL, 'grant_table.grant', { ref: XENSTORE_REF, frame: STORE_FRAME, to: own });
    return 'done';
  });
  if (made === 'failed' || domid === undefined) return { domid, failed: 'the creation of its domain' };
  const own = domid;
  const mappings = new GuestMappings(operation, own);
  const filled = recorder.step('libxc gives it memory and loads its kernel', 'libxc', () => {
    const load = isPvh ? loadPvh : loadPv;
    const isDone = populate(operation, own, plan) && load(operation, own, pages, mappings);
    const { refusal } = recorder;
    mappings.release();
    if (!isDone) recorder.blame(refusal);
    return isDone ? 'done' : 'failed';
  });
  if (filled === 'failed') return { domid, failed: 'the loading of its memory' };
  const frame = isPvh ? SPECIAL.console : SPECIAL_FRAMES.console;
  const granted = recorder.step('libxc grants the console page to dom0', 'libxc', () =>
    grantConsole(operation, own, frame) ? 'done' : 'failed',
  );
  if (granted === 'failed') return { domid, failed: 'the granting of its console page' };
  const started = recorder.step('init-xenstore-domain starts it', INIT, () =>
    inOrder([
      // From now on Xen tells it, not dom0, that domains end.
      () => recorder.ask(INIT, 'domctl.set_virq_handler', { domid: own, virq: 'DOM_EXC' }),
      () => recorder.ask(INIT, 'domctl.unpausedomain', { domid: own }),
    ]),
  );
  if (started === 'failed') return { domid, failed: 'its start' };
  const { state } = operation;
  enter(operation, own, plan);
  if (!keepConfiguration(operation, own)) return { domid, failed: 'the storing of its configuration', isRunning: true };
  if (!serve(operation, own, isPvh, storePort)) return { domid, failed: 'its service as a xenstore', isRunning: true };
  state.xenstoreDomid = own;
  attachConsole(recorder, state, own, consolePort as Port, frame);
  return { domid };
}

/** A file about the domain, for libxl. XEN: `gen_stub_json_config`, and what `libxl_userdata_store` looks at. */
function keepConfiguration(operation: Operation, domid: Domid): boolean {
  const kept = operation.recorder.step('init-xenstore-domain stores a configuration for libxl', 'libxl', () => {
    if (lookAt(operation, domid, true) === undefined) {
      operation.messages.push('cannot get domain type');
      return 'failed';
    }
    for (let looks = 0; looks < 3; looks++) lookAt(operation, domid, true);
    return 'done';
  });
  return kept === 'done';
}

/** The new domain starts, and xenstored in it turns to dom0. XEN: `dom0_init` of xenstored, on a kernel like Linux. */
function serve(operation: Operation, domid: Domid, isPvh: boolean, remotePort: number): boolean {
  const { recorder, state } = operation;
  startGuest(operation, domid);
  const record = state.guests.get(domid);
  if (record === undefined || record.isStuck) return false;
  const kernel: Actor = { domid, process: 'guest kernel' };
  const xenstored: Actor = { domid, process: 'xenstored' };
  const asked = recorder.step('xenstored in its domain asks which domains there are', INIT, () =>
    startXenstored(recorder.hypercalls, (args) => recorder.askAs(xenstored, 'domctl.get_domain_state', args))
      ? 'done'
      : 'failed',
  );
  if (asked === 'failed') return false;
  const served = recorder.step('xenstored in its domain maps a page of dom0 and binds its event channel', INIT, () => {
    // XEN: xenstored_local_init() of Linux: a PV kernel that has no xenstore is to itself one.
    if (!isPvh) recorder.askAs(kernel, 'event_channel_op.alloc_unbound', { domid, remote: domid });
    const args = { granter: DOM0, ref: XENSTORE_REF, isWritable: true };
    if (recorder.askAs(xenstored, 'grant_table_op.map_grant_ref', args).kind === 'error') return 'failed';
    const port = remotePort as Port;
    const bound = recorder.askAs(xenstored, 'event_channel_op.bind_interdomain', { remote: DOM0, remotePort: port });
    return bound.kind === 'ok' ? 'done' : 'failed';
  });
  return served === 'done';
}

/** What the new xenstore is told of itself. */
function enter({ state }: Operation, domid: Domid, { memoryMib, maxMib, uuid, name }: Plan): void {
  addGuest(state, {
    domid,
    name,
    uuid,
    isWatched: false,
    targetKib: memoryMib * KIB_PER_MIB,
    staticMaxKib: maxMib * KIB_PER_MIB,
    availableVcpus: 1,
    storePort: undefined,
    consolePort: undefined,
    hasStarted: false,
    isStuck: false,
    isShutOut: false,
    isRestored: false,
    pendingStop: undefined,
    grantFrames: 1,
    target: undefined,
    isGivenUp: false,
  });
}

/** XEN: `parse_maxmem`. */
function askMaxMemory({ recorder, messages }: Operation, text: string): number | undefined {
  let maxMib: number | undefined;
  recorder.step('init-xenstore-domain asks how much memory the host has', INIT, () => {
    const physinfo = recorder.ask('libxc', 'sysctl.physinfo', {});
    if (physinfo.kind === 'error') {
      messages.push('xc_physinfo failed');
      return 'failed';
    }
    maxMib = maxMemoryMib(text, physinfo.value.totalPages);
    if (maxMib === undefined) messages.push(`illegal value for maxmem: ${text}`);
    return maxMib === undefined ? 'failed' : 'done';
  });
  return maxMib;
}

/** `init-xenstore-domain`. */
export function initXenstoreDomain(operation: Operation, options: XenstoreDomainOptions): OperationReport {
  const { recorder, state } = operation;
  const { label, memoryMib, maxMemory, isPvh = false, uuid, name = 'Xenstore' } = options;
  const fail = (reason: string, notes = refusalNotes(undefined)): OperationReport => {
    operation.diagnostics.push(guest['no-xenstore-domain'](undefined, { reason }, { notes }));
    return report(operation, { isDone: false, xlExitCode: 1 });
  };
  if (!Number.isInteger(memoryMib) || memoryMib < SMALLEST_MIB || memoryMib > LARGEST_MIB) {
    return fail(`${memoryMib} MiB are out of range`);
  }
  const maxMib = maxMemory === undefined ? 0 : askMaxMemory(operation, maxMemory);
  if (maxMib === undefined) {
    return fail(`how much memory it may get, \`${maxMemory}\`, cannot be told`, refusalNotes(recorder.refusal));
  }
  let existing: Domid | undefined;
  recorder.step('init-xenstore-domain sees to it that there is none yet', INIT, () => {
    existing = findExisting(operation);
    return existing === undefined ? 'done' : 'failed';
  });
  if (existing !== undefined) {
    operation.messages.push('xenstore domain already present.');
    return fail(`domain ${existing} is one`);
  }
  if (state.guests.size > 0) {
    // XEN: xenbus_alloc() of Linux, EEXIST.
    operation.messages.push('Xenbus setup ioctl failed');
    return fail('xenstored in dom0 serves guests already');
  }
  let sid = defaultSid('domU', recorder.hypercalls.release);
  const labelled = recorder.step('init-xenstore-domain turns the label into a SID', INIT, () => {
    if (label === undefined) return 'done';
    const answer = recorder.ask(INIT, 'xsm_op.context_to_sid', { context: label });
    if (answer.kind === 'error') return 'failed';
    ({ sid } = answer.value);
    return 'done';
  });
  if (labelled === 'failed') {
    operation.messages.push('xc_flask_context_to_sid failed');
    return fail(`label \`${label ?? ''}\` is not valid`, refusalNotes(recorder.refusal));
  }
  // XEN: less than the domain begins with counts for nothing.
  const plan: Plan = { sid, memoryMib, maxMib: Math.max(maxMib, memoryMib), isPvh, uuid, name };
  const { domid, failed, isRunning = false } = build(operation, plan);
  if (failed === undefined) {
    const domain = domid === undefined ? undefined : finalState(operation, domid);
    return report(operation, { isDone: true, xlExitCode: 0, domain });
  }
  const notes = refusalNotes(recorder.refusal);
  if (isRunning) {
    fail(`${failed} failed`, [...notes, { message: LOST }]);
    return report(operation, { isDone: false, xlExitCode: 3, domain: domid && finalState(operation, domid) });
  }
  if (domid !== undefined) {
    recorder.step(`init-xenstore-domain destroys domain ${domid}`, INIT, () =>
      recorder.ask(INIT, 'domctl.destroydomain', { domid }).kind === 'ok' ? 'done' : 'ignored-failure',
    );
    recorder.hypercalls.takeDomainExceptions();
  }
  const domain = domid === undefined ? undefined : finalState(operation, domid);
  fail(`${failed} failed`, notes);
  return report(operation, { isDone: false, xlExitCode: 1, domain });
}
