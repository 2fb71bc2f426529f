/**
 * One operation while it is under way, and what all operations share.
 *
 * @module
 */
import { isSince } from '@dewar/policy/releases';
import type { Diagnostic } from '@dewar/policy/text';
import type { DomainState, LabelChange, OperationName, OperationReport } from '../host.ts';
import type { DomainInfo, Domid, Errno, HypercallResult, OpenMapping } from '../hypercalls.ts';
import { DOM0 } from './daemons.ts';
import { denialNotes, guest, refusalNotes } from './diagnostics.ts';
import type { Recorder, Refusal } from './recorder.ts';
import { type Cause, logLibxl, sayXsmDenied } from './said.ts';
import type { ToolstackState } from './toolstack-state.ts';

/** libxl asks for this many domains at once. */
const DOMAINS_AT_ONCE = 1024;

export interface Operation {
  readonly name: OperationName;
  readonly recorder: Recorder;
  readonly state: ToolstackState;
  readonly messages: string[];
  readonly diagnostics: Diagnostic[];
  readonly labelChanges: LabelChange[];
  /** What xl learned of the host when it started. */
  readonly host: { cpus: number; hasIommu: boolean; isRefused?: boolean };
  /** Why Xen told nothing of any domain, when it was last asked; undefined where it did. */
  refusedList?: Refusal | undefined;
}

/**
 * libxl's own look at one domain; undefined when there is none, or none that it may see. With its label it is
 * `libxl_domain_info`, which says so where Xen refuses the look itself; without, its callers speak.
 */
export function lookAt(operation: Operation, domid: Domid, withLabel: boolean): DomainInfo | undefined {
  if (withLabel) {
    const look = lookInto(operation, domid, true);
    return look.kind === 'seen' ? look.info : undefined;
  }
  const answer = askForOne(operation, domid);
  return answer.kind === 'seen' ? answer.info : undefined;
}

/** Whether libxl asks after one domain by itself, and not for the first entry of a list: since 4.18. */
function looksOneByOne({ recorder }: Operation): boolean {
  return isSince(recorder.hypercalls.release, '4.18');
}

/**
 * Asks Xen for one domain, and remembers whether it refused. XEN: `xc_domain_getinfolist`, which passes over what may not be
 * seen; since 4.18 `xc_domain_getinfo_single`.
 */
function askForOne(operation: Operation, domid: Domid): DomainLook {
  const { recorder } = operation;
  if (looksOneByOne(operation)) {
    const one = recorder.ask('libxl', 'domctl.getdomaininfo', { domid });
    const isRefused = one.kind === 'error' && one.errno !== 'ESRCH';
    operation.refusedList = isRefused ? recorder.refusal : undefined;
    if (one.kind === 'ok') return { kind: 'seen', info: one.value };
    return isRefused ? { kind: 'refused', errno: one.errno } : { kind: 'none' };
  }
  const list = recorder.ask('libxl', 'sysctl.getdomaininfolist', { first: domid, max: 1 });
  operation.refusedList = list.kind === 'error' ? recorder.refusal : undefined;
  if (list.kind === 'error') return { kind: 'refused', errno: list.errno };
  const info = list.value.domains[0];
  return info?.domid === domid ? { kind: 'seen', info } : { kind: 'none' };
}

/** What `libxl_domain_info` tells of a domain: of it, that there is none which may be seen, or why Xen tells nothing. */
export type DomainLook =
  | { readonly kind: 'seen'; readonly info: DomainInfo }
  | { readonly kind: 'none' }
  | { readonly kind: 'refused'; readonly errno: Errno };

/**
 * A look at one domain by an operation that goes on otherwise where the look itself is refused, as Xen does since XSA-499,
 * and since 4.18 where the domain may not be seen.
 * XEN: `libxl_domain_info`.
 */
export function lookInto(operation: Operation, domid: Domid, withLabel: boolean): DomainLook {
  const look = askForOne(operation, domid);
  // XEN: since 4.18 it says so too where there is no such domain.
  if (look.kind === 'refused' || (look.kind === 'none' && looksOneByOne(operation))) {
    // XEN: `LOGED` names the domain that is meant, but for dom0.
    const what = looksOneByOne(operation) ? 'Getting domain info' : 'Getting domain info list';
    const words = `${domid === DOM0 ? '' : `Domain ${domid}:`}${what}`;
    const errno = look.kind === 'refused' ? look.errno : 'ESRCH';
    logLibxl(operation, 'libxl_domain.c:354:libxl_domain_info', words, errno);
  }
  if (look.kind === 'seen' && withLabel) labelOf(operation, look.info);
  return look;
}

/** What libxl says of a look at one domain that came to nothing, where since 4.18 its words and the errno are others. */
export function logNoLook(
  operation: Operation,
  place: string,
  domid: Domid,
  { since418, before }: { readonly since418: string; readonly before: () => void },
): void {
  if (!looksOneByOne(operation)) {
    before();
    return;
  }
  const words = `${domid === DOM0 ? '' : `Domain ${domid}:`}${since418}`;
  logLibxl(operation, place, words, operation.refusedList?.errno ?? 'ESRCH');
}

/** libxl does not know what kind of guest a domain is, since Xen told nothing of it. XEN: `libxl__domain_type`. */
export function logNoType(operation: Operation, domid: Domid): void {
  const place = 'libxl_dom.c:37:libxl__domain_type';
  logNoLook(operation, place, domid, {
    since418: 'unable to get dominfo',
    before: () => logLibxl(operation, place, `unable to get domain type for domid=${domid}`),
  });
}

/**
 * There is no domain of which libxl could keep something. XEN: `libxl__userdata_path`; until 4.17 the errno is that of
 * something earlier, and as it was recorded.
 */
export function logUnseen(operation: Operation, domid: Domid, errno: Cause): void {
  const words = `unable to find domain info for domain ${domid}`;
  const cause = operation.refusedList?.errno ?? (looksOneByOne(operation) ? 'ESRCH' : errno);
  logLibxl(operation, 'libxl_dom.c:1216:libxl__userdata_path', words, cause);
}

/** Asks Xen for the text of a domain's label. XEN: `libxl__xcinfo2xlinfo`, which goes on without it. */
function labelOf(operation: Operation, info: DomainInfo): string | undefined {
  const answer = operation.recorder.ask('libxl', 'xsm_op.sid_to_context', { sid: info.ssidref });
  if (answer.kind === 'ok') return answer.value.context;
  sayXsmDenied(operation, answer.errno);
  return undefined;
}

/** Looks at all domains that dom0 may see; false where Xen refuses the list. XEN: `libxl_list_domain`. */
function lookAtAll(operation: Operation, see: (info: DomainInfo, label: string | undefined) => void): boolean {
  const infos: DomainInfo[] = [];
  // Any number may be asked for; Xen answers with the domains from there on.
  let first: Domid | undefined = DOM0;
  while (first !== undefined) {
    const list: HypercallResult<'sysctl.getdomaininfolist'> = operation.recorder.ask(
      'libxl',
      'sysctl.getdomaininfolist',
      { first, max: DOMAINS_AT_ONCE },
    );
    if (list.kind === 'error') {
      logLibxl(operation, 'libxl_domain.c:335:libxl_list_domain', 'getting domain info list', list.errno);
      operation.refusedList = operation.recorder.refusal;
      return false;
    }
    operation.refusedList = undefined;
    const { domains }: { readonly domains: readonly DomainInfo[] } = list.value;
    infos.push(...domains);
    const last: DomainInfo | undefined = domains.length < DOMAINS_AT_ONCE ? undefined : domains.at(-1);
    first = last === undefined ? undefined : ((last.domid + 1) as Domid);
  }
  for (const info of infos) see(info, labelOf(operation, info));
  return true;
}

/** All domains that dom0 may see; undefined where Xen refuses the list. */
export function listDomains(operation: Operation): DomainState[] | undefined {
  const domains: DomainState[] = [];
  const isTold = lookAtAll(operation, (info, label) => domains.push(describe(operation, info, label)));
  return isTold ? domains : undefined;
}

/** The domains of a name among those that dom0 may see; undefined where Xen refuses the list. */
export function domainsNamed(operation: Operation, name: string): Domid[] | undefined {
  const found: Domid[] = [];
  const isTold = lookAtAll(operation, ({ domid }) => {
    if (nameOf(operation, domid) === name) found.push(domid);
  });
  return isTold ? found : undefined;
}

/** The name that xenstore has for a domain. */
export function nameOf({ state }: Operation, domid: Domid): string | undefined {
  if (domid === DOM0) return state.isDom0Bare ? undefined : 'Domain-0';
  return state.guests.look(domid)?.name;
}

function stateOf(info: DomainInfo): DomainState['state'] {
  if (info.isDying) return 'dying';
  if (info.shutdownReason !== undefined) return 'shutdown';
  return info.isPaused ? 'paused' : 'running';
}

/** One domain, or why nothing is told of it. */
export function describeDomain(
  operation: Operation,
  domid: Domid,
): { readonly kind: 'seen'; readonly domain: DomainState } | Exclude<DomainLook, { readonly kind: 'seen' }> {
  const look = lookInto(operation, domid, false);
  if (look.kind !== 'seen') return look;
  return { kind: 'seen', domain: describe(operation, look.info, labelOf(operation, look.info)) };
}

function describe(operation: Operation, info: DomainInfo, label: string | undefined): DomainState {
  const record = operation.state.guests.look(info.domid);
  return {
    domid: info.domid,
    name: nameOf(operation, info.domid),
    uuid: info.handle,
    label,
    memoryMib: Math.floor(info.totalPages / 256),
    vcpus: info.onlineVcpus,
    state: stateOf(info),
    shutdownReason: info.shutdownReason,
    isStranded: record?.isGivenUp === true,
  };
}

/** xl makes that many sets of physical CPUs as it starts. XEN: `main` of `xl.c`, `global_*_affinity_mask`. */
const CPU_SETS = 3;

/** The request that every xl command starts with. XEN: `xc_get_max_cpus`, which keeps an answer but no refusal. */
export function startXl(operation: Operation): void {
  if (operation.host.isRefused === true) return;
  for (let set = 0; set < CPU_SETS; set++) {
    const physinfo = operation.recorder.ask('xl', 'sysctl.physinfo', {});
    if (physinfo.kind === 'ok') {
      operation.host.cpus = physinfo.value.cpus;
      return;
    }
    sayNoCpus(operation);
  }
  operation.host.isRefused = true;
}

/** How many physical CPUs there are could not be had. */
export function sayNoCpus(operation: Operation): void {
  logLibxl(operation, 'libxl_utils.c:815:libxl_cpu_bitmap_alloc', 'failed to retrieve the maximum number of cpus');
}

/**
 * The domain that a person names, in a step of the caller's; undefined where there is none of that name.
 *
 * XEN: `libxl_domain_qualifier_to_domid` takes digits as a domain id without a look at any domain, and all else as a name.
 */
export function resolveDomain(operation: Operation, text: string): Domid | undefined {
  // Whether there is such a domain shows when something is asked of it. No digits at all are 0, and too many the largest.
  if (/^[0-9]*$/.test(text))
    return (Number(text) >= 2 ** 64 ? 2 ** 32 - 1 : Number(BigInt(text) & 0xffff_ffffn)) as Domid;
  return domainNamed(operation, text);
}

/** The domain of a name; undefined where there is none that may be seen, or Xen lists none. XEN: `libxl_name_to_domid`. */
export function domainNamed(operation: Operation, name: string): Domid | undefined {
  return domainsNamed(operation, name)?.[0];
}

/** Says that there is no such domain, or that it could not be looked for; xl says which where it tells a number. */
export function reportUnknownDomain(operation: Operation, text: string, tellsRc = true): void {
  const rc = operation.refusedList === undefined ? -6 : -5;
  operation.messages.push(`${text} is an invalid domain identifier${tellsRc ? ` (rc=${rc})` : ''}`);
  blameList(operation, text);
}

/** Says of a name that there is no domain of it, or that Xen does not list the domains. */
export function blameList(operation: Operation, name: string): void {
  const { refusedList } = operation;
  const asked = refusedList?.hypercall === 'domctl.getdomaininfo' ? 'look at the domain' : 'list the domains';
  operation.diagnostics.push(
    refusedList === undefined
      ? guest['unknown-domain'](undefined, { domain: name })
      : guest['request-failed'](undefined, { operation: asked }, { notes: refusalNotes(refusedList) }),
  );
}

/** xl starts, and finds the domain that a person names. XEN: `find_domain` of xl. */
export function findDomain(operation: Operation, text: string, tellsRc = true): Domid | undefined {
  let found: Domid | undefined;
  operation.recorder.step(`xl looks for domain \`${text}\``, 'xl', () => {
    startXl(operation);
    found = resolveDomain(operation, text);
    return found === undefined ? 'failed' : 'done';
  });
  if (found === undefined) reportUnknownDomain(operation, text, tellsRc);
  return found;
}

/** One entry for each page and program, however often the program has it mapped. */
export function distinctPages(mappings: readonly OpenMapping[]): OpenMapping[] {
  const seen = new Set<string>();
  return mappings.filter(({ frames, mapper, kind, isWritable }) => {
    const key = [frames.first, frames.count, mapper.domid, mapper.process, kind, isWritable].join();
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/**
 * XEN: `domain_cleanup` of xenstored: when some domain ends, it asks after dom0 too, and believes the answer. What xl then
 * finds in xenstore is not rehearsed.
 */
function warnOfLostXenstore({ recorder, diagnostics }: Operation): void {
  const look = recorder.timeline
    .flatMap(({ hypercalls }) => hypercalls)
    .find(({ process, name, targetDomid, result }) => {
      return process === 'xenstored' && name === 'domctl.getdomaininfo' && targetDomid === DOM0 && result !== 'ok';
    });
  if (look === undefined) return;
  const notes = look.checks.flatMap((check) => (check.isEnforced ? denialNotes(check) : []));
  diagnostics.push(guest['dom0-taken-for-dead'](undefined, {}, { notes }));
}

/** A report about an operation that is over. */
export function report<T>(
  operation: Operation,
  result: {
    readonly isDone: boolean;
    readonly xlExitCode: number;
    readonly value?: T;
    readonly domain?: DomainState | undefined;
  },
): OperationReport<T> {
  warnOfLostXenstore(operation);
  return {
    operation: operation.name,
    outcome: result.isDone ? 'done' : 'failed',
    xlExitCode: result.xlExitCode,
    xlMessages: operation.messages,
    value: result.value,
    timeline: operation.recorder.timeline,
    labelChanges: operation.labelChanges,
    domain: result.domain,
    diagnostics: operation.diagnostics,
  };
}

/** How a domain stands after an operation; looked up past FLASK, so that the report adds no check of its own. */
export function finalState(operation: Operation, domid: Domid): DomainState | undefined {
  const found = operation.recorder.hypercalls.inspectDomain(domid);
  return found === undefined ? undefined : describe(operation, found.info, found.label);
}
