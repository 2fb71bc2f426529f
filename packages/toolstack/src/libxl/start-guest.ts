/**
 * What a guest's kernel asks of Xen when it first runs: that of Linux, as a PV or as a PVH guest.
 *
 * A guest that dom0 could build and start may still be one that cannot live: its own page tables and grants are
 * checked against its self label.
 *
 * @module
 */
import type { Actor, Domid, HvmParam } from '../hypercalls.ts';
import { denialNotes, guest } from './diagnostics.ts';
import type { Operation } from './operation.ts';
import type { AnyResult } from './recorder.ts';
import type { GuestRecord } from './toolstack-state.ts';

/** One thing that the kernel does. */
interface Act {
  readonly ask: () => AnyResult;
  /** The kernel goes on without it. */
  readonly isOptional?: boolean;
  /** A kernel that goes on after a restore does not do it again. */
  readonly isOnce?: boolean;
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
    { ask: () => recorder.askAs(actor, 'mmu_update.map_own', { frames, isWritable: true }), isOnce: true },
    { ask: () => recorder.askAs(actor, 'mmu_update.machphys_update', { domid, frames }), isOnce: true },
    { ask: () => recorder.askAs(actor, 'mmuext_op.pin_table', { domid, frame: 0 }), isOnce: true },
    { ask: () => recorder.askAs(actor, 'xen_version.extraversion', {}), isOptional: true, isOnce: true },
    query,
    { ask: () => recorder.askAs(actor, 'grant_table_op.setup_table', { domid }) },
    query,
    ...bringUpVcpus(operation, actor, record),
    ...greetDaemons(operation, actor, record),
  ];
}

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
    { ask: () => recorder.askAs(actor, 'hvm_op.set_param', { domid, param: 'CALLBACK_IRQ', value: 0xf3 }) },
    get('CONSOLE_EVTCHN'),
    get('CONSOLE_PFN'),
    { ask: () => recorder.askAs(actor, 'grant_table_op.query_size', { domid }) },
    place('grant_table'),
    get('STORE_EVTCHN'),
    get('STORE_PFN'),
    ...bringUpVcpus(operation, actor, record),
    ...greetDaemons(operation, actor, record),
  ];
}

/** Lets a guest that has just been started for the first time do what each PV kernel does first. */
export function startGuest(operation: Operation, domid: Domid): void {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  const running = recorder.hypercalls.inspectDomain(domid);
  if (record === undefined || record.hasStarted || running?.info.isRunning !== true) return;
  record.hasStarted = true;
  const actor: Actor = { domid, process: 'guest kernel' };
  const isHvm = running.info.isHvm;
  const all = isHvm ? pvhActs(operation, actor, record) : pvActs(operation, actor, record);
  const acts = record.isRestored ? all.filter(({ isOnce }) => isOnce !== true) : all;
  recorder.step(`the kernel of domain ${domid} ${record.isRestored ? 'goes on' : 'starts'}`, 'guest kernel', () => {
    let outcome: 'done' | 'failed' | 'ignored-failure' = 'done';
    for (const { ask, isOptional } of acts) {
      if (ask().kind === 'ok') continue;
      if (isOptional === true) {
        outcome = 'ignored-failure';
        continue;
      }
      const name = record.name ?? String(domid);
      const check = recorder.refusal?.check;
      const notes = check === undefined ? [] : denialNotes(check);
      record.isStuck = true;
      operation.diagnostics.push(guest['start-denied'](undefined, { guest: name }, { notes }));
      return 'failed';
    }
    return outcome;
  });
}
