/**
 * xl itself, asked for dry runs with `xl-shim.c` in the place of the hypervisor.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referenceTool } from '@dewar/testkit';
import { compile, type Unavailable, unavailable } from './compiled.ts';

/** Where Debian's xen-utils-4.17 keeps xl, which is not on the path. */
const DEBIAN_XL = '/usr/lib/xen-4.17/bin/xl';

/** Milliseconds; xl counts through a range of CPUs one by one, however long it is. */
const PATIENCE = 10_000;

/** The name that the file has for xl. */
export const GUEST_FILE = 'guest.cfg';

export interface DryRun {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit status, or the name of the signal that ended xl. */
  readonly end: number | string;
}

export interface XlReference {
  /** `xl create -n` of a file with this text and these extra words. */
  dryRun(text: string, extraWords: readonly string[]): DryRun;
  /** xl with these words; its file would be called `guest.cfg`. */
  run(words: readonly string[]): DryRun;
  dispose(): void;
}

export function xlReference(): XlReference | Unavailable {
  const xl = existsSync(DEBIAN_XL) ? DEBIAN_XL : referenceTool('xl')?.path;
  if (xl === undefined) return unavailable('xl is not installed (Debian: xen-utils-4.17)');
  const shim = compile('xl-shim.c', ['-shared', '-fPIC']);
  if ('reason' in shim) return shim;
  const env = { ...process.env, LD_PRELOAD: shim.path };
  const run = (args: readonly string[]): DryRun => {
    const result = spawnSync(xl, args, { cwd: shim.folder, env, argv0: 'xl', encoding: 'latin1', timeout: PATIENCE });
    return { stdout: result.stdout, stderr: result.stderr, end: result.signal ?? result.status ?? -1 };
  };
  return {
    dryRun(text, extraWords) {
      writeFileSync(join(shim.folder, GUEST_FILE), text, 'latin1');
      return run(['create', '-n', GUEST_FILE, ...extraWords]);
    },
    run,
    dispose: shim.dispose,
  };
}
