/**
 * What compiles and is wrong: labels that strand a domain, rights wider than needed, rules that do nothing, names that
 * nothing uses.
 *
 * Each file in `rules` looks for one kind of fault. They ask decisions, not rules alone: a finding is one for labels that
 * a host can come to have, under settings of the booleans that it can come to.
 *
 * Imports: `text`, `language`, `policydb`, `releases`, `compiler`, `security-server`, `analysis`.
 * Start reading at `lintPolicy`.
 *
 * @module
 */
export { LINT_CODES, type LintOptions, lintPolicy, SOURCE_CODES } from './lint-policy.ts';
export type { LintInput } from './lint-subject.ts';
