/** The table of the baseline release against the files of a source tree of Xen. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKS } from '@dewar/hypervisor';
import { neverChecked, xenRelease } from '@dewar/policy/releases';
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

test.skipIf(tree === undefined)(
  'Xen 4.17 asks for every permission that it has, but for those that it never asks for',
  () => {
    const hooks = readFileSync(join(tree ?? '', 'xen/xsm/flask/hooks.c'), 'latin1').replaceAll(/\/\*[\s\S]*?\*\//g, '');
    // What the hooks do not ask for, `flask_op.c` does: of that file all hypercalls are simulated.
    const ours = new Set(
      Object.values(CHECKS).flatMap((rows) =>
        rows.flatMap((row) => row.permissions.map((one) => `${row.class} ${one}`)),
      ),
    );
    const never: string[] = [];
    for (const { name, permissions } of xenRelease('4.17').classes) {
      for (const permission of permissions) {
        const macro = `${name}__${permission}`.toUpperCase();
        // A macro beside another class means that class's permission of the same bit.
        const uses = [...hooks.matchAll(new RegExp(`[^;]*\\b${macro}\\b`, 'g'))].map(([statement]) => statement);
        const isAsked = uses.some((statement) => {
          const classes = [...statement.matchAll(/SECCLASS_(\w+)/g)].map((match) => match[1]);
          const last = classes.at(-1);
          return last === undefined || last === name.toUpperCase();
        });
        if (!isAsked && !ours.has(`${name} ${permission}`)) never.push(`${name} ${permission}`);
      }
    }
    expect(never).toEqual(neverChecked('4.17').map((one) => `${one.class} ${one.permission}`));
  },
);
