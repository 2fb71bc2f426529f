/** What libxl keeps of a guest's configuration, and what it makes of it later: what no recording of real Xen shows. */
import { SourceText } from '@dewar/policy/text';
import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { configToCreate, parseXlCfg, readDomainConfig } from '../xl-cfg/index.ts';
import { compactJson, type JsonValue, parseJson, plainJson } from '../xl-cfg/json.ts';
import {
  growingKibOf,
  type LiveState,
  liveConfiguration,
  placementOf,
  readStoredJson,
  savedLength,
  storedAtBuild,
  storedWithDevice,
} from './stored-json.ts';

const HVM = `
name = 'windows'
type = 'hvm'
memory = 512
maxmem = 1024
vcpus = 2
maxvcpus = 4
videoram = 16
msr_relaxed = 1
disk = ['/dev/vg/a,raw,xvda,rw', 'format=raw,vdev=xvdb,target=/dev/vg/b']
vif = ['mac=00:16:3e:00:00:01', 'type=vif']
pci = ['03:00.0']
`;

function stored(): string {
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', HVM)));
  if (config === undefined) throw new Error('the configuration is not valid');
  const cards = [
    { devid: 0, mac: '00:16:3e:00:00:01' },
    { devid: 1, mac: '00:16:3e:01:02:03' },
  ];
  return storedAtBuild(compactJson(configToCreate(config)), {
    uuid: 'u',
    videoKib: 16 * 1024,
    cards,
    isRestored: false,
  });
}

const live: LiveState = {
  name: 'linux',
  uuid: '11111111-2222-3333-4444-555555555555',
  onlineVcpus: 3,
  // XEN: libxl__get_targetmem_fudge(): of a guest that may grow, 1024 KiB less than was asked for.
  targetKib: 511 * 1024,
  maxKib: 1024 * 1024,
  scheduler: { weight: 100, cap: 0 },
  hasDevice: () => true,
};

const plain = (text: string): Record<string, unknown> => Object(plainJson(parseJson(text) ?? null));

test('a card of an HVM guest is emulated unless the configuration says otherwise; one that comes later is not', () => {
  const late = storedWithDevice(stored(), 'nics', { members: [] }, { devid: 2, mac: '00:16:3e:00:00:09' });
  expect(plain(late)['nics']).toEqual([
    { devid: 0, mac: '00:16:3e:00:00:01', nictype: 'vif_ioemu' },
    { devid: 1, mac: '00:16:3e:01:02:03', nictype: 'vif' },
    { devid: 2, mac: '00:16:3e:00:00:09', nictype: 'vif' },
  ]);
});

test('what the configuration says itself stays as it says', () => {
  const build = Object(plain(stored())['b_info']);
  expect([build.video_memkb, build.arch_x86]).toEqual([16 * 1024, { msr_relaxed: 'True' }]);
});

test('a guest that comes from elsewhere may see what it may have seen there, unless it says so', () => {
  const relaxed = (json: string): unknown => Object(plain(json)['b_info']).arch_x86;
  const decided = { uuid: 'u', videoKib: undefined, cards: [] };
  const silent = '{"b_info":{"arch_x86":{}}}';
  expect(relaxed(storedAtBuild(silent, { ...decided, isRestored: true }))).toEqual({ msr_relaxed: 'True' });
  const said = storedAtBuild(silent, { ...decided, isRestored: false });
  expect(relaxed(storedAtBuild(said, { ...decided, isRestored: true }))).toEqual({ msr_relaxed: 'False' });
});

test('the memory of a guest that may grow is shown as it was asked for', () => {
  const { config, gone } = liveConfiguration(readStoredJson(stored()) ?? { members: [] }, live);
  const shown = plain(compactJson(config));
  expect(shown['b_info']).toMatchObject({
    avail_vcpus: [0, 1, 2],
    max_memkb: 1024 * 1024,
    target_memkb: 512 * 1024,
    sched_params: { sched: 'credit2', weight: 100, cap: 0 },
  });
  expect([shown['c_info'], gone]).toMatchObject([{ name: 'linux', uuid: live.uuid }, 0]);
});

test('a device that xenstore has no more is left out; one that takes its name takes its place', () => {
  const hasDevice: LiveState['hasDevice'] = (list, key) => list === 'disks' && key !== 'xvda';
  const left = liveConfiguration(readStoredJson(stored()) ?? { members: [] }, { ...live, hasDevice });
  expect([Object.keys(plain(compactJson(left.config))).slice(2, 4), left.gone]).toEqual([['disks', 'on_reboot'], 4]);
  const again = storedWithDevice(stored(), 'disks', { members: [['vdev', 'xvda']] }, undefined);
  expect(Object(plain(again)['disks'])[0]).toEqual({ vdev: 'xvda' });
  expect(Object(plain(again)['disks'])).toHaveLength(2);
});

test('a text that is no configuration stays as it is', () => {
  const decided = { uuid: 'u', videoKib: undefined, cards: [], isRestored: false };
  expect([storedAtBuild('[', decided), storedWithDevice('[', 'disks', { members: [] }, undefined)]).toEqual(['[', '[']);
});

/** Any value in the places that are looked at: a host's file may hold anything. */
const anything: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue>(null, true, -1, 1.5, 2 ** 52, 2n ** 70n, '', 'hvm', [], [[0]], [null], { members: [] }),
  fc.constantFrom('c_info', 'vdev', 'devid').map((name): JsonValue => ({ members: [[name, [1.5]]] })),
);
const NAMES = [
  'c_info',
  'b_info',
  'type',
  'name',
  'max_vcpus',
  'max_memkb',
  'target_memkb',
  'arch_x86',
  'numa_placement',
];
const LISTS = ['disks', 'nics', 'pcidevs', 'vcpu_hard_affinity', 'vdev', 'devid', 'domain', 'bus'];
const object = (depth: number): fc.Arbitrary<JsonValue> => {
  const value =
    depth === 0 ? anything : fc.oneof(anything, object(depth - 1), fc.array(object(depth - 1), { maxLength: 2 }));
  return fc
    .array(fc.tuple(fc.constantFrom(...NAMES, ...LISTS), value), { maxLength: 8 })
    .map((members) => ({ members }));
};

property.prop([object(2)])('whatever was stored is taken without an end to it', (value) => {
  const text = compactJson(value);
  const made = { devid: 0, mac: '' };
  const built = storedAtBuild(text, { uuid: '', videoKib: undefined, cards: [made], isRestored: true });
  const stored = readStoredJson(storedWithDevice(built, 'nics', { members: [] }, made)) ?? { members: [] };
  const { config } = liveConfiguration(stored, { ...live, onlineVcpus: 2 ** 52 });
  expect([growingKibOf(text), savedLength(text)].every(Number.isSafeInteger)).toBe(true);
  expect(placementOf(text).hard.length).toBeLessThan(9);
  expect(parseJson(compactJson(config))).toEqual(config);
});
