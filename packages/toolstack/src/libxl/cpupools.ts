/**
 * Which pool of CPUs a domain is in, and how that is scheduled.
 *
 * Follows Xen `tools/libs/light/libxl_cpupool.c`, `cpupool_info`, and `tools/libs/light/libxl_dom.c`,
 * `libxl__domain_scheduler`.
 *
 * @module
 */
import type { Domid, Errno } from '../hypercalls.ts';
import { logNoLook, lookAt, type Operation } from './operation.ts';
import { logLibxc, logLibxl } from './said.ts';

/** Whether there is a pool of that name or number: a simulated host has one. XEN: `libxl_cpupool_qualifier_to_cpupoolid`. */
export function isPool(text: string): boolean {
  return text === 'Pool-0' || /^0*$/.test(text);
}

/** Asks Xen about the pool; false where it refuses. A simulated host has one. */
export function lookAtPool(operation: Operation): boolean {
  const { recorder, host } = operation;
  // XEN: the answer has room for as many CPUs as there are.
  const cpus = host.isRefused === true ? recorder.ask('libxl', 'sysctl.physinfo', {}) : undefined;
  if (cpus?.kind === 'error') logLibxc(operation, 'Could not get number of cpus', cpus.errno);
  const pool = cpus?.kind === 'error' ? cpus : recorder.ask('libxl', 'sysctl.cpupool_op', {});
  if (pool.kind === 'ok') return true;
  logLibxl(operation, 'libxl_cpupool.c:36:cpupool_info', 'failed to get info for cpupool0', pool.errno);
  return false;
}

/** libxl does not know how the domain is scheduled, so it neither reads nor sets its parameters. */
export function logUnknownScheduler(operation: Operation, domid: Domid, purpose: 'get' | 'set'): void {
  const place = `libxl_sched.c:${purpose === 'get' ? 905 : 798}:libxl_domain_sched_params_${purpose}`;
  logLibxl(operation, place, `Domain ${domid}:Unknown scheduler`);
}

/** Xen does not say what the scheduler keeps of a domain. */
export function logNoScheduling(operation: Operation, domid: Domid, errno: Errno): void {
  const words = `Domain ${domid}:Getting domain sched credit2`;
  logLibxl(operation, 'libxl_sched.c:410:sched_credit2_domain_get', words, errno);
}

/** Whether libxl comes to know the scheduler of a domain. */
export function learnScheduler(operation: Operation, domid: Domid, purpose: 'get' | 'set'): boolean {
  if (lookAt(operation, domid, false) === undefined) {
    const { refusedList } = operation;
    const place = 'libxl_dom.c:76:libxl__domain_cpupool';
    const words = `getinfolist failed ${refusedList === undefined ? 0 : -1}`;
    logNoLook(operation, place, domid, {
      since418: 'get domaininfo failed',
      before: () => logLibxl(operation, place, words, refusedList?.errno ?? 'ENOENT'),
    });
    logUnknownScheduler(operation, domid, purpose);
    return false;
  }
  if (lookAtPool(operation)) return true;
  logUnknownScheduler(operation, domid, purpose);
  return false;
}
