/**
 * The configuration of a guest as it stands: what libxl stored, with what was changed since.
 *
 * Follows Xen `tools/libs/light/libxl_domain.c`, `libxl_retrieve_domain_configuration`.
 *
 * @module
 */
import type { DomainInfo, Domid } from '../hypercalls.ts';
import { compactJson, type JsonObject } from '../xl-cfg/json.ts';
import { logNoScheduling, logUnknownScheduler, lookAtPool } from './cpupools.ts';
import { DOM0 } from './daemons.ts';
import { talkToModel } from './device-model.ts';
import type { GuestConfig } from './guest-config.ts';
import { logUnseen, lookAt, type Operation } from './operation.ts';
import { devicesOf } from './pci.ts';
import { logLibxl, warnLibxl } from './said.ts';
import { bareConfiguration, type LiveState, liveConfiguration, readStoredJson } from './stored-json.ts';
import type { GuestRecord } from './toolstack-state.ts';
import { storedDevice } from './xenstore-devices.ts';

/** Each of these is asked for on its own: lock, stored text, memory target and limit, vCPUs. */
const LOOKS = 5;

/** The first of them come before QEMU is asked. */
const BEFORE_MODEL = 2;

/** XEN: without `dom0_mem=max:`, dom0 may have as many pages as a number of 32 bits can say (`create_dom0`). */
const DOM0_MAX_KIB = 0xffff_ffff * 4;

/** Who asks. */
interface Asking {
  /** The xl that waits for the end of a guest, whose messages go to a file of its own. */
  readonly isDaemon?: boolean;
}

/** What was found. */
interface Retrieved {
  readonly json: JsonObject;
  readonly scheduler: LiveState['scheduler'];
}

/** The stored text, read; undefined where libxl has none. */
function storedOf({ recorder, state }: Operation, domid: Domid): JsonObject | undefined {
  if (domid === DOM0) return bareConfiguration('pv');
  if (domid === state.xenstoreDomid) {
    const isHvm = recorder.hypercalls.inspectDomain(domid)?.info.isHvm === true;
    return bareConfiguration(isHvm ? 'pvh' : 'pv');
  }
  const record = state.guests.get(domid);
  return record?.config === undefined || record.isGivenUp ? undefined : readStoredJson(record.config.json);
}

const KIB_PER_PAGE = 4;

/** What xenstore has of a domain. XEN: for dom0, `libxl__fill_dom0_memory_info` writes there what it finds. */
function liveStateOf(
  operation: Operation,
  { domid, handle, totalPages }: DomainInfo,
  record: GuestRecord | undefined,
  scheduler: LiveState['scheduler'],
): LiveState {
  const isDom0 = domid === DOM0;
  const devices = record?.devices ?? [];
  const pci = new Set(devicesOf(operation, domid).map(({ sbdf }) => sbdf));
  return {
    name: isDom0 ? 'Domain-0' : (record?.name ?? ''),
    uuid: handle,
    onlineVcpus: record?.availableVcpus ?? 0,
    targetKib: record?.targetKib ?? totalPages * KIB_PER_PAGE,
    maxKib: record?.staticMaxKib ?? DOM0_MAX_KIB,
    scheduler,
    hasDevice(list, key) {
      switch (list) {
        case 'disks':
          return devices.some(({ kind, name }) => kind === 'vbd' && name === key);
        case 'nics':
          return devices.some(({ kind, devid }) => kind === 'vif' && devid === key);
        case 'pcidevs':
          return pci.has(Number(key));
      }
    },
  };
}

/** Reads it; undefined when libxl has none, or may not see the domain. Makes its requests in a step of the caller's. */
export function retrieveJson(
  operation: Operation,
  domid: Domid,
  { isDaemon = false }: Asking = {},
): Retrieved | undefined {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  for (let i = 0; i < BEFORE_MODEL; i++) {
    if (lookAt(operation, domid, true) !== undefined) continue;
    logUnseen(operation, domid, 'ENOENT');
    return undefined;
  }
  const stored = storedOf(operation, domid);
  if (stored === undefined) {
    const words = `Domain ${domid}:Fail to get domain configuration`;
    logLibxl(operation, 'libxl_domain.c:2335:retrieve_domain_configuration_lock_acquired', words);
    return undefined;
  }
  if (record?.config?.type === 'hvm') {
    // XEN: only QEMU knows which vCPUs it has been given.
    const channel = talkToModel(operation, domid);
    if (channel === undefined) return undefined;
    channel.close();
  }
  for (let i = BEFORE_MODEL; i < LOOKS; i++) lookAt(operation, domid, true);
  const info = lookAt(operation, domid, false);
  if (info === undefined) return undefined;
  const asked = lookAtPool(operation) ? recorder.ask('libxl', 'domctl.scheduler_op.getinfo', { domid }) : undefined;
  if (asked?.kind !== 'ok') {
    if (asked === undefined) logUnknownScheduler(operation, domid, 'get');
    else logNoScheduling(operation, domid, asked.errno);
    const words = `Domain ${domid}:Fail to get scheduler parameters`;
    logLibxl(operation, 'libxl_domain.c:2542:retrieve_domain_configuration_end', words);
    return undefined;
  }
  const live = liveStateOf(operation, info, record, asked.value);
  const { config, gone } = liveConfiguration(stored, live);
  for (let i = 0; i < (isDaemon ? 0 : gone); i++) {
    const words = `Domain ${domid}:Device present in JSON but not in xenstore, ignored`;
    warnLibxl(operation, 'libxl_domain.c:2603:retrieve_domain_configuration_end', words);
  }
  return { json: config, scheduler: asked.value };
}

/** As `retrieveJson`, for a guest that is to be built from it. */
export function retrieveConfig(operation: Operation, domid: Domid, asking?: Asking): GuestConfig | undefined {
  const record = operation.state.guests.get(domid);
  const found = retrieveJson(operation, domid, asking);
  if (found === undefined || record?.config === undefined) return undefined;
  return {
    ...record.config,
    name: record.name ?? record.config.name,
    memoryKib: record.targetKib,
    maxMemoryKib: record.staticMaxKib,
    vcpus: record.availableVcpus,
    scheduler: found.scheduler,
    // XEN: libxl keeps of the stored devices those that xenstore still has.
    hardware: { ...record.config.hardware, devices: record.devices.map(storedDevice) },
    json: compactJson(found.json),
  };
}
