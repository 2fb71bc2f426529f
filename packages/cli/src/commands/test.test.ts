import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { dewar } from '../captured-run.ts';
import { displayPath } from '../policy-input.ts';

const folder = mkdtempSync(join(tmpdir(), 'dewar-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const GUEST = `guests:
  web: |
    seclabel = 'customer_1:vm_r:domU_t'
    kernel = '/boot/vmlinuz'
    memory = 64
`;

function scenario(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const good = scenario('good/web.scenario.yaml', `name: a guest starts\n${GUEST}steps:\n  - create: web\n`);
const bad = scenario(
  'bad/web.scenario.yaml',
  `name: a guest stays away\n${GUEST}steps:\n  - create: web\n    expect: { state: gone }\n`,
);

describe('the example policy', () => {
  test('keeps what its scenarios promise', async () => {
    const path = fileURLToPath(new URL('../../../../policies/example', import.meta.url));
    const { code, out } = await dewar('test', path);
    expect(out).not.toContain('✗');
    expect(out).toMatch(/\n\d\d scenarios: \d\d passed in \d+ ms\n$/);
    expect(code).toBe(0);
  });
});

describe('dewar test', () => {
  test('ends with 1 where something came otherwise, and shows what', async () => {
    const { code, out } = await dewar('test', bad);
    expect(code).toBe(1);
    expect(out.replace(/in \d+ ms/, 'in 1 ms')).toBe(`${displayPath(bad)}
  ✗ a guest stays away
      step 1: create web  ${displayPath(bad)}:8:5
        - state: gone
        + state: running
1 scenario: 1 failed in 1 ms
`);
  });

  test('takes the scenarios that a filter chooses', async () => {
    const { code, out } = await dewar('test', folder, '--filter', 'starts');
    expect(code).toBe(0);
    expect(out).toContain('1 scenario: 1 passed');
    expect((await dewar('test', folder, '--filter', 'nothing')).code).toBe(1);
  });

  test('writes JUnit XML and an lcov tracefile', async () => {
    const [junit, lcov] = [join(folder, 'junit.xml'), join(folder, 'lcov.info')];
    await dewar('test', good, '--junit', junit, '--lcov', lcov);
    expect(readFileSync(junit, 'utf8')).toContain('<testcase name="a guest starts"');
    expect(readFileSync(lcov, 'utf8')).toMatch(/^TN:\nSF:.*modules\/\w+\.te\n/);
  });

  test('shows what no scenario exercised, and which permissions nobody asked for', async () => {
    const { out } = await dewar('test', good, '--coverage');
    expect(out).toMatch(/rules: \d+ of \d+ exercised \(\d+ %\)/);
    expect(out).toContain('manage_domain(dom0_t, isolated_domU_t)  0 of 5 rules');
    expect(out).toContain('domain2 set_vnumainfo: Xen looks for its bit in class `domain`');
    const whole = await dewar('test', good, '--coverage', 'source');
    expect(whole.out).toMatch(/ +0\/5 +0 +\d+ \| manage_domain\(dom0_t, isolated_domU_t\)/);
  });

  test('answers as data', async () => {
    const { code, out } = await dewar('test', bad, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      outcome: 'failed',
      scenarios: [{ outcome: 'failed', failures: [{ title: 'create web', place: { line: 8, column: 5 } }] }],
      coverage: { permissions: { release: '4.17' } },
    });
  });

  test('refuses a scenario with a fault, at its place, and runs the others', async () => {
    const file = scenario(
      'mixed/web.scenario.yaml',
      `${GUEST}steps:\n  - create: wbe\n---\n${GUEST}steps:\n  - create: web\n`,
    );
    const { code, out, err } = await dewar('test', file);
    expect(code).toBe(1);
    expect(err).toContain(
      `${displayPath(file)}:7:13: error: the scenario has no guest \`wbe\` [scenario/unknown-name]`,
    );
    expect(out).toContain('1 scenario: 1 passed');
  });

  test('runs a part of the scenarios', async () => {
    const names = [1, 2, 3, 4, 5].map((number) => `name: number ${number}\nsteps: [list]\n`);
    const file = scenario('parts/list.scenario.yaml', names.join('---\n'));
    const { out } = await dewar('test', file, '--shard', '2/2');
    expect(out).toContain('number 2');
    expect(out).toMatch(/2 scenarios: 2 passed in/);
    expect((await dewar('test', file, '--shard', '3/2')).code).toBe(2);
  });

  test('gives in threads what it gives in one', () => {
    const names = [1, 2, 3, 4, 5].map((number) => `name: number ${number}\nsteps: [list]\n`);
    const file = scenario('threads/list.scenario.yaml', names.join('---\n'));
    const command = fileURLToPath(new URL('../../bin/dewar.js', import.meta.url));
    const run = (jobs: string): string =>
      spawnSync(process.execPath, [command, 'test', file, '--jobs', jobs], { encoding: 'utf8' }).stdout;
    const one = run('1').replace(/in \d+ ms/, '');
    expect(one).toContain('5 scenarios: 5 passed');
    expect(run('3').replace(/in \d+ ms/, '')).toBe(one);
  });

  test('ends at an interrupt with all of its threads, and writes no report', async () => {
    const step = `  - create: web\n  - destroy: web\n`.repeat(100);
    for (let i = 0; i < 400; i++)
      scenario(`interrupted/number-${i}.scenario.yaml`, `name: number ${i}\n${GUEST}steps:\n${step}`);
    const command = fileURLToPath(new URL('../../bin/dewar.js', import.meta.url));
    const report = join(folder, 'interrupted/report.xml');
    const args = [command, 'test', join(folder, 'interrupted'), '--jobs', '2', '--junit', report];
    const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    started.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString('latin1');
    });
    const ended = once(started, 'close');
    // Long enough for the threads to be there, and far from the end of a minute's work.
    setTimeout(() => started.kill('SIGINT'), 1500);
    expect(await ended).toEqual([null, 'SIGINT']);
    expect([out, existsSync(report)]).toEqual(['', false]);
  });

  test('says what a real host cannot do before it looks for one', async () => {
    const file = scenario(
      'real/much.scenario.yaml',
      'name: much\nflask: late\nsteps:\n  - setenforce: permissive\n  - list\n',
    );
    const { code, err } = await dewar('test', file, '--host', 'xen');
    expect(code).toBe(2);
    expect(err).toContain('nothing was done, because a real host cannot do all of it:\n');
    expect(err).toContain('`much`: it boots with `flask=late`, and this host has been booted\n');
    expect(err).toContain('`much`: step 1, `setenforce`: it changes the mode for all guests of the host\n');
    for (const more of [
      ['--coverage'],
      ['--lcov', join(folder, 'x')],
      ['--jobs', '2'],
      ['--shard', '1/2'],
      ['--watch'],
    ])
      expect((await dewar('test', file, '--host', 'xen', ...more)).code).toBe(2);
    expect((await dewar('test', file, '--host', 'other')).err).toContain('there is no kind of host `other`');
  });

  test('says where there is no scenario', async () => {
    mkdirSync(join(folder, 'empty'));
    const { code, err } = await dewar('test', join(folder, 'empty'));
    expect(code).toBe(1);
    expect(err).toContain('their files end in `.scenario.yaml`');
    expect((await dewar('test', join(folder, 'missing'))).code).toBe(3);
  });

  test('says that the policy of a scenario does not compile', async () => {
    scenario('broken/p.conf', 'class x\n');
    const file = scenario('broken/web.scenario.yaml', 'policy: p.conf\nsteps: [list]\n');
    const { code, out } = await dewar('test', file);
    expect(code).toBe(1);
    expect(out).toMatch(/policy `.*p\.conf` does not compile: .*p\.conf:\d/);
  });
});
