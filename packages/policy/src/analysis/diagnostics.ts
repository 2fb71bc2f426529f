/**
 * What can be wrong with a question about a policy.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const entries = {
  'unknown-name': { severity: 'error', message: 'the policy has no {what} `{name}`' },
  'bad-pattern': { severity: 'error', message: '`{pattern}` is no regular expression: {why}' },
} as const;

/** Diagnostics of questions, by name. */
export const search: Creators<typeof entries> = defineDiagnostics('search', entries);

const compatEntries = {
  'permission-gone': { severity: 'error', message: '{release} has no permission `{permission}` of class `{class}`' },
  'permission-moved': {
    severity: 'error',
    message: '{release} has no permission `{permission}` of class `{class}`; it asks for {instead} instead',
  },
  'permission-narrowed': {
    severity: 'warning',
    message: 'in {release} the permission `{permission}` of class `{class}` covers less: {instead} is asked for too',
  },
  'permission-needed': {
    severity: 'error',
    message: '{release} asks for `{class} {permission}` of `{source}` on `{target}`, and the policy does not give it',
  },
} as const;

/** Diagnostics of a policy that is to go to another release of Xen, by name. */
export const compat: Creators<typeof compatEntries> = defineDiagnostics('compat', compatEntries);

const proveEntries = {
  syntax: { severity: 'error', message: 'expected {expected}, found {found}' },
  'unknown-name': { severity: 'error', message: 'the policy has no {what} `{name}`' },
  'bad-label': { severity: 'error', message: 'label `{label}` is not valid: {why}' },
  'no-label': { severity: 'error', message: 'no label of the policy is in the set that the property is about' },
  'no-property': { severity: 'error', message: 'the file has no property' },
  'too-many-booleans': {
    severity: 'error',
    message: 'the property hangs on {count} booleans, and all settings are tried of at most {limit}',
  },
} as const;

/** Diagnostics of properties of a policy, by name. */
export const prove: Creators<typeof proveEntries> = defineDiagnostics('prove', proveEntries);
