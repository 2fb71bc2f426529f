import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { xenRelease } from '../releases/index.ts';
import { type AuditData, type AvcRecord, formatAvcLine } from './index.ts';

const { classes } = xenRelease('4.17');

function permissionsOf(tclass: string): readonly string[] {
  return classes.find(({ name }) => name === tclass)?.permissions ?? [];
}

/** Takes a line of a real Xen apart. */
function parse(line: string): AvcRecord {
  const form =
    /^avc: {2}(granted|denied) {2}\{ (.*) \} for (?:source=d(\d+) )?(?:target=d(\d+) )?(?:current=d(\d+) )?scontext=(\S+) tcontext=(\S+) tclass=(\w+)$/;
  const [, outcome, names = '', source, target, current, scontext = '', tcontext = '', tclass = ''] =
    form.exec(line) ?? [];
  const permissionNames = permissionsOf(tclass);
  let permissions = 0;
  for (const name of names.split(' ')) permissions |= 1 << permissionNames.indexOf(name);
  const data: AuditData = {
    ...(source === undefined ? {} : { source: Number(source) }),
    ...(target === undefined ? {} : { target: Number(target) }),
    current: Number(current ?? 0),
  };
  return {
    outcome: outcome === 'granted' ? 'granted' : 'denied',
    permissions,
    permissionNames,
    scontext,
    tcontext,
    tclass,
    data,
    hasOldNames: false,
  };
}

const recorded = readFileSync(new URL('fixtures/real-xen-4.17.avc', import.meta.url), 'latin1')
  .trim()
  .split('\n');

test.each(recorded)('what real Xen printed is printed: %s', (line) => {
  expect(formatAvcLine(parse(line))).toBe(line);
});

const [guest, dom0, dm] = ['user_1:vm_r:guest_t', 'system_u:system_r:dom0_t', 'user_1:vm_r:dm_t'];

function line(tclass: string, permissions: number, data: AuditData, more: Partial<AvcRecord> = {}): string {
  return formatAvcLine({
    outcome: 'denied',
    permissions,
    permissionNames: permissionsOf(tclass),
    scontext: dom0,
    tcontext: guest,
    tclass,
    data,
    hasOldNames: false,
    ...more,
  });
}

const bit = (tclass: string, name: string): number => (1 << permissionsOf(tclass).indexOf(name)) >>> 0;
const contexts = `scontext=${dom0} tcontext=${guest}`;

describe('who asked', () => {
  const use = bit('resource', 'use_iommu');
  const cases: [string, AuditData, string, string][] = [
    ['two domains', { source: 3, target: 4, current: 3 }, 'source=d3 target=d4', 'domid=3 target=4'],
    ['a domain and itself', { source: 3, target: 3, current: 3 }, 'source=d3', 'domid=3'],
    ['a source only', { source: 3, current: 0 }, 'source=d3', 'domid=3'],
    ['a target only', { target: 5, current: 0 }, 'target=d5', 'target=5'],
    ['none', { current: 7 }, 'current=d7', 'domid=7'],
    ['the frames of Xen', { source: 0, target: 0x7ff2, current: 0 }, 'source=d0 target=d[XEN]', 'domid=0 target=32754'],
    ['the I/O domain', { source: 0, target: 0x7ff1, current: 0 }, 'source=d0 target=d[IO]', 'domid=0 target=32753'],
    ['copy on write', { source: 0, target: 0x7ff3, current: 0 }, 'source=d0 target=d[COW]', 'domid=0 target=32755'],
    ['the idle domain', { current: 0x7fff }, 'current=d[IDLE]', 'domid=32767'],
  ];
  test.each(cases)('%s', (_, data, now, before) => {
    expect(line('resource', use, data)).toBe(`avc:  denied  { use_iommu } for ${now} ${contexts} tclass=resource`);
    expect(line('resource', use, data, { hasOldNames: true })).toBe(
      `avc:  denied  { use_iommu } for ${before} ${contexts} tclass=resource`,
    );
  });
});

test('a device, an interrupt, a range and a device tree node are named', () => {
  const named = (data: Partial<AuditData>): string => line('resource', 1, { current: 0, ...data });
  const rest = `${contexts} tclass=resource`;
  expect(named({ device: 0x310 })).toBe(`avc:  denied  { add } for current=d0 device=0x310 ${rest}`);
  expect(named({ device: 0x1000000 })).toBe(`avc:  denied  { add } for current=d0 device=0x1000000 ${rest}`);
  expect(named({ device: 0 })).toBe(`avc:  denied  { add } for current=d0 device=0 ${rest}`);
  expect(named({ irq: 33 })).toBe(`avc:  denied  { add } for current=d0 irq=33 ${rest}`);
  expect(named({ range: { low: 0xfebe0n, high: 0xfebffn } })).toContain(' range=0xfebe0-0xfebff scontext=');
  expect(named({ range: { low: 0n, high: 0xffff_ffff_ffffn } })).toContain(' range=0-0xffffffffffff scontext=');
  expect(named({ dtdevice: '/soc/eth@10' })).toContain(' for current=d0 dtdevice=/soc/eth@10 scontext=');
});

test('4.3 writes a zero as `0x0`, and later releases as `0`', () => {
  const old = (data: Partial<AuditData>): string =>
    line('resource', 1, { current: 0, ...data }, { hasOldNames: true, hasPrefixedZero: true });
  expect(old({ range: { low: 0n, high: 0xfn } })).toContain(' for domid=0 range=0x0-0xf scontext=');
  expect(old({ device: 0 })).toContain(' for domid=0 device=0x0 scontext=');
});

test('permissions are in the order of their bits, and bits that the release does not know are a number', () => {
  const both = bit('grant', 'map_read') | bit('grant', 'map_write');
  const head = 'avc:  denied ';
  const data = { source: 3, target: 4, current: 3 };
  expect(line('grant', both, data, { tcontext: dm })).toBe(
    `${head} { map_read map_write } for source=d3 target=d4 scontext=${dom0} tcontext=${dm} tclass=grant`,
  );
  expect(line('version', 0x8000_0001, data)).toContain(`${head} { xen_extraversion 0x80000000 } for `);
  expect(line('version', 0x8000_0000, data)).toContain(`${head} { 0x80000000 } for `);
  expect(line('version', 0, data)).toContain(`${head} null for `);
  expect(line('xen', 0x8000_0000, data)).toContain(`${head} { ${permissionsOf('xen')[31] ?? '0x80000000'} } for `);
});

test('a SID without a context is printed as a number', () => {
  expect(line('event', 2, { current: 0 }, { scontext: 77, tcontext: 78 })).toBe(
    'avc:  denied  { send } for current=d0 ssid=77 tsid=78 tclass=event',
  );
});
