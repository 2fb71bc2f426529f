/**
 * Shows a user's bytes inside a message of ours.
 *
 * @module
 */
import type { Token } from './token.ts';

const LIMIT = 60;

/** The bytes in a form that fits on one line: control characters and what is not ASCII as `\xNN`, long text cut. */
export function showBytes(bytes: string): string {
  const cut = bytes.length > LIMIT ? bytes.slice(0, LIMIT) : bytes;
  const shown = cut.replaceAll(/[^\x20-\x7e]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return cut === bytes ? shown : `${shown}…`;
}

/** A token as a message names it. */
export function showToken(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end of the file';
    case 'newline':
      return 'the end of the line';
    case 'string':
      return 'a string';
    case 'number':
      return `the number \`${showBytes(token.text)}\``;
    default:
      return `\`${showBytes(token.text)}\``;
  }
}
