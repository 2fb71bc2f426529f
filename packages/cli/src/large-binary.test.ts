/** A binary so large that only those parts of it are brought that are asked for, in a file of the test's own. */
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';
import { FileBytes } from './files.ts';
import { readPolicy } from './policy-input.ts';

const TYPES = 310;
let scratch = '';
let binary = '';

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'dewar-large-'));
  process.env['DEWAR_STATE_DIR'] = join(scratch, 'state');
  const types = Array.from({ length: TYPES }, (_, i) => `type t${i}_t, all;\n`).join('');
  const conf = join(scratch, 'policy.conf');
  binary = join(scratch, 'policy.bin');
  // One transition for each pair of types.
  writeFileSync(
    conf,
    `class domain
class event
sid xen
class domain { create }
class event { send }
attribute all;
${types}role system_r;
role system_r types all;
type_transition all all:event t1_t;
type_transition t2_t t3_t:domain t4_t;
allow t1_t t2_t:domain create;
user u roles system_r;
sid xen u:system_r:t0_t
`,
  );
  const { code, err } = await dewar('compile', conf, '-q', '-o', binary);
  expect([code, err]).toEqual([0, '']);
  expect(statSync(binary).size).toBeGreaterThan(TYPES * TYPES * 12);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('its rules are found, those that few ask for too', async () => {
  const { out } = await dewar('search', binary, '-A');
  expect(out).toContain('allow t1_t t2_t:domain create;');
  expect(
    (await dewar('search', binary, '-T', '-s', 't7_t')).out.match(/^type_transition t7_t t\d+_t:event t1_t;$/gm),
  ).toHaveLength(TYPES);
  expect((await dewar('search', binary, '-T', '-c', 'domain')).out).toContain('type_transition t2_t t3_t:domain t4_t;');
  expect((await dewar('info', binary)).out).toContain(`${statSync(binary).size} bytes`);
  expect((await dewar('diff', binary, binary)).code).toBe(0);
});

test('a part that is cut off is missed', async () => {
  const short = join(scratch, 'short.bin');
  writeFileSync(short, readFileSync(binary).subarray(0, -1));
  const { code, err } = await dewar('search', short, '-A');
  expect([code, err]).toEqual([1, expect.stringMatching(/^\S*short\.bin: error: .*, at byte \d{7} \[policydb\//)]);
});

test('a file stays what it was where another takes its place, and is refused where it is written to', async () => {
  const path = join(scratch, 'changing.bin');
  writeFileSync(path, readFileSync(binary));
  const bytes = FileBytes.open(path);
  const read = new Uint8Array(bytes.length);
  writeFileSync(`${path}.new`, 'another');
  renameSync(`${path}.new`, path);
  bytes.read(read, 0);
  expect(Buffer.compare(read, readFileSync(binary))).toBe(0);

  writeFileSync(path, readFileSync(binary));
  const reading = await readPolicy(path, {});
  writeFileSync(path, readFileSync(binary).subarray(0, 100));
  expect(() => reading.bytes).toThrow(`cannot read \`${path}\`: it was changed in the meantime; ask again`);
});
