import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';
import { displayPath } from '../policy-input.ts';

const folder = mkdtempSync(join(tmpdir(), 'dewar-diff-'));
afterAll(() => rmSync(folder, { recursive: true }));

const POLICY = `class obj
sid xen
class obj { read write }
attribute many;
type a_t, many;
type b_t, many;
bool on false;
role r;
role r types many;
allow a_t b_t:obj read;
user u roles r;
sid xen u:r:a_t
`;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const old = file('old.conf', POLICY);
const more = file('more.conf', POLICY.replace('obj read;', 'obj read;\nif (on) { allow a_t many:obj write; }'));

describe('dewar diff', () => {
  test('says what is gained, under which condition, and where it was written', async () => {
    const { code, out } = await dewar('diff', old, more);
    expect(code).toBe(0);
    expect(out).toBe(`old  ${displayPath(old)}
new  ${displayPath(more)}

access gained
  a_t → many
    + obj write  while on
        ${displayPath(more)}:11:11

new access: yes
  rules give more access, in class obj
access is what rules give to types; constraints that changed are weighed for labels of both sides, changes of role and bounds are compared as statements
`);
  });

  test('says what a constraint that is gone gives, to whom, and under which condition', async () => {
    const users = POLICY.replace('user u roles r;', 'user u roles r; user v roles r;').replace(
      'obj read;',
      'obj read;\nif (on) { allow a_t many:obj write; }',
    );
    const held = file('held.conf', users.replace('sid xen u:', 'constrain obj write (u1 == u2);\nsid xen u:'));
    const free = file('free.conf', users);
    const { code, out } = await dewar('diff', held, free, '--no-new-access');
    expect(code).toBe(1);
    expect(out).toContain(`access gained by constraints
  + obj write  where u1 != u2  while on
      a_t → many
        such as u:r:a_t → v:r:a_t

constraints
  - obj { write } (u1 == u2)
`);
    expect(out).toContain('new access: yes\n  constraints let pass more access, in class obj\n');
    const back = await dewar('diff', free, held, '--no-new-access', '--json');
    expect(back.code).toBe(0);
    expect(JSON.parse(back.out)).toMatchObject({
      constraints: { gained: [], lost: [{ class: 'obj', where: 'u1 != u2', isForAll: false }], bounds: [] },
      newAccess: [],
    });
  });

  test('ends with 1 where new access is refused, and only then', async () => {
    expect((await dewar('diff', old, more, '--no-new-access')).code).toBe(1);
    const less = await dewar('diff', more, old, '--no-new-access');
    expect(less.code).toBe(0);
    expect(less.out).toContain('new access: none');
  });

  test('finds that nothing changed in what only is written otherwise', async () => {
    const same = file('same.conf', POLICY.replace('role r types many;', 'role r types { a_t b_t };'));
    expect((await dewar('diff', old, same)).out).toContain('nothing changed in meaning');
  });

  test('compares a binary with a source', async () => {
    const binary = join(folder, 'old.bin');
    await dewar('compile', old, '-o', binary, '-q');
    const { code, out } = await dewar('diff', binary, more, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      outcome: 'different',
      newAccess: [{ kind: 'certain' }],
      access: {
        gainedCount: 2,
        lostCount: 0,
        gained: [{ access: [{ condition: 'on', places: [{ place: { line: 11 } }] }] }],
      },
    });
  });

  test('lists rules one by one', async () => {
    const { out } = await dewar('diff', old, more, '--rules');
    expect(out).toContain('  + allow a_t a_t:obj write; [ on ]\n  + allow a_t b_t:obj write; [ on ]\n');
  });

  test('says why a policy cannot be compared', async () => {
    const broken = file('broken.conf', POLICY.replace('b_t:obj', 'c_t:obj'));
    const { code, err } = await dewar('diff', old, broken);
    expect(code).toBe(2);
    expect(err).toContain('te/unknown-type');
  });

  test('keeps control characters of a binary from the terminal', async () => {
    const binary = join(folder, 'evil.bin');
    await dewar('compile', file('evil.conf', POLICY.replaceAll('b_t', 'bXX_t')), '-o', binary, '-q');
    const bytes = readFileSync(binary, 'latin1').replaceAll('bXX_t', 'b\x1b[_t');
    writeFileSync(binary, bytes, 'latin1');
    const { out } = await dewar('diff', old, binary);
    expect(out).toContain('b\\x1b[_t');
    expect(out).not.toContain('\x1b');
  });

  test('rehearses what becomes of a guest', async () => {
    const example = fileURLToPath(new URL('../../../../policies/example', import.meta.url));
    const other = join(folder, 'other');
    cpSync(example, other, { recursive: true });
    const module = join(other, 'modules/isolated_domU.te');
    const text = readFileSync(module, 'utf8');
    writeFileSync(module, text.replace('migrate_domain_out(dom0_t, isolated_domU_t)', ''));
    const guest = file(
      'cell.cfg',
      "name = 'cell'\nseclabel = 'customer_1:vm_r:isolated_domU_t'\nkernel = '/boot/vmlinuz'\nmemory = 64\n",
    );
    const { code, out } = await dewar('diff', example, other, '--guest', guest);
    expect(code).toBe(0);
    const lines = out.slice(out.indexOf('what becomes of')).split('\n');
    expect(lines[0]).toBe(`what becomes of ${displayPath(guest)}, rehearsed on a simulated Xen 4.17`);
    // What create_domain gives, mapping memory among it, is still there.
    expect(lines.slice(1).map((line) => line.split(':')[0])).toEqual([
      '  - save                   no longer works',
      '  - save and restore       no longer works',
      '',
    ]);
    const back = await dewar('diff', other, example, '--guest', guest, '--json');
    expect(JSON.parse(back.out)).toMatchObject({
      guests: [
        {
          changes: [
            { operation: 'save', before: { outcome: 'failed' }, after: { outcome: 'done', denied: [] } },
            { operation: 'save and restore', after: { outcome: 'done' } },
          ],
        },
      ],
    });
    expect((await dewar('diff', example, example, '--guest', guest)).out).toContain(
      'every operation comes out as before',
    );
  });

  test('says which guest has no sound configuration', async () => {
    const guest = file('bad.cfg', 'memory = "x\n');
    const { code, err } = await dewar('diff', old, old, '--guest', guest);
    expect(code).toBe(1);
    expect(err).toContain('has no sound configuration');
  });
});
