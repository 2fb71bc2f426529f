/**
 * vCPUs and the scheduler of a real host, through libxl.
 *
 * @module
 */
import {
  type Domid,
  type OperationReport,
  parseCpuRange,
  type SchedulerState,
  showCpus,
  type VcpuState,
} from '@dewar/toolstack';
import type { RealOperation } from './real-operation.ts';

/** What is to change in what the scheduler keeps of a domain. */
export interface SchedulerChange {
  readonly weight?: number;
  readonly cap?: number;
}

/** The vCPUs of some domains; undefined for a domain that there is not. */
export async function listVcpus(
  operation: RealOperation,
  domids: readonly number[] | undefined,
): Promise<OperationReport<readonly VcpuState[]>> {
  const host = await operation.call('host.info', {});
  const cpus = host.kind === 'ok' ? host.value.cpus : 0;
  const states: VcpuState[] = [];
  for (const domid of domids ?? []) {
    const outcome = await operation.callStep(`libxl asks for the vCPUs of domain ${domid}`, 'vcpu.list', { domid });
    // XEN: xl goes on with the next domain, and ends with 0.
    if (outcome.kind === 'failed') {
      const { diagnostics } = await operation.refused(domid, 'list the vCPUs of', outcome.failure, 0);
      if (diagnostics.length > 0) continue;
    } else {
      const name = await operation.call('domain.name', { domid });
      for (const vcpu of outcome.value) {
        states.push({
          domid: domid as Domid,
          name: name.kind === 'ok' ? name.value : undefined,
          vcpu: vcpu.vcpu,
          isOnline: vcpu.isOnline,
          isRunning: vcpu.isRunning,
          isBlocked: vcpu.isBlocked,
          cpuSeconds: vcpu.cpuSeconds,
          cpu: vcpu.cpu,
          hard: showCpus(vcpu.hard, Math.max(cpus, 1)),
          soft: showCpus(vcpu.soft, Math.max(cpus, 1)),
        });
      }
    }
  }
  const isDone = domids !== undefined && operation.diagnostics.length === 0;
  return operation.report({ isDone, xlExitCode: domids === undefined ? 1 : 0, value: states });
}

/** Says on which physical CPUs a vCPU, or `all`, may run. */
export async function pinVcpu(
  operation: RealOperation,
  domid: number,
  { vcpu, hard, soft }: { readonly vcpu: string; readonly hard: string; readonly soft: string | undefined },
): Promise<OperationReport> {
  const host = await operation.call('host.info', {});
  const cpus = host.kind === 'ok' ? host.value.cpus : 0;
  const read = (text: string | undefined): readonly number[] | 'invalid' | undefined => {
    if (text === undefined || text === '-') return undefined;
    return /node/.test(text) ? 'invalid' : parseCpuRange(text, cpus);
  };
  const lists = { hard: read(hard), soft: read(soft) };
  const isNumber = /^[0-9]{1,5}$/.test(vcpu);
  if (lists.hard === 'invalid' || lists.soft === 'invalid' || !(isNumber || vcpu === 'all')) {
    const reason = isNumber || vcpu === 'all' ? 'the CPUs are not a list that is understood' : 'no such vCPU';
    return operation.refused(domid, 'pin a vCPU of', { kind: 'refused', reason }, 1);
  }
  const params = { domid, vcpu: isNumber ? Number(vcpu) : undefined, hard: lists.hard, soft: lists.soft };
  const outcome = await operation.callStep(`libxl pins vCPUs of domain ${domid}`, 'vcpu.pin', params);
  if (outcome.kind === 'ok')
    return operation.report({ isDone: true, xlExitCode: 0, domain: await operation.stateOf(domid) });
  operation.messages.push(`Could not set affinity for vcpu \`${vcpu}'.`);
  return operation.refused(domid, 'pin a vCPU of', outcome.failure, 1);
}

/** What the scheduler keeps of some domains, after it was changed if it is to be. */
export async function useScheduler(
  operation: RealOperation,
  domids: readonly number[] | undefined,
  change: SchedulerChange,
  isForAll: boolean,
): Promise<OperationReport<readonly SchedulerState[]>> {
  const isChange = change.weight !== undefined || change.cap !== undefined;
  const states: SchedulerState[] = [];
  for (const domid of domids ?? []) {
    const outcome = await operation.step(`libxl asks the scheduler about domain ${domid}`, async () => {
      const set = isChange ? await operation.call('sched.set', { domid, ...change }) : undefined;
      const value = set?.kind === 'failed' ? set : await operation.call('sched.get', { domid });
      return { outcome: value.kind === 'ok' ? 'done' : 'failed', value };
    });
    if (outcome.kind === 'failed') {
      const verb = isChange ? 'set the scheduler parameters of' : 'ask for the scheduler parameters of';
      return operation.refused(domid, verb, outcome.failure, isForAll ? 0 : 1);
    }
    const name = await operation.call('domain.name', { domid });
    states.push({ domid: domid as Domid, name: name.kind === 'ok' ? name.value : undefined, ...outcome.value });
  }
  return operation.report({ isDone: domids !== undefined, xlExitCode: domids ? 0 : 1, value: states });
}
