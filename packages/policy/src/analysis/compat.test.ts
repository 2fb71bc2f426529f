import { expect, test } from 'vitest';
import { type CompiledPolicy, compileText, ruleOrigin } from '../compiler/index.ts';
import { readPolicydb } from '../policydb/index.ts';
import { XEN_RELEASES, type XenReleaseName, xenRelease } from '../releases/index.ts';
import { SecurityServer } from '../security-server/index.ts';
import { type Diagnostic, SourceText, userSpan } from '../text/index.ts';
import { compareReleases, compatDiagnostics, givenBeside, type PermissionUse, permissionUses } from './index.ts';

/** A policy with the classes of a release, and some statements. */
function compile(release: XenReleaseName, statements: string, constraints = ''): CompiledPolicy {
  const { classes, initialSids } = xenRelease(release);
  const text = [
    ...classes.map(({ name }) => `class ${name}`),
    ...initialSids.map((name) => `sid ${name}`),
    ...classes.map(({ name, permissions }) => `class ${name} { ${permissions.join(' ')} }`),
    'attribute guest; type dom0_t; type domU_t, guest; type use;',
    'role system_r; role system_r types { dom0_t domU_t use };',
    'allow dom0_t domU_t:domain pause;',
    statements,
    'user system_u roles system_r;',
    constraints,
    ...initialSids.map((name) => `sid ${name} system_u:system_r:${name === 'xenboot' ? 'use' : 'dom0_t'}`),
    '',
  ].join('\n');
  const compiled = compileText(new SourceText('policy.conf', text), { release });
  if (compiled.policy === undefined) throw new Error(compiled.diagnostics.map(({ message }) => message).join('\n'));
  return compiled;
}

function usesOf(compiled: CompiledPolicy, from: XenReleaseName, to: XenReleaseName): PermissionUse[] {
  if (compiled.policy === undefined) throw new Error('the policy does not compile');
  return permissionUses(compiled.policy, compareReleases(from, to), compiled.text.text);
}

function told(from: XenReleaseName, to: XenReleaseName, statements: string, constraints = ''): Diagnostic[] {
  const compiled = compile(from, statements, constraints);
  const difference = compareReleases(from, to);
  return compatDiagnostics(usesOf(compiled, from, to), difference, (word) => ruleOrigin(compiled, word));
}

/** What a diagnostic marks, and what it says. */
function shown({ code, message, origin }: Diagnostic): string {
  const span = origin === undefined ? undefined : userSpan(origin);
  const marked = span === undefined ? '-' : span.source.text.slice(span.start, span.end);
  return `${code} ${marked}: ${message}`;
}

test('between a release and itself nothing changes', () => {
  for (const release of XEN_RELEASES) {
    const { classes, permissions, initialSids, behaviour } = compareReleases(release, release);
    expect([classes, permissions, initialSids, behaviour]).toEqual([[], [], [], []]);
  }
});

test('the way back loses what the way there brought', () => {
  const key = (one: { class: string; permission: string }): string => `${one.class} ${one.permission}`;
  for (const from of XEN_RELEASES) {
    for (const to of XEN_RELEASES) {
      const there = compareReleases(from, to);
      const back = compareReleases(to, from);
      const lost = back.permissions.filter(({ kind }) => kind === 'gone' || kind === 'moved').map(key);
      expect(lost.sort()).toEqual(
        there.permissions
          .filter(({ kind }) => kind === 'new')
          .map(key)
          .sort(),
      );
      expect(back.behaviour.length).toBe(there.behaviour.length);
    }
  }
});

test('from 4.13 to 4.17 the boot of Xen gets a SID of its own, and all others another number', () => {
  const { initialSids, classes, behaviour, permissions } = compareReleases('4.13', '4.17');
  expect(classes).toEqual([]);
  expect(initialSids).toContainEqual({ name: 'xenboot', before: undefined, after: 1 });
  expect(initialSids).toContainEqual({ name: 'dom0', before: 2, after: 3 });
  expect(initialSids).toHaveLength(13);
  expect(behaviour.map(({ releases, isGained }) => [releases[0], isGained])).toEqual([
    ['4.17', true],
    ['4.17', true],
  ]);
  const short = permissions.map(({ kind, class: name, permission, bitBefore, bitAfter }) =>
    [kind, name, permission, bitBefore, bitAfter].join(' '),
  );
  expect(short).toEqual([
    'renumbered xen getscheduler 28 29',
    'renumbered xen setscheduler 29 30',
    'moved xen2 set_parameter 10 ',
    'gone hvm nested 9 ',
    'renumbered hvm altp2mhvm 10 9',
    'renumbered hvm altp2mhvm_op 11 10',
    'renumbered hvm dm 12 11',
    'narrowed shadow enable 1 1',
    'new xen hypfs_op  28',
    'new domain getpagingmempool  28',
    'new domain setpagingmempool  29',
  ]);
});

test('a class that came in between moves those behind it', () => {
  const { classes } = compareReleases('4.3', '4.8');
  expect(classes).toContainEqual({ name: 'xen2', before: undefined, after: 2 });
  expect(classes).toContainEqual({ name: 'domain', before: 2, after: 3 });
  expect(compareReleases('4.13', '4.8').classes).toEqual([{ name: 'argo', before: 13, after: undefined }]);
});

test('a permission that moved twice leads to what the newest release asks for', () => {
  const { permissions } = compareReleases('4.3', '4.21');
  const found = permissions.find(({ permission }) => permission === 'mem_event');
  expect(found).toMatchObject({ kind: 'moved', class: 'hvm' });
  expect(found?.replacements.map(({ permission }) => permission)).toEqual(['vm_event', 'mem_access', 'mem_paging']);
});

test('a rule with a permission that is gone is told at the word, with what is asked for instead', () => {
  const rules = 'allow dom0_t domU_t:domain2 { relabelto set_cpuid };\nauditallow dom0_t domU_t:mmu pagelist;';
  expect(told('4.8', '4.13', rules).map(shown)).toEqual([
    'compat/permission-moved set_cpuid: Xen 4.13 has no permission `set_cpuid` of class `domain2`; it asks for `domain2 set_cpu_policy` instead',
    'compat/permission-gone pagelist: Xen 4.13 has no permission `pagelist` of class `mmu`',
  ]);
});

test('a permission that covers less is a warning, and a type of the same name is not taken for it', () => {
  const found = told('4.8', '4.13', 'allow use domU_t:resource { add use };');
  expect(found.map(({ severity }) => severity)).toEqual(['warning']);
  const span = found[0]?.origin === undefined ? undefined : userSpan(found[0].origin);
  expect(span?.source.text.slice((span.start ?? 0) - 6, span.end)).toBe('{ add use'.slice(-9));
  expect(found.map(shown)).toEqual([
    'compat/permission-narrowed use: in Xen 4.13 the permission `use` of class `resource` covers less: ' +
      '`resource use_iommu`, `resource use_iommu_nointremap`, `resource use_noiommu` is asked for too',
  ]);
});

test('who makes guests is asked for their cache colours too since 4.20, but for Xen itself as it boots', () => {
  const rules = 'allow use dom0_t:domain create;\nallow dom0_t { domU_t use }:domain create;\n';
  expect(told('4.19', '4.20', rules).map(shown)).toEqual([
    'compat/permission-narrowed create: in Xen 4.20 the permission `create` of class `domain` covers less: ' +
      '`domain2 set_llc_colors` is asked for too',
  ]);
  expect(told('4.20', '4.20.4', rules)).toEqual([]);
  expect(told('4.19', '4.21', rules)).toEqual([]);
});

test('nothing is said of a permission that covers less where the policy for the other release gives what is asked too', () => {
  const rules = 'allow dom0_t domU_t:domain create;\nneverallow domU_t *:domain create;\n';
  const { policy, text } = compile('4.19', rules);
  const usesWith = (more: string): string[] => {
    const later = compile('4.20', rules + more).policy;
    if (policy === undefined || later === undefined) throw new Error('the policy does not compile');
    return permissionUses(policy, compareReleases('4.19', '4.20'), text.text, givenBeside(later)).map(
      ({ rule }) => rule,
    );
  };
  expect(usesWith('')).toEqual(['allow', 'neverallow']);
  expect(usesWith('allow dom0_t use:domain2 set_llc_colors;')).toEqual(['allow', 'neverallow']);
  expect(usesWith('allow dom0_t guest:domain2 set_llc_colors;')).toEqual([]);
});

test('what is meant by `*` or `~` is what the other release has, and nothing is said', () => {
  const rules = 'allow dom0_t domU_t:mmu *; allow dom0_t guest:mmu ~{ adjust };';
  expect(told('4.8', '4.13', rules)).toEqual([]);
  const uses = usesOf(compile('4.8', rules), '4.8', '4.13');
  expect(uses.map(({ isNamed, rule }) => [isNamed, rule])).toEqual([
    [false, 'allow'],
    [false, 'allow'],
  ]);
});

test('rules in conditional blocks, rules that only audit, neverallow rules and constraints count too', () => {
  const rules = `bool locked false;
    if (locked) { allow dom0_t domU_t:hvm nested; } else { allow domU_t domU_t:hvm nested; }
    dontaudit domU_t dom0_t:hvm nested;
    neverallow domU_t dom0_t:hvm nested;`;
  const uses = usesOf(compile('4.13', rules, 'constrain hvm nested (u1 == u2);'), '4.13', '4.17');
  expect(uses.map(({ rule }) => rule).sort()).toEqual(['allow', 'allow', 'constrain', 'dontaudit', 'neverallow']);
});

test('of a binary the entries are told, with the types that they have', () => {
  const statements = 'allow dom0_t domU_t:hvm { nested dm }; dontaudit domU_t dom0_t:hvm nested;';
  const read = readPolicydb(compile('4.13', statements).bytes ?? new Uint8Array());
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  const difference = compareReleases('4.13', '4.17');
  const [found, ...more] = compatDiagnostics(permissionUses(read.policy, difference), difference);
  expect(more).toEqual([]);
  expect(found?.origin).toBeUndefined();
  expect(found?.notes.map(({ message }) => message)).toEqual([
    'nested virtualisation is chosen when the domain is created',
    '`allow dom0_t domU_t:hvm nested;`',
    '`dontaudit domU_t dom0_t:hvm nested;`',
  ]);
});

test('of many entries of a binary some are shown, and the others counted', () => {
  const types = Array.from({ length: 30 }, (_, i) => `type many_${i}; allow many_${i} domU_t:hvm nested;`);
  const read = readPolicydb(compile('4.13', types.join('\n')).bytes ?? new Uint8Array());
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  const difference = compareReleases('4.13', '4.17');
  const [found] = compatDiagnostics(permissionUses(read.policy, difference), difference);
  expect(found?.notes).toHaveLength(22);
  expect(found?.notes.at(-1)?.message).toBe('and 10 more');
});

test('a policy loads on another release just where no class, permission, bit or version that it needs has changed', () => {
  for (const from of XEN_RELEASES) {
    const { bytes = new Uint8Array() } = compile(from, '');
    for (const to of XEN_RELEASES) {
      const { classes, permissions } = compareReleases(from, to);
      const needsOther =
        classes.some(({ after }) => after !== undefined) ||
        permissions.some(({ kind }) => kind === 'renumbered' || kind === 'new') ||
        xenRelease(from).newestPolicyVersion > xenRelease(to).newestPolicyVersion;
      const loaded = new SecurityServer({ release: xenRelease(to) }).loadPolicy(bytes);
      expect([from, to, loaded.kind]).toEqual([from, to, needsOther ? 'refused' : 'loaded']);
    }
  }
});
