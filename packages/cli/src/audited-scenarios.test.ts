/**
 * `dewar test --host xen --audit`: what is granted is known from Xen's log, of a policy that is put back whatever happens.
 * A stand-in for the helper works with a simulated Xen, which logs what its policy audits.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileDirectory } from '@dewar/policy/compiler';
import { examplePolicy } from '@dewar/testkit';
import type { Domid } from '@dewar/toolstack';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { dewar, type Ran } from './captured-run.ts';
import { auditedBits, examplePath, faults, guests, host, RUN, scratch, xen } from './stand-in-host.ts';

const EACCES = { kind: 'errno', call: 'a hypercall', errno: 'EACCES' } as const;
const GUEST = `guests:
  vault: |
    init_seclabel = '${RUN}_building'
    seclabel = '${RUN}'
    kernel = '/boot/vmlinuz'
    memory = 64
`;
let files = 0;

/** A file with one scenario. */
function scenario(steps: string, name = 'one'): string {
  const file = join(scratch, `granted-${++files}.scenario.yaml`);
  writeFileSync(file, `name: ${name}\npolicy: ${examplePath}\n${GUEST}steps:\n${steps}`);
  return file;
}

const BUILT = `  - create: vault
    expect:
      granted:
        - dom0_t nomigrate_t_building:domain { create max_vcpus setvcpucontext }
        - dom0_t ${RUN}:domain2 relabelto
        - nomigrate_t_building nomigrate_t:domain transition
        - dom0_t nomigrate_t_building:grant map_read
        - '* nomigrate_t:domain unpause'
`;
const PAUSED = `  - pause: vault
    expect: { granted: ['dom0_t nomigrate_t:domain pause'], denied: [] }
`;
const GONE = '  - destroy: vault\n    expect: { granted: [dom0_t nomigrate_t:grant unmap] }\n';
/** Nobody resumes a guest when it is paused. */
const WRONG = "  - pause: vault\n    expect: { granted: ['dom0_t nomigrate_t:domain { pause resume }'] }\n";

const audited = (file: string, ...more: readonly string[]): Promise<Ran> => xen('test', file, '--audit', ...more);
/** The outcome, and what came otherwise. */
async function verdict(ran: Promise<Ran>): Promise<unknown> {
  const { out, err } = await ran;
  expect(err).toBe('');
  // The command has printed it.
  const { scenarios } = JSON.parse(out) as {
    readonly scenarios: readonly { readonly outcome: string; readonly failures: readonly { mismatches: unknown }[] }[];
  };
  return scenarios.map(({ outcome, failures }) => [outcome, failures.map(({ mismatches }) => mismatches)]);
}

const securityBits = (): number => auditedBits('security', 'system_u:system_r:security_t');
/** The example policy has some auditing of its own. */
let plainBits = 0;
/** Whether Xen logs all that dom0 is granted of FLASK itself, as it does while there is auditing of anything. */
const isAudited = (): boolean => securityBits() !== plainBits;

const record = (): string => join(process.env['DEWAR_STATE_DIR'] ?? '', 'xen/auditing.json');

beforeEach(() => {
  plainBits = securityBits();
});

describe('what must be granted', () => {
  test('is refused without the option, which is named', async () => {
    const { code, err } = await xen('test', scenario(BUILT));
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/`granted`: Xen logs what it denies.*with `--audit` it logs/),
    ]);
    expect((await xen('log')).out).toBe('Dewar has changed nothing on this host\n');
  });

  test.each([
    ['all came as it must', BUILT + PAUSED + GONE, 'passed'],
    ['something was not granted', BUILT + WRONG, 'failed'],
    [
      'somebody else was granted it',
      "  - create: vault\n    expect: { granted: ['domU_t *:domain create'] }\n",
      'failed',
    ],
    ['a type is not there', "  - create: vault\n    expect: { granted: ['no_t *:domain create'] }\n", 'failed'],
    [
      'an operation fails, as it must',
      `${BUILT}${GONE}${GONE.replace(': {', ': { outcome: failed,').replace(/granted.*/, 'granted: [] }')}`,
      'passed',
    ],
    [
      'an operation fails, and so grants nothing',
      `${BUILT}${GONE}${PAUSED.replace('{ ', '{ outcome: failed, ')}`,
      'failed',
    ],
  ])('comes out as on a simulated host when %s', async (_, steps, outcome) => {
    const file = scenario(steps);
    const real = await verdict(audited(file, '--json'));
    expect(real).toEqual(await verdict(dewar('test', file, '--json')));
    expect(real).toEqual([[outcome, expect.anything()]]);
    expect([isAudited(), existsSync(record()), await guests()]).toEqual([false, false, []]);
  });

  test('is audited while the scenarios run, once for all, and the journal has it', async () => {
    const file = scenario(`${BUILT}---\nname: two\npolicy: ${examplePath}\n${GUEST}steps:\n${BUILT}${PAUSED}`);
    const { code, out, err } = await audited(file);
    expect([code, err, out]).toEqual([0, '', expect.stringContaining('2 scenarios: 2 passed')]);
    const { out: log } = await xen('log');
    expect(log.match(/ test +done /g)).toHaveLength(1);
    expect(log).toContain(`command=dewar test ${file} --audit`);
    expect(log).not.toContain('load-policy');
  });

  test('is not audited where no scenario says it', async () => {
    const { code, err } = await audited(scenario('  - list\n'));
    expect([code, err]).toEqual([0, 'note: nothing was audited: no scenario says what must be granted\n']);
    expect((await xen('log')).out).toBe('Dewar has changed nothing on this host\n');
  });

  test.each([
    [
      'dom0_t nomigrate_t_building:mmu { adjust map_read }',
      '`mmu { map_read }` is not audited: Xen checks it page by page',
    ],
    ['dom0_t nomigrate_t:domain getdomaininfo', '`domain { getdomaininfo }` is not audited: who looks at a domain'],
    ['* xen_t:xen physinfo', '`xen { physinfo }` is not audited'],
    ['dom0_t security_t:security check_context', '`security { check_context }` is not audited'],
    [
      'dom0_t *:domain destroy',
      '`domain { destroy }` is not audited: Xen checks it anew at each part of a destruction',
    ],
    ['* *:event send', '`event { send }` is not audited: Xen checks it at each event'],
    ['* *:version xen_extraversion', '`version { xen_extraversion }` is not audited'],
    ['dom0_t dom0_t:mmu pinpage', '`mmu { pinpage }` is not audited'],
  ])('is refused where the log cannot tell: %s', async (check, said) => {
    const { code, err } = await audited(scenario(`  - create: vault\n    expect: { granted: ['${check}'] }\n`));
    expect([code, err]).toEqual([2, expect.stringContaining(`step 1, \`create\`, \`granted\`: ${said}`)]);
    expect((await xen('log')).out).toBe('Dewar has changed nothing on this host\n');
  });

  test('is no question for a simulated host', async () => {
    const { code, err } = await dewar('test', scenario(BUILT), '--audit');
    expect([code, err]).toEqual([2, expect.stringContaining('`--audit` is for a real host')]);
  });

  test('of a domain that is not of the scenario counts for nothing', async () => {
    await xen('create', '--no-wait', join(import.meta.dirname, '../../../examples/nomigrate/guest.cfg'));
    const file = scenario('  - vcpu-list: vault\n    expect: { granted: [dom0_t nomigrate_t:domain getvcpuinfo] }\n');
    // Of the neighbour, dom0 asks the same.
    const neighbour = readFileSync(file, 'utf8').replace('  - vcpu-list: vault\n', '  - vcpu-list: Domain-0\n');
    writeFileSync(file, neighbour);
    expect(await verdict(audited(file, '--json'))).toEqual([['failed', expect.anything()]]);
    expect(await guests()).toEqual(['nomigrate-guest running']);
  });
});

describe('a run with auditing', () => {
  test.each([
    ['policy_locked', 'load_policy', 'the policy without auditing could not be put back'],
    ['policy_locked', 'setbool', 'the booleans could not be put back'],
  ])('is refused where a step sets `%s`, which takes `%s` from dom0', async (boolean, permission, why) => {
    const { code, err } = await audited(scenario(`${BUILT}  - set-bool: ${boolean}\n    value: true\n`));
    expect([code, err]).toEqual([
      2,
      expect.stringContaining(
        `step 2, \`set-bool\`: it takes \`security { ${permission} }\` from dom0, so that ${why}`,
      ),
    ]);
    expect((await xen('log')).out).toBe('Dewar has changed nothing on this host\n');
  });

  test('keeps booleans that its steps set, and puts them back', async () => {
    const flip =
      '  - set-bool: prot_doms_locked\n    value: true\n    expect: { granted: [dom0_t security_t:security setbool] }\n';
    expect(await verdict(audited(scenario(BUILT + flip + PAUSED), '--json'))).toEqual([['passed', []]]);
    expect((await xen('get-bool', 'prot_doms_locked')).out).toBe('prot_doms_locked: 0\n');
  });

  test('says where text was gone from the console, and decides nothing by what is left', async () => {
    process.env['STAND_IN_RING'] = '600';
    const { code, out } = await audited(scenario(BUILT));
    expect(code).toBe(1);
    expect(out).toContain(
      "step `create vault`: text was gone from Xen's console before it could be read, so that nobody knows what was granted",
    );
    expect(out).toContain('1 scenario: 1 broken');
    process.env['STAND_IN_RING'] = '600';
    const denied = await audited(scenario(`${BUILT.replace('expect:\n', 'expect:\n      denied: []\n')}`));
    expect(denied.out).toContain('nobody knows what was denied');
    expect(isAudited()).toBe(false);
  });

  test.each([
    ['audit.begin', { kind: 'fails', failure: EACCES }, 1, 'nothing was tested: `a hypercall` gave EACCES'],
    ['audit.begin', { kind: 'dies-late' }, 3, 'ended by SIGKILL'],
    ['domain.pause', { kind: 'dies' }, 3, 'ended by SIGKILL'],
    ['audit.end', { kind: 'fails', failure: EACCES }, 3, 'could not be loaded: `a hypercall` gave EACCES'],
    ['audit.end', { kind: 'dies' }, 0, ''],
    ['audit.end', { kind: 'dies-late' }, 0, ''],
  ] as const)('whatever becomes of `%s` (%o), no auditing is left in the end', async (call, how, status, said) => {
    faults({ call, how });
    const { code, err } = await audited(scenario(BUILT + PAUSED));
    expect([code, err]).toEqual([status, expect.stringContaining(said)]);
    await xen('list');
    expect(isAudited()).toBe(false);
  });

  test('that was killed is ended by the next command, which says so', async () => {
    faults({ call: 'audit.end', how: { kind: 'dies' } }, { call: 'open', after: 2, how: { kind: 'dies' } });
    const file = scenario(BUILT);
    expect((await audited(file)).code).toBe(3);
    expect(isAudited()).toBe(true);
    const written = readFileSync(record(), 'utf8');
    writeFileSync(record(), written.replaceAll(/"start":"\d+"/g, '"start":"1"'));
    expect((await xen('list')).err).toBe(
      `note: \`dewar test ${file} --audit\` was killed; the policy before it was put back\n`,
    );
    expect(isAudited()).toBe(false);
  });

  test('ends at Ctrl-C after the step that is under way, and puts all back', async () => {
    const before = new Set(process.listeners('SIGINT'));
    const running = audited(scenario(BUILT + '  - list\n'.repeat(60) + PAUSED));
    await vi.waitFor(() => expect(host().inspectDomain(1 as Domid)?.info.isPaused).toBe(false), 20_000);
    expect(isAudited()).toBe(true);
    for (const listener of process.listeners('SIGINT')) if (!before.has(listener)) listener('SIGINT');
    const { code, out, err } = await running;
    expect([code, err]).toEqual([130, expect.stringContaining('then all is put back')]);
    expect(out).toContain('it was interrupted');
    expect([isAudited(), existsSync(record()), await guests()]).toEqual([false, false, []]);
  });

  test('is interrupted before it begins, with the status that says so', async () => {
    const before = new Set(process.listeners('SIGINT'));
    const running = audited(scenario(BUILT));
    const ours = (): NodeJS.SignalsListener[] => process.listeners('SIGINT').filter((one) => !before.has(one));
    await vi.waitFor(() => expect(ours()).not.toEqual([]), { timeout: 20_000, interval: 1 });
    for (const listener of ours()) listener('SIGINT');
    const { code, out, err } = await running;
    expect([code, out, err]).toEqual([130, '', expect.not.stringContaining('there is no scenario')]);
    expect([isAudited(), existsSync(record())]).toEqual([false, false]);
  });

  test('is refused where it is not known which policy to put back', async () => {
    const files = examplePolicy();
    const compiled = compileDirectory(
      {
        ...files,
        readText: (path) => {
          const text = files.readText(path);
          return path.endsWith('/domU.te') ? `${text}\ntype never_used_t;\n` : text;
        },
      },
      { release: '4.17' },
    );
    const other = join(scratch, 'as-good.policy');
    writeFileSync(other, compiled.bytes ?? '');
    expect(readFileSync(other).equals(readFileSync(examplePath))).toBe(false);
    const file = scenario(`${BUILT}---\nname: other\npolicy: ${other}\nsteps: [list]\n`);
    const { code, err } = await audited(file);
    expect([code, err]).toEqual([1, expect.stringContaining('it is not known which one to put back')]);
    await xen('loadpolicy', '--yes', examplePath);
    expect((await audited(file)).code).toBe(0);
  });
});
