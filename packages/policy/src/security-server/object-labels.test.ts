import { beforeEach, describe, expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { xenRelease } from '../releases/index.ts';
import { SourceText } from '../text/index.ts';
import { policyText } from './fixtures/policy-text.ts';
import { SecurityServer, sidOf } from './index.ts';

const nic = 'system_u:object_r:nic_t';
const disk = 'system_u:object_r:disk_t';
const labels = `
  pirqcon 33 ${nic}
  ioportcon 0x2f8-0x2ff ${disk}
  ioportcon 0x3f8-0x3ff ${nic}
  iomemcon 0xfebe0-0xfebff ${nic}
  pcidevicecon 0x310 ${nic}
  devicetreecon "/soc/eth@10" ${nic}
`;

let server: SecurityServer;
let log: string[];

function load(): void {
  const { bytes } = compileText(new SourceText('test.conf', policyText({ labels })), { version: 30 });
  expect(server.loadPolicy(bytes ?? new Uint8Array())).toMatchObject({ kind: 'loaded' });
}

beforeEach(() => {
  log = [];
  server = new SecurityServer({ release: xenRelease('4.17'), log: (line) => log.push(line) });
  load();
});

const label = (sid: number): string => server.sidToContext(sid).split(':')[2] ?? '';

function ports(low: bigint, high: bigint): string[] {
  return [...server.rangeSids('ioport', low, high)].map(
    (one) => `${one.low.toString(16)}-${one.high.toString(16)} ${label(one.sid)}`,
  );
}

function newSid(context: string): number {
  const found = server.contextToSid(context);
  return found.kind === 'sid' ? found.sid : 0;
}

test('an interrupt, a device and a device tree node have the label of the policy, others that of their initial SID', () => {
  expect(label(server.numberSid('pirq', 33n))).toBe('nic_t');
  expect(label(server.numberSid('pirq', 34n))).toBe('irq_t');
  expect(label(server.numberSid('pcidevice', 0x310n))).toBe('nic_t');
  expect(label(server.numberSid('pcidevice', 0x311n))).toBe('device_t');
  expect(label(server.deviceTreeSid('/soc/eth@10'))).toBe('nic_t');
  expect(label(server.deviceTreeSid('/soc'))).toBe('device_t');
});

test('before a policy is loaded every resource has its initial SID', () => {
  const bare = new SecurityServer({ release: xenRelease('4.17') });
  expect(bare.numberSid('pirq', 33n)).toBe(bare.initialSid('irq'));
  expect([...bare.rangeSids('iomem', 0n, 9n)]).toEqual([{ low: 0n, high: 9n, sid: bare.initialSid('iomem') }]);
});

test('a range over several labels is asked about stretch by stretch, gaps included', () => {
  expect(ports(0x2f0n, 0x40fn)).toEqual([
    '2f0-2f7 ioport_t',
    '2f8-2ff disk_t',
    '300-3f7 ioport_t',
    '3f8-3ff nic_t',
    '400-40f ioport_t',
  ]);
  expect(ports(0x2fcn, 0x3f9n)).toEqual(['2fc-2ff disk_t', '300-3f7 ioport_t', '3f8-3f9 nic_t']);
  expect(ports(0x3f8n, 0x3f8n)).toEqual(['3f8-3f8 nic_t']);
  expect(ports(0x500n, 0x5ffn)).toEqual(['500-5ff ioport_t']);
});

test('frames beyond 32 bits have labels too', () => {
  const sid = sidOf(newSid(disk));
  expect(server.addObjectLabel('iomem', 0x1_0000_0000n, 0x1_0000_000fn, sid)).toBeUndefined();
  const found = [...server.rangeSids('iomem', 0xfebffn, 0x1_0000_0001n)].map((one) => label(one.sid));
  expect(found).toEqual(['nic_t', 'iomem_t', 'disk_t']);
});

test('a label gets its SID only when its stretch is come to', () => {
  const next = xenRelease('4.17').initialSids.length + 1;
  const stretches = server.rangeSids('ioport', 0x2f8n, 0x3ffn);
  expect(stretches.next().value).toEqual({ low: 0x2f8n, high: 0x2ffn, sid: next });
  expect(newSid('customer_1:vm_r:guest_t')).toBe(next + 1);
  stretches.next();
  expect(stretches.next().value).toEqual({ low: 0x3f8n, high: 0x3ffn, sid: next + 2 });
});

test('ranges of a policy are in order, however they were written', () => {
  const mixed = `ioportcon 0x30-0x3f ${nic}\nioportcon 0x10-0x1f ${disk}\nioportcon 0x20-0x2f ${nic}`;
  const { bytes } = compileText(new SourceText('test.conf', policyText({ labels: mixed })));
  expect(server.loadPolicy(bytes ?? new Uint8Array())).toMatchObject({ kind: 'loaded' });
  expect(ports(0n, 0x40n)).toEqual(['0-f ioport_t', '10-1f disk_t', '20-2f nic_t', '30-3f nic_t', '40-40 ioport_t']);
});

// XEN: `security_iterate_ioport_sids` at 4.8.0, followed by hand over the list as `policydb_read` leaves it.
test('before 4.12 they stay as they were written, and Xen loses its way among them', () => {
  const release = xenRelease('4.8');
  server = new SecurityServer({ release });
  const mixed = `ioportcon 0x30-0x3f ${nic}\nioportcon 0x10-0x1f ${disk}\nioportcon 0x20-0x2f ${nic}`;
  const { bytes } = compileText(new SourceText('test.conf', policyText({ release, labels: mixed })));
  expect(server.loadPolicy(bytes ?? new Uint8Array())).toMatchObject({ kind: 'loaded' });
  expect(ports(0n, 0x40n)).toEqual(['0-2f ioport_t', '30-3f nic_t', '40-1f disk_t', '20-2f nic_t', '30-40 ioport_t']);
  expect(ports(0x10n, 0x1fn)).toEqual(['10-1f ioport_t']);
});

describe('labels added at run time', () => {
  test('count until a policy is loaded', () => {
    const sid = sidOf(newSid(disk));
    expect(server.addObjectLabel('pirq', 40n, 40n, sid)).toBeUndefined();
    expect(server.addObjectLabel('pcidevice', 0x400n, 0x400n, sid)).toBeUndefined();
    expect(server.addObjectLabel('ioport', 0x300n, 0x30fn, sid)).toBeUndefined();
    expect(server.setDeviceTreeLabel('/soc/disk', sid)).toBeUndefined();
    const all = (): string[] => [
      label(server.numberSid('pirq', 40n)),
      label(server.numberSid('pcidevice', 0x400n)),
      ...ports(0x300n, 0x30fn),
      label(server.deviceTreeSid('/soc/disk')),
    ];
    expect(all()).toEqual(['disk_t', 'disk_t', '300-30f disk_t', 'disk_t']);
    load();
    expect(all()).toEqual(['irq_t', 'device_t', '300-30f ioport_t', 'device_t']);
  });

  test('may repeat a label that is there and in use, and nothing else', () => {
    const [nicSid, diskSid] = [sidOf(newSid(nic)), sidOf(newSid(disk))];
    // The policy's entry has no SID before it is used, so even its own label counts as another.
    expect(server.addObjectLabel('pirq', 33n, 33n, nicSid)).toBe('EEXIST');
    expect(server.addObjectLabel('ioport', 0x3f8n, 0x3ffn, nicSid)).toBe('EEXIST');
    server.numberSid('pirq', 33n);
    ports(0x3f8n, 0x3f8n);
    expect(server.addObjectLabel('pirq', 33n, 33n, nicSid)).toBeUndefined();
    expect(server.addObjectLabel('ioport', 0x3f8n, 0x3ffn, nicSid)).toBeUndefined();
    expect(server.addObjectLabel('pirq', 33n, 33n, diskSid)).toBe('EEXIST');
    expect(server.addObjectLabel('ioport', 0x3f8n, 0x3ffn, diskSid)).toBe('EEXIST');
    expect(server.addObjectLabel('ioport', 0x3ffn, 0x400n, nicSid)).toBe('EEXIST');
    expect(server.addObjectLabel('pcidevice', 0x310n, 0x310n, diskSid)).toBe('EEXIST');
    expect(server.addObjectLabel('iomem', 0n, 0xfffffn, diskSid)).toBe('EEXIST');
    expect(server.setDeviceTreeLabel('/soc/eth@10', nicSid)).toBe('EEXIST');
    expect(log).toEqual([
      'flask: Duplicate pirq 33',
      'flask: IO Port overlap with entry 0x3f8 - 0x3ff',
      'flask: Duplicate pirq 33',
      'flask: IO Port overlap with entry 0x3f8 - 0x3ff',
      'flask: IO Port overlap with entry 0x3f8 - 0x3ff',
      'flask: Duplicate PCI Device 0x310',
      'flask: IO Memory overlap with entry 0xfebe0 - 0xfebff',
    ]);
  });

  test('of one number may be there twice, and are taken away one by one', () => {
    const sid = sidOf(newSid(disk));
    server.addObjectLabel('pirq', 40n, 40n, sid);
    server.addObjectLabel('pirq', 40n, 40n, sid);
    expect(server.removeObjectLabel('pirq', 40n, 40n)).toBeUndefined();
    expect(label(server.numberSid('pirq', 40n))).toBe('disk_t');
    expect(server.removeObjectLabel('pirq', 40n, 40n)).toBeUndefined();
    expect(server.removeObjectLabel('pirq', 40n, 40n)).toBe('ENOENT');
    expect(log).toEqual(['flask: ocontext not found: pirq 40']);
  });

  test('and those of the policy are taken away by just their range', () => {
    expect(server.removeObjectLabel('ioport', 0x3f8n, 0x3fen)).toBe('ENOENT');
    expect(server.removeObjectLabel('ioport', 0x3f8n, 0x3ffn)).toBeUndefined();
    expect(ports(0x3f8n, 0x3ffn)).toEqual(['3f8-3ff ioport_t']);
    expect(server.setDeviceTreeLabel('/soc/eth@10', sidOf(0))).toBeUndefined();
    expect(server.setDeviceTreeLabel('/soc/eth@10', sidOf(0))).toBe('ENOENT');
    expect(label(server.deviceTreeSid('/soc/eth@10'))).toBe('device_t');
  });

  test('are refused where the range makes no sense', () => {
    const sid = sidOf(newSid(disk));
    expect(server.addObjectLabel('ioport', 2n, 1n, sid)).toBe('EINVAL');
    expect(server.addObjectLabel('pirq', 1n, 2n, sid)).toBe('EINVAL');
    expect(server.addObjectLabel('pcidevice', 1n, 2n, sid)).toBe('EINVAL');
    expect(server.removeObjectLabel('iomem', 2n, 1n)).toBe('EINVAL');
  });
});
