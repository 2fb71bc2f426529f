/** What belongs to a PCI device, out of the files of Linux. */
import { expect, test } from 'vitest';
import { readResources } from './label-pci.ts';

/** A device with some files. */
const device = (files: Readonly<Record<string, string>>) =>
  readResources((name) => {
    const text = files[name];
    if (text === undefined) throw new Error('ENOENT');
    return text;
  });

/** An rtl8139 of QEMU in dom0 of Xen 4.17, as Linux 6.1 tells of it. */
const RTL8139 = `0x000000000000c000 0x000000000000c0ff 0x0000000000040101
0x00000000febd1000 0x00000000febd10ff 0x0000000000040200
0x0000000000000000 0x0000000000000000 0x0000000000000000
0x00000000feb80000 0x00000000febbffff 0x0000000000046200
`;

test('ports are told as they are, memory by frames, and empty places not at all', () => {
  expect(device({ resource: RTL8139, irq: '10\n' })).toEqual({
    ports: [{ first: 0xc000, count: 0x100 }],
    frames: [
      { first: 0xfebd1, count: 1 },
      { first: 0xfeb80, count: 0x40 },
    ],
    irq: 10,
  });
});

test('memory above 4 GiB keeps all bits of its frame number', () => {
  const resource = '0x000000fffffff000 0x000000ffffffffff 0x0000000000140204\n';
  expect(device({ resource }).frames).toEqual([{ first: 0xfffffff, count: 1 }]);
});

test('a device without an interrupt line has none to label', () => {
  expect(device({ resource: '', irq: '0\n' }).irq).toBeUndefined();
  expect(device({ resource: '' })).toEqual({ ports: [], frames: [], irq: undefined });
});

test('reading ends where a line is no resource, as with fscanf', () => {
  expect(device({ resource: `nonsense\n${RTL8139}` }).ports).toEqual([]);
});
