/** Holds domains that serve other domains against what real Xen 4.17.5 was seen to check for them. */
import { expect, test } from 'vitest';
import { bootKinds, checksOf, golden, recordedGuest, withoutOrder } from './kinds-policy.ts';

const uuid = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';
const other = '25818b54-c2d4-49e7-bab3-d3966a3d81ee';

const isOfXl = (line: string): boolean => line.includes(' } dom0_t ');

/** What domains did that ran at the same time as xl: xl's part first, each in its order. */
function besideXl(lines: readonly string[]): string[] {
  return [...lines.filter(isOfXl), ...lines.filter((line) => !isOfXl(line))];
}

/** Without the looks at domains, by which daemons and libxl find their way at the same time. */
function withoutLooks(lines: readonly string[]): string[] {
  return lines.filter((line) => !/^(domain \{ getdomaininfo|security \{ check_context) \}/.test(line));
}

test('a driver domain makes the checks of real Xen', async () => {
  const { host } = bootKinds();
  const started = await host.create(recordedGuest('driver'), { uuid });
  expect(besideXl(checksOf(started))).toEqual(besideXl(golden('driver-create')));
  const made = await host.create(recordedGuest('remote'), { uuid: other, paused: true });
  expect(withoutLooks(checksOf(made))).toEqual(withoutLooks(golden('driver-guest-create')));
  expect(withoutOrder(checksOf(made))).toEqual(withoutOrder(golden('driver-guest-create')));
  // Disk and network card connect side by side, and the guest's grant table grew on the way.
  const unpaused = checksOf(await host.unpause('remote'));
  expect(withoutOrder(unpaused)).toEqual(withoutOrder(golden('driver-guest-unpause')));
  expect(withoutOrder(checksOf(await host.destroy('remote')))).toEqual(withoutOrder(golden('driver-guest-destroy')));
  expect(withoutOrder(checksOf(await host.destroy('driver')))).toEqual(withoutOrder(golden('driver-destroy')));
});

test('disk and network card of dom0 make the checks of real Xen', async () => {
  const { host } = bootKinds();
  const made = await host.create(recordedGuest('local'), { uuid, paused: true });
  expect(checksOf(made)).toEqual(golden('pv-devices-create'));
});

test('a xenstore domain makes the checks of real Xen', async () => {
  const { host } = bootKinds();
  const report = await host.initXenstoreDomain({ label: 'system_u:system_r:xenstore_t', memoryMib: 256, uuid });
  expect(report.outcome).toBe('done');
  // Its kernel starts while init-xenstore-domain goes on.
  expect(besideXl(checksOf(report))).toEqual(besideXl(golden('xenstore-pv')));
});

test('a xenstore domain in an HVM container makes the checks of real Xen, up to where Linux waits for a xenstore', async () => {
  const { host } = bootKinds();
  const options = { label: 'system_u:system_r:xenstore_t', memoryMib: 256, isPvh: true, uuid };
  const found = checksOf(await host.initXenstoreDomain(options));
  for (const isOfPart of [isOfXl, (line: string) => !isOfXl(line)]) {
    const recorded = golden('xenstore-pvh').filter(isOfPart);
    expect(found.filter(isOfPart).slice(0, recorded.length)).toEqual(recorded);
  }
});

test('guests of a host with a xenstore domain make the checks of real Xen', async () => {
  const { host } = bootKinds();
  await host.initXenstoreDomain({ label: 'system_u:system_r:xenstore_t', memoryMib: 256, uuid });
  const made = await host.create(recordedGuest('none'), { uuid: other, paused: true });
  expect(checksOf(made)).toEqual(golden('xenstore-guest-create'));
  expect(checksOf(await host.unpause('none'))).toEqual(golden('xenstore-guest-unpause'));
  expect(checksOf(await host.destroy('none'))).toEqual(golden('xenstore-guest-destroy'));
});
