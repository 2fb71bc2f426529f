/** The commands of xl about a guest that exists: their columns and exit statuses, on the host of the example policy. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileDirectory } from '@dewar/policy/compiler';
import { examplePolicy, withoutPermission } from '@dewar/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const guestCfg = join(root, 'examples/nomigrate/guest.cfg');
const RUN = 'customer_1:vm_r:nomigrate_t';
const UUID = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-guest-'));
  process.env['DEWAR_STATE_DIR'] = join(folder, 'state');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  delete process.env['DEWAR_STATE_DIR'];
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, 'latin1');
  return path;
}

/** A guest that dom0 may see all of, with two vCPUs. */
function plainGuest(settings = ''): string {
  return file(
    'plain.cfg',
    `name = 'plain'\nuuid = '${UUID}'\ntype = 'pv'\nkernel = '/boot/vmlinuz'\nmemory = 64\nvcpus = 2\nseclabel = 'customer_1:vm_r:domU_t'\n${settings}`,
  );
}

/** The example policy, with one permission granted to nobody. */
function policyWithout(className: string, permission: string): string {
  const { bytes = new Uint8Array() } = compileDirectory(examplePolicy(), { release: '4.17' });
  const path = join(folder, 'lacking.policy');
  writeFileSync(path, withoutPermission(bytes, className, permission));
  return path;
}

test('the NUMA nodes are asked for, and where dom0 may not ask, the domain is listed all the same', async () => {
  await dewar('create', '-q', plainGuest());
  const list = await dewar('list', '-n', '-v');
  expect([list.code, list.out.split('\n')[0]?.endsWith('\tState\tTime(s) NODE Affinity')]).toEqual([0, true]);
  expect(list.out).toMatch(/^plain .* all$/m);
  // One for each domain, and nothing of the kind without the option.
  expect(list.err.match(/domain \{ getaffinity \}/g)).toHaveLength(2);
  expect((await dewar('list', '-v')).err).not.toContain('getaffinity');
  expect((await dewar('xl', 'list', '-n', 'plain')).out.split('\n')).toHaveLength(3);

  const policy = policyWithout('domain', 'getaffinity');
  await dewar('create', '-q', '--policy', policy, plainGuest());
  const lacking = await dewar('xl', 'list', '-Zn', 'plain');
  expect([lacking.code, lacking.out.split('\n')[1]?.endsWith(' customer_1:vm_r:domU_t none')]).toEqual([0, true]);
  const words = 'libxl_domain_get_nodeaffinity: Domain 1:Getting node affinity: Permission denied';
  expect(lacking.err.split('\n')[0]).toBe(`libxl: error: libxl_sched.c:151:${words}`);
  const own = await dewar('list', '-n', 'plain');
  expect([own.code, own.err.includes('cannot ask for the NUMA nodes of the domains')]).toEqual([1, true]);
});

test('where dom0 may not ask how many nodes there are, xl ends within its first line', async () => {
  await dewar('create', '-q', plainGuest());
  const { code, out, err } = await dewar('xl', '--policy', policyWithout('xen', 'physinfo'), 'list', '-n');
  expect([code, out.endsWith('\tState\tTime(s)'), err.includes('libxl_node_bitmap_alloc_failed.')]).toEqual([
    1,
    true,
    true,
  ]);
});

test('vCPUs are listed, pinned and set in the columns of xl', async () => {
  await dewar('create', plainGuest(), '-q');
  expect(await dewar('vcpu-pin', 'plain', '1', '0', 'all')).toEqual({ code: 0, out: '', err: '' });
  expect((await dewar('vcpu-set', 'plain', '1')).code).toBe(0);
  expect((await dewar('vcpu-list', 'plain')).out).toBe(
    [
      'Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)',
      'plain                                1     0    0   r--       0.0  all / all',
      'plain                                1     1    -   --p       0.0  0 / all',
      '',
    ].join('\n'),
  );
  expect((await dewar('vcpu-list')).out.split('\n')).toHaveLength(6);
  expect((await dewar('vcpu-set', 'plain', '3')).code).toBe(1);
  expect((await dewar('vcpu-set', 'plain', 'many')).code).toBe(2);
});

test('memory, scheduler, names and numbers are printed as xl prints them', async () => {
  await dewar('create', plainGuest(), '-q');
  expect((await dewar('mem-set', 'plain', '60')).code).toBe(0);
  expect((await dewar('mem-max', 'plain', '62m')).code).toBe(0);
  expect((await dewar('mem-set', 'plain', '1g')).err).toContain('cannot set domid 1 dynamic max memory to : 1g');
  expect((await dewar('mem-set', 'plain', '1x')).code).toBe(2);
  expect((await dewar('list', 'plain')).out).toContain(`plain${' '.repeat(35)}     1    60     2     r-----`);
  expect((await dewar('sched-credit2', '-d', 'plain', '-w', '200')).out).toBe('');
  expect((await dewar('sched-credit2', '-d', 'plain')).out).toBe(
    [
      'Name                                ID Weight  Cap',
      'plain                                1    200    0',
      '',
    ].join('\n'),
  );
  expect(await dewar('sched-credit2', '-w', '5')).toEqual({ code: 1, out: '', err: 'Must specify a domain.\n' });
  expect((await dewar('vm-list')).out).toBe(
    [
      `UUID${' '.repeat(34)}ID    name`,
      `00000000-0000-0000-0000-000000000000  0    ${'Domain-0'.padEnd(30)}`,
      `${UUID}  1    ${'plain'.padEnd(30)}`,
      '',
    ].join('\n'),
  );
  expect(await dewar('domid', 'plain')).toEqual({ code: 0, out: '1\n', err: '' });
  expect(await dewar('domname', '1')).toEqual({ code: 0, out: 'plain\n', err: '' });
  expect((await dewar('domid', 'other')).err).toContain(
    "Can't get domid of domain name 'other', maybe this domain does not exist.",
  );
  expect((await dewar('domname', '9')).code).toBe(1);
  const info = (await dewar('host-info')).out;
  expect(info).toMatch(/^total_memory {10} : 65536$/m);
  expect(info).toMatch(/^xen_version {11} : 4\.17\.5$/m);
});

test('what a domain lacks is not taken for a domain that is missing', async () => {
  await dewar('create', plainGuest());
  const ends = [
    [['trigger', 'plain', 'nmi', '99'], 'cannot trigger domain 1 [guest/operation-failed]'],
    [['vcpu-pin', 'plain', '0', '99'], 'the host has none of these physical CPUs: it has 2'],
    [['reboot', '0'], 'cannot reboot dom0 [guest/is-dom0]'],
    [['probe', '0'], 'cannot map a page of domain 0 [guest/operation-failed]'],
    [['trigger', '7', 'nmi'], '`7` is no domain of this host [guest/unknown-domain]'],
  ] as const;
  for (const [args, words] of ends) {
    const { code, err } = await dewar(...args);
    expect(code).toBe(1);
    expect(err).toContain(words);
    if (!words.includes('unknown-domain')) expect(err).not.toContain('is no domain of this host');
  }
});

test('a trigger and a key are sent in silence', async () => {
  await dewar('create', plainGuest(), '-q');
  expect(await dewar('trigger', 'plain', 'nmi', '0')).toEqual({ code: 0, out: '', err: '' });
  expect(await dewar('sysrq', 'plain', 'h')).toEqual({ code: 0, out: '', err: '' });
  expect((await dewar('trigger', 'plain', 'bang')).err).toContain('Invalid trigger "bang"');
  expect((await dewar('sysrq', 'nobody', 'h')).err).toContain('nobody is an invalid domain identifier (rc=-6)');
});

test('a guest reboots under a new number, and all are shut down at once', async () => {
  await dewar('create', guestCfg, '-q');
  const reboot = await dewar('reboot', '-w', 'nomigrate-guest');
  expect([reboot.code, reboot.err.split('\n').slice(0, 3)]).toEqual([
    0,
    ['Rebooting domain 1', 'Waiting for 1 domains', 'Domain 1 has been shut down, reason code 1'],
  ]);
  expect((await dewar('list', '-Z')).out).toContain(`     2   128     1     r-----       0.0 ${RUN}`);
  await dewar('create', plainGuest(), '-q');
  expect((await dewar('shutdown', '-a')).err).toContain('Shutting down domain 3\n');
  expect((await dewar('list')).out.trim().split('\n')).toHaveLength(2);
  expect(await dewar('shutdown')).toEqual({ code: 1, out: '', err: 'You must specify -a or a domain id.\n\n' });
});

test('a guest that nobody waits for is listed as stopped, with the reason', async () => {
  await dewar('create', plainGuest(), '-q', '-e');
  expect((await dewar('reboot', 'plain')).code).toBe(0);
  expect((await dewar('list', 'plain')).out).toContain('     2     ---sr-  ');
  expect((await dewar('shutdown', 'plain')).err).toContain('shutdown failed (rc=-9)');
});

test('a guest is saved to a file and restored from it', async () => {
  await dewar('create', plainGuest(), '-q');
  const path = join(folder, 'saved');
  const saved = await dewar('save', 'plain', path);
  expect([saved.code, saved.err.split('\n')[1]]).toEqual([
    0,
    expect.stringMatching(/^Saving to .*\/saved new xl format \(info 0x3\/0x0\/[0-9]+\)$/),
  ]);
  expect(JSON.parse(readFileSync(path, 'latin1'))).toMatchObject({ format: 'dewar-saved-guest', pages: 64 * 256 });
  expect((await dewar('list')).out).not.toContain('plain');
  const restored = await dewar('restore', '-p', path);
  expect([restored.code, restored.err.split('\n')[1]]).toEqual([
    0,
    ' Savefile contains xl domain config in JSON format',
  ]);
  expect((await dewar('list', 'plain')).out).toContain('     2    64     2     --p---');
  expect((await dewar('restore', file('empty', ''))).code).toBe(1);
  expect((await dewar('restore', join(folder, 'nothing'))).code).toBe(3);
});

test('a save that is denied leaves no file and says what xl says', async () => {
  await dewar('create', guestCfg, '-q');
  const path = join(folder, 'saved');
  const { code, err } = await dewar('save', 'nomigrate-guest', path);
  expect(code).toBe(1);
  expect(err).toContain('Cannot save a guest with vNUMA configured');
  expect(err).toContain('Failed to save domain, resuming domain');
  expect(err).toContain('domain2 { get_vnumainfo }');
  expect(() => readFileSync(path)).toThrow();
});

test('a PVH guest is rehearsed with its own checks', async () => {
  const cfg = file('pvh.cfg', readFileSync(guestCfg, 'latin1').replace("type = 'pv'", "type = 'pvh'"));
  const { code, out } = await dewar('create', cfg);
  expect(code).toBe(0);
  expect(out).toContain('hvm { gethvmc }');
  expect(out).toContain('probe: dom0 maps a page of the guest to read it: denied');
});

test('with `-d` the configuration is printed before the guest is made', async () => {
  const { code, out } = await dewar('create', plainGuest(), '-d', '-q');
  expect([code, out.startsWith('{\n    "c_info": {')]).toEqual([0, true]);
});
