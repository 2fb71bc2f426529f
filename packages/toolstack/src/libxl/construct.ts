/**
 * From a configuration to a guest that is built, relabelled and paused; and back to nothing where that fails.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`, `initiate_domain_create` to `domcreate_complete`.
 *
 * @module
 */
import type { Domid, Port } from '../hypercalls.ts';
import type { BuildPlan, GuestBuilder } from './build-guest.ts';
import { buildPv } from './build-pv.ts';
import { buildPvh } from './build-pvh.ts';
import { type GuestSids, resolveLabels } from './create-labels.ts';
import { attachConsole, introduceDomain, recheckConsole } from './daemons.ts';
import { destroyDomain, errnoText, logDestroyFailed, reportLeftovers } from './destroy.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { type GuestConfig, withoutOrigins } from './guest-config.ts';
import { distinctPages, listDomains, logLibxl, lookAt, type Operation } from './operation.ts';

const KIB_PER_PAGE = 4;

/** How far a creation came. */
export type Progress = { readonly kind: 'created'; readonly domid: Domid } | Failure;
interface Failure {
  readonly kind: 'failed';
  /** Undefined as long as there is no domain. */
  readonly domid: Domid | undefined;
  readonly rc: number;
}

/** The configuration as the builders read it. */
function planOf(config: GuestConfig, domid: Domid): BuildPlan {
  return {
    domid,
    type: config.type,
    vcpus: config.maxVcpus,
    onlineVcpus: config.vcpus,
    pages: Math.floor(config.memoryKib / KIB_PER_PAGE),
    maxPages: Math.floor(config.maxMemoryKib / KIB_PER_PAGE),
    claimsMemory: config.claimsMemory,
    scheduler: config.scheduler,
  };
}

/** Creates the domain and gives it its name. XEN: `libxl__domain_make`. */
function makeDomain(
  operation: Operation,
  config: GuestConfig,
  sids: GuestSids,
  uuid: string,
  isWatched: boolean,
): Progress {
  const { recorder, state } = operation;
  let domid: Domid | undefined;
  recorder.step('libxl creates the domain', 'libxl', () => {
    recorder.ask('libxl', 'sysctl.physinfo', {});
    const isHvm = config.type === 'pvh';
    const args = { ssidref: sids.build, maxVcpus: config.maxVcpus, handle: uuid, isHvm };
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
    config: undefined,
    isWatched,
    targetKib: config.memoryKib,
    staticMaxKib: config.maxMemoryKib,
    availableVcpus: config.vcpus,
    storePort: undefined,
    consolePort: undefined,
    hasStarted: false,
    isStuck: false,
    isRestored: false,
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
  config: GuestConfig,
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
function relabel(operation: Operation, config: GuestConfig, domid: Domid, sid: number): Failure | undefined {
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
  config: GuestConfig,
  domid: Domid,
  sids: GuestSids,
  build: GuestBuilder,
): Failure | undefined {
  const { recorder, state } = operation;
  const built = build(operation, planOf(config, domid));
  if (built.kind === 'failed') {
    const words = `Domain ${domid}:cannot (re-)build domain: ${built.rc}`;
    logLibxl(operation, 'libxl_create.c:1640:domcreate_rebuild_done', words);
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
    const record = state.guests.get(domid);
    if (record !== undefined) record.config = { ...withoutOrigins(config), uuid: record.uuid };
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

/** How a guest is built from nothing. */
function builderFor(config: GuestConfig): GuestBuilder {
  return config.type === 'pvh' ? buildPvh : buildPv;
}

/** What else the construction needs to know. */
export interface ConstructOptions {
  /** The UUID, when the configuration has none. */
  readonly uuid: string;
  readonly isWatched: boolean;
  /** How the domain is filled; without it the guest is new. */
  readonly build?: GuestBuilder;
}

/**
 * Resolves the labels, makes the domain, builds it, has it served, relabels it. What could not be finished is
 * cleaned up.
 */
export function constructGuest(operation: Operation, config: GuestConfig, options: ConstructOptions): Progress {
  const { recorder } = operation;
  let sids: GuestSids | undefined;
  recorder.step('libxl turns the labels into SIDs', 'libxl', () => {
    recorder.ask('libxl', 'sysctl.physinfo', {});
    sids = resolveLabels(operation, config);
    return sids === undefined ? 'failed' : 'done';
  });
  if (sids === undefined) return { kind: 'failed', domid: undefined, rc: -1 };
  const made = makeDomain(operation, config, sids, config.uuid ?? options.uuid, options.isWatched);
  if (made.kind === 'failed') {
    if (made.domid !== undefined) cleanUp(operation, made.domid);
    return made;
  }
  const failure = finishGuest(operation, config, made.domid, sids, options.build ?? builderFor(config));
  if (failure === undefined) return made;
  if (failure.domid !== undefined) cleanUp(operation, failure.domid);
  return failure;
}
