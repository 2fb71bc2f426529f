/** Holds guests of each kind against what real Xen 4.17.5 was seen to check for them. */
import { expect, test } from 'vitest';
import {
  bootKinds,
  checksOf,
  golden,
  labelRecorded,
  recordedGuest,
  withoutOrder,
  withoutPolls,
  withPassthrough,
} from './kinds-policy.ts';

const uuid = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';

test('an HVM guest with its device model in dom0 makes the checks of real Xen', async () => {
  const { host } = bootKinds();
  const made = await host.create(recordedGuest('hvm'), { uuid, paused: true });
  expect(made.diagnostics.filter(({ severity }) => severity !== 'note')).toEqual([]);
  expect(checksOf(made)).toEqual(golden('hvm-create'));
  // The emulated machine was too slow for the end, which is in the recording of the guest with a stub domain.
  const recorded = golden('hvm-unpause');
  expect(checksOf(await host.unpause('hvm')).slice(0, recorded.length)).toEqual(recorded);
  // libxl asks QEMU until it is gone, which took longer there.
  expect(withoutOrder(checksOf(await host.destroy('hvm')))).toEqual(withoutOrder(golden('hvm-destroy')));
});

test('an HVM guest with a stub domain makes the checks of real Xen', async () => {
  const { host } = bootKinds();
  const made = await host.create(recordedGuest('stub'), { uuid, paused: true });
  expect(made.diagnostics.filter(({ severity }) => severity !== 'note')).toEqual([]);
  expect(checksOf(made)).toEqual(golden('stub-create'));
  expect(checksOf(await host.unpause('stub'))).toEqual(golden('stub-unpause'));
  // The two domains are destroyed side by side.
  expect(withoutOrder(checksOf(await host.destroy('stub')))).toEqual(withoutOrder(golden('stub-destroy')));
});

test('a PV guest that is given a PCI device makes the checks of real Xen, behind an IOMMU that remaps interrupts', async () => {
  const kinds = bootKinds();
  const { host } = kinds;
  await labelRecorded(kinds);
  expect(checksOf(await host.pciAssignableList())).toEqual(golden('pci-assignable-list'));
  expect(checksOf(await host.pciAssignableAdd('00:05.0'))).toEqual(golden('pci-assignable-add'));
  const made = await host.create(recordedGuest('pci'), { uuid, paused: true });
  expect(made.diagnostics.filter(({ severity }) => severity !== 'note')).toEqual([]);
  expect(checksOf(made)).toEqual(golden('pci-create'));
  expect(checksOf(await host.unpause('pci'))).toEqual(golden('pci-unpause'));
  expect(checksOf(await host.pciList('pci'))).toEqual(golden('pci-list'));
  expect(checksOf(await host.pciDetach('pci', '00:05.0'))).toEqual(golden('pci-detach'));
  expect(checksOf(await host.pciAttach('pci', '00:05.0'))).toEqual(golden('pci-attach'));
  // dom0's pciback gives the page of the bus back while xl goes on.
  expect(withoutOrder(checksOf(await host.destroy('pci')))).toEqual(withoutOrder(golden('pci-destroy')));
});

test('a PV guest without an IOMMU of its own is asked for more, and is not given the device in the end', async () => {
  const kinds = bootKinds();
  const { host } = kinds;
  await labelRecorded(kinds);
  await host.pciAssignableAdd('00:05.0');
  await host.create(recordedGuest('none'), { uuid });
  const report = await host.pciAttach('none', '00:05.0');
  expect(checksOf(report)).toEqual(golden('pci-none-attach'));
  expect([report.outcome, report.xlExitCode]).toEqual(['failed', 1]);
});

test('an HVM guest that is given a PCI device makes the checks of real Xen, its device model among them', async () => {
  const kinds = bootKinds();
  const { host } = kinds;
  await labelRecorded(kinds);
  await host.pciAssignableAdd('00:05.0');
  expect(checksOf(await host.create(recordedGuest('hvmpci'), { uuid, paused: true }))).toEqual(
    golden('pci-hvm-create'),
  );
  // libxl asked QEMU for ten seconds whether the guest, which was paused, had let go of the device.
  expect(withoutPolls(checksOf(await host.destroy('hvmpci')))).toEqual(withoutPolls(golden('pci-hvm-destroy')));
  expect(checksOf(await host.pciAssignableRemove('00:05.0'))).toEqual(golden('pci-assignable-remove'));
});

test('without remapping of interrupts, the use of a device is another permission', async () => {
  const kinds = bootKinds({ iommu: 'without-remapping' });
  const { host } = kinds;
  await labelRecorded(kinds);
  expect(checksOf(await host.pciAssignableAdd('00:05.0'))).toEqual(golden('pci-assignable-add-noremap'));
  expect(checksOf(await host.create(recordedGuest('pci'), { uuid, paused: true }))).toEqual(
    golden('pci-create-noremap'),
  );
  await host.destroy('pci');
  expect(checksOf(await host.create(recordedGuest('hvmpci'), { uuid, paused: true }))).toEqual(
    golden('pci-hvm-create-noremap'),
  );
});

test('without an IOMMU a guest is given a device only while it runs, and only in part', async () => {
  const kinds = bootKinds({ iommu: 'none' });
  const { host } = kinds;
  await labelRecorded(kinds);
  const set = await host.pciAssignableAdd('00:05.0');
  expect(checksOf(set)).toEqual(golden('pci-assignable-add-noiommu'));
  const made = await host.create(recordedGuest('pci'), { uuid, paused: true });
  expect(checksOf(made)).toEqual(golden('pci-create-noiommu'));
  expect(made.outcome).toBe('failed');
  await host.create(recordedGuest('none'), { uuid });
  const attached = await host.pciAttach('none', '00:05.0');
  expect(checksOf(attached)).toEqual(golden('pci-none-attach-noiommu'));
});

test('a device stays on the list of a PV guest that has no driver for its PCI bus, and is free all the same', async () => {
  const kinds = bootKinds();
  const { host } = kinds;
  await labelRecorded(kinds);
  await host.pciAssignableAdd('00:05.0');
  await host.create(withPassthrough('bare'), { uuid, paused: true });
  const listed = async () => ((await host.pciList('bare')).value ?? []).length;
  expect(checksOf(await host.pciAttach('bare', '00:05.0'))).toEqual(golden('pci-bare-attach'));
  const detached = await host.pciDetach('bare', '00:05.0');
  expect(checksOf(detached)).toEqual(golden('pci-bare-detach'));
  const unready = 'libxl_device.c:1470:libxl__wait_for_backend: Backend /local/domain/0/backend/pci/1/0 not ready';
  expect(detached.xlMessages).toEqual([`libxl: error: ${unready}`]);
  expect([detached.outcome, detached.xlExitCode, await listed()]).toEqual(['done', 0, 1]);
  expect(detached.diagnostics.map(({ code }) => code)).toEqual(['guest/device-still-listed']);
  const again = await host.pciDetach('bare', '00:05.0', { force: true });
  expect(checksOf(again)).toEqual(golden('pci-bare-detach-force'));
  expect(again.xlMessages).toEqual([
    'libxl: error: libxl_pci.c:2044:do_pci_remove: Domain 1:xc_physdev_unmap_pirq irq=21: Invalid argument',
    'libxl: error: libxl_pci.c:2258:pci_remove_detached: Domain 1:xc_deassign_device failed: No such device',
    `libxl: error: ${unready}`,
  ]);
  expect([again.xlExitCode, await listed()]).toEqual([0, 1]);
  expect((await host.pciAssignableList()).value).toHaveLength(1);
  expect(checksOf(await host.destroy('bare'))).toEqual(golden('pci-bare-destroy'));
  // The next guest answers, until it is paused.
  await host.create(withPassthrough('none'), { uuid });
  await host.pciAttach('none', '00:05.0');
  await host.pause('none');
  expect(checksOf(await host.pciDetach('none', '00:05.0'))).toEqual(golden('pci-paused-detach'));
  await host.unpause('none');
  expect((await host.pciList('none')).value).toHaveLength(1);
});
