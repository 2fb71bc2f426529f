/**
 * The vCPUs of a guest that exists: `xl vcpu-list`, `vcpu-pin`, `vcpu-set`.
 *
 * Follows Xen `tools/libs/light/libxl_{domain,sched}.c` and `tools/xl/xl_vcpu.c`.
 *
 * @module
 */
import type { OperationReport, VcpuState } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { setVcpuAffinity } from './affinity.ts';
import { parseCpuRange, showCpus } from './cpu-range.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { tellGuest } from './guest-control.ts';
import {
  blameList,
  finalState,
  findDomain,
  listDomains,
  logNoLook,
  lookAt,
  nameOf,
  type Operation,
  report,
  sayNoCpus,
  startXl,
} from './operation.ts';
import { doneOn, failedOn, refuse } from './outcomes.ts';
import { reportRefusal } from './run-state.ts';
import { errnoText, logLibxl } from './said.ts';

/** XEN: `libxl_list_vcpu`; undefined when Xen refused. */
function vcpusOf(operation: Operation, domid: Domid): VcpuState[] | undefined {
  const { recorder } = operation;
  const info = lookAt(operation, domid, false);
  if (info === undefined) {
    const place = 'libxl_domain.c:1667:libxl_list_vcpu';
    const words = `Domain ${domid}:Getting infolist`;
    logNoLook(operation, place, domid, {
      since418: 'Getting dominfo',
      before: () => logLibxl(operation, place, words, operation.refusedList?.errno ?? 'ENOENT'),
    });
    return undefined;
  }
  const states: VcpuState[] = [];
  for (let vcpu = 0; vcpu < info.vcpus; vcpu++) {
    const state = recorder.ask('libxl', 'domctl.getvcpuinfo', { domid, vcpu });
    if (state.kind === 'error') {
      logLibxl(
        operation,
        'libxl_domain.c:1691:libxl_list_vcpu',
        `Domain ${domid}:Getting vcpu info: ${errnoText(state.errno)}`,
      );
      return undefined;
    }
    const affinity = recorder.ask('libxl', 'domctl.getvcpuaffinity', { domid, vcpu });
    if (affinity.kind === 'error') {
      const why = errnoText(affinity.errno);
      logLibxl(operation, 'libxl_domain.c:1698:libxl_list_vcpu', `Domain ${domid}:Getting vcpu affinity: ${why}`);
      return undefined;
    }
    const { isOnline, cpu } = state.value;
    states.push({
      domid,
      name: nameOf(operation, domid),
      vcpu,
      isOnline,
      isRunning: isOnline && info.isRunning,
      cpu,
      hard: showCpus(affinity.value.hard, operation.host.cpus),
      soft: showCpus(affinity.value.soft, operation.host.cpus),
    });
  }
  return states;
}

/** `xl vcpu-list`. xl prints nothing for a domain whose vCPUs it may not see, and ends with 0. */
export function listVcpus(operation: Operation, text: string | undefined): OperationReport<readonly VcpuState[]> {
  const { recorder } = operation;
  const started = recorder.step('xl starts', 'xl', () => {
    startXl(operation);
    const physinfo = recorder.ask('xl', 'sysctl.physinfo', {});
    if (physinfo.kind === 'ok') return 'done';
    logLibxl(operation, 'libxl.c:361:libxl_get_physinfo', 'getting physinfo', physinfo.errno);
    return 'failed';
  });
  if (started === 'failed') {
    operation.messages.push('libxl_physinfo failed.');
    const notes = refusalNotes(recorder.refusal);
    operation.diagnostics.push(guest['request-failed'](undefined, { operation: 'list the vCPUs' }, { notes }));
    return report(operation, { isDone: false, xlExitCode: 0, value: [] });
  }
  const domids: Domid[] = [];
  if (text === undefined) {
    recorder.step('xl lists the domains', 'xl', () => {
      const domains = listDomains(operation);
      domids.push(...(domains ?? []).map(({ domid }) => domid));
      return domains === undefined ? 'failed' : 'done';
    });
    if (operation.refusedList !== undefined) {
      operation.messages.push('libxl_list_domain failed.');
      blameList(operation, '');
      return report(operation, { isDone: false, xlExitCode: 0, value: [] });
    }
  } else {
    const domid = findDomain(operation, text);
    if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
    domids.push(domid);
  }
  const states: VcpuState[] = [];
  let isDone = true;
  for (const domid of domids) {
    const outcome = recorder.step(`libxl asks for the vCPUs of domain ${domid}`, 'libxl', () => {
      const found = vcpusOf(operation, domid);
      states.push(...(found ?? []));
      return found === undefined ? 'failed' : 'done';
    });
    if (outcome === 'done') continue;
    isDone = false;
    reportRefusal(operation, 'list the vCPUs of', domid);
  }
  return report(operation, { isDone, xlExitCode: 0, value: states });
}

/** `xl vcpu-pin`. */
export function pinVcpu(
  operation: Operation,
  text: string,
  vcpuText: string,
  hardText: string,
  softText: string | undefined,
): OperationReport {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const verb = 'pin a vCPU of';
  const isAll = vcpuText === 'all';
  if (!isAll && !/^[0-9]{1,5}$/.test(vcpuText)) {
    operation.messages.push(`Error: Invalid argument ${vcpuText} as VCPU.`);
    return refuse(operation, domid, verb, `\`${vcpuText}\` is no vCPU`);
  }
  if (operation.host.isRefused === true) {
    sayNoCpus(operation);
    return failedOn(operation, domid, verb);
  }
  const hostCpus = operation.host.cpus;
  const hard = hardText === '-' ? undefined : parseCpuRange(hardText, hostCpus);
  const soft = softText === undefined || softText === '-' ? undefined : parseCpuRange(softText, hostCpus);
  if (hard === 'invalid' || soft === 'invalid') {
    const bad = (hard === 'invalid' ? hardText : softText) ?? '';
    const part = bad.split(',').find((one) => parseCpuRange(one, hostCpus) === 'invalid') ?? bad;
    operation.messages.push(`Invalid pcpu range: ${part.replace(/^\^?(?:nodes?:)?/, '')}.`);
    return refuse(operation, domid, verb, `\`${bad}\` is no list of physical CPUs; an example is \`0-1,^1\``);
  }
  let failedVcpu = 0;
  const outcome = recorder.step(`libxl pins vCPU ${vcpuText} of domain ${domid}`, 'libxl', () => {
    recorder.ask('xl', 'sysctl.physinfo', {});
    if (hard !== undefined && lookAt(operation, domid, true) === undefined) {
      operation.messages.push('Could not get domain info');
      return 'failed';
    }
    // XEN: apply_global_affinity_masks()
    if (hard?.length === 0) {
      operation.messages.push('vcpu hard affinity map is empty');
      return 'failed';
    }
    const vcpus = isAll ? (vcpusOf(operation, domid)?.map(({ vcpu }) => vcpu) ?? []) : [Number(vcpuText)];
    if (vcpus.length === 0) operation.messages.push('libxl_list_vcpu failed.');
    for (const vcpu of vcpus) {
      if (setVcpuAffinity(operation, domid, vcpu, { hard, soft })) continue;
      failedVcpu = vcpu;
      operation.messages.push(isAll ? 'Could not set affinity.' : `Could not set affinity for vcpu \`${failedVcpu}'.`);
      return 'failed';
    }
    return vcpus.length > 0 ? 'done' : 'failed';
  });
  if (hard?.length === 0 && recorder.refusal === undefined && finalState(operation, domid) !== undefined)
    return refuse(operation, domid, verb, `the host has none of these physical CPUs: it has ${hostCpus}`);
  return outcome === 'done' ? doneOn(operation, domid) : failedOn(operation, domid, verb);
}

/** `xl vcpu-set`: xenstore says how many there are to be, and the guest brings them up and down. */
export function setVcpus(operation: Operation, text: string, count: number, isHostIgnored = false): OperationReport {
  const { recorder, state } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const verb = 'set the vCPUs of';
  const record = state.guests.get(domid);
  const say = (line: number, words: string): void => {
    logLibxl(operation, `libxl_domain.c:${line}:libxl_set_vcpuonline`, `Domain ${domid}:${words}`);
    operation.messages.push(`libxl_set_vcpuonline failed domid=${domid} max_vcpus=${count}, rc: -3`);
  };
  let fault: string | undefined;
  const outcome = recorder.step(`libxl tells domain ${domid} how many vCPUs to use`, 'libxl', () => {
    const info = lookAt(operation, domid, true);
    if (info === undefined) return 'failed';
    if (!isHostIgnored && count > info.onlineVcpus && count > operation.host.cpus) {
      operation.messages.push(
        `You are overcommmitting! You have ${operation.host.cpus} physical CPUs and want ${count} vCPUs! Aborting, use --ignore-host to continue`,
      );
      fault = `the host has ${operation.host.cpus} physical CPUs`;
      return 'failed';
    }
    lookAt(operation, domid, true);
    if (count === 0) {
      say(1863, 'Requested 0 VCPUs!: Success');
      fault = 'a guest needs a vCPU';
    } else if (count > info.vcpus) {
      say(1869, `Requested ${count} VCPUs, however maxcpus is ${info.vcpus}!: Success`);
      fault = `it has ${info.vcpus} vCPU${info.vcpus === 1 ? '' : 's'} at most`;
    }
    if (fault !== undefined || record === undefined) return 'failed';
    lookAt(operation, domid, false);
    record.availableVcpus = count;
    return 'done';
  });
  if (fault !== undefined) return refuse(operation, domid, verb, fault);
  if (outcome === 'failed') return failedOn(operation, domid, verb);
  const info = recorder.hypercalls.inspectDomain(domid)?.info;
  tellGuest(operation, domid, `the kernel of domain ${domid} brings its vCPUs up and down`, (actor) =>
    Array.from({ length: Math.max(0, (info?.vcpus ?? 1) - 1) }, (_, index) =>
      recorder.askAs(actor, index + 1 < count ? 'vcpu_op.up' : 'vcpu_op.down', { vcpu: index + 1 }),
    ),
  );
  return doneOn(operation, domid);
}
