/** Files of devices: what they say, and what is said of those that are wrong. */
import { type Diagnostic, SourceText } from '@dewar/policy/text';
import { expect, test } from 'vitest';
import { DEVICE_LIMIT, readDeviceFile } from './device-file.ts';

function read(text: string): { readonly devices: unknown[]; readonly said: string[] } {
  const found: Diagnostic[] = [];
  const source = new SourceText('host.devices', text);
  const devices = readDeviceFile(source, (one) => found.push(one));
  const said = found.map(({ code, message, origin }) => {
    const at = origin === undefined ? undefined : source.positionAt(origin.span.start);
    return `${at?.line}:${at?.column} ${code} ${message}`;
  });
  return { devices, said };
}

test('each line is a device, with what belongs to it', () => {
  const text = `# a network card, and a disk controller on another segment
0000:03:00.0  ports=e000-e01f  memory=fb200000-fb2fffff,fb3f0080-fb3f10ff  irq=33   # eth0
03:00.1\tports=e020\tports=e040-e041
1:04:1f.7
\r
`;
  expect(read(text)).toEqual({
    devices: [
      {
        sbdf: 0x300,
        ports: [{ first: 0xe000, count: 32 }],
        // Whole pages, as libxl hands them out.
        frames: [
          { first: 0xfb200, count: 256 },
          { first: 0xfb3f0, count: 2 },
        ],
        irq: 33,
      },
      {
        sbdf: 0x301,
        ports: [
          { first: 0xe020, count: 1 },
          { first: 0xe040, count: 2 },
        ],
        frames: [],
        irq: undefined,
      },
      { sbdf: 0x104ff, ports: [], frames: [], irq: undefined },
    ],
    said: [],
  });
});

test('what is wrong is said at its place, line by line', () => {
  const text = `nic ports=1
03:00.0 ports=e01f-e000 irq=1024
03:00.0
03:20.0
03:00.2 memory=0-10000000000000 colour=red ports= irq=-1
`;
  expect(read(text).said).toEqual([
    '1:1 devices/bad-device `nic` is no address of a device: `0000:03:00.0`',
    '2:9 devices/bad-device `ports=e01f-e000` is no range of I/O ports: one is written as `ports=e000-e01f`',
    '2:25 devices/bad-device `irq=1024` is no interrupt line: one is written as `irq=33`, and is below 1024',
    '3:1 devices/repeated-device device `03:00.0` is in the file already',
    '4:1 devices/bad-device `03:20.0` is no address of a device: `0000:03:00.0`',
    '5:9 devices/bad-device `memory=0-10000000000000` is no range of memory: one is written as `memory=fb200000-fb2fffff`',
    '5:33 devices/bad-device `colour=red` is no part of a device: those are `ports=`, `memory=` and `irq=`',
    '5:44 devices/bad-device `ports=` is no range of I/O ports: one is written as `ports=e000-e01f`',
    '5:51 devices/bad-device `irq=-1` is no interrupt line: one is written as `irq=33`, and is below 1024',
  ]);
});

test('a file without end is read only so far', () => {
  const lines = Array.from({ length: DEVICE_LIMIT + 10 }, (_, index) => {
    const hex = (value: number): string => value.toString(16);
    return `${hex(index >> 16)}:${hex((index >> 8) & 0xff)}:${hex((index >> 3) & 0x1f)}.${index & 7}`;
  });
  const { devices, said } = read(lines.join('\n'));
  expect([devices.length, said]).toEqual([
    DEVICE_LIMIT,
    [`${DEVICE_LIMIT + 1}:1 devices/too-many-devices there are more than ${DEVICE_LIMIT} devices`],
  ]);
  const many = `03:00.0 ports=${Array(40).fill('1').join(',')}`;
  expect(read(many).said).toEqual([expect.stringContaining('devices/bad-device')]);
});
