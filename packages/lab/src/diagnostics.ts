/**
 * What can be wrong with a file of devices.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '@dewar/policy/text';

const entries = {
  'bad-device': { severity: 'error', message: '`{text}` is no {what}' },
  'repeated-device': { severity: 'error', message: 'device `{device}` is in the file already' },
  'too-many-devices': { severity: 'error', message: 'there are more than {limit} devices' },
} as const;

/** Diagnostics of files of devices, by name. */
export const deviceFile: Creators<typeof entries> = defineDiagnostics('devices', entries);
