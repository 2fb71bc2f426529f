/**
 * Helpers for tests: reference tools, random choices.
 *
 * @module
 */
export * from './random.ts';
export * from './reference-tool.ts';
