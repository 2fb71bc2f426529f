/** Binaries read back: `dewar info`, `dewar decompile` and `dewar search`, as a user types them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';

const example = fileURLToPath(new URL('../../../policies/example', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'dewar-read-back-'));
const binary = join(scratch, 'policy.bin');

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

beforeAll(async () => {
  expect((await dewar('compile', example, '-q', '-U', 'allow', '-o', binary)).code).toBe(0);
});

describe('dewar decompile', () => {
  test('writes text that compiles to the same bytes', async () => {
    const text = join(scratch, 'policy.conf');
    expect(await dewar('decompile', binary, '-o', text)).toEqual({ code: 0, out: '', err: '' });
    const again = join(scratch, 'again.bin');
    expect((await dewar('compile', text, '-q', '-U', 'allow', '-o', again)).code).toBe(0);
    expect(readFileSync(again).equals(readFileSync(binary))).toBe(true);
  });

  test('prints the text, with the names that Xen gives the initial SIDs', async () => {
    const { code, out } = await dewar('decompile', binary);
    expect(code).toBe(0);
    expect(out).toContain('# A policy for Xen, version 30, without MLS, handle-unknown allow.');
    expect(out).toContain('\nsid xenboot system_u:system_r:xenboot_t\n');
    expect((await dewar('decompile', binary, '--xen', '4.8')).out).toContain('\nsid xen system_u:system_r:xenboot_t\n');
  });

  test('answers as JSON, and says that the bytes came back', async () => {
    const answer: unknown = JSON.parse((await dewar('decompile', binary, '--json')).out);
    expect(answer).toMatchObject({
      outcome: 'done',
      version: 30,
      handleUnknown: 'allow',
      isSame: true,
      diagnostics: [],
    });
  });

  test('refuses a binary that is cut off, at the byte where it ends', async () => {
    const half = join(scratch, 'half.bin');
    writeFileSync(half, readFileSync(binary).subarray(0, 1001));
    const { code, out, err } = await dewar('decompile', half);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/half\.bin: error: the file ends inside .*, at byte \d+ \[policydb\/truncated\]\n$/);
  });
});

describe('dewar info', () => {
  test('tells the version, the release, how many there are of each thing, and the labels of the initial SIDs', async () => {
    const { code, out } = await dewar('info', binary);
    expect(code).toBe(0);
    expect(out).toContain('policy version 30, without MLS, handle-unknown allow');
    expect(out).toContain('classes of Xen 4.17');
    expect(out).toMatch(/classes {2,}13 /);
    expect(out).toMatch(/\n {3}1 xenboot {6}system_u:system_r:xenboot_t\n/);
    expect(out).not.toContain('nomigrate_t,');
  });

  test('names them too when asked to', async () => {
    const { out } = await dewar('info', binary, '-x');
    expect(out).toMatch(/\n {2}nomigrate_t, domain_type/);
    expect(out).toMatch(/\n {2}domain \{ setvcpucontext pause unpause /);
  });

  test('answers as JSON', async () => {
    const answer: unknown = JSON.parse((await dewar('info', binary, '--json')).out);
    expect(answer).toMatchObject({ outcome: 'done', version: 30, release: { name: '4.17', isExact: true } });
  });
});

describe('dewar search', () => {
  test('finds rules in a binary', async () => {
    const { code, out } = await dewar('search', binary, '-A', '-s', 'dom0_t', '-t', 'domU_t', '-c', 'mmu');
    expect(code).toBe(0);
    expect(out.split('\n').filter((line) => line !== '')).toEqual([expect.stringMatching(/^allow dom0_t domU_t:mmu /)]);
  });

  test('tells where each rule was written, and through which macros it came', async () => {
    const { code, out } = await dewar('search', example, '-A', '-s', 'dom0_t', '-t', 'nomigrate_t', '-c', 'domain');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^allow dom0_t nomigrate_t:domain \{.*\};\n {4}\S*policies\/example\/modules\/nomigrate\.te:\d+:\d+, through `\w+`\n/,
    );
  });

  test('answers as JSON with places', async () => {
    const { out } = await dewar('search', example, '--json', '-A', '-s', 'dom0_t', '-t', 'nomigrate_t', '-c', 'domain');
    const answer: unknown = JSON.parse(out);
    expect(answer).toMatchObject({
      outcome: 'done',
      rules: [
        {
          kind: 'allow',
          source: 'dom0_t',
          class: 'domain',
          places: expect.arrayContaining([
            expect.objectContaining({ expansions: [{ macro: 'manage_domain', calledAt: expect.anything() }] }),
          ]),
        },
      ],
    });
  });

  test('suggests a name where one is near', async () => {
    const { code, err } = await dewar('search', binary, '-A', '-s', 'nomigrat_t');
    expect(code).toBe(1);
    expect(err).toContain('error: the policy has no type or attribute `nomigrat_t` [search/unknown-name]');
    expect(err).toContain('note: did you mean `nomigrate_t`?');
  });
});

describe('a binary that is cut off', () => {
  const half = join(scratch, 'cut.bin');
  const log = join(scratch, 'xen.log');
  const properties = join(scratch, 'some.prove');
  const label = 'system_u:system_r:dom0_t';

  beforeAll(() => {
    writeFileSync(half, readFileSync(binary).subarray(0, 1001));
    writeFileSync(log, '(XEN) Xen version 4.17.5\n');
    writeFileSync(properties, 'nobody reads or writes memory of nomigrate_t while running;\n');
  });

  test.each([
    ['info', half],
    ['search', half],
    ['decompile', half],
    ['lint', half],
    ['decide', label, label, '--policy', half],
    ['reach', '--policy', half],
    ['explain', log, '--policy', half],
    ['prove', properties, '--policy', half],
    ['compat', half, '--xen', '4.17', '--xen', '4.18'],
    ['diff', binary, half],
    ['diff', half, binary],
  ])('is named by `dewar %s`, also where another policy is read', async (...call) => {
    const { code, out, err } = await dewar(...call);
    // `explain` and its like answer with 1; where there is no answer they end with 2.
    const answers = ['explain', 'lint', 'prove', 'diff', 'compat'].includes(call[0]);
    expect([code, out]).toEqual([answers ? 2 : 1, '']);
    expect(err).toMatch(/^\S*cut\.bin: error: the file ends inside .* \[policydb\/truncated\]$/m);
  });

  test.each([
    ['info', half],
    ['decide', label, label, '--policy', half],
    ['explain', log, '--policy', half],
  ])('is named in the JSON of `dewar %s` too', async (...call) => {
    const { out, err } = await dewar(...call, '--json');
    expect(err).toBe('');
    const answer: unknown = JSON.parse(out);
    const diagnostics = [{ code: 'policydb/truncated', file: expect.stringMatching(/cut\.bin$/) }];
    expect(answer).toMatchObject({ policy: expect.stringMatching(/cut\.bin$/), outcome: 'failed', diagnostics });
  });
});
