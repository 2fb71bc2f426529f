/**
 * The end of a domain.
 *
 * Follows Xen `tools/libs/light/libxl_domain.c`, `libxl__domain_destroy`, `destroy_domid_pci_done`,
 * `domain_destroy_domid_cb`.
 *
 * @module
 */
import type { Note } from '@dewar/policy/text';
import type { Domid } from '../hypercalls.ts';
import { disconnectDevices, forgetServer } from './backends.ts';
import { settleDeaths } from './daemons.ts';
import { stopDeviceModel } from './device-model.ts';
import { denialNotes, guest, refusalNotes } from './diagnostics.ts';
import { distinctPages, finalState, lookAt, lookInto, type Operation } from './operation.ts';
import { devicesOf, removePciDevice, stubOf } from './pci.ts';
import type { Refusal } from './recorder.ts';
import { errnoText, logLibxl } from './said.ts';
import { forgetGuest } from './toolstack-state.ts';

/** How a destroy went: libxl's return code, and what stood in its way. */
export interface Destruction {
  readonly rc: 0 | -3 | -21;
  readonly refusals: readonly Refusal[];
}

/** Takes a domain apart, and before it the stub domain that holds its device model. XEN: `libxl__domain_destroy`. */
export function destroyDomain(operation: Operation, domid: Domid): Destruction {
  const stub = stubOf(operation, domid);
  const first = stub === undefined ? undefined : destroyDomid(operation, stub);
  if (first !== undefined && first.rc !== 0) {
    const words = `Domain ${domid}:Unable to destroy stubdom with domid ${stub}`;
    logLibxl(operation, 'libxl_domain.c:1098:stubdom_destroy_callback', words);
  }
  const own = destroyDomid(operation, domid);
  return first === undefined || first.rc === 0 ? own : { rc: first.rc, refusals: [...first.refusals, ...own.refusals] };
}

/** Pause, devices, xenstore entries, then Xen; a failed pause is only logged. XEN: `libxl__destroy_domid`. */
function destroyDomid(operation: Operation, domid: Domid): Destruction {
  const { recorder, state } = operation;
  const refusals: Refusal[] = [];
  let rc: Destruction['rc'] = 0;
  const seen = recorder.step(`libxl looks at domain ${domid}`, 'libxl', () => {
    const look = lookInto(operation, domid, false);
    if (look.kind === 'seen') return 'done';
    if (recorder.refusal !== undefined) refusals.push(recorder.refusal);
    rc = -3;
    if (look.kind === 'refused') return 'failed';
    // XEN: a domain that may not be seen is to libxl a domain that is not there.
    logLibxl(operation, 'libxl_domain.c:1183:libxl__destroy_domid', `Domain ${domid}:Non-existant domain`);
    rc = -21;
    return 'failed';
  });
  if (seen === 'done') {
    // XEN: libxl__device_pci_destroy_all(), while the domain still runs.
    if (state.guests.get(domid)?.target === undefined) {
      for (const device of devicesOf(operation, domid)) removePciDevice(operation, domid, device, { isForced: true });
    }
    const refusal = takeApart(operation, domid);
    if (refusal !== undefined) refusals.push(refusal);
  }
  if (rc === 0) {
    recorder.step(`libxl destroys domain ${domid}`, 'libxl', () => {
      const destroyed = recorder.ask('libxl', 'domctl.destroydomain', { domid });
      if (destroyed.kind === 'ok') return 'done';
      if (recorder.refusal !== undefined) refusals.push(recorder.refusal);
      const why = errnoText(destroyed.errno);
      logLibxl(
        operation,
        'libxl_domain.c:1616:domain_destroy_domid_cb',
        `Domain ${domid}:xc_domain_destroy failed: ${why}`,
      );
      rc = -3;
      return 'failed';
    });
  }
  if (rc !== 0) {
    logLibxl(operation, 'libxl_domain.c:1137:domain_destroy_callback', `Domain ${domid}:Unable to destroy guest`);
  }
  settleDeaths(recorder, state);
  forgetIfGone(operation, domid, rc);
  return { rc, refusals };
}

/** Pauses the domain, ends what serves it, and removes it from xenstore; what was in the way of the pause. */
function takeApart(operation: Operation, domid: Domid): Refusal | undefined {
  const { recorder, state } = operation;
  let refusal: Refusal | undefined;
  recorder.step(`libxl pauses domain ${domid}`, 'libxl', () => {
    const paused = recorder.ask('libxl', 'domctl.pausedomain', { domid });
    if (paused.kind === 'error') {
      refusal = recorder.refusal;
      logLibxl(operation, 'libxl_domain.c:1219:destroy_domid_pci_done', `Domain ${domid}:xc_domain_pause failed`);
    }
    lookAt(operation, domid, false);
    stopDeviceModel(operation, domid);
    return paused.kind === 'ok' ? 'done' : 'ignored-failure';
  });
  const record = state.guests.get(domid);
  if (record !== undefined) disconnectDevices(operation, record);
  recorder.step(`libxl removes the entries of domain ${domid} from xenstore`, 'libxl', () => {
    lookAt(operation, domid, true);
    lookAt(operation, domid, true);
    for (const device of state.pci.values()) {
      if (device.domid === domid) device.domid = undefined;
      device.stale = device.stale.filter((one) => one !== domid);
    }
    if (record !== undefined) record.name = undefined;
    return 'done';
  });
  return refusal;
}

/** Keeps what is still true of the domain. */
function forgetIfGone(operation: Operation, domid: Domid, rc: Destruction['rc']): void {
  const { state } = operation;
  const record = state.guests.get(domid);
  if (record === undefined) return;
  const isThere = operation.recorder.hypercalls.inspectDomain(domid) !== undefined;
  if (rc === 0 || !isThere) {
    forgetServer(operation, domid);
    const { target } = record;
    if (target !== undefined) state.deviceModels.delete(target);
  }
  if (rc !== 0 && isThere) {
    record.isGivenUp = true;
    return;
  }
  if (operation.recorder.hypercalls.openMappings(domid).length === 0) forgetGuest(state, domid);
}

/** xl's last word on a destroy that failed. */
export function logDestroyFailed(operation: Operation, domid: Domid): void {
  logLibxl(operation, 'libxl_domain.c:1064:domain_destroy_cb', `Domain ${domid}:Destruction of domain failed`);
}

/** Says what keeps a domain on the host after it was to be destroyed, and whether it is gone. */
export function reportLeftovers(operation: Operation, domid: Domid, destruction: Destruction): boolean {
  const open = distinctPages(operation.recorder.hypercalls.openMappings(domid));
  const left = finalState(operation, domid);
  if (destruction.rc === -3 || (destruction.rc === -21 && left !== undefined)) {
    const notes: Note[] = destruction.refusals.flatMap((refusal) =>
      refusal.check === undefined ? refusalNotes(refusal) : denialNotes(refusal.check),
    );
    notes.push({
      message:
        destruction.rc === -3
          ? 'it stays, without a name and with its memory, until the policy changes, or Xen is permissive or restarts'
          : 'dom0 may not even see it, so libxl takes it for gone; it keeps its memory',
    });
    const label = left?.label ?? destruction.refusals.find(({ check }) => check !== undefined)?.check?.target ?? '?';
    operation.diagnostics.push(guest.stranded(undefined, { domid, label }, { notes }));
    return false;
  }
  if (destruction.rc !== 0 || left === undefined || open.length === 0) return destruction.rc === 0;
  const notes: Note[] = open.map(({ mapper, frames, kind }) => ({
    message: `${mapper.process} in domain ${mapper.domid} has page ${frames.first} mapped (${kind})`,
  }));
  const check = operation.recorder.timeline
    .flatMap((step) => step.hypercalls)
    // Who may not look at the domain never hears that it ended.
    .filter(({ name }) => name === 'grant_table_op.unmap_grant_ref' || name === 'domctl.get_domain_state')
    .flatMap((call) => call.checks)
    .findLast((one) => one.isEnforced && one.targetDomid === domid);
  if (check !== undefined) notes.push(...denialNotes(check));
  const pages = open.reduce((sum, { frames }) => sum + frames.count, 0);
  operation.diagnostics.push(guest.zombie(undefined, { domid, pages }, { notes }));
  return false;
}
