import { expect, test } from 'vitest';
import { xenRelease } from '../releases/index.ts';
import type { Diagnostic } from '../text/index.ts';
import { collectPolicySources, type PolicyFiles } from './policy-sources.ts';

/** A policy directory of empty files, but for `modules.conf`. */
function directory(conf: string, modules: string, paths: readonly string[]): PolicyFiles {
  const names = [conf, 'policy/users', 'policy/initial_sids', ...paths];
  return {
    readText: (path) => (path === conf ? modules : names.includes(path) ? '' : undefined),
    listNames: (folder) => [
      ...new Set(
        names
          .filter((name) => name.startsWith(`${folder}/`))
          .map((name) => name.slice(folder.length + 1).split('/')[0] ?? ''),
      ),
    ],
    describe: (path) => path,
  };
}

function collected(files: PolicyFiles): { readonly names: readonly string[]; readonly told: readonly string[] } {
  const told: Diagnostic[] = [];
  const { sources } = collectPolicySources(files, xenRelease('4.17'), (one) => told.push(one));
  const names = sources.map(({ name }) => name).filter((name) => !name.startsWith('xen-4.17/'));
  return { names, told: told.map(({ code, message }) => `${code} ${message}`) };
}

test('the modules of a directory are read in the order of modules.conf', () => {
  const files = directory('modules/modules.conf', 'b = on\na = on\nc = off\n', [
    'modules/a.te',
    'modules/a.if',
    'modules/b.te',
    'modules/b.cons',
    'modules/c.te',
  ]);
  expect(collected(files)).toEqual({
    names: ['modules/a.if', 'modules/b.te', 'modules/a.te', 'policy/users', 'modules/b.cons', 'policy/initial_sids'],
    told: [],
  });
});

test('before Xen 4.8 modules lie in layers, and are read in the order of their paths', () => {
  const files = directory('policy/modules.conf', 'z = on\nb = on\na = on\nc = off\n', [
    'policy/modules/xen/a.te',
    'policy/modules/xen/a.if',
    'policy/modules/xen/c.te',
    'policy/modules/admin/b.te',
    'policy/modules/admin/b.if',
    'policy/constraints',
  ]);
  expect(collected(files)).toEqual({
    names: [
      'policy/modules/admin/b.if',
      'policy/modules/xen/a.if',
      'policy/modules/admin/b.te',
      'policy/modules/xen/a.te',
      'policy/users',
      'policy/constraints',
      'policy/initial_sids',
    ],
    told: [expect.stringMatching(/^source\/no-module-file .*`z`.*policy\/modules\/xen\/z\.te/)],
  });
});

test('a directory with neither layout lacks the modules.conf of today', () => {
  const { told } = collected(directory('modules.conf', '', []));
  expect(told).toEqual(['source/no-file the policy has no file `modules/modules.conf`']);
});
