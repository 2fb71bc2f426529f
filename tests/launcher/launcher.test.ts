/** The file that npm links as `dewar`: what it says when it cannot start the command. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const launcher = fileURLToPath(new URL('../../packages/cli/bin/dewar.js', import.meta.url));

const { HEAD, TAIL } = createRequire(launcher)('./bundle.js');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-launcher-'));
  cpSync(dirname(launcher), join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "version": "1.2.3" }');
});

afterEach(() => rmSync(folder, { recursive: true }));

function build(source: string): void {
  mkdirSync(join(folder, 'dist'));
  writeFileSync(join(folder, 'dist/code.cjs'), `${HEAD}${source}${TAIL}`);
  writeFileSync(join(folder, 'dist/bundle.json'), '{ "*": { "code": "code.cjs", "cache": null } }');
}

/** Starts the launcher in this Node, which may pass itself off as another version. */
function start(
  version: string = process.versions.node,
  ...words: string[]
): { status: number | null; stdout: string; stderr: string } {
  const disguise = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`;
  const args = [
    '--import',
    `data:text/javascript,${encodeURIComponent(disguise)}`,
    join(folder, 'bin/dewar.js'),
    ...words,
  ];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

test('a built command is started, and told its version', () => {
  build("exports.main = (version) => console.log('this is', version);");
  expect(start()).toMatchObject({ status: 0, stdout: 'this is 1.2.3\n', stderr: '' });
});

test('a command with a bundle of its own is started from that, any other word from the bundle with all commands', () => {
  build("exports.main = () => console.log('all');");
  writeFileSync(join(folder, 'dist/own.cjs'), `${HEAD}exports.main = () => console.log('own');${TAIL}`);
  const all = { code: 'code.cjs', cache: null };
  writeFileSync(join(folder, 'dist/bundle.json'), JSON.stringify({ '*': all, own: { code: 'own.cjs', cache: null } }));
  const saidFor = (...words: string[]): string => start(process.versions.node, ...words).stdout;
  expect(saidFor('own', 'other')).toBe('own\n');
  for (const words of [[], ['other', 'own'], ['toString'], ['__proto__'], ['*']])
    expect(saidFor(...words)).toBe('all\n');
});

test('a command that is not built yet says how to build it', () => {
  expect(start()).toMatchObject({
    status: 3,
    stdout: '',
    stderr: 'dewar: is not built yet; run `npm run build` in its repository\n',
  });
});

test('a build of older sources says how to build anew', () => {
  build("exports.main = () => console.log('old');");
  writeFileSync(join(folder, 'dist/bundle.json'), '{ "code": "code.cjs", "cache": null }');
  expect(start(process.versions.node, 'code')).toMatchObject({
    status: 3,
    stdout: '',
    stderr: 'dewar: was built from older sources; run `npm run build` in its repository\n',
  });
});

test.each(['18.20.4', '20.18.3'])('Node %s is told which version is needed, and the command is not read', (version) => {
  build('this is no JavaScript');
  expect(start(version)).toMatchObject({
    status: 3,
    stdout: '',
    stderr: `dewar: needs Node 20.19 or newer, and this is Node ${version}\n`,
  });
});

test.each(['20.19.0', '22.0.0', '24.1.0'])('Node %s is new enough', (version) => {
  build('exports.main = () => {};');
  expect(start(version)).toMatchObject({ status: 0, stdout: '', stderr: '' });
});

test('a start loads no streams of Node, and they are there for who asks', () => {
  build(`exports.main = () => {
    const before = process.moduleLoadList.includes('NativeModule stream');
    const hash = require('node:crypto').createHash('sha256').update('x').digest('hex');
    console.log(before, hash.slice(0, 8));
    process.stderr.write('and an error');
  };`);
  const look = "console.log(process.moduleLoadList.includes('NativeModule stream'))";
  const bare = spawnSync(process.execPath, ['-e', look], { encoding: 'utf8' }).stdout.trim();
  expect(start()).toMatchObject({ status: 0, stdout: `${bare} 2d711642\n`, stderr: 'and an error' });
});
