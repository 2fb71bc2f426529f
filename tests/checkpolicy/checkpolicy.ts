/**
 * checkpolicy as the reference: what it makes of a policy text.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
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

/** checkpolicy takes seconds for some policies, and loops for ever on others. */
const TIME_LIMIT = 60_000;

/** What checkpolicy did. */
interface Answer {
  /** `broken`: it did not come to an end, or was ended by a signal of its own making. */
  readonly outcome: 'written' | 'refused' | 'broken';
  readonly bytes: Uint8Array | undefined;
  readonly errors: string;
}

/** What checkpolicy makes of a policy: the bytes that it writes, undefined where it refuses, and what it says. */
export function askCheckpolicy(tool: ReferenceTool, text: string, { version, isMls, isOptimized }: Settings): Answer {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-checkpolicy-'));
  try {
    const input = join(folder, 'policy.conf');
    const output = join(folder, 'policy.bin');
    writeFileSync(input, text, 'latin1');
    const flags = [...(isMls ? ['-M'] : []), ...(isOptimized === true ? ['-O'] : [])];
    const args = ['-t', 'Xen', '-c', String(version), ...flags, '-o', output, input];
    const { status, stderr } = spawnSync(tool.path, args, { timeout: TIME_LIMIT, maxBuffer: 1 << 30 });
    return {
      outcome: status === 0 ? 'written' : status === null ? 'broken' : 'refused',
      bytes: status === 0 ? readFileSync(output) : undefined,
      errors: stderr.toString('latin1'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The bytes that checkpolicy writes, or undefined where it refuses the policy. */
export function compileWithCheckpolicy(tool: ReferenceTool, text: string, settings: Settings): Uint8Array | undefined {
  return askCheckpolicy(tool, text, settings).bytes;
}
