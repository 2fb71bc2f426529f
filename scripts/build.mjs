// biome-ignore-all lint/correctness/noUndeclaredDependencies: the workspaces are linked into the repository's root
/**
 * Bundles the `dewar` command into packages/cli/dist, so that it starts without reading hundreds of source files:
 *
 *     node scripts/build.mjs [FOLDER]
 *
 * One file holds all the code; what only some commands import (`await import(…)`) runs when it is asked for. A command
 * that is called often has a file of its own, with no other in it. Beside each lies V8's code cache, made by commands that
 * people use most (warm-up.mjs), and `bundle.json`, which names them. Commands that a large policy is asked with again and
 * again have a code cache of their own for the file with all the code.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALL, HEAD, INDEX, TAIL } from 'dewar/bundle';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cli = join(root, 'packages/cli');
const dist = resolve(process.argv[2] ?? join(cli, 'dist'));

/** Writes a file beside its place, then renames it: a `dewar` that starts meanwhile never sees half of it. */
function writeByRename(path, contents) {
  const unfinished = `${path}.${process.pid}.tmp`;
  writeFileSync(unfinished, contents);
  renameSync(unfinished, path);
}

/** The bundles by the first word of the command line for which each is; `ALL` is for any other. */
const ENTRIES = { compile: 'main-compile.ts', [ALL]: 'main.ts' };

/** Words with a code cache of their own for the bundle of all commands: V8 reads a cache as a whole at each start. */
const QUESTIONS = ['search', 'explain', 'reach', 'diff'];

/**
 * The program that the command starts to work with the libraries of a Xen host. koffi has compiled code, a package for
 * each platform, so it stays where npm put it.
 */
const HELPER = 'xen-helper.mjs';

async function helper() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join(root, 'packages/xen/src/helper/main.ts')],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['koffi'],
    write: false,
  });
  return outputFiles[0].contents;
}

/** The code of a bundle, all in ASCII, so that V8 keeps it in one byte for each character. */
async function bundle(entry) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join(cli, 'src', entry)],
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    charset: 'ascii',
    sourcemap: false,
    write: false,
    // Files of the repository are found from where the code lies, as in the sources.
    define: { 'import.meta.url': '__bundleUrl' },
    banner: { js: `const __bundleUrl = require('node:url').pathToFileURL(__filename).href;` },
  });
  return Buffer.concat([Buffer.from(HEAD), outputFiles[0].contents, Buffer.from(TAIL)]);
}

/** Makes the code cache of a bundle; whether there is one then. */
function makeCache(word, cache) {
  const script = join(root, 'scripts/warm-up.mjs');
  const warmUp = spawnSync(process.execPath, [script, dist, word, cache], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  const isMade = warmUp.status === 0 && existsSync(cache);
  if (!isMade) console.error(`${warmUp.stderr}build: no code cache was made, so the command will start more slowly`);
  return isMade;
}

try {
  const codes = await Promise.all(Object.entries(ENTRIES).map(async ([word, entry]) => [word, await bundle(entry)]));
  const hash = createHash('sha256');
  for (const [, contents] of codes) hash.update(contents);
  const build = hash.digest('hex').slice(0, 16);
  mkdirSync(dist, { recursive: true });
  writeByRename(join(dist, HELPER), await helper());
  const index = {};
  for (const [word, contents] of codes) {
    const code = word === ALL ? `dewar-${build}.cjs` : `dewar-${word}-${build}.cjs`;
    writeByRename(join(dist, code), contents);
    index[word] = { code, cache: null };
  }
  for (const word of QUESTIONS) index[word] = { code: index[ALL].code, cache: null };
  const writeIndex = () => writeByRename(join(dist, INDEX), `${JSON.stringify(index)}\n`);
  writeIndex();
  for (const word of Object.keys(index)) {
    const cache = word === ALL ? `dewar-${build}.cache` : `dewar-${word}-${build}.cache`;
    rmSync(join(dist, cache), { force: true });
    if (makeCache(word, join(dist, cache))) index[word].cache = cache;
  }
  writeIndex();
  const fresh = new Set([INDEX, HELPER, ...Object.values(index).flatMap(({ code, cache }) => [code, cache])]);
  for (const name of readdirSync(dist)) {
    if (!fresh.has(name)) rmSync(join(dist, name), { recursive: true, force: true });
  }
} catch (error) {
  // esbuild has already printed what is wrong with the sources.
  if (!Array.isArray(error?.errors)) console.error(error);
  process.exitCode = 1;
}
