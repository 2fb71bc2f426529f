/**
 * What a binary policy can hold that policy text cannot say.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const entries = {
  'not-a-name': { severity: 'error', message: 'the name of {what} cannot be written in policy text: `{name}`' },
  'no-symbol': { severity: 'error', message: 'there is no {what} with number {number}' },
  'no-text': { severity: 'error', message: 'no statement says this: {what}' },
  'other-order': {
    severity: 'warning',
    message: 'the binary has its {what} in an order that compiling does not give; compiled again, its bytes differ',
  },
} as const;

/** Diagnostics of the decompiler, by name. */
export const decompile: Creators<typeof entries> = defineDiagnostics('decompile', entries);

/** Text from outside, safe to print: at most 60 characters, none of them a control character. */
export function printable(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return short.replaceAll(/[^\x20-\x7e]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
