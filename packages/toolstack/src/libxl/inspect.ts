/**
 * Small requests: names and numbers of domains, the host, and what is sent to a guest through xenstore or as an event.
 *
 * Follows Xen `tools/xl/xl_{info,misc}.c` and `tools/libs/light/libxl_domain.c`, `libxl_send_trigger`.
 *
 * @module
 */
import type { HostInfo, OperationReport } from '../host.ts';
import type { Domid, Trigger } from '../hypercalls.ts';
import { talkToModel } from './device-model.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { tellGuest } from './guest-control.ts';
import {
  blameList,
  domainNamed,
  finalState,
  findDomain,
  lookAt,
  nameOf,
  type Operation,
  report,
  startXl,
} from './operation.ts';
import { reportRefusal } from './run-state.ts';
import { errnoText, logLibxl } from './said.ts';

/** `xl domid`: only a name is looked up. */
export function domidOf(operation: Operation, name: string): OperationReport<Domid> {
  let found: Domid | undefined;
  operation.recorder.step(`xl looks for domain \`${name}\``, 'xl', () => {
    startXl(operation);
    found = domainNamed(operation, name);
    return found === undefined ? 'failed' : 'done';
  });
  if (found !== undefined) return report(operation, { isDone: true, xlExitCode: 0, value: found });
  operation.messages.push(`Can't get domid of domain name '${name}', maybe this domain does not exist.`);
  blameList(operation, name);
  return report(operation, { isDone: false, xlExitCode: 1 });
}

/** `xl domname`: the name is xenstore's, so Xen is not asked. */
export function domnameOf(operation: Operation, text: string): OperationReport<string> {
  const isNumber = /^[0-9]{1,5}$/.test(text);
  // Digits are a domain id, whether or not there is such a domain.
  const domid = Number(text) as Domid;
  operation.recorder.step(`xl asks xenstore for the name of domain ${text}`, 'xl', () => {
    startXl(operation);
    return 'done';
  });
  if (!isNumber) {
    operation.messages.push('Invalid domain id.', '');
    operation.diagnostics.push(guest['unknown-domain'](undefined, { domain: text }));
    return report(operation, { isDone: false, xlExitCode: 1 });
  }
  const name = nameOf(operation, domid);
  if (name !== undefined) return report(operation, { isDone: true, xlExitCode: 0, value: name });
  operation.messages.push(`Can't get domain name of domain id '${domid}', maybe this domain does not exist.`);
  operation.diagnostics.push(guest['unknown-domain'](undefined, { domain: text }));
  return report(operation, { isDone: false, xlExitCode: 1 });
}

const PAGES_PER_MIB = 256;

/** `xl info`. */
export function hostInfo(operation: Operation): OperationReport<HostInfo> {
  const { recorder } = operation;
  let info: HostInfo | undefined;
  const outcome = recorder.step('xl asks about the host', 'xl', () => {
    startXl(operation);
    const physinfo = recorder.ask('libxl', 'sysctl.physinfo', {});
    if (physinfo.kind === 'error') {
      logLibxl(operation, 'libxl.c:361:libxl_get_physinfo', 'getting physinfo', physinfo.errno);
      operation.messages.push('libxl_physinfo failed.');
      return 'failed';
    }
    recorder.ask('libxl', 'sysctl.cpupool_op', {});
    const version = recorder.ask('libxl', 'xen_version.version', {});
    const extra = recorder.ask('libxl', 'xen_version.extraversion', {});
    const scheduler = recorder.ask('libxl', 'sysctl.sched_id', {});
    if (version.kind === 'error' || extra.kind === 'error') return 'failed';
    if (scheduler.kind === 'error') {
      logLibxl(operation, 'libxl_sched.c:166:libxl_get_scheduler', 'getting current scheduler id', scheduler.errno);
      operation.messages.push('get_scheduler sysctl failed.');
      return 'failed';
    }
    const { totalPages, freePages, cpus } = physinfo.value;
    info = {
      release: version.value.release,
      extraVersion: extra.value.text,
      scheduler: scheduler.value.scheduler,
      cpus,
      totalMib: Math.floor(totalPages / PAGES_PER_MIB),
      freeMib: Math.floor(freePages / PAGES_PER_MIB),
    };
    return 'done';
  });
  if (outcome === 'failed') {
    const notes = refusalNotes(recorder.refusal);
    operation.diagnostics.push(guest['request-failed'](undefined, { operation: 'ask about the host' }, { notes }));
    // XEN: `xl info` prints what it has, and ends with 0.
    return report(operation, { isDone: false, xlExitCode: 0 });
  }
  return report(operation, { isDone: true, xlExitCode: 0, ...(info === undefined ? {} : { value: info }) });
}

const TRIGGERS: readonly Trigger[] = ['nmi', 'reset', 'init', 'power', 'sleep'];

/** `xl trigger`; its exit status is 0 even when it was denied. */
export function sendTrigger(operation: Operation, text: string, name: string, vcpu: number): OperationReport {
  const { recorder } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  // XEN: libxl_trigger_from_string() takes either case.
  const word = name.toLowerCase();
  if (word === 's3resume') return wakeFromSleep(operation, domid);
  const trigger = TRIGGERS.find((one) => one === word);
  if (trigger === undefined) {
    operation.messages.push(`Invalid trigger "${name}"`);
    const notes = [{ message: `the triggers are ${TRIGGERS.map((one) => `\`${one}\``).join(', ')}` }];
    operation.diagnostics.push(guest['operation-failed'](undefined, { operation: 'trigger', domid }, { notes }));
    return report(operation, { isDone: false, xlExitCode: 1, domain: finalState(operation, domid) });
  }
  const outcome = recorder.step(`libxl sends ${trigger} to domain ${domid}`, 'libxl', () => {
    const sent = recorder.ask('libxl', 'domctl.sendtrigger', { domid, trigger, vcpu });
    if (sent.kind === 'ok') return 'done';
    const words = `Domain ${domid}:Send trigger '${name}' failed: ${errnoText(sent.errno)}`;
    logLibxl(operation, 'libxl_domain.c:2207:libxl_send_trigger', words);
    return 'failed';
  });
  if (outcome === 'failed') reportRefusal(operation, 'trigger', domid);
  return report(operation, { isDone: outcome === 'done', xlExitCode: 0, domain: finalState(operation, domid) });
}

/** The trigger that goes to QEMU, and there is one for HVM guests only. XEN: `domain_s3_resume`. */
function wakeFromSleep(operation: Operation, domid: Domid): OperationReport {
  const { recorder, state } = operation;
  let rc = -6;
  const outcome = recorder.step(`libxl tells QEMU to wake domain ${domid}`, 'libxl', () => {
    if (lookAt(operation, domid, false) === undefined || state.guests.get(domid)?.config?.type !== 'hvm')
      return 'failed';
    rc = -3;
    const channel = talkToModel(operation, domid);
    channel?.close();
    return channel === undefined ? 'failed' : 'done';
  });
  if (outcome === 'failed') {
    const words = `Domain ${domid}:Send trigger 's3resume' failed, rc=${rc}`;
    logLibxl(operation, 'libxl_domain.c:2162:domain_s3_resume_done', words);
    const notes = [{ message: 'only an HVM guest can be woken from sleep' }, ...refusalNotes(recorder.refusal)];
    operation.diagnostics.push(guest['operation-failed'](undefined, { operation: 'wake', domid }, { notes }));
  }
  return report(operation, { isDone: outcome === 'done', xlExitCode: 0, domain: finalState(operation, domid) });
}

/** `xl sysrq`: a node in xenstore; Xen is not asked. */
export function sendSysrq(operation: Operation, text: string, key: string): OperationReport {
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const refuse = (reason: string, xlExitCode = 1): OperationReport => {
    const notes = [{ message: reason }];
    operation.diagnostics.push(
      guest['operation-failed'](undefined, { operation: 'send a magic key to', domid }, { notes }),
    );
    return report(operation, { isDone: false, xlExitCode, domain: finalState(operation, domid) });
  };
  if (key.length !== 1) {
    operation.messages.push('Invalid sysrq.', '');
    return refuse('it is one character');
  }
  if (!operation.state.guests.has(domid)) return refuse('xenstore has no such guest', 0);
  tellGuest(operation, domid, `the kernel of domain ${domid} reads the key \`${key}\``, () => []);
  return report(operation, { isDone: true, xlExitCode: 0, domain: finalState(operation, domid) });
}

/** The key that reboots the host. */
const REBOOT_KEY = 'R';

/** `xl debug-keys`. */
export function sendDebugKeys(operation: Operation, keys: string): OperationReport {
  const { recorder } = operation;
  const outcome = recorder.step('xl sends keys to Xen', 'xl', () => {
    startXl(operation);
    if (keys.includes(REBOOT_KEY)) {
      const why = `\`${REBOOT_KEY}\` reboots the host, which is not rehearsed`;
      recorder.explain('sysctl.debug_keys', 'EOPNOTSUPP', why);
      return 'failed';
    }
    const sent = recorder.ask('libxl', 'sysctl.debug_keys', { keys });
    if (sent.kind === 'ok') return 'done';
    const place = 'libxl.c:659:libxl_send_debug_keys';
    logLibxl(operation, place, `sending debug keys: ${errnoText(sent.errno)}`);
    operation.messages.push(`cannot send debug keys: ${keys}`);
    return 'failed';
  });
  if (outcome === 'done') return report(operation, { isDone: true, xlExitCode: 0 });
  const notes = refusalNotes(recorder.refusal);
  operation.diagnostics.push(guest['request-failed'](undefined, { operation: 'send debug keys' }, { notes }));
  return report(operation, { isDone: false, xlExitCode: 1 });
}
