/**
 * What libxl gives a guest beside PCI devices: entries in xenstore for PV devices, and rights to ports, frames and lines.
 *
 * Follows Xen `tools/libs/light/libxl_{create,disk,nic}.c`.
 *
 * @module
 */
import type { Domid } from '../hypercalls.ts';
import type { Device } from '../xl-cfg/index.ts';
import { canServe, connectWaiting, resolveBackend } from './backends.ts';
import type { GuestDevice, GuestResources } from './guest-devices.ts';
import { logNoType, lookAt, type Operation } from './operation.ts';
import { logLibxl } from './said.ts';
import { storedWithDevice } from './stored-json.ts';
import type { GuestRecord, XenstoreDevice } from './toolstack-state.ts';
import { backendPath, completed, deviceTitle, findDevice, storedDevice } from './xenstore-devices.ts';

/** How long libxl waits for the serving domain. XEN: `LIBXL_INIT_TIMEOUT`. */
const WAIT_SECONDS = 10;

/** How the adding of a device went; `reason`, where it was neither Xen nor another domain that was in the way. */
export type Addition = { readonly kind: 'added' } | { readonly kind: 'failed'; readonly reason: string | undefined };

/**
 * Why libxl does not take the device as it is described; undefined where it does. Makes no request. XEN:
 * `libxl__device_{disk,nic}_setdefault`.
 */
export function misdescribed(operation: Operation, record: GuestRecord, device: GuestDevice): string | undefined {
  const { domid } = record;
  const { name, server, isEmulated } = device;
  const isHvm = record.config?.type === 'hvm' || operation.state.deviceModels.get(domid)?.server !== undefined;
  if (isEmulated && !isHvm) {
    const words = 'trying to create PV or PVH guest with an emulated interface';
    logLibxl(operation, 'libxl_nic.c:107:libxl__device_nic_setdefault', `Domain ${domid}:${words}`);
    return 'only an HVM guest has emulated cards (`type=ioemu`)';
  }
  if (server === 'nobody') {
    const words = `no suitable backend for disk ${name}`;
    logLibxl(operation, 'libxl_device.c:475:libxl__device_disk_set_backend', words);
    return words;
  }
  return undefined;
}

/** Why libxl does not add the device; undefined where it does. Makes no request. */
function faultOf(operation: Operation, record: GuestRecord, device: GuestDevice): string | undefined {
  const { domid } = record;
  const { name, kind, devid } = device;
  const misdescription = misdescribed(operation, record, device);
  if (misdescription !== undefined) return misdescription;
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

/** The requests that libxl makes for a disk or a card of a guest. */
interface Requests {
  /** Finds the domain that is to serve it; `unseen` where the guest itself is not to be seen. */
  readonly find: (operation: Operation, domid: Domid, device: GuestDevice) => Domid | 'unseen' | undefined;
  /** Once there is nothing wrong with the device. */
  readonly settle: (operation: Operation, domid: Domid) => void;
}

/** XEN: a disk of a PV guest has the word size of its kernel written beside it. */
function askAddressSize({ recorder }: Operation, domid: Domid): void {
  if (recorder.hypercalls.inspectDomain(domid)?.info.isHvm === true) return;
  recorder.ask('libxl', 'domctl.get_address_size', { domid });
}

/** libxl's looks at a guest whose stored configuration it reads or writes; some ask for its label. */
function lookForConfig(operation: Operation, domid: Domid, labels: readonly boolean[]): void {
  for (const withLabel of labels) lookAt(operation, domid, withLabel);
}

/** While a guest is made. */
const WHILE_MADE: Readonly<Record<GuestDevice['kind'], Requests>> = {
  vbd: {
    find(operation, domid, device) {
      lookAt(operation, domid, false);
      return resolveBackend(operation, device.backend);
    },
    settle: askAddressSize,
  },
  vif: {
    find(operation, domid, device) {
      const backend = resolveBackend(operation, device.backend);
      if (backend !== undefined) lookAt(operation, domid, false);
      return backend;
    },
    settle: () => undefined,
  },
};

/** Later: libxl brings the stored configuration up to date. */
const LATER: Readonly<Record<GuestDevice['kind'], Requests>> = {
  vbd: {
    find(operation, domid, device) {
      if (lookAt(operation, domid, false) === undefined) return 'unseen';
      lookForConfig(operation, domid, [true, false, true]);
      return resolveBackend(operation, device.backend);
    },
    settle(operation, domid) {
      askAddressSize(operation, domid);
      lookForConfig(operation, domid, [true, true]);
    },
  },
  vif: {
    find(operation, domid, device) {
      const backend = resolveBackend(operation, device.backend);
      if (backend === undefined) return undefined;
      if (lookAt(operation, domid, false) === undefined) return 'unseen';
      lookForConfig(operation, domid, [true, false, true]);
      return backend;
    },
    settle: (operation, domid) => lookForConfig(operation, domid, [true, true]),
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
    const backend = requests.find(operation, domid, device);
    if (backend === 'unseen') {
      logNoType(operation, domid);
      if (recorder.refusal === undefined) reason = 'there is no such domain';
    } else if (backend === undefined) {
      recorder.explain('sysctl.getdomaininfolist', 'ENOENT', `there is no domain \`${device.backend ?? ''}\``);
    } else if (record === undefined) {
      reason = 'devices of a domain that `create` did not make are not rehearsed';
    } else {
      reason = faultOf(operation, record, device);
      entered = reason === undefined ? completed(record, device, backend) : undefined;
      if (entered !== undefined) {
        requests.settle(operation, domid);
        record.devices.push(entered);
      }
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
export function attachDevice(
  operation: Operation,
  domid: Domid,
  device: GuestDevice,
  { members }: Pick<Device, 'members'>,
): Addition {
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
      const devices = [...hardware.devices, storedDevice(entered)];
      const made = entered.kind === 'vif' ? { devid: entered.devid, mac: entered.mac ?? '' } : undefined;
      const list = entered.kind === 'vif' ? 'nics' : 'disks';
      const json = storedWithDevice(config.json, list, { members }, made);
      record.config = { ...config, hardware: { ...hardware, devices }, json };
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
