/**
 * How soon V8 compiles a function anew with optimizations.
 *
 * V8's own value suits programs that run for long. A command that ends after a tenth of a second pays for optimized code
 * that hardly runs: a third of its CPU time. What is known of the work decides: in short work only what runs longest of all
 * is optimized, and long work is optimized as late as does not slow it down (`bench/compile.ts`).
 *
 * @module
 */
import { setFlagsFromString } from 'node:v8';

/** The bytes of bytecode that a function runs before it is optimized. A command starts with a value between the two (`bin/bundle.js`). */
const BUDGETS = { usual: 500_000, short: 4_000_000 } as const;

/** V8 prints a complaint about a flag it does not know; Node 20 and 22 have that one. */
const isKnown = ['11', '12'].includes(process.versions.v8.split('.')[0] ?? '');

/** Says how much work is ahead. */
export function expectWork(amount: keyof typeof BUDGETS): void {
  if (!isKnown) return;
  setFlagsFromString(`--interrupt-budget=${BUDGETS[amount]}`);
  // To look for garbage bit by bit, in advance, costs as much again as it saves work that ends soon.
  setFlagsFromString(amount === 'short' ? '--no-incremental-marking' : '--incremental-marking');
}
