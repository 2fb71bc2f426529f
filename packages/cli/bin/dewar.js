#!/usr/bin/env node
/**
 * Starts the bundled command. It is its own file so that an old Node gets a sentence, not a syntax error:
 * everything here must be understood by any Node that knows modules.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const needed = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
const folder = fileURLToPath(new URL('../dist', import.meta.url));

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  console.error(`dewar: needs Node ${needed.join('.')} or newer, and this is Node ${process.versions.node}`);
  process.exitCode = 3;
} else if (!existsSync(`${folder}/bundle.json`)) {
  console.error('dewar: is not built yet; run `npm run build` in its repository');
  process.exitCode = 3;
} else {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const { loadBundle } = await import('./bundle.js');
  await loadBundle(folder).exports.main(version);
}
