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
  'other-bytes': { severity: 'error', message: 'compiled again, the text gives other bytes, from byte {offset} on' },
  'not-compiled': { severity: 'error', message: 'the text does not compile: {why}' },
} as const;

/** Diagnostics of the decompiler, by name. */
export const decompile: Creators<typeof entries> = defineDiagnostics('decompile', entries);

/** Text from outside, safe to print: not too long, and without control characters. */
export function printable(text: string, limit = 60): string {
  const short = text.length > limit ? `${text.slice(0, limit)}...` : text;
  return short.replaceAll(/[^\x20-\x7e]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
