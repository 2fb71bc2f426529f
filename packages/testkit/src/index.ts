/**
 * Helpers for tests: reference tools, marked sources, expectations.
 *
 * @module
 */
export * from './reference-tool.ts';
