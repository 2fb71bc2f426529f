/**
 * Diagnostics about an operation on a guest.
 *
 * @module
 */
import { type Creators, defineDiagnostics, type Note } from '@dewar/policy/text';
import type { ObservedCheck } from '../hypercalls.ts';
import type { Refusal } from './recorder.ts';

const entries = {
  'invalid-label': { severity: 'error', message: 'label `{label}` is not valid: {reason}' },
  'label-ignored': { severity: 'error', message: 'label `{label}` has no effect: {reason}' },
  'label-not-granted': { severity: 'error', message: 'the policy lets no guest be {what}' },
  'label-not-asked': { severity: 'error', message: 'may not ask Xen for the label `{label}`' },
  'step-failed': { severity: 'error', message: 'guest `{guest}` was not created: {step} failed' },
  'relabel-denied': {
    severity: 'error',
    message: 'guest `{guest}` was built but could not be relabelled to `{label}`',
  },
  'console-timeout': {
    severity: 'error',
    message: 'guest `{guest}` was not created: its console was not served in time',
  },
  'start-denied': {
    severity: 'warning',
    message: 'guest `{guest}` was started, but its kernel is denied what it cannot do without',
  },
  'kernel-gave-up': {
    severity: 'error',
    message: 'guest `{guest}` was started, and its kernel ended it at once',
  },
  'restarts-for-ever': {
    severity: 'error',
    message: 'guest `{guest}` ends as soon as it starts, and xl builds it anew each time, for ever',
  },
  'never-destroyed': {
    severity: 'error',
    message: 'domain {domid} has stopped, and nobody destroys it: xl waits for that for ever',
  },
  'affinity-not-set': {
    severity: 'warning',
    message: 'domain {domid} runs on other CPUs than libxl chose: its affinity could not be set',
  },
  'device-model-denied': {
    severity: 'warning',
    message: 'guest `{guest}` was started, but its device model is denied what it cannot do without',
  },
  'device-not-served': { severity: 'warning', message: 'device `{device}` of guest `{guest}` does not work' },
  'device-still-listed': {
    severity: 'warning',
    message: 'device {device} was taken from domain {domid}, which still has it on its list',
  },
  'device-not-rehearsed': {
    severity: 'warning',
    message: 'devices of guest `{guest}` are passed over: `{key}` is not rehearsed',
  },
  'other-device-model': {
    severity: 'warning',
    message: 'the device model of guest `{guest}` is rehearsed as `qemu-xen`, not as `{version}`',
  },
  'no-xenstore-domain': { severity: 'error', message: 'no xenstore domain was made: {reason}' },
  'no-device': { severity: 'error', message: '`{device}` is no PCI device' },
  'nothing-to-boot': {
    severity: 'note',
    message: 'the firmware of guest `{guest}` waits: it has no disk and no kernel to start',
  },
  stranded: { severity: 'error', message: 'domain {domid} is stranded under `{label}`: dom0 could not destroy it' },
  zombie: { severity: 'error', message: 'domain {domid} is dead but keeps {pages} page(s) that others have mapped' },
  'pages-stay-mapped': {
    severity: 'note',
    message: 'page {page} of domain {domid} stays mapped after the relabel to `{label}`',
  },
  'residual-mappings': {
    severity: 'error',
    message: 'guest `{guest}` was not relabelled: others have {pages} of its pages mapped',
  },
  'name-taken': { severity: 'error', message: 'a guest with the name `{name}` exists already' },
  'bad-request': { severity: 'error', message: 'cannot create guest `{guest}`: {reason}' },
  'unknown-domain': { severity: 'error', message: '`{domain}` is no domain of this host' },
  'dom0-taken-for-dead': {
    severity: 'warning',
    message: 'xenstored may not look at dom0 and takes it for dead: it removes the entries of dom0 from xenstore',
  },
  'unknown-to-xenstored': {
    severity: 'warning',
    message: 'xenstored may not look at guest `{guest}`: the guest can read nothing of what xenstore has for it',
  },
  'is-dom0': { severity: 'error', message: 'cannot {operation} dom0' },
  'operation-failed': { severity: 'error', message: 'cannot {operation} domain {domid}' },
  'fate-unknown': {
    severity: 'error',
    message: 'domain {domid} was handed over, and the other host neither said that it runs there nor gave it back',
  },
  'request-failed': { severity: 'error', message: 'cannot {operation}' },
  'no-answer': { severity: 'error', message: 'domain {domid} does not answer: {operation} failed' },
  'action-not-rehearsed': {
    severity: 'error',
    message: 'guest `{guest}` has stopped and stays: `{action}` is not rehearsed',
  },
  'core-without-memory': {
    severity: 'error',
    message: 'the core of domain {domid} has {missing} page(s) of zeros: dom0 could not read them',
  },
  'not-saved': { severity: 'error', message: 'there is no saved guest in `{file}`: {reason}' },
  'log-lost': {
    severity: 'warning',
    message: "{count} characters of Xen's console were gone before they could be read, and denials with them",
  },
  'unknown-boolean': { severity: 'error', message: 'the policy has no boolean `{name}`' },
} as const;

/** Makes the diagnostics of area `guest`. */
export const guest: Creators<typeof entries> = defineDiagnostics('guest', entries);

/** The type in a context. */
function typeOf(context: string): string {
  return context.split(':')[2] ?? context;
}

/** What was denied, and the rule that would have allowed it. */
export function denialNotes(check: ObservedCheck): Note[] {
  const permissions = check.denied.join(' ');
  const rule = `allow ${typeOf(check.source)} ${typeOf(check.target)}:${check.class} { ${permissions} };`;
  const notes: Note[] = [
    { message: `\`${check.source}\` lacks \`${check.class} { ${permissions} }\` on \`${check.target}\`` },
  ];
  if (check.avcLine !== undefined) notes.push({ message: check.avcLine });
  notes.push({ message: `a type rule that would grant it: \`${rule}\`` });
  return notes;
}

/** Why a hypercall failed. */
export function refusalNotes(refusal: Refusal | undefined): Note[] {
  if (refusal === undefined) return [];
  const notes: Note[] = [{ message: `\`${refusal.hypercall}\` gave ${refusal.errno}` }];
  if (refusal.reason !== undefined) notes.push({ message: refusal.reason });
  return refusal.check === undefined ? notes : [...notes, ...denialNotes(refusal.check)];
}
