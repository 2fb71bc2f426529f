// biome-ignore-all lint/correctness/noUndeclaredDependencies: esbuild is what the build is made with
/** The bundle of the command: that it is whole, that a start runs little of it, and that its code cache is used. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'dewar-build-'));

beforeAll(() => {
  writeFileSync(join(folder, 'dewar-OF-YESTERDAY.cjs'), '');
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/build.mjs'), folder], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

afterAll(() => rmSync(folder, { recursive: true }));

function index(): { code: string; cache: string } {
  return JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8'));
}

/** Loads a build in a Node of its own; tells whether V8 took the code cache, and of what kind its `main` is. */
function load(dist: string): unknown {
  const script = `
    import bundle from ${JSON.stringify(join(root, 'packages/cli/bin/bundle.js'))};
    const { exports, script } = bundle.loadBundle(${JSON.stringify(dist)});
    console.log(JSON.stringify([script.cachedDataRejected ?? null, typeof exports.main]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

/** Source files that run when `main.ts` is loaded: what it imports and what those import, without `import(…)`. */
async function runAtStart(): Promise<Set<string>> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['packages/cli/src/main.ts'],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    metafile: true,
    write: false,
    define: { 'import.meta.url': '""' },
  });
  const files = new Set(['packages/cli/src/main.ts']);
  for (const name of files) {
    for (const { path, kind } of metafile.inputs[name]?.imports ?? []) {
      if (kind !== 'dynamic-import' && path in metafile.inputs) files.add(path);
    }
  }
  return files;
}

test('a build leaves nothing of the one before', () => {
  const { code, cache } = index();
  expect(readdirSync(folder).sort()).toEqual(['bundle.json', cache, code, 'xen-helper.mjs'].sort());
});

test('the code and its cache have the name of one build', () => {
  const { code, cache } = index();
  expect(code.replace(/\.cjs$/, '')).toBe(cache.replace(/\.cache$/, ''));
});

test('V8 takes the code cache', () => {
  expect(load(folder)).toEqual([false, 'function']);
});

test('a code cache that V8 refuses, or none, is no obstacle', () => {
  const copy = mkdtempSync(join(tmpdir(), 'dewar-build-'));
  cpSync(folder, copy, { recursive: true });
  try {
    writeFileSync(join(copy, index().cache), 'made by another V8');
    expect(load(copy)).toEqual([true, 'function']);
    writeFileSync(join(copy, 'bundle.json'), JSON.stringify({ code: index().code, cache: null }));
    expect(load(copy)).toEqual([null, 'function']);
  } finally {
    rmSync(copy, { recursive: true });
  }
});

test('the whole way from a policy to a simulated host is in the bundle, and a start runs none of it', async () => {
  const heavy = [
    'packages/policy/src/compiler/pipeline.ts',
    'packages/policy/src/security-server/security-server.ts',
    'packages/toolstack/src/libxl/create.ts',
    'packages/hypervisor/src/hypervisor.ts',
    'packages/lab/src/lab.ts',
  ];
  // esbuild names each source file before its code.
  const code = readFileSync(join(folder, index().code), 'latin1');
  expect(heavy.filter((path) => !code.includes(`// ${path}\n`))).toEqual([]);
  const atStart = await runAtStart();
  expect(atStart).toContain('packages/cli/src/terminal.ts');
  expect(heavy.filter((path) => atStart.has(path))).toEqual([]);
});
