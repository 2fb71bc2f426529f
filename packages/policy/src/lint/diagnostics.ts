/**
 * What can be wrong with a policy that compiles.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const entries = {
  'cannot-destroy': { severity: 'warning', message: '`{creator}` may make a domain `{type}`, and may not destroy it' },
  'never-unpaused': {
    severity: 'warning',
    message: 'a domain can be created as `{type}`, and nobody may unpause it or relabel it',
  },
  'relabel-back': { severity: 'warning', message: 'a domain that went from `{from}` to `{to}` can be relabelled back' },
  'relabel-unused': {
    severity: 'warning',
    message: '`{permission}` here is part of no relabel that the policy allows',
  },
  'no-self-access': { severity: 'warning', message: 'a domain `{type}` may not do to itself what it needs: {missing}' },
  'constraint-never-met': {
    severity: 'warning',
    message: 'rules give `{class} {permissions}` only to labels that the constraint refuses',
  },
  'duplicate-rule': { severity: 'warning', message: 'the rule gives what another one with the same types gives' },
  'shadowed-rule': { severity: 'warning', message: 'the rule gives nothing that wider rules do not give' },
  unused: { severity: 'warning', message: '{what} `{name}` is declared and never used' },
  'device-label-unused': { severity: 'warning', message: 'no rule lets a domain use `{type}`, the label of {device}' },
  'argo-connects': {
    severity: 'warning',
    message: '`{type}` shares nothing with other guests, and Argo connects it with {others}',
  },
  'permission-without-effect': { severity: 'warning', message: 'Xen {release} never asks for `{class} {permission}`' },
} as const;

/** Diagnostics of policies that compile, by name. */
export const lint: Creators<typeof entries> = defineDiagnostics('lint', entries);
