/**
 * `init-xenstore-domain`: xenstored in a domain of its own, instead of in dom0.
 *
 * Follows Xen `tools/helpers/init-xenstore-domain.c`. It must come first: once the kernel of dom0 has spoken to an
 * xenstored, it changes to no other.
 *
 * @module
 */
import type { OperationReport, XenstoreDomainOptions } from '../host.ts';
import type { Domid, FrameRange, Process, SidNumber } from '../hypercalls.ts';
import { RING_PARAMS, SPECIAL, SPECIAL_FRAME, SPECIAL_PAGES, SPECIAL_PARAMS } from './build-container.ts';
import { GuestMappings } from './build-guest.ts';
import { SPECIAL_FRAMES } from './build-pv.ts';
import { defaultSid } from './create-labels.ts';
import { attachConsole, CONSOLE_REF, DOM0 } from './daemons.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { finalState, type Operation, report } from './operation.ts';
import { type AnyResult, inOrder } from './recorder.ts';

const INIT: Process = 'init-xenstore-domain';

const KIB_PER_MIB = 1024;
const PAGES_PER_MIB = 256;

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
  readonly isPvh: boolean;
  readonly uuid: string;
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

/** From nothing to the running domain; the step that failed, and the domain that is there. */
function build(operation: Operation, plan: Plan): { readonly domid: Domid | undefined; readonly failed?: string } {
  const { recorder } = operation;
  const { isPvh, memoryMib, uuid, sid } = plan;
  const pages = memoryMib * PAGES_PER_MIB;
  let domid: Domid | undefined;
  let consolePort = 0;
  const made = recorder.step('init-xenstore-domain creates the domain', INIT, () => {
    const args = { ssidref: sid, maxVcpus: 1, handle: uuid, isHvm: isPvh, isXenstore: true };
    const created = recorder.ask(INIT, 'domctl.createdomain', args);
    if (created.kind === 'error') return 'failed';
    const { domid: own } = created.value;
    domid = own;
    const sized = inOrder([
      () => recorder.ask(INIT, 'domctl.max_vcpus', { domid: own, max: 1 }),
      () => recorder.ask(INIT, 'domctl.max_mem', { domid: own, maxPages: pages + SPECIAL_PAGES }),
    ]);
    if (sized === 'failed') return 'failed';
    const port = recorder.ask(INIT, 'event_channel_op.alloc_unbound', { domid: own, remote: DOM0 });
    if (port.kind === 'error') return 'failed';
    consolePort = port.value.port;
    // XEN: xc_domain_set_memmap_limit(), of a PV domain only.
    return isPvh ? 'done' : inOrder([() => recorder.ask(INIT, 'memory_op.set_memory_map', { domid: own })]);
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
  state.xenstoreDomid = own;
  enter(operation, own, plan);
  attachConsole(recorder, state, own, consolePort as Parameters<typeof attachConsole>[3], frame);
  return { domid };
}

/** What the new xenstore is told of itself. */
function enter({ state }: Operation, domid: Domid, { memoryMib, uuid }: Plan): void {
  const kib = memoryMib * KIB_PER_MIB;
  state.guests.set(domid, {
    domid,
    name: 'Xenstore',
    uuid,
    config: undefined,
    isWatched: false,
    targetKib: kib,
    staticMaxKib: kib,
    availableVcpus: 1,
    storePort: undefined,
    consolePort: undefined,
    hasStarted: true,
    isStuck: false,
    isRestored: false,
    devices: [],
    grantFrames: 1,
    target: undefined,
    isGivenUp: false,
  });
}

/** `init-xenstore-domain`. */
export function initXenstoreDomain(operation: Operation, options: XenstoreDomainOptions): OperationReport {
  const { recorder, state } = operation;
  const { label, memoryMib, isPvh = false, uuid } = options;
  const fail = (reason: string, notes = refusalNotes(undefined)): OperationReport => {
    operation.diagnostics.push(guest['no-xenstore-domain'](undefined, { reason }, { notes }));
    return report(operation, { isDone: false, xlExitCode: 1 });
  };
  if (!Number.isInteger(memoryMib) || memoryMib < SMALLEST_MIB || memoryMib > LARGEST_MIB) {
    return fail(`${memoryMib} MiB are out of range`);
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
  const { domid, failed } = build(operation, { sid, memoryMib, isPvh, uuid });
  if (failed === undefined) {
    const domain = domid === undefined ? undefined : finalState(operation, domid);
    return report(operation, { isDone: true, xlExitCode: 0, domain });
  }
  const notes = refusalNotes(recorder.refusal);
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
