/**
 * One report for one fault: a name, a module, how m4 was left; and what is told of names and macros that are not there.
 */
import { examplePolicy } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { placeText, userSpan } from '../text/index.ts';
import { compileDirectory } from './index.ts';

/** All that is told of the example policy with a module of the site and other changes, as `code at place: message; note; fix`. */
function toldOf(site: string, changes: Readonly<Record<string, (text: string) => string>> = {}): string[] {
  const files = examplePolicy({
    ...changes,
    'modules/modules.conf': (text) =>
      (changes['modules/modules.conf']?.(text) ?? text).replace('all_system_role =', 'site = on\nall_system_role ='),
  });
  const readText = (path: string): string | undefined => (path === 'modules/site.te' ? site : files.readText(path));
  return compileDirectory({ ...files, readText }).diagnostics.map(({ code, message, notes, fixes, origin }) => {
    const place = origin === undefined ? 'nowhere' : placeText(userSpan(origin)).replace('modules/site.te:', '');
    return [
      `${code} at ${place}: ${message}`,
      ...notes.map((note) => note.message),
      ...fixes.map(({ title }) => title),
    ].join('; ');
  });
}

const conf = (from: string, to: string) => ({ 'modules/modules.conf': (text: string) => text.replace(from, to) });

test('a name that nobody declares is told at its first use, with the others', () => {
  const rule = 'allow dom0_t wbe_t:domain pause;\n';
  expect(toldOf(`type_member dom0_t wbe_t:domain dom0_t;\n${rule.repeat(5)}`)).toEqual([
    'te/unknown-type at 1:20: unknown type `wbe_t` in `type_member`; it is used at 5 other places too: ' +
      'modules/site.te:2:14, modules/site.te:3:14, modules/site.te:4:14 and 2 more',
  ]);
});

test('what is told stands in the order of the text', () => {
  const lines = toldOf(
    'allow dom0_t a_t:domain pause;\nallow dom0_t { b_t:domain pause;\nallow dom0_t c_t:domain pause;\n',
  );
  expect(lines.map((text) => / at (\d+):/.exec(text)?.[1])).toEqual(['1', '2', '3']);
});

test('a name of another kind is told as what it is, and a role with where it is declared', () => {
  expect(toldOf('allow system_r domU_t:domain pause;\n')).toEqual([
    'te/unknown-type at 1:7: unknown type `system_r` in `allow`; `system_r` is a role, declared here',
  ]);
  expect(toldOf('role web_r types domU_t;\n')).toEqual([
    'te/unknown-role at 1:6: unknown role `web_r`; `role web_r;` declares it',
  ]);
  expect(toldOf('attribute_role staff_r;\nroleattribute web_r staff_r;\nrole web_r;\n')).toEqual([
    'te/unknown-role at 2:15: unknown role `web_r`; it is declared here, too late',
  ]);
  expect(toldOf('roleattribute web_r staff_r;\n')).toEqual([
    'te/unknown-role at 1:15: unknown role `web_r`',
    'te/undeclared-role-attribute at 1:21: role attribute `staff_r` is not declared before this',
  ]);
});

test('a line of modules.conf that switches nothing on is told with the line that was meant', () => {
  const lost = 'it switches nothing on: the module is left out';
  for (const line of [
    'nic_dev=on',
    'nic_dev: on',
    'nic_dev on',
    'nic_dev = yes',
    'nic_dev = module',
    'nic_dev = on;',
    '../nic_dev = on',
  ]) {
    const [first, ...others] = toldOf('', conf('nic_dev = on', line));
    expect(first).toMatch(/^source\/module-line at modules\/modules.conf:[0-9]+:1: line of `modules.conf` is neither/);
    expect(first).toContain(`; ${lost}; did you mean \`nic_dev = on\`?`);
    expect(others.map((text) => text.replace(/^(\S+) .*?; /, '$1 '))).toEqual([
      'te/unknown-type module `nic_dev` speaks of it, and `modules.conf` switches it off',
    ]);
  }
});

test('a module that modules.conf does not name is told as one', () => {
  expect(toldOf('', conf('nic_dev = on', '# nic_dev = on')).map((text) => text.replace(/^(\S+) .*?; /, '$1 '))).toEqual(
    ['te/unknown-type module `nic_dev` speaks of it, and `modules.conf` does not name it'],
  );
});

test('a module that is named twice is one fault, and is on where one line says so', () => {
  const [twice, ...others] = toldOf('', conf('nic_dev = on', 'nic_dev = on\nnic_dev = on'));
  expect(twice).toMatch(
    /^source\/module-twice .*; the first is here; it is read twice, and what it declares is declared twice$/,
  );
  expect(others).toEqual([
    expect.stringMatching(/^te\/duplicate .*; it is one place, read twice: `modules.conf` switches/),
  ]);
  expect(toldOf('', conf('nic_dev = on', 'nic_dev = off\nnic_dev = on'))).toEqual([
    expect.stringMatching(/^source\/module-twice .*; the first is here; it is on, as one of the two says so$/),
  ]);
  for (const line of ['nic_dev.te = on', 'modules/nic_dev = on'])
    expect(toldOf('', conf('nic_dev = on', line))[0]).toMatch(
      /^source\/no-module-file at modules\/modules.conf:32:1: .*did you mean `nic_dev`\?$/,
    );
});

test('a statement out of its section is told with the file of that section, and not as a second one', () => {
  expect(toldOf('sid dom0 system_u:system_r:dom0_t\n')).toEqual([
    'language/wrong-section at 1:1: `sid` is out of place: it belongs after the constraints, with the contexts of the ' +
      'initial SIDs; in a policy directory that is in `policy/initial_sids`',
  ]);
  expect(toldOf('pirqcon 3 system_u:object_r:irq_t\n')[0]).toMatch(
    /in a policy directory that is in `policy\/device_contexts`$/,
  );
  expect(toldOf('user bob roles vm_r;\n')[0]).toMatch(
    /in `policy\/users`, or written with `gen_user` in the `.te` file of a module$/,
  );
  expect(toldOf('sensitivity s0;\n')).toHaveLength(1);
  expect(toldOf('', { 'policy/initial_sids': (text) => text.replace(/^sid dom0 .*$/m, 'sid dom0') })).toEqual([
    expect.stringMatching(
      /^language\/unexpected-token at policy\/initial_sids:[0-9]+:5: expected a label after `dom0`, found none/,
    ),
  ]);
});

test('a macro of m4 that stands without its parenthesis is told so', () => {
  expect(toldOf('ifelse\n')).toEqual([
    'language/missing-argument at 1:1: argument 1 of `ifelse` is missing; m4 takes `ifelse` for its macro only where ' +
      '`(` stands right behind it',
  ]);
  expect(toldOf("define (`mine', `allow dom0_t $1:domain pause;')\n")[0]).toBe(
    'language/missing-argument at 1:1: argument 1 of `define` is missing; no blank may stand before the `(`',
  );
});

test('a macro whose definition is misspelt is told there, and where it is called no more', () => {
  expect(toldOf("defin(`mine', `allow dom0_t $1:domain pause;')\nmine(domU_t)\n")).toEqual([
    'language/unknown-macro at 1:1: no macro is called `defin`; did you mean `define`?',
  ]);
  expect(toldOf('define("mine", "allow dom0_t domU_t:domain pause;")\nmine()\n')).toEqual([
    'language/unknown-macro at 2:1: no macro is called `mine`; the quotes are part of the name that is defined here: ' +
      "m4 quotes with ``` and `'`",
  ]);
  expect(toldOf("undefine(`create_domain')\ncreate_domain(dom0_t, domU_t)\n")).toEqual([
    'language/unknown-macro at 2:1: no macro is called `create_domain`; it was taken away here',
  ]);
});

test('what follows from how m4 was left is one fault with its place', () => {
  expect(toldOf('divert(-1)\n')).toEqual([
    expect.stringMatching(/^language\/missing-section .*; `divert` throws away all text from here on$/),
  ]);
  const changed = toldOf('changequote([,])\n').filter((text) => text.startsWith('language/'));
  expect(changed).toEqual([
    expect.stringMatching(/^language\/unrecognized-character .*; `changequote` changes the quotes/),
  ]);
});

test('two transitions for one file name are told at the second', () => {
  const rule = (type: string): string => `type_transition dom0_t domU_t:domain ${type} "eth0";\n`;
  expect(toldOf(rule('xen_t') + rule('dom0_t')).map((text) => text.replace(/: .*?; /, ': '))).toEqual([
    'te/duplicate-filename-transition at 2:1: the earlier one is here',
  ]);
});

test('a user that is remembered behind the place where all users are written is told', () => {
  const users = (text: string): string => `${text}gen_user(bob,, vm_r, s0, s0)\n# gen_user(\n`;
  expect(toldOf('gen_user(ann,, vm_r, s0, s0)\n', { 'policy/users': users })).toEqual([
    expect.stringMatching(
      /^source\/late-user at policy\/users:[0-9]+:10: user `bob` is declared too late: .*; all users are written here$/,
    ),
  ]);
});
