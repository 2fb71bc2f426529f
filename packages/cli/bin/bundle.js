/**
 * The bundled command: found, read and run, with V8's code cache so that little of it is compiled again at each start.
 *
 * `dist/bundle.json` names two files of one build, the code and its cache. Both have the build's hash in their names,
 * so that a start during a build never joins the code of one with the cache of another: V8 would not notice.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

/**
 * How much a function runs before V8 compiles it anew with optimizations, in bytes of bytecode. V8's own value suits
 * programs that run for long: for a command that ends after a tenth of a second, a third of its CPU time went into code
 * that hardly ran. Long work is not slower (`bench/compile.ts`).
 */
const INTERRUPT_BUDGET = 500_000;

/** The versions of V8 known to have that flag (Node 20 and 22); V8 prints a complaint about a flag it does not know. */
const KNOWN_V8 = ['11', '12'];

/** Where a build is described, in the folder of the bundle. */
export const INDEX = 'bundle.json';

/**
 * Runs the code of the bundle, which defines the command without starting it.
 *
 * Returns what the bundle exports, and the script, from which a build makes the code cache. Throws as `node:fs` does when
 * a file is missing.
 */
export function loadBundle(folder) {
  if (KNOWN_V8.includes(process.versions.v8.split('.')[0])) {
    setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  }
  const { code, cache } = JSON.parse(readFileSync(join(folder, INDEX), 'utf8'));
  const filename = join(folder, code);
  const source = readFileSync(filename, 'latin1');
  // A cache that another version of V8 made is refused by V8, and the command starts without.
  const cachedData = cache === null ? undefined : readFileSync(join(folder, cache));
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, filename, dirname(filename));
  return { exports: module.exports, script };
}
