/** `dewar compile --watch`, as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const DEWAR = fileURLToPath(new URL('../bin/dewar.js', import.meta.url));
const EXAMPLE = fileURLToPath(new URL('../../../policies/example', import.meta.url));
const PATIENCE = { timeout: 20_000, interval: 50 };

let folder: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-watch-'));
  cpSync(EXAMPLE, join(folder, 'policy'), { recursive: true });
});

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Starts the command; answers what it has said so far, and how it ended. */
function start(args: readonly string[]): { said: () => string; interrupt: () => Promise<number | null> } {
  const started = spawn(process.execPath, [DEWAR, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  child = started;
  let text = '';
  for (const stream of [started.stdout, started.stderr]) {
    stream.setEncoding('latin1');
    stream.on('data', (part: string) => {
      text += part;
    });
  }
  return {
    said: () => text,
    async interrupt() {
      started.kill('SIGINT');
      await once(started, 'exit');
      return started.exitCode;
    },
  };
}

/** How often something was said. */
const times = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

test('a policy that is watched is compiled again when it changes', { timeout: 60_000 }, async () => {
  const { said, interrupt } = start(['compile', '--watch', 'policy', '-o', 'policy/policy.bin']);
  await vi.waitFor(() => expect(said()).toMatch(/^policy\/policy\.bin: \d+ bytes/m), PATIENCE);
  await vi.waitFor(() => expect(said()).toContain('watching'), PATIENCE);
  const first = readFileSync(join(folder, 'policy/policy.bin'));

  // An editor writes a draft and renames it.
  const file = join(folder, 'policy/modules/dom0.te');
  const text = readFileSync(file, 'latin1');
  writeFileSync(`${file}~`, `${text}\nallow dom0_t domU_t:domain no_such_permission;\n`);
  renameSync(`${file}~`, file);
  await vi.waitFor(() => expect(said()).toContain('nothing was written'), PATIENCE);
  expect(said()).toMatch(/^changed: .*policy\/modules\/dom0\.te/m);
  expect(said()).toContain('`no_such_permission`');
  expect(readFileSync(join(folder, 'policy/policy.bin')).equals(first)).toBe(true);

  writeFileSync(file, text);
  await vi.waitFor(() => expect(times(said(), /\d+ bytes/g)).toBe(2), PATIENCE);
  expect(await interrupt()).toBe(0);
  // Its own output is no change.
  expect(times(said(), /^changed: /gm)).toBe(2);
});

test('the exit code is that of the last compilation', { timeout: 60_000 }, async () => {
  writeFileSync(join(folder, 'policy.conf'), 'class domain\n');
  const { said, interrupt } = start(['compile', '-w', 'policy.conf']);
  await vi.waitFor(() => expect(said()).toContain('watching'), PATIENCE);
  expect(said()).toContain('nothing was written');
  expect(await interrupt()).toBe(1);
});

test('a policy that is gone for a moment is waited for', { timeout: 60_000 }, async () => {
  const path = join(folder, 'policy.conf');
  writeFileSync(path, 'class domain\n');
  const { said, interrupt } = start(['compile', '-w', 'policy.conf']);
  await vi.waitFor(() => expect(said()).toContain('watching'), PATIENCE);
  rmSync(path);
  await vi.waitFor(() => expect(said()).toContain('there is no such file'), PATIENCE);
  writeFileSync(path, 'class domain\nclass domain\n');
  await vi.waitFor(() => expect(said()).toContain('is declared twice'), PATIENCE);
  expect(existsSync(path)).toBe(true);
  expect(await interrupt()).toBe(1);
});

test('the standard input cannot be watched', { timeout: 60_000 }, async () => {
  const { said } = start(['compile', '-w', '-']);
  await vi.waitFor(() => expect(said()).toContain('the standard input cannot be watched'), PATIENCE);
});
