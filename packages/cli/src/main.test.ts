/** The commands as a user types them, on simulated hosts in a folder of the test's own. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { dewar } from './captured-run.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const guestCfg = join(root, 'examples/nomigrate/guest.cfg');
const scratch = mkdtempSync(join(tmpdir(), 'dewar-cli-'));
let hosts = 0;

const RUN = 'customer_1:vm_r:nomigrate_t';
const BUILD = 'customer_1:vm_r:nomigrate_t_building';
const DOM0 = 'system_u:system_r:dom0_t';

beforeEach(() => {
  process.env['DEWAR_STATE_DIR'] = join(scratch, `state-${++hosts}`);
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function file(name: string, text: string | Uint8Array): string {
  const path = join(scratch, name);
  mkdirSync(resolve(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function stateFiles(): string[] {
  return readdirSync(process.env['DEWAR_STATE_DIR'] ?? '', { recursive: true })
    .map(String)
    .sort();
}

describe('the main job', () => {
  test('a guest is built under one label, runs under another, and dom0 cannot map it', async () => {
    const { code, out, err } = await dewar('create', guestCfg);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`nomigrate-guest \\(domain 1, .*\\) is running under ${RUN}\\n`));
    expect(out).toContain(`the label of domain 1 is now ${RUN} (was ${BUILD})`);
    expect(out).toContain(
      `(XEN) avc:  denied  { map_read } for source=d0 target=d1 scontext=${DOM0} tcontext=${RUN} tclass=mmu\n`,
    );
    expect(out).toMatch(/xsm_op\.relabel_domain +domain2 \{ relabelfrom \} +dom0_t → nomigrate_t_building +granted/);
    expect(out).not.toContain('DENIED');
    expect(err).toContain('stays mapped after the relabel');
    expect(err).not.toContain('error');
  });

  test('what happened lasts from one command to the next', async () => {
    await dewar('create', guestCfg, '-q');
    expect((await dewar('list', '-Z')).out).toBe(
      `${[
        'Name                                        ID   Mem VCPUs\tState\tTime(s)   Security Label',
        `Domain-0                                     0  1400     2     r-----       0.0 ${DOM0}`,
        `nomigrate-guest                              1   128     1     r-----       0.0 ${RUN}`,
      ].join('\n')}\n`,
    );
    expect(await dewar('pause', 'nomigrate-guest')).toEqual({ code: 0, out: '', err: '' });
    expect((await dewar('list', 'nomigrate-guest')).out).toContain('--p---');
    expect((await dewar('unpause', 'nomigrate-guest')).code).toBe(0);

    const core = await dewar('dump-core', 'nomigrate-guest');
    expect(core.code).toBe(1);
    expect(core.err).toContain('DENIED');
    const log = (await dewar('dmesg')).out.split('\n').filter((line) => line.includes('avc:'));
    expect(log.length).toBeGreaterThanOrEqual(3);
    expect(log.every((line) => line.startsWith('(XEN) avc:  denied  {'))).toBe(true);

    expect(await dewar('getenforce')).toEqual({ code: 1, out: 'Enforcing\n', err: '' });
    const permissive = await dewar('setenforce', '0');
    expect([permissive.code, permissive.out]).toEqual([0, '']);
    expect(permissive.err).toMatch(/^note: a permissive Xen allows everything, to every domain; .*\n$/);
    expect(await dewar('getenforce')).toEqual({ code: 0, out: 'Permissive\n', err: '' });
    expect((await dewar('dump-core', 'nomigrate-guest')).code).toBe(0);
    expect((await dewar('setenforce', 'Enforcing')).code).toBe(0);

    expect((await dewar('rename', 'nomigrate-guest', 'other')).code).toBe(0);
    expect((await dewar('destroy', 'other')).code).toBe(0);
    expect((await dewar('list')).out.trim().split('\n')).toHaveLength(2);
    expect((await dewar('dmesg', '-c')).out).toContain('Flask:  Starting in enforcing mode.');
    expect((await dewar('dmesg')).out).not.toContain('Flask:');
  });

  test('a boolean keeps its value, and decides over a guest', async () => {
    const cfg = file(
      'prot.cfg',
      "name = 'prot'\ntype = 'pv'\nkernel = '/boot/vmlinuz'\nmemory = 64\nseclabel = 'customer_1:vm_r:prot_domU_t'\n",
    );
    expect((await dewar('set-bool', 'prot_doms_locked', '1')).code).toBe(0);
    expect((await dewar('get-bool', 'prot_doms_locked')).out).toBe('prot_doms_locked: 1\n');
    const locked = await dewar('create', cfg, '-q');
    expect(locked.code).not.toBe(0);
    expect(locked.err).toContain('prot_domU_t');
    expect((await dewar('set-bool', 'prot_doms_locked', '0')).code).toBe(0);
    expect((await dewar('create', cfg, '-q')).code).toBe(0);
  });

  test('a second guest of the same name is refused', async () => {
    await dewar('create', guestCfg, '-q');
    const { code, err } = await dewar('create', guestCfg, '-q');
    expect(code).not.toBe(0);
    expect(err).toContain('[guest/name-taken]');
    expect((await dewar('list')).out.trim().split('\n')).toHaveLength(3);
  });

  test('--json is one document', async () => {
    const { code, out, err } = await dewar('create', guestCfg, '--json');
    expect([code, err]).toEqual([0, '']);
    const answer: unknown = JSON.parse(out);
    expect(answer).toMatchObject({
      labels: { built: BUILD, runs: RUN },
      domain: { domid: 1, name: 'nomigrate-guest', label: RUN, state: 'running', isStranded: false },
      labelChanges: [{ from: BUILD, to: RUN }],
      create: { operation: 'create', outcome: 'done', xlExitCode: 0 },
      probes: [
        { value: { access: 'read', outcome: 'denied' } },
        { value: { access: 'read-write', outcome: 'denied' } },
      ],
    });
    expect(JSON.parse((await dewar('list', '--json')).out)).toMatchObject({
      value: [{ domid: 0 }, { domid: 1, label: RUN }],
    });
  });

  test('a paused guest stays paused, and a dry run creates nothing', async () => {
    expect((await dewar('create', guestCfg, '-p', '-q')).out).toContain('is paused under');
    const dry = await dewar('create', guestCfg, '-n', "name='other'");
    expect(dry.code).toBe(0);
    expect(JSON.parse(dry.out)).toMatchObject({ c_info: { name: 'other', ssid_label: BUILD } });
    expect((await dewar('list')).out).not.toContain('other');
  });
});

describe('labels that do not take effect', () => {
  const base = readFileSync(guestCfg, 'utf8');

  test.each([
    ['customer_9:vm_r:nomigrate_t', /the policy has no user `customer_9`/],
    ['customer_1:system_r:nomigrate_t', /role/],
    ['customer_1:vm_r:dom0_t', /type/],
    ['customer_1:vm_r:nomigrat_t', /did you mean `nomigrate_t`/],
  ])('%s says which part is wrong', async (label, words) => {
    const cfg = file('wrong.cfg', base.replace(`'${RUN}'`, `'${label}'`));
    const { code, err } = await dewar('create', cfg, '-q');
    expect(code).toBe(1);
    expect(err).toContain('[guest/invalid-label]');
    expect(err).toMatch(words);
    expect(err).toMatch(/wrong\.cfg:\d+:\d+/);
    expect((await dewar('list')).out.trim().split('\n')).toHaveLength(2);
  });

  test.each([
    ["init_seclabel = '", "#init_seclabel = '", 'customer_1:vm_r:nomigrate_t', undefined],
    ['\nseclabel = ', '\nsec_label = ', undefined, /unknown-key.*|did you mean `seclabel`/],
    [`seclabel = '${RUN}'`, `seclabel = ['${RUN}']`, undefined, /label-is-list/],
  ])('%j written as %j is not passed over in silence', async (from, to, _, words) => {
    const cfg = file('silent.cfg', base.replace(from, to));
    expect(readFileSync(cfg, 'utf8')).not.toBe(base);
    const { err, out } = await dewar('create', cfg);
    expect(err + out).toMatch(words ?? /from the first step of the build on/);
  });
});

describe('policies', () => {
  test('the example policy compiles at every version, with and without MLS', async () => {
    for (const args of [['-c', '24'], ['-c', '30'], ['--mls']]) {
      const binary = join(scratch, 'example.bin');
      const { code, err, out } = await dewar('compile', '-o', binary, ...args);
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain(`${readFileSync(binary).length} bytes`);
    }
  });

  test('a compiled policy can be used instead of its sources', async () => {
    const binary = join(scratch, 'use.bin');
    await dewar('compile', '-o', binary, '-q');
    expect((await dewar('create', guestCfg, '--policy', binary, '-q')).code).toBe(0);
    expect((await dewar('decide', DOM0, RUN, 'mmu', '--policy', binary)).out).toBe(
      (await dewar('decide', DOM0, RUN, 'mmu')).out,
    );
  });

  test('an expanded policy.conf is a policy, and its faults are shown where they stand', async () => {
    const conf = file(
      'broken.conf',
      'class domain\nsid kernel\nclass domain { create }\ntype a_t\nallow a_t b_t:domain create;\n',
    );
    const { code, err } = await dewar('compile', conf, '-o', join(scratch, 'broken.bin'));
    expect(code).toBe(1);
    expect(err).toMatch(/broken\.conf:5:\d+: error:/);
    expect(err).toContain('nothing was written');
    expect(readdirSync(scratch)).not.toContain('broken.bin');
  });

  test('decide tells granted from denied', async () => {
    const { code, out } = await dewar('decide', DOM0, RUN, 'mmu', '--json');
    expect(code).toBe(0);
    const { decisions } = JSON.parse(out) as { decisions: { class: string; granted: string[]; denied: string[] }[] };
    expect(decisions).toHaveLength(1);
    expect(decisions[0]?.denied).toContain('map_read');
    expect((await dewar('decide', DOM0, RUN, 'mmmu')).err).toContain('did you mean `mmu`?');
    expect((await dewar('decide', DOM0, 'customer_1:vm_r:nomigrate_tt')).err).toContain('did you mean `nomigrate_t`?');
  });

  test('decide asks a host that runs: its booleans count, and its right to ask', async () => {
    await dewar('lab', 'new', 'asked');
    const ask = async (...more: string[]) => (await dewar('decide', DOM0, RUN, ...more)).out;
    expect(await ask('--host', 'asked')).toBe(await ask());
    expect(await ask('mmu', '--host', 'asked', '--json')).toBe(
      (await ask('mmu', '--json')).replace(/"policy": .*/, '"policy": "asked",'),
    );
    const locked = ['customer_1:vm_r:prot_domU_t', 'domain'] as const;
    const before = (await dewar('decide', DOM0, ...locked, '--host', 'asked')).out;
    await dewar('set-bool', '--host', 'asked', 'prot_doms_locked', '1');
    const after = (await dewar('decide', DOM0, ...locked, '--host', 'asked')).out;
    const isGranted = (text: string): boolean => / granted .* create /.test(text);
    expect([isGranted(before), isGranted(after)]).toEqual([true, false]);
    expect((await dewar('decide', DOM0, 'a:b:c', '--host', 'asked')).err).toContain('has no label `a:b:c`');
    expect((await dewar('decide', DOM0, RUN, 'mmmu', '--host', 'asked')).err).toContain('did you mean `mmu`?');
    expect((await dewar('decide', DOM0, RUN, '--host', 'asked', '--policy', 'x')).code).toBe(2);
    await dewar('lab', 'new', 'disabled', '--flask', 'disabled');
    expect((await dewar('decide', DOM0, RUN, '--host', 'disabled')).err).toContain('FLASK is disabled on this host');
  });

  test('m4 prints what GNU m4 prints', async () => {
    const source = file('a.m4', "define(`f', `[$1]')dnl\nf(x)VALUE\nerrprint(`careful\n')");
    expect(await dewar('m4', '-D', 'VALUE=7', source)).toEqual({ code: 0, out: '[x]7\n', err: 'careful\n' });
    expect((await dewar('m4', '-s', '-D', 'VALUE', source)).out).toContain(`#line 2 "${source}"\n[x]`);
    expect((await dewar('m4', file('b.m4', 'f(`open'))).code).toBe(1);
  });

  test('a changed policy boots its host anew, and says so', async () => {
    const binary = join(scratch, 'changing.bin');
    await dewar('compile', '-o', binary, '-q');
    await dewar('create', guestCfg, '--policy', binary, '-q');
    await dewar('compile', '-o', binary, '-q', '-c', '24');
    const { err, out } = await dewar('list', '--policy', binary);
    expect(err).toContain('these guests are gone: nomigrate-guest');
    expect(out.trim().split('\n')).toHaveLength(2);
  });
});

describe('wrong use', () => {
  test.each([
    [['frobnicate'], 2],
    [['create'], 2],
    [['compile', '-c', '29'], 2],
    [['setenforce', 'maybe'], 2],
    [['list', '--host', 'nowhere'], 2],
    [['create', 'no-such.cfg'], 3],
    [['create', '.'], 3],
    [['compile', 'no-such-policy'], 3],
    [['m4', 'no-such.m4'], 3],
    [['compile', process.execPath], 1],
    [['pause', 'no-such-domain'], 1],
    [['destroy', '0'], 1],
  ])('dewar %j ends with %i and a sentence', async (args, expected) => {
    const { code, err, out } = await dewar(...args);
    expect(code).toBe(expected);
    expect(err).not.toBe('');
    expect(err + out).not.toMatch(/^\s+at /m);
  });

  test('help and version go to the standard output', async () => {
    expect(await dewar('--version')).toEqual({ code: 0, out: '0.0.0-test\n', err: '' });
    const { code, out } = await dewar('help', 'create');
    expect(code).toBe(0);
    expect(out).toContain('--policy');
  });

  test.each([
    ['an empty file', ''],
    ['no JSON', '{"version":1,'],
    ['another shape', '{"version":1,"policy":{},"hypervisor":{},"toolstack":{}}'],
    ['a later version', '{"version":2}'],
  ])('a host whose file holds %s is refused, and left as it is', async (_, content) => {
    await dewar('create', guestCfg, '-q');
    const name = stateFiles().find((path) => path.endsWith('host.jsonl')) ?? '';
    const path = join(process.env['DEWAR_STATE_DIR'] ?? '', name);
    writeFileSync(path, content);
    const { code, err } = await dewar('list');
    expect(code).toBe(3);
    expect(err).toContain('host.jsonl');
    expect(readFileSync(path, 'utf8')).toBe(content);
  });
});

describe('several commands at once', () => {
  const bin = join(root, 'packages/cli/bin/dewar.js');
  const environment = () => ({ ...process.env, DEWAR_STATE_DIR: process.env['DEWAR_STATE_DIR'] ?? '' });

  test('each waits for its turn, and no guest is lost', async () => {
    await dewar('list');
    const names = ['a', 'b', 'c', 'd'];
    const codes = await Promise.all(
      names.map(
        (name) =>
          new Promise<number>((done) => {
            spawn(process.execPath, [bin, 'create', guestCfg, '-q', `name='${name}'`], {
              env: environment(),
              stdio: 'ignore',
            }).on('exit', (code) => done(code ?? -1));
          }),
      ),
    );
    expect(codes).toEqual([0, 0, 0, 0]);
    const { out } = await dewar('list');
    for (const name of names) expect(out).toMatch(new RegExp(`^${name} `, 'm'));
  });

  test('a command that is killed leaves a whole host and no lock', async () => {
    await dewar('create', guestCfg, '-q', "name='first'");
    for (let round = 0; round < 12; round++) {
      const child = spawn(process.execPath, [bin, 'create', guestCfg, '-q', `name='g${round}'`], {
        env: environment(),
        stdio: 'ignore',
      });
      const ended = new Promise((done) => child.on('exit', done));
      await delay(60 + round * 40);
      child.kill('SIGKILL');
      await ended;
      expect((await dewar('list')).out).toMatch(/^first /m);
    }
  });

  test('a reader that stops early is no failure', () => {
    const { stderr, status } = spawnSync(
      'sh',
      ['-c', `"${process.execPath}" "${bin}" create "${guestCfg}" | head -1`],
      {
        env: environment(),
      },
    );
    expect([status, stderr.toString().includes('EPIPE')]).toEqual([0, false]);
  });
});
