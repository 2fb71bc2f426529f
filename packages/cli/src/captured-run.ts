/**
 * One command line run in the process of a test, with what it printed.
 *
 * @module
 */
import { run } from './main.ts';

/** How a command ended, and its two outputs as UTF-8. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `dewar ARGS` as if neither output were a terminal. */
export async function dewar(...args: readonly string[]): Promise<Ran> {
  const chunks: Record<'out' | 'err', Uint8Array[]> = { out: [], err: [] };
  const stream = (name: 'out' | 'err') => ({
    isTerminal: false,
    write: (bytes: Uint8Array) => void chunks[name].push(bytes),
  });
  const code = await run(args, { out: stream('out'), err: stream('err') }, '0.0.0-test');
  return { code, out: Buffer.concat(chunks.out).toString('utf8'), err: Buffer.concat(chunks.err).toString('utf8') };
}
