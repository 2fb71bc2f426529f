/** The simulated host gives the answers that real Xen was seen to give; `npm run test:xen` asks real Xen. */
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { runScenarios, SCENARIOS } from './judge/conformance.ts';
import { simulatedBench } from './judge/simulated-bench.ts';

describe.skipIf(xenTree() === undefined)('a simulated host', async () => {
  const results = xenTree() === undefined ? [] : await runScenarios(simulatedBench());

  test.each(Object.keys(SCENARIOS))('%s', (name) => {
    const result = results.find((one) => one.name === name);
    expect(result?.problem).toBeUndefined();
    expect(result?.answers.length).toBeGreaterThan(0);
  });
});
