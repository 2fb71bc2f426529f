import { examplePolicy } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { expandCalls, type MacroSources, macroSources } from '../compiler/index.ts';
import { SourceText } from '../text/index.ts';
import { definingModules } from './defining-modules.ts';

const INTERFACES = `
define(\`plain', \`allow $1 $2:domain pause;')
# define(\`commented', \`x')
define(\`other_name', \`define(\`$1_self', \`$1')')
define(\`outer', \`other_name($1) plain($1, $2)')
define(\`made', \`$1_call($2)')
ifdef(\`self_contained_policy', \`define(\`within', \`define(\`plain', \`deny $1;')')')
define(\`keeps', \`pushdef(\`plain', \`none')plain($1)popdef(\`plain')')
`;

function sourcesOf(modules: Readonly<Record<string, string>>, interfaces = INTERFACES): MacroSources {
  return {
    definitions: [new SourceText('all.if', interfaces)],
    modules: Object.entries(modules).map(([name, text]) => new SourceText(`${name}.te`, text)),
  };
}

function definingOf(modules: Readonly<Record<string, string>>, interfaces?: string): string[] {
  return definingModules(sourcesOf(modules, interfaces)).map(({ name }) => name.slice(0, -3));
}

const CALLS = [
  'plain(a_t, b_t)',
  'outer(a_t, b_t)',
  'within',
  'a_t_self',
  'made(plain, b_t)',
  'fresh(a_t)',
  'keeps(x)',
];

describe('a module that can change what a call means', () => {
  test.each([
    ['defines one', "define(`fresh', `new $1')"],
    ['takes one away', "undefine(`plain')"],
    ['calls a macro that defines', 'other_name(a_t)'],
    ['calls one that calls such a one', 'outer(a_t, b_t)'],
    ['calls one that was defined within something else', 'within\nplain(a_t, b_t)'],
    ['calls a macro by a name that is put together', 'made(within, x)'],
    ['puts a name together itself', "plain(def`'ine(`fresh', `new'), b_t)"],
    ['throws text away', 'divert(-1)'],
  ])('%s', (_, text) => {
    expect(definingOf({ calls: 'plain(a_t, b_t)', changes: `type x;\n${text}\n`, more: 'plain(c_t, d_t)' })).toContain(
      'changes',
    );
  });

  test('is none that calls plain macros, whatever its comments say', () => {
    expect(definingOf({ calls: "plain(a_t, b_t)\n# don't define(x)\nallow a_t b_t:domain pause;\n" })).toEqual([]);
  });

  test('is any module where a policy changes what quotes and comments are, or makes definitions of arguments', () => {
    expect(definingOf({ one: 'plain(a, b)', two: 'changequote([,])' })).toEqual(['one', 'two']);
    const makes = "define(`maker', `define(`$1_macro', `define(`plain', `$2')')')\n";
    expect(definingOf({ one: 'plain(a, b)' }, INTERFACES + makes)).toEqual(['one']);
  });
});

describe('calls expand behind those modules as behind all', () => {
  const modules = {
    a: 'plain(a_t, b_t)\n',
    b: "define(`fresh', `allow $1 fresh_t:domain pause;')\n",
    c: 'plain(a_t, c_t)\nallow a_t self:domain create;\n',
    d: 'other_name(a_t)\nouter(b_t, c_t)\n',
    e: 'within\n',
    f: "# a note: it's plain\nplain(x_t, y_t)\n",
  };
  const names = Object.keys(modules) as (keyof typeof modules)[];
  const subsets = Array.from({ length: 1 << names.length }, (_, bits) =>
    Object.fromEntries(names.filter((_name, i) => ((bits >>> i) & 1) === 1).map((name) => [name, modules[name]])),
  );

  test('in every selection of modules that do different things', () => {
    let left = 0;
    for (const subset of subsets) {
      const sources = sourcesOf(subset);
      const some = definingModules(sources);
      left += sources.modules.length - some.length;
      expect(expandCalls([...sources.definitions, ...some], CALLS)).toEqual(
        expandCalls([...sources.definitions, ...sources.modules], CALLS),
      );
    }
    expect(left).toBeGreaterThan(60);
  });

  test('in the example policy, with a fleet of types', () => {
    const fleet = Array.from(
      { length: 30 },
      (_, i) => `declare_domain(fleet${i}_t)\ncreate_domain(dom0_t, fleet${i}_t)\n`,
    );
    const files = examplePolicy({ 'modules/guest_features.te': (text) => text + fleet.join('') });
    const sources = macroSources(files);
    const some = definingModules(sources);
    expect(some.length).toBeLessThan(sources.modules.length);
    const calls = ['create_domain', 'manage_domain', 'domain_comms', 'delegate_devices', 'use_device_iommu'].flatMap(
      (macro) =>
        ['dom0_t', 'domU_t', 'fleet3_t', 'xenstore_t', 'nomigrate_t'].map((type) => `${macro}(dom0_t, ${type})`),
    );
    expect(expandCalls([...sources.definitions, ...some], calls)).toEqual(
      expandCalls([...sources.definitions, ...sources.modules], calls),
    );
  });
});
