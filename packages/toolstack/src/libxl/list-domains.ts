/**
 * `xl list`.
 *
 * Follows Xen `tools/xl/xl_info.c`, `main_list` and `list_domains`, and `tools/libs/light/libxl_sched.c`,
 * `libxl_domain_get_nodeaffinity`.
 *
 * @module
 */
import type { DomainConfiguration, DomainState, ListOptions, OperationReport } from '../host.ts';
import type { Domid } from '../hypercalls.ts';
import { showCpus } from './cpu-range.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { blameList, describeDomain, findDomain, listDomains, type Operation, report, startXl } from './operation.ts';
import { retrieveJson } from './retrieve-config.ts';
import { errnoText, logLibxl } from './said.ts';

/** The one that a person names; undefined, and said, when there is none that may be seen. */
function lookForOne(operation: Operation, text: string): readonly DomainState[] | undefined {
  const domid = findDomain(operation, text);
  if (domid === undefined) return undefined;
  let look: ReturnType<typeof describeDomain> = { kind: 'none' };
  operation.recorder.step('xl looks at the domain', 'xl', () => {
    look = describeDomain(operation, domid);
    return look.kind === 'seen' ? 'done' : 'failed';
  });
  // The compiler does not see that the step sets it.
  const found = look as ReturnType<typeof describeDomain>;
  if (found.kind === 'seen') return [found.domain];
  operation.messages.push(
    found.kind === 'none' ? `Error: Domain '${text}' does not exist.` : 'libxl_domain_info failed (code -3).',
  );
  blameList(operation, text);
  return undefined;
}

/** How many NUMA nodes the host has. XEN: `libxl_node_bitmap_alloc` and `libxl_get_physinfo`, each with a request of its own. */
function countNodes(operation: Operation): number | undefined {
  const { recorder, messages } = operation;
  if (recorder.ask('libxl', 'sysctl.physinfo', {}).kind === 'error') {
    const words = 'failed to retrieve the maximum number of nodes';
    logLibxl(operation, 'libxl_utils.c:842:libxl_node_bitmap_alloc', words);
    messages.push('libxl_node_bitmap_alloc_failed.');
    return undefined;
  }
  const info = recorder.ask('libxl', 'sysctl.physinfo', {});
  if (info.kind === 'ok') return info.value.nodes;
  logLibxl(operation, 'libxl.c:361:libxl_get_physinfo', 'getting physinfo', info.errno);
  messages.push('libxl_physinfo failed.');
  return undefined;
}

/** The nodes of one domain. XEN: xl prints what is then in its bitmap, which libxc clears, whatever became of the request. */
function nodesOf(operation: Operation, domid: Domid, count: number): string {
  const answer = operation.recorder.ask('libxl', 'domctl.getnodeaffinity', { domid });
  if (answer.kind === 'ok') return showCpus(answer.value.nodes, count);
  const words = `Domain ${domid}:Getting node affinity: ${errnoText(answer.errno)}`;
  logLibxl(operation, 'libxl_sched.c:151:libxl_domain_get_nodeaffinity', words);
  return showCpus([], count);
}

/** Adds the nodes; undefined where how many there are could not be had, and xl ends. */
function addNodes(operation: Operation, domains: readonly DomainState[]): readonly DomainState[] | undefined {
  let value: readonly DomainState[] | undefined;
  operation.recorder.step('xl asks on which nodes they had better run', 'xl', () => {
    const count = countNodes(operation);
    if (count === undefined) return 'failed';
    value = domains.map((domain) => ({ ...domain, nodes: nodesOf(operation, domain.domid, count) }));
    return operation.recorder.refusal === undefined ? 'done' : 'ignored-failure';
  });
  return value;
}

/** The domains that are asked for: all that may be seen, or one; undefined where there is not that one. */
function domainsAsked(operation: Operation, domain: string | undefined): readonly DomainState[] | undefined {
  if (domain !== undefined) return lookForOne(operation, domain);
  let domains: readonly DomainState[] | undefined;
  operation.recorder.step('xl lists the domains', 'xl', () => {
    startXl(operation);
    domains = listDomains(operation);
    return domains === undefined ? 'failed' : 'done';
  });
  if (domains === undefined) {
    operation.messages.push(operation.name === 'vm-list' ? 'libxl_list_vm failed.' : 'libxl_list_domain failed.');
    blameList(operation, '');
  }
  return domains;
}

/** `xl list -l`. XEN: `list_domains_details`, which passes over what it does not get, and is content. */
export function listConfigurations(
  operation: Operation,
  domain: string | undefined,
): OperationReport<readonly DomainConfiguration[]> {
  const domains = domainsAsked(operation, domain);
  if (domains === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const value: DomainConfiguration[] = [];
  for (const { domid } of domains) {
    let found: DomainConfiguration | undefined;
    operation.recorder.step(`libxl reads the configuration of domain ${domid} as it stands`, 'libxl', () => {
      const retrieved = retrieveJson(operation, domid);
      if (retrieved !== undefined) found = { domid, config: retrieved.json };
      return found === undefined ? 'ignored-failure' : 'done';
    });
    if (found !== undefined) value.push(found);
    // XEN: of a stub domain libxl keeps nothing.
    else if (operation.state.guests.get(domid)?.target === undefined) {
      const notes = refusalNotes(operation.recorder.refusal);
      const what = { operation: 'read the configuration of', domid };
      operation.diagnostics.push(guest['operation-failed'](undefined, what, { notes }));
    }
  }
  return report(operation, { isDone: operation.diagnostics.length === 0, xlExitCode: 0, value });
}

/** `xl list`, and `xl vm-list`, which prints other columns. */
export function listGuests(
  operation: Operation,
  { domain, withNodes }: ListOptions,
): OperationReport<readonly DomainState[]> {
  const domains = domainsAsked(operation, domain);
  if (domains === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  if (withNodes !== true) return report(operation, { isDone: true, xlExitCode: 0, value: domains });
  const value = addNodes(operation, domains);
  const { refusal } = operation.recorder;
  if (refusal !== undefined) {
    const asked = { operation: 'ask for the NUMA nodes of the domains' };
    operation.diagnostics.push(guest['request-failed'](undefined, asked, { notes: refusalNotes(refusal) }));
  }
  const isDone = value !== undefined && refusal === undefined;
  // XEN: a domain whose nodes may not be asked for is listed all the same, and xl is content.
  return report(operation, {
    isDone,
    xlExitCode: value === undefined ? 1 : 0,
    ...(value === undefined ? {} : { value }),
  });
}
