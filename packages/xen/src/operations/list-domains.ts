/**
 * The domains of a real host, through libxl.
 *
 * Follows Xen `tools/xl/xl_info.c`, `main_list`.
 *
 * @module
 */
import {
  type DomainConfiguration,
  type DomainState,
  guestDiagnostics,
  type ListOptions,
  type OperationReport,
  showCpus,
} from '@dewar/toolstack';
import { parseJson } from '@dewar/toolstack/xl-cfg';
import { domainState, type RealOperation } from './real-operation.ts';

/** All domains; undefined, and said, where they cannot be listed. */
async function listAll(operation: RealOperation): Promise<readonly DomainState[] | undefined> {
  const outcome = await operation.callStep('libxl lists the domains', 'domain.list', {});
  if (outcome.kind === 'ok') return outcome.value.map(domainState);
  const notes = operation.notesOn(outcome.failure);
  const asked = { operation: 'list the domains' };
  operation.diagnostics.push(guestDiagnostics['request-failed'](undefined, asked, { notes }));
  return undefined;
}

/** The one that a person names. XEN: digits are a number, and whether there is such a domain shows later. */
function pick(operation: RealOperation, domains: readonly DomainState[], text: string): DomainState | undefined {
  const found = domains.find(({ domid, name }) => name === text || String(domid) === text);
  if (found !== undefined) return found;
  operation.messages.push(
    /^[0-9]+$/.test(text)
      ? `Error: Domain '${text}' does not exist.`
      : `${text} is an invalid domain identifier (rc=-6)`,
  );
  operation.diagnostics.push(guestDiagnostics['unknown-domain'](undefined, { domain: text }));
  return undefined;
}

/** Adds the NUMA nodes of each; a domain whose nodes dom0 may not ask for has none, as with xl. */
async function addNodes(operation: RealOperation, domains: readonly DomainState[]): Promise<DomainState[]> {
  const value: DomainState[] = [];
  for (const domain of domains) {
    const { domid } = domain;
    const outcome = await operation.step(`libxl asks for the NUMA nodes of domain ${domid}`, async () => {
      const asked = await operation.call('domain.nodes', { domid });
      return { outcome: asked.kind === 'ok' ? 'done' : 'ignored-failure', value: asked };
    });
    if (outcome.kind === 'failed') await operation.refused(domid, 'ask for the NUMA nodes of', outcome.failure, 0);
    const nodes = outcome.kind === 'ok' ? showCpus(outcome.value.nodes, outcome.value.count) : 'none';
    value.push({ ...domain, nodes });
  }
  return value;
}

/** All, or the one that a person names. */
async function domainsAsked(
  operation: RealOperation,
  domain: string | undefined,
): Promise<readonly DomainState[] | undefined> {
  const all = await listAll(operation);
  const one = all === undefined || domain === undefined ? undefined : pick(operation, all, domain);
  return domain === undefined ? all : one && [one];
}

/** `xl list -l`. XEN: `list_domains_details`, which passes over what libxl does not give, and is content. */
export async function listConfigurations(
  operation: RealOperation,
  domain: string | undefined,
): Promise<OperationReport<readonly DomainConfiguration[]>> {
  const domains = await domainsAsked(operation, domain);
  if (domains === undefined) return operation.report({ isDone: false, xlExitCode: 1 });
  const value: DomainConfiguration[] = [];
  for (const { domid } of domains) {
    const outcome = await operation.step(`libxl reads the configuration of domain ${domid} as it stands`, async () => {
      const asked = await operation.call('domain.config', { domid });
      return { outcome: asked.kind === 'ok' ? 'done' : 'ignored-failure', value: asked };
    });
    const config = outcome.kind === 'ok' ? parseJson(outcome.value.json) : undefined;
    if (typeof config === 'object' && config !== null && 'members' in config) value.push({ domid, config });
    else if (outcome.kind === 'failed') {
      await operation.refused(domid, 'read the configuration of', outcome.failure, 0);
    } else {
      const notes = [{ message: 'what libxl gave is no JSON' }];
      const what = { operation: 'read the configuration of', domid };
      operation.diagnostics.push(guestDiagnostics['operation-failed'](undefined, what, { notes }));
    }
  }
  return operation.report({ isDone: operation.diagnostics.length === 0, xlExitCode: 0, value });
}

/** `xl list`. */
export async function listDomains(
  operation: RealOperation,
  { domain, withNodes }: ListOptions,
): Promise<OperationReport<readonly DomainState[]>> {
  const found = await domainsAsked(operation, domain);
  if (found === undefined) return operation.report({ isDone: false, xlExitCode: 1 });
  const value = withNodes === true ? await addNodes(operation, found) : found;
  return operation.report({ isDone: operation.diagnostics.length === 0, xlExitCode: 0, value });
}

/** The name of the domain with a number. */
export async function nameOfDomain(operation: RealOperation, text: string): Promise<OperationReport<string>> {
  const domid = /^[0-9]{1,5}$/.test(text) ? Number(text) : undefined;
  const name = domid === undefined ? undefined : await operation.call('domain.name', { domid });
  const value = name?.kind === 'ok' ? name.value : undefined;
  if (value !== undefined) return operation.report({ isDone: true, xlExitCode: 0, value });
  operation.messages.push(
    domid === undefined
      ? 'Invalid domain id.'
      : `Can't get domain name of domain id '${domid}', maybe this domain does not exist.`,
  );
  operation.diagnostics.push(guestDiagnostics['unknown-domain'](undefined, { domain: text }));
  return operation.report({ isDone: false, xlExitCode: 1 });
}
