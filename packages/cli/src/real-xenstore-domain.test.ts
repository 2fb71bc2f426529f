/** A xenstore domain on a real host: rehearsed, made by the host's own program, and told. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { examplePath, faults, root, xen } from './stand-in-host.ts';

const LABEL = 'system_u:system_r:xenstore_t';
const program = join(root, 'usr/lib/xen-4.17/bin/init-xenstore-domain');

/** The host has a program that does this. */
function programThat(script: string): void {
  mkdirSync(dirname(program), { recursive: true });
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
}

beforeEach(() => rmSync(join(root, 'usr'), { recursive: true, force: true }));

const init = (...more: readonly string[]) =>
  xen('init-xenstore-domain', '--kernel', '/boot/mini-os', '--flask', LABEL, ...more);

test('the program of the release gets what was asked for, and the journal has it', async () => {
  programThat(`echo "$@" >${join(root, 'asked')}; echo ready >&2`);
  const more = ['--ramdisk', '/boot/r', '--param', 'quiet loglevel=0', '--name', 'store', '--maxmem', '32:1/50'];
  const { code, err } = await init('--policy', examplePath, '--memory', '16', ...more);
  expect([code, err]).toEqual([0, 'ready\n']);
  expect(readFileSync(join(root, 'asked'), 'utf8')).toBe(
    `--kernel /boot/mini-os --memory 16 --flask ${LABEL} --ramdisk /boot/r --param quiet loglevel=0 --name store --maxmem 32:1/50\n`,
  );
  expect((await xen('log')).out).toMatch(/init-xenstore-domain done kernel=\/boot\/mini-os memoryMib=16 label=/);
});

test('the status of the program is passed on, and its words', async () => {
  programThat('echo Xenbus setup ioctl failed >&2; exit 1');
  const { code, err } = await init('--policy', examplePath);
  expect(code).toBe(1);
  expect(err).toContain('no xenstore domain was made: Xenbus setup ioctl failed');
  expect(err).toContain('`init-xenstore-domain` ended with 1');
  expect((await xen('log')).out).toMatch(/init-xenstore-domain failed/);
});

test('what is missing is said: a kernel, the program, a host whose kernel is free to change', async () => {
  const kernel = await xen('init-xenstore-domain');
  expect([kernel.code, kernel.err.includes('name it with `--kernel`')]).toEqual([2, true]);
  const none = await init('--policy', examplePath);
  expect(none.code).toBe(1);
  expect(none.err).toContain('this host has no `init-xenstore-domain` of Xen 4.17');
  expect(none.err).toContain('`/usr/lib/xen-4.17/bin`');
  programThat(`touch ${join(root, 'was-run')}`);
  mkdirSync(join(root, 'run/xenstored'), { recursive: true });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, 'run/xenstored/socket'), resolve));
  try {
    const taken = await init('--policy', examplePath);
    expect([taken.code, taken.err.includes('xenstored runs in dom0')]).toEqual([1, true]);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  expect(existsSync(join(root, 'was-run'))).toBe(false);
});

test('what the policy would refuse is not begun, unless it is insisted on', async () => {
  programThat('exit 0');
  const words = ['init-xenstore-domain', '--kernel', '/k', '--policy', examplePath, '--flask'] as const;
  const refused = await xen(...words, 'customer_1:vm_r:domU_t');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('nothing was made: that was a rehearsal under the policy of this host');
  expect((await xen('log')).out).not.toContain('init-xenstore-domain');
  const forced = await xen(...words, 'customer_1:vm_r:domU_t', '--force');
  expect([forced.code, forced.err.includes('the domain is made nevertheless')]).toEqual([0, true]);
});

test('without a policy that is known it is made, and that it was not rehearsed is said', async () => {
  programThat('exit 0');
  const { code, err } = await init();
  expect([code, err.includes('note: not rehearsed: the policy that this host has loaded is not known')]).toEqual([
    0,
    true,
  ]);
});

test('a host on which no xenstore answers is not waited for without end', async () => {
  faults({ call: 'xenstore.read', how: { kind: 'hangs' } });
  const { code, err } = await xen('list');
  expect([code, err]).toEqual([3, 'dewar: nobody answers as the xenstore of this host: is xenstored running?\n']);
});
