/** What the built command prints, to all that a shell may give it for an output. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const dewar = fileURLToPath(new URL('../../packages/cli/bin/dewar.js', import.meta.url));
const source = fileURLToPath(new URL('../../policies/example/modules/dom0.te', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dewar-streams-'));

afterAll(() => rmSync(folder, { recursive: true }));

/** More than a pipe holds: one source, many times. */
const words = ['m4', ...Array.from({ length: 60 }, () => source)];
const expected = execFileSync(process.execPath, [dewar, ...words], { maxBuffer: 1e8 });

function shell(script: string): { status: number | null; stdout: Buffer; stderr: string } {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', process.execPath, dewar, ...words], {
    cwd: folder,
    maxBuffer: 1e8,
  });
  return { status, stdout, stderr: stderr.toString() };
}

test('a file and a pipe get what a socket gets', () => {
  expect(expected.length).toBeGreaterThan(150_000);
  expect(shell('"$@" > out && cat out')).toEqual({ status: 0, stdout: expected, stderr: '' });
  expect(shell('set -o pipefail; "$@" | (sleep 0.3; cat)')).toEqual({ status: 0, stdout: expected, stderr: '' });
});

test('a file that is appended to keeps what it has', () => {
  const path = join(folder, 'log');
  for (let i = 0; i < 2; i++) {
    const log = openSync(path, 'a');
    spawnSync(process.execPath, [dewar, ...words], { stdio: ['ignore', log, 'inherit'] });
    closeSync(log);
  }
  expect(readFileSync(path)).toEqual(Buffer.concat([expected, expected]));
});

test('a reader that has seen enough is no failure', () => {
  expect(shell('set -o pipefail; "$@" | head -c 3')).toEqual({
    status: 0,
    stdout: expected.subarray(0, 3),
    stderr: '',
  });
});
