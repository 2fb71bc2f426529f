/**
 * What can be wrong with the meaning of a policy.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const te = {
  'unknown-type': { severity: 'error', message: 'unknown type `{name}` in `{statement}`' },
  'undeclared-attribute': { severity: 'error', message: 'attribute `{name}` is not declared before this' },
  'not-an-attribute': { severity: 'error', message: '`{name}` is a type, not an attribute' },
  'not-a-type': { severity: 'error', message: '`{name}` is an attribute, and a type is needed here' },
  'unknown-class': { severity: 'error', message: 'unknown class `{name}`' },
  'unknown-permission': { severity: 'error', message: 'class `{class}` has no permission `{name}`' },
  'unknown-common': { severity: 'error', message: 'unknown common `{name}`' },
  'unknown-role': { severity: 'error', message: 'unknown role `{name}`' },
  'undeclared-role-attribute': { severity: 'error', message: 'role attribute `{name}` is not declared before this' },
  'not-a-role-attribute': { severity: 'error', message: '`{name}` is a role, not a role attribute' },
  'not-a-role': { severity: 'error', message: '`{name}` is a role attribute, and a role is needed here' },
  'unknown-user': { severity: 'error', message: 'unknown user `{name}`' },
  'unknown-boolean': { severity: 'error', message: 'unknown boolean `{name}`' },
  'unknown-sid': { severity: 'error', message: 'unknown initial SID `{name}`' },
  'unknown-capability': { severity: 'error', message: 'unknown policy capability `{name}`' },
  duplicate: { severity: 'error', message: '{what} `{name}` is declared twice' },
  'reserved-self': { severity: 'error', message: '`self` stands for the source of a rule and cannot be declared' },
  'dotted-name': { severity: 'error', message: 'the name of {what} cannot hold a dot: `{name}`' },
  'too-many-permissions': {
    severity: 'error',
    message: 'class `{class}` has {count} permissions, and 32 is the limit',
  },
  'inherited-permission': { severity: 'error', message: 'permission `{name}` is already in common `{common}`' },
  'set-operator': { severity: 'error', message: '`{operator}` is not allowed in the {what} of `{statement}`' },
  'self-excluded': { severity: 'error', message: '`self` cannot be taken out of a set' },
  'star-without-limit': {
    severity: 'warning',
    message: 'a `dontaudit` rule with `~` silences permissions that do not exist yet',
  },
  'attribute-result': {
    severity: 'warning',
    message: '`{name}` is an attribute, and no object can have it as its type',
  },
  'conflicting-default': { severity: 'error', message: 'class `{class}` already has another `{rule}`' },
  'conflicting-bounds': { severity: 'error', message: 'type `{type}` is already bounded by `{parent}`' },
  'orphan-bounds': { severity: 'error', message: '{what} `{name}` is bounded by `{parent}`, which does not exist' },
  'bounds-exceeded': { severity: 'error', message: '{what} `{name}` is allowed more than `{parent}`, which bounds it' },
  'no-process-class': {
    severity: 'error',
    message: '`{statement}` without a class means class `process`, which is not declared',
  },
  'duplicate-role-transition': {
    severity: 'error',
    message: 'a role transition for (`{role}`, `{type}`, `{class}`) exists already',
  },
  'duplicate-filename-transition': {
    severity: 'error',
    message: 'a transition for (`{source}`, `{target}`, `{class}`, "{name}") exists already',
  },
  'conflicting-range-transition': {
    severity: 'error',
    message: 'a range transition for (`{source}`, `{target}`, `{class}`) exists already with another range',
  },
  'conflicting-type-rule': {
    severity: 'error',
    message: '`{rule}` for (`{source}`, `{target}`, `{class}`) gives `{new}`, and an earlier rule gives `{old}`',
  },
  'duplicate-type-rule': {
    severity: 'error',
    message: '`{rule}` for (`{source}`, `{target}`, `{class}`) repeats a rule outside of its branch',
  },
  'neverallow-violated': {
    severity: 'error',
    message: '`neverallow` is broken: `{source}` may `{permissions}` on `{target}` ({class})',
  },
  'mixed-condition': {
    severity: 'error',
    message: 'a condition cannot mix the boolean `{boolean}` with the tunable `{tunable}`',
  },
  'empty-constraint': { severity: 'warning', message: 'the constraint names no permission and is left out' },
  'expand-both': {
    severity: 'warning',
    message: 'attribute `{name}` is to be expanded and not to be expanded; it is not',
  },
  'role-dominance': { severity: 'warning', message: 'dominance of roles is deprecated' },
  'optional-unsupported': { severity: 'error', message: '`{statement}` cannot stand in an `optional` block here' },
  'optional-left-out': {
    severity: 'warning',
    message: 'the `optional` block does not count: {kind} `{name}` {why}',
  },
  'requirement-not-met': { severity: 'error', message: 'the required {kind} `{name}` {why}' },
  'require-in-else': { severity: 'error', message: '`{name}` cannot be required in an `else` branch' },
  'require-outside': { severity: 'error', message: '`require` belongs into an `optional` or a conditional block' },
  'too-many-types': {
    severity: 'error',
    message: '{count} types and attributes are more than the format can hold (65535)',
  },
} as const;

export const policy: Creators<typeof te> = defineDiagnostics('te', te);

const mlsEntries = {
  'needs-mls': { severity: 'error', message: '`{statement}` is for a policy with MLS (`--mls`)' },
  'unknown-sensitivity': { severity: 'error', message: 'unknown sensitivity `{name}`' },
  'unknown-category': { severity: 'error', message: 'unknown category `{name}`' },
  'category-range': { severity: 'error', message: 'range of categories `{name}` ends before it begins' },
  'no-range': { severity: 'error', message: 'a policy with MLS needs a {what} here' },
  'unexpected-range': { severity: 'error', message: 'a range is for a policy with MLS (`--mls`)' },
  'not-in-dominance': { severity: 'error', message: 'sensitivity `{name}` is missing from the dominance' },
  'repeated-in-dominance': { severity: 'error', message: 'sensitivity `{name}` stands twice in the dominance' },
  'repeated-level': { severity: 'error', message: 'sensitivity `{name}` already has a level' },
  'no-level': { severity: 'error', message: 'sensitivity `{name}` has no `level` statement' },
  'category-not-in-level': {
    severity: 'error',
    message: 'category `{category}` is not in the level of sensitivity `{sensitivity}`',
  },
  'range-order': { severity: 'error', message: 'the high level of the range does not dominate its low level' },
  'range-of-block-user': {
    severity: 'error',
    message: 'user `{user}` has not the same level and range in an `optional` block and outside of it',
  },
  'default-outside-range': { severity: 'error', message: 'the default level of user `{user}` is outside the range' },
} as const;

export const mls: Creators<typeof mlsEntries> = defineDiagnostics('mls', mlsEntries);

const contextEntries = {
  'role-of-user': { severity: 'error', message: 'user `{user}` may not have role `{role}`' },
  'type-of-role': { severity: 'error', message: 'role `{role}` may not have type `{type}`' },
  'range-of-user': { severity: 'error', message: 'the range is outside the range of user `{user}`' },
  'sid-twice': { severity: 'error', message: 'initial SID `{name}` has a context already' },
  'sid-without': { severity: 'warning', message: 'initial SID `{name}` has no context and is left out' },
  duplicate: { severity: 'error', message: '{what} {number} is labelled already' },
  overlap: { severity: 'error', message: '{what} {range} overlap {other}' },
  'range-backwards': { severity: 'error', message: 'the range {range} of {what} ends before it begins' },
  'lost-at-version': {
    severity: 'warning',
    message: 'the label of `{what}` cannot be written at version {version} and is lost',
  },
  'unwritable-at-version': { severity: 'error', message: 'frames {range} cannot be written at version {version}' },
} as const;

export const label: Creators<typeof contextEntries> = defineDiagnostics('context', contextEntries);

const sourceEntries = {
  'no-file': { severity: 'error', message: 'the policy has no file `{path}`' },
  'no-modules': { severity: 'error', message: '`{path}` switches no module on' },
  'no-module-file': { severity: 'error', message: 'module `{module}` is on, but there is no file `{path}`' },
  'other-release': {
    severity: 'error',
    message: 'Xen {release} has none of {count} names that the policy uses, and other releases have',
  },
  'm4-failed': { severity: 'error', message: '`m4exit` ends m4 with status {status}, so that there is no policy' },
  'm4-ended': { severity: 'warning', message: '`m4exit` ends the policy here: nothing behind it is read' },
  'late-user': {
    severity: 'warning',
    message: 'user `{user}` is declared too late: the policy does not have it',
  },
  'module-twice': { severity: 'warning', message: 'module `{module}` is named a second time' },
  'module-line': { severity: 'warning', message: 'line of `modules.conf` is neither `name = on` nor `name = off`' },
  'lost-rules': { severity: 'warning', message: '{what} cannot be written at version {version} and are lost' },
  'no-rules': {
    severity: 'warning',
    message: 'the policy has no rule outside conditional blocks, and Xen loads no such policy',
  },
  'larger-than-xen-loads': {
    severity: 'warning',
    message: 'the policy has {size} bytes, and a running Xen loads at most {limit}',
  },
} as const;

export const source: Creators<typeof sourceEntries> = defineDiagnostics('source', sourceEntries);
