/**
 * The layout of policy sources: `.te`, `.if`, `.cons` and `.spt` files, with their macros.
 *
 * Imports: nothing.
 *
 * @module
 */
export { formatSource } from './format-source.ts';
