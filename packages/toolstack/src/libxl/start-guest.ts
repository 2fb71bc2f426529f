/**
 * What a PV guest's kernel asks of Xen when it first runs.
 *
 * A guest that dom0 could build and start may still be one that cannot live: its own page tables and grants are
 * checked against its self label.
 *
 * @module
 */
import type { Actor, Domid } from '../hypercalls.ts';
import { denialNotes, guest } from './diagnostics.ts';
import type { Operation } from './operation.ts';
import type { AnyResult } from './recorder.ts';

/** One thing that the kernel does. */
interface Act {
  readonly ask: () => AnyResult;
  /** The kernel goes on without it. */
  readonly isOptional?: boolean;
}

/** Lets a guest that has just been started for the first time do what each PV kernel does first. */
export function startGuest(operation: Operation, domid: Domid): void {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  const running = recorder.hypercalls.inspectDomain(domid);
  if (record === undefined || record.hasStarted || running?.info.isRunning !== true) return;
  record.hasStarted = true;
  const actor: Actor = { domid, process: 'guest kernel' };
  const write = (text: string): Act => ({
    ask: () => recorder.askAs(actor, 'console_io.write', { text }),
    isOptional: true,
  });
  const query: Act = { ask: () => recorder.askAs(actor, 'grant_table_op.query_size', { domid }) };
  const frames = { first: 0, count: 1 };
  const acts: readonly Act[] = [
    write('mapping kernel into physical memory'),
    write('about to get started...'),
    { ask: () => recorder.askAs(actor, 'mmu_update.map_own', { frames, isWritable: true }) },
    { ask: () => recorder.askAs(actor, 'mmu_update.machphys_update', { domid, frames }) },
    { ask: () => recorder.askAs(actor, 'mmuext_op.pin_table', { domid, frame: 0 }) },
    { ask: () => recorder.askAs(actor, 'xen_version.extraversion', {}), isOptional: true },
    query,
    { ask: () => recorder.askAs(actor, 'grant_table_op.setup_table', { domid }) },
    query,
    ...[record.storePort, record.consolePort].flatMap((port): Act[] =>
      port === undefined ? [] : [{ ask: () => recorder.askAs(actor, 'event_channel_op.send', { port }) }],
    ),
  ];
  recorder.step(`the kernel of domain ${domid} starts`, 'guest kernel', () => {
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
      operation.diagnostics.push(guest['start-denied'](undefined, { guest: name }, { notes }));
      return 'failed';
    }
    return outcome;
  });
}
