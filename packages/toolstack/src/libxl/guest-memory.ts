/**
 * The memory of a guest that exists: `xl mem-set`, `mem-max`.
 *
 * Follows Xen `tools/libs/light/libxl_mem.c` and `tools/xl/xl_mem.c`.
 *
 * @module
 */
import type { OperationReport } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { SLACK_PAGES } from './build-guest.ts';
import { tellGuest } from './guest-control.ts';
import { findDomain, logUnseen, lookAt, type Operation, report } from './operation.ts';
import { doneOn, failedOn, refuse } from './outcomes.ts';
import { inOrder } from './recorder.ts';
import { logLibxl } from './said.ts';

const KIB_PER_PAGE = 4;

/** The guest gives pages back, or asks for them, until it has what xenstore says. */
function balloon(operation: Operation, domid: Domid, pages: number): void {
  const { recorder } = operation;
  const now = recorder.hypercalls.inspectDomain(domid)?.info.totalPages ?? pages;
  if (pages === now) return;
  const name = pages < now ? 'memory_op.decrease_reservation' : 'memory_op.increase_reservation';
  const wanted = Math.abs(pages - now);
  tellGuest(operation, domid, `the kernel of domain ${domid} changes how much memory it uses`, (actor) => {
    const answer = recorder.askAs(actor, name, { domid, pages: wanted });
    // A denial is no error to Xen: it gives or takes no page.
    const isShort = answer.kind === 'ok' && answer.value.pagesDone < wanted;
    return [isShort ? { kind: 'error', errno: 'ENOMEM' } : answer];
  });
}

/** `xl mem-set`. */
export function setMemory(operation: Operation, text: string, kib: number, shown: string): OperationReport {
  const { recorder, state } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const verb = 'set the memory of';
  const record = state.guests.get(domid);
  const pages = Math.floor(kib / KIB_PER_PAGE);
  const place = (line: number): string => `libxl_mem.c:${line}:libxl_set_memory_target`;
  let fault: string | undefined;
  const outcome = recorder.step(`libxl sets the memory target of domain ${domid}`, 'libxl', () => {
    for (let i = 0; i < 2; i++) {
      if (lookAt(operation, domid, true) !== undefined) continue;
      logUnseen(operation, domid, 'none');
      return 'failed';
    }
    if (record?.config === undefined) {
      logLibxl(operation, 'libxl_mem.c:210:libxl_set_memory_target', 'unable to retrieve domain configuration');
      fault = 'libxl has no configuration of it';
      return 'failed';
    }
    if (kib > record.staticMaxKib) {
      const words = 'memory_dynamic_max must be less than or equal to memory_static_max';
      logLibxl(operation, place(278), `Domain ${domid}:${words}`);
      fault = `it may have ${record.staticMaxKib} KiB at most`;
      return 'failed';
    }
    const allowed = inOrder([() => recorder.ask('libxl', 'domctl.max_mem', { domid, maxPages: pages + SLACK_PAGES })]);
    if (allowed === 'failed') {
      const words = `xc_domain_setmaxmem memkb=${kib + SLACK_PAGES * KIB_PER_PAGE} failed rc=-1\n`;
      logLibxl(operation, place(299), `Domain ${domid}:${words}`, recorder.refusal?.errno ?? 'EINVAL');
      return 'failed';
    }
    if (record.config.type !== 'pv') {
      const target = recorder.ask('libxl', 'memory_op.set_pod_target', { domid, pages: pages + SLACK_PAGES });
      if (target.kind === 'error') {
        const words = `xc_domain_set_pod_target memkb=${pages + SLACK_PAGES} failed rc=-1\n`;
        logLibxl(operation, place(313), `Domain ${domid}:${words}`, target.errno);
        return 'failed';
      }
    }
    record.targetKib = kib;
    lookAt(operation, domid, true);
    return 'done';
  });
  if (outcome === 'failed') {
    operation.messages.push(`cannot set domid ${domid} dynamic max memory to : ${shown}`);
    return fault === undefined ? failedOn(operation, domid, verb) : refuse(operation, domid, verb, fault);
  }
  balloon(operation, domid, pages);
  return doneOn(operation, domid);
}

/** `xl mem-max`. */
export function setMaxMemory(operation: Operation, text: string, kib: number, shown: string): OperationReport {
  const { recorder, state } = operation;
  const domid = findDomain(operation, text);
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const verb = 'set the most memory of';
  const record = state.guests.get(domid);
  let fault: string | undefined;
  const outcome = recorder.step(`libxl sets how much memory domain ${domid} may have`, 'libxl', () => {
    for (let i = 0; i < 2; i++) {
      if (lookAt(operation, domid, true) !== undefined) continue;
      logUnseen(operation, domid, 'none');
      return 'failed';
    }
    if (record?.config === undefined) {
      logLibxl(operation, 'libxl_mem.c:66:libxl_domain_setmaxmem', 'unable to retrieve domain configuration');
      fault = 'libxl has no configuration of it';
      return 'failed';
    }
    if (kib < record.targetKib) {
      const words = 'memory_static_max must be greater than or or equal to memory_dynamic_max';
      logLibxl(operation, 'libxl_mem.c:59:libxl_domain_setmaxmem', `Domain ${domid}:${words}`);
      fault = `its memory target is ${record.targetKib} KiB`;
      return 'failed';
    }
    const maxPages = Math.floor(kib / KIB_PER_PAGE) + SLACK_PAGES;
    const set = recorder.ask('libxl', 'domctl.max_mem', { domid, maxPages });
    if (set.kind === 'error') {
      const words = `xc_domain_setmaxmem domid=${domid} memkb=${maxPages * KIB_PER_PAGE} failed rc=-1\n`;
      logLibxl(operation, 'libxl_mem.c:78:libxl_domain_setmaxmem', `Domain ${domid}:${words}`, set.errno);
      return 'failed';
    }
    record.staticMaxKib = kib;
    return 'done';
  });
  if (outcome === 'done') return doneOn(operation, domid);
  operation.messages.push(`cannot set domid ${domid} static max memory to : ${shown}`);
  return fault === undefined ? failedOn(operation, domid, verb) : refuse(operation, domid, verb, fault);
}
