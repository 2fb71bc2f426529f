/**
 * What can be wrong with a question about a policy.
 *
 * @module
 */
import { type Creators, defineDiagnostics } from '../text/index.ts';

const entries = {
  'unknown-name': { severity: 'error', message: 'the policy has no {what} `{name}`' },
  'bad-pattern': { severity: 'error', message: '`{pattern}` is no regular expression: {why}' },
} as const;

/** Diagnostics of questions, by name. */
export const search: Creators<typeof entries> = defineDiagnostics('search', entries);
