/**
 * Back from bytes: the policy as text, and what there is to know about it.
 *
 * Imports: `text`, `policydb`, `releases`, and the keywords of `language`.
 * Start reading at `decompilePolicy`.
 *
 * @module
 */
export { checkRecompiled } from './check-again.ts';
export { type DecompiledPolicy, type DecompileOptions, decompilePolicy } from './decompile-policy.ts';
export { type ConstraintNames, conditionText, constraintText } from './expressions.ts';
export { findRelease, type ReleaseMatch } from './find-release.ts';
export { Names } from './names.ts';
export { type PolicyInfo, policyInfo } from './policy-info.ts';
export { sidName } from './symbols-text.ts';
export { type Membership, readMembership } from './types-text.ts';
