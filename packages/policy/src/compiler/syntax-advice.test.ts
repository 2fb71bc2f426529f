/**
 * What is said of a statement that is not well formed: what was expected, and how what was meant is written.
 */
import { examplePolicy } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { placeText, userSpan } from '../text/index.ts';
import { compileDirectory } from './index.ts';

/** All that is told of a text in place of a file of the example policy, as `place: message; note; fix`. */
function toldOf(text: string, path = 'modules/site.te'): string[] {
  const files = examplePolicy({
    'modules/modules.conf': (conf) =>
      path === 'modules/site.te' ? conf.replace('all_system_role =', 'site = on\nall_system_role =') : conf,
  });
  const readText = (name: string): string | undefined => (name === path ? text : files.readText(name));
  const { bytes, diagnostics } = compileDirectory({ ...files, readText });
  expect(bytes).toBeUndefined();
  return diagnostics.map(({ message, notes, fixes, origin }) => {
    const place = origin === undefined ? '' : placeText(userSpan(origin)).replace(/^.*?:/, '');
    return [`${place}: ${message}`, ...notes.map((note) => note.message), ...fixes.map((fix) => fix.title)].join('; ');
  });
}

const BRACES = 'several names stand in braces: `{ name name }`';
const NO_COMMAS = 'several names stand in braces, without commas: `{ name name }`';
const TYPE = 'one `type` statement declares one type; its attributes stand behind commas: `type name, attribute;`';
const RIGHT = 'a term begins with `u1`, `r1` or `t1` of the source, or `u2`, `r2` or `t2` of the target';

test.each([
  ['allow dom0_t domU_t domain pause;', '1:21: expected `:`, found `domain`; a `:` is missing before the class'],
  ['allow dom0_t domU_t xen_t:domain pause;', `1:21: expected \`:\`, found \`xen_t\`; ${BRACES}`],
  ['allow dom0_t domU_t:domain pause unpause;', `1:34: expected \`;\`, found \`unpause\`; ${BRACES}`],
  ['allow dom0_t, xen_t domU_t:domain pause;', `1:13: expected the target types, found \`,\`; ${NO_COMMAS}`],
  ['allow dom0_t domU_t:domain;', '1:27: expected the permissions, found `;`'],
  ['allow dom0_t:domain pause;', '1:13: expected the target types, found `:`'],
  ['allow dom0_t domU_t::domain pause;', '1:20: expected `:`, found `::d`; a single `:` stands here'],
  [
    'allow dom0_t -domU_t:domain pause;',
    '1:21: expected the target types, found `:`; `dom0_t - domU_t` is one set here; what is taken out of a set stands ' +
      'in its braces: `{ all -some }`',
  ],
  ['type a_t b_t;', `1:10: expected \`;\`, found \`b_t\`; ${TYPE}`],
  [
    'type a_t, domain_type alias b_t;',
    '1:23: expected `;`, found `alias`; `alias` stands before the attributes: `type name alias other, attribute;`',
  ],
  ['attribute a, b;', '1:12: expected `;`, found `,`; one `attribute` statement declares one attribute'],
  ['permissive { xen_t domU_t };', '1:12: expected a name, found `{`; one `permissive` statement is of one type'],
  ['typebounds dom0_t domU_t xen_t;', '1:26: expected `;`, found `xen_t`; a `,` is missing here'],
  ['role vm_r types domU_t, xen_t;', `1:23: expected \`;\`, found \`,\`; ${NO_COMMAS}`],
  ['role vm_r type domU_t;', '1:11: expected `;`, found `type`; did you mean `types`?'],
  ['roles vm_r types domU_t;', '1:1: expected a statement, found `roles`; did you mean `role`?'],
  ['bool mine True;', '1:11: expected `true` or `false`, found `True`; did you mean `true`?'],
  ['bool mine off;', '1:11: expected `true` or `false`, found `off`; did you mean `false`?'],
  ['bool mine 1;', '1:11: expected `true` or `false`, found `1`; did you mean `true`?'],
  ['type 2_t;', '1:6: expected a name for the type, found `2`; a name begins with a letter'],
  ['if (a == true) { }', '1:10: expected a boolean, found `true`; a boolean stands alone, as in `name` or `!name`'],
  [
    'if (policy_locked) allow dom0_t domU_t:domain pause;',
    '1:20: expected `{`, found `allow`; the rules under a condition stand in braces',
  ],
  ['if ((policy_locked) { }', '1:21: expected `)`, found `{`; the parenthesis that begins here has no `)`'],
  ['allow dom0_t { xen_t domU_t;', '1:28: expected a name or `}`, found `;`; the set that begins here has no `}`'],
  ['allow dom0_t domU_t:domain pause }', '1:34: expected `;`, found `}`; no `{` is open here'],
  ['create_domain(dom0_t, domU_t))', '1:30: expected a statement, found `)`; no `(` is open here'],
  [
    '{ allow dom0_t domU_t:domain pause; }',
    '1:1: expected a statement, found `{`; a block stands behind `if (name)`, `else` or `optional`',
  ],
  [
    '(allow dom0_t domU_t (domain (pause)))',
    '1:1: expected a statement, found `(`; this is CIL, which `checkpolicy` does not read: a rule is written as ' +
      '`allow source target:class permission;`',
  ],
  ['-- a comment', '1:1: expected a statement, found `-`; a comment begins with `#`'],
  [
    'allow "dom0_t" domU_t:domain pause;',
    '1:7: expected the source types, found `"dom0_t"`; a name is written without quotes',
  ],
  [
    'type $1_t;',
    '1:6: character `$` has no meaning in a policy; arguments are known in the body of a macro only, and this is in none',
  ],
  [
    'bool mine = true;',
    '1:11: character `=` has no meaning in a policy; the value stands behind the name, without a sign: `bool name true;`',
  ],
  ['if (a & b) { }', '1:7: character `&` has no meaning in a policy; conditions are joined with `&&`'],
])('%s', (text, expected) => {
  expect(toldOf(`${text}\n`)).toEqual([expected]);
});

test.each([
  ['(u1 == r2)', '1:32: expected `u2` or names of users, found `r2`'],
  ['(t2 == t3)', '1:32: expected names of types, found `t3`'],
  [
    '(dom0_t == t1)',
    '1:26: expected a term of a constraint, found `dom0_t`; a name stands to the right of the operator: `t1 == name`',
  ],
  ['(user1 == user2)', `1:26: expected a term of a constraint, found \`user1\`; ${RIGHT}`],
  ['((u1 == u2) or r1 == r2;', '1:48: expected `)`, found `;`; the parenthesis that begins here has no `)`'],
])('constraint %s', (expression, expected) => {
  expect(toldOf(`constrain domain create ${expression};\n`, 'modules/vm_role.cons')).toEqual([expected]);
});

test.each([
  ['pirqcon 3 irq_t', '1:11: the policy ends where `:` was expected; a label is written `user:role:type`'],
  [
    'pirqcon 3-5 system_u:object_r:irq_t',
    '1:10: expected a label, found `-`; one `pirqcon` labels one device, without a range',
  ],
  ['iomemcon 3,5 system_u:object_r:irq_t', '1:11: expected a label, found `,`; a range is written `low-high`'],
  ['devicetreecon soc system_u:object_r:irq_t', '1:15: expected a path, found `soc`; a path begins with `/`'],
])('device label %s', (text, expected) => {
  expect(toldOf(`${text}\n`, 'policy/device_contexts')).toEqual([expected]);
});

test('an argument that tears the statements of its call apart is one fault', () => {
  expect(toldOf('declare_domain(web_t domain_x)\nallow dom0_t web_t:domain pause pause;\n')).toEqual([
    `1:22: expected \`;\`, found \`domain_x\`; ${TYPE}`,
    `2:33: expected \`;\`, found \`pause\`; ${BRACES}`,
  ]);
  // Two faults in the body of a macro are two.
  expect(toldOf("define(`two', `\n  allow $1 a a a;\n  allow $1 b b b;\n')\ntwo(dom0_t)\n")).toHaveLength(2);
});
