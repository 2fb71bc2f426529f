/**
 * What libxl gives a guest beside PCI devices: entries in xenstore for PV devices, and rights to ports, frames and lines.
 *
 * Follows Xen `tools/libs/light/libxl_{create,disk,nic}.c`.
 *
 * @module
 */
import type { Domid } from '../hypercalls.ts';
import { canServe, connectWaiting, resolveBackend } from './backends.ts';
import type { GuestDevice, GuestResources } from './guest-devices.ts';
import { logLibxl, lookAt, type Operation } from './operation.ts';
import type { GuestRecord, XenstoreDevice } from './toolstack-state.ts';
import { backendPath, completed, deviceTitle, findDevice, storedDevice } from './xenstore-devices.ts';

/** How long libxl waits for the serving domain. XEN: `LIBXL_INIT_TIMEOUT`. */
const WAIT_SECONDS = 10;

/** How the adding of a device went; `reason`, where it was neither Xen nor another domain that was in the way. */
export type Addition = { readonly kind: 'added' } | { readonly kind: 'failed'; readonly reason: string | undefined };

/** Why libxl does not take the device as it is; undefined where it does. Makes no request. */
function faultOf(operation: Operation, record: GuestRecord, device: GuestDevice): string | undefined {
  const { domid } = record;
  const { name, kind, devid, server } = device;
  if (server === 'nobody') {
    const words = `no suitable backend for disk ${name}`;
    logLibxl(operation, 'libxl_device.c:475:libxl__device_disk_set_backend', words);
    return words;
  }
  if (kind === 'vbd' && devid === undefined) {
    const words = `Domain ${domid}:Invalid or unsupported virtual disk identifier ${name}`;
    logLibxl(operation, 'libxl_disk.c:214:libxl__device_from_disk', words);
    logLibxl(operation, 'libxl_disk.c:335:device_disk_add', words);
    return `\`${name}\` is no name of a disk`;
  }
  if (devid === undefined || findDevice(record, kind, devid) === undefined) return undefined;
  const place = kind === 'vbd' ? 'libxl_disk.c:343:device_disk_add' : 'libxl_device.c:1998:libxl__device_add_async';
  logLibxl(operation, place, `Domain ${domid}:device already exists in xenstore`);
  return `it has ${kind === 'vbd' ? 'a disk' : 'a network card'} of that number already`;
}

/** The requests that libxl makes for a disk or a card of a guest. Gives the domain that is to serve it. */
type Requests = (
  operation: Operation,
  domid: Domid,
  device: GuestDevice,
  isPv: boolean,
) => Domid | 'unseen' | undefined;

function askAddressSize({ recorder }: Operation, domid: Domid, isPv: boolean): void {
  if (isPv) recorder.ask('libxl', 'domctl.get_address_size', { domid });
}

/** While a guest is made. */
const WHILE_MADE: Readonly<Record<GuestDevice['kind'], Requests>> = {
  vbd(operation, domid, device, isPv) {
    lookAt(operation, domid, false);
    const backend = resolveBackend(operation, device.backend);
    if (backend !== undefined) askAddressSize(operation, domid, isPv);
    return backend;
  },
  vif(operation, domid, device) {
    const backend = resolveBackend(operation, device.backend);
    if (backend !== undefined) lookAt(operation, domid, false);
    return backend;
  },
};

/** Later: libxl brings the stored configuration up to date, and looks at the guest each time. */
const LATER: Readonly<Record<GuestDevice['kind'], Requests>> = {
  vbd(operation, domid, device, isPv) {
    if (lookAt(operation, domid, false) === undefined) return 'unseen';
    for (const withLabel of [true, false, true]) lookAt(operation, domid, withLabel);
    const backend = resolveBackend(operation, device.backend);
    if (backend === undefined) return undefined;
    askAddressSize(operation, domid, isPv);
    for (const withLabel of [true, true]) lookAt(operation, domid, withLabel);
    return backend;
  },
  vif(operation, domid, device) {
    const backend = resolveBackend(operation, device.backend);
    if (backend === undefined) return undefined;
    if (lookAt(operation, domid, false) === undefined) return 'unseen';
    for (const withLabel of [true, false, true, true, true]) lookAt(operation, domid, withLabel);
    return backend;
  },
};

/** Enters a device in xenstore, and waits for the domain that is to serve it to see it. */
function addWith(operation: Operation, domid: Domid, device: GuestDevice, requests: Requests): Addition {
  const { recorder, state } = operation;
  const record = state.guests.get(domid);
  const title = deviceTitle(device);
  let reason: string | undefined;
  let entered: XenstoreDevice | undefined;
  recorder.step(`libxl adds ${title}`, 'libxl', () => {
    const isPv = recorder.hypercalls.inspectDomain(domid)?.info.isHvm === false;
    const backend = requests(operation, domid, device, isPv);
    if (backend === 'unseen') {
      logLibxl(operation, 'libxl_dom.c:37:libxl__domain_type', `unable to get domain type for domid=${domid}`);
      if (recorder.refusal === undefined) reason = 'there is no such domain';
    } else if (backend === undefined) {
      recorder.explain('sysctl.getdomaininfolist', 'ENOENT', `there is no domain \`${device.backend ?? ''}\``);
    } else if (record === undefined) {
      reason = 'devices of a domain that `create` did not make are not rehearsed';
    } else {
      reason = faultOf(operation, record, device);
      entered = reason === undefined ? completed(record, device, backend) : undefined;
      if (entered !== undefined) record.devices.push(entered);
    }
    return entered === undefined ? 'failed' : 'done';
  });
  // What `recorder.step` calls has run by now; the compiler cannot know.
  const made = entered as XenstoreDevice | undefined;
  if (made === undefined) return { kind: 'failed', reason };
  const { backendDomid: server } = made;
  // XEN: QEMU sees it by itself, so that nobody waits.
  if (made.server === 'qemu' || canServe(operation, server)) return { kind: 'added' };
  recorder.step(`libxl waits ${WAIT_SECONDS} s for domain ${server} to serve it`, 'libxl', () => {
    const why = `domain ${server} does not run, or its kernel does not answer`;
    recorder.explain('sysctl.getdomaininfolist', 'EAGAIN', why);
    return 'failed';
  });
  const words = `Domain ${domid}:unable to add device with path ${backendPath(domid, made)}`;
  logLibxl(operation, 'libxl_device.c:1181:device_backend_callback', words);
  return { kind: 'failed', reason: undefined };
}

/** Adds a disk or a network card to a guest that is being made; false where that is not to be had. */
export function addDevice(operation: Operation, domid: Domid, device: GuestDevice): boolean {
  return addWith(operation, domid, device, WHILE_MADE[device.kind]).kind === 'added';
}

/** Adds one to a guest that exists; its kernel takes it as soon as it runs. */
export function attachDevice(operation: Operation, domid: Domid, device: GuestDevice): Addition {
  const { state } = operation;
  const before = state.guests.get(domid)?.devices.length ?? 0;
  const added = addWith(operation, domid, device, LATER[device.kind]);
  const record = state.guests.get(domid);
  const entered = record?.devices[before];
  if (record !== undefined && entered !== undefined) {
    const { config } = record;
    // XEN: it is in the stored configuration even where nobody serves it.
    if (config !== undefined) {
      const { hardware } = config;
      record.config = { ...config, hardware: { ...hardware, devices: [...hardware.devices, storedDevice(entered)] } };
    }
  }
  if (added.kind === 'added' && record !== undefined) {
    connectWaiting(operation, record);
    return added;
  }
  const what =
    entered === undefined
      ? 'unable to add device'
      : `Domain ${domid}:Unable to add ${device.kind} with id ${entered.devid}`;
  logLibxl(operation, `libxl_device.c:${entered === undefined ? 1486 : 1481}:device_addrm_aocomplete`, what);
  return added;
}

/** XEN: `domcreate_launch_dm`, for `ioports`, `irqs` and `iomem`; the step that was refused, if one was. */
export function giveResources(operation: Operation, domid: Domid, resources: GuestResources): string | undefined {
  const { recorder } = operation;
  const { ports, frames, irqs } = resources;
  if (ports.length + frames.length + irqs.length === 0) return undefined;
  const outcome = recorder.step('libxl gives the guest ports, interrupt lines and frames', 'libxl', () => {
    for (const range of ports) {
      const given = recorder.ask('libxl', 'domctl.ioport_permission', { domid, ...range, isAllowed: true });
      if (given.kind === 'error') return 'failed';
    }
    for (const irq of irqs) {
      if (recorder.ask('libxl', 'physdev_op.map_pirq', { domid, irq }).kind === 'error') return 'failed';
      const given = recorder.ask('libxl', 'domctl.irq_permission', { domid, irq, isAllowed: true });
      if (given.kind === 'error') return 'failed';
    }
    for (const range of frames) {
      const args = { domid, ...range, isAllowed: true };
      if (recorder.ask('libxl', 'domctl.iomem_permission', args).kind === 'error') return 'failed';
      if (recorder.ask('libxl', 'domctl.memory_mapping', args).kind === 'error') return 'failed';
    }
    return 'done';
  });
  return outcome === 'failed' ? 'the giving of ports, interrupt lines and frames' : undefined;
}
