/** The table of what each command of xl asks for: made from what the commands do on a simulated host, and held by it. */
import type { OperationReport } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import { bootRig, GUEST_UUID, guestConfig, PVH_CFG, policyBytes, type Rig, WHOLE_LIFE } from './rig-policy.ts';

/** Whose label a type of the rig's policy is. */
const PARTIES: Readonly<Record<string, string>> = {
  dom0_t: 'dom0',
  nomigrate_t_building: 'build-label',
  nomigrate_t: 'guest',
  nomigrate_t_self: 'guest-itself',
  dom0_t_channel: 'dom0-channel',
  guest_t_channel: 'guest-channel',
  xen_t: 'xen',
  domxen_t: 'domxen',
  security_t: 'security',
};

function party(label: string): string {
  const type = label.split(':')[2] ?? '';
  const found = PARTIES[type];
  if (found === undefined) throw new Error(`whose label is ${label}?`);
  return found;
}

/** Commands by their xl names. What only Dewar asks is none. */
const COMMANDS: Readonly<Record<string, string>> = {
  booleans: 'flask-get-bool',
  'set-boolean': 'flask-set-bool',
  'load-policy': 'xl loadpolicy',
};

const table = new Map<string, Set<string>>();

function record(report: OperationReport<unknown>): void {
  const command = COMMANDS[report.operation] ?? `xl ${report.operation}`;
  const checks = table.get(command) ?? new Set();
  table.set(command, checks);
  for (const { hypercalls } of report.timeline) {
    for (const call of hypercalls) {
      for (const one of call.checks)
        checks.add(`${party(one.source)} ${party(one.target)} ${one.class} ${one.permissions.join('+')} ${call.name}`);
    }
  }
}

async function runAll({ host }: Rig, cfg?: string): Promise<void> {
  const config = guestConfig(...(cfg === undefined ? [] : [cfg]));
  const options = { uuid: GUEST_UUID };
  const name = 'secure1';
  const done = async (asked: Promise<OperationReport<unknown>>): Promise<void> => {
    const report = await asked;
    expect([report.operation, report.outcome]).toEqual([report.operation, 'done']);
    record(report);
  };
  await done(host.create(config, options));
  await done(host.list());
  await done(host.vmList());
  await done(host.info());
  await done(host.pause(name));
  await done(host.unpause(name));
  await done(host.vcpuList(name));
  await done(host.vcpuPin(name, 'all', 'all'));
  await done(host.vcpuSet(name, 1));
  await done(host.memMax(name, 256 * 1024));
  await done(host.memSet(name, 96 * 1024));
  await done(host.schedCredit2(name));
  await done(host.schedCredit2(name, { weight: 300 }));
  await done(host.trigger(name, 'nmi', 0));
  await done(host.sysrq(name, 's'));
  await done(host.domid(name));
  await done(host.domname('1'));
  await done(host.console(name));
  await done(host.debugKeys('h'));
  await done(host.blockAttach(name, ['phy:/dev/loop0,xvda,w']));
  await done(host.blockList([name]));
  await done(host.networkAttach(name, []));
  await done(host.networkList([name]));
  await done(host.networkDetach(name, '0'));
  await done(host.blockDetach(name, 'xvda'));
  await done(host.dumpCore(name));
  await done(host.reboot(name, { wait: false }));
  await done(host.save(name, { checkpoint: true }));
  const saved = await host.save(name);
  record(saved);
  await done(host.restore(JSON.parse(JSON.stringify(saved.value)), options));
  await done(host.rename(name, 'other'));
  await done(host.shutdown('other', { wait: false }));
  await done(host.create(config, options));
  await done(host.destroy(name));
  await done(host.dmesg());
  await done(host.dmesg({ clear: true }));
  await done(host.getenforce());
  await done(host.setenforce(true));
  await done(host.setenforce(false));
  await done(host.booleans());
  await done(host.setBoolean('spare', true));
  await done(host.loadPolicy(policyBytes(`bool spare false;\n${WHOLE_LIFE}`)));
}

/** A value of the table as Biome lays it out. */
function entry(command: string, checks: readonly string[]): string {
  const key = /^[a-z]+$/.test(command) ? command : `'${command}'`;
  const one = `  ${key}: [${checks.map((check) => `'${check}'`).join(', ')}],`;
  if (one.length <= 120) return one;
  return [`  ${key}: [`, ...checks.map((check) => `    '${check}',`), '  ],'].join('\n');
}

test('the table has what each command asks of Xen, for PV and PVH guests that are built under a label of their own', async () => {
  for (const cfg of [undefined, PVH_CFG]) await runAll(bootRig(`bool spare false;\n${WHOLE_LIFE}`, false), cfg);
  const text = [
    '/**',
    ' * What each command of xl asks for on Xen 4.17: data, recorded from what the commands do on a simulated host.',
    ' *',
    ' * Made and held by `tests/traces/xl-checks.test.ts`; do not edit. A check: source, target, class, permissions, hypercall.',
    ' *',
    ' * @module',
    ' */',
    '',
    '/** The checks of each command, sorted. `build-label` is the label of `init_seclabel`, under which a guest is built. */',
    'export const XL_CHECKS: Readonly<Record<string, readonly string[]>> = {',
    ...[...table].sort(([a], [b]) => (a < b ? -1 : 1)).map(([command, checks]) => entry(command, [...checks].sort())),
    '};',
    '',
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../packages/hypervisor/src/xl-checks.ts');
});
