/**
 * What was recorded of kinds of guests, done on simulated hosts: lives of guests, with a report for each recording.
 *
 * @module
 */
import type { Hypervisor, IommuKind } from '@dewar/hypervisor';
import type { LibxlHost, OperationReport } from '@dewar/toolstack';
import { bootKinds, checksOf, labelRecorded, recordedGuest, withPassthrough } from './kinds-policy.ts';

const uuid = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';
const other = '25818b54-c2d4-49e7-bab3-d3966a3d81ee';
const PCI = '00:05.0';
const MAC = 'mac=00:16:3e:00:00:02';
const DISK = 'phy:/dev/loop0,xvda,w';

/** Writes down what came of a recorded operation. */
type Record = (name: string, asked: Promise<OperationReport<unknown>>) => Promise<void>;

/** Some guests, from the first to the last of them. */
type Life = (host: LibxlHost, record: Record, hypervisor: Hypervisor) => Promise<void>;

const paused = { uuid, paused: true };

async function withPci(host: LibxlHost, hypervisor: Hypervisor): Promise<void> {
  await labelRecorded({ host, hypervisor });
}

const LIVES: readonly (readonly [iommu: IommuKind, life: Life])[] = [
  [
    'with-remapping',
    async (host, record) => {
      await record('hvm-create', host.create(recordedGuest('hvm'), paused));
      await record('hvm-unpause', host.unpause('hvm'));
      await record('hvm-destroy', host.destroy('hvm'));
    },
  ],
  [
    'with-remapping',
    async (host, record) => {
      await record('stub-create', host.create(recordedGuest('stub'), paused));
      await record('stub-unpause', host.unpause('stub'));
      await record('stub-destroy', host.destroy('stub'));
    },
  ],
  [
    'with-remapping',
    async (host, record) => {
      await record('driver-create', host.create(recordedGuest('driver'), { uuid }));
      await record('driver-guest-create', host.create(recordedGuest('remote'), { uuid: other, paused: true }));
      await record('driver-guest-unpause', host.unpause('remote'));
      await record('driver-guest-destroy', host.destroy('remote'));
      await record('driver-destroy', host.destroy('driver'));
    },
  ],
  [
    'with-remapping',
    async (host, record) => {
      await record('pv-devices-create', host.create(recordedGuest('local'), paused));
      await record('pv-devices-unpause', host.unpause('local'));
      await record('pv-devices-destroy', host.destroy('local'));
    },
  ],
  [
    'with-remapping',
    async (host, record, hypervisor) => {
      await withPci(host, hypervisor);
      await record('pci-assignable-list', host.pciAssignableList());
      await record('pci-assignable-add', host.pciAssignableAdd(PCI));
      await record('pci-create', host.create(recordedGuest('pci'), paused));
      await record('pci-unpause', host.unpause('pci'));
      await record('pci-list', host.pciList('pci'));
      await record('pci-detach', host.pciDetach('pci', PCI));
      await record('pci-attach', host.pciAttach('pci', PCI));
      await record('pci-destroy', host.destroy('pci'));
      await record('pci-none-create', host.create(recordedGuest('none'), { uuid }));
      await record('pci-none-attach', host.pciAttach('none', PCI));
      await record('pci-none-destroy', host.destroy('none'));
      await record('pci-hvm-create', host.create(recordedGuest('hvmpci'), paused));
      await record('pci-hvm-destroy', host.destroy('hvmpci'));
      await record('pci-assignable-remove', host.pciAssignableRemove(PCI));
    },
  ],
  [
    'with-remapping',
    async (host, record, hypervisor) => {
      await withPci(host, hypervisor);
      await host.pciAssignableAdd(PCI);
      // A kernel without a driver for its PCI bus does not answer either.
      await host.create(withPassthrough('bare'), paused);
      await record('pci-bare-attach', host.pciAttach('bare', PCI));
      await record('pci-bare-detach', host.pciDetach('bare', PCI));
      await record('pci-bare-detach-force', host.pciDetach('bare', PCI, { force: true }));
      await record('pci-bare-destroy', host.destroy('bare'));
      await host.create(withPassthrough('none'), { uuid });
      await host.pciAttach('none', PCI);
      await host.pause('none');
      await record('pci-paused-detach', host.pciDetach('none', PCI));
    },
  ],
  [
    'without-remapping',
    async (host, record, hypervisor) => {
      await withPci(host, hypervisor);
      await record('pci-assignable-add-noremap', host.pciAssignableAdd(PCI));
      await record('pci-create-noremap', host.create(recordedGuest('pci'), paused));
      await host.destroy('pci');
      await record('pci-hvm-create-noremap', host.create(recordedGuest('hvmpci'), paused));
    },
  ],
  [
    'none',
    async (host, record, hypervisor) => {
      await withPci(host, hypervisor);
      await record('pci-assignable-add-noiommu', host.pciAssignableAdd(PCI));
      await record('pci-create-noiommu', host.create(recordedGuest('pci'), paused));
      await host.create(recordedGuest('none'), { uuid });
      await record('pci-none-attach-noiommu', host.pciAttach('none', PCI));
    },
  ],
  [
    'with-remapping',
    async (host, record) => {
      const options = { label: 'system_u:system_r:xenstore_t', memoryMib: 256, uuid };
      await record('xenstore-pv', host.initXenstoreDomain(options));
      await record('xenstore-guest-create', host.create(recordedGuest('none'), { uuid: other, paused: true }));
      await record('xenstore-guest-unpause', host.unpause('none'));
      await record('xenstore-guest-destroy', host.destroy('none'));
    },
  ],
  [
    'with-remapping',
    async (host, record) => {
      const options = { label: 'system_u:system_r:xenstore_t', memoryMib: 256, isPvh: true, uuid };
      await record('xenstore-pvh', host.initXenstoreDomain(options));
    },
  ],
  [
    'with-remapping',
    async (host, record) => {
      await host.create(recordedGuest('none'), { uuid });
      await record('block-attach', host.blockAttach('none', [DISK]));
      await record('block-list', host.blockList(['none']));
      await record('network-attach', host.networkAttach('none', [MAC]));
      await record('network-list', host.networkList(['none']));
      await record('network-detach', host.networkDetach('none', '0'));
      await record('block-detach', host.blockDetach('none', 'xvda'));
      await host.create(recordedGuest('driver'), { uuid: other });
      const disk = 'backend=driver,format=raw,vdev=xvda,access=rw,target=/dev/loop0';
      await record('driver-block-attach', host.blockAttach('none', [disk]));
      await record('driver-network-attach', host.networkAttach('none', ['backend=driver', MAC]));
      await record('driver-network-detach', host.networkDetach('none', MAC.slice(4)));
      await record('driver-block-detach', host.blockDetach('none', 'xvda'));
    },
  ],
  [
    'with-remapping',
    async (host, record) => {
      // The recorded guest had no drivers; one that is paused does not answer either.
      await host.create(recordedGuest('bare'), paused);
      await host.blockAttach('bare', [DISK]);
      await record('bare-block-detach', host.blockDetach('bare', 'xvda'));
      await record('bare-block-detach-force', host.blockDetach('bare', 'xvda', { force: true }));
      await record('bare-network-attach', host.networkAttach('bare', [MAC]));
      await record('bare-network-detach', host.networkDetach('bare', '0'));
      await record('console', host.console('bare'));
      const keys = [
        ['h', 'h'],
        ['q', 'q'],
        ['all', '*'],
        ['0', '0'],
        ['r', 'r'],
        ['t', 't'],
      ] as const;
      for (const [word, key] of keys) await record(`debug-keys-${word}`, host.debugKeys(key));
    },
  ],
];

/** The checks of each recorded operation on a simulated host, by the name of its recording. */
export async function simulatedKinds(): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const [iommu, life] of LIVES) {
    const { host, hypervisor } = bootKinds({ iommu });
    const record: Record = async (name, asked) => {
      found.set(name, checksOf(await asked));
    };
    await life(host, record, hypervisor);
  }
  return found;
}
