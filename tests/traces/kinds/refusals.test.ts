/** Guests of each kind where the policy is against them, and hosts that have them on file. */
import { Hypervisor } from '@dewar/hypervisor';
import { LibxlHost, type OperationReport, restoreToolstack } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import {
  bootKinds,
  checksOf,
  guestOf,
  type KindsHost,
  kindsPolicy,
  labelRecorded,
  recordedGuest,
} from './kinds-policy.ts';

const uuid = '25818b54-c2d4-49e7-bab3-d3966a3d81ed';
const other = '25818b54-c2d4-49e7-bab3-d3966a3d81ee';

/** A host whose policy has another rule in place of one that allows all of a class. */
function bootWithout(klass: string, rule: string): KindsHost {
  const policy = kindsPolicy((text) => text.replace(`allow ALL ALL:${klass} *;`, rule));
  return bootKinds({}, policy);
}

/** Codes of a report, without the notes. */
function codes({ diagnostics }: OperationReport<unknown>): string[] {
  return diagnostics.filter(({ severity }) => severity !== 'note').map(({ code }) => code);
}

function notes({ diagnostics }: OperationReport<unknown>): string {
  return diagnostics.flatMap((one) => one.notes.map(({ message }) => message)).join('\n');
}

/** The host as it comes back from a file. */
function reloaded({ hypervisor, host }: KindsHost): KindsHost {
  const [xen, tools] = JSON.parse(JSON.stringify([hypervisor.snapshot(), host.snapshot()]));
  const again = Hypervisor.restore(xen);
  const state = restoreToolstack(tools);
  if (again === undefined || state === undefined) throw new Error('the snapshot was refused');
  return { hypervisor: again, host: new LibxlHost(again, state) };
}

test('a device model that may not act on the guest ends the creation, and nothing is left', async () => {
  const { host } = bootWithout('hvm', 'allow ALL ALL:hvm ~dm;');
  const report = await host.create(recordedGuest('hvm'), { uuid });
  expect([report.outcome, report.xlExitCode]).toEqual(['failed', 3]);
  expect(codes(report)).toEqual(['guest/step-failed']);
  expect(notes(report)).toContain('hvm { dm }');
  expect((await host.list()).value).toHaveLength(1);
});

test('a device model that may no longer act on it once it is relabelled leaves a guest that does not get far', async () => {
  const rule = 'allow ALL { ALL -guest_t }:hvm *; allow ALL guest_t:hvm ~dm;';
  const { host } = bootWithout('hvm', rule);
  const report = await host.create(recordedGuest('hvm'), { uuid });
  expect(report.outcome).toBe('done');
  expect(codes(report)).toContain('guest/device-model-denied');
});

test('a stub domain needs the right to be told of its guest', async () => {
  const { host } = bootWithout('domain2', 'allow ALL ALL:domain2 ~make_priv_for;');
  const report = await host.create(recordedGuest('stub'), { uuid });
  expect(report.outcome).toBe('failed');
  expect(codes(report)).toEqual(['guest/step-failed']);
  expect((await host.list()).value).toHaveLength(1);
});

test('the stub domain keeps acting on the label that the guest had when the two were tied together', async () => {
  const { host } = bootKinds();
  await host.create(recordedGuest('stub'), { uuid, paused: true });
  const unpaused = checksOf(await host.unpause('stub'));
  const own = unpaused.filter((line) => line.includes(' } dm_t guest_t'));
  expect(own.length).toBeGreaterThan(0);
  expect(own.every((line) => line.endsWith(' guest_t_building_target') || line.includes('event'))).toBe(true);
});

test('a device of a driver domain that is gone, or may not map what is granted, does not work', async () => {
  const gone = bootKinds();
  const missing = await gone.host.create(recordedGuest('remote'), { uuid });
  expect([missing.outcome, codes(missing)]).toEqual(['failed', ['guest/step-failed']]);
  const rule = 'allow { ALL -driver_t } ALL:grant *; allow driver_t driver_t:grant *;';
  const { host } = bootWithout('grant', rule);
  await host.create(recordedGuest('driver'), { uuid });
  const report = await host.create(recordedGuest('remote'), { uuid: other });
  expect(report.outcome).toBe('done');
  expect(codes(report)).toEqual(['guest/device-not-served', 'guest/device-not-served']);
});

test('a guest without the right to use a device is not created with it, and the device is free again', async () => {
  const rule = 'allow ALL { ALL -nic_dev_t }:resource *; allow { ALL -guest_t_building } nic_dev_t:resource *;';
  const kinds = bootWithout('resource', rule);
  const { host } = kinds;
  await labelRecorded(kinds);
  await host.pciAssignableAdd('00:05.0');
  const report = await host.create(recordedGuest('pci'), { uuid });
  expect(report.outcome).toBe('failed');
  expect(notes(report)).toContain('use_iommu');
  expect((await host.pciAssignableList()).value?.map(({ sbdf }) => sbdf)).toEqual([0x28]);
});

test('a host with guests of each kind comes back from a file as it was', async () => {
  const kinds = bootKinds();
  await labelRecorded(kinds);
  expect((await kinds.host.pciAssignableAdd('00:05.0', 'nic')).outcome).toBe('done');
  const label = 'system_u:system_r:xenstore_t';
  expect((await kinds.host.initXenstoreDomain({ label, memoryMib: 8, uuid })).outcome).toBe('done');
  const names = ['hvm', 'stub', 'driver', 'remote', 'pci'];
  for (const [place, name] of names.entries()) {
    const own = uuid.replace('81ed', `90${place.toString().padStart(2, '0')}`);
    expect((await kinds.host.create(recordedGuest(name), { uuid: own })).outcome, name).toBe('done');
  }
  const again = reloaded(kinds);
  expect([again.hypervisor.snapshot(), again.host.snapshot()]).toEqual([
    kinds.hypervisor.snapshot(),
    kinds.host.snapshot(),
  ]);
  for (const name of ['remote', 'pci', 'stub', 'hvm']) {
    const [one, two] = [await kinds.host.destroy(name), await again.host.destroy(name)];
    expect(checksOf(two), name).toEqual(checksOf(one));
    expect(two.outcome, name).toBe('done');
  }
});

test('what is not rehearsed is said', async () => {
  const { host } = bootKinds();
  const text = "name = 'g'\ntype = 'hvm'\nmemory = 64\nseclabel = 'system_u:system_r:guest_t'\n";
  const made = await host.create(
    guestOf(`${text}device_model_version = 'qemu-xen-traditional'\nvtpm = ['backend=0']\n`),
    {
      uuid,
    },
  );
  expect(codes(made)).toEqual(expect.arrayContaining(['guest/other-device-model', 'guest/device-not-rehearsed']));
});

/** One permission on one label fewer. */
function bootWithoutOne(klass: string, permission: string, target: string): KindsHost {
  const rule = `allow ALL { ALL -${target} }:${klass} *; allow ALL ${target}:${klass} ~{ ${permission} };`;
  return bootWithout(klass, rule);
}

test.each([
  ['domain', 'shutdown', 'cannot save domain'],
  ['hvm', 'gethvmc', 'cannot save domain'],
  ['hvm', 'getparam', 'cannot save domain'],
  ['mmu', 'map_read', 'cannot save domain'],
  ['mmu', 'stat', 'cannot save domain'],
])(
  'an HVM guest of which dom0 has no %s %s is not saved, and goes on where it is',
  async (klass, permission, message) => {
    const { host } = bootWithoutOne(klass, permission, 'guest_t');
    expect((await host.create(recordedGuest('hvm'), { uuid })).outcome).toBe('done');
    const report = await host.save('hvm');
    expect([report.outcome, report.xlExitCode, report.value]).toEqual(['failed', 1, undefined]);
    expect(report.diagnostics.map((one) => one.message).join()).toContain(message);
    expect(notes(report)).toContain(`${klass} { ${permission} }`);
    expect((await host.list()).value?.map(({ name, state }) => [name, state])).toContainEqual(['hvm', 'running']);
  },
);

test('a device model that may not stop for a save stops all the same', async () => {
  const rule = 'allow ALL { ALL -guest_t }:hvm *; allow ALL guest_t:hvm ~dm;';
  const { host } = bootWithout('hvm', rule);
  await host.create(recordedGuest('hvm'), { uuid, paused: true });
  const report = await host.save('hvm');
  expect(report.outcome).toBe('done');
  expect(report.timeline.find(({ title }) => title.endsWith('stops'))?.outcome).toBe('ignored-failure');
});

test('a stub domain that libxl may not reach ends the save before the guest is stopped', async () => {
  const rule = 'allow ALL { ALL -dm_t }:grant *; allow { ALL -dom0_t } dm_t:grant *; allow dom0_t dm_t:grant unmap;';
  const kinds = bootKinds();
  expect((await kinds.host.create(recordedGuest('stub'), { uuid })).outcome).toBe('done');
  const stricter = kindsPolicy((text) => text.replace('allow ALL ALL:grant *;', rule));
  expect((await kinds.host.loadPolicy(stricter)).outcome).toBe('done');
  const report = await kinds.host.save('stub');
  expect(report.outcome).toBe('failed');
  expect(notes(report)).toContain('grant { map_read');
  expect((await kinds.host.list()).value?.find(({ name }) => name === 'stub')?.state).toBe('running');
});

test('an HVM guest that has a device of the host is not saved', async () => {
  const kinds = bootKinds();
  await labelRecorded(kinds);
  await kinds.host.pciAssignableAdd('00:05.0');
  expect((await kinds.host.create(recordedGuest('hvmpci'), { uuid })).outcome).toBe('done');
  const report = await kinds.host.save('hvmpci');
  expect(report.outcome).toBe('failed');
  expect(notes(report)).toContain('QEMU does not save the state of a device of the host');
  expect(report.domain?.state).toBe('running');
});

test.each(['hvm', 'stub'])('where the target refuses what a %s guest needs, it goes on where it is', async (name) => {
  const from = bootKinds();
  const to = bootWithoutOne('hvm', 'sethvmc', 'guest_t_building');
  await from.host.create(recordedGuest(name), { uuid });
  const { source, target } = await from.host.migrate(name, to.host, { uuid });
  expect([source.outcome, target?.outcome]).toEqual(['failed', 'failed']);
  expect((await from.host.list()).value?.find((one) => one.name === name)?.state).toBe('running');
  expect((await to.host.list()).value).toHaveLength(1);
  const again = reloaded(from);
  expect(again.hypervisor.snapshot()).toEqual(from.hypervisor.snapshot());
  expect((await again.host.save(name)).outcome).toBe('done');
});
