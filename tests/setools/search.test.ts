/**
 * The rules that we find are those that sesearch finds, line by line; in a binary, and in the policy that it came from.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { RULE_KINDS, type RuleKind, type RuleQuery, searchRules } from '@dewar/policy/analysis';
import {
  type CompiledPolicy,
  compileDirectory,
  compileText,
  type PolicyFiles,
  ruleOrigin,
} from '@dewar/policy/compiler';
import { type PolicyDb, readPolicydb } from '@dewar/policy/policydb';
import { placeText, SourceText, userSpan } from '@dewar/policy/text';
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { editedPolicy } from '../xen-tree/edited-tree.ts';
import { askSesearch, sesearch } from './sesearch.ts';

function lines(policy: PolicyDb, query: RuleQuery): string[] {
  const { rules, diagnostics } = searchRules(policy, query);
  expect(diagnostics).toEqual([]);
  return rules.map(({ text }) => text).sort();
}

function binaryOf({ bytes }: CompiledPolicy): { readonly bytes: Uint8Array; readonly policy: PolicyDb } {
  const read = bytes === undefined ? undefined : readPolicydb(bytes);
  if (bytes === undefined || read === undefined || 'diagnostic' in read) throw new Error('the policy does not compile');
  return { bytes, policy: read.policy };
}

const folder = new URL('../../policies/example/', import.meta.url);
const example: PolicyFiles = {
  readText: (path) => {
    const file = new URL(path, folder);
    return existsSync(file) ? readFileSync(file, 'latin1') : undefined;
  },
  listNames: (path) => (existsSync(new URL(path, folder)) ? readdirSync(new URL(path, folder)) : []),
  describe: (path) => path,
};
const exampleCompiled = compileDirectory(example, { isMls: true });

/** Questions to the example policy, with every option at least once. */
const QUESTIONS: readonly (readonly [string, RuleQuery])[] = [
  ['source through attributes', { kinds: ['allow'], source: { text: 'dom0_t' } }],
  ['source itself', { kinds: ['allow'], source: { text: 'domain_type', isDirect: true } }],
  [
    'attribute as source, through its types',
    { kinds: ['allow'], source: { text: 'domain_type' }, classes: [{ text: 'mmu' }] },
  ],
  ['target through attributes', { kinds: ['allow', 'dontaudit'], target: { text: 'nomigrate_t' } }],
  ['target itself', { kinds: ['allow'], target: { text: 'nomigrate_t', isDirect: true } }],
  ['source as a pattern', { kinds: ['allow'], source: { text: '_building$', isRegex: true } }],
  ['source itself as a pattern', { kinds: ['allow'], source: { text: '^dom', isRegex: true, isDirect: true } }],
  ['target as a pattern', { kinds: ['allow'], target: { text: 'domU', isRegex: true }, classes: [{ text: 'domain' }] }],
  ['two classes', { kinds: ['allow'], classes: [{ text: 'grant' }, { text: 'event' }] }],
  ['class as a pattern', { kinds: ['allow'], classes: [{ text: '^domain', isRegex: true }] }],
  ['any of some permissions', { kinds: ['allow'], permissions: ['map_read', 'map_write', 'copy'] }],
  ['just these permissions', { kinds: ['allow'], permissions: ['map_read', 'map_write'], permissionMatch: 'equal' }],
  ['all of these permissions', { kinds: ['allow'], permissions: ['map_read', 'map_write'], permissionMatch: 'subset' }],
  ['result of a transition', { kinds: ['type_transition'], result: { text: 'dom0_t_channel' } }],
  ['result as a pattern', { kinds: ['type_transition'], result: { text: '_channel$', isRegex: true } }],
  ['a boolean', { kinds: ['allow', 'type_transition'], booleans: [{ text: 'prot_doms_locked' }] }],
  ['just one boolean', { kinds: ['allow'], booleans: [{ text: 'prot_doms_locked' }], isBooleansEqual: true }],
  ['a boolean as a pattern', { kinds: ['allow'], booleans: [{ text: 'locked', isRegex: true }] }],
];

describe.skipIf(sesearch === undefined)('the example policy', () => {
  const { bytes, policy } = binaryOf(exampleCompiled);

  test.each(QUESTIONS)('answers as to sesearch: %s', (_, query) => {
    if (sesearch === undefined) return;
    expect(lines(policy, query)).toEqual(askSesearch(sesearch, bytes, query));
  });

  test('has the same rules of all kinds', () => {
    if (sesearch === undefined) return;
    expect(lines(policy, { kinds: RULE_KINDS })).toEqual(askSesearch(sesearch, bytes, { kinds: RULE_KINDS }));
  });
});

const tree = xenTree();

describe.skipIf(sesearch === undefined || tree === undefined)("Xen's own example policy", () => {
  test('has the rules that sesearch finds', () => {
    if (sesearch === undefined) return;
    const { bytes, policy } = binaryOf(compileDirectory(editedPolicy(tree ?? ''), {}));
    expect(lines(policy, { kinds: RULE_KINDS })).toEqual(askSesearch(sesearch, bytes, { kinds: RULE_KINDS }));
  });
});

/** It gives up on rules about permissions only. */
const QUESTIONS_OF_KINDS: readonly (readonly RuleKind[])[] = [
  ['allow'],
  ['auditallow'],
  ['dontaudit'],
  ['type_transition', 'type_member', 'type_change', 'role_allow', 'role_transition', 'range_transition'],
];

const POLICIES = [
  'hw-quirks',
  'hw-dotted',
  'fuzz-9006-mls',
  'fuzz-9025',
  'fuzz-9026-mls',
  'fuzz-9028-mls',
  'fuzz-9029',
];

describe.skipIf(sesearch === undefined)('a policy that uses the whole language', () => {
  test.each(['hw-quirks', 'fuzz-9006-mls', 'fuzz-9025', 'fuzz-9029'])(
    '%s has the rules that sesearch finds, where it does not give up',
    (name) => {
      if (sesearch === undefined) return;
      const text = readFileSync(new URL(`../checkpolicy/policies/${name}.conf`, import.meta.url), 'latin1');
      const { bytes, policy } = binaryOf(compileText(new SourceText(name, text), { isMls: name.endsWith('-mls') }));
      let compared = 0;
      for (const kinds of QUESTIONS_OF_KINDS) {
        const theirs = askSesearch(sesearch, bytes, { kinds });
        if (theirs === undefined) continue;
        compared++;
        expect(lines(policy, { kinds })).toEqual(theirs);
      }
      expect(compared).toBeGreaterThanOrEqual(2);
    },
  );
});

/** Questions that the example policy has no rules for; `hw-quirks` has roles, and conditions of two booleans. */
const MORE_QUESTIONS: readonly (readonly [string, RuleQuery])[] = [
  [
    'both booleans and no other',
    { kinds: ['allow'], booleans: [{ text: 'b_one' }, { text: 'b_two' }], isBooleansEqual: true },
  ],
  ['one boolean and no other', { kinds: ['allow', 'dontaudit'], booleans: [{ text: 'b_one' }], isBooleansEqual: true }],
  ['the source of a rule between roles', { kinds: ['role_allow'], source: { text: 'sys_r' } }],
  [
    'the target of a rule between roles',
    { kinds: ['role_allow', 'role_transition'], target: { text: '^sys', isRegex: true } },
  ],
  [
    'the type and the role of a role transition',
    { kinds: ['role_transition'], target: { text: 'tc' }, result: { text: 'vm_r' } },
  ],
  ['kinds of type rules', { kinds: ['type_member', 'type_change', 'type_transition'], source: { text: 'ta' } }],
];

describe.skipIf(sesearch === undefined)('a policy with roles and conditions', () => {
  const text = readFileSync(new URL('../checkpolicy/policies/hw-quirks.conf', import.meta.url), 'latin1');
  const { bytes, policy } = binaryOf(compileText(new SourceText('hw-quirks', text)));

  test.each(MORE_QUESTIONS)('answers as to sesearch: %s', (_, query) => {
    if (sesearch === undefined) return;
    const found = lines(policy, query);
    expect(found).toEqual(askSesearch(sesearch, bytes, query));
    expect(found.length).toBeGreaterThan(0);
  });
});

describe('a policy that was compiled here', () => {
  const { policy: compiled } = exampleCompiled;

  test.each(QUESTIONS)('answers as its binary does: %s', (_, query) => {
    if (compiled === undefined) throw new Error('the policy does not compile');
    expect(lines(compiled, query)).toEqual(lines(binaryOf(exampleCompiled).policy, query));
  });

  test('has the rules of its binary, for every policy that uses the whole language', () => {
    for (const name of POLICIES) {
      const text = readFileSync(new URL(`../checkpolicy/policies/${name}.conf`, import.meta.url), 'latin1');
      const result = compileText(new SourceText(name, text), { isMls: name.endsWith('-mls') });
      if (result.policy === undefined) throw new Error('the policy does not compile');
      for (const kind of RULE_KINDS.filter((one) => one !== 'neverallow'))
        expect(lines(result.policy, { kinds: [kind] }), `${name} ${kind}`).toEqual(
          lines(binaryOf(result).policy, { kinds: [kind] }),
        );
    }
  });

  test('knows for each rule the statements that it came from', () => {
    const text = `class obj
sid xen
class obj { read write }
attribute many;
type a_t, many;
type b_t, many;
role r;
role r types { a_t b_t };
allow a_t b_t:obj read;
allow many b_t:obj read;
allow a_t b_t:obj write;
neverallow b_t { a_t self }:obj write;
user u roles r;
sid xen u:r:a_t
`;
    const result = compileText(new SourceText('p.conf', text));
    if (result.policy === undefined) throw new Error('the policy does not compile');
    const { rules } = searchRules(result.policy, { kinds: ['allow', 'neverallow'] });
    const found = rules.map(({ text: line, statements }) => [
      line,
      ...statements.map((statement) => placeText(userSpan(ruleOrigin(result, statement)))),
    ]);
    expect(found).toEqual([
      ['allow a_t b_t:obj { read write };', 'p.conf:9:1', 'p.conf:11:1'],
      ['allow many b_t:obj read;', 'p.conf:10:1'],
      ['neverallow b_t { a_t self }:obj write;', 'p.conf:12:1'],
    ]);
  });

  test('says which name of a question it does not have', () => {
    if (compiled === undefined) throw new Error('the policy does not compile');
    const query: RuleQuery = {
      kinds: ['allow'],
      source: { text: 'dom0_tt' },
      classes: [{ text: 'gant' }],
      permissions: ['map_raed'],
      target: { text: '(', isRegex: true },
    };
    expect(
      searchRules(compiled, query)
        .diagnostics.map(({ code, message }) => `${code}: ${message}`)
        .sort(),
    ).toEqual([
      expect.stringMatching(/^search\/bad-pattern: `\(` is no regular expression: /),
      'search/unknown-name: the policy has no class `gant`',
      'search/unknown-name: the policy has no permission `map_raed`',
      'search/unknown-name: the policy has no type or attribute `dom0_tt`',
    ]);
  });
});
