/** `dewar help`: codes, areas, commands, and what is none of them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { dewar } from './captured-run.ts';
import { documentedCodes, helpPage } from './help.ts';

test('the page of a code is printed with its snippets', async () => {
  const { code, out, err } = await dewar(...['help', 'te/unknown-type']);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^te\/unknown-type: /);
  expect(out).toMatch(/^ {2}wrong:\n {4}allow dom0_t domU_tt:domain pause;$/m);
  expect(out).toMatch(/^ {2}right:\n {4}allow dom0_t domU_t:domain pause;$/m);
  expect(out).not.toMatch(/```|\*\*/);
});

test('a code may be pasted with the brackets of the message', async () => {
  expect(await dewar(...['help', '[te/unknown-type]'])).toEqual(await dewar(...['help', 'te/unknown-type']));
});

test('every page is printed whole, non-ASCII characters too', async () => {
  const folder = fileURLToPath(new URL('../../../docs/diagnostics', import.meta.url));
  const files = readdirSync(folder, { recursive: true }).map(String);
  expect(documentedCodes()).toEqual(
    files
      .filter((path) => /^[^/]+\/.*\.md$/.test(path))
      .map((path) => path.slice(0, -'.md'.length))
      .sort(),
  );
  for (const code of documentedCodes()) {
    const { out, code: status } = await dewar(...['help', code]);
    expect([status, out.startsWith(`${code}: `)], join(folder, code)).toEqual([0, true]);
    expect(out).toMatch(/^On Xen\. /m);
  }
  expect((await dewar(...['help', 'cfg/not-ascii'])).out).toContain('‘customer_1:vm_r:domU_t’');
});

test('an area lists its codes with what they mean', async () => {
  const { code, out } = await dewar(...['help', 'mls']);
  expect(code).toBe(0);
  expect(out).toMatch(/^mls\/range-order +a range that goes down$/m);
  expect(out.split('\n').filter((line) => !line.startsWith('mls/'))).toEqual(['']);
});

test('a command is explained as `--help` explains it', async () => {
  expect((await dewar(...['help', 'compile'])).out).toBe((await dewar(...['compile', '--help'])).out);
  expect((await dewar(...['help'])).out).toBe((await dewar(...['--help'])).out);
});

test.each([
  ['te/unkown-type', 'te/unknown-type'],
  ['[te/unknown-typ]', 'te/unknown-type'],
  ['unknown-permission', 'te/unknown-permission'],
  ['comple', 'compile'],
])('what is nearly a topic gets a suggestion: %s', async (topic, meant) => {
  const { code, out, err } = await dewar(...['help', topic]);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain(`did you mean \`${meant}\`?`);
});

test('what is no topic at all is told what there is', async () => {
  const { code, err } = await dewar(...['help', 'something-else-altogether']);
  expect(code).toBe(2);
  expect(err).toContain('there is no help on `something-else-altogether`');
  expect(err).toMatch(/areas of codes are cfg, .*\bte\b/);
});

test('no topic leads out of the folder of the pages', async () => {
  for (const topic of ['../README', 'te/../../README', '../../README.md', '/etc/hostname', 'te/unknown-type.md', '.'])
    expect((await dewar(...['help', topic])).code).toBe(2);
  expect(helpPage('../decisions/latin1-texts')).toBeUndefined();
});
