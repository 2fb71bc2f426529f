/**
 * `xl create` of a PV guest, from its configuration to the running guest.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`, `initiate_domain_create` to `domcreate_complete`, and
 * `tools/xl/xl_vmcontrol.c`, `create_domain`.
 *
 * @module
 */
import type { CreateOptions, OperationReport } from '../host.ts';
import type { Domid, Port } from '../hypercalls.ts';
import type { DomainConfig } from '../xl-cfg/index.ts';
import { type BuildPlan, buildPv, SMALLEST_PAGES } from './build-pv.ts';
import { type GuestSids, resolveLabels } from './create-labels.ts';
import { attachConsole, introduceDomain, recheckConsole } from './daemons.ts';
import { destroyDomain, errnoText, logDestroyFailed, reportLeftovers } from './destroy.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { distinctPages, finalState, listDomains, logLibxl, lookAt, type Operation, report } from './operation.ts';
import { unpauseDomain } from './run-state.ts';

/** Memory that libxl gives when the configuration names none. XEN: `LIBXL_MEMKB_DEFAULT`, 32 MiB for a PV guest. */
const DEFAULT_MEMORY_KIB = 32 * 1024;
const KIB_PER_PAGE = 4;

/** More vCPUs than this no PV guest has. XEN: `MAX_VIRT_CPUS`. */
const VCPU_LIMIT = 8192;

/** Memory of a guest that a rehearsal takes, in KiB: 16 TiB, the most that Xen supports. */
const MEMORY_LIMIT_KIB = 16 * 1024 ** 3;

/** How far a creation came. */
type Progress = { readonly kind: 'created'; readonly domid: Domid } | Failure;
interface Failure {
  readonly kind: 'failed';
  /** Undefined as long as there is no domain. */
  readonly domid: Domid | undefined;
  readonly rc: number;
}

/** What is wrong with the request before Xen is asked; undefined when nothing is. */
function planGuest(operation: Operation, config: DomainConfig): Omit<BuildPlan, 'domid'> | undefined {
  const vcpus = config.maxVcpus > 0 ? config.maxVcpus : (config.vcpus ?? 1);
  const memoryKib = config.memoryKib ?? DEFAULT_MEMORY_KIB;
  const maxKib = Math.max(config.maxMemoryKib ?? memoryKib, memoryKib);
  const refuse = (reason: string): undefined => {
    operation.diagnostics.push(guest['bad-request'](undefined, { guest: config.name, reason }));
    return undefined;
  };
  if (config.guest !== 'pv') {
    const notes = [
      { message: 'this release of Dewar rehearses PV guests only; nothing was done' },
      { message: 'a PVH or HVM guest makes other checks, such as `hvm gethvmc`, so the answer for PV would not hold' },
    ];
    operation.diagnostics.push(guest['not-rehearsed'](undefined, { type: config.guest }, { notes }));
    return undefined;
  }
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > VCPU_LIMIT) return refuse(`${vcpus} vCPUs are out of range`);
  const pages = Math.floor(memoryKib / KIB_PER_PAGE);
  if (!(pages >= SMALLEST_PAGES && maxKib <= MEMORY_LIMIT_KIB)) return refuse(`${memoryKib} KiB are out of range`);
  return { vcpus, pages, maxPages: Math.floor(maxKib / KIB_PER_PAGE), claimsMemory: config.claimsMemory };
}

/** Creates the domain and gives it its name. XEN: `libxl__domain_make`. */
function makeDomain(
  operation: Operation,
  config: DomainConfig,
  sids: GuestSids,
  vcpus: number,
  uuid: string,
): Progress {
  const { recorder, state } = operation;
  let domid: Domid | undefined;
  recorder.step('libxl creates the domain', 'libxl', () => {
    recorder.ask('libxl', 'sysctl.physinfo', {});
    const args = { ssidref: sids.build, maxVcpus: vcpus, handle: uuid };
    const made = recorder.ask('libxl', 'domctl.createdomain', args);
    if (made.kind === 'ok') {
      domid = made.value.domid;
      lookAt(operation, domid, false);
      return 'done';
    }
    logLibxl(operation, 'libxl_create.c:711:libxl__domain_make', `domain creation fail: ${errnoText(made.errno)}`);
    logLibxl(operation, 'libxl_create.c:1296:initiate_domain_create', 'cannot make domain: -3');
    return 'failed';
  });
  if (domid === undefined) {
    operation.diagnostics.push(
      guest['step-failed'](
        config.labels.build?.origin,
        { guest: config.name, step: 'the creation of its domain' },
        { notes: refusalNotes(recorder.refusal) },
      ),
    );
    return { kind: 'failed', domid: undefined, rc: -3 };
  }
  const made = domid;
  const named = recorder.step('libxl sees to it that the name is free', 'libxl', () => {
    if (listDomains(operation).some((domain) => domain.name === config.name && domain.domid !== made)) return 'failed';
    lookAt(operation, made, true);
    return 'done';
  });
  const isFree = named === 'done';
  state.guests.set(made, {
    domid: made,
    name: isFree ? config.name : undefined,
    uuid,
    storePort: undefined,
    consolePort: undefined,
    hasStarted: false,
    isGivenUp: false,
  });
  if (isFree) return { kind: 'created', domid: made };
  logLibxl(
    operation,
    'libxl_domain.c:81:libxl__domain_rename',
    `Domain ${made}:Domain with name "${config.name}" already exists.`,
  );
  logLibxl(operation, 'libxl_create.c:1296:initiate_domain_create', `Domain ${made}:cannot make domain: -6`);
  operation.diagnostics.push(guest['name-taken'](undefined, { name: config.name }));
  return { kind: 'failed', domid: made, rc: -6 };
}

/** Attaches xenstore and the console, and waits for the console as libxl does. */
function attachDaemons(
  operation: Operation,
  config: DomainConfig,
  domid: Domid,
  built: { readonly storePort: Port; readonly consolePort: Port },
  attach: { readonly store: () => string; readonly console: () => string },
): Failure | undefined {
  const record = operation.state.guests.get(domid);
  if (record !== undefined) {
    record.storePort = built.storePort;
    record.consolePort = built.consolePort;
  }
  const { recorder } = operation;
  // XEN: xenconsoled learns of the guest from xenstored, so without the one the other never wakes.
  if (attach.store() === 'done' && attach.console() === 'done') return undefined;
  const { refusal } = recorder;
  recorder.step('libxl waits 10 s for the console', 'libxl', () => 'failed');
  operation.messages.push(
    `libxl: error: libxl_create.c:1976:console_xswait_callback: domain ${domid} console tty: timed out`,
  );
  operation.diagnostics.push(
    guest['console-timeout'](config.labels.build?.origin, { guest: config.name }, { notes: refusalNotes(refusal) }),
  );
  return { kind: 'failed', domid, rc: -9 };
}

/** The last act of the build. XEN: `domcreate_complete`, the guest being still paused. */
function relabel(operation: Operation, config: DomainConfig, domid: Domid, sid: number): Failure | undefined {
  const { recorder } = operation;
  const label = config.labels.run?.text ?? '';
  const open = distinctPages(recorder.hypercalls.openMappings(domid));
  const before = recorder.hypercalls.inspectDomain(domid)?.label ?? '';
  const step = recorder.timeline.length;
  const outcome = recorder.step('libxl relabels the guest', 'libxl', () =>
    recorder.ask('libxl', 'xsm_op.relabel_domain', { domid, sid }).kind === 'ok' ? 'done' : 'failed',
  );
  if (outcome === 'failed') {
    // XEN: libxl says nothing here; this line is libxc's.
    operation.messages.push('XSM operation failed!');
    operation.diagnostics.push(
      guest['relabel-denied'](
        config.labels.run?.origin,
        { guest: config.name, label },
        { notes: refusalNotes(recorder.refusal) },
      ),
    );
    return { kind: 'failed', domid, rc: -3 };
  }
  const to = recorder.hypercalls.inspectDomain(domid)?.label ?? label;
  operation.labelChanges.push({ domid, from: before, to, step, openMappings: open });
  for (const { mapper, frames, kind, ref, isWritable, labelWhenMapped } of open) {
    const through = kind === 'grant' ? `grant ${ref}` : 'a foreign mapping';
    const notes = [
      {
        message: `${mapper.process} in domain ${mapper.domid} mapped it through ${through}, ${isWritable ? 'writable' : 'read-only'}, under \`${labelWhenMapped}\``,
      },
      { message: 'a relabel revokes nothing that is already mapped' },
    ];
    for (let page = frames.first; page < frames.first + Math.min(frames.count, MAX_PAGE_NOTES); page++) {
      operation.diagnostics.push(
        guest['pages-stay-mapped'](config.labels.run?.origin, { page, domid, label: to }, { notes }),
      );
    }
  }
  return undefined;
}

/** Pages of one mapping that are reported one by one. */
const MAX_PAGE_NOTES = 1024;

/** From the domain to the built, relabelled and paused guest. */
function finishGuest(
  operation: Operation,
  config: DomainConfig,
  domid: Domid,
  plan: Omit<BuildPlan, 'domid'>,
  sids: GuestSids,
): Failure | undefined {
  const { recorder, state } = operation;
  const built = buildPv(operation, { domid, ...plan });
  if (built.kind === 'failed') {
    operation.diagnostics.push(
      guest['step-failed'](
        config.labels.build?.origin,
        { guest: config.name, step: built.step },
        { notes: refusalNotes(recorder.refusal) },
      ),
    );
    return { kind: 'failed', domid, rc: built.rc };
  }
  const { storePort, consolePort, consoleFrame } = built.guest;
  const unserved = attachDaemons(
    operation,
    config,
    domid,
    { storePort, consolePort },
    {
      store: () => introduceDomain(recorder, state, domid, storePort),
      console: () => attachConsole(recorder, state, domid, consolePort, consoleFrame),
    },
  );
  if (unserved !== undefined) return unserved;
  const refused = sids.run === undefined ? undefined : relabel(operation, config, domid, sids.run);
  if (refused !== undefined) return refused;
  recheckConsole(recorder, state, domid, consolePort);
  recorder.step('libxl stores the configuration', 'libxl', () => {
    // XEN: the lock of the userdata and the store each look at the domain; not all of them ask for its label.
    for (const withLabel of [true, false, true, true, false]) lookAt(operation, domid, withLabel);
    return 'done';
  });
  return undefined;
}

/** libxl destroys what it could not finish; xl, which got the domain id, then destroys it again. */
function cleanUp(operation: Operation, domid: Domid): void {
  const first = destroyDomain(operation, domid);
  if (first.rc !== 0) {
    logLibxl(
      operation,
      'libxl_create.c:2051:domcreate_destruction_cb',
      `Domain ${domid}:unable to destroy domain following failed creation`,
    );
  }
  const second = destroyDomain(operation, domid);
  if (second.rc !== 0) logDestroyFailed(operation, domid);
  // What the first attempt left decides; the second finds no domain when the first went well.
  reportLeftovers(operation, domid, first.rc === 0 ? first : second);
}

/** Creates a guest and, unless asked not to, starts it. */
export function createGuest(operation: Operation, config: DomainConfig, options: CreateOptions): OperationReport {
  const { recorder } = operation;
  const plan = planGuest(operation, config);
  if (plan === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  recorder.step('xl starts and reads the configuration', 'xl', () => {
    for (let i = 0; i < 3; i++) recorder.ask('xl', 'sysctl.physinfo', {});
    return 'done';
  });
  let sids: GuestSids | undefined;
  recorder.step('libxl turns the labels into SIDs', 'libxl', () => {
    recorder.ask('libxl', 'sysctl.physinfo', {});
    sids = resolveLabels(operation, config);
    return sids === undefined ? 'failed' : 'done';
  });
  if (sids === undefined) return report(operation, { isDone: false, xlExitCode: 1 });
  const made = makeDomain(operation, config, sids, plan.vcpus, config.uuid ?? options.uuid);
  const failure = made.kind === 'failed' ? made : finishGuest(operation, config, made.domid, plan, sids);
  if (failure !== undefined) {
    const { domid } = failure;
    if (domid !== undefined) cleanUp(operation, domid);
    const domain = domid === undefined ? undefined : finalState(operation, domid);
    return report(operation, { isDone: false, xlExitCode: 3, domain });
  }
  const domid = made.domid;
  if (domid === undefined) return report(operation, { isDone: false, xlExitCode: 3 });
  let isDone = true;
  if (options.paused !== true) {
    isDone = unpauseDomain(operation, domid, 'xl starts the guest');
    recorder.step('xl waits for the guest to end', 'xl', () => {
      lookAt(operation, domid, false);
      return 'done';
    });
  }
  return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, domid) });
}
