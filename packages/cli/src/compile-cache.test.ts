/** Kept compilations: taken only where nothing differs. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompiledPolicy, type CompileOptions, compileDirectory, type PolicyFiles } from '@dewar/policy/compiler';
import { examplePolicy } from '@dewar/testkit';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { CompileCache, watched } from './compile-cache.ts';

const scratch = mkdtempSync(join(tmpdir(), 'dewar-cache-'));
let folder = '';
let count = 0;

beforeEach(() => {
  folder = join(scratch, `cache-${++count}`);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const files = examplePolicy();

function kept(cache: CompileCache, policy = '/policy', options: CompileOptions = {}): CompiledPolicy {
  const { files: own, seen } = watched(files);
  const compiled = compileDirectory(own, options);
  cache.keep(policy, options, seen, compiled);
  return compiled;
}

/** The entry and the binary beside it. */
function onlyEntry(): string {
  const [name, binary, ...more] = readdirSync(folder).sort();
  if (name === undefined || binary !== `${name}.policy` || more.length > 0) throw new Error('there is another number');
  return join(folder, name);
}

test('a policy that was kept is found, and is what its compilation gave', () => {
  const cache = new CompileCache(folder, 'build');
  expect(cache.find('/policy', {}, files)).toBeUndefined();
  const compiled = kept(cache);
  const found = cache.find('/policy', {}, files);
  expect(Buffer.from(found?.bytes ?? []).equals(Buffer.from(compiled.bytes ?? []))).toBe(true);
  expect([found?.text.text, found?.diagnostics]).toEqual([compiled.text.text, compiled.diagnostics]);
  expect(statSync(onlyEntry()).mode & 0o777).toBe(0o600);
  expect(statSync(`${onlyEntry()}.policy`).mode & 0o777).toBe(0o600);
});

test('it is another one with other options, another build, another place, or seen from another folder', () => {
  const cache = new CompileCache(folder, 'build');
  kept(cache);
  expect(cache.find('/policy', { isMls: true }, files)).toBeUndefined();
  expect(cache.find('/policy', { definitions: [{ name: 'x', value: '' }] }, files)).toBeUndefined();
  expect(cache.find('/other', {}, files)).toBeUndefined();
  expect(new CompileCache(folder, 'other').find('/policy', {}, files)).toBeUndefined();
  const before = process.cwd();
  process.chdir(scratch);
  try {
    expect(cache.find('/policy', {}, files)).toBeUndefined();
  } finally {
    process.chdir(before);
  }
  // How progress is told makes no difference.
  expect(cache.find('/policy', { onStage: () => {} }, files)).toBeDefined();
});

test('a change of any file that was read, or looked for, or of the names in a folder ends it', () => {
  const cache = new CompileCache(folder, 'build');
  const { files: own, seen } = watched(files);
  cache.keep('/policy', {}, seen, compileDirectory(own));
  const paths = Object.keys(seen.files);
  expect(paths.length).toBeGreaterThan(10);
  expect(Object.values(seen.files)).toContain(null);
  const changed = (change: Partial<PolicyFiles>): PolicyFiles => ({ ...files, ...change });
  for (const path of paths) {
    const one = changed({
      readText: (name) => (name === path ? `${files.readText(name) ?? ''} ` : files.readText(name)),
    });
    expect(cache.find('/policy', {}, one), path).toBeUndefined();
    if (files.readText(path) === undefined) continue;
    const gone = changed({ readText: (name) => (name === path ? undefined : files.readText(name)) });
    expect(cache.find('/policy', {}, gone), path).toBeUndefined();
  }
  for (const path of Object.keys(seen.folders)) {
    const more = changed({ listNames: (name) => [...files.listNames(name), ...(name === path ? ['more.te'] : [])] });
    expect(cache.find('/policy', {}, more), path).toBeUndefined();
  }
  const unreadable = changed({
    readText: () => {
      throw new Error('no');
    },
  });
  expect(cache.find('/policy', {}, unreadable)).toBeUndefined();
  expect(cache.find('/policy', {}, files)).toBeDefined();
});

test('a broken entry is none, wherever it is broken', () => {
  const cache = new CompileCache(folder, 'build');
  kept(cache);
  const path = onlyEntry();
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length; at += at < 200 ? 1 : 4099) {
    const broken = Buffer.from(whole);
    broken[at] = (broken[at] ?? 0) ^ 0x10;
    writeFileSync(path, broken);
    expect(cache.find('/policy', {}, files), `byte ${at}`).toBeUndefined();
  }
  for (const length of [0, 15, 47, 71, 72, 1000, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, length));
    expect(cache.find('/policy', {}, files), `${length} bytes`).toBeUndefined();
  }
  writeFileSync(path, whole);
  expect(cache.find('/policy', {}, files)).toBeDefined();
});

test('a binary that is broken, another one, one that others can write, or gone, is made again', () => {
  const cache = new CompileCache(folder, 'build');
  const whole = Buffer.from(kept(cache).bytes ?? []);
  const path = `${onlyEntry()}.policy`;
  const isRight = (): boolean => whole.equals(Buffer.from(cache.find('/policy', {}, files)?.bytes ?? []));
  expect(readFileSync(path).equals(whole)).toBe(true);
  for (let at = 0; at < whole.length; at += 4099) {
    const broken = Buffer.from(whole);
    broken[at] = (broken[at] ?? 0) ^ 0x10;
    writeFileSync(path, broken);
    expect(isRight(), `byte ${at}`).toBe(true);
  }
  for (const length of [0, 1, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, length));
    expect(isRight(), `${length} bytes`).toBe(true);
  }
  writeFileSync(path, Buffer.from(compileDirectory(files, { isMls: true }).bytes ?? []));
  expect(isRight()).toBe(true);
  rmSync(path);
  expect(isRight()).toBe(true);
});

test('an entry that others can write is none', () => {
  const cache = new CompileCache(folder, 'build');
  kept(cache);
  chmodSync(onlyEntry(), 0o620);
  expect(cache.find('/policy', {}, files)).toBeUndefined();
  chmodSync(onlyEntry(), 0o602);
  expect(cache.find('/policy', {}, files)).toBeUndefined();
});

test('what was asked for longest ago makes room', () => {
  const cache = new CompileCache(folder, 'build');
  for (let i = 0; i < 40; i++) {
    kept(cache, `/policy-${i}`);
    for (const name of readdirSync(folder)) {
      // All are older than the one that comes next, each by its age.
      const { mtimeMs } = statSync(join(folder, name));
      utimesSync(join(folder, name), new Date(), new Date(mtimeMs - 60_000));
    }
    cache.find('/policy-0', {}, files);
  }
  expect(readdirSync(folder)).toHaveLength(64);
  expect(cache.find('/policy-0', {}, files)).toBeDefined();
  expect(cache.find('/policy-39', {}, files)).toBeDefined();
  expect(cache.find('/policy-3', {}, files)).toBeUndefined();
});

test('a folder that cannot be written to, or a small policy, keeps nothing and breaks nothing', () => {
  const file = join(scratch, 'a-file');
  writeFileSync(file, '');
  const cache = new CompileCache(join(file, 'below'), 'build');
  kept(cache);
  expect(cache.find('/policy', {}, files)).toBeUndefined();
});
