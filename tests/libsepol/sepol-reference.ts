/**
 * libsepol itself, asked through `sepol-harness.c`.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { referenceTool } from '@dewar/testkit';

/** Why libsepol cannot be asked here. */
export interface Unavailable {
  readonly reason: string;
}

interface Answers {
  /** What libsepol took to read the policy. */
  readonly loadNanoseconds: number;
  /** One for each question. */
  readonly lines: readonly string[];
}

/** libsepol, ready to be asked. */
export interface SepolReference {
  /** Answers to questions about a policy, in the language of `sepol-harness.c`; undefined where it refuses the policy. */
  ask(policy: Uint8Array, questions: readonly string[]): Answers | undefined;
  /** Removes the compiled harness. */
  dispose(): void;
}

/** A reference that is missing is a failure where all are required, and a reason to skip elsewhere. */
function unavailable(reason: string): Unavailable {
  if (process.env['DEWAR_REQUIRE_TOOLS'] === '1') throw new Error(reason);
  return { reason };
}

/** Compiles the harness. */
export function sepolReference(): SepolReference | Unavailable {
  const compiler = referenceTool('gcc');
  if (compiler === undefined) return unavailable('gcc is not installed');
  const folder = mkdtempSync(join(tmpdir(), 'dewar-libsepol-'));
  const dispose = (): void => rmSync(folder, { recursive: true });
  const harness = join(folder, 'sepol-harness');
  const source = fileURLToPath(new URL('sepol-harness.c', import.meta.url));
  const { status, stderr } = compiler.run(['-O2', '-o', harness, source, '-l:libsepol.a']);
  if (status !== 0) {
    dispose();
    return unavailable(`sepol-harness.c cannot be compiled (Debian: libsepol-dev): ${stderr.split('\n')[0] ?? ''}`);
  }
  return {
    ask(policy, questions) {
      const path = join(folder, 'policy.bin');
      writeFileSync(path, policy);
      const input = questions.map((question) => `${question}\n`).join('');
      const run = spawnSync(harness, [path], { input, encoding: 'latin1', maxBuffer: 1 << 30 });
      if (run.status === 1) return undefined;
      const [first = '', ...lines] = run.stdout.split('\n').slice(0, -1);
      if (run.status !== 0 || lines.length !== questions.length) {
        const end = run.status ?? run.signal;
        throw new Error(
          `libsepol answered ${lines.length} of ${questions.length} questions and ended with ${end}: ${run.stderr}`,
        );
      }
      return { loadNanoseconds: Number(first.split(' ')[1]), lines };
    },
    dispose,
  };
}
