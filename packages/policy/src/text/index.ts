/**
 * Source texts, places in them, origins through macros, and diagnostics.
 *
 * Imports: nothing.
 *
 * @module
 */
export * from './diagnostic.ts';
export * from './invariant.ts';
export * from './nearest-name.ts';
export * from './origin.ts';
export * from './origin-runs.ts';
export * from './render-diagnostic.ts';
export * from './source-text.ts';
export * from './spelling-table.ts';
