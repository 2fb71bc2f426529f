/** Holds the checks of the simulated host side by side with those that real Xen 4.17.5 was seen to make. */
import { readdirSync } from 'node:fs';
import type { OperationReport } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import { checksOf, golden, simulated } from './recordings.ts';
import {
  bootRig,
  DUMP_CORE,
  GUEST_UUID,
  guestConfig,
  OPERATIONS,
  PVH_CFG,
  PVH_LIFE,
  SAVE_RESTORE,
  WHOLE_LIFE,
} from './rig-policy.ts';

/** Fails at the first difference, with what stood before it. */
function expectSame(found: readonly string[], name: string): void {
  const wanted = golden(name);
  const length = Math.max(found.length, wanted.length);
  for (let i = 0; i < length; i++) {
    if (found[i] === wanted[i]) continue;
    const before = wanted.slice(Math.max(0, i - 4), i).map((line) => `    ${line}`);
    throw new Error(
      [
        `golden/${name}.txt: check ${i + 1} differs, after`,
        ...before,
        `  Xen:   ${wanted[i] ?? '(no more checks)'}`,
        `  Dewar: ${found[i] ?? '(no more checks)'}`,
      ].join('\n'),
    );
  }
  expect(found).toEqual(wanted);
}

const config = guestConfig();

test('creating a guest makes the checks of xl create, in their order', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  const report = await host.create(config, { uuid: GUEST_UUID, paused: true });
  expect(report.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  expectSame(checksOf(report), 'create-paused');
});

test('listing, starting and pausing a guest make the checks of xl', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  await host.create(config, { uuid: GUEST_UUID, paused: true });
  expectSame(checksOf(await host.list()), 'list');
  expectSame(checksOf(await host.unpause('secure1')), 'unpause');
  expectSame(checksOf(await host.pause('secure1')), 'pause');
});

test('the kernel of a guest that starts makes the checks of a Linux guest', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  expectSame(checksOf(await host.create(config, { uuid: GUEST_UUID }), 'guest'), 'guest-start');
});

test('dumping the core of a guest makes the checks of xl dump-core', async () => {
  const { host } = bootRig(WHOLE_LIFE + DUMP_CORE);
  await host.create(config, { uuid: GUEST_UUID });
  const report = await host.dumpCore('secure1');
  expect(report.value).toEqual({ domid: 1, pages: 32768, vcpus: 2, addressSize: 64 });
  expectSame(checksOf(report), 'dump-core');
});

test('destroying a guest makes the checks of xl destroy and of the two daemons', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  await host.create(config, { uuid: GUEST_UUID });
  const report = await host.destroy('secure1');
  expect(report.outcome).toBe('done');
  expectSame(checksOf(report), 'destroy');
});

test('the memory and the pins of the build are checked where libxc works on them', async () => {
  const { host } = bootRig(WHOLE_LIFE);
  const report = await host.create(config, { uuid: GUEST_UUID, paused: true });
  const made = report.timeline
    .flatMap((step) => step.hypercalls)
    .filter(({ process }) => process === 'libxc')
    .map(({ name, count }) => `${count} ${name}`);
  expect(made).toEqual([
    '1 sysctl.get_cpu_policy',
    '1 sysctl.get_cpu_featureset',
    '1 sysctl.get_cpu_policy',
    '1 domctl.set_cpu_policy',
    '1 domctl.set_address_size',
    '1 memory_op.claim_pages',
    '64 memory_op.populate_physmap',
    '1 memory_op.claim_pages',
    '32 mmu_update.map_foreign',
    '1 domctl.getdomaininfo',
    '2 mmu_update.map_foreign',
    '1 mmuext_op.pin_table',
    '1 mmu_update.map_foreign',
    '1 domctl.setvcpucontext',
    '35 mmu_update.unmap_foreign',
    '1 memory_op.acquire_resource',
    '1 mmu_update.map_foreign',
    '1 mmu_update.unmap_foreign',
  ]);
});

const pvh = guestConfig(PVH_CFG);

test('creating a PVH guest makes the checks of xl create, in their order', async () => {
  const { host } = bootRig(WHOLE_LIFE + PVH_LIFE);
  const report = await host.create(pvh, { uuid: GUEST_UUID, paused: true });
  expect(report.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  expectSame(checksOf(report), 'pvh-create-paused');
  expectSame(checksOf(await host.unpause('secure1')), 'pvh-unpause');
});

test('the kernel of a PVH guest that starts makes the checks of a Linux guest, as far as they were recorded', async () => {
  const { host } = bootRig(WHOLE_LIFE + PVH_LIFE);
  const report = await host.create(pvh, { uuid: GUEST_UUID });
  const found = checksOf(report, 'guest');
  expectSame(found.slice(0, golden('pvh-guest-start').length), 'pvh-guest-start');
  expect(found.slice(golden('pvh-guest-start').length)).toEqual([
    'grant { query } nomigrate_t nomigrate_t_self',
    'hvm { getparam } nomigrate_t nomigrate_t_self',
  ]);
  expect(report.diagnostics.filter(({ severity }) => severity !== 'note')).toEqual([]);
});

const everything = WHOLE_LIFE + PVH_LIFE + OPERATIONS + SAVE_RESTORE;

test('each small operation on a guest makes the checks of xl', async () => {
  const { host } = bootRig(everything);
  await host.create(config, { uuid: GUEST_UUID });
  const operations: Readonly<Record<string, () => Promise<OperationReport<unknown>>>> = {
    'vm-list': () => host.vmList(),
    'vcpu-list': () => host.vcpuList('secure1'),
    'vcpu-pin': () => host.vcpuPin('secure1', '0', '0', 'all'),
    'vcpu-set': () => host.vcpuSet('secure1', 1),
    'mem-set': () => host.memSet('secure1', 120 * 1024),
    'mem-max': () => host.memMax('secure1', 150 * 1024),
    'sched-credit2': () => host.schedCredit2('secure1'),
    'sched-credit2-set': () => host.schedCredit2('secure1', { weight: 200 }),
    sysrq: () => host.sysrq('secure1', 'h'),
    trigger: () => host.trigger('secure1', 'nmi'),
    domid: () => host.domid('secure1'),
    domname: () => host.domname('1'),
    info: () => host.info(),
    rename: () => host.rename('secure1', 'secure2'),
  };
  for (const [name, ask] of Object.entries(operations)) {
    const report = await ask();
    expect([name, report.outcome, report.xlExitCode, report.diagnostics]).toEqual([name, 'done', 0, []]);
    expectSame(checksOf(report), name);
  }
});

test('asking a guest to stop makes the checks of xl shutdown, and its end those of the xl that waited for it', async () => {
  const { host } = bootRig(everything);
  await host.create(config, { uuid: GUEST_UUID });
  const report = await host.shutdown('secure1');
  expect(report.outcome).toBe('done');
  const found = checksOf(report);
  const request = golden('shutdown-request');
  expectSame(found.slice(0, request.length), 'shutdown-request');
  // The recording has one look too many to fold: the last of the request, and the first of xenstored.
  expectSame([request.at(-1) ?? '', ...found.slice(request.length)], 'pvh-crash');
});

test('saving a guest makes the checks of xl save', async () => {
  const { host } = bootRig(everything);
  await host.create(config, { uuid: GUEST_UUID });
  await host.vcpuSet('secure1', 1);
  const report = await host.save('secure1');
  expect([report.outcome, report.diagnostics]).toEqual(['done', []]);
  expectSame(checksOf(report), 'save');
});

test('restoring a guest makes the checks of xl restore, as far as they were recorded', async () => {
  const { host } = bootRig(everything);
  await host.create(config, { uuid: GUEST_UUID });
  const { value } = await host.save('secure1');
  const report = await host.restore(value, { uuid: GUEST_UUID, paused: true });
  expect(report.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const found = checksOf(report);
  const recorded = golden('restore-paused');
  expectSame(found.slice(0, recorded.length), 'restore-paused');
  // From there on it goes as for a guest that is new.
  const fresh = golden('create-paused');
  const rest = fresh.slice(fresh.indexOf('domain2 { resource_map } dom0_t nomigrate_t_building') + 1);
  expect(found.slice(recorded.length)).toEqual(rest);
});

test('the memory of a PVH guest may lie above the hole for devices, and comes in large pieces', async () => {
  const { host } = bootRig(everything);
  const big = guestConfig(PVH_CFG.replace('memory = 128', 'memory = 6144'));
  const report = await host.create(big, { uuid: GUEST_UUID, paused: true });
  expect(report.outcome).toBe('done');
  const populated = report.timeline
    .flatMap((step) => step.hypercalls)
    .filter(({ name }) => name === 'memory_op.populate_physmap')
    .reduce((sum, { count }) => sum + count, 0);
  // 3 GiB in pages of 1 GiB, 960 MiB in pieces of 8 MiB; above, 2 GiB and 64 MiB; then ACPI tables and special pages.
  expect(populated).toBe(3 + 120 + 2 + 8 + 16 + 1);
});

test('every recording is held against the simulated host', async () => {
  const names = readdirSync(new URL('./golden', import.meta.url)).map((file) => file.replace(/\.txt$/, ''));
  for (const name of names) expect([name, await simulated(name)]).toEqual([name, expect.any(Array)]);
});
