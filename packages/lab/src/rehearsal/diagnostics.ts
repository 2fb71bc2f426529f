/**
 * What can be wrong with a scenario file.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '@dewar/policy/text';

const entries = {
  'not-yaml': { severity: 'error', message: 'the scenario cannot be read: {why}' },
  'unknown-key': { severity: 'error', message: 'unknown key `{key}` in {where}' },
  'missing-key': { severity: 'error', message: '{where} lacks `{key}`' },
  'bad-value': { severity: 'error', message: '{where} must be {what}' },
  'unknown-name': { severity: 'error', message: 'the scenario has no {what} `{name}`' },
} as const;

/** Diagnostics of scenario files, by name. */
export const scenario: Creators<typeof entries> = defineDiagnostics('scenario', entries);
