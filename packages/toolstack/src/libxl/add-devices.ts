/**
 * What libxl gives a guest beside PCI devices: entries in xenstore for PV devices, and rights to ports, frames and lines.
 *
 * Follows Xen `tools/libs/light/libxl_{create,disk,nic}.c`.
 *
 * @module
 */
import type { Domid } from '../hypercalls.ts';
import { canServe, resolveBackend } from './backends.ts';
import type { GuestConfig } from './guest-config.ts';
import type { GuestDevice, GuestResources } from './guest-devices.ts';
import { lookAt, type Operation } from './operation.ts';

/** How long libxl waits for the serving domain. XEN: `LIBXL_INIT_TIMEOUT`. */
const WAIT_SECONDS = 10;

/** Adds a disk or a network card, and waits for the serving domain to see it; false where that is not to be had. */
export function addDevice(operation: Operation, domid: Domid, config: GuestConfig, device: GuestDevice): boolean {
  const { recorder } = operation;
  let backend: Domid | undefined;
  const what = device.kind === 'vbd' ? `disk ${device.name}` : `network card ${device.name}`;
  recorder.step(`libxl adds ${what}`, 'libxl', () => {
    if (device.kind === 'vbd') lookAt(operation, domid, false);
    backend = resolveBackend(operation, device.backend);
    if (backend === undefined) return 'failed';
    if (device.kind === 'vif') lookAt(operation, domid, false);
    else if (config.type === 'pv') recorder.ask('libxl', 'domctl.get_address_size', { domid });
    return 'done';
  });
  if (backend === undefined) {
    recorder.explain('sysctl.getdomaininfolist', 'ENOENT', `there is no domain \`${device.backend ?? ''}\``);
    return false;
  }
  if (canServe(operation, backend)) return true;
  const server = backend;
  recorder.step(`libxl waits ${WAIT_SECONDS} s for domain ${server} to serve it`, 'libxl', () => {
    recorder.explain(
      'sysctl.getdomaininfolist',
      'EAGAIN',
      `domain ${server} does not run, or its kernel does not answer`,
    );
    return 'failed';
  });
  return false;
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
