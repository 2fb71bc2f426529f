/**
 * Simulated hosts that last from one command to the next: a folder for each, with the whole host in one file.
 *
 * What a command changed counts as a whole or not at all, so one that is killed leaves the host as it was (`host-file.ts`).
 *
 * Imports: `@dewar/hypervisor`, `@dewar/toolstack`.
 * Start reading at `Lab.transact`.
 *
 * @module
 */
export type { FlaskMode, FlaskState, IommuKind } from '@dewar/hypervisor';
export { readDeviceFile } from './device-file.ts';
export { type BootedHost, Lab, type LabPolicy, type LabSlot, type RunningHost } from './lab.ts';
export { LabError, type LabErrorCode } from './lab-error.ts';
