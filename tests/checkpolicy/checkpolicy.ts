/**
 * checkpolicy as the reference: what it makes of a policy text.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ReferenceTool, referenceTool } from '@dewar/testkit';

export const checkpolicy: ReferenceTool | undefined = referenceTool('checkpolicy');

/** What checkpolicy is asked for. */
export interface Settings {
  readonly version: number;
  readonly isMls: boolean;
}

/** The bytes that checkpolicy writes, or undefined where it refuses the policy. */
export function compileWithCheckpolicy(
  tool: ReferenceTool,
  text: string,
  { version, isMls }: Settings,
): Uint8Array | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-checkpolicy-'));
  try {
    const input = join(folder, 'policy.conf');
    const output = join(folder, 'policy.bin');
    writeFileSync(input, text, 'latin1');
    const mls = isMls ? ['-M'] : [];
    const { status } = tool.run(['-t', 'Xen', '-c', String(version), ...mls, '-o', output, input]);
    return status === 0 ? readFileSync(output) : undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
