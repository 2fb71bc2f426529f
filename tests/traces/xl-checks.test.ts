/** The tables of what each command of xl asks for: made from what the commands do on a simulated host, and held by it. */
import { Hypervisor } from '@dewar/hypervisor';
import { BASELINE_RELEASE, XEN_RELEASES, type XenReleaseName } from '@dewar/policy/releases';
import { LibxlHost, type OperationReport } from '@dewar/toolstack';
import { expect, test } from 'vitest';
import { GUEST_UUID, guestConfig, HOST_RULES, PVH_CFG, policyOfRelease, type Rig } from './rig-policy.ts';

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

/** The checks of each command. */
type Table = Map<string, Set<string>>;

function record(table: Table, report: OperationReport<unknown>): void {
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

async function runAll(table: Table, { host }: Rig, policy: Uint8Array, cfg?: string): Promise<void> {
  const config = guestConfig(...(cfg === undefined ? [] : [cfg]));
  const options = { uuid: GUEST_UUID };
  const name = 'secure1';
  const done = async (asked: Promise<OperationReport<unknown>>): Promise<void> => {
    const report = await asked;
    expect([report.operation, report.outcome]).toEqual([report.operation, 'done']);
    record(table, report);
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
  record(table, saved);
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
  await done(host.loadPolicy(policy));
}

/**
 * What each command asks for in a release. Permissive, so that no rule is needed but those that give labels, and those of
 * a host that is asked to enforce.
 */
async function tableOf(release: XenReleaseName): Promise<Table> {
  const transitions = HOST_RULES.split('\n').filter((line) => line.startsWith('type_transition'));
  const policy = policyOfRelease(
    release,
    `bool spare false;
allow dom0_t security_t:security { setenforce load_policy setbool };
allow dom0_t xen_t:xen physinfo;
${transitions.join('\n')}`,
  );
  const table: Table = new Map();
  for (const cfg of [undefined, PVH_CFG]) {
    const outcome = Hypervisor.boot({ policy, flask: 'permissive', release });
    if (outcome.kind === 'refused') throw new Error(outcome.reason);
    const { hypervisor } = outcome;
    await runAll(table, { hypervisor, host: new LibxlHost(hypervisor) }, policy, cfg);
  }
  return table;
}

/** What a table has more or less than another one, with a sign before it, and the commands in which it does. */
function changesOf(table: Table, base: Table): Map<string, readonly string[]> {
  const changes = new Map<string, string[]>();
  for (const [command, checks] of [...base].sort()) {
    const now = table.get(command) ?? new Set();
    const lines = [...now].filter((check) => !checks.has(check)).map((check) => `+ ${check}`);
    lines.push(...[...checks].filter((check) => !now.has(check)).map((check) => `- ${check}`));
    for (const line of lines) changes.set(line, [...(changes.get(line) ?? []), command]);
  }
  return changes;
}

/** A list under a key, as Biome lays it out. */
function listEntry(key: string, values: readonly string[], indent: number): string[] {
  const space = ' '.repeat(indent);
  const one = `${space}${key}: [${values.map((value) => `'${value}'`).join(', ')}],`;
  if (one.length <= 120) return [one];
  return [`${space}${key}: [`, ...values.map((value) => `${space}  '${value}',`), `${space}],`];
}

const quoted = (key: string): string => (/^[a-z]+$/.test(key) ? key : `'${key}'`);

const heading = (title: string): string[] => [
  '/**',
  ` * ${title}: data, recorded from what the commands do on a simulated host.`,
  ' *',
  ' * Made and held by `tests/traces/xl-checks.test.ts`; do not edit. A check: source, target, class, permissions, hypercall.',
  ' *',
  ' * @module',
  ' */',
];

const base = await tableOf(BASELINE_RELEASE);

test('the table has what each command asks of Xen, for PV and PVH guests that are built under a label of their own', async () => {
  const commands = [...base].sort(([a], [b]) => (a < b ? -1 : 1));
  const text = [
    ...heading('What each command of xl asks for on Xen 4.17'),
    '',
    '/** The checks of each command, sorted. `build-label` is the label of `init_seclabel`, under which a guest is built. */',
    'export const XL_CHECKS: Readonly<Record<string, readonly string[]>> = {',
    ...commands.flatMap(([command, checks]) => listEntry(quoted(command), [...checks].sort(), 2)),
    '};',
    '',
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../packages/hypervisor/src/xl-checks.ts');
});

test('the other table has what they ask for more, or not, on other releases', async () => {
  const found = new Map<string, { change: string; commands: readonly string[]; releases: string[] }>();
  for (const release of XEN_RELEASES) {
    for (const [change, commands] of changesOf(await tableOf(release), base)) {
      const key = [change, ...commands].join(', ');
      const known = found.get(key) ?? { change, commands, releases: [] };
      known.releases.push(release);
      found.set(key, known);
    }
  }
  const entries = [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, { change, commands, releases }]) => [
      '  {',
      `    change: '${change}',`,
      ...listEntry('releases', releases, 4),
      ...listEntry('commands', commands, 4),
      '  },',
    ]);
  const text = [
    ...heading('What commands of xl ask for on other releases than Xen 4.17'),
    '',
    '/** A check that commands make on some releases and not on 4.17, with `+` before it, or with `-` for the reverse. */',
    'export interface XlCheckChange {',
    '  readonly change: string;',
    '  readonly releases: readonly string[];',
    '  readonly commands: readonly string[];',
    '}',
    '',
    '/** Sorted by check and commands. */',
    'export const XL_CHECK_CHANGES: readonly XlCheckChange[] = [',
    ...entries,
    '];',
    '',
  ].join('\n');
  await expect(text).toMatchFileSnapshot('../../packages/hypervisor/src/xl-check-changes.ts');
});
