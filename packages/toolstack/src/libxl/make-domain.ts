/**
 * Making a domain: the empty domain and its name, for a guest and for a stub domain alike.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`, `libxl__domain_make`.
 *
 * @module
 */
import { isSince } from '@dewar/policy/releases';
import type { Domid, SidNumber } from '../hypercalls.ts';
import type { BuildPlan, BuiltGuest } from './build-guest.ts';
import { meetDomain } from './daemons.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import type { GuestConfig } from './guest-config.ts';
import { lookAt, type Operation } from './operation.ts';
import { ownerOfName } from './run-state.ts';
import { logLibxl } from './said.ts';
import { growingKibOf, type Placement, placementOf } from './stored-json.ts';
import { addGuest } from './toolstack-state.ts';

const KIB_PER_PAGE = 4;

/**
 * What libxl makes of a domain that gets no pool of CPUs, or no cache colours, and of a name that cannot be given. XEN: `ERROR_FAIL`,
 * `ERROR_INVAL`, `ERROR_NOMEM`, `ERROR_DOMAIN_NOTFOUND`.
 */
const FAULT_RC = { 'not moved': -3, 'no colours': -3, 'name taken': -6, 'not told': -5, 'not seen': -21 } as const;

/** What failed then; of a name that is taken it is said otherwise. */
const FAILED_STEPS = {
  'not moved': 'the choice of its pool of CPUs',
  'no colours': 'the choice of its cache colours',
  'not told': 'the naming of its domain',
  'not seen': 'the naming of its domain',
} as const;

/** A stub domain runs where libxl finds room for it. */
const NO_PLACEMENT: Placement = { isAutomatic: true, hard: [], soft: [] };

/** How far a creation came. */
export type Progress = { readonly kind: 'created'; readonly domid: Domid } | Failure;

/** A creation that did not come to its end. */
export interface Failure {
  readonly kind: 'failed';
  /** Undefined as long as there is no domain. */
  readonly domid: Domid | undefined;
  readonly rc: number;
}

/** Says which step of the creation failed, and why. */
export function reportFailed(
  { recorder, diagnostics }: Operation,
  { labels, name }: GuestConfig,
  step: string,
  domid?: Domid,
): Failure {
  const notes = refusalNotes(recorder.refusal);
  diagnostics.push(guest['step-failed'](labels.build?.origin, { guest: name, step }, { notes }));
  return { kind: 'failed', domid, rc: -3 };
}

/** The configuration as the builders read it. */
export function planOf(config: GuestConfig, domid: Domid, isStub = false): BuildPlan {
  const { hardware } = config;
  return {
    domid,
    type: config.type,
    vcpus: config.maxVcpus,
    onlineVcpus: config.vcpus,
    pages: Math.floor(config.memoryKib / KIB_PER_PAGE),
    maxPages: Math.floor(config.maxMemoryKib / KIB_PER_PAGE),
    videoPages: Math.floor((hardware.deviceModel?.videoKib ?? 0) / KIB_PER_PAGE),
    claimsMemory: config.claimsMemory,
    scheduler: config.scheduler,
    placement: isStub ? NO_PLACEMENT : placementOf(config.json),
    usesHostMap: config.type === 'pv' && hardware.pci.length > 0,
    isStub,
  };
}

/** xenstore has the ports of the guest's rings. */
export function notePorts(
  { state }: Operation,
  domid: Domid,
  { storePort, consolePort }: Pick<BuiltGuest, 'storePort' | 'consolePort'>,
): void {
  const record = state.guests.get(domid);
  if (record === undefined) return;
  record.storePort = storePort;
  record.consolePort = consolePort;
}

/** What else the making of a domain needs to know. */
export interface MakeOptions {
  readonly uuid: string;
  readonly isWatched: boolean;
  /** The guest that the new domain is to be the device model of. */
  readonly target?: Domid;
}

/** Creates the domain and gives it its name. */
export function makeDomain(
  operation: Operation,
  config: GuestConfig,
  ssidref: SidNumber,
  { uuid, isWatched, target }: MakeOptions,
): Progress {
  const { recorder, state } = operation;
  const what = target === undefined ? 'the domain' : `a stub domain for domain ${target}`;
  let domid: Domid | undefined;
  let fault: keyof typeof FAULT_RC | undefined;
  let isShutOut = false;
  recorder.step(`libxl creates ${what}`, 'libxl', () => {
    recorder.ask('libxl', 'sysctl.physinfo', {});
    const isHvm = config.type !== 'pv';
    const hasIommu = config.hardware.hasPassthrough;
    const args = { ssidref, maxVcpus: config.maxVcpus, handle: uuid, isHvm, hasIommu };
    const made = recorder.ask('libxl', 'domctl.createdomain', args);
    if (made.kind === 'ok') {
      domid = made.value.domid;
      // XEN: until 4.16 the domain is moved to its pool of CPUs once it is there.
      if (!isSince(recorder.hypercalls.release, '4.17')) {
        const moved = recorder.ask('libxl', 'sysctl.cpupool_op', {});
        if (moved.kind === 'error') {
          const words = `Domain ${domid}:domain move fail`;
          logLibxl(operation, 'libxl_create.c:731:libxl__domain_make', words, moved.errno);
          fault = 'not moved';
          return 'failed';
        }
      }
      // XEN: 4.20 says it of each guest, and that a machine has no such colours is no fault; since 4.21 of those that are to
      // have some.
      if (!isSince(recorder.hypercalls.release, '4.21')) {
        const coloured = recorder.ask('libxl', 'domctl.set_llc_colors', { domid });
        if (coloured.kind === 'error' && coloured.errno !== 'EOPNOTSUPP') {
          const words = `Domain ${domid}:LLC colors allocation failed`;
          logLibxl(operation, 'libxl_create.c:764:libxl__domain_make', words, coloured.errno);
          fault = 'no colours';
          return 'failed';
        }
      }
      const { domid: owner } = made.value;
      const lost = meetDomain(recorder, state, owner, config.type === 'hvm');
      isShutOut = lost.length > 0;
      for (const entry of lost) {
        const words = `xenstore set permissions failed on \`/local/domain/${owner}/${entry}'`;
        logLibxl(operation, 'libxl_xshelp.c:186:libxl__xs_mknod', words, 'ENOENT');
      }
      if (isShutOut) {
        const notes = refusalNotes(recorder.refusal);
        operation.diagnostics.push(guest['unknown-to-xenstored'](undefined, { guest: config.name }, { notes }));
      }
      return 'done';
    }
    logLibxl(operation, 'libxl_create.c:711:libxl__domain_make', 'domain creation fail', made.errno);
    if (target === undefined)
      logLibxl(operation, 'libxl_create.c:1296:initiate_domain_create', 'cannot make domain: -3');
    return 'failed';
  });
  if (domid === undefined) {
    const made = target === undefined ? 'domain' : 'stub domain';
    return reportFailed(operation, config, `the creation of its ${made}`);
  }
  const made = domid;
  if (fault === undefined) {
    recorder.step('libxl gives it its name, which has to be free', 'libxl', () => {
      const owner = ownerOfName(operation, config.name, made);
      if (owner !== 'nobody') fault = owner === 'another' ? 'name taken' : 'not told';
      else if (lookAt(operation, made, true) === undefined) fault = 'not seen';
      return fault === undefined ? 'done' : 'failed';
    });
  }
  const refusal = recorder.refusal;
  addGuest(state, {
    domid: made,
    name: fault === undefined ? config.name : undefined,
    uuid,
    isWatched,
    targetKib: config.memoryKib - (config.type === 'hvm' ? growingKibOf(config.json) : 0),
    staticMaxKib: config.maxMemoryKib,
    availableVcpus: config.vcpus,
    storePort: undefined,
    consolePort: undefined,
    hasStarted: false,
    isStuck: false,
    isShutOut,
    isRestored: false,
    pendingStop: undefined,
    grantFrames: 1,
    target,
    isGivenUp: false,
  });
  if (fault === undefined) return { kind: 'created', domid: made };
  const rc = FAULT_RC[fault];
  if (fault === 'name taken') {
    const words = `Domain ${made}:Domain with name "${config.name}" already exists.`;
    logLibxl(operation, 'libxl_domain.c:81:libxl__domain_rename', words);
    operation.diagnostics.push(guest['name-taken'](undefined, { name: config.name }));
  } else {
    recorder.blame(refusal);
    reportFailed(operation, config, FAILED_STEPS[fault], made);
  }
  logLibxl(operation, 'libxl_create.c:1296:initiate_domain_create', `Domain ${made}:cannot make domain: ${rc}`);
  return { kind: 'failed', domid: made, rc };
}
