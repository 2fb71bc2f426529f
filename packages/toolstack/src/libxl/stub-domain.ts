/**
 * Stub domains: the device model of an HVM guest in a PV domain of its own, with a label of its own.
 *
 * It is made, built and started in the middle of the creation of its guest, which has its first label then. Xen labels
 * the guest, in the eyes of its device model, at that moment and for good.
 *
 * Follows Xen `tools/libs/light/libxl_dm.c`, `libxl__spawn_stub_dm`.
 *
 * @module
 */
import type { Domid, SidNumber } from '../hypercalls.ts';
import { knownBackend } from './backends.ts';
import { buildPv } from './build-pv.ts';
import { introduceDomain, passConsoleOver } from './daemons.ts';
import { logDeviceModelFailed, modelPlanOf, serveConsole, talkToModel } from './device-model.ts';
import type { GuestConfig } from './guest-config.ts';
import { type DeviceModelConfig, type GuestDevice, NO_HARDWARE } from './guest-devices.ts';
import { type Failure, makeDomain, notePorts, planOf, reportFailed } from './make-domain.ts';
import type { Operation } from './operation.ts';
import { unpauseDomain } from './run-state.ts';
import { logLibxl } from './said.ts';
import type { GuestRecord, XenstoreDevice } from './toolstack-state.ts';
import { completed } from './xenstore-devices.ts';

/** How long libxl waits for a stub domain. XEN: `LIBXL_STUBDOM_START_TIMEOUT`. */
const WAIT_SECONDS = 30;

/** The configuration that libxl makes for the stub domain. XEN: no labels to change to, one vCPU, no claim. */
function stubConfigOf(
  config: GuestConfig,
  { memoryKib }: { readonly memoryKib: number },
  videoKib: number,
): GuestConfig {
  const { deviceModel } = config.labels;
  return {
    ...config,
    name: `${config.name}-dm`,
    type: 'pv',
    uuid: undefined,
    labels: { build: deviceModel, run: undefined, deviceModel: undefined },
    memoryKib: memoryKib + videoKib,
    maxMemoryKib: memoryKib + videoKib,
    vcpus: 1,
    maxVcpus: 1,
    claimsMemory: false,
    scheduler: {},
    hardware: NO_HARDWARE,
  };
}

/** A UUID for the stub domain that follows from its guest's, so that the same input gives the same report. */
function stubUuidOf(uuid: string): string {
  const flipped = (Number.parseInt(uuid.charAt(0), 16) ^ 8).toString(16);
  return `${Number.isNaN(Number.parseInt(flipped, 16)) ? '8' : flipped}${uuid.slice(1)}`;
}

/** Ties the two together. XEN: `xc_domain_set_target`. */
function tie(operation: Operation, config: GuestConfig, stub: Domid, target: Domid): boolean {
  const { recorder } = operation;
  const outcome = recorder.step(`libxl makes domain ${stub} the device model of domain ${target}`, 'libxl', () => {
    if (recorder.ask('libxl', 'domctl.set_target', { domid: stub, target }).kind === 'ok') return 'done';
    const words = `Domain ${target}:setting target domain ${stub} -> ${target}`;
    logLibxl(operation, 'libxl_dm.c:2425:libxl__spawn_stub_dm', words);
    return 'failed';
  });
  if (outcome === 'failed') reportFailed(operation, config, 'the making of its stub domain its device model');
  return outcome === 'done';
}

/** Builds the stub domain up to the point where it can be started. */
function buildStub(
  operation: Operation,
  config: GuestConfig,
  own: GuestConfig,
  target: Domid,
  ssidref: SidNumber,
): Domid | Failure {
  const { recorder, state } = operation;
  const uuid = stubUuidOf(state.guests.get(target)?.uuid ?? '');
  recorder.step('libxl prepares a stub domain for the device model', 'libxl', () => {
    recorder.ask('libxl', 'sysctl.physinfo', {});
    return 'done';
  });
  const made = makeDomain(operation, own, ssidref, { uuid, isWatched: false, target });
  if (made.kind === 'failed') return made;
  const { domid } = made;
  const built = buildPv(operation, planOf(own, domid, true));
  if (built.kind === 'failed') return reportFailed(operation, config, `in its stub domain, ${built.step}`);
  const { storePort, consolePort, consoleFrame } = built.guest;
  notePorts(operation, domid, { storePort, consolePort });
  if (introduceDomain(recorder, state, domid, storePort) === 'done') passConsoleOver(recorder, domid);
  if (!tie(operation, config, domid, target)) return { kind: 'failed', domid, rc: -3 };
  const record = state.guests.get(domid);
  if (record !== undefined) record.devices = ownDevices(operation, record, config.hardware.devices);
  serveConsole(operation, domid, { frame: consoleFrame, port: consolePort });
  recorder.step('libxl asks QEMU for the consoles of the stub domain', 'libxl', () => {
    talkToModel(operation, domid);
    return 'done';
  });
  return domid;
}

/** The devices of the guest, which its stub domain has too. */
function ownDevices(operation: Operation, record: GuestRecord, devices: readonly GuestDevice[]): XenstoreDevice[] {
  const own: XenstoreDevice[] = [];
  for (const device of devices) {
    // xenstore has the number of the serving domain from the guest's own entries.
    const backend = knownBackend(operation, device.backend);
    const made = backend === undefined ? undefined : completed({ uuid: record.uuid, devices: own }, device, backend);
    if (made !== undefined) own.push(made);
  }
  return own;
}

/** Makes and starts the stub domain of a guest, and waits until its device model runs; undefined where it does not. */
export function startStubDomain(
  operation: Operation,
  config: GuestConfig,
  target: Domid,
  { deviceModel, isIncoming }: { readonly deviceModel: DeviceModelConfig; readonly isIncoming: boolean },
  ssidref: SidNumber,
): Domid | undefined {
  const { recorder, state } = operation;
  const { stub, videoKib } = deviceModel;
  if (stub === undefined) return undefined;
  const built = buildStub(operation, config, stubConfigOf(config, stub, videoKib), target, ssidref);
  if (typeof built !== 'number') {
    logDeviceModelFailed(operation, target, false);
    return undefined;
  }
  // XEN: it runs before its guest is finished.
  const isStarted = unpauseDomain(operation, built, `libxl starts stub domain ${built}`, {
    modelOf: modelPlanOf(config, target, isIncoming),
  });
  if (isStarted && state.deviceModels.get(target) !== undefined) return built;
  if (isStarted) {
    const { refusal } = recorder;
    recorder.step(`libxl waits ${WAIT_SECONDS} s for the device model`, 'libxl', () => 'failed');
    const words = `Domain ${target}:Stubdom ${built} for ${target} startup: startup timed out`;
    logLibxl(operation, 'libxl_dm.c:2829:stubdom_xswait_cb', words);
    recorder.blame(refusal);
    reportFailed(operation, config, 'the start of the device model in its stub domain');
  } else {
    reportFailed(operation, config, 'the start of its stub domain');
  }
  logDeviceModelFailed(operation, target, false);
  return undefined;
}
