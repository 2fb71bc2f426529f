/**
 * A small policy with MLS, changed in one place: what checkpolicy refuses is refused, and told once; what it accepts
 * becomes the same bytes.
 */
import { compileText } from '@dewar/policy/compiler';
import { SourceText } from '@dewar/policy/text';
import { describe, expect, test } from 'vitest';
import { checkpolicy, compileWithCheckpolicy } from './checkpolicy.ts';

const POLICY = `class domain
class event
sid xen
sid dom0
class domain { create pause }
class event { send }
sensitivity s0;
sensitivity s1 alias top;
dominance { s0 s1 }
category c0;
category c1;
category c2;
level s0:c0.c2;
level s1:c0.c2;
mlsconstrain domain create (l1 dom l2 and h1 dom h2);
attribute dt;
type d_t, dt;
type u_t, dt;
role r;
role r types { d_t u_t };
allow d_t u_t:domain { create pause };
range_transition d_t u_t:event s0 - s1:c0.c1;
user a roles r level s0 range s0 - s1:c0.c2;
user b roles r level s0 range s0;
constrain event send (u1 == u2);
sid xen a:r:d_t:s0
sid dom0 a:r:d_t:s0 - s1:c0.c2
pirqcon 3 a:object_r:u_t:s0
`;

/** A condition that needs a deeper stack than Xen has. */
const DEEP = `${'(on || '.repeat(11)}on${')'.repeat(11)}`;

/** What stands in the policy, what is to stand there, and the codes of all that is told. */
const CHANGES: readonly (readonly [from: string, to: string, codes: readonly string[]])[] = [
  ['level s1:c0.c2;', 'level s2:c0.c2;', ['mls/unknown-sensitivity']],
  ['dominance { s0 s1 }', 'dominance { s0 }', ['mls/not-in-dominance']],
  ['dominance { s0 s1 }', 'dominance { s0 s1 s0 }', ['mls/repeated-in-dominance']],
  ['dominance { s0 s1 }', 'dominance { s0 s1 s2 }', ['mls/unknown-sensitivity']],
  ['dominance { s0 s1 }\n', '', ['language/missing-section']],
  ['level s0:c0.c2;', 'level s0:c0.c3;', ['mls/unknown-category']],
  ['level s0:c0.c2;', 'level s0:c2.c0;', ['mls/category-range']],
  ['category c1;', 'category c1;\ncategory c1;', ['te/duplicate']],
  ['level s0:c0.c2;', 'level s0:c0.c2;\nlevel s0;', ['mls/repeated-level']],
  ['level s1:c0.c2;\n', '', ['mls/no-level']],
  ['range s0 - s1:c0.c2;\nuser b', 'range s0 - top:c0.c2;\nuser b', []],
  ['user b roles r level s0 range s0;', 'user b roles r;', ['mls/no-range']],
  ['user b roles r level s0 range s0;', 'user b roles r level s0;', ['language/unexpected-token']],
  ['user b roles r level s0 range s0;', 'user b roles r level s1 range s0;', ['mls/default-outside-range']],
  ['user b roles r level s0 range s0;', 'user b roles r level s0 range s1 - s0;', ['mls/range-order']],
  ['user b roles r level s0 range s0;', 'user b roles r level s0 range s0 - s1:c9;', ['mls/unknown-category']],
  ['sid xen a:r:d_t:s0', 'sid xen a:r:d_t', ['mls/no-range']],
  ['sid xen a:r:d_t:s0', 'sid xen b:r:d_t:s1', ['context/range-of-user']],
  ['sid xen a:r:d_t:s0', 'sid xen a:r:d_t:s0:c7', ['mls/unknown-category']],
  ['sid xen a:r:d_t:s0', 'sid xen a:r:d_t:s1 - s0', ['mls/range-order']],
  ['sid xen a:r:d_t:s0', 'sid xen a:r:d_t:s7', ['mls/unknown-sensitivity']],
  ['sid xen a:r:d_t:s0', 'sid xen a:r:d_t:s0:c0,c2 - s1:c0.c2', []],
  ['sid xen a:r:d_t:s0', 'sid xen a:r:d_t:s0-s1:c0.c2', ['mls/unknown-sensitivity']],
  ['s0 - s1:c0.c1;', 's1 - s0;', ['mls/range-order']],
  ['s0 - s1:c0.c1;', 's0 - s1:c0.c9;', ['mls/unknown-category']],
  ['s0 - s1:c0.c1;', 's9;', ['mls/unknown-sensitivity']],
  ['attribute dt;', `bool on true;\nif ${DEEP} { }\nattribute dt;`, []],
  [
    'attribute dt;',
    `bool on true;\nif ${DEEP} { } else { allow d_t u_t:event send; }\nattribute dt;`,
    ['language/expression-too-deep'],
  ],
  ['attribute dt;', 'bool on true;\ntunable tune true;\nif (on == tune) { }\nattribute dt;', []],
  ['pirqcon 3 ', 'pirqcon 0xFF ', []],
  ['pirqcon 3 ', 'pirqcon 0xfF ', []],
  ['pirqcon 3 ', 'pirqcon 0177777 ', []],
  ['pirqcon 3 ', 'pirqcon 0XFF ', ['language/unexpected-token']],
  ['user a roles', 'dominance { role n { role n; } }\nuser a roles', ['te/role-dominance']],
  ['user a roles', 'dominance { role object_r { role r; } }\nuser a roles', ['te/role-dominance']],
  ['range_transition d_t u_t', 'range_transition d_t x_t', ['te/unknown-type']],
  ['range_transition d_t u_t:event', 'range_transition d_t u_t', ['te/no-process-class']],
  ['user a roles', 'range_transition d_t u_t:event s1;\nuser a roles', ['te/conflicting-range-transition']],
  ['(l1 dom l2 and', '(l1 domm l2 and', ['language/unexpected-token']],
  ['(l1 dom l2 and', '(l1 dom l3 and', ['language/unexpected-token']],
  ['h1 dom h2', 'h1 == h2', []],
  ['h1 dom h2', 'h1 incomp h2', []],
  ['constrain event send (u1 == u2);', 'constrain event send (l1 dom l2);', []],
  ['attribute dt;', 'mlsvalidatetrans domain (l1 eq l2 or t3 == d_t);\nattribute dt;', []],
  ['constrain event', 'validatetrans domain (u1 == u2);\nconstrain event', []],
  ['sensitivity s0;', 'default_range domain source low;\nsensitivity s0;', []],
  ['sensitivity s0;', 'default_range domain source lowest;\nsensitivity s0;', ['language/unexpected-token']],
  [
    'sensitivity s0;',
    'default_range domain source low;\ndefault_range domain target high;\nsensitivity s0;',
    ['te/conflicting-default'],
  ],
  ['sensitivity s0;', 'default_range domain glblub;\nsensitivity s0;', []],
  ['sensitivity s0;', 'sensitivity s0', ['language/unexpected-token']],
  ['category c0;\ncategory c1;', 'category c0, c1;', ['language/unexpected-token']],
  ['level s0:c0.c2;', 'level s0:{ c0 c2 };', ['language/unexpected-token']],
  ['dominance { s0 s1 }', 'dominance { s0, s1 }', ['language/unexpected-token']],
  ['pirqcon 3 a:object_r:u_t:s0', 'pirqcon 3 a:object_r:u_t', ['mls/no-range']],
  ['attribute dt;', 'allow d_t q_t:domain pause;\nattribute dt;', ['te/unknown-type']],
  ['(u1 == u2);', '(u1 == { a b zz } or t1 == dt or r1 != { r q });', ['te/unknown-user', 'te/unknown-role']],
  ['(u1 == u2);', '(t1 == *);', ['te/set-operator']],
  ['(u1 == u2);', '(t1 == ~{ d_t });', ['te/set-operator']],
  [
    '(u1 == u2);',
    '(((((((u1 == u2 or t1 == d_t)))))) and (u1 == u2 and (u1 == u2 and (u1 == u2 and (u1 == u2 and (u1 == u2 and u1 == u2))))));',
    ['language/expression-too-deep'],
  ],
  ['constrain event send', 'constrain { event domain } send', ['te/unknown-permission']],
  ['constrain event send', 'constrain event', ['language/unexpected-token']],
  ['(u1 == u2);', '(r1 dom r2 or r1 incomp r2);', []],
  ['(u1 == u2);', '(t3 == d_t);', ['language/unexpected-token']],
  ['(u1 == u2);', '(u1 == t2);', ['language/unexpected-token']],
  ['(u1 == u2);', '(u1 = u2);', ['language/unrecognized-character']],
  ['(u1 == u2);', '(u1 == u2 && t1 == d_t || r1 == r2);', []],
  ['(u1 == u2);', '(not u1 == u2);', []],
  ['(u1 == u2);', 'u1 == u2;', []],
  ['level s0:c0.c2;', 'level s0:c0.c1;', []],
  ['user b roles r level s0 range s0;', 'user b roles r level s0 range s0:c0 - s1:c0;', ['mls/default-outside-range']],
  [
    'level s1:c0.c2;\nmls',
    'level s1:c0;\nmls',
    ['mls/category-not-in-level', 'mls/category-not-in-level', 'mls/category-not-in-level'],
  ],
  ['user b roles r level s0 range s0;', 'user b roles r level s0:c0 range s0:c0 - s0;', ['mls/range-order']],
  [
    'user b roles r level s0 range s0;',
    'user b roles r level s0:c1 range s0:c0 - s0:c0.c1;',
    ['mls/default-outside-range'],
  ],
  [
    'user b roles r level s0 range s0;',
    'user b roles r level s0 range s0;\nuser b roles r level s0 range s0 - s1;',
    [],
  ],
  ['s0 - s1:c0.c1;', 's0:c0 - s0:c0.c1;', []],
  ['s0 - s1:c0.c1;', 's0:c0 - s1;', ['mls/range-order']],
  ['s0 - s1:c0.c1;', 's0:c2 - s1:c0.c1;', ['mls/range-order']],
  ['s0 - s1:c0.c1;', 's1;', []],
  ['user a roles', 'optional { range_transition u_t d_t:event s1 - s0; }\nuser a roles', ['mls/range-order']],
  [
    'user a roles',
    'optional { require { type q_t; } user b roles r level s1 range s1 - s0; }\nuser a roles',
    ['te/optional-left-out'],
  ],
  ['level s1:c0.c2;', 'level top:c0.c2;', []],
  ['dominance { s0 s1 }', 'dominance { s0 top }', []],
  ['category c1;', 'category c1 alias { foo bar };', []],
  ['category c1;', 'category c1 alias foo;\n#', []],
  ['category c0;\ncategory c1;\ncategory c2;\n', '', ['mls/unknown-category']],
  [
    'level s0:c0.c2;\nlevel s1:c0.c2;',
    'level s0;\nlevel s1;',
    ['mls/category-not-in-level', 'mls/category-not-in-level', 'mls/category-not-in-level'],
  ],
  ['type u_t, dt;', 'type u_t alias { self guest_t }, dt;', []],
  ['type u_t, dt;', 'type self, dt;\ntype u_t, dt;', ['te/reserved-self']],
];

describe.each(CHANGES)('%j changed to %j', (from, to, codes) => {
  const text = POLICY.replace(from, () => to);
  const { bytes, diagnostics } = compileText(new SourceText('changed.conf', text), { version: 30, isMls: true });

  test('is told once, or not at all', () => {
    expect(text).not.toBe(POLICY);
    expect(diagnostics.map(({ code }) => code)).toEqual(codes);
    expect(bytes === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'));
  });

  test.skipIf(checkpolicy === undefined)('ends as with the installed checkpolicy', () => {
    if (checkpolicy === undefined) return;
    const theirs = compileWithCheckpolicy(checkpolicy, text, { version: 30, isMls: true });
    expect(bytes === undefined).toBe(theirs === undefined);
    expect(Buffer.from(bytes ?? []).equals(theirs ?? new Uint8Array())).toBe(true);
  });
});
