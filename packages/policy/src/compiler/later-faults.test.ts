/**
 * Faults behind faults: what only the rules as a whole show is told beside what is wrong with single statements, and what
 * follows from such a fault is not. A fault in the body of a macro is one fault, shown there. What is refused here, `m4` and
 * `checkpolicy -t Xen` refuse too.
 */
import { examplePolicy } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { placeText, renderDiagnostic, userSpan } from '../text/index.ts';
import { type CompiledPolicy, compileDirectory, type PolicyFiles } from './index.ts';

type Changes = Readonly<Record<string, (text: string) => string>>;

function filesWith(site: string, changes: Changes = {}, absent: readonly string[] = []): PolicyFiles {
  const files = examplePolicy({
    ...changes,
    'modules/modules.conf': (text) => text.replace('all_system_role =', 'site = on\nall_system_role ='),
  });
  return {
    ...files,
    listNames: (folder) => files.listNames(folder).filter((name) => !absent.includes(`${folder}/${name}`)),
    readText: (path) => (path === 'modules/site.te' ? site : absent.includes(path) ? undefined : files.readText(path)),
  };
}

/** What is told of the example policy with a module of the site, as `code at place`. */
function toldOf(site: string, changes: Changes = {}, absent: readonly string[] = []): string[] {
  const { diagnostics, bytes }: CompiledPolicy = compileDirectory(filesWith(site, changes, absent));
  expect(bytes).toBeUndefined();
  return diagnostics.map(({ code, origin }) => {
    const place = origin === undefined ? 'nowhere' : placeText(userSpan(origin)).replace('modules/site.te:', '');
    return `${code} at ${place}`;
  });
}

/** The same as text. */
function shownOf(site: string, changes: Changes = {}, absent: readonly string[] = []): string {
  const { diagnostics } = compileDirectory(filesWith(site, changes, absent));
  return diagnostics.map((one) => renderDiagnostic(one)).join('\n');
}

const BROKEN = 'allow dom0_t unlabeled_t:domain create;\n';

test('a broken neverallow rule is told beside a name that is not known, and beside a statement that breaks off', () => {
  expect(toldOf(`${BROKEN}allow dom0_t domU_t:domain creat;\n`)).toEqual([
    'te/neverallow-violated at 1:1',
    'te/unknown-permission at 2:28',
  ]);
  expect(toldOf(`${BROKEN}allow dom0_t wbe_t:domain create\n`)).toEqual([
    'te/neverallow-violated at 1:1',
    'language/unexpected-token at 2:27',
  ]);
});

test('two results of one transition are told beside a name that is not known', () => {
  const transition = (type: string): string => `type_transition dom0_t xen_t:domain ${type};\n`;
  expect(toldOf(`${transition('domU_t')}${transition('xen_t')}allow dom0_t domU_t:domain creat;\n`)).toEqual([
    'te/conflicting-type-rule at 2:1',
    'te/unknown-permission at 3:28',
  ]);
});

test('a type whose attribute is not known breaks no neverallow rule', () => {
  const rule = 'allow dom0_t web_t:domain create;\n';
  expect(toldOf(`type web_t, domain_typ;\n${rule}`)).toEqual(['te/undeclared-attribute at 1:13']);
  expect(toldOf(`type web_t;\ntypeattribute web_t domain_type xen_type;\n${rule}`)).toEqual([
    'language/unexpected-token at 2:33',
  ]);
  expect(toldOf(`type web_t, domain_type\n${rule}${BROKEN}`)).toEqual([
    'language/unexpected-token at 1:13',
    'te/neverallow-violated at 3:1',
  ]);
  expect(toldOf(`attribute domU_t;\n${BROKEN}`)).toEqual(['te/duplicate at 1:11', 'te/neverallow-violated at 2:1']);
});

test('a neverallow rule with a name that is not known forbids nothing', () => {
  expect(toldOf('neverallow dom0_t domU_t:domain ~{ create destory };\n')).toEqual(['te/unknown-permission at 1:43']);
  expect(toldOf('neverallow ~nosuch_t domU_t:domain create;\n')).toEqual(['te/unknown-type at 1:13']);
});

test('what one call breaks by several rules is one fault; of a call with another fault only that is told', () => {
  const changes: Changes = {
    'modules/xen.if': (text) =>
      text.replace(
        /define\(`create_domain',/,
        "define(`own_all', `allow $1 $2:domain create; allow $1 $2:domain pause;')\n$&",
      ),
  };
  expect(shownOf('own_all(dom0_t, unlabeled_t)\n', changes)).toMatch(
    /^modules\/site\.te:1:1: error: `neverallow` is broken: `dom0_t` may `pause create` on `unlabeled_t` \(domain\)/,
  );
  expect(shownOf('own_all(dom0_t, unlabeled_t)\n', changes)).toContain('2 rules of the macro allow it');
  expect(toldOf('own_all(dom0_t, unlabeled_t)\nown_all(xen_t, unlabeled_t)\n', changes)).toEqual([
    'te/neverallow-violated at 1:1',
    'te/neverallow-violated at 2:1',
  ]);
  expect(toldOf('create_domain(dom0_t, unlabeled_t)\n')).toEqual(['te/unknown-type at 1:23']);
});

test('a fault in the body of a macro is told once, and shown there with its cure', () => {
  const without = (from: string, to: string): Changes => ({ 'modules/xen.if': (text) => text.replace(from, to) });
  const changes = without('allow $1 $2:shadow enable;', 'allow $1 $2:shadow enable');
  const shown = shownOf('', changes);
  expect(shown.match(/ error: /g)).toHaveLength(1);
  expect(shown).toMatch(/\n {2}\d+ \| \tallow \$1 \$2:shadow enable\n.*\^\^\^\^\^\^ a `;` is missing here\n/);
  expect(shown).toMatch(/\nnote: \d+ other calls come to the same$/);
  expect(shownOf('', without('allow $1 $2:shadow enable;', 'allow $1 $2:shadow enabel;'))).toMatch(
    /shadow enabel;\n.*\^\^\^\^\^\^ did you mean `enable`\?\n/,
  );
  // What comes of the arguments is a fault of each call.
  expect(toldOf('create_domain(dom0_t, domU_t -)\ncreate_domain(dom0_t, domU_t -)\n')).toEqual([
    'language/unexpected-token at 1:1',
    'language/unexpected-token at 2:1',
  ]);
});

test.each([
  ['a `$` that is lost', 'allow $1 $2:shadow enable;', 'allow 1 $2:shadow enable;'],
  ['a `$` that is lost behind an argument', 'allow $1 $2:shadow enable;', 'allow $1 2:shadow enable;'],
  ['a sign twice behind an argument', 'allow $1 $2:shadow enable;', 'allow $1 $2::shadow enable;'],
  ['a `$` twice', 'allow $1 $2:shadow enable;', 'allow $1 $$2:shadow enable;'],
  ['a `;` that is missing at the end', 'allow $1 $2:event reset;', 'allow $1 $2:event reset'],
  ['a quote twice', "allow $1 $2:event reset;\n')", "allow $1 $2:event reset;\n'')"],
])('%s in the body of a macro is one fault, however many calls come to it', (_, from, to) => {
  let isChanged = false;
  const shown = shownOf('', {
    'modules/xen.if': (text) => {
      isChanged = text.includes(from);
      return text.replace(from, () => to);
    },
  });
  expect(isChanged).toBe(true);
  expect(shown.match(/ error: /g)).toHaveLength(1);
  expect(shown).toMatch(/\nnote: (?:another call comes|\d+ other calls come) to the same$/);
});

test('a name that is unknown in the bodies of macros is told with the places in them', () => {
  const shown = shownOf('', { 'modules/xen.if': (text) => text.replaceAll('getdomaininfo', 'getdoamininfo') });
  expect(shown.match(/ error: /g)).toHaveLength(1);
  expect(shown).toMatch(
    /\nnote: it is used at \d+ other places too: modules\/xen\.if:\d+:\d+, modules\/xen\.if:\d+:\d+/,
  );
});

test('a rule with the wrong class is one fault, however many permissions it has', () => {
  const rule = 'allow dom0_t domU_t:domain {\n\tset_cpu_policy gettsc settsc\n\tsetscheduler pause };\n';
  expect(toldOf(rule)).toEqual(['te/unknown-permission at 2:2']);
  expect(shownOf(rule)).toMatch(
    /note: class `domain2` has it, and the others of this rule that are unknown: `gettsc`, `settsc`, `setscheduler`$/,
  );
  expect(toldOf('allow dom0_t domU_t:domain { gettsc map_read };\n')).toEqual([
    'te/unknown-permission at 1:30',
    'te/unknown-permission at 1:37',
  ]);
  expect(toldOf('allow dom0_t domU_t:domain gettsc;\nallow dom0_t xen_t:domain settsc;\n')).toEqual([
    'te/unknown-permission at 1:28',
    'te/unknown-permission at 2:27',
  ]);
});

test('a statement out of its section is told beside a fault elsewhere', () => {
  const changes: Changes = { 'policy/device_contexts': (text) => `${text}\nallow dom0_t domU_t:domain pause;\n` };
  const [syntax, place, ...others] = toldOf('allow dom0_t domU_t domain pause;\n', changes);
  expect(syntax).toBe('language/unexpected-token at 1:21');
  expect(place).toMatch(/^language\/wrong-section at policy\/device_contexts:\d+:1$/);
  expect(others).toEqual([]);
});

test('an argument outside of a macro is one fault of its statement', () => {
  const written = ['allow $@ domU_t:domain pause;', 'allow $1 domU_t:domain pause;', 'allow dom0_t $*:domain pause;'];
  expect(toldOf(`${written.join('\n')}\nallow dom0_t domU_t:$3 paus;\nallow dom0_t domU_t:domain paus;\n`)).toEqual([
    'language/unrecognized-character at 1:7',
    'language/unrecognized-character at 2:7',
    'language/unrecognized-character at 3:14',
    'language/unrecognized-character at 4:21',
    'te/unknown-permission at 5:28',
  ]);
});

test('a name in a faulty rule is none that the rule could declare', () => {
  expect(toldOf('allow dom0_t wbe_t domain pause;\nallow dom0_t wbe_t:domain pause;\n')).toEqual([
    'language/unexpected-token at 1:20',
    'te/unknown-type at 2:14',
  ]);
});

test('what an unknown macro would have made of its arguments is not told beside it', () => {
  expect(
    toldOf(
      'declare_domian(web_t)\nallow dom0_t web_t_channel:event create;\nallow dom0_t dom0_t_chanel:event create;\n',
    ),
  ).toEqual(['language/unknown-macro at 1:1', 'te/unknown-type at 3:14']);
});

test('a label is looked at whatever is wrong with the labels around it', () => {
  const changes: Changes = {
    'policy/device_contexts': () =>
      'pirqcon -1 system_u:object_r:nic_dev_t\npirqcon 3 system_u:nic_dev_t:object_r\npirqcon 4 nic_dev_t\n',
  };
  expect(toldOf('', changes)).toEqual([
    'language/unexpected-token at policy/device_contexts:1:9',
    'te/unknown-role at policy/device_contexts:2:20',
    'te/unknown-type at policy/device_contexts:2:30',
    'language/unexpected-end at policy/device_contexts:3:11',
  ]);
});

test('`self` as a source, and a set as the result of a transition, are told as what they are', () => {
  expect(shownOf('allow self dom0_t:domain pause;\n')).toContain('`self` stands for the source, and can be the target');
  expect(shownOf('type_transition dom0_t xen_t:domain { xen_t domU_t };\n')).toContain(
    'note: one `type_transition` gives one type',
  );
});

test('each condition is looked at, whatever is wrong with the one before', () => {
  const rule = 'allow dom0_t domU_t:domain pause;';
  expect(toldOf(`if (policy_locked) ${rule}\nif (policy_lockd) { ${rule} }\n`)).toEqual([
    'language/unexpected-token at 1:20',
    'te/unknown-boolean at 2:5',
  ]);
});

test('an argument of which a macro makes an unknown name is mended as an argument', () => {
  const shown = shownOf("define(`typed', `$1`'_t')\ntype web_t;\nallow dom0_t typed(wbe):domain pause;\n");
  expect(shown).toMatch(/\n {2}3 \| allow dom0_t typed\(wbe\):domain pause;\n.* \^\^\^ did you mean `web`\?\n/);
});

test('an error is told, and no policy written, behind any number of warnings', () => {
  const warnings = Array.from({ length: 1200 }, (_, i) => `ifelse(incr(x${i}), 1, 1)`).join('\n');
  expect(toldOf(`${warnings}\ninclude(\`nosuch')\n`)).toContain('m4/no-include at 1201:1');
  expect(toldOf(`${warnings}\nallow dom0_t wbe_t:domain pause;\n`)).toContain('te/unknown-type at 1201:14');
  const octal = Array.from(
    { length: 1200 },
    (_, i) => `pcidevicecon 0${i.toString(8)}9 system_u:object_r:nic_dev_t`,
  ).join('\n');
  const changes: Changes = { 'policy/device_contexts': () => `${octal}\npirqcon 3 system_u:object_r:nosuch_t\n` };
  expect(toldOf('', changes)).toContain('te/unknown-type at policy/device_contexts:1201:29');
});

test('each macro that is refused is told', () => {
  expect(toldOf("esyscmd(`ls')\nsyscmd(`ls')\ninclude(`nosuch')\n")).toEqual([
    'm4/not-supported at 1:1',
    'm4/not-supported at 2:1',
    'm4/no-include at 3:1',
  ]);
});

test('a blank behind an argument that is made a part of a name is shown', () => {
  const note = '`create_domain` makes another name of argument 2, and m4 keeps this blank behind it';
  expect(shownOf('create_domain( dom0_t , domU_t )\n')).toContain(`modules/site.te:1:31: note: ${note}`);
  expect(shownOf('create_domain(dom0_t,\n  domU_t\n)\n')).toContain(`modules/site.te:2:9: note: ${note}`);
  expect(shownOf("create_domain(dom0_t, `domU_t ')\n")).toContain('argument 2, which has to be one plain name');
});

test('a sign between an initial SID and its label is one fault', () => {
  for (const sign of [',', ':', ' =']) {
    const changes: Changes = { 'policy/initial_sids': (text) => text.replace(/^sid dom0/m, `$&${sign}`) };
    expect(toldOf('', changes), sign).toEqual([
      expect.stringMatching(/^language\/\S+ at policy\/initial_sids:\d+:9$|:10$/),
    ]);
  }
});

test('of two results of a transition the later one in the text is at fault, in a conditional block or not', () => {
  const change = (type: string): string => `type_transition dom0_t xen_t:domain ${type};`;
  const shown = shownOf(`if (policy_locked) { ${change('domU_t')} }\n${change('xen_t')}\n`);
  expect(shown).toMatch(/^modules\/site\.te:2:1: error: .* gives `xen_t`, and an earlier rule gives `domU_t` /);
  expect(shown).toContain('modules/site.te:1:22: note: the earlier rule is here');
});

test('a type that may do more than its bound is told with where it is bounded', () => {
  const shown = shownOf('type web_t, domain_type;\ntypebounds domU_t web_t;\nallow web_t xen_t:xen kexec;\n');
  expect(shown).toMatch(/^modules\/site\.te:1:6: error: .*\[te\/bounds-exceeded\]/);
  expect(shown).toContain('modules/site.te:2:19: note: it is bounded here');
});

test('signs that do not belong to names are told as such', () => {
  const curly = 'allow dom0_t domU_t:domain \xe2\x80\x9cpause\xe2\x80\x9d;\n';
  expect(shownOf(curly).match(/\^ .*/g)).toEqual(Array(2).fill('^ a name is written without quotes'));
  expect(shownOf('allow dom0_t domU_t:domain { pause; };\n')).toContain(
    'note: the names in a set are not ended by `;`: it stands behind the `}`',
  );
  expect(shownOf('allow dom0_t domU_t:domain { pause;\n')).toContain('note: the set that begins here has no `}`');
  expect(shownOf('allow dom0_t 1domU_t:domain pause;\n')).toContain('note: a name begins with a letter');
  const path: Changes = {
    'policy/device_contexts': (text) =>
      `${text}\ndevicetreecon \xe2\x80\x9c/soc\xe2\x80\x9d system_u:object_r:nic_dev_t\n`,
  };
  expect(shownOf('', path)).toContain('^ put a plain `"` here');
});

test('a file of macros that is missing is one fault', () => {
  expect(shownOf('', {}, ['modules/xen.if'])).toMatch(
    /^modules\/dom0\.te:\d+:1: error: the policy has no file `modules\/xen\.if` \[source\/no-file\]\n.*\n.*\nnote: it defines `declare_\w+`, which is called here, and further on `\w+`, `\w+`, `\w+` and \d+ more$/,
  );
  expect(toldOf('', {}, ['policy/support/contexts.spt'])).toEqual([
    expect.stringMatching(/^source\/no-file at policy\/global_tunables:/),
  ]);
  const both = shownOf('creat_domain(dom0_t, domU_t)\n', {}, ['policy/support/contexts.spt', 'policy/support/mls.spt']);
  expect(both.match(/ error: .*/g)).toEqual([
    ' error: the policy has no file `policy/support/misc_macros.spt` [source/no-file]',
    ' error: no macro is called `creat_domain` [language/unknown-macro]',
  ]);
});

test('a label with the wrong sign before its level is blamed at the sign', () => {
  const changes: Changes = {
    'policy/initial_sids': (text) => text.replace(/^(sid dom0 gen_context\([^,]*),/m, '$1;'),
    'policy/device_contexts': (text) => `${text}\npirqcon 3 system_u:object_r:nic_dev_t;s0\n`,
  };
  const shown = shownOf('', changes);
  expect(shown.match(/ error: .*/g)).toEqual([
    ' error: expected `,`, found `;` [language/unexpected-token]',
    ' error: expected `:`, found `;` [language/unexpected-token]',
  ]);
  expect(shown).toContain('^ did you mean `,`?\nnote: the arguments of `gen_context` are separated by a `,`');
  const parts: Changes = { 'policy/initial_sids': (text) => text.replace(/^(sid dom0 gen_context\(\w+):\w+/m, '$1') };
  expect(shownOf('', parts)).toContain('note: a label is written `user:role:type`');
});

test('what `divert` throws away is told at the `divert`', () => {
  expect(toldOf('divert(-1)\n')).toEqual(['language/missing-section at 1:1']);
  expect(toldOf('changequote([,])\n')).toContain('language/unrecognized-character at 1:1');
});

test('a set without its beginning is told with where it begins', () => {
  const shown = shownOf('allow dom0_t domU_t:domain\n\tpause unpause\n};\nallow dom0_t domU_t xen_t }:domain pause;\n');
  expect(shown.match(/\^ .*/g)).toEqual(['^ a `{` is missing before `pause`', '^ a `{` is missing before `domU_t`']);
});
