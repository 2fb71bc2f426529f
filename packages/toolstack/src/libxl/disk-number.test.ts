/** Numbers of virtual disks, as `xl block-detach` of Xen 4.17.5 and the header of Linux give them. */
import { expect, test } from 'vitest';
import { diskNumber } from './disk-number.ts';

test.each([
  ['xvda', 51712],
  ['xvda1', 51713],
  ['xvdp15', 51967],
  ['xvdq', 268439552],
  // As xl named it: "disk /libxl/3/device/vbd/268441856 does not exist".
  ['xvdz', 268441856],
  ['xvda16', 268435472],
  ['d0p1', 51713],
  ['hda', 768],
  ['hdb3', 835],
  ['hdc', 5632],
  ['sda', 2048],
  ['sdp15', 2303],
  ['51712', 51712],
  ['0xca00', 51712],
])('%s is disk %i', (name, number) => {
  expect(diskNumber(name)).toBe(number);
});

test.each([
  '',
  'bogus',
  'xvd',
  'xvda01',
  'xvda256',
  'hde',
  'hda64',
  'sdq',
  'sda16',
  '-1',
  '2147483648',
  'XVDA',
  'd0',
  'xvdaaaaaa',
])('`%s` is no disk', (name) => {
  expect(diskNumber(name)).toBeUndefined();
});
