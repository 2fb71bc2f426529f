/** The table of the baseline release against the files of a source tree of Xen. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { xenRelease } from '@dewar/policy/releases';
import { xenTree } from '@dewar/testkit';
import { expect, test } from 'vitest';

const tree = xenTree();

/** A file of the hypervisor's own policy, without comments. */
function policyFile(name: string): string {
  return readFileSync(join(tree ?? '', 'xen/xsm/flask/policy', name), 'latin1').replaceAll(/#.*$/gm, '');
}

test.skipIf(tree === undefined)('Xen 4.17 has the classes, permissions and initial SIDs of its source tree', () => {
  const { classes, initialSids } = xenRelease('4.17');
  const order = [...policyFile('security_classes').matchAll(/^\s*class\s+(\w+)/gm)].map(([, name]) => name);
  expect(classes.map(({ name }) => name)).toEqual(order);
  const vectors = new Map(
    [...policyFile('access_vectors').matchAll(/class\s+(\w+)\s*\{([^}]*)\}/g)].map(([, name, list = '']) => [
      name,
      list.trim().split(/\s+/),
    ]),
  );
  for (const { name, permissions } of classes) expect([name, permissions]).toEqual([name, vectors.get(name)]);
  expect(initialSids).toEqual([...policyFile('initial_sids').matchAll(/^\s*sid\s+(\w+)/gm)].map(([, name]) => name));
});
