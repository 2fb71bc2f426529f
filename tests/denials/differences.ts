/**
 * Where real Xen and the simulated host are known to part, and why: by operation and missing rule. There is nothing now.
 *
 * @module
 */
export const DIFFERENCES: Readonly<Record<string, string>> = {};
