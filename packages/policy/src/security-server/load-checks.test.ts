import { expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { type PolicyDb, RuleTable, readPolicydb, symbolTable } from '../policydb/index.ts';
import { type XenReleaseName, xenRelease } from '../releases/index.ts';
import { SourceText } from '../text/index.ts';
import { type PolicyTextOptions, policyText } from './fixtures/policy-text.ts';
import { PolicyView, SecurityServer } from './index.ts';
import { loadFaults } from './load-checks.ts';

function compile(text: string, isMls = false, version: 24 | 30 = 24): Uint8Array {
  const { bytes, diagnostics } = compileText(new SourceText('test.conf', text), { isMls, version });
  if (bytes === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return bytes;
}

/** What a release says of a policy: `loaded`, or the codes and messages. */
function load(bytes: Uint8Array, release: XenReleaseName = '4.17'): string | string[] {
  const outcome = new SecurityServer({ release: xenRelease(release) }).loadPolicy(bytes);
  if (outcome.kind === 'loaded') return 'loaded';
  expect(outcome.errno).toBe('EINVAL');
  return outcome.diagnostics.map(({ code, message }) => `${code} ${message}`);
}

function loadText(options: PolicyTextOptions, change: (text: string) => string = (text) => text): string | string[] {
  return load(compile(change(policyText(options)), options.isMls));
}

/** What 4.17 says of the policy with something in it that no compiler would write. */
function loadChanged(options: PolicyTextOptions, change: (policy: PolicyDb) => Partial<PolicyDb>): string[] {
  const read = readPolicydb(compile(policyText(options), options.isMls));
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  const view = new PolicyView({ ...read.policy, ...change(read.policy) });
  return loadFaults(view, xenRelease('4.17'), true).map(({ code, message }) => `${code} ${message}`);
}

test.each(['4.3', '4.8', '4.13', '4.17', '4.20', '4.21', 'master'] as const)('Xen %s loads a policy for it', (name) => {
  expect(load(compile(policyText({ release: xenRelease(name) })), name)).toBe('loaded');
  // XEN: POLICYDB_VERSION_MAX of 4.3 is that of the bounds, 24.
  const answer = load(compile(policyText({ release: xenRelease(name) }), false, 30), name);
  const tooNew = 'load/version-too-new Xen 4.3 reads no policy of version 30; the newest that it reads is 24';
  expect(answer).toEqual(name === '4.3' ? [tooNew] : 'loaded');
});

test('bytes that are no policy are refused', () => {
  expect(load(Uint8Array.from([1, 2, 3, 4]))).toEqual([expect.stringMatching(/^policydb\/bad-magic /)]);
});

test('a policy for an older release is refused, and every permission that is missing is named', () => {
  const found = load(compile(policyText({ release: xenRelease('4.13') })));
  expect(found).toHaveLength(8);
  expect(found).toContain(
    'load/missing-permission Xen 4.17 needs permission `hypfs_op` as bit 28 of class `xen`, and the policy has not',
  );
});

test('a policy for a newer release that only has more at the end is loaded', () => {
  const more = policyText()
    .replace('\nsid ', '\nclass extra\nsid ')
    .replace(/^(class event \{.*) \}$/m, '$1 later }')
    .replace(/^class version \{.*\}$/m, (line) => `${line}\nclass extra { one }`);
  expect(load(compile(more))).toBe('loaded');
});

test('a class that is missing, or has another number, is named', () => {
  const swapped = policyText().replace('class xen\nclass xen2\n', 'class xen2\nclass xen\n');
  expect(load(compile(swapped))).toEqual([
    'load/missing-class Xen 4.17 needs class `xen` with number 1, and the policy has not',
    'load/missing-class Xen 4.17 needs class `xen2` with number 2, and the policy has not',
  ]);
});

test('a permission with another bit is named', () => {
  expect(loadText({}, (text) => text.replace('{ bind send ', '{ send bind '))).toEqual([
    'load/missing-permission Xen 4.17 needs permission `bind` as bit 0 of class `event`, and the policy has not',
    'load/missing-permission Xen 4.17 needs permission `send` as bit 1 of class `event`, and the policy has not',
  ]);
});

test('a class that inherits from a common is refused', () => {
  const change = (text: string): string =>
    text
      .replace('class xen {', 'common shared { one }\nclass xen {')
      .replace('\nsid ', '\nclass extra\nsid ')
      .replace(/^class version \{.*\}$/m, (line) => `${line}\nclass extra inherits shared { two }`);
  expect(loadText({}, change)).toEqual([
    'load/class-with-common Xen does not take classes that inherit, as `extra` does',
  ]);
});

test('a type transition with a file name is refused at version 30', () => {
  const bytes = compile(policyText({ rules: 'type_transition dom0_t nic_t:resource disk_t "name";' }), false, 30);
  expect(load(bytes)).toEqual([
    'load/filename-transition Xen does not take type transitions with a file name, as `name`',
  ]);
});

test('a policy without rules is refused', () => {
  expect(loadChanged({}, () => ({ rules: new RuleTable() }))).toEqual([
    'load/no-rules Xen does not take a policy without rules outside conditional blocks',
  ]);
});

test('two entries of the rule table with one key are refused', () => {
  const doubled = ({ rules }: PolicyDb): Partial<PolicyDb> => {
    const copy = new RuleTable();
    for (let row = 0; row < rules.length; row++) copy.pushRow(rules, row);
    copy.pushRow(rules, 0);
    return { rules: copy };
  };
  expect(loadChanged({}, doubled)).toEqual([
    'load/duplicate-rule two entries of the rule table are for `dom0_t` `guest_t` : `domain`, of the same kind',
  ]);
});

test('a conditional type rule must be the only one, but for the one on the other side of its block', () => {
  const rules = `
    bool open false;
    if (open) { type_transition dom0_t nic_t:event channel_t; } else { type_transition dom0_t nic_t:event disk_t; }
    if (!open) { allow dom0_t nic_t:event send; }
  `;
  expect(loadText({ rules })).toBe('loaded');
  const twice = ({ conditionals }: PolicyDb): Partial<PolicyDb> => ({
    conditionals: conditionals.flatMap((one) => [one, one]),
  });
  const message =
    'load/conflicting-type-rule a conditional type rule for `dom0_t` `nic_t` : `event` is not the only one';
  expect(loadChanged({ rules }, twice)).toEqual([message, message]);
});

test('a constraint with a third context is refused', () => {
  const third = ({ classes }: PolicyDb): Partial<PolicyDb> => {
    const entries = classes.entries.map((symbol) => ({
      ...symbol,
      constraints: symbol.constraints.map((constraint) => ({
        ...constraint,
        expression: constraint.expression.map((step) =>
          step.kind === 'names' ? { ...step, attribute: step.attribute | 16 } : step,
        ),
      })),
    }));
    return { classes: symbolTable(entries, classes.primaryCount) };
  };
  const constraints = 'constrain domain create (t1 == dom0_t);';
  expect(loadText({ constraints })).toBe('loaded');
  expect(loadChanged({ constraints }, third)).toEqual([
    'load/third-context a constraint of class `domain` names a third context, which only `validatetrans` has',
  ]);
});

test('a label that is not valid is refused, and so is a second label of an initial SID', () => {
  const labels = 'pirqcon 33 system_u:object_r:nic_t';
  const wrong = ({ objectContexts, roles }: PolicyDb): Partial<PolicyDb> => {
    const [first] = objectContexts.initialSids;
    const { pirqs } = objectContexts;
    const role = roles.byName.get('system_r')?.value ?? 0;
    return {
      objectContexts: {
        ...objectContexts,
        initialSids: first === undefined ? [] : [...objectContexts.initialSids, first],
        pirqs: pirqs.map((one) => ({ ...one, context: { ...one.context, role } })),
      },
    };
  };
  expect(loadChanged({ labels }, wrong)).toEqual([
    'load/invalid-context the label `system_u:system_r:nic_t` of interrupt 33 is not valid: ' +
      'role `system_r` may not have type `nic_t`',
    expect.stringMatching(/^load\/duplicate-initial-sid initial SID \d+ has two labels$/),
  ]);
});

test('a range transition to a range that is not valid is refused', () => {
  const rules = 'range_transition dom0_t nic_t:resource s0 - s1:c1;';
  const swapped = ({ rangeTransitions }: PolicyDb): Partial<PolicyDb> => ({
    rangeTransitions: rangeTransitions.map((one) => ({ ...one, range: { low: one.range.high, high: one.range.low } })),
  });
  expect(loadText({ isMls: true, rules })).toBe('loaded');
  expect(loadChanged({ isMls: true, rules }, swapped)).toEqual([
    'load/invalid-range the range transition for `dom0_t` `nic_t` : `resource` gives a range that is not valid',
  ]);
});

test('bounds deeper than three, bounds by an attribute and exceeded bounds are refused', () => {
  const rules = [
    'type b0_t; type b1_t; type b2_t; type b3_t; type b4_t;',
    'typebounds b0_t b1_t; typebounds b1_t b2_t;',
  ];
  const chain = [...rules, 'typebounds b2_t b3_t;'].join('\n');
  expect(loadText({ rules: chain })).toBe('loaded');
  const bound = (name: string, by: string): ((policy: PolicyDb) => Partial<PolicyDb>) => {
    return ({ types }) => {
      const entries = types.entries.map((one) =>
        one.name === name ? { ...one, bounds: types.byName.get(by)?.value ?? 0 } : one,
      );
      return { types: symbolTable(entries, types.primaryCount) };
    };
  };
  expect(loadChanged({ rules: chain }, bound('b4_t', 'b3_t'))).toEqual([
    'load/bounds-too-deep the bounds of type `b4_t` are a loop or more than 3 deep',
  ]);
  expect(loadChanged({ rules: chain }, bound('b0_t', 'b0_t'))).toEqual(
    expect.arrayContaining(['load/bounds-too-deep the bounds of type `b0_t` are a loop or more than 3 deep']),
  );
  expect(loadChanged({}, bound('nic_t', 'domain_type'))).toEqual([
    'load/bounds-attribute type `nic_t` is bounded by the attribute `domain_type`',
  ]);
  const boundUser = ({ users }: PolicyDb): Partial<PolicyDb> => {
    const bounds = users.byName.get('system_u')?.value ?? 0;
    const entries = users.entries.map((one) => (one.name === 'everyone' ? { ...one, bounds } : one));
    return { users: symbolTable(entries, users.primaryCount) };
  };
  expect(loadChanged({}, boundUser)).toEqual([
    'load/bounds-exceeded user `everyone` has role `vm_r`, which its bound `system_u` has not',
  ]);
  const boundRole = ({ roles }: PolicyDb): Partial<PolicyDb> => {
    const bounds = roles.byName.get('system_r')?.value ?? 0;
    const entries = roles.entries.map((one) => (one.name === 'vm_r' ? { ...one, bounds } : one));
    return { roles: symbolTable(entries, roles.primaryCount) };
  };
  expect(loadChanged({}, boundRole)).toEqual([
    expect.stringMatching(
      /^load\/bounds-exceeded role `vm_r` has type `guest_t(_self)?`, which its bound `system_r` has not$/,
    ),
  ]);
});

test('a running Xen refuses a policy that turns MLS on or off, and goes on with the old one', () => {
  for (const isMls of [false, true]) {
    const server = new SecurityServer({ release: xenRelease('4.17') });
    expect(server.loadPolicy(compile(policyText({ isMls }), isMls)).kind).toBe('loaded');
    const { policy, seqno } = server;
    const outcome = server.loadPolicy(compile(policyText({ isMls: !isMls }), !isMls));
    expect(outcome).toMatchObject({ kind: 'refused', diagnostics: [{ code: 'load/mls-changed' }] });
    expect(server.policy).toBe(policy);
    expect(server.seqno).toBe(seqno);
  }
});
