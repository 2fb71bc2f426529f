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
  'version-too-new': {
    severity: 'error',
    message: '{release} reads no policy of version {version}; the newest that it reads is {newestPolicyVersion}',
  },
  'mls-changed': { severity: 'error', message: 'a running Xen does not take a policy that turns MLS on or off' },
  'class-with-common': { severity: 'error', message: 'Xen does not take classes that inherit, as `{class}` does' },
  'filename-transition': {
    severity: 'error',
    message: 'Xen does not take type transitions with a file name, as `{name}`',
  },
  'no-rules': { severity: 'error', message: 'Xen does not take a policy without rules outside conditional blocks' },
  'duplicate-rule': {
    severity: 'error',
    message: 'two entries of the rule table are for `{source}` `{target}` : `{class}`, of the same kind',
  },
  'conflicting-type-rule': {
    severity: 'error',
    message: 'a conditional type rule for `{source}` `{target}` : `{class}` is not the only one',
  },
  'third-context': {
    severity: 'error',
    message: 'a constraint of class `{class}` names a third context, which only `validatetrans` has',
  },
  'invalid-context': { severity: 'error', message: 'the label `{context}` of {what} is not valid: {why}' },
  'duplicate-initial-sid': { severity: 'error', message: 'initial SID {sid} has two labels' },
  'invalid-range': {
    severity: 'error',
    message: 'the range transition for `{source}` `{target}` : `{class}` gives a range that is not valid',
  },
  'bounds-too-deep': { severity: 'error', message: 'the bounds of {kind} `{name}` are a loop or more than 3 deep' },
  'bounds-attribute': { severity: 'error', message: 'type `{name}` is bounded by the attribute `{bound}`' },
  'bounds-exceeded': {
    severity: 'error',
    message: '{kind} `{name}` has {member} `{memberName}`, which its bound `{bound}` has not',
  },
} as const;

export const server: Creators<typeof entries> = defineDiagnostics('load', entries);
