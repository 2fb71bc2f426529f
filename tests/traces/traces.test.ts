/** Holds the checks of the simulated host side by side with those that real Xen 4.17.5 was seen to make. */
import { readFileSync } from 'node:fs';
import { DOM0, type OperationReport } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import { bootRig, DUMP_CORE, GUEST_UUID, guestConfig, WHOLE_LIFE } from './rig-policy.ts';

/** What the recordings leave out; their headers say so. */
const NOT_RECORDED = new Set([
  'mmu map_read',
  'mmu map_read map_write',
  'mmu mmuext_op',
  'mmu updatemp',
  'domain destroy',
  'event send',
  'event status',
]);

/** Our small policy has one channel type for all guests. */
const SAME_TYPE: Readonly<Record<string, string>> = { guest_t_channel: 'nomigrate_t_channel' };

function typeOf(context: string): string {
  const type = context.split(':')[2] ?? context;
  return SAME_TYPE[type] ?? type;
}

/** All checks in order, equal neighbours once. */
function checksOf({ timeline }: OperationReport<unknown>, of: 'dom0' | 'guest' = 'dom0'): string[] {
  const lines: string[] = [];
  for (const { checks, domid } of timeline.flatMap((step) => step.hypercalls.flatMap(repeat))) {
    if ((domid === DOM0) === (of === 'dom0')) {
      for (const check of checks) {
        const permissions = check.permissions.join(' ');
        if (NOT_RECORDED.has(`${check.class} ${permissions}`)) continue;
        // What a guest does to its own memory was not recorded either.
        if (of === 'guest' && check.class === 'mmu') continue;
        const line = `${check.class} { ${permissions} } ${typeOf(check.source)} ${typeOf(check.target)}`;
        if (lines.at(-1) !== line) lines.push(line);
      }
    }
  }
  return lines;
}

/** A record that stands for some equal hypercalls with more than one check stands for those checks in turn. */
function repeat<T extends { readonly count: number; readonly checks: readonly unknown[] }>(record: T): T[] {
  return record.checks.length > 1 ? Array.from({ length: record.count }, () => record) : [record];
}

function golden(name: string): string[] {
  const text = readFileSync(new URL(`./golden/${name}.txt`, import.meta.url), 'latin1');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

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
    '1 mmu_update.machphys_update',
    '1 mmuext_op.pin_table',
    '1 mmu_update.map_foreign',
    '1 domctl.setvcpucontext',
    '33 mmu_update.unmap_foreign',
    '1 memory_op.acquire_resource',
    '1 mmu_update.map_foreign',
    '1 mmu_update.unmap_foreign',
  ]);
});
