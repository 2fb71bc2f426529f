/** A guest that goes from one host to another: which checks each side makes, and what is left where it fails. */
import { Hypervisor } from '@dewar/hypervisor';
import { LibxlHost, type Migration, type OperationReport } from '@dewar/toolstack';
import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import {
  GUEST_UUID,
  guestConfig,
  HOST_RULES,
  OPERATIONS,
  PVH_CFG,
  PVH_LIFE,
  policyBytes,
  SAVE_RESTORE,
  WHOLE_LIFE,
} from './rig-policy.ts';

const LIVE = 'allow dom0_t nomigrate_t:shadow logdirty;\n';
const ALL: string = WHOLE_LIFE + PVH_LIFE + OPERATIONS + SAVE_RESTORE + LIVE;

function bootHost(rules: string = ALL, gone: readonly string[] = [], hostRules: string = HOST_RULES) {
  const boot = Hypervisor.boot({ policy: policyBytes(rules, hostRules, gone) });
  if (boot.kind === 'refused') throw new Error(boot.reason);
  return { hypervisor: boot.hypervisor, host: new LibxlHost(boot.hypervisor) };
}

const OPTIONS = { uuid: GUEST_UUID };

/** The checks of a report on one label, in order, equal neighbours once. */
function checksOn({ timeline }: OperationReport, type: string): string[] {
  const lines: string[] = [];
  for (const check of timeline.flatMap((step) => step.hypercalls).flatMap(({ checks }) => checks)) {
    if (check.target.split(':')[2] !== type || check.permissions[0] === 'getdomaininfo') continue;
    const line = `${check.class} { ${check.permissions.join(' ')} }`;
    if (lines.at(-1) !== line) lines.push(line);
  }
  return lines;
}

async function namesOn(host: LibxlHost): Promise<string[]> {
  return ((await host.list()).value ?? []).slice(1).map(({ name, state, label }) => `${name} ${state} ${label}`);
}

const RUNNING = 'secure1 running user_1:vm_r:nomigrate_t';

test.each([
  ['PV', guestConfig()],
  ['PVH', guestConfig(PVH_CFG)],
])('a %s guest arrives under its running label, and is gone where it was', async (_, config) => {
  const [from, to] = [bootHost(), bootHost()];
  await from.host.create(config, OPTIONS);
  const { source, target } = await from.host.migrate('secure1', to.host, OPTIONS);
  expect([source.outcome, source.xlExitCode, source.diagnostics]).toEqual(['done', 0, []]);
  expect(target?.diagnostics.filter(({ severity }) => severity !== 'note')).toEqual([]);
  expect(await namesOn(from.host)).toEqual([]);
  expect(await namesOn(to.host)).toEqual([RUNNING]);
  expect(target?.labelChanges.map(({ from: before, to: after }) => [before, after])).toEqual([
    ['user_1:vm_r:nomigrate_t_building', 'user_1:vm_r:nomigrate_t'],
  ]);
});

test('the sender makes the checks of a live save: its memory is read before the guest is suspended', async () => {
  const [from, to] = [bootHost(), bootHost()];
  await from.host.create(guestConfig(), OPTIONS);
  const { source, target } = await from.host.migrate('secure1', to.host, OPTIONS);
  // XEN: xg_sr_save.c send_domain_memory_live(), between what `xl save` was recorded to check.
  expect(checksOn(source, 'nomigrate_t')).toEqual([
    'domain { getscheduler }',
    'domain2 { get_vnumainfo }',
    'domain { getaddrsize }',
    'mmu { map_read }',
    'domain2 { get_cpu_policy }',
    'shadow { logdirty }',
    'mmu { pageinfo }',
    'mmu { map_read }',
    ...Array.from({ length: 31 }, () => ['mmu { pageinfo }', 'mmu { map_read }']).flat(),
    'shadow { logdirty }',
    'mmu { pageinfo }',
    'mmu { map_read }',
    'shadow { logdirty }',
    'mmu { pageinfo }',
    'mmu { map_read }',
    'domain2 { gettsc }',
    'domain { getvcpuinfo }',
    'domain { getvcpucontext }',
    'domain { getvcpuinfo }',
    'domain { getvcpucontext }',
    'shadow { disable }',
    'domain { pause }',
    'domain { destroy }',
    'grant { unmap }',
  ]);
  expect(source.xlMessages).toEqual([
    expect.stringMatching(/^Saving to migration stream new xl format \(info 0x3\/0x0\/\d+\)$/),
    'xc: info: Saving domain 1, type x86 PV',
    'migration sender: Target has acknowledged transfer.',
    'migration sender: Giving target permission to start.',
    'migration sender: Target reports successful startup.',
    'Migration successful.',
  ]);
  expect(target?.xlMessages.filter((line) => line.startsWith('migration'))).toEqual([
    'migration target: Ready to receive domain.',
    'migration target: Transfer complete, requesting permission to start domain.',
    'migration target: Got permission, starting domain.',
    'migration target: Domain started successsfully.',
  ]);
});

test('labels travel as text: the target gives them SIDs of its own', async () => {
  const [from, to] = [bootHost(), bootHost()];
  // The same labels have other SIDs on a host that has been asked for others before.
  await to.host.create(
    guestConfig("name = 'other'\ntype = 'pv'\nkernel = '/k'\nseclabel = 'user_1:vm_r:domU_t'"),
    OPTIONS,
  );
  await from.host.create(guestConfig(), OPTIONS);
  const sid = from.hypervisor.inspectDomain(1 as never)?.info.ssidref;
  const { target } = await from.host.migrate('secure1', to.host, OPTIONS);
  const arrived = to.hypervisor.inspectDomain((target?.domain?.domid ?? 0) as never);
  expect(arrived?.label).toBe('user_1:vm_r:nomigrate_t');
  expect(arrived?.info.ssidref).not.toBe(sid);
});

test.each([
  ['the building label', ['nomigrate_t_building']],
  ['both labels', ['nomigrate_t_building', 'nomigrate_t']],
])('where the target does not know %s the guest goes on where it is', async (_, gone) => {
  const rules =
    gone.length === 2
      ? ''
      : ALL.split('\n')
          .filter((line) => !line.includes('_building'))
          .join('\n');
  const hostRules = HOST_RULES.split('\n').filter((line) => !gone.some((type) => line.includes(`${type} `)));
  const [from, to] = [bootHost(), bootHost(rules, gone, hostRules.join('\n'))];
  await from.host.create(guestConfig(), OPTIONS);
  const { source, target } = await from.host.migrate('secure1', to.host, OPTIONS);
  expect([source.outcome, source.xlExitCode]).toEqual(['failed', 1]);
  expect(target?.diagnostics.map(({ code }) => code)).toEqual(['guest/invalid-label']);
  expect(target?.xlMessages.at(-1)).toBe('migration target: Domain creation failed (code -1).');
  expect(await namesOn(from.host)).toEqual([RUNNING]);
  expect(await namesOn(to.host)).toEqual([]);
});

test('a guest that may not be watched is not migrated, and goes on', async () => {
  const [from, to] = [bootHost(ALL.replace('shadow logdirty', 'shadow enable')), bootHost()];
  await from.host.create(guestConfig(), OPTIONS);
  const { source } = await from.host.migrate('secure1', to.host, OPTIONS);
  expect(source.outcome).toBe('failed');
  expect(source.diagnostics[0]?.notes?.map(({ message }) => message)).toContain(
    '`system_u:system_r:dom0_t` lacks `shadow { logdirty }` on `user_1:vm_r:nomigrate_t`',
  );
  expect(await namesOn(from.host)).toEqual([RUNNING]);
  expect(await namesOn(to.host)).toEqual([]);
});

test('a name that the target has taken sends the guest back', async () => {
  const [from, to] = [bootHost(), bootHost()];
  await from.host.create(guestConfig(), OPTIONS);
  await to.host.create(guestConfig(), OPTIONS);
  const { source, target } = await from.host.migrate('secure1', to.host, OPTIONS);
  expect([source.outcome, target?.outcome]).toEqual(['failed', 'failed']);
  expect(source.xlMessages.slice(-4)).toEqual([
    'migration sender: Target reports startup failure (status code 6).',
    'migration sender: Trying to resume at our end.',
    'migration sender: Resumed OK.',
    'Migration failed due to problems at target.',
  ]);
  expect(await namesOn(from.host)).toEqual([RUNNING]);
  expect(await namesOn(to.host)).toEqual([RUNNING]);
});

const grants = (ALL + HOST_RULES).split('\n').flatMap((line) => {
  const rule = /^allow (\S+|\{[^}]*\}) (\S+|\{[^}]*\}):(\w+) (?:\{([^}]*)\}|(\w+));$/.exec(line);
  if (rule === null || line.includes('xenboot_t')) return [];
  const [, source, target, tclass, list, one] = rule;
  return (list ?? one ?? '')
    .trim()
    .split(/\s+/)
    .map((name) => `allow ${source} ${target}:${tclass} ${name};`);
});
const rest = HOST_RULES.split('\n').filter((line) => !line.startsWith('allow') || line.includes('xenboot_t'));

property.prop(
  [fc.subarray([...grants.keys()], { maxLength: 2 }), fc.constantFrom<'source' | 'target'>('source', 'target')],
  { numRuns: 60 },
)(
  'whatever is denied on either side, the guest runs on at most one of them and is never lost without word',
  async (missing, side) => {
    const policy = policyBytes(grants.filter((_, i) => !missing.includes(i)).join('\n'), rest.join('\n'));
    const [from, to] = [bootHost(), bootHost()];
    await from.host.create(guestConfig(), OPTIONS);
    await (side === 'source' ? from : to).host.loadPolicy(policy);
    const { source, target }: Migration = await from.host.migrate('secure1', to.host, OPTIONS);
    const runsOn = [from, to].filter(({ hypervisor }) =>
      [1, 2, 3].some((domid) => hypervisor.inspectDomain(domid as never)?.info.isRunning === true),
    );
    expect(runsOn.length).toBeLessThanOrEqual(1);
    if (runsOn.length === 1) return;
    const said = [...source.diagnostics, ...(target?.diagnostics ?? [])];
    expect(said.some(({ severity }) => severity === 'error')).toBe(true);
  },
);
