/**
 * One command line run in the process of a test, with what it printed.
 *
 * @module
 */
import { run } from './main.ts';
import type { Terminal } from './terminal.ts';

/** How a command ended, and its two outputs as UTF-8. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `dewar ARGS` as if neither output were a terminal. */
export function dewar(...args: readonly string[]): Promise<Ran> {
  return dewarOn(undefined, args);
}

/** The same, with a real host of the test's own. */
export async function dewarOn(
  realHost: Terminal['realHost'],
  args: readonly string[],
  migrationStreams?: Terminal['migrationStreams'],
): Promise<Ran> {
  const chunks: Record<'out' | 'err', Uint8Array[]> = { out: [], err: [] };
  const stream = (name: 'out' | 'err') => ({
    isTerminal: false,
    write: (bytes: Uint8Array) => void chunks[name].push(bytes),
  });
  const terminal = {
    out: stream('out'),
    err: stream('err'),
    ...(realHost === undefined ? {} : { realHost }),
    ...(migrationStreams === undefined ? {} : { migrationStreams }),
  };
  const code = await run(args, terminal, '0.0.0-test');
  return { code, out: Buffer.concat(chunks.out).toString('utf8'), err: Buffer.concat(chunks.err).toString('utf8') };
}
