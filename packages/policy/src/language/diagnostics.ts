/**
 * What can be wrong with the form of a policy text.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const entries = {
  'unrecognized-character': { severity: 'error', message: 'character `{character}` has no meaning in a policy' },
  'byte-order-mark': { severity: 'error', message: 'the file begins with a byte order mark, which no policy has' },
  'carriage-return': {
    severity: 'error',
    message: 'the line ends with a carriage return: a policy has the line ends of Unix',
  },
  'line-too-long': {
    severity: 'error',
    message: 'a line of {length} bytes is longer than checkpolicy can read (less than {limit})',
  },
  'unexpected-token': { severity: 'error', message: 'expected {expected}, found {found}' },
  'unexpected-end': { severity: 'error', message: 'the policy ends where {expected} was expected' },
  'reserved-word': { severity: 'error', message: '`{word}` is a reserved word and cannot be a name' },
  'unknown-statement': { severity: 'error', message: 'no statement begins with `{word}`' },
  'wrong-section': { severity: 'error', message: '`{statement}` is out of place: it belongs {place}' },
  'repeated-dominance': { severity: 'error', message: 'the sensitivities have one order, and this is a second' },
  'unknown-macro': { severity: 'error', message: 'no macro is called `{macro}`' },
  'missing-argument': { severity: 'error', message: 'argument {argument} of `{macro}` is missing' },
  'missing-section': { severity: 'error', message: 'the policy has no {what}' },
  'not-for-xen': { severity: 'error', message: '`{statement}` has no meaning for Xen' },
  'filename-in-conditional': {
    severity: 'error',
    message: 'a transition with a file name cannot stand in a conditional block',
  },
  'bad-number': { severity: 'error', message: 'number `{number}` is too large; the largest is {maximum}' },
  'not-octal': { severity: 'warning', message: '`{number}` begins with 0 and is read as octal: {value}' },
  'expression-too-deep': { severity: 'error', message: 'the expression needs a deeper stack than {limit} values' },
  'unclosed-block': { severity: 'error', message: 'the block that begins here has no `}`' },
  'not-in-conditional': { severity: 'error', message: '`{statement}` cannot stand in a conditional block' },
  'empty-set': { severity: 'error', message: 'a set needs at least one name' },
} as const;

export const language: Creators<typeof entries> = defineDiagnostics('language', entries);
