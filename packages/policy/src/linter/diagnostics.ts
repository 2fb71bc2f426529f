/**
 * What compiles and is wrong all the same.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const entries = {
  'cannot-destroy': {
    severity: 'warning',
    message: '`{creator}` can make a domain as `{type}`{when}, and cannot destroy it{later}',
  },
  'never-unpaused': { severity: 'warning', message: 'a domain can be made as `{type}`, and nobody can unpause it' },
  'dom0-cannot-list': { severity: 'warning', message: '`{dom0}` may not list domains{when}' },
  'no-xenstored': { severity: 'warning', message: 'no xenstored can run in `{dom0}`{when}' },
  'unseen-by-xenstored': {
    severity: 'warning',
    message:
      'a domain can come to be of `{type}`{when}, and `{xenstored}` may not look at it: it never hears that it ends',
  },
  'no-own-rights': {
    severity: 'warning',
    message: '`{type}` may not do to itself what every guest does: {rights}',
  },
  'relabel-back': { severity: 'warning', message: 'a domain can be relabelled from `{from}` to `{to}`, and back' },
  'relabel-unused': {
    severity: 'warning',
    message: '`{permission}` is given here, and is part of no relabel that the policy allows',
  },
  'type-without-role': {
    severity: 'warning',
    message: 'a domain can be made as `{type}`, and no user has a role that may have this type',
  },
  'argo-connects': {
    severity: 'warning',
    message: 'domains of `{one}` and of `{other}` reach each other by Argo, and by nothing else',
  },
  'rule-never-holds': {
    severity: 'warning',
    message: 'no labels let this rule hold: a constraint takes away `{class} {permissions}` for all of them',
  },
  'constraint-never-met': {
    severity: 'warning',
    message: 'no labels that a rule gives `{class} {permissions}` meet this constraint',
  },
  'repeated-rule': { severity: 'warning', message: 'other rules give all that this gives' },
  'permission-does-nothing': {
    severity: 'warning',
    message: 'Xen {release} never asks for the permission `{permission}` of class `{class}`',
  },
  'unused-type': { severity: 'warning', message: 'type `{name}` is declared, and nothing says anything about it' },
  'unused-attribute': { severity: 'warning', message: 'attribute `{name}` is declared, and no rule names it' },
  'unused-boolean': { severity: 'warning', message: 'boolean `{name}` is declared, and no condition names it' },
  'unused-role': { severity: 'warning', message: 'role `{name}` is declared, and no user has it' },
  'unused-device-label': {
    severity: 'warning',
    message: '{what} has the label `{label}`, and no rule is about devices of this type',
  },
} as const;

/** Diagnostics of policies that compile, by name. */
export const lint: Creators<typeof entries> = defineDiagnostics('lint', entries);
