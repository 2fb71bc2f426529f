/** `--xen`: simulated hosts of other releases of Xen. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { dewar, dewarOn } from './captured-run.ts';
import { displayPath } from './policy-input.ts';

const scratch = mkdtempSync(join(tmpdir(), 'dewar-xen-'));
const exampleCfg = fileURLToPath(new URL('../../../examples/nomigrate/guest.cfg', import.meta.url));
let hosts = 0;

beforeEach(() => {
  process.env['DEWAR_STATE_DIR'] = join(scratch, `state-${++hosts}`);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

/** A policy that lets dom0 do everything to every guest, as text for one release. */
function policyFor(release: XenReleaseName): string {
  const { classes, initialSids } = xenRelease(release);
  const lines = [
    ...classes.map(({ name }) => `class ${name}`),
    ...initialSids.map((name) => `sid ${name}`),
    ...classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    'type host_t; type guest_t; type channel_t;',
    'type_transition { host_t guest_t } { host_t guest_t }:event channel_t;',
    ...classes.map(({ name }) => `allow { host_t guest_t channel_t } { host_t guest_t channel_t }:${name} *;`),
    'role system_r; role system_r types { host_t guest_t };',
    'user system_u roles { system_r };',
    ...initialSids.map((name) => `sid ${name} system_u:system_r:${name === 'domU' ? 'guest_t' : 'host_t'}`),
  ];
  return file(`xen-${release}.conf`, `${lines.join('\n')}\n`);
}

const guest = file('guest.cfg', "name = 'g'\ntype = 'pv'\nkernel = '/boot/vmlinuz'\nmemory = 64\n");

test('a guest is created on the release that is named, and the host keeps it', async () => {
  const policy = policyFor('4.13');
  const { code, out } = await dewar('create', '--xen', '4.13', '--policy', policy, guest);
  expect(code).toBe(0);
  expect(out).toContain('host      simulated Xen 4.13, enforcing\n');
  expect(out).toContain('the checks are those of Xen 4.13, the steps those of the toolstack of Xen 4.17\n');
  expect(out).toContain('is running under system_u:system_r:guest_t\n');

  const info = await dewar('host-info', '--policy', policy);
  expect(info.err).toBe('');
  expect(info.out).toMatch(/^xen_version +: 4\.13\.0$/m);
  expect((await dewar('list')).out).toContain('\ng ');
  const again = JSON.parse((await dewar('create', '--policy', policy, '--json', guest, "name='h'")).out);
  expect(again).toMatchObject({ xen: '4.13', domain: { domid: 2 } });
  expect((await dewar('loadpolicy', policy)).out).toBe('Successfully loaded policy.\n');
});

test('another release boots the host anew', async () => {
  // What 4.21 has more stands last, so that 4.20 takes its policy too.
  const policy = file('both.conf', readFileSync(policyFor('4.21'), 'latin1'));
  await dewar('create', '--xen', '4.20', '--policy', policy, guest);
  expect((await dewar('list', '--xen', '4.20', '--policy', policy)).err).toBe('');
  const { out, err } = await dewar('list', '--xen', '4.21', '--policy', policy);
  expect(err).toBe('note: the simulated host ran Xen 4.20; it was booted anew, and these guests are gone: g\n');
  expect(out).not.toContain('\ng ');
  const refused = await dewar('list', '--xen', '4.20');
  expect(refused.code).toBe(2);
  expect(refused.err).toMatch(/^dewar: the simulated host `both\.conf-\w+` runs Xen 4\.21: name its policy/);
});

test('a policy of another release is refused, with word of the release it is for', async () => {
  const { code, err } = await dewar('create', '--policy', policyFor('4.13'), guest);
  expect(code).toBe(1);
  expect(err).toContain('error: Xen does not start with the policy');
  expect(err).toContain('note: it is a policy for Xen 4.13: try `--xen 4.13`\n');
  const other = await dewar('create', '--xen', '4.8', '--policy', policyFor('4.13'), guest);
  expect(other.err).toContain('error: Xen 4.8 does not start with the policy');
});

test('a policy for 4.3 is compiled to the version that it reads', async () => {
  const { code, out, err } = await dewar('create', '--xen', '4.3', '--policy', policyFor('4.3'), guest);
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('host      simulated Xen 4.3, permissive\n');
  expect(out).toContain('label     the default one, of the initial SID unlabeled\n');
  const late = await dewar('list', '--xen', '4.3', '--flask', 'late', '--policy', policyFor('4.3'));
  expect(late.code).toBe(1);
  expect(late.err).toContain('Xen 4.3 has no `flask=late`\n');
});

test.each(['4.13', '4.14', '4.16', '4.17.7', '4.18', '4.19.6', '4.20', '4.21.1', '4.21.2', '4.22.0', 'master'])(
  'the example guest keeps its memory to itself on Xen %s',
  async (release) => {
    const { code, out } = await dewar('create', '--xen', release, exampleCfg);
    expect([code, out.match(/^probe: .*: denied$/gm)?.length]).toEqual([0, 2]);
  },
);

test('the example policy is not for older releases, and that is said', async () => {
  const { code, err } = await dewar('create', '--xen', '4.8', exampleCfg);
  expect(code).toBe(1);
  expect(err).toContain('Xen 4.8 has none of 11 names that the policy uses');
  expect(err).toContain(
    "note: Dewar's example policy is for Xen 4.13 and later: name a policy for Xen 4.8 with `--policy`\n",
  );
});

test('a release that has no tables is not one', async () => {
  const { code, err } = await dewar('create', '--xen', '4.18.2', exampleCfg);
  expect(code).toBe(2);
  expect(err).toContain(' For Xen 4.18.2 the nearest is 4.18, read from 4.18.5.');
  expect((await dewar('create', '--xen', '3.4', exampleCfg)).err).toContain('there are tables for 4.3, 4.8, 4.13,');
});

test('a host does not come up where xenstored of its release ends as it starts', async () => {
  const policy = policyFor('4.22');
  const without = file(
    'no-states.conf',
    readFileSync(policy, 'utf8').replace(':domain2 *;', ':domain2 ~get_domain_state;'),
  );
  const { code, err } = await dewar('create', '--xen', '4.22', '--policy', without, guest);
  expect(code).toBe(1);
  expect(err).toContain(
    `Xen 4.22 does not start with the policy \`${displayPath(without)}\`: xenstored ends as it starts`,
  );
  expect((await dewar('create', '--xen', '4.22', '--policy', policy, guest)).code).toBe(0);
});

test('compile tells, on a host of another Xen, how to compile for that', async () => {
  const onHost = (version: string): { helperFile: string; root: string } => {
    const root = mkdtempSync(join(scratch, 'root-'));
    const folder = join(root, 'sys/hypervisor/version');
    mkdirSync(folder, { recursive: true });
    const [major = '', minor = '', point = ''] = version.split('.');
    writeFileSync(join(folder, 'major'), `${major}\n`);
    writeFileSync(join(folder, 'minor'), `${minor}\n`);
    writeFileSync(join(folder, 'extra'), `.${point}\n`);
    return { helperFile: '', root };
  };
  const policy = policyFor('4.17');
  const there = await dewarOn(onHost('4.20.4'), ['compile', policy]);
  expect([there.code, there.err]).toEqual([
    0,
    'note: this host runs Xen 4.20.4, and the policy is one for 4.17: `--xen 4.20.4`\n',
  ]);
  expect((await dewarOn(onHost('4.17.5'), ['compile', policy])).err).toBe('');
  expect((await dewarOn(onHost('4.20.4'), ['compile', '--xen', '4.17', policy])).err).toBe('');
  expect((await dewar('compile', policy)).err).toBe('');
});

/** What xl and libxc of 4.21.2 said on a real Xen 4.21.2, which is built without shadow page tables. */
test('a PV guest cannot migrate where Xen does not see what it writes; a PVH guest can, and both can be saved', async () => {
  const policy = policyFor('4.21');
  const pvh = file('pvh.cfg', readFileSync(guest, 'utf8').replace("'pv'", "'pvh'").replace("'g'", "'h'"));
  for (const name of ['one', 'two']) await dewar('lab', 'new', name, '--policy', policy, '--xen', '4.21.2');
  for (const config of [guest, pvh]) await dewar('create', '--host', 'one', config);
  const { code, err } = await dewar('migrate', '--host', 'one', 'g', 'two');
  expect(code).toBe(1);
  for (const line of [
    'xc: error: Failed to enable logdirty: 95,22,0 (22 = Invalid argument): Internal error',
    'xc: error: Save failed (22 = Invalid argument): Internal error',
    'migration sender: libxl_domain_suspend failed (rc=-8)',
    'Migration failed, failed to suspend at sender.',
    'migration target: Domain creation failed (code -3).',
  ])
    expect(err.split('\n')).toContain(line);
  expect(err).toContain('this Xen has no shadow page tables');
  expect((await dewar('list', '--host', 'one')).out).toMatch(/^g .*r-----/m);
  expect((await dewar('migrate', '--host', 'one', 'h', 'two')).code).toBe(0);
  expect((await dewar('save', '--host', 'one', 'g', join(scratch, 'g.saved'))).code).toBe(0);
});
