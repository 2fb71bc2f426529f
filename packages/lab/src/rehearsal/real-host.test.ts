/**
 * Scenarios on a host that others use too: what is refused before anything is done, and what is put back. A simulated host
 * stands for the real one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { compileDirectory, type PolicyFiles } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { type CheckRecord, type DomainState, type Domid, guestDiagnostics, type Host } from '@dewar/toolstack';
import { parseXlCfg, readDomainConfig } from '@dewar/toolstack/xl-cfg';
import { describe, expect, test } from 'vitest';
import { readScenarios } from './read-scenario.ts';
import { destroyLeftovers, hindranceNow, hindrancesOnRealHost, runOnRealHost } from './real-host.ts';
import type { GrantedLog } from './real-reports.ts';
import type { ScenarioResult } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import { bootSimulatedHost, type PolicyImage, type ScenarioWorld } from './scenario-world.ts';

const folder = new URL('../../../../policies/example/', import.meta.url);
const files: PolicyFiles = {
  readText: (path) => {
    const file = new URL(path, folder);
    return existsSync(file) ? readFileSync(file, 'latin1') : undefined;
  },
  listNames: (path) => (existsSync(new URL(path, folder)) ? readdirSync(new URL(path, folder)) : []),
  describe: (path) => path,
};
const compiled = compileDirectory(files, {});
const image: PolicyImage = { name: 'example', bytes: compiled.bytes ?? new Uint8Array(), compiled };
const world: ScenarioWorld = {
  policy: async () => image,
  readText: () => ({ refused: 'there is no such file' }),
  boot: async () => ({ kind: 'refused', reason: 'no host is booted here' }),
};

const GUEST = `seclabel = 'customer_1:vm_r:domU_t'\nkernel = '/boot/vmlinuz'\nmemory = 64\n`;

function scenarioOf(text: string): Scenario {
  const [scenario] = readScenarios(new SourceText('s.scenario.yaml', text), ({ message }) => {
    throw new Error(message);
  });
  if (scenario === undefined) throw new Error('there is no scenario');
  return scenario;
}

const guests = (extra = ''): string =>
  `guests:\n  web: |\n${(GUEST + extra)
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')}\n`;

interface Ran {
  readonly result: ScenarioResult;
  readonly remembered: readonly (readonly string[])[];
}

/** A host with one guest that is not of the scenario. */
async function hostWithNeighbour(): Promise<Host> {
  const boot = bootSimulatedHost(image, 'enforcing');
  if (boot.kind === 'refused') throw new Error(boot.reason);
  const { host } = boot.host;
  const { config } = readDomainConfig(parseXlCfg(new SourceText('guest.cfg', `name = 'neighbour'\n${GUEST}`)));
  if (config === undefined) throw new Error('the neighbour has no configuration');
  await host.create(config, { uuid: 'ffffffff-0000-4000-8000-000000000000' });
  return host;
}

async function names(host: Host): Promise<string[]> {
  const { value = [] } = await host.list();
  return (value as readonly DomainState[]).flatMap(({ name }) => name ?? []);
}

async function runOn(
  host: Host,
  text: string,
  isStopped = (): boolean => false,
  grantedLog?: GrantedLog,
): Promise<Ran> {
  let count = 0;
  const remembered: (readonly string[])[] = [];
  const result = await runOnRealHost(scenarioOf(text), world, {
    host,
    uuid: () => `aaaaaaaa-0000-4000-8000-${String(++count).padStart(12, '0')}`,
    fileFor: (name) => `scratch/${name}`,
    remember: (uuids) => remembered.push(uuids),
    isStopped,
    grantedLog,
  });
  return { result, remembered };
}

describe('a scenario on a real host', () => {
  test('is refused for each thing that such a host cannot do', () => {
    const text = `flask: permissive\nxen: 4.20\nhosts: [a, b]\niommu: none\n${guests()}steps:
  - create: web
    expect:
      granted: ['dom0_t domU_t:domain create']
      open-pages: 0
      readable: { building: true, running: true }
      writable: { saving: false }
      readable-by: { web: true }
  - setenforce: permissive
  - loadpolicy: other
  - dmesg
  - mem-set: Domain-0
    mib: 512
  - vcpu-list: '0'
  - migrate: web
    to: b
  - pci-list: web
  - block-list: web
  - console: web
  - debug-keys:
    keys: q
`;
    expect(hindrancesOnRealHost(scenarioOf(text))).toEqual([
      'it has 2 hosts, and this machine is one',
      'it boots with `flask=permissive`, and this host has been booted',
      'it is for Xen 4.20, and this host has its own',
      'it says which devices and which IOMMU its host has, and this one has its own',
      'step 1, `create`, `granted`: Xen logs what it denies, and not what it grants; with `--audit` it logs that for the time of the test',
      'step 1, `create`, `open-pages`: Xen counts who has a page mapped, and gives that count to nobody; its log has no line where a mapping ends',
      'step 1, `create`, `readable: building`: Xen does not log the mappings that it grants',
      'step 1, `create`, `readable-by`: a guest that runs is not made to try it',
      'step 1, `create`, `writable: saving`: Xen does not log the mappings that it grants',
      'step 2, `setenforce`: it changes the mode for all guests of the host',
      'step 3, `loadpolicy`: it puts another policy into force for all guests of the host',
      'step 5, `mem-set`: it is about dom0, and not about a guest of the scenario',
      'step 7, `migrate`: it needs another host',
      'step 8, `pci-list`: PCI devices come and go on simulated hosts only',
      'step 10, `console`: it would take the terminal, and wait for somebody to leave the console',
      'step 11, `debug-keys`: it makes Xen write about all guests',
    ]);
    expect(hindrancesOnRealHost(scenarioOf(`${guests()}steps:\n  - create: web\n  - destroy: web\n`))).toEqual([]);
  });

  test.each([
    ['a name that is taken', guests("name = 'neighbour'\n"), '  - create: web\n', /has a domain `neighbour`/],
    ['a new name that is taken', guests(), '  - create: web\n  - rename: web\n    to: neighbour\n', /`neighbour`/],
    ['a name in the settings', guests(), "  - create: web\n    settings: name='neighbour'\n", /`neighbour`/],
    [
      'a UUID of its own',
      guests("uuid = 'ffffffff-0000-4000-8000-000000000000'\n"),
      '  - create: web\n',
      /has a UUID of its own/,
    ],
    ['no sound configuration', guests('memory = "x\n'), '  - create: web\n', /no sound configuration/],
  ])('is refused for %s', async (_, given, steps, reason) => {
    const scenario = scenarioOf(`${given}steps:\n${steps}`);
    expect(await hindranceNow(scenario, world, await hostWithNeighbour())).toMatch(reason);
  });

  test('is welcome otherwise', async () => {
    const scenario = scenarioOf(`${guests()}steps:\n  - create: web\n`);
    expect(await hindranceNow(scenario, world, await hostWithNeighbour())).toBeUndefined();
  });

  test.each([
    ['it passes', '  - create: web\n', 'passed'],
    ['its guest has another name', '  - create: web\n  - rename: web\n    to: shop\n', 'passed'],
    ['it fails', '  - create: web\n    expect: { readable: false }\n', 'failed'],
    ['a step does not end as it must', '  - create: web\n    expect: failed\n  - list\n', 'failed'],
    ['it is broken', "  - create: web\n  - create: web\n    settings: 'memory = '\n", 'broken'],
  ])('leaves no guest and no boolean behind when %s', async (_, steps, outcome) => {
    const host = await hostWithNeighbour();
    const booleans = (await host.booleans()).value;
    const flip = '  - set-bool: prot_doms_locked\n    value: true\n';
    const { result, remembered } = await runOn(host, `${guests()}steps:\n${flip}${steps}`);
    expect(result.outcome).toBe(outcome);
    expect(await names(host)).toEqual(['Domain-0', 'neighbour']);
    expect((await host.booleans()).value).toEqual(booleans);
    expect(remembered[0]).toEqual(['aaaaaaaa-0000-4000-8000-000000000001']);
    expect(remembered.at(-1)).toEqual([]);
  });

  test('ends after the step in which it is interrupted, and cleans up', async () => {
    const host = await hostWithNeighbour();
    let asked = 0;
    const text = `${guests()}steps:\n  - create: web\n  - list\n  - list\n`;
    const { result } = await runOn(host, text, () => ++asked > 2);
    expect(result).toMatchObject({ outcome: 'broken', reason: 'it was interrupted', steps: 2, skipped: 1 });
    expect(await names(host)).toEqual(['Domain-0', 'neighbour']);
  });

  test('says what it had to leave behind, and keeps it in mind', async () => {
    const host = await hostWithNeighbour();
    const refusing: Host = new Proxy(host, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (key === 'destroy') return () => target.domid('neighbour');
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const { result, remembered } = await runOn(refusing, `${guests()}steps:\n  - create: web\n`);
    expect(result).toMatchObject({
      outcome: 'broken',
      reason: 'left on the host: domain 2 (`web`) could not be destroyed',
    });
    const kept = remembered.at(-1) ?? [];
    expect(kept).toHaveLength(1);
    // What a later run does first.
    expect(await destroyLeftovers(host, new Set(kept))).toEqual([]);
    expect(await names(host)).toEqual(['Domain-0', 'neighbour']);
  });

  test('writes its files where it is told to', async () => {
    const host = await hostWithNeighbour();
    const written: unknown[] = [];
    const watched: Host = new Proxy(host, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return (...args: readonly unknown[]) => {
          if (key === 'save' || key === 'dumpCore') written.push(args[1]);
          return value.apply(target, args);
        };
      },
    });
    const text = `${guests()}steps:\n  - create: web\n  - dump-core: web\n  - save: web\n    as: ../up\n  - restore: web\n    from: ../up\n`;
    const { result } = await runOn(watched, text);
    expect(result.outcome).toBe('passed');
    expect(written).toEqual(['scratch/web.core', expect.objectContaining({ file: 'scratch/../up' })]);
    expect(await names(host)).toEqual(['Domain-0', 'neighbour']);
  });
});

describe('what is granted on a real host', () => {
  const CREATE = `${guests()}steps:\n  - create: web\n    expect: { granted: ['dom0_t domU_t:domain pause'] }\n`;

  function check(change: Partial<CheckRecord> = {}): CheckRecord {
    return {
      class: 'domain',
      permissions: ['pause'],
      source: 'system_u:system_r:dom0_t',
      target: 'customer_1:vm_r:domU_t',
      outcome: 'granted',
      denied: [],
      isEnforced: false,
      // Domains of the scenario: the neighbour is 1.
      sourceDomid: 0 as Domid,
      targetDomid: 2 as Domid,
      avcLine: 'avc:  granted',
      isContinuation: false,
      count: 1,
      ...change,
    };
  }

  /** A log that has one piece more each time that it is read; the first time is before the step. */
  function log(...pieces: readonly (readonly CheckRecord[] | number | undefined)[]): GrantedLog {
    const rest = [[], ...pieces];
    return {
      next: async () => {
        const piece = rest.length === 0 ? [] : rest.shift();
        if (piece === undefined) return undefined;
        return typeof piece === 'number' ? { checks: [], lost: piece } : { checks: piece, lost: 0 };
      },
      isKept: async () => true,
      patienceMs: 200,
    };
  }

  test.each([
    ['it is logged while the operation lasts', log([check()]), 'passed', undefined],
    ['it is logged later', log([], [], [check()]), 'passed', undefined],
    ['text was lost, and it is there', log(80, [check()]), 'passed', undefined],
    ['it is not logged', log([check({ permissions: ['unpause'] })]), 'failed', undefined],
    ['it is denied', log([check({ outcome: 'denied', denied: ['pause'] })]), 'failed', undefined],
    ['it was logged before', log(), 'failed', undefined],
    ['it is of a neighbour', log([check({ targetDomid: 1 as Domid })]), 'failed', undefined],
    ['a neighbour did it', log([check({ sourceDomid: 1 as Domid })]), 'failed', undefined],
    [
      'it is not there, and text was lost',
      log([], 80),
      'broken',
      /nobody knows what was granted: boot Xen with a larger/,
    ],
    ['nobody may read the log any more', log([], undefined), 'broken', /may no longer read the console/],
    [
      'another policy was loaded meanwhile',
      { ...log([]), isKept: async (): Promise<boolean> => false },
      'broken',
      /another policy was loaded meanwhile/,
    ],
  ] as const)('is known when %s', async (_, grantedLog, outcome, reason) => {
    const { result } = await runOn(await hostWithNeighbour(), CREATE, undefined, grantedLog);
    expect([result.outcome, result.reason]).toEqual([
      outcome,
      reason === undefined ? undefined : expect.stringMatching(reason),
    ]);
    if (outcome !== 'failed') return;
    expect(result.failures[0]?.mismatches).toEqual([
      { what: 'granted', missing: ['dom0_t domU_t:domain pause'], unexpected: [] },
    ]);
  });

  test.each([
    ['nothing else was denied', '[]', 'broken', /nobody knows what was denied/],
    ['something was denied that must be', "['* *:domain2 get_vnumainfo']", 'broken', /nobody knows what was denied/],
    ['nobody asks what was denied', undefined, 'passed', undefined],
  ] as const)('text that was lost decides nothing when %s', async (_, denied, outcome, reason) => {
    const torn: Host = new Proxy(await hostWithNeighbour(), {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        if (key !== 'pause') return value.bind(target);
        return async (name: string) => {
          const report = await target.pause(name);
          return { ...report, diagnostics: [guestDiagnostics['log-lost'](undefined, { count: 80 })] };
        };
      },
    });
    const expectation = denied === undefined ? '' : `    expect: { denied: ${denied} }\n`;
    const text = `${guests()}steps:\n  - create: web\n  - pause: web\n${expectation}`;
    const { result } = await runOn(torn, text);
    expect([result.outcome, result.reason]).toEqual([
      outcome,
      reason === undefined ? undefined : expect.stringMatching(reason),
    ]);
  });

  test('is refused for what its log does not tell, each permission with the reason', () => {
    const text = `${guests()}steps:\n  - create: web\n    expect: { granted: ['* *:mmu { adjust map_read }', '* *:domain pause'] }\n`;
    expect(
      hindrancesOnRealHost(scenarioOf(text), (check, one) =>
        one === 'map_read' ? `${check.class} is too much` : undefined,
      ),
    ).toEqual(['step 1, `create`, `granted`: `mmu { map_read }` is not audited: mmu is too much']);
  });
});
