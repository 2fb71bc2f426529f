import { expect, test } from 'vitest';
import { Declarations } from './declarations.ts';

const TEXT = `sid xen
type a_t; type a_t_channel, some;
  type b.c-d_t alias e_t;
bool open false;
if (open) {type inner_t;}
devicetreecon "/soc@0/a:b" system_u:object_r:a_t
pirqcon 33 system_u:object_r:a_t
sid xen system_u:object_r:a_t`;

test.each([
  ['type', 'a_t', 'type a_t;'],
  ['type', 'a_t_channel', 'type a_t_channel,'],
  ['type', 'b.c-d_t', 'type b.c-d_t alias'],
  ['type', 'inner_t', 'type inner_t;}'],
  ['boolean', 'open', 'bool open false'],
  ['devicetreecon', '/soc@0/a:b', 'devicetreecon "/soc@0/a:b"'],
  ['pirqcon', '33', 'pirqcon 33 '],
  ['initial SID', 'xen', 'sid xen system_u'],
])('%s %s', (kind, name, statement) => {
  expect(TEXT.slice(new Declarations(TEXT).start(kind, name))).toMatch(
    new RegExp(`^${statement.replaceAll(/[^\w ]/g, '\\$&')}`),
  );
});

test.each([
  ['type', 'a'],
  ['type', 'e_t'],
  ['attribute', 'a_t'],
  ['iomemcon', '1'],
])('no %s %s', (kind, name) => {
  expect(new Declarations(TEXT).start(kind, name)).toBeUndefined();
});
