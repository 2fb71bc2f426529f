/**
 * The table of checks beside the hooks in Xen's sources. Other trees: `compare-checks.ts`, run by hand on 4.3.0, 4.8.0,
 * 4.13.0, 4.20.2, 4.21.1 and the state of development (commit c447b7308b), found no difference.
 */
import { CHECK_DIFFERENCES, checksOf } from '@dewar/hypervisor';
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { compareChecks } from './compare-checks.ts';
import { hasHooks } from './hook-checks.ts';

const tree = xenTree();
if (tree !== undefined && !hasHooks(tree)) {
  throw new Error('the source tree of Xen lacks xen/xsm/flask/hooks.c; scripts/fetch-xen-source.sh brings it');
}

describe.skipIf(tree === undefined)('the sources of Xen 4.17', () => {
  test('ask for what the table says, at every domctl and sysctl that FLASK answers in one switch', () => {
    const { compared, mismatches } = compareChecks('4.17', tree ?? '');
    expect(mismatches).toEqual([]);
    expect(compared).toBeGreaterThanOrEqual(39);
  });

  test('are not those of 4.8, and that would be found', () => {
    expect(() => compareChecks('4.8', tree ?? '')).toThrow('is not of Xen 4.8');
  });
});

test('each difference changes something: the checks, or whether the request is there', () => {
  const baseline = checksOf('4.17');
  for (const { hypercall, rows, instead } of CHECK_DIFFERENCES) {
    const isOther = JSON.stringify(rows) !== JSON.stringify(baseline[hypercall]);
    expect([hypercall, isOther || instead !== 'the same']).toEqual([hypercall, true]);
  }
});
