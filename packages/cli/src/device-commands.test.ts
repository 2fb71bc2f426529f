/** The commands about devices and their domains, on the host of the example policy. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';

const examples = fileURLToPath(new URL('../../../examples/kinds', import.meta.url));
const example = (name: string): string => join(examples, `${name}.cfg`);
const NIC = 'system_u:object_r:nic_dev_t';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-devices-'));
  process.env['DEWAR_STATE_DIR'] = join(folder, 'state');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  delete process.env['DEWAR_STATE_DIR'];
});

/** Commands that have to end well; what the last one printed. */
async function all(...commands: readonly (readonly string[])[]): Promise<string> {
  let last = '';
  for (const words of commands) {
    const { code, out, err } = await dewar(...words);
    expect([code, err], words.join(' ')).toEqual([0, '']);
    last = out;
  }
  return last;
}

test('an HVM guest runs with its device model in dom0', async () => {
  const { code, out } = await dewar('create', example('hvm'));
  expect(code).toBe(0);
  expect(out).toMatch(/hvm \{ dm \} +dom0_t → domU_t +granted/);
  expect(out).toContain('done: hvm (domain 1, 256 MiB, 1 vCPU) is running under customer_1:vm_r:domU_t');
});

test('one of type nomigrate_t runs with its device model in a stub domain, and is destroyed with it', async () => {
  const list = await all(['create', '-q', example('stub')], ['list', '-Z']);
  expect(list).toContain('customer_1:vm_r:nomigrate_t\n');
  expect(list).toMatch(/stub-dm .* customer_1:vm_r:nomigrate_dm_t\n/);
  // XEN: of a stub domain libxl keeps no configuration, and says so.
  const long = await dewar('list', '-l');
  expect([long.code, long.err]).toEqual([
    0,
    expect.stringMatching(/Domain [0-9]+:Fail to get domain configuration\n$/),
  ]);
  const configurations: readonly { readonly config: { readonly c_info: { readonly name: string } } }[] = JSON.parse(
    long.out,
  );
  expect(configurations.map(({ config }) => config.c_info.name)).toEqual(['Domain-0', 'stub']);
  expect((await all(['destroy', 'stub'], ['list'])).split('\n')).toHaveLength(3);
});

test('a device is set aside, driven by a driver domain, and taken back', async () => {
  expect(
    await all(
      ['label-pci', '03:00.0', NIC],
      ['pci-assignable-add', '03:00.0', '-n', 'nic'],
      ['pci-assignable-list', '-n'],
    ),
  ).toBe('0000:03:00.0 nic\n');
  await all(['create', '-q', example('driver')], ['create', '-q', example('served')]);
  expect(await all(['pci-list', 'net'])).toBe('Vdev Device\n00.0 0000:03:00.0\n');
  await all(['destroy', 'served'], ['destroy', 'net'], ['pci-assignable-remove', 'nic']);
  expect(await all(['pci-assignable-list'])).toBe('');
});

test('labels of devices that another policy takes away are told', async () => {
  const example = fileURLToPath(new URL('../../../policies/example', import.meta.url));
  await all(['label-pci', '03:00.1', NIC], ['label-pci', '03:00.0', NIC]);
  const { code, out, err } = await dewar('loadpolicy', example);
  expect([code, out]).toEqual([0, 'Successfully loaded policy.\n']);
  expect(err).toBe(
    'warning: the label of 2 PCI devices went with the old policy; give it again:\n' +
      `  dewar label-pci 0000:03:00.0 ${NIC}\n  dewar label-pci 0000:03:00.1 ${NIC}\n`,
  );
  expect((await dewar('loadpolicy', example)).err).toBe('');
});

test('a guest is given a device while it runs', async () => {
  await all(['label-pci', '03:00.0', NIC], ['pci-assignable-add', '03:00.0'], ['create', '-q', example('pci')]);
  await all(['pci-detach', 'pci', '03:00.0']);
  expect(await all(['pci-list', 'pci'])).toBe('');
  await all(['pci-attach', 'pci', '03:00.0'], ['pci-detach', '-f', 'pci', '03:00.0']);
});

test('a disk and a card come and go while a guest runs, in the columns of xl', async () => {
  await all(
    ['label-pci', '03:00.0', NIC],
    ['pci-assignable-add', '03:00.0'],
    ['create', '-q', example('driver')],
    ['create', '-q', example('served')],
  );
  await all(
    ['block-attach', 'served', 'phy:/dev/vg/data,xvdb,w'],
    ['network-attach', 'served', 'mac=00:16:3e:00:00:12'],
  );
  expect((await all(['block-list', 'served'])).split('\n')).toEqual([
    'Vdev  BE  handle state evt-ch ring-ref BE-path                       ',
    '51728 0   2      4     5      522      /local/domain/0/backend/vbd/2/51728',
    '',
  ]);
  expect((await all(['network-list', 'served'])).split('\n')).toEqual([
    'Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       ',
    '0   1  00:16:3e:00:00:11     0     4     -1   520/521         /local/domain/1/backend/vif/2/0',
    '1   0  00:16:3e:00:00:12     1     4     -1  1036/1037        /local/domain/0/backend/vif/2/1',
    '',
  ]);
  await all(['network-detach', 'served', '00:16:3e:00:00:12'], ['network-detach', 'served', '0']);
  expect((await all(['network-list', 'served'])).split('\n')).toHaveLength(2);
  await all(['pause', 'served']);
  const kept = await dewar('block-detach', 'served', 'xvdb');
  expect([kept.code, kept.err]).toEqual([1, expect.stringContaining('libxl_device_disk_safe_remove failed.')]);
  await all(['block-detach', '-f', 'served', 'xvdb'], ['unpause', 'served']);
});

test('what xl does not take is refused in its words', async () => {
  await all(['create', '-q', example('hvm')]);
  const refusals: readonly (readonly [words: string, code: number, line: string])[] = [
    ['block-attach nobody phy:/dev/sdb,xvdb,w', 1, 'nobody is an invalid domain identifier\n'],
    ['block-attach hvm phy:/dev/sdb,nodisk,w', 1, 'Invalid or unsupported virtual disk identifier nodisk\n'],
    ['block-attach hvm phy:/dev/sdb,xvda,w', 1, 'device already exists in xenstore\n'],
    ['block-attach hvm vdev=xvdb', 1, "no target specified (and device not removable) in `vdev=xvdb'"],
    ['block-attach hvm backend=nobody,vdev=xvdb,target=/dev/sdb', 1, 'libxl_device_disk_add failed.\n'],
    ['block-detach hvm xvdz', 1, 'Error: Device xvdz not connected.\n'],
    ['block-detach hvm nodisk', 1, 'Error: Device nodisk not connected.\n'],
    ['network-attach hvm mac=zz', 1, "Invalid parameter `mac'.\n"],
    ['network-attach hvm colour=red', 1, "unrecognized argument `colour=red'"],
    ['network-attach 77', 1, 'libxl_device_nic_add failed.\n'],
    ['network-detach hvm 7', 1, 'Unknown device 7.\n'],
    ['network-detach hvm 00:16:3e:99:99:99', 1, 'Unknown device 00:16:3e:99:99:99.\n'],
    ['network-list nobody', 1, 'nobody is an invalid domain identifier (rc=-6)\n'],
  ];
  for (const [words, code, line] of refusals) {
    const found = await dewar(...words.split(' '));
    expect([words, found.code, found.err]).toEqual([words, code, expect.stringContaining(line)]);
  }
  const listed = await dewar('block-list', 'nobody', 'hvm');
  // xl is content, and so is what a script makes of it.
  expect([listed.code, listed.out.split('\n').length]).toEqual([0, 3]);
  expect(listed.err).toContain('nobody is an invalid domain identifier\n');
  expect((await all(['network-list', 'hvm'])).split('\n')).toHaveLength(3);
});

test('without an IOMMU no guest is created with a device, and the host of another needs its policy to be named', async () => {
  const { code, err } = await dewar('create', '-q', '--iommu', 'none', example('pci'));
  expect(code).toBe(6);
  expect(err).toContain('which has no IOMMU');
  const other = await dewar('pci-assignable-list', '--iommu', 'with-remapping');
  expect(other.code).toBe(2);
  expect(other.err).toContain('was booted with the IOMMU `none`');
});

test('xenstore moves to a domain of its own before any guest, and serves them', async () => {
  const told = await all(['init-xenstore-domain', '--flask', 'system_u:system_r:xenstore_t']);
  expect(told).toBe('xenstore is in domain 1 now\n');
  const { out } = await dewar('create', example('hvm'));
  expect(out).toMatch(/grant \{ map_read map_write \} +xenstore_t → domU_t +granted/);
  expect((await dewar('init-xenstore-domain')).err).toContain('domain 1 is one');
});

test('a xenstore domain may be let grow, and what says nothing of a size is refused', async () => {
  const words = ['init-xenstore-domain', '--flask', 'system_u:system_r:xenstore_t', '--maxmem'];
  const refused = await dewar(...words, '8:9');
  expect([refused.code, refused.err.includes('illegal value for maxmem: 8:9')]).toEqual([1, true]);
  await all([...words, '32']);
  const [{ config }] = JSON.parse(await all(['list', '-l', 'Xenstore']));
  expect(config.b_info.max_memkb).toBe(32768);
});

test('a guest is not relabelled while its device model has its memory mapped, if that is refused', async () => {
  const labels = [`init_seclabel='customer_1:vm_r:nomigrate_t_building'`, `seclabel='customer_1:vm_r:nomigrate_t'`];
  // The example policy lets no device model in dom0 reach such a guest: it takes a permissive Xen to come so far.
  const create = (how: string) =>
    dewar('create', '-q', '--flask', 'permissive', '--on-residual', how, example('hvm'), ...labels);
  const refused = await create('refuse');
  expect(refused.code).toBe(3);
  expect(refused.err).toMatch(/was not relabelled: others have \d+ of its pages mapped \[guest\/residual-mappings\]/);
  expect(refused.err).toMatch(/device model in domain 0 mapped it through a foreign mapping, writable/);
  expect((await all(['list'])).split('\n')).toHaveLength(3);
  const warned = await create('warn');
  expect(warned.code).toBe(0);
  expect(warned.out).toContain('is running under customer_1:vm_r:nomigrate_t');
});

test('the rings of console and xenstore alone are no reason to refuse', async () => {
  const guest = fileURLToPath(new URL('../../../examples/nomigrate/guest.cfg', import.meta.url));
  expect(await all(['create', '-q', '--on-residual', 'refuse', guest])).toContain('is running under');
});

test('the console of a simulated guest is printed, and so it is where a guest is created or restored with one', async () => {
  const guest = fileURLToPath(new URL('../../../examples/nomigrate/guest.cfg', import.meta.url));
  const created = await dewar('create', '-q', '-c', guest);
  expect([created.code, created.err]).toEqual([0, '']);
  expect(created.out).toMatch(/\n\[simulated\] nomigrate-guest \(PV, domain 1, .*\n(\[simulated\] .*\n)+$/);
  expect(await all(['console', 'nomigrate-guest'])).toBe(created.out.slice(created.out.indexOf('[simulated]')));
  expect(await all(['xl', 'console', 'nomigrate-guest'])).toMatch(/^\[simulated\] /);
  expect((await dewar('create', '--json', '-c', guest)).code).toBe(2);
  const plain = join(folder, 'plain.cfg');
  writeFileSync(
    plain,
    "name = 'plain'\ntype = 'pv'\nmemory = 64\nkernel = '/boot/k'\nseclabel = 'customer_1:vm_r:domU_t'\n",
  );
  const asXl = await dewar('xl', 'create', '-q', '-c', plain);
  expect([asXl.code, asXl.out.split('\n')[1]]).toEqual([0, '[simulated] kernel /boot/k']);
  const saved = join(folder, 'saved');
  await dewar('save', 'plain', saved);
  expect((await dewar('restore', '-c', saved)).out).toContain('[simulated] it goes on from where it was saved');
});

test('`xl -N` shows the device that libxl would get, and attaches nothing', async () => {
  await all(['create', '-q', fileURLToPath(new URL('../../../examples/nomigrate/guest.cfg', import.meta.url))]);
  const guest = 'nomigrate-guest';
  // As xl 4.17 printed them on real Xen.
  const disk =
    'disk: {\n    "pdev_path": "/run/disk.img",\n    "vdev": "xvda",\n    "format": "raw",\n    "readwrite": 1\n}\n\n';
  const spec = 'format=raw,vdev=xvda,target=/run/disk.img';
  expect(await dewar('xl', '-N', 'block-attach', guest, spec)).toEqual({ code: 0, out: disk, err: '' });
  const card = await dewar('xl', '-N', 'network-attach', guest, 'mac=00:16:3e:01:02:03');
  expect(card).toEqual({ code: 0, out: 'vif: {\n    "mac": "00:16:3e:01:02:03"\n}\n\n', err: '' });
  expect((await all(['block-list', guest])).split('\n')).toHaveLength(2);
  expect((await dewar('xl', '-N', 'block-attach', 'nobody', spec)).err).toBe(
    'nobody is an invalid domain identifier\n',
  );
  expect((await dewar('xl', '-N', 'block-attach', guest, 'foo=bar')).code).toBe(1);
});
