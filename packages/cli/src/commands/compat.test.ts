import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { run } from '../main.ts';

const EXAMPLE = fileURLToPath(new URL('../../../../policies/example', import.meta.url));
const GUEST = fileURLToPath(new URL('../../../../examples/nomigrate/guest.cfg', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'dewar-compat-'));
process.env['DEWAR_STATE_DIR'] = join(scratch, 'state');

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function dewar(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const chunks: Record<'out' | 'err', Uint8Array[]> = { out: [], err: [] };
  const stream = (name: 'out' | 'err') => ({
    isTerminal: false,
    write: (bytes: Uint8Array) => void chunks[name].push(bytes),
  });
  const code = await run(args, { out: stream('out'), err: stream('err') }, '0.0.0-test');
  return { code, out: Buffer.concat(chunks.out).toString('utf8'), err: Buffer.concat(chunks.err).toString('utf8') };
}

describe('a policy between two releases', () => {
  test('that can be compiled for both works, though its binary of today does not', async () => {
    const { code, out, err } = await dewar('compat', EXAMPLE, '--xen', '4.17', '--xen', '4.20');
    expect(code).toBe(0);
    expect(out).toMatch(/^releases {5}Xen 4\.17 → Xen 4\.20$/m);
    expect(out).toMatch(/^new {10}xen2 \{ get_dom0_console \}$/m);
    expect(out).toMatch(/^this binary {2}loads on Xen 4\.17$/m);
    expect(out).toMatch(/Xen 4\.20 refuses it with EINVAL: .*`get_dom0_console`.* \(and 3 more\)/);
    expect(out).toMatch(/^recompiled {3}loads on Xen 4\.20$/m);
    // It gives to Xen 4.20 what that asks for beside.
    expect(out).toMatch(/^narrowed {5}domain \{ create \} → domain2 \{ set_llc_colors \}$/m);
    expect(err).toBe('');
  });

  test('that names what is gone breaks, and each place is told', async () => {
    const { code, out, err } = await dewar('compat', EXAMPLE, '--xen', '4.20', '--xen', '4.8');
    expect(code).toBe(1);
    expect(out).toMatch(/^recompiled {3}does not compile for Xen 4\.8: \d+ errors?, the first: /m);
    expect(out).toMatch(/^avc text {5}avc: {2}denied .* source=d0 target=d5 .*\n {13}→ avc: .* domid=0 target=5 /m);
    expect(err).toContain('Xen 4.8 has no permission `use_iommu` of class `resource` [compat/permission-gone]');
    expect(err).toMatch(/it asks for `domain2 set_cpuid` instead \[compat\/permission-moved\]/);
  });

  test('as JSON has the same for a program', async () => {
    const binary = join(scratch, 'policy.bin');
    expect((await dewar('compile', EXAMPLE, '-o', binary, '-q')).code).toBe(0);
    const { code, out } = await dewar('compat', binary, '--xen', '4.17', '--xen', '4.8', '--json');
    expect(code).toBe(1);
    const answer = JSON.parse(out);
    expect(answer).toMatchObject({ outcome: 'breaks', from: '4.17', to: '4.8' });
    expect(answer.sameBinary.after).toMatchObject({ outcome: 'refused', errno: 'EINVAL' });
    expect(answer.recompiled).toBeUndefined();
    expect(answer.diagnostics.map(({ code: name }: { code: string }) => name)).toContain('compat/permission-gone');
    const same = await dewar('compat', binary, '--xen', '4.17', '--xen', '4.17', '--json');
    expect(same.code).toBe(0);
    expect(JSON.parse(same.out)).toMatchObject({ outcome: 'works', permissions: [], diagnostics: [] });
  });

  test('that does not compile for the first of them is not compared', async () => {
    const { code, out, err } = await dewar('compat', EXAMPLE, '--xen', '4.8', '--xen', '4.17');
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/ does not compile for Xen 4\.8, the release to compare with\n$/);
  });

  test('is wrong use with less or more than two releases, or with one that is not known', async () => {
    expect((await dewar('compat', EXAMPLE, '--xen', '4.17')).code).toBe(2);
    expect((await dewar('compat', EXAMPLE, ...['4.8', '4.13', '4.17'].flatMap((one) => ['--xen', one]))).code).toBe(2);
    expect((await dewar('compat', EXAMPLE, '--xen', '4.12', '--xen', '4.17')).code).toBe(2);
    const broken = join(scratch, 'broken.bin');
    writeFileSync(broken, Buffer.from([0x8c, 0xff, 0x7c, 0xf9, 1, 2]));
    expect((await dewar('compat', broken, '--xen', '4.13', '--xen', '4.17')).code).toBe(2);
  });
});

describe('flask=', () => {
  test('disabled: the guest is made as xl makes it, and the labels that it does not get are errors', async () => {
    const args = ['--policy', EXAMPLE, '--flask', 'disabled'];
    const created = await dewar('create', GUEST, '-q', ...args);
    expect(created.code).toBe(1);
    expect(created.out).toContain('is left running under no label');
    expect(created.err).toContain('has no effect: FLASK is disabled on this host [guest/label-ignored]');
    expect(created.err).toContain('XSM Disabled: seclabel not supported');
    const mode = await dewar('getenforce');
    expect([mode.code, mode.out]).toEqual([255, 'Flask XSM Disabled\n']);
    const set = await dewar('setenforce', '0');
    expect([set.code, set.err.split('\n')[0]]).toEqual([255, 'Flask XSM disabled']);
    expect((await dewar('list', '-Z')).out).toMatch(/nomigrate-guest .* -\n$/);
    expect((await dewar('get-bool')).code).toBe(1);
  });

  test('another mode boots the host anew, and needs the policy to be named', async () => {
    expect((await dewar('getenforce', '--policy', EXAMPLE, '--flask', 'permissive')).out).toBe('Permissive\n');
    expect((await dewar('list', '--flask', 'late')).code).toBe(2);
    const late = await dewar('create', GUEST, '--policy', EXAMPLE, '--flask', 'late');
    expect(late.err).toContain('the simulated host was booted with `flask=permissive`; it was booted anew');
    expect(late.out).toContain('simulated Xen 4.17, no policy loaded, everything allowed');
    expect(late.err).toContain('no policy is loaded, and the guest has the initial SID `xen` [guest/label-ignored]');
    expect(late.code).toBe(1);
    const loaded = await dewar('loadpolicy', EXAMPLE);
    expect([loaded.code, loaded.out]).toEqual([0, 'Successfully loaded policy.\n']);
    expect((await dewar('getenforce')).out).toBe('Enforcing\n');
    expect((await dewar('dmesg')).out).toContain('(XEN) Flask: Policy loaded, continuing in enforcing mode.\n');
  });
});
