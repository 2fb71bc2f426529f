/**
 * Suspending a guest for its save, and letting it go on after one.
 *
 * Follows Xen `tools/libs/light/libxl_dom_suspend.c` and `tools/libs/guest/xg_resume.c`.
 *
 * @module
 */
import type { TimelineStep } from '../host.ts';
import type { DomainInfo, Domid } from '../hypercalls.ts';
import { SPECIAL_FRAMES } from './build-pv.ts';
import { hasLostDom0, settleDeaths } from './daemons.ts';
import { tellGuest } from './guest-control.ts';
import { resumeModel, saveModel } from './model-state.ts';
import { lookAt, type Operation } from './operation.ts';
import { type AnyResult, inOrder } from './recorder.ts';
import { logLibxc, logLibxl } from './said.ts';
import type { HelperRequest } from './save-helper.ts';
import { wakeGuest } from './start-guest.ts';

/** How a guest is brought to suspend itself. */
type Way = 'asked' | 'stopped' | 'failed';

/** XEN: the head of `domain_suspend_callback_common`: a guest without PV drivers is stopped, and need not know. */
function chooseWay(operation: Operation, domid: Domid, type: GuestType): Way {
  const { recorder } = operation;
  let way: Way = 'asked';
  recorder.step(`libxl asks domain ${domid} to suspend`, 'libxl', () => {
    if (type === 'pv') {
      lookAt(operation, domid, false);
      lookAt(operation, domid, false);
      return 'done';
    }
    // XEN: nobody looks at whether these were answered.
    const callback = recorder.ask('libxl', 'hvm_op.get_param', { domid, param: 'CALLBACK_IRQ' });
    const sleep = recorder.ask('libxl', 'hvm_op.get_param', { domid, param: 'ACPI_S_STATE' });
    const hasDrivers = callback.kind === 'ok' && callback.value.value !== 0;
    const isAsleep = sleep.kind === 'ok' && sleep.value.value !== 0;
    if (type !== 'hvm' || (hasDrivers && !isAsleep)) {
      lookAt(operation, domid, false);
      // XEN: libxl__domain_pvcontrol_available() asks once more.
      if (type === 'hvm') recorder.ask('libxl', 'hvm_op.get_param', { domid, param: 'CALLBACK_IRQ' });
      return 'done';
    }
    way = 'stopped';
    if (recorder.ask('libxl', 'sched_op.remote_shutdown', { domid, reason: 'suspend' }).kind === 'ok') return 'done';
    way = 'failed';
    const place = 'libxl_dom_suspend.c:193:domain_suspend_callback_common';
    logLibxl(operation, place, `Domain ${domid}:xc_domain_shutdown failed`, recorder.refusal?.errno ?? 'EACCES');
    return 'failed';
  });
  return way;
}

/** The kinds of guests that are suspended in different ways. */
export type GuestType = 'pv' | 'pvh' | 'hvm';

/**
 * `silent`: the guest does not answer. `unheard`: it has suspended itself, and libxl is never told. `failed`: Xen or the
 * device model refused.
 */
export type Suspension = 'suspended' | 'silent' | 'unheard' | 'failed';

/** How long libxl waits to be told. XEN: `suspend_common_wait_guest`. */
const SUSPEND_SECONDS = 60;

/** Has a guest suspend itself, or stops it, and waits until it has. XEN: `libxl__domain_suspend`. */
export function suspendGuest(operation: Operation, domid: Domid, type: GuestType): Suspension {
  const { recorder, state } = operation;
  const way = chooseWay(operation, domid, type);
  if (way === 'failed') return 'failed';
  const answer =
    way === 'stopped'
      ? 'answered'
      : tellGuest(operation, domid, `the kernel of domain ${domid} suspends itself`, (actor) => [
          recorder.askAs(actor, 'sched_op.shutdown', { reason: 'suspend' }),
        ]);
  if (answer === 'answered') {
    settleDeaths(recorder, state, 'xenstored and xenconsoled hear that the guest has suspended');
    // The guest is to go on elsewhere: its end is still to be told of.
    const served = state.xenstored.get(domid);
    if (served !== undefined) served.hasToldOfEnd = true;
    // XEN: with dom0's entries its watches are gone, through which libxl would hear.
    if (hasLostDom0(recorder)) {
      recorder.step(
        `libxl waits ${SUSPEND_SECONDS} s to hear that domain ${domid} has suspended`,
        'libxl',
        () => 'failed',
      );
      const place = 'libxl_dom_suspend.c:372:suspend_common_wait_guest_timeout';
      logLibxl(operation, place, `Domain ${domid}:guest did not suspend, timed out`);
      return 'unheard';
    }
  } else {
    const place = 'libxl_dom_suspend.c:269:domain_suspend_common_pvcontrol_suspending';
    logLibxl(operation, place, `Domain ${domid}:guest didn't acknowledge suspend, cancelling request`);
    return 'silent';
  }
  recorder.step(`libxl sees that domain ${domid} has suspended`, 'libxl', () => {
    lookAt(operation, domid, false);
    return 'done';
  });
  if (recorder.hypercalls.inspectDomain(domid)?.info.shutdownReason !== 'suspend') return 'silent';
  return type !== 'hvm' || saveModel(operation, domid) ? 'suspended' : 'failed';
}

/** XEN: `modify_returncode`: the guest is to see that nothing came of the suspend. */
function modifyReturnCode({ recorder }: Operation, domid: Domid, isHvm: boolean): TimelineStep['outcome'] {
  if (isHvm) {
    const callback = recorder.ask('libxc', 'hvm_op.get_param', { domid, param: 'CALLBACK_IRQ' });
    // XEN: one without PV drivers did not ask for anything, so there is no answer to give.
    if (callback.kind === 'error' || callback.value.value === 0) return 'done';
  }
  return inOrder([
    ...(isHvm ? [] : [() => recorder.ask('libxc', 'domctl.get_address_size', { domid })]),
    () => recorder.ask('libxc', 'domctl.getvcpucontext', { domid, vcpu: 0 }),
    () => recorder.ask('libxc', 'domctl.setvcpucontext', { domid, vcpu: 0 }),
  ]);
}

/**
 * XEN: `xc_domain_resume_any`: a guest that is not told of a cancelled suspend goes on where it is, as after a restore. Its
 * toolstack looks into its memory for that. An HVM guest needs nothing.
 */
function prepareAlone(
  operation: Operation,
  { domid, isHvm, sharedInfoFrame, vcpus }: DomainInfo,
): TimelineStep['outcome'] {
  if (isHvm) return 'done';
  const { recorder } = operation;
  const map = (first: number, isWritable = false): AnyResult => {
    const frames = { first, count: 1 };
    const mapped = recorder.ask('libxc', 'mmu_update.map_foreign', { domid, frames, isWritable });
    if (mapped.kind === 'ok') recorder.ask('libxc', 'mmu_update.unmap_foreign', { mapping: mapped.value.mapping });
    return mapped;
  };
  const requests: readonly HelperRequest[] = [
    [() => recorder.ask('libxc', 'domctl.get_address_size', { domid }), 'Could not get domain width'],
    [() => map(sharedInfoFrame), "Couldn't map shared info"],
    [() => map(0), "Couldn't map p2m table"],
    [() => recorder.ask('libxc', 'domctl.getvcpucontext', { domid, vcpu: 0 }), 'Could not get vcpu context'],
    [() => map(SPECIAL_FRAMES.startInfo, true), "Couldn't map start_info"],
    ...Array.from({ length: vcpus - 1 }, (_, i): HelperRequest => {
      const vcpu = i + 1;
      return [() => recorder.ask('libxc', 'domctl.setvcpucontext', { domid, vcpu }), "Couldn't reset vcpu state"];
    }),
  ];
  const refused = requests.find(([ask]) => ask().kind === 'error');
  if (refused === undefined) return 'done';
  logLibxc(operation, refused[1]);
  return 'failed';
}

/** What has to be done before a guest that was to be saved can go on; XEN: 4.14 forgets to tell a guest without QEMU. */
function prepareToGoOn(operation: Operation, info: DomainInfo, isEmulated: boolean): TimelineStep['outcome'] {
  if (operation.recorder.hypercalls.release === '4.14' && !isEmulated) return prepareAlone(operation, info);
  if (info.shutdownReason === 'suspend') return modifyReturnCode(operation, info.domid, info.isHvm);
  logLibxc(operation, `Dom ${info.domid} not suspended: (shutdown 0, reason 255)`);
  return 'failed';
}

/** XEN: `libxl__domain_resume`, `xc_domain_resume_cooperative`: first the device model goes on, then the guest. */
export function resumeGuest(operation: Operation, domid: Domid): TimelineStep['outcome'] {
  const { recorder, state } = operation;
  const isEmulated = state.guests.get(domid)?.config?.type === 'hvm';
  if (isEmulated && !resumeModel(operation, domid)) return 'failed';
  const resumed = recorder.step(`libxl lets domain ${domid} go on`, 'libxl', () => {
    const info = recorder.ask('libxc', 'domctl.getdomaininfo', { domid });
    const outcome =
      info.kind === 'error' || prepareToGoOn(operation, info.value, isEmulated) === 'failed'
        ? 'failed'
        : inOrder([() => recorder.ask('libxc', 'domctl.resumedomain', { domid })]);
    if (outcome === 'failed') {
      const errno = recorder.refusal?.errno ?? 'EINVAL';
      logLibxl(
        operation,
        'libxl_dom_suspend.c:666:domain_resume_done',
        `Domain ${domid}:xc_domain_resume failed`,
        errno,
      );
    }
    const served = state.xenstored.get(domid);
    if (outcome === 'done' && served !== undefined) served.hasToldOfEnd = false;
    return outcome;
  });
  if (resumed !== 'done') return resumed;
  const { refusal } = recorder;
  wakeGuest(operation, domid);
  recorder.blame(refusal);
  return resumed;
}
