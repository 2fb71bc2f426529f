/**
 * What a guest's kernel asks of Xen when it first runs: that of Linux, as a PV or as a PVH guest.
 *
 * A guest that dom0 could build and start may still be one that cannot live: its own page tables and grants are
 * checked against its self label.
 *
 * @module
 */
import type { Actor, Domid, HvmParam, ShutdownReason } from '../hypercalls.ts';
import { connectDevices, connectWaiting } from './backends.ts';
import { emulateDevices, type ModelPlan, offerChannel, routeInterrupts, startDeviceModel } from './device-model.ts';
import { denialNotes, guest } from './diagnostics.ts';
import type { Operation } from './operation.ts';
import { connectPciBus, devicesOf } from './pci.ts';
import type { AnyResult } from './recorder.ts';
import type { DeviceModel, GuestRecord } from './toolstack-state.ts';

/** One thing that the kernel does. */
interface Act {
  readonly ask: () => AnyResult;
  /** The kernel goes on without it. */
  readonly isOptional?: boolean;
  /** A kernel that goes on after a restore does not do it again. */
  readonly isOnce?: boolean;
  /** How the kernel ends its domain without it, by the permission that is missing; otherwise it hangs. */
  readonly ends?: Readonly<Record<string, ShutdownReason>>;
}

/** XEN: the kernel asks for all of its vCPUs that xenstore says are available. */
function bringUpVcpus({ recorder }: Operation, actor: Actor, record: GuestRecord): Act[] {
  return Array.from({ length: Math.max(0, record.availableVcpus - 1) }, (_, index) => ({
    ask: () => recorder.askAs(actor, 'vcpu_op.up', { vcpu: index + 1 }),
    isOptional: true,
  }));
}

/** The first words to xenstored and xenconsoled. */
function greetDaemons({ recorder }: Operation, actor: Actor, record: GuestRecord): Act[] {
  return [record.storePort, record.consolePort].flatMap((port): Act[] =>
    port === undefined ? [] : [{ ask: () => recorder.askAs(actor, 'event_channel_op.send', { port }) }],
  );
}

type Endings = NonNullable<Act['ends']>;

/**
 * Linux 6.1 was seen to end its domain without these, and how: see the recordings in `tests/denials`.
 */
const WITHOUT_PAGE_TABLES: Endings = { map_read: 'crash', map_write: 'poweroff' };
const WITHOUT_PINNING: Endings = { mmuext_op: 'poweroff', pinpage: 'poweroff' };
const WITHOUT_GRANTS: Endings = { setup: 'crash' };

function pvActs(operation: Operation, actor: Actor, record: GuestRecord): readonly Act[] {
  const { recorder } = operation;
  const { domid } = actor;
  const write = (text: string): Act => ({
    ask: () => recorder.askAs(actor, 'console_io.write', { text }),
    isOptional: true,
    isOnce: true,
  });
  const query: Act = { ask: () => recorder.askAs(actor, 'grant_table_op.query_size', { domid }) };
  const frames = { first: 0, count: 1 };
  return [
    write('mapping kernel into physical memory'),
    write('about to get started...'),
    {
      ask: () => recorder.askAs(actor, 'mmu_update.map_own', { frames, isWritable: true }),
      isOnce: true,
      ends: WITHOUT_PAGE_TABLES,
    },
    {
      ask: () => recorder.askAs(actor, 'mmuext_op.pin_table', { domid, frame: 0 }),
      isOnce: true,
      ends: WITHOUT_PINNING,
    },
    { ask: () => recorder.askAs(actor, 'xen_version.extraversion', {}), isOptional: true, isOnce: true },
    query,
    { ask: () => recorder.askAs(actor, 'grant_table_op.setup_table', { domid }), ends: WITHOUT_GRANTS },
    query,
    ...bringUpVcpus(operation, actor, record),
    ...greetDaemons(operation, actor, record),
  ];
}

/** The vector through which Linux hears of events. */
const CALLBACK = 0xf3;

function pvhActs(operation: Operation, actor: Actor, record: GuestRecord): readonly Act[] {
  const { recorder } = operation;
  const { domid } = actor;
  const get = (param: HvmParam): Act => ({
    ask: () => recorder.askAs(actor, 'hvm_op.get_param', { domid, param }),
    isOnce: true,
  });
  const place = (space: 'shared_info' | 'grant_table'): Act => ({
    ask: () => recorder.askAs(actor, 'memory_op.add_to_physmap', { domid, space }),
  });
  return [
    place('shared_info'),
    { ask: () => recorder.askAs(actor, 'xen_version.extraversion', {}), isOptional: true, isOnce: true },
    // Through this Xen tells the kernel of events.
    { ask: () => recorder.askAs(actor, 'hvm_op.set_param', { domid, param: 'CALLBACK_IRQ', value: CALLBACK }) },
    get('CONSOLE_EVTCHN'),
    get('CONSOLE_PFN'),
    { ask: () => recorder.askAs(actor, 'grant_table_op.query_size', { domid }) },
    place('grant_table'),
    // XEN: xen_console_resume() of Linux asks anew, once the grant table is there.
    ...(record.isRestored
      ? [{ ask: () => recorder.askAs(actor, 'hvm_op.get_param', { domid, param: 'CONSOLE_EVTCHN' }) }]
      : []),
    get('STORE_EVTCHN'),
    get('STORE_PFN'),
    ...bringUpVcpus(operation, actor, record),
    ...greetDaemons(operation, actor, record),
  ];
}

/** XEN: hvmloader and SeaBIOS: what they ask of Xen, before and after the device model has set the devices up. */
function firmwareActs({ recorder }: Operation, actor: Actor): readonly Act[] {
  const { domid } = actor;
  return [
    { ask: () => recorder.askAs(actor, 'xen_version.extraversion', {}), isOptional: true },
    { ask: () => recorder.askAs(actor, 'hvm_op.get_param', { domid, param: 'STORE_PFN' }) },
    { ask: () => recorder.askAs(actor, 'hvm_op.get_param', { domid, param: 'STORE_EVTCHN' }) },
  ];
}

function lateFirmwareActs({ recorder }: Operation, actor: Actor): readonly Act[] {
  const { domid } = actor;
  return [
    { ask: () => recorder.askAs(actor, 'xen_version.guest_handle', {}), isOptional: true },
    { ask: () => recorder.askAs(actor, 'xen_version.extraversion', {}), isOptional: true },
    // No virtual NUMA is an answer too.
    { ask: () => recorder.askAs(actor, 'memory_op.get_vnumainfo', { domid }), isOptional: true },
    {
      ask: () => recorder.askAs(actor, 'hvm_op.set_param', { domid, param: 'CALLBACK_IRQ', value: 0 }),
      isOptional: true,
    },
    { ask: () => recorder.askAs(actor, 'xen_version.extraversion', {}), isOptional: true },
  ];
}

/** Runs through what a kernel or a firmware does, up to the first thing that it cannot do without, which `onFailure` is told. */
function run(
  acts: readonly Act[],
  onFailure: (act: Act) => void = () => undefined,
): 'done' | 'ignored-failure' | 'failed' {
  let outcome: 'done' | 'ignored-failure' = 'done';
  for (const act of acts) {
    if (act.ask().kind === 'ok') continue;
    if (act.isOptional !== true) {
      onFailure(act);
      return 'failed';
    }
    outcome = 'ignored-failure';
  }
  return outcome;
}

/** The kernel gives up: it ends its domain, where it was seen to, or hangs. */
function giveUp(operation: Operation, actor: Actor, record: GuestRecord, act: Act | undefined): void {
  const { recorder } = operation;
  const check = recorder.refusal?.check;
  const notes = check === undefined ? [] : denialNotes(check);
  const name = record.name ?? String(actor.domid);
  const [reason] = (check?.denied ?? []).flatMap((permission) => act?.ends?.[permission] ?? []);
  record.isStuck = true;
  const code = reason === undefined ? 'start-denied' : 'kernel-gave-up';
  operation.diagnostics.push(guest[code](undefined, { guest: name }, { notes }));
  if (reason === undefined) return;
  recorder.step(`the kernel of domain ${actor.domid} ends it (${reason})`, 'guest kernel', () =>
    recorder.askAs(actor, 'sched_op.shutdown', { reason }).kind === 'ok' ? 'done' : 'ignored-failure',
  );
}

/** The firmware of an HVM guest, and its device model while that runs; false where the guest comes no further. */
function boot(operation: Operation, actor: Actor, record: GuestRecord): boolean {
  const { recorder } = operation;
  const { domid } = actor;
  const name = record.name ?? String(domid);
  const fail = (code: 'start-denied' | 'device-model-denied'): boolean => {
    const check = recorder.refusal?.check;
    const notes = check === undefined ? [] : denialNotes(check);
    record.isStuck = true;
    operation.diagnostics.push(guest[code](undefined, { guest: name }, { notes }));
    return false;
  };
  const first = recorder.step(`the firmware of domain ${domid} starts`, 'guest kernel', () =>
    run(firmwareActs(operation, actor)),
  );
  if (first === 'failed') return fail('start-denied');
  const model = (title: string, work: () => readonly AnyResult[]): boolean =>
    recorder.step(title, 'device model', () => (work().every(({ kind }) => kind === 'ok') ? 'done' : 'failed')) ===
    'done';
  if (!model(`the device model of domain ${domid} routes interrupts`, () => routeInterrupts(operation, domid))) {
    return fail('device-model-denied');
  }
  const last = recorder.step(`the firmware of domain ${domid} looks for an operating system`, 'guest kernel', () =>
    run(lateFirmwareActs(operation, actor)),
  );
  if (last === 'failed') return fail('start-denied');
  if (!model(`the device model of domain ${domid} works for it`, () => emulateDevices(operation, domid))) {
    return fail('device-model-denied');
  }
  if (record.config?.hardware.canBoot === true) return true;
  // XEN: SeaBIOS waits, and tries again.
  record.isStuck = true;
  operation.diagnostics.push(guest['nothing-to-boot'](undefined, { guest: name }));
  return false;
}

/** A stub domain's kernel is up: its channel to dom0, then the device model that it is there for. */
function startModelOf(operation: Operation, actor: Actor, plan: ModelPlan): void {
  const { recorder } = operation;
  let channel: DeviceModel['channel'];
  recorder.step(`stub domain ${actor.domid} opens a channel for libxl`, 'guest kernel', () => {
    channel = offerChannel(operation, actor.domid);
    return channel === undefined ? 'ignored-failure' : 'done';
  });
  startDeviceModel(operation, plan, actor.domid, channel);
}

/**
 * The kernel of a PVH guest, or of an HVM guest with PV drivers, goes on after a suspend that nothing came of.
 *
 * XEN: xen_hvm_post_suspend(), gnttab_resume() and xen_console_resume() of Linux.
 */
export function wakeGuest(operation: Operation, domid: Domid): void {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  const running = recorder.hypercalls.inspectDomain(domid);
  if (record?.hasStarted !== true || record.isStuck || running?.info.isHvm !== true) return;
  if (running.info.isPaused) return;
  const actor: Actor = { domid, process: 'guest kernel' };
  const outcome = recorder.step(`the kernel of domain ${domid} goes on`, 'guest kernel', () =>
    run([
      { ask: () => recorder.askAs(actor, 'hvm_op.set_param', { domid, param: 'CALLBACK_IRQ', value: CALLBACK }) },
      { ask: () => recorder.askAs(actor, 'grant_table_op.query_size', { domid }) },
      { ask: () => recorder.askAs(actor, 'memory_op.add_to_physmap', { domid, space: 'grant_table' }) },
      { ask: () => recorder.askAs(actor, 'hvm_op.get_param', { domid, param: 'CONSOLE_EVTCHN' }) },
    ]),
  );
  if (outcome !== 'failed') return;
  const check = recorder.refusal?.check;
  record.isStuck = true;
  const notes = check === undefined ? [] : denialNotes(check);
  operation.diagnostics.push(guest['start-denied'](undefined, { guest: record.name ?? String(domid) }, { notes }));
}

/**
 * Lets a guest that has just been started for the first time do what each PV kernel does first; one that goes on turns to
 * the devices that it was given meanwhile.
 */
export function startGuest(operation: Operation, domid: Domid, modelOf?: ModelPlan): void {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  const running = recorder.hypercalls.inspectDomain(domid);
  if (record === undefined || running?.info.isRunning !== true) return;
  if (record.hasStarted) {
    connectWaiting(operation, record);
    return;
  }
  record.hasStarted = true;
  const actor: Actor = { domid, process: 'guest kernel' };
  const isHvm = running.info.isHvm;
  const isEmulated = state.deviceModels.get(domid)?.server !== undefined;
  if (isEmulated && record.isRestored && record.config?.hardware.canBoot !== true) {
    // Its firmware still waits for something to start.
    record.isStuck = true;
    return;
  }
  if (isEmulated && !record.isRestored && !boot(operation, actor, record)) return;
  const all = isHvm ? pvhActs(operation, actor, record) : pvActs(operation, actor, record);
  const acts = record.isRestored ? all.filter(({ isOnce }) => isOnce !== true) : all;
  let fatal: Act | undefined;
  const outcome = recorder.step(
    `the kernel of domain ${domid} ${record.isRestored ? 'goes on' : 'starts'}`,
    'guest kernel',
    () =>
      run(acts, (act) => {
        fatal = act;
      }),
  );
  if (outcome === 'failed') {
    giveUp(operation, actor, record, fatal);
    return;
  }
  // XEN: a kernel that may not read which devices it has works with none.
  if (!record.isShutOut) connectDevices(operation, record);
  if (!isHvm && devicesOf(operation, domid).length > 0) connectPciBus(operation, domid);
  if (modelOf !== undefined) startModelOf(operation, actor, modelOf);
}
