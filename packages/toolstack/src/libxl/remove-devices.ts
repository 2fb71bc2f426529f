/**
 * Takes disks and network cards from guests that go on.
 *
 * Follows Xen `tools/libs/light/libxl_device.c`, `libxl__initiate_device_generic_remove`.
 *
 * @module
 */
import { backendOf, canServe, disconnect, release } from './backends.ts';
import { lookAt, type Operation } from './operation.ts';
import { logLibxl } from './said.ts';
import type { GuestRecord, XenstoreDevice } from './toolstack-state.ts';
import { backendPath, deviceTitle } from './xenstore-devices.ts';

/** How long libxl waits for the guest. XEN: `LIBXL_DESTROY_TIMEOUT`. */
const WAIT_SECONDS = 10;

/**
 * What to do when the guest does not let go of a device: `safe`, leave it; `patient`, take it after a while; `forced`, take
 * it at once. XEN: `LIBXL__FORCE_OFF`, `LIBXL__FORCE_AUTO`, `LIBXL__FORCE_ON`.
 */
export type RemovalForce = 'safe' | 'patient' | 'forced';

/** Takes a device from a guest; false where it stays. */
export function removeDevice(
  operation: Operation,
  record: GuestRecord,
  device: XenstoreDevice,
  force: RemovalForce,
): boolean {
  const { recorder } = operation;
  const { domid } = record;
  const title = deviceTitle(device);
  const stays = (place: string, words: string): false => {
    logLibxl(operation, place, `Domain ${domid}:${words}`);
    const what = `Domain ${domid}:Unable to remove ${device.kind} with id ${device.devid}`;
    logLibxl(operation, 'libxl_device.c:1481:device_addrm_aocomplete', what);
    return false;
  };
  const look = (): 'done' | 'failed' => (lookAt(operation, domid, true) === undefined ? 'failed' : 'done');
  if (recorder.step(`libxl asks domain ${domid} to let go of ${title}`, 'libxl', look) === 'failed') {
    const place = 'libxl_device.c:1026:libxl__initiate_device_generic_remove';
    return stays(place, `unable to get info for domain ${domid}`);
  }
  const backend = backendOf(operation, domid, device);
  const isLetGo = canServe(operation, domid);
  if (!isLetGo && force !== 'forced') {
    device.frontend = 5;
    const ended = force === 'safe' ? 'failed' : 'ignored-failure';
    recorder.step(`libxl waits ${WAIT_SECONDS} s for domain ${domid}`, 'libxl', () => ended);
    if (force === 'safe') {
      const place = 'libxl_device.c:1181:device_backend_callback';
      return stays(place, `unable to remove device with path ${backendPath(domid, device)}`);
    }
    recorder.step(`libxl takes ${title} from domain ${domid} all the same`, 'libxl', look);
  }
  if (backend !== undefined) {
    recorder.step(`${title} of domain ${domid} is disconnected`, backend.process, () => {
      if (isLetGo) release(operation, backend);
      else disconnect(operation, backend);
      return backend.mappings.length > 0 ? 'ignored-failure' : 'done';
    });
  }
  record.devices.splice(record.devices.indexOf(device), 1);
  return true;
}
