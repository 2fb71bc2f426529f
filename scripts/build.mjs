/**
 * Bundles the `dewar` command into packages/cli/dist, so that it starts without reading hundreds of source files.
 *
 *     node scripts/build.mjs [FOLDER]
 *
 * `dewar.js` holds what every command needs. What only some commands import (`await import(…)`) goes to chunks
 * beside it, loaded when it is asked for.
 *
 * @module
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cli = join(root, 'packages/cli');
const dist = resolve(process.argv[2] ?? join(cli, 'dist'));
const main = 'dewar.js';

/** Writes a file beside its place, then renames it: a `dewar` that starts meanwhile never sees half of it. */
function writeByRename(path, contents) {
  const unfinished = `${path}.${process.pid}.tmp`;
  writeFileSync(unfinished, contents);
  renameSync(unfinished, path);
}

/** What the bundle consists of: file names and contents, not yet written. */
async function bundle() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [{ in: join(cli, 'src/main.ts'), out: basename(main, '.js') }],
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    charset: 'utf8',
    sourcemap: false,
    write: false,
    // A CommonJS dependency (commander) asks for Node's own modules with `require`, which a module does not have.
    banner: {
      js: [
        "import { createRequire as createRequireOfNode } from 'node:module';",
        'const require = createRequireOfNode(import.meta.url);',
      ].join('\n'),
    },
  });
  return outputFiles;
}

try {
  const files = await bundle();
  mkdirSync(dist, { recursive: true });
  // The chunks first: dewar.js is in place only when all that it names is.
  const isMain = (file) => basename(file.path) === main;
  for (const file of [...files].sort((a, b) => Number(isMain(a)) - Number(isMain(b)))) {
    writeByRename(file.path, file.contents);
  }
  const fresh = new Set(files.map(({ path }) => basename(path)));
  for (const name of readdirSync(dist)) {
    if (!fresh.has(name)) rmSync(join(dist, name), { recursive: true, force: true });
  }
} catch (error) {
  // esbuild has already printed what is wrong with the sources.
  if (!Array.isArray(error?.errors)) console.error(error);
  process.exitCode = 1;
}
