/**
 * What authors of policies get wrong, in a module of a policy directory: each fault is told once, where it was written,
 * and what only follows from it is not told. What is refused here, `m4` and `checkpolicy -t Xen` refuse too.
 */
import { examplePolicy } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { type Diagnostic, placeText, SourceText, userSpan } from '../text/index.ts';
import { compileDirectory, compileText, type PolicyFiles } from './index.ts';

/** The example policy with a module of the site behind its own, and with other changes. */
function policyWith(site: string, changes: Readonly<Record<string, (text: string) => string>> = {}): PolicyFiles {
  const files = examplePolicy({
    ...changes,
    'modules/modules.conf': (text) =>
      (changes['modules/modules.conf']?.(text) ?? text).replace('all_system_role =', 'site = on\nall_system_role ='),
  });
  return { ...files, readText: (path) => (path === 'modules/site.te' ? site : files.readText(path)) };
}

/** Everything that is told, each as `code at place: message; note; fix`, without the trail of macros. */
function told(files: PolicyFiles): string[] {
  const { bytes, diagnostics } = compileDirectory(files);
  expect(bytes).toBeUndefined();
  return diagnostics.map(({ code, origin, message, notes, fixes }: Diagnostic) => {
    const place = origin === undefined ? 'nowhere' : placeText(userSpan(origin)).replace('modules/site.te:', '');
    const more = [...notes.map((note) => note.message), ...fixes.map(({ title }) => title)];
    return [`${code} at ${place}: ${message}`, ...more].join('; ');
  });
}

/** What is told of a module that declares `web_t` in its first line and goes on with `text`. */
function toldOf(text: string): string[] {
  return told(policyWith(`declare_domain(web_t)\n${text}`));
}

test('a statement that breaks off is blamed at its end, not at the next statement', () => {
  expect(toldOf('allow dom0_t web_t:domain create\nallow dom0_t web_t:domain pause;\n')).toEqual([
    'language/unexpected-token at 2:27: expected `;` after `create`, found `allow`; the next statement begins here; ' +
      'a `;` is missing here',
  ]);
  expect(toldOf('allow dom0_t web_t:domain {\n  create\n\nallow dom0_t web_t:domain pause;\n')).toEqual([
    'language/unexpected-token at 3:3: expected a name or `}` after `create`, found `allow`; the next statement begins here; ' +
      'the set that begins here has no `}`',
  ]);
});

test('a last statement without its `;` is blamed in its own module', () => {
  const [fault, ...others] = toldOf('allow dom0_t web_t:domain create');
  expect(fault).toMatch(/^language\/unexpected-token at 2:27: expected `;` after `create`, found `role`/);
  expect(others).toEqual([]);
});

test('a block without its brace is blamed at its beginning, and nothing behind it', () => {
  const fault = 'language/unclosed-block at 2:16: the block that begins here has no `}`';
  expect(toldOf('if (set_a_flag){\n allow dom0_t web_t:domain pause;\n')).toEqual([fault]);
  expect(toldOf('if (set_a_flag){\n allow dom0_t web_t:domain pause;\nif (policy_locked) { }\n')).toEqual([fault]);
});

test('a fault in a block leaves the rest of the block to be looked at', () => {
  expect(
    toldOf(`if (policy_locked) {
  creat_domain(dom0_t, web_t)
  allow dom0_t web_t domain pause;
  allow dom0_t web_t:domain paus;
}
allow dom0_t web_t:domian pause;
`).map((text) => text.replace(/: .*/, '')),
  ).toEqual([
    'language/unknown-macro at 3:3',
    'language/unexpected-token at 4:22',
    'te/unknown-permission at 5:29',
    'te/unknown-class at 7:20',
  ]);
  expect(toldOf('if (policy_locked = true) {\n allow dom0_t web_t:domain pause;\n}\n')).toEqual([
    'language/unrecognized-character at 2:19: character `=` has no meaning in a policy; two values are compared with `==`',
  ]);
  expect(toldOf('if (policy_locked) {\n} else if (policy_locked) {\n}\n')).toEqual([
    'language/unexpected-token at 3:8: expected `{`, found `if`; there is no `else if`; a second `if` stands behind the ' +
      'block, with a condition of its own',
  ]);
});

test('what is left of a statement with a fault says nothing new', () => {
  const told = (text: string): string[] => toldOf(text).map((line) => line.replace(/: .*/, ''));
  expect(told('allow dom0_t web_t:domain {\n  create\n  type\n};\n')).toEqual(['language/reserved-word at 4:3']);
  expect(told('optionally { allow dom0_t web_t:domain pause; } else { allow dom0_t web_t:domain unpause; }\n')).toEqual(
    ['language/unknown-statement at 2:1'],
  );
  const constraint = 'constrain domain create (u1 u2 or (t1 == dom0_t) or u1 == u2);\n';
  const files = policyWith('', { 'modules/vm_role.cons': () => constraint });
  expect(compileDirectory(files).diagnostics.map(({ code }) => code)).toEqual(['language/unexpected-token']);
  const role = policyWith('role vm_r types { domU_t ;\n', {
    'modules/vm_role.te': () => 'role vm_r;\nrole vm_r types domU_t nothing;\n',
  });
  expect(compileDirectory(role).diagnostics.map(({ code }) => code)).toEqual([
    'language/unexpected-token',
    'language/unexpected-token',
  ]);
});

test('every misspelt macro gets its suggestion', () => {
  expect(toldOf('creat_domain(dom0_t, web_t)\nmanage_domian(dom0_t, web_t)\nuse_device(web_t, nic_dev_t)\n')).toEqual([
    'language/unknown-macro at 2:1: no macro is called `creat_domain`; did you mean `create_domain`?',
    'language/unknown-macro at 3:1: no macro is called `manage_domian`; did you mean `manage_domain`?',
    'language/unknown-macro at 4:1: no macro is called `use_device`; did you mean `use_device_iommu`?',
  ]);
});

test('arguments that are missing or empty are named in the call that was written', () => {
  const missing = (number: number): string =>
    `language/missing-argument at 2:1: argument ${number} of \`create_domain\` is missing`;
  expect(toldOf('create_domain(dom0_t)\n')).toEqual([missing(2)]);
  expect(toldOf('create_domain(, web_t)\n')).toEqual([missing(1)]);
  expect(toldOf('create_domain()\n')).toEqual([missing(1)]);
  expect(toldOf('create_domain (dom0_t, web_t)\n')).toEqual([`${missing(1)}; no blank may stand before the \`(\``]);
});

test('an empty set out of a call that lacks an argument is the fault of the call', () => {
  const users = (text: string): string => text.replace('gen_all_users', 'gen_user(bob)\ngen_all_users');
  const files = policyWith('', { 'policy/users': users });
  expect(told(files)).toEqual([
    expect.stringMatching(/^language\/missing-argument at policy\/users:\d+:1: argument 3 of `gen_user` is missing$/),
  ]);
});

test('every device label with a misspelt keyword is told', () => {
  const nic = 'system_u:object_r:nic_dev_t';
  const files = policyWith('', { 'policy/device_contexts': () => `pirqconn 3 ${nic}\npcidevcecon 3 ${nic}\n` });
  expect(told(files)).toEqual([
    'language/unknown-statement at policy/device_contexts:1:1: no statement begins with `pirqconn`; did you mean `pirqcon`?',
    'language/unknown-statement at policy/device_contexts:2:1: no statement begins with `pcidevcecon`; did you mean `pcidevicecon`?',
  ]);
});

test('a quotation that is closed once too often is told so', () => {
  expect(toldOf("define(`mine', `allow $1 $2:domain pause;'')\nmine(dom0_t, web_t)\n")).toEqual([
    "language/unrecognized-character at 3:1: character `'` has no meaning in a policy; a quotation ends here once more than it begins",
  ]);
});

test('a module without a file is told at its line, with the module that lies there', () => {
  const misspelt = (text: string): string => text.replace(/^nic_dev = on/m, 'nic_dve = on');
  const [fault, ...others] = told(policyWith('', { 'modules/modules.conf': misspelt }));
  expect(fault).toMatch(
    /^source\/no-module-file at modules\/modules\.conf:[0-9]+:1: module `nic_dve` is on, .*; did you mean `nic_dev`\?$/,
  );
  expect(others).toEqual([]);
});

test('a macro that is called above its definition is told where that is', () => {
  const call = "pause_it(web_t)\ndefine(`pause_it', `allow dom0_t $1:domain pause;')\npause_it(web_t)\n";
  const { diagnostics } = compileDirectory(policyWith(`declare_domain(web_t)\n${call}`));
  expect(diagnostics.map(({ code, notes }) => [code, notes.map(({ message }) => message)])).toEqual([
    ['language/unknown-macro', ['it is defined here, and known only from there on']],
  ]);
  const [{ origin } = {}] = diagnostics.flatMap(({ notes }) => notes);
  expect(origin === undefined ? '' : placeText(userSpan(origin))).toBe('modules/site.te:3:1');
});

test('a comma that is missing between arguments is told as the argument that is missing', () => {
  for (const call of ['create_domain(dom0_t web_t)', 'domain_comms(dom0_t web_t)']) {
    expect(toldOf(`${call}\n`)).toEqual([
      `language/missing-argument at 2:1: argument 2 of \`${call.replace(/\(.*/, '')}\` is missing`,
    ]);
  }
});

test('an argument that is no plain name is one fault of its call', () => {
  expect(toldOf('create_domain(dom0_t, { web_t domU_t })\n')).toEqual([
    'language/unrecognized-character at 2:1: character `_` has no meaning in a policy; ' +
      '`create_domain` makes another name of argument 2, which has to be one plain name',
  ]);
  expect(toldOf("create_domain('dom0_t', 'web_t')\n")).toEqual([
    "language/unrecognized-character at 2:15: character `'` has no meaning in a policy; a name is written without quotes",
  ]);
  expect(toldOf('create_domain(dom0_t, web_t;)\n')).toEqual([
    'language/unexpected-token at 2:28: expected `:`, found `;`',
  ]);
  expect(toldOf('declare_domain({ a_t b_t })\n')).toEqual([
    'language/unexpected-token at 2:16: expected a name for the type, found `{`; ' +
      'one `type` statement declares one type; its attributes stand behind commas: `type name, attribute;`',
  ]);
});

test('a name that a macro makes of an argument is told with the macro, and once', () => {
  expect(toldOf('create_domain(dom0_t, unlabeled_t)\n')).toEqual([
    'te/unknown-type at 2:23: unknown type `unlabeled_t_channel` in `allow`; `create_domain` makes this name of the argument',
  ]);
  expect(toldOf('declare_domain(web_t)\n')).toEqual([
    'te/duplicate at 2:16: type `web_t` is declared twice; first declared here',
  ]);
});

test('a fault in the body of a macro is told once, with the number of the calls that come to it', () => {
  const macro = "define(`mine', `allow $1 $2:domain destory;')\n";
  expect(toldOf(`${macro}mine(dom0_t, web_t)\nmine(domU_t, web_t)\nmine(dom0_t, domU_t)\n`)).toEqual([
    'te/unknown-permission at 3:1: class `domain` has no permission `destory`; 2 other calls come to the same; ' +
      'did you mean `destroy`?',
  ]);
});

test('what belongs to the reference policy of SELinux is named so, with what stands for it', () => {
  const foreign = (at: string, macro: string, instead: string): string =>
    `language/unknown-macro at ${at}: no macro is called \`${macro}\`; it belongs to SELinux's reference policy; ` +
    `in a policy for Xen ${instead}`;
  expect(
    toldOf(`interface(\`web_admin', \`
  gen_require(\` type web_t; ')
  allow $1 web_t:domain create;
')
web_admin(dom0_t)
optional_policy(\`
  allow dom0_t wbe_t:domain create;
')
tunable_policy(\`policy_locked', \` allow dom0_t web_t:domain pause; ')
`),
  ).toEqual([
    foreign('2:1', 'interface', 'a macro is made with `define` of m4'),
    foreign('7:1', 'optional_policy', 'a block that may be missing is `optional { ... }`'),
    foreign('10:1', 'tunable_policy', 'rules under a boolean stand in `if (name) { ... }`'),
  ]);
});

test('what an editor put into the file is one fault of the file', () => {
  const site = 'declare_domain(web_t)\ncreate_domain(dom0_t, web_t)\n';
  expect(told(policyWith(site.replaceAll('\n', '\r\n')))).toEqual([
    'language/carriage-return at 1:22: the line ends with a carriage return: a policy has the line ends of Unix; ' +
      '2 lines of this file do',
  ]);
  expect(told(policyWith(`\xef\xbb\xbf${site}`))).toEqual([
    'language/byte-order-mark at 1:1: the file begins with a byte order mark, which no policy has',
  ]);
  const wide = `\xff\xfe${[...site].map((c) => `${c}\0`).join('')}`;
  expect(told(policyWith(wide))).toEqual([
    'language/byte-order-mark at 1:1: the file begins with a byte order mark, which no policy has; ' +
      'it is UTF-16, and has to be saved as UTF-8',
  ]);
});

test('a character that no policy has is shown whole, with the plain one that it looks like', () => {
  expect(toldOf('allow { domain_type \xe2\x80\x93dom0_t } web_t:domain getdomaininfo;\n')).toEqual([
    'language/unrecognized-character at 2:21: character `\xe2\x80\x93` has no meaning in a policy; put a plain `-` here',
  ]);
  expect(toldOf('type g\xc3\xa4st_t;\n')).toEqual([
    'language/unrecognized-character at 2:7: character `\xc3\xa4` has no meaning in a policy',
  ]);
});

test('an apostrophe in a comment within quotes is found behind the quote that it leaves over', () => {
  const { diagnostics } = compileDirectory(
    policyWith("define(`mine', `\n# it's here\nallow dom0_t dom0_t:domain pause;\n')\nmine\n"),
  );
  expect(diagnostics.map(({ code, notes }) => [code, ...notes.map(({ message }) => message)])).toEqual([
    ['language/unrecognized-character', 'the apostrophe in this comment ends a quotation'],
  ]);
  const span = diagnostics[0]?.notes[0]?.origin?.span;
  expect(span === undefined ? '' : placeText(span)).toBe('modules/site.te:2:5');
});

test('the number of a PCI device is suggested for its address', () => {
  const contexts = (text: string) => policyWith('', { 'policy/device_contexts': () => text });
  const nic = 'system_u:object_r:nic_dev_t';
  expect(
    told(contexts(`pcidevicecon 0000:00:19.0 ${nic}\npcidevicecon 03:02.0 ${nic}\npcidevicecon 1:0:0.0 ${nic}\n`)).map(
      (text) => text.replace(/^.*found /, ''),
    ),
  ).toEqual([
    '`0000:00:19.0`; did you mean `0xc8`?',
    '`03:02.0`; did you mean `0x310`?',
    '`1:0:0.0`; did you mean `0x10000`?',
  ]);
  expect(told(contexts(`pcidevicecon 0xc8 ${nic};\n`))).toEqual([
    'language/unexpected-token at policy/device_contexts:1:46: expected a statement, found `;`; leave it out',
  ]);
});

test('a module that is switched off is told with the places that need it', () => {
  const off = (text: string): string => text.replace('nic_dev = on', 'nic_dev = off');
  const site = 'use_device_iommu(web_t, nic_dev_t)\nallow dom0_t nic_dev_t:resource add;\n';
  const { diagnostics } = compileDirectory(
    policyWith(`declare_domain(web_t)\n${site}`, { 'modules/modules.conf': off }),
  );
  expect(
    diagnostics.map(({ code, origin, notes, alike = [] }) => [
      code,
      origin === undefined ? '' : userSpan(origin).source.name,
      ...notes.map(({ message }) => message),
      alike.length,
    ]),
  ).toEqual([
    [
      'te/unknown-type',
      'modules/driver.te',
      'module `nic_dev` speaks of it, and `modules.conf` switches it off',
      'it is used at 2 other places too: modules/site.te:2:25, modules/site.te:3:14',
      2,
    ],
  ]);
  const xenOff = compileDirectory(
    policyWith('', { 'modules/modules.conf': (text) => text.replace('\nxen = on', '\nxen = off') }),
  );
  const macros = xenOff.diagnostics.filter(({ code }) => code === 'language/unknown-macro');
  expect(macros.map(({ notes }) => notes.map(({ message }) => message))).toEqual([
    ['module `xen` defines it, and `modules.conf` switches it off'],
  ]);
});

test('a section that is missing is told once, without the names that it would have declared', () => {
  expect(told(policyWith('', { 'policy/users': () => '' }))).toEqual([
    'language/missing-section at modules/vm_role.cons:8:1: the policy has no users; they belong before this',
  ]);
  const codes = (path: string): string[] =>
    told(policyWith('', { [path]: () => '' })).map((text) => text.replace(/ at .*/, ''));
  expect(codes('policy/initial_sids')).toEqual(['language/missing-section']);
});

test('`m4exit` is told where it stands, and a status that is not 0 ends it all', () => {
  expect(toldOf('m4exit(3)\nnonsense')).toEqual([
    'source/m4-failed at 2:1: `m4exit` ends m4 with status 3, so that there is no policy',
  ]);
  expect(toldOf("define(`stop', `m4exit')\nstop").map((text) => text.split(' at ')[0])).toEqual([
    'source/m4-ended',
    'language/missing-section',
    'language/missing-section',
  ]);
  const { bytes, diagnostics } = compileDirectory(
    policyWith('', { 'policy/device_contexts': () => 'm4exit\npirqcon nothing' }),
  );
  expect([bytes === undefined, diagnostics.map(({ code }) => code)]).toEqual([false, ['source/m4-ended']]);
});

test('a policy for another release is told as one fault, with the names and the releases that have them all', () => {
  const { bytes, diagnostics } = compileDirectory(policyWith(''), { release: '4.3' });
  expect(bytes).toBeUndefined();
  expect(diagnostics.map(({ code }) => code)).toEqual(['source/other-release']);
  const notes = diagnostics.flatMap((one) => one.notes.map(({ message }) => message));
  expect(notes).toContain('classes: `argo`, `xen2`, `version`');
  expect(notes).toContain('initial SIDs: `domU`, `domDM`');
  expect(notes.at(-1)).toMatch(/^the policy is for Xen 4\.13 to master: compile it with `--xen`/);
});

test('other faults of a policy for another release are told beside that', () => {
  const { diagnostics } = compileDirectory(policyWith('allow dom0_t web_t:domain pause;\n'), { release: '4.3' });
  expect(diagnostics.map(({ code }) => code)).toEqual(['source/other-release', 'te/unknown-type']);
});

test('a few names of another release are told one by one, with the releases that have them', () => {
  const five = 'pcilevel irqlevel pciroute cacheattr trackdirtyvram';
  const each = toldOf(`allow dom0_t web_t:hvm { ${five} };\n`);
  expect(each).toHaveLength(5);
  expect(each[0]).toMatch(
    /^te\/unknown-permission at 2:26: class `hvm` has no permission `pcilevel`; known to Xen 4\.3/,
  );
  expect(toldOf(`allow dom0_t web_t:hvm { ${five} mem_event };\n`).map((text) => text.split(' at ')[0])).toEqual([
    'source/other-release',
  ]);
});

test.each([
  ['braces', '{'],
  ['unknown blocks', 'x { '],
  ['optional blocks', 'optional { '],
  ['conditionals', 'if (policy_locked) { type t;\n'],
  ['calls', 'foo(\n'],
  ['characters', 'allow $ a $ b:c d;\n'],
  ['empty lines', '\n'],
])('a text of a hundred thousand %s is refused with a bounded number of reports', (_, text) => {
  const { bytes, diagnostics } = compileText(new SourceText('policy.conf', text.repeat(100_000)));
  expect(bytes).toBeUndefined();
  expect(diagnostics.length).toBeGreaterThan(0);
  expect(diagnostics.length).toBeLessThanOrEqual(1000);
});
