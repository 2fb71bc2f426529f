/**
 * On which physical CPUs a vCPU may run, and had better run.
 *
 * Follows Xen `tools/libs/light/libxl_sched.c`, `libxl__set_vcpuaffinity`.
 *
 * @module
 */
import type { Domid } from '../hypercalls.ts';
import type { Operation } from './operation.ts';
import { logLibxl, warnLibxl } from './said.ts';

/** Maps of physical CPUs; one that is undefined stays as it is. */
export interface Affinity {
  readonly hard: readonly number[] | undefined;
  readonly soft: readonly number[] | undefined;
}

/** Sets them for one vCPU; false where Xen refuses, which libxl logs. */
export function setVcpuAffinity(
  operation: Operation,
  domid: Domid,
  vcpu: number,
  { hard, soft }: Affinity = { hard: undefined, soft: undefined },
): boolean {
  const maps = { ...(hard === undefined ? {} : { hard }), ...(soft === undefined ? {} : { soft }) };
  const set = operation.recorder.ask('libxl', 'domctl.setvcpuaffinity', { domid, vcpu, ...maps });
  if (set.kind === 'error') {
    const place = 'libxl_sched.c:62:libxl__set_vcpuaffinity';
    logLibxl(operation, place, `Domain ${domid}:Setting vcpu affinity`, set.errno);
    return false;
  }
  if (soft !== undefined && set.value.effectiveSoft.length === 0) {
    const words = `All cpus in soft affinity of vcpu ${vcpu} are unreachable. Only hard affinity will be considered for scheduling`;
    warnLibxl(operation, 'libxl_sched.c:84:libxl__set_vcpuaffinity', `Domain ${domid}:${words}`);
  }
  return true;
}
