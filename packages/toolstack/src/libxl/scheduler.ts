/**
 * What the scheduler keeps of a guest: `xl sched-credit2`.
 *
 * Follows Xen `tools/libs/light/libxl_sched.c` and `tools/xl/xl_sched.c`.
 *
 * @module
 */
import type { OperationReport, SchedulerState } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { learnScheduler, logNoScheduling, lookAtPool } from './cpupools.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import {
  blameList,
  finalState,
  findDomain,
  listDomains,
  lookAt,
  nameOf,
  type Operation,
  report,
  startXl,
} from './operation.ts';
import { failedOn, refuse } from './outcomes.ts';
import { reportRefusal } from './run-state.ts';
import { logLibxl } from './said.ts';

/** XEN: `libxl_domain_sched_params_get`. */
function schedulerOf(operation: Operation, domid: Domid): SchedulerState | undefined {
  const { recorder } = operation;
  if (!learnScheduler(operation, domid, 'get')) return undefined;
  const params = recorder.ask('libxl', 'domctl.scheduler_op.getinfo', { domid });
  if (params.kind === 'error') {
    logNoScheduling(operation, domid, params.errno);
    return undefined;
  }
  return { domid, name: nameOf(operation, domid), ...params.value };
}

/** `xl sched-credit2`, to look. */
export function showScheduler(
  operation: Operation,
  text: string | undefined,
): OperationReport<readonly SchedulerState[]> {
  const { recorder } = operation;
  const domids: Domid[] = [];
  if (text === undefined) {
    const listed = recorder.step('xl lists the domains and the pools', 'xl', () => {
      startXl(operation);
      const domains = listDomains(operation);
      if (domains === undefined) return 'failed';
      domids.push(...domains.map(({ domid }) => domid));
      return lookAtPool(operation) ? 'done' : 'failed';
    });
    if (operation.refusedList !== undefined) {
      operation.messages.push('libxl_list_domain failed.');
      blameList(operation, '');
      return report(operation, { isDone: false, xlExitCode: 1 });
    }
    if (listed === 'failed') {
      operation.messages.push('error getting cpupool info');
      const notes = refusalNotes(recorder.refusal);
      operation.diagnostics.push(
        guest['request-failed'](undefined, { operation: 'list the pools of CPUs' }, { notes }),
      );
      return report(operation, { isDone: false, xlExitCode: 1, value: [] });
    }
  } else {
    const domid = findDomain(operation, text);
    if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
    domids.push(domid);
  }
  const states: SchedulerState[] = [];
  for (const domid of domids) {
    const outcome = recorder.step(`libxl asks what the scheduler keeps of domain ${domid}`, 'libxl', () => {
      const found = schedulerOf(operation, domid);
      if (found !== undefined) states.push(found);
      return found === undefined ? 'failed' : 'done';
    });
    // XEN: the list of all ends at the first that may not be asked for, and xl with 0.
    if (outcome === 'done') continue;
    operation.messages.push('libxl_domain_sched_params_get failed.');
    reportRefusal(operation, 'ask for the scheduler parameters of', domid);
    return report(operation, { isDone: false, xlExitCode: text === undefined ? 0 : 1, value: states });
  }
  return report(operation, { isDone: true, xlExitCode: 0, value: states });
}

/** `xl sched-credit2`, to change something. */
export function setScheduler(
  operation: Operation,
  text: string,
  change: { readonly weight?: number; readonly cap?: number },
): OperationReport<readonly SchedulerState[]> {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const verb = 'set the scheduler parameters of';
  const place = (line: number): string => `libxl_sched.c:${line}:sched_credit2_domain_set`;
  let fault: string | undefined;
  let state: SchedulerState | undefined;
  const outcome = recorder.step(`libxl sets the scheduler parameters of domain ${domid}`, 'libxl', () => {
    const info = lookAt(operation, domid, false);
    if (info === undefined) return 'failed';
    const old = recorder.ask('libxl', 'domctl.scheduler_op.getinfo', { domid });
    if (old.kind === 'error') {
      logLibxl(operation, place(439), `Domain ${domid}:Getting domain sched credit2`, old.errno);
      return 'failed';
    }
    const { weight = old.value.weight, cap = old.value.cap } = change;
    if (!(weight >= 1 && weight <= 65535))
      fault = 'Cpu weight out of range, valid values are within range from 1 to 65535';
    const most = info.vcpus * 100;
    if (fault === undefined && !(cap >= 0 && cap <= most)) {
      fault = `Cpu cap out of range, valid range is from 0 to ${most} for specified number of vcpus`;
    }
    if (fault !== undefined) {
      logLibxl(operation, place(fault.startsWith('Cpu weight') ? 445 : 455), `Domain ${domid}:${fault}`);
      return 'failed';
    }
    const put = recorder.ask('libxl', 'domctl.scheduler_op.putinfo', { domid, weight, cap });
    if (put.kind === 'error') {
      logLibxl(operation, place(465), `Domain ${domid}:Setting domain sched credit2`, put.errno);
      return 'failed';
    }
    state = { domid, name: nameOf(operation, domid), weight, cap };
    return 'done';
  });
  if (outcome === 'failed') {
    operation.messages.push('libxl_domain_sched_params_set failed.');
    return fault === undefined ? failedOn(operation, domid, verb) : refuse(operation, domid, verb, fault);
  }
  const domain = finalState(operation, domid);
  return report(operation, { isDone: true, xlExitCode: 0, domain, value: state === undefined ? [] : [state] });
}
