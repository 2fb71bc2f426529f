/** A host that is put away after each operation, with what the operation changed and no more, is the host that went on. */
import { Hypervisor } from '@dewar/hypervisor';
import { LibxlHost, type OperationReport, restoreToolstack, type SavedGuest } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import { bootKinds, labelRecorded, recordedGuest } from './kinds-policy.ts';

const uuid = (place: number): string => `25818b54-c2d4-49e7-bab3-d3966a3d81${place.toString(16).padStart(2, '0')}`;
const PCI = '00:05.0';

interface Host {
  readonly hypervisor: Hypervisor;
  readonly host: LibxlHost;
  saved?: SavedGuest | undefined;
}

type Kept = { readonly tables: Readonly<Record<string, readonly { readonly page: number; readonly count: number }[]>> };

/** A snapshot with the changes put over it, page by page. */
function overlaid<S extends Kept>(before: S, changes: S): S {
  const tables = Object.entries(changes.tables).map(([name, changed]) => {
    const pages = new Map(before.tables[name]?.map((one) => [one.page, one]));
    for (const one of changed) pages.set(one.page, one);
    return [name, [...pages.values()].filter(({ count }) => count > 0).sort((a, b) => a.page - b.page)];
  });
  return JSON.parse(JSON.stringify({ ...changes, tables: Object.fromEntries(tables) }));
}

/** A snapshot with its records, in which the order of fields says nothing. */
function records(snapshot: Kept): unknown {
  return JSON.parse(JSON.stringify(snapshot), (key, value) => (key === 'text' ? JSON.parse(value) : value));
}

/** Each operation in turn; what it tells of is not the same object on both hosts, but has to be equal. */
const OPERATIONS: readonly (readonly [name: string, ask: (host: Host) => Promise<OperationReport<unknown>>])[] = [
  ['create a driver domain', ({ host }) => host.create(recordedGuest('driver'), { uuid: uuid(1) })],
  ['create a guest of it', ({ host }) => host.create(recordedGuest('remote'), { uuid: uuid(2) })],
  ['create a guest without devices', ({ host }) => host.create(recordedGuest('none'), { uuid: uuid(3) })],
  ['attach a disk', ({ host }) => host.blockAttach('none', ['format=raw,vdev=xvdb,access=rw,target=/dev/loop0'])],
  ['attach a card', ({ host }) => host.networkAttach('none', ['backend=driver'])],
  ['detach the disk', ({ host }) => host.blockDetach('none', 'xvdb', {})],
  ['pause', ({ host }) => host.pause('none')],
  ['unpause', ({ host }) => host.unpause('none')],
  ['give a device to pciback', ({ host }) => host.pciAssignableAdd(PCI)],
  ['create a guest that has it', ({ host }) => host.create(recordedGuest('pci'), { uuid: uuid(7) })],
  ['detach it', ({ host }) => host.pciDetach('pci', PCI)],
  ['attach it', ({ host }) => host.pciAttach('pci', PCI)],
  ['create an HVM guest', ({ host }) => host.create(recordedGuest('hvm'), { uuid: uuid(4) })],
  ['create one with a stub domain', ({ host }) => host.create(recordedGuest('stub'), { uuid: uuid(5), paused: true })],
  ['let it run', ({ host }) => host.unpause('stub')],
  ['rename', ({ host }) => host.rename('none', 'other')],
  ['fewer vCPUs', ({ host }) => host.vcpuSet('other', 1)],
  ['less memory', ({ host }) => host.memSet('other', 32 * 1024)],
  ['look at all', ({ host }) => host.list()],
  [
    'save',
    async (one) => {
      const report = await one.host.save('other');
      one.saved = report.value;
      return report;
    },
  ],
  ['restore', ({ host, saved }) => host.restore(saved, { uuid: uuid(6) })],
  ['reboot', ({ host }) => host.reboot('other')],
  ['shut down', ({ host }) => host.shutdown('other')],
  ['destroy the stub domain and its guest', ({ host }) => host.destroy('stub')],
  ['destroy the HVM guest', ({ host }) => host.destroy('hvm')],
  ['destroy the driver domain while it serves', ({ host }) => host.destroy('driver')],
  ['destroy its guest', ({ host }) => host.destroy('remote')],
  ['look at what is left', ({ host }) => host.list()],
];

test('each operation tells of all that it changed', async () => {
  const straight: Host = bootKinds();
  await labelRecorded(straight);
  let xen = JSON.parse(JSON.stringify(straight.hypervisor.snapshot()));
  let tools = JSON.parse(JSON.stringify(straight.host.snapshot()));
  let saved: SavedGuest | undefined;
  for (const [name, ask] of OPERATIONS) {
    const hypervisor = Hypervisor.restore(xen);
    const state = restoreToolstack(tools);
    if (hypervisor === undefined || state === undefined) throw new Error(`the host does not read back before: ${name}`);
    const kept: Host = { hypervisor, host: new LibxlHost(hypervisor, state), saved };
    const [here, there] = [await ask(straight), await ask(kept)];
    saved = kept.saved;
    expect(there, name).toEqual(here);
    expect(here.outcome, name).toBe('done');
    xen = overlaid(xen, kept.hypervisor.changes());
    tools = overlaid(tools, kept.host.changes());
    expect([name, records(xen), records(tools)]).toEqual([
      name,
      records(straight.hypervisor.snapshot()),
      records(straight.host.snapshot()),
    ]);
  }
});
