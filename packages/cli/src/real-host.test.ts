/**
 * The commands on a real host, as far as they are Dewar's. What libxl and Xen do is asked of them by `npm run test:xen`.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { compileDirectory } from '@dewar/policy/compiler';
import { examplePolicy } from '@dewar/testkit';
import type { Domid } from '@dewar/toolstack';
import { markOf, openXenHost } from '@dewar/xen';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { dewar, type Ran } from './captured-run.ts';
import {
  auditedBits,
  boot,
  examplePath,
  examplePolicyWithout,
  faults,
  guestCfg,
  guests,
  helperFile,
  host,
  logFile,
  RUN,
  root,
  scratch,
  xen,
} from './stand-in-host.ts';

const EACCES = { kind: 'errno', call: 'a hypercall', errno: 'EACCES' } as const;

describe('create', () => {
  test('a policy that Dewar did not load is said not to be rehearsed, and the guest is built', async () => {
    const { code, err, out } = await xen('create', guestCfg);
    expect(err).toContain('note: not rehearsed: the policy that this host has loaded is not known to Dewar');
    expect(out).toContain(`is running under ${RUN}\n`);
    expect(code).toBe(0);
    expect(await guests()).toEqual(['nomigrate-guest running']);
  });

  test('with the policy named, what would be denied half-way is refused, unless it is forced', async () => {
    const other = ['seclabel="customer_2:vm_r:nomigrate_t"'];
    const refused = await xen('create', '--policy', examplePath, guestCfg, ...other);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('nothing was created: that was a rehearsal under the policy of this host');
    expect(refused.err).toMatch(/domain \{ transition \} +.*DENIED/);
    expect(await guests()).toEqual([]);
    expect((await xen('log')).out).toBe('Dewar has changed nothing on this host\n');
    const forced = await xen('create', '--force', '--policy', examplePath, guestCfg, ...other);
    expect(forced.err).toContain('warning: the rehearsal failed; the guest is built nevertheless');
    expect(forced.code).not.toBe(0);
    expect(await guests()).toEqual([]);
    expect((await xen('create', '--policy', examplePath, guestCfg)).code).toBe(0);
  });

  test('a policy that Xen does not decide as is not the one that it has loaded', async () => {
    const { code, err } = await xen('create', '--policy', examplePolicyWithout('domain', 'pause'), guestCfg);
    expect(err).toContain('is not the policy that this host has loaded: Xen allows');
    expect(code).toBe(1);
    expect(await guests()).toEqual([]);
  });

  test('what it decides, it is asked itself', async () => {
    const asked = await xen('decide', 'system_u:system_r:dom0_t', RUN, 'mmu');
    const read = await dewar('decide', 'system_u:system_r:dom0_t', RUN, 'mmu', '--policy', examplePath);
    expect(asked).toEqual(read);
    expect((await xen('decide', 'system_u:system_r:dom0_t', 'no:such:label')).err).toContain('has no label');
    await xen('loadpolicy', '--yes', '--force', examplePolicyWithout('security', 'compute_av'));
    const refused = await xen('decide', 'system_u:system_r:dom0_t', RUN);
    expect([refused.code, refused.err.includes('dom0 may not ask what the policy decides')]).toEqual([1, true]);
    await xen('loadpolicy', '--back', '--yes');
  });

  test('a policy with other booleans is not that either, however Xen decides', async () => {
    const files = examplePolicy();
    const more = (path: string, text: string): string =>
      path.endsWith('global_tunables') ? `${text}\ngen_bool(another, false)\n` : text;
    const { bytes = new Uint8Array() } = compileDirectory(
      {
        ...files,
        readText: (path) => {
          const text = files.readText(path);
          return text && more(path, text);
        },
      },
      { release: '4.17' },
    );
    const path = join(scratch, 'another.policy');
    writeFileSync(path, bytes);
    const { code, err } = await xen('create', '--policy', path, guestCfg);
    expect(err).toContain('is not the policy that this host has loaded: Xen has no boolean `another`');
    expect([code, await guests()]).toEqual([1, []]);
  });

  test.each([
    ['dies before it begins', { kind: 'dies' }, 'nothing of the guest is left'],
    ['dies when it has built', { kind: 'dies-late' }, 'domain 1, which was half built, was destroyed'],
    ['dies within its answer', { kind: 'half' }, 'domain 1, which was half built, was destroyed'],
  ] as const)('a helper that %s leaves nothing', async (_, how, said) => {
    faults({ call: 'domain.create', how });
    const { code, err } = await xen('create', guestCfg);
    expect([code, err.includes(said)]).toEqual([3, true]);
    expect(err).not.toMatch(/^ +at /m);
    expect(await guests()).toEqual([]);
    expect((await xen('log')).out).toMatch(/create +unfinished name=nomigrate-guest/);
  });

  test.each([
    ['before the guest is started', { kind: 'dies' }, 'was destroyed', []],
    ['after it was started', { kind: 'dies-late' }, 'is left as it is, since it runs', ['nomigrate-guest running']],
  ] as const)('a helper that dies %s leaves what is whole', async (_, how, said, left) => {
    faults({ call: 'domain.finish', how });
    const { code, err } = await xen('create', guestCfg);
    expect([code, err.includes(said)]).toEqual([3, true]);
    expect(await guests()).toEqual(left);
  });

  test('a helper that hangs is killed after Ctrl-C, and another one destroys what it has half built', async () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
    const before = new Set(process.listeners('SIGINT'));
    faults({ call: 'domain.finish', how: { kind: 'hangs' } });
    const created = xen('create', guestCfg);
    const pending = (): string => readFileSync(process.env['STAND_IN_FAULTS'] ?? '', 'utf8');
    await vi.waitFor(() => expect(pending()).toBe('[]'), 20_000);
    for (const listener of process.listeners('SIGINT')) if (!before.has(listener)) listener('SIGINT');
    await vi.waitFor(() => expect(exit).toHaveBeenCalledWith(130), 20_000);
    // A process of its own has ended here.
    const left = await guests();
    exit.mockRestore();
    await created;
    expect(left).toEqual([]);
  });

  test('a helper that dies with the one that cleans up after it leaves what cannot be found out', async () => {
    faults(
      { call: 'domain.create', how: { kind: 'dies-late' } },
      { call: 'domain.list', after: 1, how: { kind: 'fails', failure: EACCES } },
    );
    const { code, err } = await xen('create', guestCfg);
    expect([code, /whether the guest with the UUID \S+ is left could not be found out/.test(err)]).toEqual([3, true]);
    expect(await guests()).toEqual(['nomigrate-guest paused']);
  });

  test('a build that libxl refuses is told with what it said last', async () => {
    const failure = { kind: 'libxl', call: 'libxl_domain_create_new', rc: -3 } as const;
    faults({ call: 'domain.create', how: { kind: 'fails', failure } });
    const { code, err } = await xen('create', guestCfg);
    expect(code).toBe(3);
    expect(err).toContain('`libxl_domain_create_new` gave -3');
  });

  test.each([
    'flask.getenforce',
    'domain.list',
    'flask.booleans',
    'flask.contextToSid',
    'flask.access',
    'ring.read',
  ] as const)('a helper that dies at `%s` before anything is built ends the command', async (call) => {
    faults({ call, how: { kind: 'dies' } });
    const { code, err } = await xen('create', '--policy', examplePath, guestCfg);
    expect([code, err.includes('ended by SIGKILL')]).toEqual([3, true]);
    expect(await guests()).toEqual([]);
  });

  test('a held build is relabelled by Dewar, and destroyed when that is denied', async () => {
    const held = await xen('create', '--hold', '0', guestCfg);
    expect(held.out).toContain(`the label of domain 1 is now ${RUN}`);
    await xen('destroy', 'nomigrate-guest');
    faults({ call: 'domain.relabel', how: { kind: 'fails', failure: EACCES } });
    const { code, err } = await xen('create', '--hold', '0', guestCfg);
    expect([code, err.includes('guest/relabel-denied')]).toEqual([3, true]);
    expect(await guests()).toEqual([]);
  });
});

describe('shutdown', () => {
  test('a guest that is waited for is told of, and the request is in the journal', async () => {
    await xen('create', '--no-wait', guestCfg);
    const { code, err } = await xen('shutdown', '--wait', 'nomigrate-guest');
    expect(err).toBe('Shutting down domain 1\nWaiting for 1 domains\nDomain 1 has been destroyed\n');
    expect(code).toBe(0);
    expect((await xen('log')).out).toMatch(/shutdown +done domain=nomigrate-guest/);
  });

  test('all guests are asked before any is waited for', async () => {
    await xen('create', guestCfg);
    await xen('create', guestCfg, 'name="other"');
    const { code, err } = await xen('shutdown', '--all', '--wait');
    expect(err.split('\n').slice(0, 3)).toEqual([
      'Shutting down domain 1',
      'Shutting down domain 2',
      'Waiting for 2 domains',
    ]);
    expect([code, await guests()]).toEqual([0, []]);
  });

  test.each([
    [-9, [], ['shutdown failed (rc=-9)']],
    [
      -10,
      [],
      [
        'PV control interface not available: external graceful shutdown not possible.',
        'Use "-F" to fallback to ACPI power event.',
        'shutdown failed (rc=-10)',
      ],
    ],
    [-10, ['-F'], ['PV control interface not available: sending ACPI power button event.', 'shutdown failed (rc=-3)']],
  ] as const)('a guest that cannot be asked (rc %d, options %j) is not waited for', async (rc, options, said) => {
    await xen('create', guestCfg);
    faults(
      {
        call: 'domain.shutdown',
        how: { kind: 'fails', failure: { kind: 'libxl', call: 'libxl_domain_shutdown', rc } },
      },
      {
        call: 'domain.trigger',
        how: { kind: 'fails', failure: { kind: 'libxl', call: 'libxl_send_trigger', rc: -3 } },
      },
    );
    const { code, err } = await xen('shutdown', '--wait', ...options, 'nomigrate-guest');
    expect(err.split('\n').slice(0, said.length + 1)).toEqual(['Shutting down domain 1', ...said]);
    expect(err).toContain(options.length > 0 ? 'guest/operation-failed' : 'guest/no-answer');
    expect([code, await guests()]).toEqual([1, ['nomigrate-guest running']]);
  });
});

describe('loadpolicy', () => {
  test('is loaded when that is said, verified, known from then on, and put back', async () => {
    const { code, out, err } = await xen('loadpolicy', '--yes', examplePath);
    expect([code, out]).toEqual([0, 'Successfully loaded policy.\n']);
    expect(err).toContain('verified: Xen decides as this policy');
    expect((await xen('loadpolicy', '--back')).err).toContain('there is no policy to put back');
    expect((await xen('loadpolicy', '--yes', examplePath)).err).toContain('`dewar loadpolicy --back`');
    expect((await xen('loadpolicy', '--yes', '--back')).code).toBe(0);
    expect((await xen('create', guestCfg)).err).not.toContain('not rehearsed');
  });

  test('where nobody can be asked, nothing is loaded', async () => {
    const { code, err } = await xen('loadpolicy', examplePath);
    expect([code, err.includes('nobody can be asked here: say `--yes`')]).toEqual([2, true]);
    expect((await xen('log')).out).not.toContain('load-policy');
  });

  test('a policy that locks dom0 out is refused, unless it is forced', async () => {
    const path = examplePolicyWithout('security', 'load_policy');
    const { code, err } = await xen('loadpolicy', '--yes', path);
    expect([code, err.includes('would lock dom0 out: dom0 lacks `security { load_policy }`')]).toEqual([1, true]);
    expect((await xen('loadpolicy', '--yes', '--force', path)).code).toBe(0);
    const late = await xen('loadpolicy', '--yes', '--force', examplePath);
    expect([late.code, late.err.includes('Unable to load new Flask policy')]).toEqual([255, true]);
  });

  test('on a Xen that asks before it lists domains, a policy that keeps dom0 from it is refused', async () => {
    const files = examplePolicy({
      'modules/dom0.te': (text) => text.replace('allow dom0_t domxen_t:domain getdomaininfo;\n', ''),
    });
    const path = join(scratch, 'without-list.policy');
    writeFileSync(path, compileDirectory(files, { release: '4.17' }).bytes ?? new Uint8Array());
    expect((await xen('loadpolicy', '--yes', path)).code).toBe(0);
    expect((await xen('loadpolicy', '--yes', examplePath)).code).toBe(0);
    const extra = join(root, 'sys/hypervisor/version/extra');
    writeFileSync(extra, '.7\n');
    try {
      const { code, err } = await xen('loadpolicy', '--yes', path);
      const why = 'would lock dom0 out: dom0 lacks `domain { getdomaininfo }` on the label of `domxen`';
      expect([code, err.includes(why)]).toEqual([1, true]);
    } finally {
      rmSync(extra);
    }
  });

  test.each([
    ['flask.load', { kind: 'fails', failure: EACCES }, 255, 'load-policy    failed'],
    ['flask.load', { kind: 'dies' }, 3, 'load-policy    unfinished'],
    ['flask.load', { kind: 'dies-late' }, 3, 'load-policy    unfinished'],
  ] as const)(
    'a load that ends otherwise (%s %o) is no load, and is in the journal',
    async (call, how, status, entry) => {
      faults({ call, how });
      const { code, out } = await xen('loadpolicy', '--yes', examplePath);
      expect([code, out]).toEqual([status, '']);
      expect((await xen('log')).out).toContain(entry);
      // What is in force is only known when the load was verified.
      expect((await xen('create', guestCfg)).err).toContain('not rehearsed');
    },
  );

  test('where dom0 may not ask for decisions, that is said', async () => {
    faults({ call: 'flask.access', how: { kind: 'fails', failure: EACCES } });
    const { code, err } = await xen('loadpolicy', '--yes', examplePath);
    expect([code, err.includes('what Xen decides now was not verified')]).toEqual([0, true]);
  });
});

describe('trace', () => {
  const trace = (...args: readonly string[]): Promise<Ran> => xen('trace', '--policy', examplePath, ...args);

  test('the policy has auditing while the command runs, and afterwards not; its exit code is passed on', async () => {
    const look =
      "const t = JSON.parse(require('fs').readFileSync(process.env.STAND_IN_HOST, 'utf8')).xen; process.exit(Object.keys(t).length > 0 ? 7 : 1)";
    const { code, out, err } = await trace('--', process.execPath, '-e', look);
    expect(err).toBe('');
    expect(code).toBe(7);
    expect(out).toContain(', which ended with 7\nhost      Xen 4.17, enforcing\n');
    expect(auditedBits()).toBe(0);
    expect((await xen('log')).out).toMatch(/trace +done command=/);
    expect(existsSync(join(process.env['DEWAR_STATE_DIR'] ?? '', 'xen/auditing.json'))).toBe(false);
  });

  test('what Xen logs meanwhile is told in order, with repeats folded, and who asks for it', async () => {
    const line = (target: number): string =>
      `(XEN) avc:  granted  { pause } for source=d0 target=d${target} scontext=system_u:system_r:dom0_t tcontext=${RUN} tclass=domain\n`;
    const lines = `${line(1)}${line(1)}${line(2)}(XEN) FLASK: Denying unknown domctl: 81.\n`;
    const print = `printf '${lines.replaceAll('\n', '\\n')}' >> "$STAND_IN_LOG"`;
    const { out } = await trace('--json', '--', 'sh', '-c', print);
    const { entries, total, denied, policyAfter } = JSON.parse(out) as Record<string, unknown>;
    expect([total, denied, policyAfter]).toEqual([3, 0, 'put-back']);
    const check = { kind: 'check', class: 'domain', operations: ['domctl.pausedomain'], outcome: 'granted' };
    expect(entries).toEqual([
      expect.objectContaining({ ...check, targetDomid: 1, sourceDomid: 0, count: 2 }),
      expect.objectContaining({ ...check, targetDomid: 2, count: 1 }),
      { kind: 'remark', text: 'domctl 81 has no check in FLASK, and was denied', count: 1 },
    ]);
  });

  test('text that was gone from the ring before it was read is counted', async () => {
    process.env['STAND_IN_RING'] = '3000';
    const print = `head -c 9000 /dev/zero | tr '\\0' '\\n' >> "$STAND_IN_LOG"`;
    const { out, code } = await trace('--', 'sh', '-c', print);
    expect(code).toBe(0);
    expect(out).toMatch(/note: [1-9]\d{3} characters of Xen's console were gone before they could be read/);
  });

  test('a host that logs something each time that its log is read is no reason to wait', async () => {
    process.env['STAND_IN_CHATTER'] =
      `(XEN) avc:  granted  { pinpage } for source=d1 scontext=${RUN} tcontext=${RUN}_self tclass=mmu\n`;
    const { out, code } = await trace('--', 'true');
    expect(code).toBe(0);
    expect(out).toMatch(/mmu \{ pinpage \} +granted/);
    expect(auditedBits()).toBe(0);
  });

  test('a program that is not there changes nothing for long', async () => {
    const { code, err } = await trace('--', 'no-such-program');
    expect([code, err]).toEqual([127, 'error: cannot run `no-such-program`: there is no such program\n']);
    expect(auditedBits()).toBe(0);
  });

  test('a policy that is loaded meanwhile stays in force', async () => {
    const path = join(scratch, 'reloads.mjs');
    // The example policy comes again, as another program would load it.
    writeFileSync(
      path,
      `import { spawn } from 'node:child_process';
       import { readFileSync } from 'node:fs';
       const helper = spawn(process.execPath, [${JSON.stringify(helperFile)}], { stdio: ['pipe', 'inherit', 'inherit', 'pipe'] });
       const bytes = readFileSync(${JSON.stringify(examplePath)}).toString('base64');
       helper.stdin.end(JSON.stringify({ id: 1, call: 'flask.load', params: { bytes } }) + '\\n');
       helper.on('exit', (code) => process.exit(code));`,
    );
    const { code, err } = await trace('--', process.execPath, path);
    expect([code, err]).toEqual([0, 'warning: another policy was loaded meanwhile; it stays in force\n']);
    expect(auditedBits()).toBe(0);
  });

  test.each([
    ['audit.begin', { kind: 'fails', failure: EACCES }, 1, 'nothing was traced: `a hypercall` gave EACCES'],
    ['audit.begin', { kind: 'dies-late' }, 3, 'ended by SIGKILL'],
    ['audit.end', { kind: 'fails', failure: EACCES }, 3, 'could not be loaded: `a hypercall` gave EACCES'],
    ['audit.end', { kind: 'dies' }, 0, ''],
    ['audit.end', { kind: 'dies-late' }, 0, ''],
  ] as const)(
    'whatever becomes of `%s` (%o), the policy without auditing is in force in the end',
    async (call, how, status, said) => {
      faults({ call, how });
      const { code, err } = await trace('--', 'true');
      expect([code, err.includes(said)]).toEqual([status, true]);
      await xen('list');
      expect(auditedBits()).toBe(0);
    },
  );

  test('what a killed command has left is put back by the next one, and said', async () => {
    faults({ call: 'audit.end', how: { kind: 'dies' } }, { call: 'open', after: 1, how: { kind: 'dies' } });
    const { code, err } = await trace('--', 'true');
    expect([code, err.includes('the policy with auditing is still in force')]).toEqual([3, true]);
    expect(auditedBits()).not.toBe(0);
    const record = join(process.env['DEWAR_STATE_DIR'] ?? '', 'xen/auditing.json');
    // As long as the command runs that began it, it is let be.
    expect((await xen('list')).err).toBe('');
    expect(auditedBits()).not.toBe(0);
    expect((await trace('--', 'true')).err).toContain('the policy in force has auditing already');
    const written = readFileSync(record, 'utf8');
    writeFileSync(record, written.replaceAll(/"start":"\d+"/g, '"start":"1"'));
    expect((await xen('list')).err).toBe('note: a trace of `true` was killed; the policy before it was put back\n');
    expect(auditedBits()).toBe(0);
    expect((await xen('list')).err).toBe('');
  });

  test('a record that is no record is passed over', async () => {
    const folder = join(process.env['DEWAR_STATE_DIR'] ?? '', 'xen');
    mkdirSync(folder);
    writeFileSync(join(folder, 'auditing.json'), '{"boot":');
    expect(await xen('getenforce')).toEqual({ code: 1, out: 'Enforcing\n', err: '' });
  });

  test('a policy that is not known cannot be put back, so nothing is traced', async () => {
    const { code, err } = await xen('trace', '--', 'true');
    expect([code, err.includes('so it could not be put back: name it with `--policy`')]).toEqual([1, true]);
    const type = await trace('--type', 'no_such_t', '--', 'true');
    expect([type.code, type.err]).toEqual([1, 'dewar: the policy has no type `no_such_t`\n']);
  });
});

test('what Xen logs between two operations belongs to neither', async () => {
  const line = `(XEN) avc:  denied  { pause } for source=d0 target=d1 scontext=system_u:system_r:dom0_t tcontext=${RUN} tclass=domain\n`;
  const host = await openXenHost({ helperFile, root, stateFolder: join(process.env['DEWAR_STATE_DIR'] ?? '', 'xen') });
  try {
    await host.list();
    appendFileSync(logFile, line);
    const { timeline } = await host.list();
    expect(timeline.flatMap(({ hypercalls }) => hypercalls.flatMap(({ checks }) => checks))).toEqual([]);
  } finally {
    await host.close();
  }
});

test('where FLASK is disabled, what is about it is refused with clear words', async () => {
  boot('disabled');
  // The second are xl's own.
  const words = /FLASK is disabled on this host|Flask XSM disabled/;
  for (const [status, ...args] of [
    [255, 'getenforce'],
    [1, 'get-bool'],
    [255, 'setenforce', '1'],
    [255, 'loadpolicy', '--yes', examplePath],
    [1, 'trace', '--policy', examplePath, '--', 'true'],
    [1, 'create', guestCfg],
  ] as const) {
    const { code, out, err } = await xen(...args);
    expect([args[0], code, words.test(`${out}${err}`)]).toEqual([args[0], status, true]);
  }
  expect(await guests()).toEqual([]);
  const plain = join(scratch, 'plain.cfg');
  writeFileSync(plain, readFileSync(guestCfg, 'utf8').replaceAll(/^.*seclabel.*$/gm, ''));
  const { code, out } = await xen('create', plain);
  expect([code, /is running under no label$/m.test(out)]).toEqual([0, true]);
});

describe('watch', () => {
  test('each denial is told once, also one that comes in two pieces', async () => {
    const line = `(XEN) avc:  denied  { map_read } for source=d0 target=d1 scontext=system_u:system_r:dom0_t tcontext=${RUN} tclass=mmu\n`;
    const half = line.length / 2;
    const watched = xen('watch', '--seconds', '4');
    setTimeout(() => appendFileSync(logFile, line.slice(0, half)), 600);
    setTimeout(() => appendFileSync(logFile, line.slice(half) + line), 2200);
    const { code, out } = await watched;
    expect(code).toBe(0);
    expect(out.match(/avc: {2}denied/g)).toHaveLength(1);
    expect(out).toContain('`map_read` is asked for by');
  });
});

describe('scenarios that are interrupted', () => {
  const scenario = join(scratch, 'long.scenario.yaml');
  const steps = '  - list\n'.repeat(80);

  beforeAll(() => {
    const guest = "  web: |\n    seclabel = 'system_u:system_r:domU_t'\n    kernel = '/k'\n    memory = 64\n";
    const first = '  - set-bool: prot_doms_locked\n    value: true\n  - create: web\n';
    writeFileSync(scenario, `policy: ${examplePath}\nguests:\n${guest}steps:\n${first}${steps}`);
  });

  /** What the command does at a signal, once the guest of the scenario is there. */
  async function interruption(): Promise<() => void> {
    const before = new Set(process.listeners('SIGINT'));
    const isRunning = (): boolean => host().inspectDomain(1 as Domid)?.info.isPaused === false;
    await vi.waitFor(() => expect(isRunning()).toBe(true), 20_000);
    const ours = process.listeners('SIGINT').filter((one) => !before.has(one));
    const [only, ...more] = ours.length > 0 ? ours : process.listeners('SIGINT').slice(-1);
    if (only === undefined || more.length > 0) throw new Error('it is not clear who listens');
    return () => only('SIGINT');
  }

  test('end after the step that is under way: guests and booleans are as before, and the status says so', async () => {
    const running = xen('test', scenario);
    (await interruption())();
    const { code, err, out } = await running;
    expect([code, err]).toEqual([
      130,
      expect.stringContaining('the step that is under way ends, then all is put back'),
    ]);
    expect(out).toContain('it was interrupted');
    expect(await guests()).toEqual([]);
    expect((await xen('get-bool', 'prot_doms_locked')).out).toBe('prot_doms_locked: 0\n');
  });

  test('a second run does not take the guests of one that goes on for left-overs', async () => {
    const short = join(scratch, 'short.scenario.yaml');
    writeFileSync(short, `policy: ${examplePath}\nsteps:\n  - list\n`);
    const file = join(process.env['DEWAR_STATE_DIR'] ?? '', 'xen/scenario-guests.json');
    mkdirSync(dirname(file), { recursive: true });
    const other = markOf(process.ppid);
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const record = { boot, owner: other, uuids: ['0d8b4b4e-7b0f-4f0e-9c1a-3c58c3c1f001'] };
    writeFileSync(file, JSON.stringify(record));
    const refused = await xen('test', short);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`process ${other.pid} has not ended yet`);
    // One that has its number now, and was started later, is another one.
    writeFileSync(file, JSON.stringify({ ...record, owner: { ...other, start: '1' } }));
    expect((await xen('test', short)).code).toBe(0);
  });

  test('end at once the second time, and the next run destroys what was left', async () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
    const running = xen('test', scenario);
    const interrupt = await interruption();
    interrupt();
    interrupt();
    // A process of its own is gone by now. Here it goes on, and would put all back: so it is kept from that.
    faults({ call: 'domain.destroy', how: { kind: 'fails', failure: EACCES } });
    await running.catch(() => undefined);
    await vi.waitFor(() => expect(exit).toHaveBeenCalledWith(130), 20_000);
    exit.mockRestore();
    faults();
    expect(await guests()).toEqual(['web running']);

    const short = join(scratch, 'short.scenario.yaml');
    writeFileSync(short, `policy: ${examplePath}\nsteps:\n  - list\n`);
    const { code, err } = await xen('test', short);
    expect([code, err]).toEqual([0, 'note: what an earlier run left behind was destroyed\n']);
    expect(await guests()).toEqual([]);
  });
});
