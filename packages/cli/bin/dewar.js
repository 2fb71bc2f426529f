#!/usr/bin/env node
/**
 * Starts the bundled command. It is its own file so that an old Node gets a sentence, not a syntax error:
 * everything here must be understood by any Node that knows `node:` names. Like what it loads it is CommonJS (`package.json` beside it says so):
 * a program of modules takes longer to start.
 */
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

const needed = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
const folder = join(__dirname, '../dist');

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  console.error(`dewar: needs Node ${needed.join('.')} or newer, and this is Node ${process.versions.node}`);
  process.exitCode = 3;
} else if (!existsSync(`${folder}/bundle.json`)) {
  console.error('dewar: is not built yet; run `npm run build` in its repository');
  process.exitCode = 3;
} else {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8'));
  const bundle = require('./bundle.js').loadBundle(folder, process.argv[2]);
  if (bundle === undefined) {
    console.error('dewar: was built from older sources; run `npm run build` in its repository');
    process.exitCode = 3;
  } else {
    void Promise.resolve(bundle.exports.main(version)).then((isDone) => {
      if (isDone === true) process.exit();
    });
  }
}
