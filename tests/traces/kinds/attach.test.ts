/** Holds disks and network cards that guests are given while they exist against what real Xen 4.17.5 was seen to check. */
import { DOM0, type OpenMapping } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import { bootKinds, checksOf, golden, kindsPolicy, recordedGuest } from './kinds-policy.ts';

const uuid = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';
const other = '25818b54-c2d4-49e7-bab3-d3966a3d81ee';
const MAC = 'mac=00:16:3e:00:00:02';

test('a disk and a network card of dom0 come and go with the checks of real Xen', async () => {
  const { host } = bootKinds();
  await host.create(recordedGuest('none'), { uuid });
  expect(checksOf(await host.blockAttach('none', ['phy:/dev/loop0,xvda,w']))).toEqual(golden('block-attach'));
  const disks = await host.blockList(['none']);
  expect(checksOf(disks)).toEqual(golden('block-list'));
  // As xl printed it there, but for the port, whose number depends on what else the kernel has.
  const backendPath = '/local/domain/0/backend/vbd/1/51712';
  expect(disks.value).toMatchObject([{ domid: 1, devid: 51712, backend: 0, state: 4, ringRef: 8, backendPath }]);
  expect(checksOf(await host.networkAttach('none', [MAC]))).toEqual(golden('network-attach'));
  const cards = await host.networkList(['none']);
  expect(checksOf(cards)).toEqual(golden('network-list'));
  expect(cards.value).toEqual([
    {
      ...{ domid: 1, devid: 0, backend: 0, mac: '00:16:3e:00:00:02', state: 4, eventChannel: -1 },
      ...{ txRingRef: 522, rxRingRef: 523, backendPath: '/local/domain/0/backend/vif/1/0' },
    },
  ]);
  expect(checksOf(await host.networkDetach('none', '0'))).toEqual(golden('network-detach'));
  expect(checksOf(await host.blockDetach('none', 'xvda'))).toEqual(golden('block-detach'));
  expect((await host.blockList(['none'])).value).toEqual([]);
});

test('those of a driver domain come and go with the checks of real Xen', async () => {
  const { host, hypervisor } = bootKinds();
  await host.create(recordedGuest('none'), { uuid });
  // The guest's grant table has grown before: another card was there.
  await host.networkAttach('none', [MAC]);
  await host.networkDetach('none', '0');
  await host.create(recordedGuest('driver'), { uuid: other });
  const spec = 'backend=driver,format=raw,vdev=xvda,access=rw,target=/dev/loop0';
  expect(checksOf(await host.blockAttach('none', [spec]))).toEqual(golden('driver-block-attach'));
  expect(checksOf(await host.networkAttach('none', ['backend=driver', MAC]))).toEqual(golden('driver-network-attach'));
  const [guest] = (await host.list()).value?.filter(({ name }) => name === 'none') ?? [];
  const mappings = (): readonly OpenMapping[] =>
    hypervisor.openMappings(guest?.domid ?? DOM0).filter(({ mapper }) => mapper.process === 'driver');
  // Ring and data of the disk, two rings of the card.
  expect(mappings().map(({ mapper, kind }) => [mapper.domid, kind])).toEqual(Array(4).fill([2, 'grant']));
  const address = '00:16:3e:00:00:02';
  expect(checksOf(await host.networkDetach('none', address))).toEqual(golden('driver-network-detach'));
  expect(checksOf(await host.blockDetach('none', 'xvda'))).toEqual(golden('driver-block-detach'));
  expect(mappings()).toEqual([]);
});

test('a guest that does not answer keeps a disk, but not by force, and loses a card after a while', async () => {
  const { host } = bootKinds();
  // The recorded guest had no drivers; a paused one does not answer either.
  await host.create(recordedGuest('bare'), { uuid, paused: true });
  await host.blockAttach('bare', ['phy:/dev/loop0,xvda,w']);
  const kept = await host.blockDetach('bare', 'xvda');
  expect(checksOf(kept)).toEqual(golden('bare-block-detach'));
  expect([kept.outcome, kept.xlExitCode]).toEqual(['failed', 1]);
  const path = '/local/domain/0/backend/vbd/1/51712';
  expect(kept.xlMessages).toEqual([
    `libxl: error: libxl_device.c:1181:device_backend_callback: Domain 1:unable to remove device with path ${path}`,
    'libxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain 1:Unable to remove vbd with id 51712',
    'libxl_device_disk_safe_remove failed.',
  ]);
  const forced = await host.blockDetach('bare', 'xvda', { force: true });
  expect(checksOf(forced)).toEqual(golden('bare-block-detach-force'));
  expect(checksOf(await host.networkAttach('bare', [MAC]))).toEqual(golden('bare-network-attach'));
  const taken = await host.networkDetach('bare', '0');
  expect(checksOf(taken)).toEqual(golden('bare-network-detach'));
  expect([forced.outcome, taken.outcome]).toEqual(['done', 'done']);
});

test('a device that its driver domain may not map is attached to xl, and ends at once', async () => {
  // As a host was seen to do that booted this policy.
  const rule = 'allow { ALL -driver_t } ALL:grant *; allow driver_t driver_t:grant *;';
  const policy = kindsPolicy((text) => text.replace('allow ALL ALL:grant *;', rule));
  const { host } = bootKinds({}, policy);
  await host.create(recordedGuest('driver'), { uuid: other });
  await host.create(recordedGuest('none'), { uuid });
  const disk = await host.blockAttach('none', ['backend=driver,format=raw,vdev=xvda,access=rw,target=/dev/loop0']);
  const card = await host.networkAttach('none', ['backend=driver', MAC]);
  for (const { outcome, xlExitCode, diagnostics, timeline } of [disk, card]) {
    expect([outcome, xlExitCode, diagnostics.map(({ code }) => code)]).toEqual([
      'done',
      0,
      ['guest/device-not-served'],
    ]);
    const denied = timeline.flatMap(({ hypercalls }) => hypercalls).flatMap(({ checks }) => checks);
    expect(denied.filter(({ outcome: one }) => one === 'denied').map(({ denied: one }) => one)).toEqual([
      ['map_read', 'map_write'],
    ]);
  }
  const [disks, cards] = [await host.blockList(['none']), await host.networkList(['none'])];
  const backendPath = '/local/domain/1/backend/vbd/2/51712';
  expect(disks.value).toMatchObject([{ state: 6, ringRef: 8, backendPath }]);
  expect(cards.value).toMatchObject([{ state: 6, eventChannel: -1, backendPath: '/local/domain/1/backend/vif/2/0' }]);
  expect((await host.networkDetach('none', '0')).outcome).toBe('done');
  expect((await host.blockDetach('none', 'xvda')).outcome).toBe('done');
});
