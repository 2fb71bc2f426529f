/** The simulated host gives the answers that real Xen was seen to give; `npm run test:xen` asks real Xen. */
import { readFileSync } from 'node:fs';
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { SCENARIOS, type Scenario } from './judge/conformance.ts';
import { PARTS } from './judge/parts.ts';
import { runScenarios } from './judge/run-scenarios.ts';
import { simulatedBench } from './judge/simulated-bench.ts';

describe.skipIf(xenTree() === undefined)('a simulated host', async () => {
  const results = xenTree() === undefined ? [] : await runScenarios(simulatedBench());

  test.each(Object.keys(SCENARIOS))('%s', (name) => {
    const result = results.find((one) => one.name === name);
    expect(result?.problem).toBeUndefined();
    expect(result?.answers.length).toBeGreaterThan(0);
  });

  test('a scenario finds the host as the first one did, also after one that ended half-way', async () => {
    const bench = simulatedBench();
    const { pciDevice = '' } = bench;
    const endsHalfWay: Scenario = async ({ host, policies }) => {
      await host.labelPci(pciDevice, 'system_u:object_r:nic_dev_t');
      await host.pciAssignableAdd(pciDevice);
      await host.setBoolean('guest_writeconsole', false);
      await host.setenforce(false);
      await host.loadPolicy(policies.stock);
      throw new Error('half-way');
    };
    const stranded = Object.entries(SCENARIOS).find(([name]) => name.includes('strands'))?.[1];
    const endsStranded: Scenario = (_, examination) => {
      examination.hold = (what) => {
        if (what === 'one domain is left') throw new Error('ended');
      };
      return stranded?.(bench, examination) ?? Promise.resolve();
    };
    const forgets: Scenario = async ({ host }) => {
      await host.setBoolean('guest_writeconsole', false);
    };
    const results = await runScenarios(bench, () => undefined, { endsHalfWay, endsStranded, forgets, ...SCENARIOS });
    const problems = results.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`]));
    expect(problems).toEqual([
      'endsHalfWay: half-way',
      'endsStranded: ended',
      expect.stringMatching(/^forgets: the host is left as .*"guest_writeconsole":false.*, not /),
    ]);
  });
});

test('a machine is booted for each part of the questions', () => {
  const script = readFileSync(new URL('rig/judge.sh', import.meta.url), 'utf8');
  const booted = /\bPARTS='(.*)'/.exec(script)?.[1]?.split(' ') ?? [];
  expect(booted.toSorted()).toEqual(PARTS.toSorted());
});
