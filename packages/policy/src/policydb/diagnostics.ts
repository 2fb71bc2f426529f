/**
 * What can be said about a binary policy.
 *
 * @module
 */
import { type Diagnostic, defineDiagnostics, unreachable } from '../text/index.ts';
import type { BinaryError } from './byte-reader.ts';

const entries = {
  'bad-magic': {
    severity: 'error',
    message: 'not a binary policy: it begins with {found} instead of 0xf97cff8c, at byte {offset}',
  },
  'not-xen': { severity: 'error', message: 'a binary policy for `{found}` instead of `XenFlask`, at byte {offset}' },
  'bad-version': {
    severity: 'error',
    message: 'policy version {version} does not exist for Xen; the versions are 24 and 30, at byte {offset}',
  },
  truncated: { severity: 'error', message: 'the file ends inside {what}, at byte {offset}' },
  'bad-count': {
    severity: 'error',
    message: 'more entries of {what} ({count}) than the rest of the file can hold, at byte {offset}',
  },
  'bad-value': { severity: 'error', message: 'impossible value `{value}` for {what}, at byte {offset}' },
  'bad-ebitmap': { severity: 'error', message: 'malformed set of {what}, at byte {offset}' },
  duplicate: { severity: 'error', message: 'two {what} are called `{name}`, at byte {offset}' },
  trailing: { severity: 'error', message: '{count} bytes follow the end of the policy, at byte {offset}' },
} as const;

const policydb = defineDiagnostics('policydb', entries);

/** The diagnostic of a fault found while reading. */
export function binaryDiagnostic({ fault, offset }: BinaryError): Diagnostic {
  switch (fault.kind) {
    case 'bad-magic':
      return policydb['bad-magic'](undefined, { found: `0x${fault.found.toString(16)}`, offset });
    case 'not-xen':
      return policydb['not-xen'](undefined, { found: printable(fault.found), offset });
    case 'bad-version':
      return policydb['bad-version'](undefined, { version: fault.version, offset });
    case 'truncated':
      return policydb.truncated(undefined, { what: fault.what, offset });
    case 'bad-count':
      return policydb['bad-count'](undefined, { what: fault.what, count: fault.count, offset });
    case 'bad-value':
      return policydb['bad-value'](undefined, {
        what: fault.what,
        value: typeof fault.value === 'string' ? printable(fault.value) : fault.value,
        offset,
      });
    case 'bad-ebitmap':
      return policydb['bad-ebitmap'](undefined, { what: fault.what, offset });
    case 'duplicate':
      return policydb.duplicate(undefined, { what: fault.what, name: printable(fault.name), offset });
    case 'trailing':
      return policydb.trailing(undefined, { count: fault.count, offset });
    default:
      return unreachable(fault);
  }
}

/** Text from outside, safe to print: at most 60 characters, none of them a control character. */
function printable(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return short.replaceAll(/[^\x20-\x7e…]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
