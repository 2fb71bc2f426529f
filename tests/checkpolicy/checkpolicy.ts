/**
 * checkpolicy as the reference: what it makes of a policy text.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PolicyVersion } from '@dewar/policy/policydb';
import { type ReferenceTool, referenceTool } from '@dewar/testkit';

export const checkpolicy: ReferenceTool | undefined = referenceTool('checkpolicy');

/** What checkpolicy is asked for. */
export interface Settings {
  readonly version: PolicyVersion;
  readonly isMls: boolean;
  readonly isOptimized?: boolean;
}

/** What checkpolicy makes of a policy: the bytes that it writes, undefined where it refuses, and what it says. */
export function askCheckpolicy(
  tool: ReferenceTool,
  text: string,
  { version, isMls, isOptimized }: Settings,
): { readonly bytes: Uint8Array | undefined; readonly errors: string } {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-checkpolicy-'));
  try {
    const input = join(folder, 'policy.conf');
    const output = join(folder, 'policy.bin');
    writeFileSync(input, text, 'latin1');
    const flags = [...(isMls ? ['-M'] : []), ...(isOptimized === true ? ['-O'] : [])];
    const { status, stderr } = tool.run(['-t', 'Xen', '-c', String(version), ...flags, '-o', output, input]);
    return { bytes: status === 0 ? readFileSync(output) : undefined, errors: stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The bytes that checkpolicy writes, or undefined where it refuses the policy. */
export function compileWithCheckpolicy(tool: ReferenceTool, text: string, settings: Settings): Uint8Array | undefined {
  return askCheckpolicy(tool, text, settings).bytes;
}
