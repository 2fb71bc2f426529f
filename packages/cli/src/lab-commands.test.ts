/** Hosts of the user's own, guests that go from one to the other, and files that are looked at without a host. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileDirectory } from '@dewar/policy/compiler';
import { examplePolicy, withoutPermission } from '@dewar/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const guestCfg = join(root, 'examples/nomigrate/guest.cfg');
const RUN = 'customer_1:vm_r:domU_t';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-lab-'));
  process.env['DEWAR_STATE_DIR'] = join(folder, 'state');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  delete process.env['DEWAR_STATE_DIR'];
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, 'latin1');
  return path;
}

const plainGuest = (): string =>
  file('plain.cfg', `name = 'plain'\ntype = 'pv'\nkernel = '/k'\nmemory = 64\nseclabel = '${RUN}'\n`);

describe('dewar lab', () => {
  test('a new host is listed with what it was made with, and forgotten when it is removed', async () => {
    const made = await dewar('lab', 'new', 'a', '--xen', '4.20', '--memory', '32G', '--flask', 'permissive');
    expect([made.code, made.out]).toEqual([
      0,
      expect.stringMatching(/^a: Xen 4\.20, permissive, 32768 MiB, policy \S*policies\/example\n$/),
    ]);
    expect((await dewar('lab', 'new', 'b')).code).toBe(0);
    expect((await dewar('create', plainGuest(), '--host', 'a', '-q')).code).toBe(0);
    expect((await dewar('lab', 'list')).out.split('\n')).toEqual([
      '  NAME  XEN     FLASK       MEMORY  GUESTS  POLICY',
      expect.stringMatching(/^\* a {5}4\.20 {4}permissive {4}32768 {8}1 {2}\S*policies\/example$/),
      expect.stringMatching(/^ {2}b {5}4\.17 {4}enforcing {5}65536 {8}0 {2}\S*policies\/example$/),
      '',
    ]);
    expect(await dewar('lab', 'rm', 'a')).toEqual({ code: 0, out: '', err: 'removed the simulated host `a`\n' });
    expect((await dewar('lab', 'rm', 'a')).err).toContain('there is no simulated host `a`: there is `b`');
    expect(JSON.parse((await dewar('lab', 'list', '--json')).out)).toMatchObject([{ name: 'b', guests: 0 }]);
  });

  test('what a host cannot be made of is said, and leaves none', async () => {
    expect((await dewar('lab', 'new', '../a')).code).toBe(2);
    expect((await dewar('lab', 'new', 'xen')).err).toContain('`--host xen` means another host');
    expect((await dewar('lab', 'new', 'a', '--memory', 'much')).code).toBe(2);
    expect((await dewar('lab', 'new', 'a', '--memory', '1M')).err).toContain('too little memory for dom0');
    expect((await dewar('lab', 'new', 'a', '--policy', join(folder, 'none'))).code).toBe(3);
    expect((await dewar('lab', 'list')).out).toBe('  NAME  XEN     FLASK       MEMORY  GUESTS  POLICY\n');
    await dewar('lab', 'new', 'a');
    const again = await dewar('lab', 'new', 'a');
    expect([again.code, again.err]).toEqual([2, expect.stringContaining('`dewar lab rm a` removes it')]);
  });

  test('a host has the devices of its file, and keeps them when it is booted anew', async () => {
    const devices = file('a.devices', '# a card\n0000:05:00.0 ports=c000-c0ff memory=febd1000 irq=21\n05:00.1\n');
    const made = await dewar('lab', 'new', 'a', '--devices', devices, '--iommu', 'without-remapping');
    expect(made.code).toBe(0);
    const listed = async (): Promise<unknown> => JSON.parse((await dewar('lab', 'list', '--json')).out);
    const row = { name: 'a', iommu: 'without-remapping', devices: ['0000:05:00.0', '0000:05:00.1'] };
    expect(await listed()).toMatchObject([row]);
    const label = 'system_u:object_r:nic_dev_t';
    expect((await dewar('label-pci', '05:00.0', label)).code).toBe(0);
    const denied = await dewar('pci-assignable-add', '05:00.0');
    expect(denied.err).toContain('lacks `resource { use_iommu_nointremap }`');
    expect((await dewar('pci-assignable-add', '03:00.0')).err).toContain("Couldn't lstat");
    const policy = join(root, 'policies/example');
    const anew = await dewar('list', '--host', 'a', '--policy', policy, '--flask', 'permissive');
    expect([anew.code, anew.err]).toEqual([0, expect.stringContaining('booted anew')]);
    expect(await listed()).toMatchObject([row]);
  });

  test('a file of devices with faults makes no host', async () => {
    const made = await dewar('lab', 'new', 'a', '--devices', file('a.devices', '05:00.0 irq=many\n'));
    expect([made.code, made.err]).toEqual([1, expect.stringContaining('a.devices:1:9: error: `irq=many` is no')]);
    expect((await dewar('lab', 'new', 'a', '--devices', join(folder, 'none'))).code).toBe(3);
    expect((await dewar('lab', 'list')).out.split('\n')).toHaveLength(2);
  });

  test('a host that cannot be read is listed with the reason, and can be removed', async () => {
    await dewar('lab', 'new', 'a');
    writeFileSync(join(folder, 'state/hosts/a/host.jsonl'), '{}');
    const { code, out } = await dewar('lab', 'list');
    expect([code, out]).toEqual([3, expect.stringContaining('does not hold a host')]);
    expect((await dewar('lab', 'rm', 'a')).code).toBe(0);
    expect(readdirSync(join(folder, 'state/hosts'))).toEqual([]);
  });
});

describe('dewar migrate', () => {
  test('a guest goes from one host to another, with its label', async () => {
    for (const name of ['a', 'b']) await dewar('lab', 'new', name);
    await dewar('create', plainGuest(), '--host', 'a', '-q');
    const { code, err } = await dewar('migrate', 'plain', 'b', '--host', 'a');
    expect(code).toBe(0);
    expect(err.split('\n').filter((line) => line.startsWith('on ') || line.startsWith('Migration'))).toEqual([
      'on a:',
      'Migration successful.',
      'on b:',
    ]);
    expect((await dewar('list', '-Z', '--host', 'b')).out).toMatch(new RegExp(`^plain .* ${RUN}$`, 'm'));
    expect((await dewar('list', '--host', 'a')).out).not.toContain('plain');
  });

  test('a guest that no one may read stays where it is', async () => {
    for (const name of ['b', 'a']) await dewar('lab', 'new', name);
    await dewar('create', guestCfg, '--host', 'a', '-q');
    const { code, err } = await dewar('migrate', 'nomigrate-guest', 'b', '--host', 'a');
    expect([code, err]).toEqual([1, expect.stringContaining('Migration failed, resuming at sender.')]);
    expect((await dewar('list', '--host', 'a')).out).toContain('nomigrate-guest');
    expect((await dewar('list', '--host', 'b')).out).not.toContain('nomigrate');
  });

  test('the two hosts must exist and differ', async () => {
    expect((await dewar('migrate', 'plain', 'b')).code).toBe(2);
    await dewar('lab', 'new', 'a');
    expect((await dewar('migrate', 'plain', 'b')).err).toContain('there is no simulated host `b`: there is `a`');
    expect((await dewar('migrate', 'plain', 'a')).err).toContain('`a` is the host that the guest is on');
  });
});

describe('dewar check', () => {
  test('a file that says what it means is in order', async () => {
    const { code, out, err } = await dewar('check', guestCfg);
    expect([code, out, err]).toEqual([0, expect.stringContaining('guest.cfg is in order\n'), '']);
  });

  test('a key that xl passes over in silence is wrong, with the key that was meant', async () => {
    const path = file('typo.cfg', `name = 'x'\ntype = 'pv'\nkernel = '/k'\nsec_label = '${RUN}'\n`);
    const { code, err } = await dewar('check', path);
    expect([code, err]).toEqual([1, expect.stringContaining('did you mean `seclabel`?')]);
    const { diagnostics } = JSON.parse((await dewar('check', path, '--json')).out);
    expect(diagnostics[0]).toMatchObject({ code: 'cfg/misspelt-label-key', severity: 'error' });
  });

  test('a label that the policy does not have is wrong, where a policy is named', async () => {
    const label = (text: string): string =>
      file('label.cfg', `name = 'x'\ntype = 'pv'\nkernel = '/k'\nseclabel = '${text}'\n`);
    const policy = join(root, 'policies/example');
    const unknown = label('system_u:system_r:domUt');
    const unasked = await dewar('check', unknown);
    expect(unasked.code).toBe(0);
    expect(unasked.out).toContain('whether its labels are valid is for a policy to say: `--policy` names one\n');
    const asked = await dewar('check', unknown, '--policy', policy);
    expect(asked.code).toBe(1);
    expect(asked.err).toMatch(
      /label.cfg:4:12: error: label `system_u:system_r:domUt` is not valid: the policy has no type `domUt`; did you mean `domU_t`\? \[guest\/invalid-label\]/,
    );
    const wrong = [
      ['system_u:system_r:domU_t:s0', 'the policy has no MLS, and the context has a range'],
      ['customer_1:system_r:domU_t', 'user `customer_1` may not have role `system_r`'],
      ['system_u:vm_r:dom0_t', 'role `vm_r` may not have type `dom0_t`'],
    ];
    for (const [text = '', why = ''] of wrong)
      expect((await dewar('check', label(text), '--policy', policy)).err).toContain(
        `is not valid: ${why} [guest/invalid-label]`,
      );
    // What else is wrong with the file hides nothing of its labels.
    const bare = file('bare.cfg', "name = 'x'\nmemory = 64\nseclabel = 'system_u:system_r:domUt'\n");
    expect((await dewar('check', bare, '--policy', policy)).err.match(/\[\w+\/[\w-]+\]/g)).toEqual([
      '[cfg/required]',
      '[guest/invalid-label]',
    ]);
    const right = await dewar('check', guestCfg, '--policy', policy);
    expect([right.code, right.out]).toEqual([0, expect.stringMatching(/guest.cfg is in order\n$/)]);
  });

  test('labels under which dom0 can make no guest are wrong, where a policy is named', async () => {
    const check = async (...labels: readonly string[]): Promise<string[]> => {
      const path = file('pair.cfg', ["name = 'x'", "type = 'pv'", "kernel = '/k'", ...labels, ''].join('\n'));
      const { err } = await dewar('check', path, '--policy', join(root, 'policies/example'));
      return err
        .split('\n')
        .filter((line) => /error:|note:/.test(line))
        .map((line) => line.replace(/^.*?(error|note): /, ''));
    };
    const run = 'customer_1:vm_r:nomigrate_t';
    const build = `${run}_building`;
    const dom0 = 'system_u:system_r:dom0_t';
    const denied = [
      `the policy lets no guest be created under \`${run}\` [guest/label-not-granted]`,
      `\`${dom0}\` lacks \`domain { create }\` on \`${run}\``,
    ];
    expect(await check(`seclabel = '${run}'`, `init_seclabel = '${build}'`)).toEqual([]);
    expect(await check(`seclabel = '${run}'`)).toEqual(denied);
    expect(await check(`seclabel = '${build}'`, `init_seclabel = '${run}'`)).toEqual([
      ...denied,
      `the policy lets no guest be relabelled from \`${run}\` to \`${build}\` [guest/label-not-granted]`,
      `\`${dom0}\` lacks \`domain2 { relabelfrom }\` on \`${run}\``,
      `\`${dom0}\` lacks \`domain2 { relabelto }\` on \`${build}\``,
      `\`${run}\` lacks \`domain { transition }\` on \`${build}\``,
    ]);
    // Xen asks for all of it where nothing changes, too.
    const same = 'system_u:system_r:domU_t';
    expect(await check(`seclabel = '${same}'`, `init_seclabel = '${same}'`)).toEqual([
      `the policy lets no guest be relabelled from \`${same}\` to \`${same}\` [guest/label-not-granted]`,
      `\`${dom0}\` lacks \`domain2 { relabelfrom }\` on \`${same}\``,
      `\`${dom0}\` lacks \`domain2 { relabelto }\` on \`${same}\``,
      `\`${same}\` lacks \`domain { transition }\` on \`${same}\``,
    ]);
  });

  test('settings behind the file count, a missing file is no configuration', async () => {
    expect((await dewar('check', guestCfg, 'vcpus=many')).code).toBe(1);
    expect((await dewar('check', join(folder, 'none.cfg'))).code).toBe(3);
  });
});

describe('dewar watch', () => {
  test('a simulated host is followed while other commands use it; each denial is told once', async () => {
    await dewar('lab', 'new', 'a');
    await dewar('create', '-q', '--host', 'a', guestCfg);
    await dewar('probe', '--host', 'a', 'nomigrate-guest');
    let isWatched = true;
    const watched = dewar('watch', '--host', 'a', '--seconds', '4').finally(() => {
      isWatched = false;
    });
    while (isWatched) {
      // A command on a simulated host waits for nothing, so that the watch would have no turn.
      await new Promise((resolve) => setTimeout(resolve, 50));
      await dewar('dump-core', '--host', 'a', 'nomigrate-guest');
      await dewar('save', '--host', 'a', 'nomigrate-guest', join(folder, 'saved'));
    }
    const { code, out, err } = await watched;
    expect([code, err]).toEqual([0, 'watching the console of the simulated host `a`; Ctrl-C ends it\n']);
    const denied = [...out.matchAll(/^avc: {2}denied {2}\{ (.*) \}/gm)].map(([, permissions]) => permissions);
    expect(denied.sort()).toEqual(['get_vnumainfo', 'map_read']);
    expect(out).toContain('`get_vnumainfo` is asked for by memory_op.get_vnumainfo\n  in xl save\n');
  });

  test('what cannot be watched is said', async () => {
    const none = await dewar('watch');
    expect([none.code, none.err]).toEqual([
      2,
      'dewar: there is nothing to watch: this machine manages no Xen, and no simulated host exists yet\n',
    ]);
    const deafPolicy = file('deaf.policy', '');
    const { bytes = new Uint8Array() } = compileDirectory(examplePolicy(), { release: '4.17' });
    writeFileSync(deafPolicy, withoutPermission(bytes, 'xen', 'readconsole'));
    await dewar('lab', 'new', 'a', '--policy', deafPolicy);
    expect((await dewar('watch', '--host', 'b')).err).toContain('there is no simulated host `b`: there is `a`');
    const deaf = await dewar('watch', '--seconds', '1');
    expect([deaf.code, deaf.err.includes('dom0 may not read the console of Xen')]).toEqual([1, true]);
  });
});
