/**
 * The device model of a guest that is saved: it keeps account of what it writes, stops, and writes its own state down.
 *
 * libxl tells it so over its control channel. What QEMU 7.2 then asks of Xen 4.17.5 was recorded: to stop and to go on are
 * requests about its ioreq server, and the writing of its state asks for nothing. The state of one in dom0 goes to a file
 * of dom0; that of one in a stub domain goes through a console of the stub domain into such a file.
 *
 * Follows Xen `tools/libs/light/libxl_dom_save.c`, `libxl_dom_suspend.c` and `libxl_qmp.c`, `libxl__qmp_suspend_save`.
 *
 * @module
 */
import type { Actor, Domid } from '../hypercalls.ts';
import { talkToModel } from './device-model.ts';
import { lookAt, type Operation } from './operation.ts';
import { devicesOf } from './pci.ts';
import { logLibxl } from './said.ts';

/** XEN: `ERROR_FAIL`. */
const RC_FAIL = -3;

/** Tells the device model one thing, in a step of its own; false where libxl cannot reach it. */
function tell(operation: Operation, domid: Domid, title: string): boolean {
  const outcome = operation.recorder.step(title, 'libxl', () => {
    const channel = talkToModel(operation, domid);
    channel?.close();
    return channel === undefined ? 'failed' : 'done';
  });
  return outcome === 'done';
}

/** QEMU's ioreq server is there only while QEMU runs; it does not look at whether Xen agreed. */
function setRunning({ recorder, state }: Operation, domid: Domid, isEnabled: boolean): void {
  const record = state.deviceModels.get(domid);
  const server = record?.server;
  if (record === undefined || server === undefined) return;
  const actor: Actor = { domid: record.model, process: 'device model' };
  recorder.step(`the device model of domain ${domid} ${isEnabled ? 'goes on' : 'stops'}`, 'device model', () => {
    const args = { domid, server, isEnabled };
    return recorder.askAs(actor, 'dm_op.set_ioreq_server_state', args).kind === 'ok' ? 'done' : 'ignored-failure';
  });
}

/** Has the device model note which pages it writes, or no longer. XEN: `switch_qemu_logdirty`. */
export function switchLogDirty(operation: Operation, domid: Domid, isOn: boolean): boolean {
  const what = isOn ? 'keep account of the pages that it writes' : 'no longer keep that account';
  if (tell(operation, domid, `libxl tells the device model of domain ${domid} to ${what}`)) return true;
  const words = `Domain ${domid}:logdirty switch failed (rc=${RC_FAIL}), abandoning suspend`;
  logLibxl(operation, 'libxl_dom_save.c:246:switch_qemu_xen_logdirty_done', words);
  return false;
}

/** The device model stops and writes its state down. XEN: `libxl__qmp_suspend_save`. */
export function saveModel(operation: Operation, domid: Domid): boolean {
  if (!tell(operation, domid, `libxl tells the device model of domain ${domid} to stop and to save its state`))
    return false;
  setRunning(operation, domid, false);
  if (devicesOf(operation, domid).length === 0) return true;
  operation.recorder.step(`the device model of domain ${domid} saves its state`, 'device model', () => 'failed');
  operation.recorder.explain(
    'dm_op.set_ioreq_server_state',
    'EINVAL',
    'QEMU does not save the state of a device of the host that the guest has',
  );
  return false;
}

/** The device model goes on. XEN: `libxl__dm_resume`. */
export function resumeModel(operation: Operation, domid: Domid): boolean {
  const isReached = operation.recorder.step(`libxl tells the device model of domain ${domid} to go on`, 'libxl', () => {
    lookAt(operation, domid, false);
    const channel = talkToModel(operation, domid);
    channel?.close();
    return channel === undefined ? 'failed' : 'done';
  });
  if (isReached === 'done') {
    setRunning(operation, domid, true);
    return true;
  }
  const words = `Domain ${domid}:Failed to resume device model: rc=${RC_FAIL}`;
  logLibxl(operation, 'libxl_dom_suspend.c:615:dm_resume_done', words);
  return false;
}
