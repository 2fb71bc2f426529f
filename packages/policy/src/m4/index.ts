/**
 * m4 that remembers: macro expansion with the text of GNU m4, where every character of the output knows where it was
 * written and through which calls it came. Runs are bounded and cannot reach outside.
 *
 * The text comes first (`TextRun`), and is mostly all that is asked for; what remembers is `Processor`.
 *
 * Imports: `text`.
 *
 * @module
 */
export { DEFAULT_LIMITS, type M4Limits } from './limits.ts';
export { BUILTIN_NAMES, type M4Options, type M4Result, runM4, type ShortCall } from './run-m4.ts';
