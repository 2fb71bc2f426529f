/** Devices, consoles and debug keys on a real as far as they are Dewar's. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceKind } from '@dewar/toolstack';
import { describe, expect, test } from 'vitest';
import { examplePath, faults, guestCfg, host, root, scratch, tell, xen } from './stand-in-host.ts';

describe('devices', () => {
  const plainCfg = (): string => {
    const path = join(scratch, 'plain-devices.cfg');
    const lines = [
      "name = 'plain'",
      "type = 'pv'",
      "kernel = '/boot/k'",
      'memory = 64',
      "seclabel = 'customer_1:vm_r:domU_t'",
    ];
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  };
  const DISK = 'format=raw,vdev=xvdb,access=rw,target=/dev/vg/b';

  test('a disk is given, listed, and taken back, and the journal has both', async () => {
    await xen('create', '-q', guestCfg);
    expect(await xen('block-attach', 'nomigrate-guest', DISK)).toMatchObject({ code: 0, err: '' });
    const list = await xen('block-list', 'nomigrate-guest');
    expect([list.code, list.err]).toEqual([0, '']);
    expect(list.out).toMatch(
      /^Vdev {2}BE {2}handle .*\n51728 0 {3}1 .*\/local\/domain\/0\/backend\/vbd\/1\/51728 *\n$/,
    );
    expect((await xen('block-attach', '1', DISK)).err).toContain('libxl_device_disk_add failed.');
    expect(await xen('block-detach', 'nomigrate-guest', 'xvdb')).toMatchObject({ code: 0, err: '' });
    expect((await xen('block-list', '1')).out.split('\n')).toHaveLength(2);
    const { out } = await xen('log');
    expect(out).toMatch(/block-attach +done .*vdev=xvdb/);
    expect(out).toMatch(/block-detach +done .*disk=xvdb/);
  });

  test('a network card is given, listed, and taken back by its address', async () => {
    await xen('create', '-q', guestCfg);
    const mac = '00:16:3e:12:34:56';
    expect(await xen('network-attach', 'nomigrate-guest', `mac=${mac}`)).toMatchObject({ code: 0, err: '' });
    const { value } = JSON.parse((await xen('network-list', '--json', 'nomigrate-guest')).out) as Record<
      string,
      unknown
    >;
    expect(value).toEqual([expect.objectContaining({ domid: 1, devid: 0, backend: 0, mac })]);
    expect((await xen('network-list', '1')).out).toMatch(/^Idx BE .*\n0 {3}0 {2}00:16:3e:12:34:56 {5}0 /);
    expect(await xen('network-detach', '1', mac)).toMatchObject({ code: 0, err: '' });
    expect((await xen('network-list', '1')).out.split('\n')).toHaveLength(2);
  });

  test('what is not there, and what is no device, is said as xl says it', async () => {
    await xen('create', '-q', guestCfg);
    const none = await xen('block-detach', 'nomigrate-guest', 'xvdz');
    expect([none.code, none.err.includes('Error: Device xvdz not connected.')]).toEqual([1, true]);
    const card = await xen('network-detach', '1', '7');
    expect([card.code, card.err.includes('Unknown device 7.')]).toEqual([1, true]);
    const wrong = await xen('block-attach', '1', 'nonsense=1');
    expect([wrong.code, wrong.err.includes('attaches nothing')]).toEqual([1, true]);
    // xl's own words: with the number of the fault, and without.
    const lists = await Promise.all([xen('block-list', 'nobody'), xen('network-list', 'nobody')]);
    expect(lists.map(({ code }) => code)).toEqual([0, 1]);
    expect(lists.map(({ err }) => err.split('\n')[0])).toEqual([
      'nobody is an invalid domain identifier',
      'nobody is an invalid domain identifier (rc=-6)',
    ]);
    expect((await xen('block-attach', 'nobody', DISK)).code).toBe(1);
  });

  test('a disk that the guest does not let go of stays, and that is said', async () => {
    await xen('create', '-q', guestCfg);
    await xen('block-attach', '1', DISK);
    const failure = { kind: 'libxl', call: 'libxl_device_disk_safe_remove', rc: -9 } as const;
    faults({ call: 'disk.detach', how: { kind: 'fails', failure } });
    const { code, err } = await xen('block-detach', '1', 'xvdb');
    expect([code, err.includes('libxl_device_disk_safe_remove failed.')]).toEqual([1, true]);
  });

  test('a PCI device is set aside, given, listed, and goes all the way back', async () => {
    // What `flask-label-pci` does on such a host.
    await tell((own) => own.labelPci('03:00.0', 'system_u:object_r:nic_dev_t'));
    await xen('create', '-q', plainCfg(), "seclabel='system_u:system_r:driver_t'", "passthrough='enabled'");
    expect(await xen('pci-assignable-add', '-n', 'nic', '03:00.0')).toEqual({ code: 0, out: '', err: '' });
    expect((await xen('pci-assignable-list', '-n')).out).toBe('0000:03:00.0 nic\n');
    expect(await xen('pci-attach', 'plain', '03:00.0')).toMatchObject({ code: 0, err: '' });
    expect((await xen('pci-list', 'plain')).out).toBe('Vdev Device\n00.0 0000:03:00.0\n');
    expect(await xen('pci-detach', 'plain', '03:00.0')).toMatchObject({ code: 0, err: '' });
    expect((await xen('pci-list', '1')).out).toBe('');
    expect((await xen('pci-assignable-remove', 'nic')).code).toBe(0);
    expect((await xen('pci-assignable-list')).out).toBe('');
    const { out } = await xen('log');
    expect(out.match(/^.* pci-(?:attach|detach|assignable-add|assignable-remove) +done /gm)).toHaveLength(4);
  });

  test('what is no PCI device is refused as xl refuses it, and what libxl refuses is told', async () => {
    await xen('create', '-q', plainCfg());
    for (const [words, said] of [
      [['pci-attach', 'plain', 'nonsense'], 'pci-attach: malformed PCI_SPEC_STRING "nonsense"'],
      [['pci-detach', 'plain', '03:00'], 'pci-detach: malformed PCI_SPEC_STRING "03:00"'],
      [['pci-assignable-add', 'x'], 'pci-assignable-add: malformed BDF "x"'],
      [['pci-assignable-remove', 'nobody'], 'pci-assignable-remove: malformed BDF "nobody"'],
    ] as const) {
      const { code, err } = await xen(...words);
      expect([code, err.split('\n')[0]]).toEqual([2, said]);
    }
    const refused = await xen('pci-attach', 'plain', '7f:1f.7');
    expect([refused.code, refused.err.includes('`libxl_device_pci_add` gave -3')]).toEqual([1, true]);
  });

  const NIC = 'system_u:object_r:nic_dev_t';
  const linuxTells = (address: string, files: Readonly<Record<string, string>>): void => {
    const folder = join(root, 'sys/bus/pci/devices', address);
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  };
  /** The resource of a device, as Linux tells of it. */
  const line = (start: number, end: number, flags: number): string =>
    `${[start, end, flags].map((value) => `0x${value.toString(16).padStart(16, '0')}`).join(' ')}\n`;
  /** What Xen answers when a resource is to get another label. */
  const labelOf = (kind: ResourceKind, low: number, high: number): string => {
    const [own, dom0] = [host(), { domid: 0 as never, process: 'xl' } as const];
    const sid = own.call(dom0, 'xsm_op.context_to_sid', { context: 'system_u:object_r:ioport_t' });
    if (sid.kind === 'error') throw new Error(sid.errno);
    const range = { kind, low: BigInt(low), high: BigInt(high), sid: sid.value.sid };
    const answer = own.call(dom0, 'xsm_op.add_ocontext', range);
    return answer.kind === 'ok' ? 'ok' : answer.errno;
  };

  test('a PCI device is labelled with all that Linux tells of it, once, and the journal has it', async () => {
    linuxTells('0000:03:00.0', {
      resource: line(0xc000, 0xc0ff, 0x40101) + line(0xfebd1000, 0xfebd10ff, 0x40200) + line(0, 0, 0),
      irq: '21\n',
    });
    expect(await xen('label-pci', '03:00.0', NIC)).toEqual({ code: 0, out: '', err: '' });
    // As often as one likes, with the same label.
    expect((await xen('label-pci', '0000:03:00.0', NIC)).code).toBe(0);
    for (const [kind, low, high] of [
      ['pcidevice', 0x300, 0x300],
      ['ioport', 0xc000, 0xc0ff],
      ['iomem', 0xfebd1, 0xfebd1],
      ['pirq', 21, 21],
    ] as const)
      expect(labelOf(kind, low, high), kind).toBe('EEXIST');
    expect(labelOf('pirq', 20, 20)).toBe('ok');
    const other = await xen('label-pci', '03:00.0', 'system_u:object_r:iomem_t');
    expect(other.code).toBe(2);
    expect(other.err).toContain(
      'xc_flask_add_device: Unable to set context of PCI device 03:00.0 (0x300) to system_u:object_r:iomem_t: -1',
    );
    expect(other.err).toContain('Xen has another label for it');
    expect((await xen('log')).out).toMatch(
      /label-pci +done device=03:00.0 label=system_u:object_r:nic_dev_t\n.*\n.*label-pci +failed .*iomem_t/,
    );
  });

  test('that a load takes labels from devices is said before it, also where a trace loads', async () => {
    linuxTells('0000:03:00.0', { resource: line(0xc000, 0xc0ff, 0x101), irq: '21' });
    const words = `0000:03:00.0 (${NIC})`;
    const load = (): ReturnType<typeof xen> => xen('loadpolicy', '--yes', examplePath);
    expect((await load()).err).not.toContain('taken from devices');
    await xen('label-pci', '0000:03:00.0', NIC);
    expect((await xen('trace', '--', 'true')).err).toContain(`the command does not find them: ${words}`);
    expect((await load()).err).not.toContain('taken from devices');
    await xen('label-pci', '0000:03:00.0', NIC);
    expect((await load()).err).toContain(`taken from devices, until \`dewar label-pci\` gives it again: ${words}`);
    expect((await load()).err).not.toContain('taken from devices');
  });

  test('an interrupt line that devices share gets a label of its own, and what Xen refuses of a device is told', async () => {
    linuxTells('0000:04:00.0', { resource: line(0xd000, 0xd01f, 0x101), irq: '9' });
    expect((await xen('label-pci', '04:00.0', NIC, 'system_u:object_r:irq_t')).code).toBe(0);
    linuxTells('0000:04:00.1', { resource: line(0xd010, 0xd02f, 0x101), irq: '9' });
    const { code, err } = await xen('label-pci', '04:00.1', NIC);
    expect([code, err.split('\n').slice(0, 2)]).toEqual([
      2,
      ['xc_flask_add_ioport d010-d02f failed: -1', 'xc_flask_add_pirq 9 failed: -1'],
    ]);
  });

  test('a device that there is not, and a label that Xen does not know, are said as flask-label-pci says them', async () => {
    const none = await xen('label-pci', '0000:7f:00.0', NIC);
    expect(none.code).toBe(1);
    expect(none.err).toContain('Unable to find device 0000:7f:00.0: No such file or directory');
    linuxTells('0000:05:00.0', { resource: '' });
    const unknown = await xen('label-pci', '05:00.0', 'system_u:object_r:nobody_t');
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain('PCI device 05:00.0 (0x500) to system_u:object_r:nobody_t: -1');
    expect(unknown.err).toContain('Xen does not know the label');
  });

  test('Xen answers debug keys in its console ring', async () => {
    expect(await xen('debug-keys', 'h')).toEqual({ code: 0, out: '', err: '' });
    expect((await xen('dmesg')).out).toContain("'h' pressed -> showing installed handlers");
  });

  test('the terminal goes to the console that is asked for, and its exit status comes back', async () => {
    await xen('create', '-q', guestCfg);
    const shown = (): string => readFileSync(`${process.env['STAND_IN_HOST']}.console`, 'utf8');
    expect(await xen('console', 'nomigrate-guest')).toEqual({ code: 7, out: '', err: '' });
    expect(shown()).toBe('4.17 1');
    expect((await xen('console', '-t', 'serial', '-n', '2', '1')).code).toBe(7);
    expect(shown()).toBe('4.17 1 serial 2');
    expect(await xen('console', 'nobody')).toMatchObject({ code: 1 });
    expect((await xen('console', '--json', '1')).code).toBe(2);
  });
});
