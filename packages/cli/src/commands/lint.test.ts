import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';
import { displayPath } from '../policy-input.ts';

const folder = mkdtempSync(join(tmpdir(), 'dewar-lint-'));
afterAll(() => rmSync(folder, { recursive: true }));

const POLICY = `class obj
sid xen
class obj { read write }
type a_t;
bool idle false;
role r;
role r types a_t;
allow a_t a_t:obj read;
allow a_t a_t:obj read;
user u roles r;
sid xen u:r:a_t
`;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const found = file('found.conf', POLICY);
const clean = file('clean.conf', POLICY.replace('bool idle false;\n', '').replace(/(allow .*\n)\1/, '$1'));

describe('dewar lint', () => {
  test('shows what it finds with place and code, and ends with 1', async () => {
    const { code, out, err } = await dewar('lint', found);
    expect(code).toBe(1);
    const name = displayPath(found);
    expect(err).toContain(`${name}:5:1: warning: boolean \`idle\` is declared and never used [lint/unused]`);
    expect(err).toContain(`${name}:9:1: warning: the rule gives what another one with the same types gives`);
    expect(out).toContain(`${name}: 2 warnings\n`);
  });

  test('ends with 0 where nothing is found', async () => {
    const { code, out, err } = await dewar('lint', clean);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('nothing was found');
  });

  test('leaves out codes, and knows only those that there are', async () => {
    const { code, err } = await dewar('lint', found, '--ignore', 'lint/unused', '--ignore', 'lint/duplicate-rule');
    expect([code, err]).toEqual([0, '']);
    const wrong = await dewar('lint', found, '--ignore', 'lint/unusual');
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('there is no such code');
  });

  test('gives the same as data, with its fixes', async () => {
    const { code, out } = await dewar('lint', found, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      outcome: 'found',
      diagnostics: [{ code: 'lint/unused' }, { code: 'lint/duplicate-rule', fixes: [{ title: 'remove it' }] }],
    });
    const sarif = await dewar('lint', found, '--format', 'sarif');
    expect(JSON.parse(sarif.out)).toMatchObject({ runs: [{ results: [{ ruleId: 'lint/unused' }, {}] }] });
  });

  test('takes a binary, of which it knows no places', async () => {
    const binary = join(folder, 'found.bin');
    await dewar('compile', found, '-o', binary, '-q');
    const { code, err } = await dewar('lint', binary);
    expect(code).toBe(1);
    // A binary has each entry once.
    expect(err).toBe('warning: boolean `idle` is declared and never used [lint/unused]\n');
  });

  test('says why a policy does not compile', async () => {
    const { code, err } = await dewar('lint', file('broken.conf', POLICY.replace('a_t a_t:obj', 'b_t a_t:obj')));
    expect(code).toBe(1);
    expect(err).toContain('te/unknown-type');
  });

  test('takes the policy that a simulated host runs', async () => {
    const missing = await dewar('lint', '--host', 'no-such-host');
    expect(missing.code).toBe(2);
  });
});
