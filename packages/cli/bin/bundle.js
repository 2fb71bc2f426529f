/**
 * The bundled command: found, read and run, with V8's code cache so that little of it is compiled again at each start.
 *
 * A build has several bundles: one with all commands, and those with a command that is called often alone. `dist/bundle.json`
 * names for each two files of one build, the code and its cache. Both have the build's hash in their names, so that a start
 * during a build never joins the code of one with the cache of another: V8 would not notice.
 */
const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { Script } = require('node:vm');

/**
 * How much a function runs before V8 compiles it anew with optimizations, and whether it looks for garbage in advance;
 * `src/optimizer.ts` says why, and goes on from here. The value is that for a question about a large policy: of what it runs
 * only the loops through all entries are worth optimizing.
 */
const START_FLAGS = ['--interrupt-budget=2000000', '--no-incremental-marking'];

/** The versions of V8 known to have these flags (Node 20 and 22); V8 prints a complaint about a flag it does not know. */
const KNOWN_V8 = ['11', '12'];

/** Where a build is described, in the folder of the bundles: the files of each, under the word of its command. */
const INDEX = 'bundle.json';

/** What stands there for all commands. */
const ALL = '*';

/** What surrounds the code of a bundle: a build writes it too, so that no start has to put a large text together. */
const HEAD = '(function (exports, require, module, __filename, __dirname) {';
const TAIL = '\n})';

/**
 * Finds what sets a flag of V8. Whoever loads `node:v8` for that loads the streams of Node with it, thirty modules at each
 * start. Node has the function alone under a name that it advises against, and says so unless it is told not to; where it
 * has it no more, there is `node:v8`.
 */
function flagSetter() {
  const { noDeprecation } = process;
  process.noDeprecation = true;
  try {
    return process.binding('v8').setFlagsFromString ?? require('node:v8').setFlagsFromString;
  } catch {
    return require('node:v8').setFlagsFromString;
  } finally {
    process.noDeprecation = noDeprecation;
  }
}

/** V8's own values of the flags that a command sets. */
const USUAL_FLAGS = ['--interrupt-budget=67584', '--incremental-marking'];

/** The flags that were set, each under its name. */
const flagsSet = new Map();

let setFlag;

/** The part of `node:v8` that commands use. */
const v8 = {
  setFlagsFromString(flag) {
    setFlag ??= flagSetter();
    setFlag(flag);
    flagsSet.set(flag.replace(/^--(?:no-)?/, '').replace(/=.*/, ''), flag);
  },
};

/**
 * Does what loads modules of Node. Their code caches belong to V8's own values of the flags: with others, Node compiles its
 * modules anew, at several times the price.
 */
function withUsualFlags(load) {
  if (flagsSet.size > 0) USUAL_FLAGS.forEach(setFlag);
  try {
    return load();
  } finally {
    for (const flag of flagsSet.values()) setFlag(flag);
  }
}

/** Lets the standard streams, which Node makes when they are first asked for, be made so. */
function loadStreamsCheaply() {
  for (const name of ['stdin', 'stdout', 'stderr']) {
    const property = Object.getOwnPropertyDescriptor(process, name);
    if (property?.get === undefined || !property.configurable) continue;
    Object.defineProperty(process, name, {
      ...property,
      get() {
        Object.defineProperty(process, name, property);
        return withUsualFlags(() => process[name]);
      },
    });
  }
}

/** Sets the flags of V8 with which a command starts. A code cache belongs to the flags that stand when it is made. */
function setStartFlags() {
  if (!KNOWN_V8.includes(process.versions.v8.split('.')[0])) return;
  for (const flag of START_FLAGS) v8.setFlagsFromString(flag);
}

/** Modules of Node that most commands do not use, and that take milliseconds to load. */
const RARE = new Set(['node:child_process', 'node:crypto', 'node:readline', 'node:worker_threads', 'node:zlib']);

/** Stands for a module of Node, which is loaded when something of it is asked for. */
function loadedLate(name, require) {
  let loaded;
  const real = () => {
    loaded ??= withUsualFlags(() => require(name));
    return loaded;
  };
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
 * Runs the code of the bundle for a command line that begins with `word`: that defines its commands and starts none.
 *
 * Returns what the bundle exports, and the script, from which a build makes the code cache; undefined where the build is
 * one of older sources. Throws as `node:fs` does when a file is missing.
 */
function loadBundle(folder, word) {
  setStartFlags();
  loadStreamsCheaply();
  const bundles = JSON.parse(readFileSync(join(folder, INDEX), 'utf8'));
  const bundle = bundles[Object.hasOwn(bundles, word) ? word : ALL];
  // A build of older sources has another index.
  if (typeof bundle?.code !== 'string') return undefined;
  const { code, cache } = bundle;
  const filename = join(folder, code);
  // A cache that another version of V8 made is refused by V8, and the command starts without.
  const cachedData = cache === null ? undefined : readFileSync(join(folder, cache));
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} };
  const requireFor = (name) => (name === 'node:v8' ? v8 : RARE.has(name) ? loadedLate(name, require) : require(name));
  script.runInThisContext()(module.exports, requireFor, module, filename, dirname(filename));
  return { exports: module.exports, script };
}

module.exports = { ALL, HEAD, INDEX, loadBundle, setStartFlags, TAIL };
