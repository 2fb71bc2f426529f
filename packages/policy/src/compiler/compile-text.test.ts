import { expect, test } from 'vitest';
import { SourceText, userSpan } from '../text/index.ts';
import { type CompileOptions, compileText } from './index.ts';

/** A small policy with places for more. */
function policyWith(parts: { classes?: string; rules?: string; users?: string; after?: string } = {}): string {
  return `
class domain
class event
${parts.classes ?? ''}
sid xen
sid dom0
class domain { create pause unpause }
class event { bind send }
attribute domain_type;
type dom0_t, domain_type;
type domU_t alias guest_t, domain_type;
type xen_t;
bool locked false;
role system_r;
role vm_r;
role system_r types { dom0_t xen_t };
role vm_r types domU_t;
allow dom0_t domU_t:domain { create pause };
${parts.rules ?? ''}
user system_u roles system_r;
user customer_1 roles vm_r;
${parts.users ?? ''}
sid xen system_u:system_r:xen_t
sid dom0 system_u:system_r:dom0_t
${parts.after ?? ''}
`;
}

/** Compiles a text in which «…» marks the places of the diagnostics, and expects just these codes there. */
function expectCodes(marked: string, codes: readonly string[], options: CompileOptions = {}): void {
  const marks: number[] = [];
  let text = '';
  for (const part of marked.split(/([«»])/)) {
    if (part === '«') marks.push(text.length);
    else if (part !== '»') text += part;
  }
  const { diagnostics, bytes } = compileText(new SourceText('site.conf', text), options);
  const found = diagnostics.map(({ code, origin }) => ({
    code,
    at: origin === undefined ? -1 : userSpan(origin).start,
  }));
  found.sort((a, b) => a.at - b.at);
  expect(found).toEqual(codes.map((code, i) => ({ code, at: marks[i] ?? -1 })));
  expect(bytes === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'));
}

test('a policy without a fault compiles in silence', () => {
  expectCodes(policyWith(), []);
});

test('every unknown name is reported where it was written', () => {
  expectCodes(
    policyWith({
      rules: `
allow dom0_t «domU_tt»:domain create;
allow dom0_t domU_t:«domian» create;
allow dom0_t domU_t:domain «destroy»;
type extra_t, «domain_typ»;
role vm_r types «nothing_t»;
if («lockd») { allow dom0_t domU_t:domain unpause; }
`,
    }),
    [
      'te/unknown-type',
      'te/unknown-class',
      'te/unknown-permission',
      'te/undeclared-attribute',
      'te/unknown-type',
      'te/unknown-boolean',
    ],
  );
});

test('a near name is suggested', () => {
  const text = policyWith({ rules: 'allow dom0_t domU_tt:domain create;' });
  const [diagnostic] = compileText(new SourceText('site.conf', text)).diagnostics;
  expect(diagnostic?.fixes[0]?.edits[0]?.newText).toBe('domU_t');
});

test('a permission of another release of Xen is called so', () => {
  const text = policyWith({ rules: 'allow dom0_t domU_t:domain destroy;' });
  const [diagnostic] = compileText(new SourceText('site.conf', text)).diagnostics;
  expect(diagnostic?.notes.map(({ message }) => message)).toEqual(['known to Xen 4.3 to master']);
});

test('a user among the rules is out of place, and what follows is not', () => {
  expectCodes(policyWith({ rules: '«user» me roles vm_r;\nallow dom0_t domU_t:domain unpause;' }), [
    'language/wrong-section',
  ]);
});

test('a broken neverallow rule shows the rule that breaks it and an example', () => {
  const marked = policyWith({ rules: 'neverallow domain_type xen_t:domain *;\n«allow» guest_t xen_t:domain pause;' });
  expectCodes(marked, ['te/neverallow-violated']);
  const [diagnostic] = compileText(new SourceText('site.conf', marked.replaceAll(/[«»]/g, ''))).diagnostics;
  expect(diagnostic?.message).toBe('`neverallow` is broken: `domU_t` may `pause` on `xen_t` (domain)');
  expect(diagnostic?.notes).toHaveLength(1);
});

test('a neverallow rule with self forbids pairs of equal types only', () => {
  const rules = 'neverallow domain_type self:domain create;\n';
  expectCodes(policyWith({ rules: `${rules}allow dom0_t domU_t:domain create;` }), []);
  expectCodes(policyWith({ rules: `${rules}«allow» domU_t domain_type:domain create;` }), ['te/neverallow-violated']);
});

test('two transitions with different results conflict', () => {
  const rules = `
type event_1_t;
type event_2_t;
type_transition dom0_t domU_t:event event_1_t;
«type_transition» dom0_t guest_t:event event_2_t;
`;
  expectCodes(policyWith({ rules }), ['te/conflicting-type-rule']);
});

test('a malformed statement does not make the names in it unknown', () => {
  expectCodes(policyWith({ rules: 'type broken_t «domain_type»;\nallow dom0_t broken_t:domain create;' }), [
    'language/unexpected-token',
  ]);
});

test('a context says which part of it is wrong', () => {
  expectCodes(
    policyWith({
      after: `
pirqcon 5 system_u:«vm_r»:domU_t
pirqcon 6 customer_1:vm_r:«dom0_t»
pirqcon «5» system_u:system_r:xen_t
ioportcon 0x10-0x20 system_u:system_r:xen_t
ioportcon «0x18» system_u:system_r:xen_t
`.replace('0x10-0x20', '0x10 - 0x20'),
    }),
    ['context/role-of-user', 'context/type-of-role', 'context/duplicate', 'context/overlap'],
  );
});

test('a device-tree label is kept at version 30 and warned about at version 24', () => {
  const after = 'devicetreecon «"/soc/uart" system_u:system_r:xen_t';
  expectCodes(policyWith({ after }).replaceAll(/[«»]/g, ''), [], { version: 30 });
  expectCodes(policyWith({ after }), ['context/lost-at-version'], { version: 24 });
});

test('frames above 16 TiB cannot be written at version 24', () => {
  const after = 'iomemcon «0x100000000» system_u:system_r:xen_t';
  expectCodes(policyWith({ after }), ['context/unwritable-at-version'], { version: 24 });
});

test('an initial SID without a context is left out with a warning', () => {
  expectCodes(policyWith().replace('sid dom0\n', 'sid dom0\nsid «spare»\n'), ['context/sid-without']);
});

test('a range needs a policy with MLS', () => {
  expectCodes(policyWith({ after: 'pirqcon 5 system_u:system_r:xen_t:«s0»' }), ['mls/unexpected-range']);
});

test('tunables and booleans do not mix in a condition', () => {
  const rules = 'tunable built_in true;\nif («locked» && built_in) { allow dom0_t domU_t:domain unpause; }';
  expectCodes(policyWith({ rules }), ['te/mixed-condition']);
});

test('a fault in a block is one fault: the other rules are looked at, and no brace is blamed', () => {
  expectCodes(
    policyWith({
      rules: `
if (locked) {
  «alow» dom0_t domU_t:domain create;
  allow dom0_t «domU_tt»:domain create;
} else {
  allow dom0_t domU_t:domain pause;
}
optional {
  require { type site_t; }
  allow dom0_t domU_t:domain«;»
  allow site_t domU_t:domain pause;
} else { allow dom0_t domU_t:domain pause; }
allow dom0_t «other_tt»:domain create;
`,
    }),
    ['language/unexpected-token', 'te/unknown-type', 'language/unexpected-token', 'te/unknown-type'],
  );
});

test('a fault in a text with the marks of m4 is told with the line that was written', () => {
  const text = `#line 1 "policy/security_classes"
class domain
#line 7 "policy/initial_sids"
sid xen
class domain { create }
#line 1 "modules/site.te"
type a_t;
#line 3
allow a_t a_t:domain creat;
#line 3
allow a_t b_t:domain

create;
role r;
role r types a_t;
user u roles r;
#line 9 "policy/initial_sids"
sid xen u:r:nosuch_t
`;
  const { diagnostics } = compileText(new SourceText('policy.conf', text));
  expect(diagnostics.map(({ code, notes }) => [code, notes.at(-1)?.message])).toEqual([
    ['te/unknown-permission', 'm4 made it of line 3 of `modules/site.te`'],
    ['te/unknown-type', 'm4 made it of line 3 of `modules/site.te`'],
    ['te/unknown-type', 'm4 made it of line 9 of `policy/initial_sids`'],
  ]);
  const [plain] = compileText(new SourceText('policy.conf', text.replaceAll(/^#line.*\n/gm, ''))).diagnostics;
  expect(plain?.notes).toEqual([]);
});
