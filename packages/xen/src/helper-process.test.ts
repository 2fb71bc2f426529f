/** The command and its helper: what is asked, what is logged, and how each takes the end of the other. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { HelperProcess } from './helper-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'dewar-helper-'));
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * A helper that answers with the parameters, after it has logged something. `xenstore.read` ends it, `host.info` ends it in
 * the middle of an answer, and `vcpu.list` takes for ever.
 */
const SCRIPT = `
import { writeFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, call, params } = JSON.parse(line);
  console.error('asked for ' + call);
  if (call === 'xenstore.read') process.kill(process.pid, 'SIGKILL');
  else if (call === 'host.info') { writeSync(3, '{"id":'); process.exit(0); }
  else if (call === 'vcpu.list') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  else writeSync(3, JSON.stringify({ id, ok: call !== 'domain.name', value: params, failure: { kind: 'errno', call, errno: 'EACCES' } }) + '\\n');
});
lines.on('close', () => { writeFileSync(process.argv[1] + '.closed', 'undone'); process.exit(0); });
`;

function helper(name: string, patienceMs?: number): { readonly process: HelperProcess; readonly file: string } {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, SCRIPT);
  return { process: new HelperProcess(file, patienceMs), file };
}

test('each call has its own answer, and what was logged during it', async () => {
  const { process: one, file } = helper('answers');
  const [found, name] = await Promise.all([
    one.call('domain.info', { domid: 1 }),
    one.call('domain.name', { domid: 2 }),
  ]);
  expect(found.kind === 'ok' && found.value).toEqual({ domid: 1 });
  expect(name.kind === 'failed' && name.failure).toEqual({ kind: 'errno', call: 'domain.name', errno: 'EACCES' });
  expect([...found.log, ...name.log]).toEqual(['asked for domain.info', 'asked for domain.name']);
  await one.close();
  expect(readFileSync(`${file}.closed`, 'utf8')).toBe('undone');
});

test('a helper that is killed ends the call, and every later one, with what it said last', async () => {
  const { process: one } = helper('killed');
  const ended = { code: 'helper-ended', message: expect.stringMatching(/ended by SIGKILL: asked for xenstore.read/) };
  await expect(one.call('xenstore.read', { path: '/' })).rejects.toMatchObject(ended);
  await expect(one.call('domain.list', {})).rejects.toMatchObject(ended);
  await one.close();
});

test('half an answer is the end of a helper, and not of the command', async () => {
  const { process: one } = helper('half');
  const ended = { code: 'helper-ended', message: expect.stringMatching(/process that works with libxl ended/) };
  await expect(one.call('host.info', {})).rejects.toMatchObject(ended);
  await one.close();
});

test('a helper that hangs is waited for no longer than there is patience', async () => {
  const { process: one } = helper('hangs', 300);
  const never = expect(one.call('vcpu.list', { domid: 1 })).rejects.toMatchObject({ code: 'helper-ended' });
  // It is not asked to end before it hangs.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const begun = Date.now();
  await one.close();
  await never;
  expect(Date.now() - begun).toBeLessThan(5000);
});

test('a helper that cannot be started is told as such', async () => {
  const one = new HelperProcess(join(folder, 'missing.mjs'));
  await expect(one.call('domain.list', {})).rejects.toMatchObject({ code: 'helper-ended' });
  await one.close();
});
