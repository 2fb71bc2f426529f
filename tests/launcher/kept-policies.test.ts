/** The built command asks its cache of compiled policies, and answers as it does without. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dewar-kept-'));
const policy = join(folder, 'policy');
const cache = join(folder, 'cache');
cpSync(join(root, 'policies/example'), policy, { recursive: true });

afterAll(() => rmSync(folder, { recursive: true }));

function answer(how: string, ...args: string[]): { status: number | null; stdout: string } {
  return answerIn({ DEWAR_CACHE: how }, ...args);
}

function answerIn(more: NodeJS.ProcessEnv, ...args: string[]): { status: number | null; stdout: string } {
  const env = { ...process.env, DEWAR_STATE_DIR: join(folder, 'state'), ...more };
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'packages/cli/bin/dewar.js'), ...args], {
    encoding: 'utf8',
    env,
    cwd: folder,
  });
  return { status, stdout };
}

const questions = [
  ['explain', '--policy', policy, join(root, 'examples/denials/xl-dmesg.log')],
  ['search', policy, '-A', '-s', 'dom0_t'],
  ['lint', policy],
  ['reach', '--policy', policy, join(root, 'examples/nomigrate/guest.cfg')],
  ['info', policy],
];

test('answers are the same without a cache, when a policy is kept, and when it is found', () => {
  for (const question of questions) {
    const plain = answer('off', ...question);
    expect(plain.stdout.length).toBeGreaterThan(100);
    expect(answer(cache, ...question)).toEqual(plain);
    expect(answer(cache, ...question)).toEqual(plain);
  }
  expect(entriesIn(join(cache, 'compiled'))).toHaveLength(1);
});

/** What is kept, without the binaries beside. */
function entriesIn(cacheFolder: string): string[] {
  return readdirSync(cacheFolder).filter((name) => !name.endsWith('.policy'));
}

test('a change of the sources is seen', () => {
  const [, search = []] = questions;
  const before = answer(cache, ...search);
  appendFileSync(join(policy, 'modules/domU.te'), 'allow dom0_t dom0_t_self:domain pause;\n');
  const after = answer(cache, ...search);
  expect(after).not.toEqual(before);
  expect(after).toEqual(answer('off', ...search));
});

test('the cache is where XDG has it, and nowhere for a user without a home', () => {
  const [, search = []] = questions;
  const plain = answer('off', ...search);
  const xdg = join(folder, 'xdg');
  expect(answerIn({ DEWAR_CACHE: '', XDG_CACHE_HOME: xdg }, ...search)).toEqual(plain);
  expect(entriesIn(join(xdg, 'dewar/compiled'))).toHaveLength(1);
  expect(answerIn({ DEWAR_CACHE: '', XDG_CACHE_HOME: 'relative', HOME: join(folder, 'home') }, ...search)).toEqual(
    plain,
  );
  expect(entriesIn(join(folder, 'home/.cache/dewar/compiled'))).toHaveLength(1);
  expect(answerIn({ DEWAR_CACHE: '', XDG_CACHE_HOME: '', HOME: 'nowhere' }, ...search)).toEqual(plain);
  expect(readdirSync(folder).filter((name) => ['relative', 'nowhere', '.cache'].includes(name))).toEqual([]);
});

test('a compilation never asks the cache', () => {
  const other = join(folder, 'other');
  answer(other, 'compile', policy, '-o', join(folder, 'policy.bin'));
  expect(() => readdirSync(other)).toThrow();
});
