/**
 * Compiles a C file of these tests into a folder for temporary files.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { referenceTool } from '@dewar/testkit';

/** Why a reference cannot be asked here. */
export interface Unavailable {
  readonly reason: string;
}

export interface Compiled {
  readonly path: string;
  /** The folder that it is in; files beside it go with it. */
  readonly folder: string;
  dispose(): void;
}

/** A reference that is missing is a failure where all are required, and a reason to skip elsewhere. */
export function unavailable(reason: string): Unavailable {
  if (process.env['DEWAR_REQUIRE_TOOLS'] === '1') throw new Error(reason);
  return { reason };
}

/** The C file of this name, compiled with these options. */
export function compile(name: string, options: readonly string[]): Compiled | Unavailable {
  const compiler = referenceTool('gcc');
  if (compiler === undefined) return unavailable('gcc is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'dewar-xl-cfg-'));
  const path = join(folder, name.replace('.c', '.bin'));
  const dispose = (): void => rmSync(folder, { recursive: true });
  const source = fileURLToPath(new URL(name, import.meta.url));
  const { status, stderr } = compiler.run(['-O1', '-o', path, source, ...options]);
  if (status === 0) return { path, folder, dispose };
  dispose();
  return unavailable(`${name} cannot be compiled (Debian: libxen-dev): ${stderr.split('\n')[0] ?? ''}`);
}
