/** What commands do to the files that they read and write, on files in a folder of the test's own. */
import { cpSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPolicydb } from '@dewar/policy/policydb';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';

const example = fileURLToPath(new URL('../../../policies/example', import.meta.url));
let scratch = '';

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'dewar-files-'));
  process.env['DEWAR_STATE_DIR'] = join(scratch, 'state');
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function file(name: string, text: string | Uint8Array, mode = 0o644): string {
  const path = join(scratch, name);
  writeFileSync(path, text, { mode });
  return path;
}

/** A small policy text that every release of Xen knows the classes of. */
const SMALL = `class domain
sid xen
class domain { create }
type a_t;
role system_r;
role system_r types a_t;
allow a_t a_t:domain create;
user u roles system_r;
sid xen u:system_r:a_t
`;

test('fmt leaves a link a link, and a file its mode', async () => {
  const source = file('site.te', 'type  a_t ;\n', 0o600);
  const link = join(scratch, 'link.te');
  symlinkSync('site.te', link);
  expect((await dewar('fmt', link)).code).toBe(0);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(source, 'utf8')).not.toBe('type  a_t ;\n');
  expect(statSync(source).mode & 0o777).toBe(0o600);
});

test('fmt leaves what is no text as it is', async () => {
  const bytes = Uint8Array.from({ length: 600 }, (_, i) => i % 251);
  const path = file('policy.bin', bytes);
  const { code, err } = await dewar('fmt', path);
  expect(code).toBe(1);
  expect(err).toBe(`dewar: \`${path}\` is no text, and was left as it is\n`);
  expect(Buffer.compare(readFileSync(path), bytes)).toBe(0);
});

test('fmt leaves a source as it is where a macro sees blanks or lines of it', async () => {
  const sources = [
    // The length of a quotation over two lines, in which the second is set in.
    "allow a_t b_t:domain { p ifelse(len(`a\n  b'), `5', `q', `r') };\n",
    // The number of a line behind empty ones.
    "type a_t;\n\n\n\ntype ifelse(__line__, `5', `b', `c')_t;\n",
    "ifelse(`a\n  b', `a\n  b', `type a_t;', `type b_t;')\n",
  ];
  for (const text of sources) {
    const path = file('odd.te', text);
    const { code, err, out } = await dewar('fmt', path);
    expect([code, out, readFileSync(path, 'utf8')]).toEqual([0, '', text]);
    expect(err).toContain('left as it is: a macro counts its blanks or lines');
    expect((await dewar('fmt', '--check', path)).code).toBe(0);
  }
  // A macro of another file of the policy may be the one that counts.
  const policy = join(scratch, 'policy');
  cpSync(example, policy, { recursive: true });
  const [macros, module] = [join(policy, 'modules/xen.if'), join(policy, 'modules/nic_dev.te')];
  const macro = "define(`sized', `ifelse(len(`$1'), `7', `type seven_t;', `type other_t;')')\n";
  writeFileSync(macros, readFileSync(macros, 'utf8') + macro);
  const sized = `${readFileSync(module, 'utf8')}sized(\`a\n    b')\n`;
  writeFileSync(module, sized);
  // What else is changed in the same run is laid out.
  const others = ['modules/domU.te', 'modules/driver.te', 'modules/xen.te'].map((name) => join(policy, name));
  for (const other of others)
    writeFileSync(other, `${readFileSync(other, 'utf8')}type  other_${others.indexOf(other)}_t ;\n`);
  const { code, err, out } = await dewar('fmt', policy, others[0] ?? '');
  expect(code).toBe(0);
  expect(err.match(/left as it is/g)).toHaveLength(1);
  expect(err).toContain('nic_dev.te: left as it is');
  expect(readFileSync(module, 'utf8')).toBe(sized);
  expect(out.trimEnd().split('\n')).toHaveLength(others.length);
  for (const other of others) expect(readFileSync(other, 'utf8')).toMatch(/\ntype {2}other_\d_t;\n$/);
});

test('fmt leaves all of what makes another policy only together, and writes nothing where one file is no text', async () => {
  const policy = join(scratch, 'policy');
  cpSync(example, policy, { recursive: true });
  const [macros, one, other] = ['xen.if', 'domU.te', 'driver.te'].map((name) => join(policy, 'modules', name));
  if (macros === undefined || one === undefined || other === undefined) throw new Error('no files');
  // The second text is another type only where the first was laid out too.
  const macro =
    "define(`first', `define(`first_is', len(`$1'))')define(`second', `ifelse(eval(first_is < 8 && len(`$1') < 8), `1', `type near_t;', `type far_t;')')\n";
  writeFileSync(macros, readFileSync(macros, 'utf8') + macro);
  const before = [one, other].map(
    (file, i) => `${readFileSync(file, 'utf8')}${i === 0 ? 'first' : 'second'}(\`a\n        b')\n`,
  );
  writeFileSync(one, before[0] ?? '');
  writeFileSync(other, before[1] ?? '');
  const { code, err } = await dewar('fmt', policy);
  expect(code).toBe(0);
  expect([one, other].map((file) => readFileSync(file, 'utf8'))).toEqual(before);
  expect(err.match(/left as it is/g)).toHaveLength(2);
  const loose = file('loose.te', 'type  a_t ;\n');
  expect((await dewar('fmt', loose, file('odd.te', '\0'))).code).toBe(1);
  expect(readFileSync(loose, 'utf8')).toBe('type  a_t ;\n');
});

test('no command writes its result over what it was made from', async () => {
  const conf = file('policy.conf', SMALL);
  const link = join(scratch, 'same.conf');
  symlinkSync('policy.conf', link);
  for (const output of [conf, link]) {
    const { code, err } = await dewar('compile', conf, '-o', output);
    expect(code).toBe(2);
    expect(err).toContain(`\`${output}\` is what was read; the result needs a file of its own`);
    expect(readFileSync(conf, 'utf8')).toBe(SMALL);
  }
  const folder = join(scratch, 'policy');
  cpSync(example, folder, { recursive: true });
  const module = join(folder, 'modules/domU.te');
  const before = readFileSync(module, 'utf8');
  expect((await dewar('compile', folder, '-o', module)).code).toBe(2);
  expect(readFileSync(module, 'utf8')).toBe(before);
  const binary = join(scratch, 'out.bin');
  await dewar('compile', conf, '-q', '-o', binary);
  const bytes = readFileSync(binary);
  expect((await dewar('decompile', binary, '-o', binary)).code).toBe(2);
  expect(Buffer.compare(readFileSync(binary), bytes)).toBe(0);
});

test('compile tells the version that it wrote, also where the release chooses it', async () => {
  const conf = file('policy.conf', SMALL);
  const binary = join(scratch, 'out.bin');
  for (const [args, version] of [
    [['--xen', '4.3'], 24],
    [['--xen', '4.17'], 30],
    [['-c', '24'], 24],
  ] as const) {
    const { code, out } = await dewar('compile', conf, '-o', binary, ...args);
    expect(code).toBe(0);
    expect(out).toContain(` policy version ${version},`);
    expect(readPolicydb(readFileSync(binary))).toMatchObject({ version });
  }
});

test('what is compiled already, and a part of a policy, are not compiled', async () => {
  const conf = file('policy.conf', SMALL);
  const binary = join(scratch, 'out.bin');
  await dewar('compile', conf, '-q', '-o', binary);
  const again = await dewar('compile', binary, '-o', join(scratch, 'again.bin'));
  expect(again.code).toBe(2);
  expect(again.err).toContain('is compiled already; `dewar decompile` makes text of it');
  const part = await dewar('compile', join(example, 'modules/domU.te'));
  expect(part.code).toBe(2);
  expect(part.err).toMatch(/is a part of the policy in `.*policies\/example`, which is compiled as a whole/);
});

test('what is no policy directory lacks one thing, and an empty file has one fault', async () => {
  expect((await dewar('compile', scratch)).err).toMatch(
    /^\S+: error: the policy has no file `.*modules\/modules.conf` \[source\/no-file\]\n.*: 1 error; nothing was written\n$/,
  );
  const { code, err } = await dewar('compile', file('empty.conf', ''));
  expect(code).toBe(1);
  expect(err).toMatch(
    /the policy has no statements \[language\/missing-section\]\n.*: 1 error; nothing was written\n$/,
  );
});

test('what never ends is not read for ever', async () => {
  const { code, err } = await dewar('check', '/dev/zero');
  expect([code, err]).toEqual([3, 'dewar: cannot read `/dev/zero`: it is too large\n']);
});

test('what has no length is read to its end', async () => {
  const { code, err } = await dewar('check', '/proc/self/status');
  expect([code, /status:1:\d+: error/.test(err)]).toEqual([1, true]);
  expect((await dewar('check', '/dev/null')).err).not.toContain('cannot read');
});
