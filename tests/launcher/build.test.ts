/** The bundle of the command: that it is whole, and that a start reads little of it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'dewar-build-'));

beforeAll(() => {
  writeFileSync(join(folder, 'chunk-OF-YESTERDAY.js'), 'export {};\n');
  const { status, stderr } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

afterAll(() => rmSync(folder, { recursive: true }));

/** The files that are read before the first line runs: dewar.js and what it imports, without `import(…)`. */
function readAtStart(): Set<string> {
  const files = new Set(['dewar.js']);
  for (const name of files) {
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, imported = ''] of text.matchAll(/^(?:import|\} from)\b[^;(]*"\.\/([^"]+)";$/gm)) files.add(imported);
  }
  return files;
}

/** The source files in some files of the bundle; esbuild names each before its code. */
function sourcesIn(names: Iterable<string>): string[] {
  return [...names].flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/^\/\/ (packages\/\S+\.ts)$/gm)].map(([, path = '']) => path),
  );
}

test('a build leaves nothing of the one before', () => {
  const names = readdirSync(folder);
  expect(names).toContain('dewar.js');
  expect(names.filter((name) => !name.endsWith('.js') || name.includes('YESTERDAY'))).toEqual([]);
});

test('the whole way from a policy to a simulated host is in the bundle, and a start reads none of it', () => {
  const heavy = [
    'packages/policy/src/compiler/pipeline.ts',
    'packages/policy/src/security-server/security-server.ts',
    'packages/toolstack/src/libxl/create.ts',
    'packages/hypervisor/src/hypervisor.ts',
    'packages/lab/src/lab.ts',
  ];
  const everything = sourcesIn(readdirSync(folder));
  expect(heavy.filter((path) => !everything.includes(path))).toEqual([]);
  const atStart = sourcesIn(readAtStart());
  expect(atStart).toContain('packages/cli/src/main.ts');
  expect(atStart.filter((path) => heavy.includes(path))).toEqual([]);
});
