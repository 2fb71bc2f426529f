/**
 * Helpers for tests: reference tools, a source tree of Xen, random choices.
 *
 * @module
 */
export * from './example-policy.ts';
export * from './random.ts';
export * from './reference-tool.ts';
export { withoutPermission } from './without-permission.ts';
export * from './xen-tree.ts';
