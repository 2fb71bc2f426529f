/**
 * What can be wrong with an xl.cfg file: its form (`cfg` diagnostics of the parser) and its content.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '@dewar/policy/text';

const entries = {
  // The form of the file.
  unexpected: { severity: 'error', message: 'expected {expected}, found {found}' },
  'stray-text': { severity: 'error', message: '{text} has no meaning here' },
  'no-key': { severity: 'error', message: 'a line begins with a key, not with {found}' },
  'bad-key': { severity: 'error', message: '`{key}` cannot be a key' },
  'no-equals': { severity: 'error', message: 'expected `=` or `+=` after `{key}`, found {found}' },
  'split-append': { severity: 'error', message: '`+=` must be written without a blank inside' },
  'no-value': { severity: 'error', message: '`{key}` has no value' },
  'unquoted-value': { severity: 'error', message: '`{text}` must be in quotes' },
  'word-value': { severity: 'error', message: '`{text}` is no value: yes and no are written `1` and `0`' },
  'bad-number': { severity: 'error', message: '`{text}` is not a number that xl.cfg can hold without quotes' },
  'two-values': { severity: 'error', message: '`{key}` has a second value: xl.cfg joins no strings' },
  'two-statements': { severity: 'error', message: '`{key}` needs a line of its own, or a `;` before it' },
  'unopened-list': { severity: 'error', message: 'this `]` closes no list' },
  'unclosed-list': { severity: 'error', message: 'the list of `{key}` is not closed' },
  'no-comma': { severity: 'error', message: 'a `,` is missing between two items of the list' },
  'empty-item': { severity: 'error', message: 'the list has a `,` with no item before it' },
  'unclosed-string': { severity: 'error', message: 'the string is not closed on its line' },
  'unclosed-comment': { severity: 'error', message: 'a comment on the last line needs a line end after it' },
  'bad-escape': { severity: 'error', message: '`{escape}` is no escape that xl.cfg knows' },
  'mixed-append': { severity: 'error', message: '`{key}` holds a {earlier}, and a {later} cannot be added to it' },
  'nul-in-string': { severity: 'error', message: 'a string cannot hold a NUL byte' },
  'carriage-return': { severity: 'error', message: 'a carriage return can only stand inside quotes or a comment' },
  'byte-order-mark': { severity: 'error', message: 'the file begins with a byte order mark' },
  'not-ascii': { severity: 'error', message: '{text} can only stand inside quotes or a comment' },
  'too-deep': { severity: 'error', message: 'lists are nested too deeply' },
  'unread-character': { severity: 'warning', message: '{text} at the end of the file is not read' },
  'vanished-escape': { severity: 'warning', message: '`{escape}` puts nothing into the string' },
  'too-many-problems': {
    severity: 'note',
    message: 'the rest of the file is not reported: there are more than {limit} problems',
  },
  // Labels.
  'label-is-list': { severity: 'error', message: '`{key}` is a list, so the label does not take effect' },
  'label-is-empty': { severity: 'error', message: '`{key}` is empty' },
  'label-shape': { severity: 'error', message: '`{label}` is not a label' },
  'misspelt-label-key': {
    severity: 'error',
    message: '`{key}` is not a key of xl.cfg, so its label does not take effect',
  },
  'label-without-stubdomain': { severity: 'error', message: '`{key}` has no effect: the guest has no stub domain' },
  'runs-under-build-label': { severity: 'warning', message: 'the guest will run under its build label `{label}`' },
  // Keys.
  'unknown-key': { severity: 'warning', message: '`{key}` is not a key of xl.cfg and is ignored' },
  'later-key': { severity: 'warning', message: '`{key}` is ignored: only releases after Xen 4.17 read it' },
  'key-twice': { severity: 'warning', message: '`{key}` is set again: this value wins' },
  'key-for-other-guest': { severity: 'note', message: '`{key}` has no effect on a {guest} guest' },
  // Values.
  'list-for-value': { severity: 'warning', message: '`{key}` is a list but should be a single value, and is ignored' },
  'value-for-list': { severity: 'warning', message: '`{key}` is a single value but should be a list, and is ignored' },
  'not-a-number': { severity: 'warning', message: '`{text}` is not a number, so `{key}` is ignored' },
  'number-too-large': { severity: 'warning', message: '`{text}` is too large a number, so `{key}` is ignored' },
  'appended-number': { severity: 'warning', message: '`{key}` is ignored: `+=` does not add numbers' },
  'must-be-list': { severity: 'error', message: '`{key}` is a single value but must be a list' },
  'list-in-list': { severity: 'error', message: 'an item of `{key}` cannot be a list' },
  'unread-items': { severity: 'warning', message: 'the list of `{key}` is read only up to this item' },
  'bad-entry': { severity: 'error', message: 'an entry of `{key}` is wrong: {why}' },
  'ignored-part': { severity: 'warning', message: '`{part}` is left out of the entry of `{key}`: {why}' },
  'host-nodes': {
    severity: 'note',
    message: '`{key}` names NUMA nodes: it is read for a host whose {cpus} CPUs are all in node 0',
  },
  'bad-uuid': { severity: 'error', message: 'the UUID is malformed' },
  shortened: { severity: 'warning', message: '`{key}` is {how}' },
  deprecated: { severity: 'warning', message: '`{key}` is {how}' },
  'out-of-range': { severity: 'error', message: '`{key}` cannot be {value}' },
  'bad-choice': { severity: 'error', message: '`{value}` is not a value of `{key}`' },
  contradiction: { severity: 'error', message: '{what}' },
  required: { severity: 'error', message: '{what}' },
} as const;

export const cfg: Creators<typeof entries> = defineDiagnostics('cfg', entries);
