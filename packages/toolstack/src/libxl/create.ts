/**
 * `xl create`, from a configuration to the running guest.
 *
 * Follows Xen `tools/xl/xl_vmcontrol.c`, `create_domain`.
 *
 * @module
 */
import type { CreateOptions, OperationReport } from '../host.ts';
import type { DomainConfig } from '../xl-cfg/index.ts';
import { SMALLEST_HVM_PAGES } from './build-hvm.ts';
import { SMALLEST_PV_PAGES } from './build-pv.ts';
import { SMALLEST_PVH_PAGES } from './build-pvh.ts';
import { constructGuest, LOCK_FAILED } from './construct.ts';
import { checkLabelsInEffect } from './create-labels.ts';
import { guest, refusalNotes } from './diagnostics.ts';
import { type GuestConfig, guestConfigOf } from './guest-config.ts';
import { startBuilt } from './guest-run.ts';
import type { Failure } from './make-domain.ts';
import { finalState, type Operation, report, startXl } from './operation.ts';
import { logLibxl } from './said.ts';

const KIB_PER_PAGE = 4;

/** More vCPUs than this no guest has. XEN: `MAX_VIRT_CPUS`, `HVM_MAX_VCPUS`. */
const VCPU_LIMIT = { pv: 8192, pvh: 128, hvm: 128 } as const;

/** Memory of a guest that a rehearsal takes, in KiB: 16 TiB, the most that Xen supports. */
const MEMORY_LIMIT_KIB = 16 * 1024 ** 3;

const SMALLEST_PAGES = { pv: SMALLEST_PV_PAGES, pvh: SMALLEST_PVH_PAGES, hvm: SMALLEST_HVM_PAGES } as const;

/** What is wrong with the request before Xen is asked; undefined when nothing is. */
export function faultOf(config: GuestConfig): string | undefined {
  const { type, vcpus, maxVcpus, memoryKib, maxMemoryKib, hardware } = config;
  if (type === 'pvh' && hardware.pci.length > 0) return 'PCI devices of a PVH guest are not rehearsed';
  if (!Number.isInteger(maxVcpus) || maxVcpus < 1 || maxVcpus > VCPU_LIMIT[type]) {
    return `${maxVcpus} vCPUs are out of range`;
  }
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > maxVcpus) return `${vcpus} vCPUs are out of range`;
  const pages = Math.floor((memoryKib - (hardware.deviceModel?.videoKib ?? 0)) / KIB_PER_PAGE);
  if (pages >= SMALLEST_PAGES[type] && maxMemoryKib <= MEMORY_LIMIT_KIB) return undefined;
  return `${memoryKib} KiB are out of range`;
}

/** Says what of the configuration is rehearsed as something else, or not at all. */
function reportGaps({ diagnostics }: Operation, { name, hardware }: GuestConfig): void {
  for (const key of hardware.passedOver) {
    diagnostics.push(guest['device-not-rehearsed'](undefined, { guest: name, key }));
  }
  const { deviceModel } = hardware;
  if (deviceModel !== undefined && deviceModel.version !== 'qemu-xen') {
    diagnostics.push(guest['other-device-model'](undefined, { guest: name, version: deviceModel.version }));
  }
}

/**
 * XEN: xl ends with the return code of libxl, less its sign. A label that is not valid is -1; once a domain was destroyed,
 * `domcreate_destruction_cb` makes `ERROR_FAIL` of whatever it was.
 */
function exitCodeOf({ domid, rc }: Failure): number {
  return domid === undefined || rc === LOCK_FAILED ? -rc : 3;
}

/** xl reads a configuration, for which it has to know the host. XEN: `parse_config_data`. */
function readConfiguration(operation: Operation): boolean {
  const { recorder } = operation;
  const outcome = recorder.step('xl starts and reads the configuration', 'xl', () => {
    startXl(operation);
    for (let i = 0; i < 2; i++) {
      const physinfo = recorder.ask('xl', 'sysctl.physinfo', {});
      if (physinfo.kind === 'ok') continue;
      logLibxl(operation, 'libxl.c:361:libxl_get_physinfo', 'getting physinfo', physinfo.errno);
      operation.messages.push('libxl_get_physinfo failed');
      return 'failed';
    }
    return 'done';
  });
  if (outcome === 'done') return true;
  const notes = refusalNotes(recorder.refusal);
  operation.diagnostics.push(guest['request-failed'](undefined, { operation: 'read the configuration' }, { notes }));
  return false;
}

/** Creates a guest and, unless asked not to, starts it. */
export function createGuest(operation: Operation, xlConfig: DomainConfig, options: CreateOptions): OperationReport {
  const config = guestConfigOf(xlConfig);
  const reason = faultOf(config);
  if (reason !== undefined) {
    operation.diagnostics.push(guest['bad-request'](undefined, { guest: config.name, reason }));
    return report(operation, { isDone: false, xlExitCode: 1 });
  }
  reportGaps(operation, config);
  if (!readConfiguration(operation)) return report(operation, { isDone: false, xlExitCode: 1 });
  const { uuid, paused = false, unwatched = false, onResidual = 'warn' } = options;
  const made = constructGuest(operation, config, { uuid, isWatched: !unwatched, onResidual });
  if (made.kind === 'failed') {
    const domain = made.domid === undefined ? undefined : finalState(operation, made.domid);
    return report(operation, { isDone: false, xlExitCode: exitCodeOf(made), domain });
  }
  const start = startBuilt(operation, made.domid, { isPaused: paused, onConsole: options.onConsole });
  const { domid } = start;
  // XEN: xl warns of a label without effect and goes on; here that is no success.
  const isDone = checkLabelsInEffect(operation, config, domid) && start.isDone;
  return report(operation, { isDone, xlExitCode: 0, domain: finalState(operation, domid) });
}
