/**
 * From resolved labels to a built, relabelled and paused guest; what a new guest and a restored one have in common.
 *
 * Follows Xen `tools/libs/light/libxl_create.c`: `do_domain_create` and its callbacks, in their order.
 *
 * @module
 */
import type { CreateOptions } from '../host.ts';
import type { Domid, FrameRange, OpenMapping } from '../hypercalls.ts';
import { addDevice, giveResources, misdescribed } from './add-devices.ts';
import { resolveBackend } from './backends.ts';
import type { BuiltGuest, GuestBuilder } from './build-guest.ts';
import { buildHvm } from './build-hvm.ts';
import { buildPv } from './build-pv.ts';
import { buildPvh } from './build-pvh.ts';
import { isPool } from './cpupools.ts';
import { type GuestSids, resolveLabels } from './create-labels.ts';
import { attachConsole, DOM0, introduceDomain, recheckConsole } from './daemons.ts';
import { destroyDomain, logDestroyFailed, reportLeftovers } from './destroy.ts';
import { logDeviceModelFailed, modelPlanOf, startDeviceModel, talkToModel } from './device-model.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { type GuestConfig, withoutOrigins } from './guest-config.ts';
import type { GuestDevice } from './guest-devices.ts';
import { type Failure, makeDomain, notePorts, type Progress, planOf, reportFailed } from './make-domain.ts';
import { distinctPages, logUnseen, lookAt, type Operation } from './operation.ts';
import { addPciDevice } from './pci.ts';
import type { Refusal } from './recorder.ts';
import { logLibxl } from './said.ts';
import { storedAtBuild } from './stored-json.ts';
import { startStubDomain } from './stub-domain.ts';
import type { GuestRecord } from './toolstack-state.ts';
import { deviceTitle } from './xenstore-devices.ts';

/** XEN: `ERROR_LOCK_FAIL`. By then libxl keeps the domain, whatever comes. */
export const LOCK_FAILED = -15;

/** Serves the console of a guest; says so, or why not. */
type ServeConsole = () => { readonly isServed: boolean; readonly refusal: Refusal | undefined };

/**
 * Has xenstore served. The console comes later: its daemon learns of the guest from xenstored, and libxl does not wait
 * for it until it has added what needs no waiting.
 */
function attachDaemons(
  operation: Operation,
  domid: Domid,
  { storePort, consolePort, consoleFrame, refusal: earlier }: BuiltGuest,
): ServeConsole {
  const { recorder, state } = operation;
  notePorts(operation, domid, { storePort, consolePort });
  const isIntroduced = introduceDomain(recorder, state, domid, storePort) === 'done';
  const refusal = earlier ?? recorder.refusal;
  // XEN: without xenstored's word the console's daemon never wakes.
  if (!isIntroduced) return () => ({ isServed: false, refusal });
  let outcome: ReturnType<ServeConsole> | undefined;
  return () => {
    if (outcome === undefined) {
      const isServed = attachConsole(recorder, state, domid, consolePort, consoleFrame) === 'done';
      outcome = { isServed, refusal: recorder.refusal };
    }
    return outcome;
  };
}

/** The console was not served in time. */
function reportUnserved(
  operation: Operation,
  config: GuestConfig,
  domid: Domid,
  refusal: Refusal | undefined,
): Failure {
  operation.recorder.step('libxl waits 10 s for the console', 'libxl', () => 'failed');
  operation.messages.push(
    `libxl: error: libxl_create.c:1976:console_xswait_callback: domain ${domid} console tty: timed out`,
  );
  operation.diagnostics.push(
    guest['console-timeout'](config.labels.build?.origin, { guest: config.name }, { notes: refusalNotes(refusal) }),
  );
  return { kind: 'failed', domid, rc: -9 };
}

/** Pages of one mapping: the first, and how many come after it. */
function pagesText({ first, count }: FrameRange): string {
  return count === 1 ? String(first) : `${first} and ${count - 1} more`;
}

/** Who has which pages mapped, and since which label. */
function mappingText({ mapper, kind, ref, isWritable, labelWhenMapped }: OpenMapping): string {
  const through = kind === 'grant' ? `grant ${ref}` : 'a foreign mapping';
  const access = isWritable ? 'writable' : 'read-only';
  return `${mapper.process} in domain ${mapper.domid} mapped it through ${through}, ${access}, under \`${labelWhenMapped}\``;
}

/** XEN: `GNTTAB_RESERVED_CONSOLE` and `GNTTAB_RESERVED_XENSTORE`: grants that the toolstack makes for every guest. */
const RESERVED_GRANTS: readonly (number | undefined)[] = [0, 1];

/** Mappings that a guest need not have. */
function isResidual({ kind, ref }: OpenMapping): boolean {
  return kind !== 'grant' || !RESERVED_GRANTS.includes(ref);
}

/** Ends the build before a relabel that would not take the guest's memory out of others' reach. */
function refuseResidual(
  operation: Operation,
  config: GuestConfig,
  domid: Domid,
  residual: readonly OpenMapping[],
): Failure {
  operation.recorder.step('the relabel is refused: pages of the guest are mapped', 'libxl', () => 'failed');
  const pages = residual.reduce((sum, { frames }) => sum + frames.count, 0);
  const notes = residual.map((mapping) => ({ message: `page ${pagesText(mapping.frames)}: ${mappingText(mapping)}` }));
  operation.diagnostics.push(
    guest['residual-mappings'](config.labels.run?.origin, { guest: config.name, pages }, { notes }),
  );
  return { kind: 'failed', domid, rc: -3 };
}

/** The last act of the build. XEN: `domcreate_complete`, the guest being still paused. */
function relabel(
  operation: Operation,
  config: GuestConfig,
  domid: Domid,
  { sid, onResidual }: { readonly sid: number; readonly onResidual: CreateOptions['onResidual'] },
): Failure | undefined {
  const { recorder } = operation;
  const label = config.labels.run?.text ?? '';
  const open = distinctPages(recorder.hypercalls.openMappings(domid));
  const residual = open.filter(isResidual);
  if (onResidual === 'refuse' && residual.length > 0) return refuseResidual(operation, config, domid, residual);
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
  for (const mapping of open) {
    const notes = [{ message: mappingText(mapping) }, { message: 'a relabel revokes nothing that is already mapped' }];
    const what = { page: pagesText(mapping.frames), domid, label: to };
    operation.diagnostics.push(guest['pages-stay-mapped'](config.labels.run?.origin, what, { notes }));
  }
  return undefined;
}

/** Starts the device model, in dom0 or in a stub domain. */
function startModel(
  operation: Operation,
  config: GuestConfig,
  domid: Domid,
  { deviceModel: label }: GuestSids,
): Failure | undefined {
  const { deviceModel } = config.hardware;
  if (deviceModel === undefined) return undefined;
  const isIncoming = operation.state.guests.get(domid)?.isRestored === true;
  if (deviceModel.stub !== undefined) {
    const model = startStubDomain(operation, config, domid, { deviceModel, isIncoming }, label);
    return model === undefined ? { kind: 'failed', domid, rc: -3 } : undefined;
  }
  if (startDeviceModel(operation, modelPlanOf(config, domid, isIncoming), DOM0) === 'done') {
    operation.recorder.step('libxl asks the device model for its ports', 'libxl', () => {
      talkToModel(operation, domid);
      return 'done';
    });
    return undefined;
  }
  logDeviceModelFailed(operation, domid, true);
  return reportFailed(operation, config, 'the start of its device model', domid);
}

function logNotAdded(operation: Operation, domid: Domid, place: string, kind: string): void {
  logLibxl(operation, `libxl_create.c:${place}`, `Domain ${domid}:unable to add ${kind} devices`);
}

/** What makes devices of the guest work before it runs: disks, its device model, network cards, PCI devices. */
function attachHardware(
  operation: Operation,
  config: GuestConfig,
  domid: Domid,
  { sids, serveConsole }: { readonly sids: GuestSids; readonly serveConsole: ServeConsole },
): Failure | undefined {
  const { hardware } = config;
  for (const device of hardware.devices.filter(({ kind }) => kind === 'vbd')) {
    if (addDevice(operation, domid, device)) continue;
    logNotAdded(operation, domid, '1672:domcreate_launch_dm', 'disk');
    return reportFailed(operation, config, `the adding of disk ${device.name}`, domid);
  }
  if (hardware.deviceModel !== undefined) serveConsole();
  const refusedStep = giveResources(operation, domid, hardware.resources);
  if (refusedStep !== undefined) return reportFailed(operation, config, refusedStep, domid);
  const modelless = startModel(operation, config, domid, sids);
  if (modelless !== undefined) return modelless;
  for (const device of hardware.devices.filter(({ kind }) => kind === 'vif')) {
    if (addDevice(operation, domid, device)) continue;
    logNotAdded(operation, domid, '1921:domcreate_attach_devices', 'vif');
    return reportFailed(operation, config, `the adding of network card ${device.name}`, domid);
  }
  serveConsole();
  for (const device of hardware.pci) {
    const added = addPciDevice(operation, domid, device, { isStarting: true });
    if (added.kind === 'failed') return reportFailed(operation, config, `the adding of ${added.what}`, domid);
  }
  return undefined;
}

/** What libxl keeps of the configuration, with what it decided itself. */
function storedConfig(config: GuestConfig, { uuid, devices, isRestored }: GuestRecord): GuestConfig {
  const cards = devices.flatMap(({ kind, devid, mac }) => (kind === 'vif' ? [{ devid, mac: mac ?? '' }] : []));
  const videoKib = config.hardware.deviceModel?.videoKib;
  return { ...withoutOrigins(config), uuid, json: storedAtBuild(config.json, { uuid, videoKib, cards, isRestored }) };
}

/** From the domain to the built, relabelled and paused guest. */
function finishGuest(
  operation: Operation,
  config: GuestConfig,
  domid: Domid,
  sids: GuestSids,
  { build, onResidual }: { readonly build: GuestBuilder; readonly onResidual: CreateOptions['onResidual'] },
): Failure | undefined {
  const { recorder, state } = operation;
  const built = build(operation, planOf(config, domid));
  if (built.kind === 'failed') {
    const words = `Domain ${domid}:cannot (re-)build domain: ${built.rc}`;
    logLibxl(operation, 'libxl_create.c:1640:domcreate_rebuild_done', words);
    return { ...reportFailed(operation, config, built.step, domid), rc: built.rc };
  }
  const serveConsole = attachDaemons(operation, domid, built.guest);
  const bare = attachHardware(operation, config, domid, { sids, serveConsole });
  if (bare !== undefined) return bare;
  const served = serveConsole();
  if (!served.isServed) return reportUnserved(operation, config, domid, served.refusal);
  const refused = sids.run === undefined ? undefined : relabel(operation, config, domid, { sid: sids.run, onResidual });
  if (refused !== undefined) return refused;
  recheckConsole(recorder, state, domid, built.guest.consolePort);
  const stored = recorder.step('libxl stores the configuration', 'libxl', () => {
    // XEN: the lock of the userdata and the store each look at the domain; not all of them ask for its label.
    if (lookAt(operation, domid, true) === undefined) {
      logUnseen(operation, domid, 'EAGAIN');
      return 'failed';
    }
    const record = state.guests.get(domid);
    if (record !== undefined) record.config = storedConfig(config, record);
    for (const withLabel of [false, true, true, false]) lookAt(operation, domid, withLabel);
    return 'done';
  });
  if (stored === 'done') return undefined;
  return { ...reportFailed(operation, config, 'the storing of its configuration', domid), rc: LOCK_FAILED };
}

/** libxl destroys what it could not finish; xl, which got the domain id, then destroys it again. */
function cleanUp(operation: Operation, domid: Domid, rc: number): void {
  const first = rc === LOCK_FAILED ? undefined : destroyDomain(operation, domid);
  if (first !== undefined && first.rc !== 0) {
    logLibxl(
      operation,
      'libxl_create.c:2051:domcreate_destruction_cb',
      `Domain ${domid}:unable to destroy domain following failed creation`,
    );
  }
  const second = destroyDomain(operation, domid);
  if (second.rc !== 0) logDestroyFailed(operation, domid);
  // What the first attempt left decides; the second finds no domain when the first went well.
  reportLeftovers(operation, domid, first?.rc === 0 ? first : second);
}

/** How a guest is built from nothing. */
function builderFor({ type }: GuestConfig): GuestBuilder {
  switch (type) {
    case 'pv':
      return buildPv;
    case 'pvh':
      return buildPvh;
    case 'hvm':
      return buildHvm;
  }
}

/** XEN: `libxl__domain_config_setdefault`: what the host cannot give, before there is a domain. */
function platformFault(operation: Operation, config: GuestConfig): Failure | undefined {
  const { hardware, type, name, pool } = config;
  if (pool !== undefined && !isPool(pool)) {
    const words = `Illegal pool specified: ${pool}`;
    logLibxl(operation, 'libxl_create.c:1134:libxl__domain_config_setdefault', words);
    const reason = `there is no CPU pool \`${pool}\``;
    operation.diagnostics.push(guest['bad-request'](undefined, { guest: name, reason }));
    return { kind: 'failed', domid: undefined, rc: -6 };
  }
  if (!hardware.hasPassthrough) return undefined;
  const isOnDemand = type !== 'pv' && config.maxMemoryKib > config.memoryKib;
  if (operation.host.hasIommu && !isOnDemand) return undefined;
  const [line, words, reason] = operation.host.hasIommu
    ? [
        1195,
        'IOMMU required for device passthrough but not supported together with PoD',
        'a guest with devices of the host cannot have memory on demand: `maxmem` is more than `memory`',
      ]
    : [1160, 'passthrough not supported on this platform', 'it is to have devices of the host, which has no IOMMU'];
  logLibxl(operation, `libxl_create.c:${line}:libxl__domain_config_setdefault`, words);
  operation.diagnostics.push(guest['bad-request'](undefined, { guest: name, reason }));
  return { kind: 'failed', domid: undefined, rc: -6 };
}

/**
 * Before the guest is built: each device is described so that it can be had, by a domain that there is. XEN:
 * `initiate_domain_create`, `libxl__device_nic_set_devids`.
 */
function describeDevices(operation: Operation, domid: Domid, config: GuestConfig): Failure | undefined {
  const { devices } = config.hardware;
  const record = operation.state.guests.get(domid);
  if (devices.length === 0 || record === undefined) return undefined;
  let culprit: GuestDevice | undefined;
  operation.recorder.step('libxl looks for the domains that are to serve its devices', 'libxl', () => {
    culprit = devices.find((device) => {
      const { kind, backend } = device;
      const isServed = backend === undefined || resolveBackend(operation, backend) !== undefined;
      // XEN: `libxl__device_nic_setdefault` asks for the type of the guest, once it has found the domain.
      if (kind === 'vif' && isServed) lookAt(operation, domid, false);
      return !isServed || misdescribed(operation, record, device) !== undefined;
    });
    return culprit === undefined ? 'done' : 'failed';
  });
  if (culprit === undefined) return undefined;
  const { kind } = culprit;
  const index = devices.filter((one) => one.kind === kind).indexOf(culprit);
  const place =
    kind === 'vbd' ? 'libxl_create.c:1318:initiate_domain_create' : 'libxl_nic.c:520:libxl__device_nic_set_devids';
  const word = kind === 'vbd' ? 'disk' : 'nic';
  logLibxl(operation, place, `Domain ${domid}:Unable to set ${word} defaults for ${word} ${index}`);
  return reportFailed(operation, config, `the choice of what serves ${deviceTitle(culprit)}`, domid);
}

/** What else the construction needs to know. */
export interface ConstructOptions {
  /** The UUID, when the configuration has none. */
  readonly uuid: string;
  readonly isWatched: boolean;
  /** How the domain is filled; without it the guest is new. */
  readonly build?: GuestBuilder;
  /** As for `Host.create`. */
  readonly onResidual?: CreateOptions['onResidual'];
}

/** The pool of CPUs that the guest is to be in has no name. XEN: `libxl__domain_config_setdefault`, `ERROR_INVAL`. */
function withoutPool(operation: Operation, config: GuestConfig): Progress {
  const words = 'Illegal pool specified: (null)';
  logLibxl(operation, 'libxl_create.c:1134:libxl__domain_config_setdefault', words);
  const why =
    '`xen-init-dom0` could not look at dom0 when this host booted: dom0 and the pool of CPUs have no name in xenstore';
  const step = 'the choice of its pool of CPUs';
  const notes = [{ message: why }];
  operation.diagnostics.push(
    guest['step-failed'](config.labels.build?.origin, { guest: config.name, step }, { notes }),
  );
  return { kind: 'failed', domid: undefined, rc: -6 };
}

/**
 * Resolves the labels, makes the domain, builds it, has it served, relabels it. What could not be finished is
 * cleaned up.
 */
export function constructGuest(operation: Operation, config: GuestConfig, options: ConstructOptions): Progress {
  const { recorder } = operation;
  let sids: GuestSids | undefined;
  let isHostKnown = false;
  recorder.step('libxl turns the labels into SIDs', 'libxl', () => {
    const physinfo = recorder.ask('libxl', 'sysctl.physinfo', {});
    isHostKnown = physinfo.kind === 'ok';
    if (physinfo.kind === 'error') {
      logLibxl(operation, 'libxl.c:361:libxl_get_physinfo', 'getting physinfo', physinfo.errno);
      return 'failed';
    }
    operation.host.hasIommu = physinfo.value.hasIommu;
    sids = resolveLabels(operation, config);
    return sids === undefined ? 'failed' : 'done';
  });
  if (!isHostKnown) return reportFailed(operation, config, 'the look at the host');
  if (sids === undefined) return { kind: 'failed', domid: undefined, rc: -1 };
  if (operation.state.isDom0Bare) return withoutPool(operation, config);
  const fault = platformFault(operation, config);
  if (fault !== undefined) return fault;
  const { isWatched } = options;
  const made = makeDomain(operation, config, sids.build, { uuid: config.uuid ?? options.uuid, isWatched });
  if (made.kind === 'failed') {
    if (made.domid !== undefined) cleanUp(operation, made.domid, made.rc);
    return made;
  }
  const failure =
    describeDevices(operation, made.domid, config) ??
    finishGuest(operation, config, made.domid, sids, {
      build: options.build ?? builderFor(config),
      onResidual: options.onResidual,
    });
  if (failure === undefined) return made;
  if (failure.domid !== undefined) cleanUp(operation, failure.domid, failure.rc);
  return failure;
}
