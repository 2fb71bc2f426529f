// biome-ignore-all lint/correctness/noUndeclaredDependencies: esbuild is what the build is made with
/** The bundle of the command: that it is whole, that a start runs little of it, and that its code cache is used. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
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

interface Bundle {
  readonly code: string;
  readonly cache: string;
}

/** All bundles of the build, by the word for which each is. */
function bundles(): Record<string, Bundle> {
  return JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8'));
}

function bundle(word: string): Bundle {
  const found = bundles()[word];
  if (found === undefined) throw new Error(`no bundle for ${word}`);
  return found;
}

/** Loads a bundle in a Node of its own; tells whether V8 took the code cache, and of what kind its `main` is. */
function load(dist: string, word: string): unknown {
  const script = `
    import bundle from ${JSON.stringify(join(root, 'packages/cli/bin/bundle.js'))};
    const { exports, script } = bundle.loadBundle(${JSON.stringify(dist)}, ${JSON.stringify(word)});
    console.log(JSON.stringify([script.cachedDataRejected ?? null, typeof exports.main]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

/** Which of these source files are in a bundle: esbuild names each before its code. */
function filesIn(word: string, paths: readonly string[]): string[] {
  const code = readFileSync(join(folder, bundle(word).code), 'latin1');
  return paths.filter((path) => code.includes(`// ${path}\n`));
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

test('there is a bundle of all commands, with more caches than one, and one of `compile` alone', () => {
  const { '*': all, compile, ...others } = bundles();
  expect(Object.keys(others).sort()).toEqual(['diff', 'explain', 'reach', 'search']);
  for (const { code } of Object.values(others)) expect(code).toBe(all?.code);
  expect(compile?.code).not.toBe(all?.code);
});

test('the cache of one command is smaller than that of all', () => {
  const sizeOf = (name: string): number => statSync(join(folder, name)).size;
  for (const word of ['diff', 'explain', 'reach', 'search'])
    expect(sizeOf(bundle(word).cache)).toBeLessThan(sizeOf(bundle('*').cache));
});

test('a build leaves nothing of the one before', () => {
  const files = Object.values(bundles()).flatMap(({ code, cache }) => [code, cache]);
  expect(readdirSync(folder).sort()).toEqual(['bundle.json', 'xen-helper.mjs', ...new Set(files)].sort());
});

test('all code and its caches have the name of one build', () => {
  const hashes = Object.values(bundles()).flatMap(({ code, cache }) => [
    /-([0-9a-f]{16})\.cjs$/.exec(code)?.[1],
    /-([0-9a-f]{16})\.cache$/.exec(cache)?.[1],
  ]);
  expect(new Set(hashes)).toEqual(new Set([expect.stringMatching(/^[0-9a-f]{16}$/)]));
});

test.each(['*', 'compile', 'search', 'explain', 'reach', 'diff'])(
  'V8 takes the code cache of the bundle for %s',
  (word) => {
    expect(load(folder, word)).toEqual([false, 'function']);
  },
);

test('a code cache that V8 refuses, or none, is no obstacle', () => {
  const copy = mkdtempSync(join(tmpdir(), 'dewar-build-'));
  cpSync(folder, copy, { recursive: true });
  try {
    writeFileSync(join(copy, bundle('*').cache), 'made by another V8');
    expect(load(copy, '*')).toEqual([true, 'function']);
    writeFileSync(join(copy, 'bundle.json'), JSON.stringify({ '*': { code: bundle('*').code, cache: null } }));
    expect(load(copy, '*')).toEqual([null, 'function']);
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
  expect(filesIn('*', heavy)).toEqual(heavy);
  const atStart = await runAtStart();
  expect(atStart).toContain('packages/cli/src/terminal.ts');
  expect(heavy.filter((path) => atStart.has(path))).toEqual([]);
});

test('the bundle of `compile` has the compiler, and nothing of what asks and rehearses', () => {
  const compiler = ['packages/policy/src/compiler/pipeline.ts', 'packages/cli/src/watching.ts'];
  expect(filesIn('compile', compiler)).toEqual(compiler);
  const others = [
    'packages/policy/src/analysis/index.ts',
    'packages/hypervisor/src/hypervisor.ts',
    'packages/cli/src/main.ts',
  ];
  expect(filesIn('*', others)).toEqual(others);
  expect(filesIn('compile', others)).toEqual([]);
});

test.each([
  ['-o', 'policy.bin', join(root, 'policies/example')],
  ['--format', 'json', join(root, 'policies/example')],
  ['--help'],
  ['--no-such-option'],
  ['no-such-policy'],
])('`compile %s` says and writes the same from its own bundle as from that of all commands', (...args) => {
  const whole = mkdtempSync(join(tmpdir(), 'dewar-build-'));
  try {
    mkdirSync(join(whole, 'cli'));
    cpSync(join(root, 'packages/cli/bin'), join(whole, 'cli/bin'), { recursive: true });
    cpSync(join(root, 'packages/cli/package.json'), join(whole, 'cli/package.json'));
    cpSync(folder, join(whole, 'cli/dist'), { recursive: true });
    const run = (): unknown => {
      const launcher = join(whole, 'cli/bin/dewar.js');
      const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, 'compile', ...args], {
        cwd: whole,
        encoding: 'latin1',
      });
      const binary = args.includes('-o') ? readFileSync(join(whole, 'policy.bin'), 'latin1') : '';
      return { status, stdout, stderr, binary };
    };
    const own = run();
    writeFileSync(join(whole, 'cli/dist/bundle.json'), JSON.stringify({ '*': bundle('*') }));
    expect(run()).toEqual(own);
  } finally {
    rmSync(whole, { recursive: true });
  }
});
