/**
 * What changed between two policies is what sediff finds, section by section, where it answers; and the access that is
 * gained and lost is what asking about every pair of types, under every setting of the booleans, tells.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type AccessChange, comparePolicies } from '@dewar/policy/analysis';
import { type CompileOptions, compileDirectory, compileText, type PolicyFiles } from '@dewar/policy/compiler';
import { type PolicyDb, readPolicydb } from '@dewar/policy/policydb';
import { PolicyView } from '@dewar/policy/security-server';
import { SourceText } from '@dewar/policy/text';
import { Random, xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { type Edits, editedPolicy } from '../xen-tree/edited-tree.ts';
import { readText } from './condition-table.ts';
import { mutatePolicy } from './mutate-policy.ts';
import { askSediff, ourComparison, sediff, withoutConstants } from './sediff.ts';

const folder = new URL('../../policies/example/', import.meta.url);
const example: PolicyFiles = {
  readText: (path) => {
    const file = new URL(path, folder);
    return existsSync(file) ? readFileSync(file, 'latin1') : undefined;
  },
  listNames: (path) => (existsSync(new URL(path, folder)) ? readdirSync(new URL(path, folder)) : []),
  describe: (path) => path,
};

interface TestPolicy {
  readonly text: string;
  readonly options: CompileOptions;
}

function textOf(name: string): TestPolicy {
  const options = { isMls: name.endsWith('-mls') };
  if (name.startsWith('example')) return { text: compileDirectory(example, options).text.text, options };
  return { text: readFileSync(new URL(`../checkpolicy/policies/${name}.conf`, import.meta.url), 'latin1'), options };
}

function bytesOf({ text, options }: TestPolicy): Uint8Array {
  const { bytes } = compileText(new SourceText('policy.conf', text), options);
  if (bytes === undefined) throw new Error('the policy does not compile');
  return bytes;
}

function policyOf(bytes: Uint8Array): PolicyDb {
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) throw new Error('the policy cannot be read');
  return read.policy;
}

/** A pair of a policy and a mutant of it. */
function mutants(name: string, seed: number, changes: number): [Uint8Array, Uint8Array] {
  const policy = textOf(name);
  const random = new Random(seed);
  for (let attempt = 0; attempt < 200; attempt++) {
    const mutant = mutatePolicy(policy.text, policy.options, random, changes);
    if (mutant !== undefined && !Buffer.from(mutant).equals(bytesOf(policy)))
      return random.once(2) ? [bytesOf(policy), mutant] : [mutant, bytesOf(policy)];
  }
  throw new Error('no mutant compiles');
}

describe.skipIf(sediff === undefined)('what sediff finds', () => {
  /** Compares each section that sediff answers; says how many there were, and how many lines in them. */
  function expectEqual(old: Uint8Array, next: Uint8Array): { readonly answered: number; readonly lines: number } {
    if (sediff === undefined) return { answered: 0, lines: 0 };
    const ours = ourComparison(old, next);
    let answered = 0;
    let lines = 0;
    for (const [option, theirs] of askSediff(sediff, old, next)) {
      if (theirs === undefined) continue;
      answered++;
      lines += theirs.length;
      const [expected, found] = withoutConstants(theirs, ours.get(option) ?? []);
      expect(found, option).toEqual(expected);
    }
    return { answered, lines };
  }

  test.each([
    ['hw-quirks', 'fuzz-9029'],
    ['fuzz-9006-mls', 'fuzz-9026-mls'],
    ['example', 'example-mls'],
    ['hw-dotted', 'hw-quirks'],
    ['hw-dotted', 'fuzz-9001'],
  ])('of two different policies: %s and %s', (a, b) => {
    const { answered, lines } = expectEqual(bytesOf(textOf(a)), bytesOf(textOf(b)));
    expect(answered).toBeGreaterThanOrEqual(20);
    expect(lines).toBeGreaterThan(10);
  });

  test.each([
    ['example', 1, 3],
    ['example-mls', 2, 6],
    ['example', 3, 12],
    ['hw-quirks', 4, 6],
    ['hw-quirks', 5, 8],
    ['fuzz-9029', 6, 4],
    ['fuzz-9026-mls', 7, 5],
  ])('of a policy and a mutant of it: %s, seed %i', (name, seed, changes) => {
    const [old, next] = mutants(name, seed, changes);
    expect(expectEqual(old, next).lines).toBeGreaterThan(0);
  });

  test('of attributes of which a binary has no types, although a constraint tells which they were', () => {
    const text = (statement: string): string => `class obj sid xen class obj { read write }
attribute many; attribute some; ${statement}
type a_t, many, some; type b_t, many; role r; role r types { a_t b_t };
allow a_t b_t:obj read; user u roles r;
constrain obj write (t1 == many or t2 == some);
sid xen u:r:a_t
`;
    const [old, next] = ['', 'expandattribute many true;'].map((one) => bytesOf({ text: text(one), options: {} }));
    if (old === undefined || next === undefined) throw new Error('two texts give two policies');
    expect(expectEqual(old, next).lines).toBeGreaterThan(2);
    expect(expectEqual(next, old).lines).toBeGreaterThan(2);
  });

  const tree = xenTree();
  const edits: readonly (readonly [string, Edits])[] = [
    ['a type that dom0 may create', { site: 'declare_domain(site_t)\ncreate_domain(dom0_t, site_t)\n' }],
    [
      'a type in an attribute of another one',
      { site: 'attribute site;\ntypeattribute domU_t site;\nallow site xen_t:xen heap;\n' },
    ],
    [
      'a macro that gives less',
      { replace: { path: 'modules/xen.if', from: 'allow $1 $2:domain { getdomaininfo', to: 'allow $1 $2:domain {' } },
    ],
  ];
  test.skipIf(tree === undefined).each(edits)("in Xen's own example policy: %s", (_, edit) => {
    const bytes = [{}, edit].map((one) => compileDirectory(editedPolicy(tree ?? '', one), {}).bytes);
    const [old, next] = bytes;
    if (old === undefined || next === undefined) throw new Error('the policy does not compile');
    expect(expectEqual(old, next).lines).toBeGreaterThan(0);
  });
});

/** Every setting of some booleans. */
function settings(names: readonly string[]): ReadonlySet<string>[] {
  return Array.from({ length: 1 << names.length }, (_, row) => new Set(names.filter((_name, i) => (row >>> i) & 1)));
}

/** What the rules give to each pair of types: `source target class permission`. */
function accessOf(policy: PolicyDb, isTrue: ReadonlySet<string>): Set<string> {
  const view = new PolicyView(policy);
  for (const { name, value } of policy.booleans.entries) view.booleans[value] = isTrue.has(name);
  view.applyBooleans();
  const types = policy.types.entries.filter(({ kind }) => kind === 'type');
  const found = new Set<string>();
  for (const { name: tclass, value, common, permissions } of policy.classes.entries) {
    const inherited = common === undefined ? [] : (policy.commons.byName.get(common)?.permissions ?? []);
    const all = [...inherited, ...permissions];
    for (const source of types) {
      for (const target of types) {
        const { allowed } = view.ruleVectors(source.value, target.value, value);
        if (allowed === 0) continue;
        for (const one of all)
          if (((allowed >>> (one.value - 1)) & 1) === 1)
            found.add(`${source.name} ${target.name} ${tclass} ${one.name}`);
      }
    }
  }
  return found;
}

/** What a list of changes says about one setting of the booleans. */
function saidOf(changes: readonly AccessChange[], isTrue: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (const { sources, targets, access } of changes) {
    for (const { kind, class: tclass, permissions, condition } of access) {
      if (kind !== 'allow') continue;
      if (condition !== undefined) {
        const { names, rows } = readText(condition);
        const row = names.reduce((sum, name, i) => (isTrue.has(name) ? sum | (1 << i) : sum), 0);
        if (rows[row] !== '1') continue;
      }
      for (const source of sources.types)
        for (const target of targets === 'self' ? [source] : targets.types)
          for (const permission of permissions) found.push(`${source} ${target} ${tclass} ${permission}`);
    }
  }
  return found.sort();
}

describe('access gained and lost', () => {
  test.each([
    ['hw-quirks', 11, 4],
    ['hw-quirks', 12, 10],
    ['fuzz-9026-mls', 13, 3],
    ['fuzz-9026-mls', 14, 12],
    ['fuzz-9029', 15, 6],
    ['fuzz-9006-mls', 16, 8],
    ['example', 17, 5],
    ['example', 18, 15],
  ])(
    'is what every pair of types has otherwise, under each setting of the booleans: %s, seed %i',
    (name, seed, changes) => {
      let differences = 0;
      // Some mutants differ elsewhere: the next ones are asked about too, until one differs here.
      for (let more = 0; more < 20 && differences === 0; more++) {
        const [old, next] = mutants(name, seed + 1000 * more, changes);
        const [a, b] = [policyOf(old), policyOf(next)];
        const { access } = comparePolicies({ policy: a, version: 30 }, { policy: b, version: 30 });
        const booleans = [...new Set([...a.booleans.byName.keys(), ...b.booleans.byName.keys()])];
        expect(booleans.length).toBeLessThanOrEqual(8);
        for (const isTrue of settings(booleans)) {
          const [before, after] = [accessOf(a, isTrue), accessOf(b, isTrue)];
          const gained = [...after].filter((one) => !before.has(one)).sort();
          const lost = [...before].filter((one) => !after.has(one)).sort();
          differences += gained.length + lost.length;
          expect(saidOf(access.gained, isTrue)).toEqual(gained);
          expect(saidOf(access.lost, isTrue)).toEqual(lost);
        }
      }
      expect(differences).toBeGreaterThan(0);
    },
  );
});

describe('new access', () => {
  const base = `class domain class obj sid xen
class domain { transition } class obj { read write }
attribute many; type a_t, many; type b_t; bool on false;
role r; role s;
role r types { a_t b_t }; role s types a_t;
allow a_t b_t:obj read;
if (on) { allow b_t a_t:obj write; }
user u roles { r s };
constrain obj write (u1 == u2);
constrain obj write (r1 == r2);
sid xen u:r:a_t
`;
  const reasons = (from: string, to: string): string[] => {
    const sides = [base, base.replace(from, to)].map((text) => {
      const { bytes, policy, diagnostics } = compileText(new SourceText('p.conf', text));
      if (bytes === undefined || policy === undefined) throw new Error(diagnostics[0]?.message);
      return { policy: policyOf(bytes), version: 30 as const };
    });
    const [old, next] = sides;
    if (old === undefined || next === undefined) throw new Error('two policies have two sides');
    return comparePolicies(old, next).newAccess.map(({ kind, text }) => `${kind}: ${text}`);
  };

  test.each([
    ['there is none in less', 'allow a_t b_t:obj read;', '', []],
    [
      'a rule that moves under a condition gives no more',
      'allow a_t b_t:obj read;',
      'if (!on) { allow a_t b_t:obj read; }',
      [],
    ],
    ['an attribute in the place of a type gives no more', 'allow a_t b_t:obj read;', 'allow many b_t:obj read;', []],
    ['a condition that says the same in other words', 'if (on) {', 'if (!(!on)) {', []],
    [
      'a rule more',
      'allow a_t',
      'allow b_t b_t:obj read; allow a_t',
      ['certain: rules give more access, in class obj'],
    ],
    [
      'a rule that left its condition',
      'if (on) {',
      'allow b_t a_t:obj write; if (on) {',
      ['certain: rules give more access, in class obj'],
    ],
    [
      'another constraint',
      'u1 == u2',
      'r1 == r2',
      // There is one user, so that it was met by all.
      [],
    ],
    [
      'a constraint less',
      'constrain obj write (r1 == r2);',
      '',
      ['certain: constraints let pass more access, in class obj'],
    ],
    ['one constraint more', 'sid xen u:r:a_t', 'sid xen u:r:a_t', []],
    ['a boolean that starts otherwise', 'bool on false', 'bool on true', ['possible: boolean `on` starts otherwise']],
    [
      'a role with more types',
      'role s types a_t',
      'role s types { a_t b_t }',
      ['possible: role `s` has more types or dominates more roles'],
    ],
    ['a permissive type', 'role r types', 'permissive a_t; role r types', ['possible: type `a_t` is permissive']],
    ['another label', 'sid xen u:r:a_t', 'sid xen u:r:b_t', ['possible: another label: initial SID `xenboot`']],
  ] as const)('%s', (_, from, to, expected) => {
    expect(reasons(from, to)).toEqual(expected);
  });
});
