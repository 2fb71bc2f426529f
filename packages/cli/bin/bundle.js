/**
 * The bundled command: found, read and run, with V8's code cache so that little of it is compiled again at each start.
 *
 * `dist/bundle.json` names two files of one build, the code and its cache. Both have the build's hash in their names,
 * so that a start during a build never joins the code of one with the cache of another: V8 would not notice.
 */
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname, join } = require('node:path');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

/**
 * How much a function runs before V8 compiles it anew with optimizations; `src/optimizer.ts` says why, and goes on from
 * here. A code cache belongs to the value under which it was made.
 */
const INTERRUPT_BUDGET = 500_000;

/** The versions of V8 known to have that flag (Node 20 and 22); V8 prints a complaint about a flag it does not know. */
const KNOWN_V8 = ['11', '12'];

/** Where a build is described, in the folder of the bundle. */
const INDEX = 'bundle.json';

/** What surrounds the code of a bundle: a build writes it too, so that no start has to put a large text together. */
const HEAD = '(function (exports, require, module, __filename, __dirname) {';
const TAIL = '\n})';

/** Modules of Node that most commands do not use, and that take milliseconds to load. */
const RARE = new Set(['node:child_process', 'node:crypto', 'node:readline', 'node:worker_threads']);

/** Stands for a module of Node, which is loaded when something of it is asked for. */
function loadedLate(name, require) {
  const real = () => require(name);
  return new Proxy(
    {},
    {
      get: (_, key) => real()[key],
      has: (_, key) => key in real(),
      ownKeys: () => Reflect.ownKeys(real()),
      getOwnPropertyDescriptor: (_, key) => ({ ...Reflect.getOwnPropertyDescriptor(real(), key), configurable: true }),
    },
  );
}

/**
 * Runs the code of the bundle, which defines the command without starting it.
 *
 * Returns what the bundle exports, and the script, from which a build makes the code cache. Throws as `node:fs` does when
 * a file is missing.
 */
function loadBundle(folder) {
  if (KNOWN_V8.includes(process.versions.v8.split('.')[0]))
    setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);
  const { code, cache } = JSON.parse(readFileSync(join(folder, INDEX), 'utf8'));
  const filename = join(folder, code);
  // A cache that another version of V8 made is refused by V8, and the command starts without.
  const cachedData = cache === null ? undefined : readFileSync(join(folder, cache));
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} };
  const own = createRequire(filename);
  const require = (name) => (RARE.has(name) ? loadedLate(name, own) : own(name));
  script.runInThisContext()(module.exports, require, module, filename, dirname(filename));
  return { exports: module.exports, script };
}

module.exports = { HEAD, INDEX, loadBundle, TAIL };
