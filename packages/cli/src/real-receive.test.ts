/**
 * A guest comes to a real host: the protocol of xl is spoken to a sender that does, and fails, as it is told to; there is a
 * guest in the end where the sender has handed it over, and nothing of it where not.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { dewarOn, type Ran } from './captured-run.ts';
import { examplePath, examplePolicyWithout, faults, guests, helperFile, root, scratch, xen } from './stand-in-host.ts';

const sender = join(scratch, 'sender.mjs');
const heard = join(scratch, 'heard');

/** A sender as xl's, whose words say how far it comes: `to-the-end`, or where it stops. What it hears last, it writes down. */
const SENDER = `
import { appendFileSync, readSync, writeSync } from 'node:fs';
const [how, heard, label] = process.argv.slice(2);
const hear = (words) => appendFileSync(heard, words + '\\n');
function read(length) {
  const room = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const count = readSync(0, room, done, length - done, null);
    if (count === 0) { hear('the end'); process.exit(1); }
    done += count;
  }
  return room.toString('latin1');
}
function write(bytes) {
  for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done);
}
const go = 'domain is yours, you are cleared to unpause\\0';
const banner = 'xl migration receiver ready, send binary domain data.\\n';
if (read(banner.length) !== banner) hear('no banner');
if (how === 'ends-at-once') process.exit(1);
const json = JSON.stringify({
  c_info: { type: 'pv', name: 'comes', uuid: '6d1cf4ae-0b3e-4c57-8d7e-6a7d5a0c1e42', ssid_label: label },
  b_info: { max_vcpus: 1, max_memkb: 65536, target_memkb: 65536, kernel: '/k' },
});
const config = Buffer.from(how === 'sends-no-guest' ? '{}\\0' : json + '\\0');
const header = Buffer.alloc(52);
header.write(how === 'says-nonsense' ? 'a file' : 'Xen saved domain, xl format\\n \\0 \\r', 'latin1');
header.writeUInt32LE(0x01020304, 32);
header.writeUInt32LE(3, 36);
header.writeUInt32LE(config.length + 4, 44);
header.writeUInt32LE(config.length, 48);
try {
  write(Buffer.concat([header, config]));
  write(Buffer.alloc(how === 'ends-in-the-stream' ? 1000 : 1024 * 1024));
} catch { hear('it does not listen'); process.exit(1); }
if (how === 'ends-in-the-stream') process.exit(1);
const ready = 'domain received, ready to unpause\\0';
if (read(ready.length) !== ready) hear('it is not ready');
if (how === 'ends-before-go') process.exit(1);
write(Buffer.from(go));
if (how === 'ends-after-go') process.exit(1);
const report = 'my copy unpause results are as follows\\0';
if (read(report.length) !== report) hear('no report');
hear('status ' + read(1).charCodeAt(0));
if (how === 'hears-a-failure') hear(read(go.length) === go ? 'mine again' : 'nonsense');
process.exit(0);
`;

beforeAll(() => writeFileSync(sender, SENDER));
beforeEach(() => rmSync(heard, { force: true }));

const LABEL = 'customer_1:vm_r:domU_t';

/** Takes in what a sender sends. */
async function receive(how: string, label: string, ...more: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [sender, how, heard, label], { stdio: ['pipe', 'pipe', 'inherit'] });
  const streams = [child.stdout, child.stdin] as const;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const args = ['migrate-receive', '--host', 'xen', '--policy', examplePath, ...more];
  const ran = dewarOn({ helperFile, root, patienceMs: 2000 }, args, streams);
  // The helper has them as well, and the sender is to see when that ends.
  const { code, out, err } = await ran;
  for (const stream of streams) stream.destroy();
  await ended;
  return { code, out, err };
}

const said = (): string => (existsSync(heard) ? readFileSync(heard, 'utf8') : '');

test('a guest comes in, runs, and the sender hears so', async () => {
  const { code, out, err } = await receive('to-the-end', LABEL);
  expect([code, out]).toEqual([0, '']);
  for (const line of [
    'migration target: Ready to receive domain.',
    'migration target: Transfer complete, requesting permission to start domain.',
    'migration target: Domain started successsfully.',
    'note: nobody waits for the end of this guest',
  ])
    expect(err).toContain(line);
  expect(said()).toBe('status 0\n');
  expect(await guests()).toEqual(['comes running']);
  expect((await xen('log')).out).toMatch(
    /migrate-receive done +name=comes built=customer_1:vm_r:domU_t runs=customer_1:vm_r:domU_t/,
  );
});

test('it stays paused where it is to', async () => {
  const { code } = await receive('to-the-end', LABEL, '-p');
  expect(code).toBe(0);
  expect(await guests()).toEqual(['comes paused']);
});

test.each([
  ['ends-at-once', /the sender ended before the header of a guest came/],
  ['says-nonsense', /it is no guest that `xl migrate` or `dewar migrate` sends/],
  ['sends-no-guest', /what comes in is no configuration of a guest/],
  ['ends-in-the-stream', /migration target: Domain creation failed/],
  ['ends-before-go', /the guest was not handed over, and goes on at the sender/],
])('a sender that %s: nothing is left of the guest here', async (how, why) => {
  const { code, err } = await receive(how, LABEL);
  expect(err).toMatch(why);
  expect(code).toBe(1);
  expect(await guests()).toEqual([]);
});

test('a sender that has handed the guest over and goes: the guest runs here', async () => {
  const { code, err } = await receive('ends-after-go', LABEL);
  expect(code).toBe(0);
  expect(err).toMatch(/the sender has gone without hearing that the guest runs here|started successsfully/);
  expect(await guests()).toEqual(['comes running']);
});

test('a name that is taken: the sender has its guest again', async () => {
  const cfg = join(scratch, 'comes.cfg');
  writeFileSync(cfg, `name = 'comes'\ntype = 'pv'\nkernel = '/k'\nseclabel = '${LABEL}'\nmemory = 64\n`);
  await xen('create', '-q', cfg);
  const { code, err } = await receive('hears-a-failure', LABEL);
  expect(code).toBe(1);
  expect(said()).toMatch(/^status [1-9]\d*\nmine again\n$/);
  expect(err).toContain('migration target: Cleanup OK, granting sender permission to resume.');
  expect(await guests()).toEqual(['comes running']);
});

test('what the policy would refuse is not built', async () => {
  await xen('loadpolicy', '--yes', '--force', examplePolicyWithout('domain', 'max_vcpus'));
  const child = spawn(process.execPath, [sender, 'to-the-end', heard, LABEL], { stdio: ['pipe', 'pipe', 'inherit'] });
  const streams = [child.stdout, child.stdin] as const;
  const refused = await dewarOn({ helperFile, root, patienceMs: 2000 }, ['migrate-receive', '--host', 'xen'], streams);
  for (const stream of streams) stream.destroy();
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('nothing was built: that was a rehearsal under the policy of this host');
  expect(refused.err).toContain('domain { max_vcpus }');
  expect((await xen('log')).out).not.toContain('migrate-receive');
});

test.each([
  ['reception.build', 'dies', 'nothing of the guest is left'],
  ['reception.build', 'dies-late', 'which was half built, was destroyed'],
  ['reception.take', 'dies', 'which was half built, was destroyed'],
  ['reception.take', 'dies-late', '`comes`, is left as it is'],
] as const)('a helper that is killed at `%s` (%s) leaves no half guest', async (call, kind, words) => {
  faults({ call, how: { kind } });
  const { code, err } = await receive('to-the-end', LABEL);
  expect([code, err.includes(words)]).toEqual([3, true]);
  expect(await guests()).toEqual(words.includes('is left as it is') ? ['comes running'] : []);
});

test('simulated hosts take nobody in by it', async () => {
  const { code, err } = await dewarOn(undefined, ['migrate-receive', '--host', 'simulated']);
  expect([code, err]).toEqual([2, 'dewar: guests come to simulated hosts with `dewar migrate` alone\n']);
});
