/**
 * A guest leaves a real host: the protocol of xl is spoken to a receiver that does, and fails, as it is told to; the guest is
 * in one place in the end.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { Ran } from './captured-run.ts';
import { examplePath, examplePolicyWithout, faults, guestCfg, guests, root, scratch, xen } from './stand-in-host.ts';

const receiver = join(scratch, 'receiver.mjs');
const heard = join(scratch, 'heard.json');

/** A receiver as xl's, whose words say how far it comes: `to-the-end`, or where it stops. */
const RECEIVER = `
import { readSync, writeFileSync, writeSync } from 'node:fs';
const [how, heard] = process.argv.slice(2);
const say = (words) => writeSync(2, 'migration target: ' + words + '\\n');
function read(length) {
  const room = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const count = readSync(0, room, done, length - done, null);
    if (count === 0) { say('the stream ended'); process.exit(how === 'keeps-silent' ? 0 : 1); }
    done += count;
  }
  return room;
}
const go = 'domain is yours, you are cleared to unpause\\0';
say('Ready to receive domain.');
if (how === 'is-no-receiver') { writeSync(1, 'xl: command not found, but it goes on talking for a while here\\n'); process.exit(1); }
if (how === 'ends-at-once') process.exit(5);
if (how === 'keeps-silent') read(1);
writeSync(1, 'xl migration receiver ready, send binary domain data.\\n');
const header = read(48);
const data = read(header.readUInt32LE(44));
const config = data.toString('latin1', 4, 4 + data.readUInt32LE(0) - 1);
writeFileSync(heard, JSON.stringify({ magic: header.toString('latin1', 0, 32), flags: header.readUInt32LE(36), config, end: data.at(-1) }));
if (how === 'hears-all') {
  const parts = [];
  const room = Buffer.alloc(4096);
  for (let count; (count = readSync(0, room)) > 0; ) parts.push(Buffer.from(room.subarray(0, count)));
  writeFileSync(heard + '.rest', Buffer.concat(parts));
  process.exit(1);
}
if (how === 'does-not-begin') process.exit(1);
if (how === 'talks') writeSync(1, 'I was not asked');
if (how === 'ends-in-the-stream') { read(1000); process.exit(1); }
if (how === 'stalls') await new Promise((resolve) => setTimeout(resolve, 600000));
read(1024 * 1024);
if (how === 'is-slow') { writeFileSync(heard + '.all', ''); read(1); }
if (how === 'has-no-room') { say('Domain creation failed (code -3).'); process.exit(1); }
writeSync(1, 'domain received, ready to unpause\\0');
if (how === 'ends-before-go') process.exit(1);
if (read(go.length).toString('latin1') !== go) { say('that is no permission'); process.exit(1); }
if (how === 'ends-after-go') process.exit(1);
writeSync(1, 'my copy unpause results are as follows\\0');
const status = how === 'cannot-start' || how === 'cannot-give-back' ? 6 : 0;
writeSync(1, Buffer.from([status]));
if (how === 'cannot-start') writeSync(1, go);
if (status === 0) say('Domain started successsfully.');
process.exit(status === 0 ? 0 : 1);
`;

beforeAll(() => writeFileSync(receiver, RECEIVER));

const to = (how: string): readonly string[] => [
  '-s',
  '',
  '--policy',
  examplePath,
  'there',
  `node ${receiver} ${how} ${heard}`,
];
const migrate = (how: string, ...more: readonly string[]) => {
  const [s, empty, ...rest] = to(how);
  return xen('migrate', ...more, s ?? '', empty ?? '', ...rest);
};

const RUNS: readonly string[] = ['there running'];
const SETTINGS = ["name='there'", "seclabel='customer_1:vm_r:domU_t'"];
/** The example's guest, with another label: nobody may read that of the example itself. */
beforeEach(async () => {
  const file = join(scratch, 'there.cfg');
  writeFileSync(file, readFileSync(guestCfg, 'utf8').replaceAll(/^.*seclabel.*$/gm, ''));
  const { code, err } = await xen('create', '-q', file, ...SETTINGS);
  expect([code, err]).toEqual([0, '']);
});

test('it is rehearsed, sent and handed over, and is gone here', async () => {
  const { code, out, err } = await migrate('to-the-end');
  expect(err.split('\n')).toEqual([
    'note: the other host has a policy of its own, which was not rehearsed: name it with `--target-policy`',
    'migration target: Ready to receive domain.',
    'migration target: Domain started successsfully.',
    expect.stringMatching(/^Saving to migration stream new xl format \(info 0x3\/0x0\/\d+\)$/),
    // The stand-in saves it to send it.
    expect.stringMatching(/^Saving to the save file /),
    'xc: info: Saving domain 1, type x86 PV',
    'migration sender: Target has acknowledged transfer.',
    'migration sender: Giving target permission to start.',
    'migration sender: Target reports successful startup.',
    'Migration successful.',
    '',
  ]);
  expect([code, out]).toEqual([0, '']);
  expect(await guests()).toEqual([]);
  // The receiver has written it.
  const told = JSON.parse(readFileSync(heard, 'utf8')) as {
    readonly magic: string;
    readonly flags: number;
    readonly config: string;
    readonly end: number;
  };
  expect([told.magic, told.flags, told.end]).toEqual(['Xen saved domain, xl format\n \0 \r', 3, 0]);
  const config = JSON.parse(told.config) as { readonly c_info: Record<string, unknown> };
  expect([config.c_info['name'], config.c_info['ssid_label'], config.c_info['domid']]).toEqual([
    'there',
    'customer_1:vm_r:domU_t',
    undefined,
  ]);
  expect((await xen('log')).out).toMatch(/migrate +done +domain=there to=node/);
});

const GOES_ON = /domain \d+, `there`, goes on here/;

test.each([
  ['is-no-receiver', /the receiver sent "xl: command not found.*" instead of its banner/],
  ['ends-at-once', /the receiver ended before its banner came/],
  ['does-not-begin', /the receiver ended before the guest was sent/],
  ['talks', /the receiver sent "I was not asked" before the guest was sent/],
  ['ends-in-the-stream', /the receiver is gone: it did not take the guest/],
  ['has-no-room', /the receiver ended before the word that it has the guest came/],
  ['ends-before-go', /the receiver is gone|the receiver ended before the word how the start went/],
  ['cannot-start', /the start of the guest on the other host failed/],
])('a receiver that %s: the guest goes on here', async (how, why) => {
  const { code, err } = await migrate(how);
  expect(err).toMatch(why);
  expect(code).toBe(1);
  if (how !== 'ends-before-go') {
    expect(err).toMatch(GOES_ON);
    expect(await guests()).toEqual(RUNS);
  }
  expect((await xen('log')).out).toMatch(/migrate +failed/);
});

test.each(['ends-after-go', 'cannot-give-back'])(
  'a receiver that %s: the guest does not go on here, since it may run there',
  async (how) => {
    const { code, err } = await migrate(how);
    expect(code).toBe(1);
    expect(err).toContain('** Migration failed during final handshake **');
    expect(err).toMatch(
      /domain \d+ was handed over, and the other host neither said that it runs there nor gave it back/,
    );
    expect(err).toMatch(/domain \d+, `there--migratedaway`, is suspended here/);
    expect(await guests()).toEqual(['there--migratedaway shutdown']);
  },
);

test('what does not reach the other host at all ends with the words of whoever tried', async () => {
  const { code, err } = await xen('migrate', '-s', 'no-such-ssh', '--policy', examplePath, 'there', 'elsewhere');
  expect([code, err.includes('no-such-ssh'), err.includes('the way to it ended with 127')]).toEqual([1, true, true]);
  expect(err).toMatch(GOES_ON);
  expect(await guests()).toEqual(RUNS);
});

test('what the policy would refuse half-way is not begun, unless it is insisted on', async () => {
  await xen('loadpolicy', '--yes', '--force', examplePolicyWithout('shadow', 'logdirty'));
  const refused = await xen('migrate', '-s', '', 'there', `node ${receiver} to-the-end ${heard}`);
  expect([
    refused.code,
    refused.err.includes('nothing was sent: that was a rehearsal under the policy of this host'),
  ]).toEqual([1, true]);
  expect(refused.err).toContain('shadow { logdirty }');
  expect(await guests()).toEqual(RUNS);
  expect((await xen('log')).out).not.toContain('migrate');
  const forced = await xen('migrate', '--force', '-s', '', 'there', `node ${receiver} to-the-end ${heard}`);
  expect(forced.err).toContain('warning: the rehearsal failed; the guest is sent nevertheless');
});

test.each([
  ['an HVM guest', "type='hvm'\nseclabel='customer_1:vm_r:domU_t'", 'domU_t'],
  ['a PVH guest', "type='pvh'\nkernel='/k'\nseclabel='customer_1:vm_r:domU_t'", 'domU_t'],
])('%s is rehearsed as what it is', async (_, keys, type) => {
  const file = join(scratch, 'other-kind.cfg');
  writeFileSync(file, `name='other'\nmemory=64\nvcpus=2\n${keys}\n`);
  expect((await xen('create', '-q', file)).code).toBe(0);
  const { code, out } = await xen(
    ...['migrate', '--json', '-s', '', '--policy', examplePath],
    ...['--target-policy', examplePolicyWithout('domain2', 'settsc'), 'other', `node ${receiver} to-the-end ${heard}`],
  );
  // The command has printed it.
  const { outcome, rehearsal } = JSON.parse(out) as { readonly outcome: string; readonly rehearsal: object };
  expect([code, outcome]).toEqual([1, 'refused']);
  expect(JSON.stringify(rehearsal)).toContain(type);
});

test('what may not be read once it runs does not go, under the label that it runs under', async () => {
  await xen('create', '-q', guestCfg);
  const { code, err } = await xen(
    ...['migrate', '-s', '', '--policy', examplePath, 'nomigrate-guest', `node ${receiver} to-the-end ${heard}`],
  );
  expect(code).toBe(1);
  expect(err).toContain('on `customer_1:vm_r:nomigrate_t`');
  expect(err).toContain('nothing was sent: that was a rehearsal under the policy of this host');
});

/** How libxl begins a guest. */
const START = 'LibxlFmt\0\0\0\x02\0\0\0\0\x01\0\0\0\0\0\0\0';
/** What came to a receiver behind the configuration. */
const rest = (): string => readFileSync(`${heard}.rest`, 'latin1');

test('a guest of which libxl sends nothing begins and ends: so the receiver destroys what it has built', async () => {
  await xen('create', '-q', guestCfg);
  const command = `node ${receiver} hears-all ${heard}`;
  const { code, err } = await xen(
    ...['migrate', '--force', '-s', '', '--policy', examplePath, 'nomigrate-guest', command],
  );
  expect([code, err.includes('`nomigrate-guest`, goes on here')]).toEqual([1, true]);
  expect(rest()).toBe(START);
});

test('with the policy of the other host its side is rehearsed, too', async () => {
  const theirs = examplePolicyWithout('domain', 'create');
  const refused = await migrate('to-the-end', '--target-policy', theirs);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('nothing was sent: that was a rehearsal under the policy of the other host');
  expect(refused.err).not.toContain('note: the other host has a policy of its own');
  const same = await migrate('to-the-end', '--target-policy', examplePath);
  expect(same.code).toBe(0);
});

/** Presses Ctrl-C once the receiver has come so far. */
async function interrupt(how: string, hasCome: () => boolean): Promise<Ran> {
  const before = new Set(process.listeners('SIGINT'));
  const ran = migrate(how);
  for (let look = 0; look < 2000 && !hasCome(); look++) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const listener of process.listeners('SIGINT')) if (!before.has(listener)) listener('SIGINT');
  return ran;
}

test('Ctrl-C while a receiver does not read: the guest goes on here', async () => {
  rmSync(heard, { force: true });
  const { code, err } = await interrupt('stalls', () => existsSync(heard));
  expect(err).toContain('interrupted: the guest stays here, unless it has been handed over already');
  expect(err).toMatch(GOES_ON);
  expect(code).toBe(130);
  expect(await guests()).toEqual(RUNS);
});

test('Ctrl-C before libxl has begun: the receiver hears that the guest begins and ends', async () => {
  rmSync(heard, { force: true });
  const { code, err } = await interrupt('hears-all', () => existsSync(heard));
  expect([code, GOES_ON.test(err), rest().endsWith(START)]).toEqual([130, true, true]);
});

test('a helper that is killed before libxl has begun: the receiver hears that the guest begins and ends', async () => {
  faults({ call: 'migration.send', how: { kind: 'dies' } });
  const { code } = await migrate('hears-all');
  expect([code, rest(), await guests()]).toEqual([1, START, RUNS]);
});

test('Ctrl-C while a receiver has all of the guest and says nothing: it goes on here', async () => {
  rmSync(heard, { force: true });
  const { code, err } = await interrupt('is-slow', () => existsSync(`${heard}.all`));
  expect(err).toMatch(GOES_ON);
  expect(code).toBe(130);
  expect(await guests()).toEqual(RUNS);
});

test('Ctrl-C while nobody answers: the guest never left', async () => {
  const { code, err } = await interrupt('keeps-silent', () => process.listeners('SIGINT').length > 0);
  expect([code, err.includes('interrupted')]).toEqual([130, true]);
  expect(await guests()).toEqual(RUNS);
});

test.each([
  ['migration.offer', 'dies'],
  ['migration.send', 'dies'],
  ['migration.send', 'dies-late'],
  ['migration.handOver', 'dies'],
] as const)('a helper that is killed at `%s` (%s): the guest goes on here', async (call, kind) => {
  faults({ call, how: { kind } });
  const { code, err } = await migrate('to-the-end');
  expect(code).toBe(1);
  expect(err).toMatch(GOES_ON);
  expect(await guests()).toEqual(RUNS);
});

test('a helper that is killed once the guest is handed over: nobody knows, and it does not go on here', async () => {
  faults({ call: 'migration.handOver', how: { kind: 'dies-late' } });
  const { code, err } = await migrate('to-the-end');
  expect([code, err.includes('neither said that it runs there nor gave it back')]).toEqual([1, true]);
  expect(await guests()).toEqual(['there--migratedaway shutdown']);
});

test.each(['dies', 'dies-late'] as const)(
  'a helper that is killed at the destruction (%s): the guest is gone here',
  async (kind) => {
    faults({ call: 'migration.finish', how: { kind } });
    const { code } = await migrate('to-the-end');
    expect(code).toBe(kind === 'dies' ? 0 : 1);
    expect(await guests()).toEqual([]);
  },
);

test('as JSON, with what the receiver said', async () => {
  const { code, out } = await migrate('to-the-end', '--json');
  // The command has printed it.
  const {
    from,
    source,
    receiver: said,
  } = JSON.parse(out) as {
    readonly from: string;
    readonly source: { readonly outcome: string };
    readonly receiver: readonly string[];
  };
  expect([code, from, source.outcome, said.length]).toEqual([0, 'xen', 'done', 2]);
});

test('a configuration may take the place of that of the guest, and a number be kept', async () => {
  const config = join(scratch, 'other.cfg');
  writeFileSync(
    config,
    "name = 'other'\ntype = 'pv'\nkernel = '/k'\nseclabel = 'customer_1:vm_r:domU_t'\nmemory = 64\n",
  );
  await migrate('to-the-end', '-C', config);
  const named = (): Record<string, unknown> =>
    // The receiver has written it.
    (
      JSON.parse((JSON.parse(readFileSync(heard, 'utf8')) as { readonly config: string }).config) as {
        readonly c_info: Record<string, unknown>;
      }
    ).c_info;
  expect([named()['name'], named()['domid']]).toEqual(['other', undefined]);
});

test('the number of the domain goes with it where it is asked to', async () => {
  await migrate('to-the-end', '-D');
  const { config } = JSON.parse(readFileSync(heard, 'utf8')) as { readonly config: string };
  expect((JSON.parse(config) as { readonly c_info: { readonly domid: number } }).c_info.domid).toBe(1);
});

test('the shell gets the words of xl for the receiver', async () => {
  const said = join(root, 'said');
  const ssh = join(scratch, 'ssh.sh');
  writeFileSync(ssh, `echo "$@" >${said}\n`);
  await xen('migrate', '-e', '-p', '--debug', '-s', `sh ${ssh}`, '--policy', examplePath, 'there', 'elsewhere');
  expect(readFileSync(said, 'utf8')).toBe('elsewhere xl migrate-receive -e -d -p\n');
});

test('a domain that there is not, and dom0', async () => {
  const none = await xen('migrate', '-s', '', 'nobody', 'true');
  expect([none.code, none.err.includes('nobody is an invalid domain identifier (rc=-6)')]).toEqual([1, true]);
  const migrated = await xen('migrate', '-s', '', '0', 'true');
  expect([migrated.code, migrated.err.includes('error: cannot migrate dom0 [guest/is-dom0]')]).toEqual([1, true]);
  const saved = await xen('save', '0', join(scratch, 'dom0'));
  expect([saved.code, saved.err.includes('error: cannot save dom0 [guest/is-dom0]')]).toEqual([1, true]);
});
