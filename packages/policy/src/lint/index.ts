/**
 * What compiles and is wrong.
 *
 * Imports: `text`, `policydb`, `releases`, `compiler`, `security-server`, `analysis`, `explain`.
 * Start reading at `lintPolicy`.
 *
 * @module
 */
export { lintPolicy } from './lint-policy.ts';
