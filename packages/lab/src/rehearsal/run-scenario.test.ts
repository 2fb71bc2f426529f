import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type CompiledPolicy, compileDirectory, compileText, type PolicyFiles } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { describe, expect, test, vi } from 'vitest';
import { CoverageRecorder } from './coverage.ts';
import { junitText } from './junit.ts';
import { lcovText } from './lcov.ts';
import { readScenarios } from './read-scenario.ts';
import { mismatchLines } from './result-text.ts';
import { runScenario, type ScenarioResult } from './run-scenario.ts';
import { bootSimulatedHost, type ScenarioWorld } from './scenario-world.ts';

const folder = new URL('../../../../policies/example/', import.meta.url);
const example: PolicyFiles = {
  readText: (path) => {
    const file = new URL(path, folder);
    return existsSync(file) ? readFileSync(file, 'latin1') : undefined;
  },
  listNames: (path) => (existsSync(new URL(path, folder)) ? readdirSync(new URL(path, folder)) : []),
  describe: (path) => path,
};
const compiled: CompiledPolicy = compileDirectory(example, {});

const world: ScenarioWorld = {
  policy: async (path) =>
    path === 'none'
      ? { refused: 'there is no such policy' }
      : { name: 'example', bytes: compiled.bytes ?? new Uint8Array(), compiled },
  readText: () => ({ refused: 'there is no such file' }),
  boot: async (policy, flask, hardware) => bootSimulatedHost(policy, flask, hardware),
};

async function run(text: string, coverage?: CoverageRecorder): Promise<ScenarioResult[]> {
  const scenarios = readScenarios(new SourceText('s.scenario.yaml', text), ({ message }) => {
    throw new Error(message);
  });
  const results: ScenarioResult[] = [];
  for (const scenario of scenarios) results.push(await runScenario(scenario, world, coverage));
  return results;
}

const GUESTS = `guests:
  web: |
    seclabel = 'customer_1:vm_r:domU_t'
    kernel = '/boot/vmlinuz'
    memory = 64
  vault: |
    init_seclabel = 'customer_1:vm_r:nomigrate_t_building'
    seclabel = 'customer_1:vm_r:nomigrate_t'
    kernel = '/boot/vmlinuz'
    memory = 64
`;

function lines(result: ScenarioResult | undefined): string[] {
  return result?.failures.flatMap(({ title, mismatches }) => [title, ...mismatches.flatMap(mismatchLines)]) ?? [];
}

describe('a scenario', () => {
  test('passes where all comes as it must', async () => {
    const [result] = await run(`${GUESTS}steps:\n  - create: web\n    expect: { state: running, readable: true }\n`);
    expect(result).toMatchObject({ outcome: 'passed', steps: 1, skipped: 0, failures: [] });
  });

  test('says line by line what came otherwise', async () => {
    const [result] = await run(`${GUESTS}steps:
  - create: vault
    expect:
      state: paused
      label: domU_t
      readable: { building: false, running: true }
      writable: { building: true, running: false }
      open-pages: 7
      granted: ['dom0_t nomigrate_t:mmu map_read']
      denied: ['dom0_t nomigrate_t:domain { create }']
      messages: [no such thing]
      diagnostics: [guest/no-such]
      exit: 1
`);
    expect(result?.outcome).toBe('failed');
    expect(lines(result)).toEqual([
      'create vault',
      '- exit: 1',
      '+ exit: 0',
      '- denied: dom0_t nomigrate_t:domain { create }',
      '- granted: dom0_t nomigrate_t:mmu map_read',
      '- state: paused',
      '+ state: running',
      '- label: domU_t',
      '+ label: customer_1:vm_r:nomigrate_t',
      '- open pages: 7',
      expect.stringMatching(/^\+ open pages: \d+$/),
      '- messages: no such thing',
      '- diagnostics: guest/no-such',
      '- readable while building: false',
      '+ readable while building: true',
      '- readable: true',
      '+ readable: false',
    ]);
  });

  test('has a guest go to another host, and looks at it there', async () => {
    const text = (label: string, then: string): string =>
      `hosts: [a, b]\n${GUESTS}steps:\n  - create: web\n  - migrate: web\n    to: b\n    expect: { label: ${label}, state: running, readable: true, granted: ['dom0_t domU_t:domain create', 'dom0_t domU_t:shadow logdirty'] }\n  - ${then}\n`;
    const [right] = await run(text('domU_t', 'pause: web\n    on: b'));
    expect([right?.outcome, lines(right)]).toEqual(['passed', []]);
    const [wrong] = await run(text('nomigrate_t', 'pause: web'));
    expect(lines(wrong)).toEqual([
      'migrate web on a',
      '- label: nomigrate_t',
      '+ label: customer_1:vm_r:domU_t',
      'pause web on a',
      '- outcome: done',
      expect.stringMatching(/^\+ outcome: failed: /),
    ]);
    const [refused] = await run(
      `hosts: [a, b]\n${GUESTS}steps:\n  - create: vault\n  - migrate: vault\n    to: b\n    expect: { outcome: failed, state: running }\n`,
    );
    expect(refused).toMatchObject({ outcome: 'passed', steps: 2 });
    const found: string[] = [];
    readScenarios(new SourceText('s', `hosts: [a, b]\n${GUESTS}steps:\n  - migrate: web\n    to: c\n`), ({ code }) =>
      found.push(code),
    );
    expect(found).toEqual(['scenario/unknown-name']);
  });

  test('counts what both hosts of a migration have done', async () => {
    const recorder = new CoverageRecorder();
    const told = vi.spyOn(recorder, 'addReport');
    await run(`hosts: [a, b]\n${GUESTS}steps:\n  - create: web\n  - migrate: web\n    to: b\n`, recorder);
    expect(told.mock.calls.map(([, { operation }]) => operation)).toEqual(['create', 'migrate', 'migrate-receive']);
    expect(recorder.result().checked.has('shadow logdirty')).toBe(true);
  });

  test('runs on the Xen that it is for, with a policy compiled for it', async () => {
    const asked: (string | undefined)[] = [];
    const booted: (string | undefined)[] = [];
    const watched: ScenarioWorld = {
      ...world,
      policy: async (_, _file, _isMls, release) => {
        asked.push(release);
        const own = compileDirectory(example, release === undefined ? {} : { release });
        return { name: 'example', bytes: own.bytes ?? new Uint8Array(), compiled: own };
      },
      boot: (policy, flask, makeup) => {
        booted.push(makeup.release);
        return world.boot(policy, flask, makeup);
      },
    };
    // As a number it would be 4.2.
    const text = 'xen: 4.20\nsteps: [list]\n---\nxen: 4.17.7\nsteps: [list]\n---\nsteps: [list]\n';
    const scenarios = readScenarios(new SourceText('s', text), () => undefined);
    for (const scenario of scenarios) expect((await runScenario(scenario, watched)).outcome).toBe('passed');
    expect([asked, booted]).toEqual([
      ['4.20', '4.17.7', undefined],
      ['4.20', '4.17.7', undefined],
    ]);
    const found: string[] = [];
    readScenarios(new SourceText('s', 'xen: 4.2\nsteps: [list]\n'), ({ code, message }) =>
      found.push(`${code} ${message}`),
    );
    expect(found).toEqual([expect.stringMatching(/^scenario\/bad-value `xen`.*`4\.20`, `4\.20\.4`/)]);
  });

  test('gives guests disks, cards and devices, and takes them back', async () => {
    const [right] = await run(`iommu: with-remapping\n${GUESTS}steps:
  - create: web
  - block-attach: web
    disk: phy:/dev/vg/web,xvdb,w
    expect: { granted: ['dom0_t domU_t:grant map_read'] }
  - block-list: web
  - block-attach: web
    disk: phy:/dev/vg/web,xvdb,w
    expect: { outcome: failed, exit: 1, messages: [device already exists in xenstore] }
`);
    expect([right?.outcome, lines(right)]).toEqual(['passed', []]);
    const [devices] = await run(`devices: none.devices\nsteps: [list]\n`);
    expect([devices?.outcome, devices?.reason]).toEqual(['broken', '`devices`: there is no such file']);
  });

  test('asks any guest whether it reads another', async () => {
    const text = (web: boolean, dom0: boolean): string =>
      `${GUESTS}steps:\n  - create: web\n  - create: vault\n    expect: { readable-by: { web: ${web}, Domain-0: ${dom0} } }\n  - probe: web\n    expect: { writable-by: { vault: false } }\n`;
    const [right] = await run(text(false, false));
    expect(right).toMatchObject({ outcome: 'passed', steps: 3 });
    const [wrong] = await run(text(true, false));
    expect(lines(wrong)).toEqual(['create vault', '- readable by web: true', '+ readable by web: false']);
    const open = await run(
      `${GUESTS}steps:\n  - create: web\n  - setenforce: permissive\n  - create: vault\n    expect: { readable-by: { web: true } }\n`,
    );
    expect(open[0]).toMatchObject({ outcome: 'passed' });
    const none = await run(`${GUESTS}steps:\n  - create: vault\n    expect: { readable-by: { web: false } }\n`);
    expect(lines(none[0])).toEqual([
      'create vault',
      '- readable by web: false',
      '+ readable by web: one of the two is not there',
    ]);
  });

  test('ends where a step does not end as it must, and tells the denials', async () => {
    const [result] = await run(`${GUESTS}steps:\n  - create: vault\n  - save: vault\n  - list\n  - list\n`);
    expect(result).toMatchObject({ outcome: 'failed', steps: 2, skipped: 2 });
    expect(lines(result)).toEqual([
      'save vault',
      '- outcome: done',
      expect.stringMatching(/^\+ outcome: failed: /),
      expect.stringMatching(/^\+ denied: dom0_t nomigrate_t:/),
    ]);
  });

  test('counts one denial more than it names', async () => {
    const [result] = await run(
      `${GUESTS}steps:\n  - create: vault\n  - dump-core: vault\n    expect: { outcome: failed, denied: [] }\n`,
    );
    expect(lines(result)[1]).toMatch(/^\+ denied: dom0_t nomigrate_t:/);
  });

  test('is broken where it has no policy, no configuration, or no sound one', async () => {
    const results = await run(`policy: none
steps: [list]
---
guests: { web: no-such.cfg }
steps: [{ create: web }]
---
guests: { web: 'memory = "x' }
steps: [{ create: web }]
`);
    expect(results.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['broken', 'there is no such policy'],
      ['broken', 'guest `web`: there is no such file'],
      ['broken', expect.stringMatching(/^guest `web` has no sound configuration: /)],
    ]);
  });

  test('moves a guest between hosts, and starts from nothing each time', async () => {
    const text = `hosts: [a, b]\n${GUESTS}steps:
  - create: web
  - save: web
    expect: { state: gone, readable: { saving: true } }
  - restore: web
    on: b
    expect: { state: running }
`;
    const [first] = await run(text);
    const [second] = await run(text);
    expect(first?.outcome).toBe('passed');
    expect(second?.outcome).toBe('passed');
  });
});

describe('results', () => {
  test('as JUnit XML name the step, and hold no markup of a name', async () => {
    const results = await run(`name: <a> & "b"\n${GUESTS}steps:\n  - create: web\n    expect: { state: paused }\n`);
    const xml = junitText(results.map((result) => ({ ...result, milliseconds: 12 })));
    expect(xml).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="1" failures="1" errors="0" time="0.012">
  <testsuite name="s.scenario.yaml" tests="1" failures="1" errors="0" time="0.012">
    <testcase name="&lt;a&gt; &amp; &quot;b&quot;" classname="s.scenario.yaml" time="0.012">
      <failure message="1 step came otherwise">step 1: create web (s.scenario.yaml:13:5)
  - state: paused
  + state: running</failure>
    </testcase>
  </testsuite>
</testsuites>
`);
  });
});

describe('coverage', () => {
  test('counts a rule at its place in the macro and at each call', async () => {
    const recorder = new CoverageRecorder();
    await run(`${GUESTS}steps:\n  - create: web\n  - pause: web\n  - pause: web\n`, recorder);
    const { files, rules, exercised } = recorder.result();
    expect(exercised).toBeGreaterThan(20);
    expect(exercised).toBeLessThan(rules);
    const lineOf = (file: string, text: string): { count: number; reached: number; parts: number } => {
      const found = files.find(({ source }) => source.name === file);
      const number = (found?.source.text.split('\n').findIndex((one) => one.includes(text)) ?? -1) + 1;
      const parts = found?.lines.find(({ line }) => line === number)?.parts ?? [];
      return {
        count: parts.reduce((sum, { count }) => sum + count, 0),
        reached: parts.filter(({ count }) => count > 0).length,
        parts: parts.length,
      };
    };
    // manage_domain has five rules; the creation and two pauses use two of them, getdomaininfo and pause among these.
    const call = lineOf('modules/domU.te', 'manage_domain(dom0_t, domU_t)');
    expect(call.parts).toBe(5);
    expect(call.reached).toBeGreaterThan(0);
    expect(lineOf('modules/xen.if', 'allow $1 $2:domain { getdomaininfo pause unpause').count).toBeGreaterThanOrEqual(
      2,
    );
    // Nothing of this guest's life is about another type of guest.
    expect(lineOf('modules/isolated_domU.te', 'manage_domain(dom0_t, isolated_domU_t)').count).toBe(0);
    // A label that something new got: the guest's own channel.
    expect(lineOf('modules/xen.if', 'type_transition $1 domain_type:event $1_channel').count).toBeGreaterThan(0);
    const lcov = lcovText(recorder.result());
    expect(lcov).toContain('SF:modules/domU.te\n');
    expect(lcov.match(/^end_of_record$/gm)).toHaveLength(files.length);
  });

  test('does not count rules of a branch that does not hold', async () => {
    const recorder = new CoverageRecorder();
    await run(
      `${GUESTS}steps:\n  - set-bool: prot_doms_locked\n    value: true\n  - create: web\n  - get-bool\n`,
      recorder,
    );
    const file = recorder.result().files.find(({ source }) => source.name === 'modules/dom0.te');
    const number = (file?.source.text.split('\n').findIndex((one) => one.includes('setenforce setbool')) ?? -1) + 1;
    const before = file?.lines.find(({ line }) => line === number)?.parts[0]?.count;
    expect(before).toBeGreaterThan(0);
    const locked = new CoverageRecorder();
    await run(
      'steps:\n  - set-bool: policy_locked\n    value: true\n  - set-bool: policy_locked\n    value: false\n    expect: failed\n',
      locked,
    );
    const count = locked
      .result()
      .files.find(({ source }) => source.name === 'modules/dom0.te')
      ?.lines.find(({ line }) => line === number)?.parts[0]?.count;
    // The first setting is allowed, with its commit; the second one is not, and no rule helps it.
    expect(count).toBe(before);
  });

  test('counts constraints, changes of role and range, and users, where they decided', async () => {
    const base = compileDirectory(example, {}).text.text;
    // Statements of their kinds, at the places where they may stand.
    const text = base
      .replace(
        /^(?=user )/m,
        'role one_r; role two_r; role one_r types domU_t; role two_r types domU_t;\nallow one_r two_r;\n',
      )
      .replace(
        /^(?=user )/m,
        'type_change dom0_t domU_t:domain xen_t;\nrole_transition system_r nic_dev_t:domain two_r;\n',
      );
    const own = compileText(new SourceText('own.conf', text));
    expect(own.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    const ownWorld: ScenarioWorld = {
      ...world,
      policy: async () => ({ name: 'own', bytes: own.bytes ?? new Uint8Array(), compiled: own }),
    };
    const counted = async (steps: string): Promise<(name: string) => number> => {
      const recorder = new CoverageRecorder();
      const [scenario] = readScenarios(
        new SourceText('s.scenario.yaml', `${GUESTS}steps:\n${steps}`),
        ({ message }) => {
          throw new Error(message);
        },
      );
      if (scenario === undefined) throw new Error('there is no scenario');
      expect((await runScenario(scenario, ownWorld, recorder)).failures).toEqual([]);
      const { files, others, neverAsked } = recorder.result();
      expect(neverAsked).toBe(1);
      expect(others.map(({ kind }) => kind)).toEqual([
        'constraint',
        'initial SID',
        'role allow',
        'role_transition',
        'user',
      ]);
      return (name) => {
        const number = text.split('\n').findIndex((line) => line.includes(name)) + 1;
        const parts = files[0]?.lines.find(({ line }) => line === number)?.parts ?? [];
        return parts.reduce((sum, { count }) => sum + count, 0);
      };
    };
    const idle = await counted('  - list\n');
    expect(['constrain domain transition', 'user customer_1', 'allow one_r two_r'].map(idle)).toEqual([0, 0, 0]);
    expect(idle('user system_u')).toBeGreaterThan(0);
    const built = await counted('  - create: vault\n');
    // The relabel is one transition, which the constraint lets pass; nobody changed a role.
    expect(built('constrain domain transition')).toBe(1);
    expect(built('user customer_1')).toBeGreaterThan(0);
    expect(built('user customer_2')).toBe(0);
    expect(built('allow one_r two_r')).toBe(0);
    expect(built('role_transition system_r')).toBe(0);
    expect(built('constrain domain set_target')).toBe(0);
  });

  test('counts the labels of initial SIDs and of devices, where this statement gave the label', async () => {
    const CARD = `  card: |
    seclabel = 'system_u:system_r:domU_t'
    kernel = '/boot/vmlinuz'
    memory = 64
    pci = [ '03:00.0' ]
`;
    const devices = [
      'pcidevicecon 0x300',
      'pcidevicecon 0x301',
      // Octal: the interrupt of the card.
      'pirqcon 041',
      'pirqcon 41',
      'ioportcon 0xecc0-0xecdf',
      'ioportcon 0xeca0-0xecbf',
      'iomemcon 0xfebe0-0xfebff',
      'iomemcon 0xfec00',
      'devicetreecon "/soc/uart"',
    ];
    const text = compiled.text.text + devices.map((one) => `${one} system_u:object_r:nic_dev_t\n`).join('');
    const own = compileText(new SourceText('own.conf', text));
    expect(own.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    const ownWorld: ScenarioWorld = {
      ...world,
      policy: async () => ({ name: 'own', bytes: own.bytes ?? new Uint8Array(), compiled: own }),
    };
    const counted = async (steps: string): Promise<(name: string) => number> => {
      const recorder = new CoverageRecorder();
      const [scenario] = readScenarios(
        new SourceText('s.scenario.yaml', `${GUESTS}${CARD}steps:\n${steps}`),
        ({ message }) => {
          throw new Error(message);
        },
      );
      if (scenario === undefined) throw new Error('there is no scenario');
      expect((await runScenario(scenario, ownWorld, recorder)).failures).toEqual([]);
      const { files } = recorder.result();
      return (name) => {
        const number = text.split('\n').findIndex((line) => line.startsWith(name)) + 1;
        const parts = files[0]?.lines.find(({ line }) => line === number)?.parts ?? [];
        expect(parts, name).toHaveLength(1);
        return parts.reduce((sum, { count }) => sum + count, 0);
      };
    };
    const idle = await counted('  - list\n');
    expect(idle('sid dom0 ')).toBeGreaterThan(0);
    expect(idle('sid domU ')).toBe(0);
    expect(devices.map((one) => idle(`${one} `))).toEqual(devices.map(() => 0));
    const given = await counted("  - pci-assignable-add: '03:00.0'\n  - create: card\n");
    const used = devices.filter((one) => given(`${one} `) > 0);
    expect(used).toEqual(['pcidevicecon 0x300', 'pirqcon 041', 'ioportcon 0xecc0-0xecdf', 'iomemcon 0xfebe0-0xfebff']);
    // xenstored and others look at Xen itself; nothing looks for a file system.
    expect(given('sid xen ')).toBeGreaterThan(0);
  });

  test('leaves nothing out: without the rules that were not exercised, all comes as before', async () => {
    const text = `${GUESTS}steps:
  - create: web
  - create: vault
  - pause: vault
  - unpause: vault
  - save: web
  - restore: web
  - dump-core: vault
    expect: failed
  - destroy: vault
  - dmesg
`;
    const recorder = new CoverageRecorder();
    const [whole] = await run(text, recorder);
    const { files } = recorder.result();
    expect(whole?.outcome).toBe('passed');
    const missed = new Map(
      files.map(({ source, lines: list }) => [
        source.name,
        new Set(list.filter(({ parts }) => parts.every(({ count }) => count === 0)).map(({ line }) => line)),
      ]),
    );
    // What Xen itself does at boot is done before anyone can listen.
    const isKept = (line: string): boolean => line.includes('xenboot') || line.includes('xen_build_domain');
    let taken = 0;
    const slim = compileDirectory(
      {
        ...example,
        readText: (path) =>
          example
            .readText(path)
            ?.split('\n')
            .map((line, i) => {
              const isMissed = missed.get(path)?.has(i + 1) === true;
              // Whole statements on one line, and calls that declare nothing.
              const isRule =
                /^\s*(?:(?:allow|auditallow|dontaudit)\b.*;|(?:create|manage|migrate|domain)_\w+\(.*\))\s*$/.test(line);
              if (!isMissed || !isRule || isKept(line)) return line;
              taken++;
              return '';
            })
            .join('\n'),
      },
      {},
    );
    expect(taken).toBeGreaterThan(50);
    expect(slim.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    const slimWorld: ScenarioWorld = {
      ...world,
      policy: async () => ({ name: 'slim', bytes: slim.bytes ?? new Uint8Array(), compiled: slim }),
    };
    const [scenario] = readScenarios(new SourceText('s.scenario.yaml', text), () => undefined);
    if (scenario === undefined) throw new Error('there is no scenario');
    const second = new CoverageRecorder();
    const result = await runScenario(scenario, slimWorld, second);
    expect(result.outcome).toBe('passed');
    expect(second.result().exercised).toBe(recorder.result().exercised);
    expect([...second.result().checked].sort()).toEqual([...recorder.result().checked].sort());
  });
});
