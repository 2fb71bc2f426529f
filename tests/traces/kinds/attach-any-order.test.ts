/** Disks and network cards in any order: what a host has of them is whole, and ends with them. */
import { Hypervisor } from '@dewar/hypervisor';
import { DOM0, LibxlHost, type OperationReport, restoreToolstack } from '@dewar/toolstack';
import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { bootKinds, recordedGuest } from './kinds-policy.ts';

const uuid = (place: number): string => `25818b54-c2d4-49e7-bab3-d3966a3d81${place.toString(16).padStart(2, '0')}`;
const GUEST = 'none';

/** What may be asked, in words of the command line. */
const requests = fc.array(
  fc.oneof(
    fc.record({
      verb: fc.constantFrom('block-attach', 'block-detach', 'block-detach -f'),
      disk: fc.constantFrom('xvda', 'xvdb', 'sdc'),
      backend: fc.constantFrom('', 'backend=driver,'),
    }),
    fc.record({
      verb: fc.constantFrom('network-attach', 'network-detach'),
      card: fc.integer({ min: 0, max: 3 }),
      backend: fc.constantFrom('', 'backend=driver'),
    }),
    fc.record({ verb: fc.constantFrom('pause', 'unpause', 'reboot') }),
  ),
  { maxLength: 25 },
);
type Request = (typeof requests extends fc.Arbitrary<infer T> ? T : never)[number];

function ask(host: LibxlHost, request: Request): Promise<OperationReport<unknown>> {
  if ('disk' in request) {
    const { verb, disk, backend } = request;
    if (verb === 'block-attach') {
      return host.blockAttach(GUEST, [`${backend}format=raw,vdev=${disk},access=rw,target=/dev/loop0`]);
    }
    return host.blockDetach(GUEST, disk, { force: verb !== 'block-detach' });
  }
  if ('card' in request) {
    const { verb, card, backend } = request;
    return verb === 'network-attach'
      ? host.networkAttach(GUEST, backend === '' ? [] : [backend])
      : host.networkDetach(GUEST, String(card));
  }
  if (request.verb === 'reboot') return host.reboot(GUEST);
  return request.verb === 'pause' ? host.pause(GUEST) : host.unpause(GUEST);
}

property.prop([requests], { numRuns: 20 })(
  'whatever comes and goes, the host reads back, and in the end nothing is mapped but what was before',
  async (asked) => {
    const { host, hypervisor } = bootKinds();
    await host.create(recordedGuest('driver'), { uuid: uuid(1) });
    await host.create(recordedGuest(GUEST), { uuid: uuid(2) });
    const domid = async () => (await host.domid(GUEST)).value ?? DOM0;
    const pages = async (): Promise<number> => hypervisor.openMappings(await domid()).length;
    const before = await pages();
    for (const request of asked) {
      const { outcome, diagnostics, xlExitCode } = await ask(host, request);
      expect([outcome, diagnostics.some(({ severity }) => severity === 'error')]).toEqual([
        outcome,
        outcome === 'failed',
      ]);
      if (outcome === 'done') expect(xlExitCode).toBe(0);
    }
    const [disks, cards] = [await host.blockList([GUEST]), await host.networkList([GUEST])];
    const again = Hypervisor.restore(JSON.parse(JSON.stringify(hypervisor.snapshot())));
    const state = restoreToolstack(JSON.parse(JSON.stringify(host.snapshot())));
    if (again === undefined || state === undefined) throw new Error('the host does not read back');
    const reloaded = new LibxlHost(again, state);
    expect([reloaded.snapshot(), again.snapshot()]).toEqual([host.snapshot(), hypervisor.snapshot()]);
    await host.unpause(GUEST);
    // A device whose guest was paused is connected by now; each has rings of its own.
    const listed = [
      ...((await host.blockList([GUEST])).value ?? []),
      ...((await host.networkList([GUEST])).value ?? []),
    ];
    expect(listed).toHaveLength((disks.value?.length ?? 0) + (cards.value?.length ?? 0));
    const refs = listed.flatMap((one) => ('ringRef' in one ? [one.ringRef] : [one.txRingRef, one.rxRingRef]));
    expect(new Set(refs.filter((ref) => ref >= 0)).size).toBe(refs.filter((ref) => ref >= 0).length);
    for (const { devid } of disks.value ?? []) {
      expect((await host.blockDetach(GUEST, String(devid), { force: true })).outcome).toBe('done');
    }
    for (const { devid } of cards.value ?? []) {
      expect((await host.networkDetach(GUEST, String(devid))).outcome).toBe('done');
    }
    expect(await pages()).toBe(before);
  },
);

test('a guest that reboots, or is saved and restored, has what it was given meanwhile', async () => {
  const { host } = bootKinds();
  await host.create(recordedGuest('local'), { uuid: uuid(3) });
  await host.blockAttach('local', ['phy:/dev/loop1,xvdb,w']);
  await host.networkAttach('local', ['mac=00:16:3e:00:00:09']);
  await host.blockDetach('local', 'xvda');
  const devices = async (): Promise<unknown> => [
    (await host.blockList(['local'])).value?.map(({ devid, state }) => [devid, state]),
    (await host.networkList(['local'])).value?.map(({ mac, state }) => [mac, state]),
  ];
  const given = [
    [[51728, 4]],
    [
      ['00:16:3e:00:00:01', 4],
      ['00:16:3e:00:00:09', 4],
    ],
  ];
  expect(await devices()).toEqual(given);
  expect((await host.reboot('local')).outcome).toBe('done');
  expect(await devices()).toEqual(given);
  const saved = await host.save('local');
  expect((await host.restore(JSON.parse(JSON.stringify(saved.value)), { uuid: uuid(3) })).outcome).toBe('done');
  expect(await devices()).toEqual(given);
});
