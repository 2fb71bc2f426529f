/**
 * Why Xen would not take a policy that can be read.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const entries = {
  'missing-class': {
    severity: 'error',
    message: '{release} needs class `{class}` with number {number}, and the policy has not',
  },
  'missing-permission': {
    severity: 'error',
    message: '{release} needs permission `{permission}` as bit {bit} of class `{class}`, and the policy has not',
  },
  'mls-changed': { severity: 'error', message: 'a running Xen does not take a policy that turns MLS on or off' },
} as const;

export const server: Creators<typeof entries> = defineDiagnostics('load', entries);
