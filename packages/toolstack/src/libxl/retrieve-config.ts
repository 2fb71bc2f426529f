/**
 * The configuration of a guest as it stands: what libxl stored, with what was changed since.
 *
 * Follows Xen `tools/libs/light/libxl_domain.c`, `libxl_retrieve_domain_configuration`.
 *
 * @module
 */
import type { Domid } from '../hypercalls.ts';
import { logNoScheduling, logUnknownScheduler, lookAtPool } from './cpupools.ts';
import { talkToModel } from './device-model.ts';
import type { GuestConfig } from './guest-config.ts';
import { lookAt, type Operation } from './operation.ts';
import { logLibxl } from './said.ts';
import { storedDevice } from './xenstore-devices.ts';

/** Each of these is asked for on its own: lock, stored text, memory target and limit, vCPUs. */
const LOOKS = 5;

/** The first of them come before QEMU is asked. */
const BEFORE_MODEL = 2;

/** Reads it; undefined when libxl has none, or may not see the guest. Makes its requests in a step of the caller's. */
export function retrieveConfig(operation: Operation, domid: Domid): GuestConfig | undefined {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  for (let i = 0; i < BEFORE_MODEL; i++) lookAt(operation, domid, true);
  if (record?.config?.type === 'hvm') {
    // XEN: only QEMU knows which vCPUs it has been given.
    const channel = talkToModel(operation, domid);
    if (channel === undefined) return undefined;
    channel.close();
  }
  for (let i = BEFORE_MODEL; i < LOOKS; i++) lookAt(operation, domid, true);
  if (lookAt(operation, domid, false) === undefined || record?.config === undefined) return undefined;
  const scheduler = lookAtPool(operation) ? recorder.ask('libxl', 'domctl.scheduler_op.getinfo', { domid }) : undefined;
  if (scheduler?.kind !== 'ok') {
    if (scheduler === undefined) logUnknownScheduler(operation, domid, 'get');
    else logNoScheduling(operation, domid, scheduler.errno);
    const words = `Domain ${domid}:Fail to get scheduler parameters`;
    logLibxl(operation, 'libxl_domain.c:2542:retrieve_domain_configuration_end', words);
    return undefined;
  }
  return {
    ...record.config,
    name: record.name ?? record.config.name,
    memoryKib: record.targetKib,
    maxMemoryKib: record.staticMaxKib,
    vcpus: record.availableVcpus,
    scheduler: scheduler.value,
    // XEN: libxl keeps of the stored devices those that xenstore still has.
    hardware: { ...record.config.hardware, devices: record.devices.map(storedDevice) },
  };
}
