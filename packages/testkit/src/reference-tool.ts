/**
 * The reference tools that tests hold Dewar against: GNU m4, checkpolicy and the like.
 *
 * A machine without a tool skips its tests and says why. With `DEWAR_REQUIRE_TOOLS=1`, as in continuous
 * integration, a missing tool is a failure.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What a tool run left behind. Bytes are kept as bytes. */
export interface ToolResult {
  /** Exit status, or -1 when a signal ended it. */
  readonly status: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** A reference tool that is installed here. */
export interface ReferenceTool {
  readonly path: string;
  run(
    args: readonly string[],
    options?: { readonly input?: Uint8Array; readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
  ): ToolResult;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The tool of this name, or undefined where it is not installed. */
export function referenceTool(name: string): ReferenceTool | undefined {
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find(isExecutable);
  if (path === undefined) {
    if (process.env['DEWAR_REQUIRE_TOOLS'] === '1') throw new Error(`the reference tool ${name} is not installed`);
    return undefined;
  }
  return {
    path,
    run(args, options = {}) {
      const result = spawnSync(path, args, { ...options, maxBuffer: 1 << 30 });
      return { status: result.status ?? -1, stdout: result.stdout, stderr: result.stderr.toString('latin1') };
    },
  };
}
