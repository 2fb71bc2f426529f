/**
 * What can be wrong with macros.
 *
 * An error is what makes GNU m4 fail, or what Dewar refuses; what GNU m4 only warns about is a warning.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const entries = {
  'unterminated-quote': { severity: 'error', message: 'the quotation that begins here has no end' },
  'unterminated-comment': { severity: 'error', message: 'the comment that begins here has no end' },
  'unterminated-call': { severity: 'error', message: 'the call of `{macro}` has no closing parenthesis' },
  'no-include': { severity: 'error', message: 'there is no file `{name}` to include' },
  'not-supported': { severity: 'error', message: '`{macro}` would reach outside of the policy, and is refused' },
  'endless-macro': {
    severity: 'error',
    message: '`{macro}` calls itself without an end, each time with the same arguments',
  },
  'limit-reached': { severity: 'error', message: 'macro expansion stopped: more than {limit} {what}' },
  'foreign-operator': { severity: 'error', message: '`eval` has no operator `{operator}`' },
  'unknown-macro': { severity: 'warning', message: 'no macro is called `{macro}`' },
  'bad-number': { severity: 'warning', message: '`{text}` is not a number for `{macro}`' },
  'bad-argument': { severity: 'warning', message: 'argument of `{macro}`: {reason}' },
  'excess-arguments': { severity: 'warning', message: 'arguments of `{macro}` after argument {count} have no effect' },
  'bad-expression': { severity: 'warning', message: '`eval` cannot read `{text}`: {reason}' },
  'bad-pattern': { severity: 'warning', message: '`{macro}` cannot read the pattern `{text}`: {reason}' },
  'too-few-arguments': { severity: 'warning', message: 'too few arguments to `{macro}`' },
} as const;

export const m4: Creators<typeof entries> = defineDiagnostics('m4', entries);
