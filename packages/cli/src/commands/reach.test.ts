/** `dewar reach`: what it says of Xen's own example policy, whose answers are known, and of ours. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { xenTree } from '@dewar/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';

interface AccessJson {
  readonly holder: string;
  readonly way: string;
  readonly consent?: string;
  readonly gives: { readonly kind: string; readonly extent?: string; readonly isControl?: boolean };
}
interface ReachJson {
  readonly phases: readonly {
    readonly phase: string;
    readonly access: readonly AccessJson[];
    readonly underOtherBooleans: readonly { readonly booleans: object; readonly access: readonly AccessJson[] }[];
  }[];
  readonly obtained: readonly { readonly actor: string; readonly steps: readonly { readonly way: string }[] }[];
  readonly operations: {
    readonly [name: string]: readonly { readonly permission: string; readonly isAllowed: boolean }[];
  };
  readonly notCovered: readonly string[];
}

async function reach(...args: readonly string[]): Promise<ReachJson> {
  const { code, out, err } = await dewar('reach', '--json', ...args);
  expect([code, err]).toEqual([0, '']);
  // The shape is the command's own, asked for below.
  return JSON.parse(out) as ReachJson;
}

const types = (access: readonly AccessJson[]): string[] => [
  ...new Set(access.map(({ holder }) => holder.split(':')[2] ?? '')),
];
const whole = ({ gives, consent }: AccessJson): boolean =>
  consent === undefined && (gives.extent === 'all' || gives.isControl === true);
const phase = ({ phases }: ReachJson, name: string): ReachJson['phases'][number] => {
  const found = phases.find((one) => one.phase === name);
  if (found === undefined) throw new Error(`no phase ${name}`);
  return found;
};

const tree = xenTree();

describe.skipIf(tree === undefined)("on Xen's own example policy", () => {
  const policy = join(tree ?? '', 'tools/flask/policy');
  const nomigrate = ['-l', 'user_1:vm_r:nomigrate_t', '-b', 'user_1:vm_r:nomigrate_t_building', '--policy', policy];

  test('only dom0 maps a nomigrate guest while it is built, and nobody once it runs', async () => {
    const answer = await reach(...nomigrate);
    const built = phase(answer, 'built').access.filter(whole);
    expect(types(built)).toEqual(['dom0_t']);
    expect(built.map(({ way }) => way)).toEqual(expect.arrayContaining(['map-read', 'map-write']));
    for (const name of ['running', 'saved', 'dying']) expect(phase(answer, name).access.filter(whole)).toEqual([]);
    const grants = phase(answer, 'running').access.filter(({ way }) => way === 'grant-map-read');
    expect(types(grants).sort()).toEqual(['dom0_t', 'xenstore_t']);
    expect(answer.notCovered.join()).toContain('mappings made before a change of label');
    const policyPower = answer.obtained.filter(({ steps }) => steps.at(-1)?.way === 'load-policy');
    expect(policyPower.map(({ actor }) => actor.split(':')[2])).toContain('dom0_t');
  });

  test('dom0 maps an isolated guest all its life', async () => {
    const answer = await reach('-l', 'user_1:vm_r:isolated_domU_t', '--policy', policy);
    for (const name of ['built', 'running', 'saved'])
      expect(types(phase(answer, name).access.filter(whole))).toEqual(['dom0_t']);
  });

  test('a nomigrate guest cannot be saved, an isolated one can', async () => {
    const missing = ({ operations }: ReachJson): string[] =>
      (operations['save'] ?? []).filter(({ isAllowed }) => !isAllowed).map(({ permission }) => permission);
    expect(missing(await reach(...nomigrate)).sort()).toEqual(
      [
        'disable',
        'enable',
        'getparam',
        'gethvmc',
        'gettsc',
        'getvcpucontext',
        'logdirty',
        'map_read',
        'pageinfo',
        'stat',
      ].sort(),
    );
    expect(missing(await reach('-l', 'user_1:vm_r:isolated_domU_t', '--policy', policy))).toEqual([]);
  });

  test.each([
    ['domU_t', true, true],
    ['isolated_domU_t', false, false],
  ])('a network card for %s', async (type, isAdded, isUsed) => {
    const label = `user_1:vm_r:${type}`;
    const { operations } = await reach('-l', label, '--device', 'system_u:object_r:nic_dev_t', '--policy', policy);
    expect(operations['passthrough']?.map(({ permission, isAllowed }) => [permission, isAllowed])).toEqual([
      ['add', isAdded],
      ['add_device', true],
      ['use_iommu', isUsed],
      ['use_iommu_nointremap', isUsed],
      ['use_noiommu', isUsed],
    ]);
  });

  test('isolation does not cover Argo', async () => {
    const answer = await reach('-l', 'user_1:vm_r:isolated_domU_t', '--by', 'domU_t', '--policy', policy);
    const ways = new Set(phase(answer, 'running').access.map(({ way }) => way));
    expect([...ways].sort()).toEqual(['argo-receive', 'argo-send']);
  });

  test('the relabel is three checks, and the channels keep their label', async () => {
    const { operations } = await reach(...nomigrate);
    expect(operations['relabel']?.map(({ permission, isAllowed }) => [permission, isAllowed])).toEqual([
      ['relabelfrom', true],
      ['relabelto', true],
      ['transition', true],
    ]);
    expect(operations['labels']).toEqual([
      {
        phase: 'built',
        self: 'user_1:vm_r:nomigrate_t_building',
        channel: 'user_1:object_r:nomigrate_t_channel',
      },
      { phase: 'running', self: 'user_1:vm_r:nomigrate_t_self', channel: 'user_1:object_r:nomigrate_t_channel' },
    ]);
  });
});

test('a boolean that gives the memory back is named', async () => {
  const guest = ['-l', 'customer_1:vm_r:prot_domU_t'];
  const open = (await dewar('reach', ...guest)).out;
  expect(open).toMatch(/^ {2}dom0_t reads and writes it$/m);
  expect(open).toMatch(/through `create_domain`, `create_domain_common`/);
  const locked = await reach(...guest, '-D', 'prot_doms_locked_conf=true');
  const running = phase(locked, 'running');
  expect(running.access.filter(whole)).toEqual([]);
  expect(running.underOtherBooleans.map(({ booleans }) => booleans)).toContainEqual({ prot_doms_locked: false });
  expect(types(running.underOtherBooleans.flatMap(({ access }) => access).filter(whole))).toEqual(['dom0_t']);
});

test('a label that is not valid is an error with a suggestion', async () => {
  const { code, err } = await dewar('reach', '-l', 'customer_1:vm_r:nomigrate_tt');
  expect(code).toBe(1);
  expect(err).toContain('did you mean `nomigrate_t`?');
});

test('a guest is named in one way', async () => {
  expect((await dewar('reach', '-l', 'a:b:c', '--domain', 'x')).code).toBe(2);
  expect((await dewar('reach', '-b', 'a:b:c')).code).toBe(2);
});

describe('on a simulated host', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-reach-'));
  const guest = join(folder, 'prot.cfg');
  beforeAll(async () => {
    process.env['DEWAR_STATE_DIR'] = join(folder, 'state');
    writeFileSync(
      guest,
      "name = 'prot'\nseclabel = 'customer_1:vm_r:prot_domU_t'\nkernel = '/boot/vmlinuz'\nmemory = 64\n",
    );
    expect((await dewar('create', guest, '--host', 'simulated')).code).toBe(0);
  });
  afterAll(() => {
    delete process.env['DEWAR_STATE_DIR'];
    rmSync(folder, { recursive: true });
  });
  const readers = (answer: ReachJson): string[] => types(phase(answer, 'running').access.filter(whole));

  test('a guest that runs is named by its domain', async () => {
    const answer = await reach('--domain', 'prot');
    expect(readers(answer)).toEqual(['dom0_t']);
    const { phases, obtained } = await reach('--host', 'simulated', '-l', 'customer_1:vm_r:prot_domU_t');
    expect([answer.phases, answer.obtained]).toEqual([phases, obtained]);
    const missing = await dewar('reach', '--domain', 'nobody');
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('the host has no domain `nobody`')]);
  });

  test('the booleans of the host count, not those of a fresh boot', async () => {
    expect((await dewar('set-bool', 'prot_doms_locked', '1', '--host', 'simulated')).code).toBe(0);
    const locked = await reach('--domain', 'prot');
    expect(readers(locked)).toEqual([]);
    const without = await reach('-l', 'customer_1:vm_r:prot_domU_t');
    expect(readers(without)).toEqual(['dom0_t']);
    expect((await dewar('set-bool', 'prot_doms_locked', '0', '--host', 'simulated')).code).toBe(0);
    expect(readers(await reach('--domain', 'prot'))).toEqual(['dom0_t']);
  });
});
