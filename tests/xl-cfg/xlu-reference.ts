/**
 * libxlutil itself, asked through `xlu-harness.c`.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { compile, type Unavailable } from './compiled.ts';

/** libxlutil, ready to be asked. */
export interface XluReference {
  /** One line of JSON for each text; see `xlu-harness.c`. */
  ask(texts: readonly string[]): string[];
  /** Removes the compiled harness. */
  dispose(): void;
}

function record(text: string): Buffer {
  const data = Buffer.from(text, 'latin1');
  const head = Buffer.alloc(4);
  head.writeUInt32LE(data.length);
  return Buffer.concat([head, data]);
}

/** Compiles the harness. */
export function xluReference(): XluReference | Unavailable {
  const harness = compile('xlu-harness.c', ['-lxlutil', '-lxenlight']);
  if ('reason' in harness) return harness;
  return {
    ask(texts) {
      const input = Buffer.concat(texts.map(record));
      const { status, stdout, stderr } = spawnSync(harness.path, [], { input, encoding: 'latin1', maxBuffer: 1 << 30 });
      const lines = stdout.split('\n').slice(0, -1);
      if (status !== 0 || lines.length !== texts.length) {
        throw new Error(`xlu-harness answered ${lines.length} of ${texts.length} texts, status ${status}: ${stderr}`);
      }
      return lines;
    },
    dispose: harness.dispose,
  };
}
