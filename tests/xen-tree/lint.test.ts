/**
 * What is found in Xen's own example policy is true of it, and nothing else is found; and what it takes to find the rest.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { compileDirectory, type PolicyFiles } from '@dewar/policy/compiler';
import { lintPolicy } from '@dewar/policy/lint';
import { readPolicydb } from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { PolicyView } from '@dewar/policy/security-server';
import { type Diagnostic, placeText, userSpan } from '@dewar/policy/text';
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { type Edits, editedPolicy } from './edited-tree.ts';

function lintFiles(files: PolicyFiles): readonly Diagnostic[] {
  const compiled = compileDirectory(files, {});
  const read = readPolicydb(compiled.bytes ?? new Uint8Array());
  if ('diagnostic' in read) throw new Error(compiled.diagnostics[0]?.message ?? read.diagnostic.message);
  const source = { compiled, options: {}, files };
  return lintPolicy({ view: new PolicyView(read.policy), release: xenRelease('4.17'), source, hasHostBooleans: false });
}

function told(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map(({ code, message, origin }) => {
    const place = origin === undefined ? '' : placeText(userSpan(origin)).replace(/^.*\/(?=[^/]*$)/, '');
    return `${place.replace(/:\d+$/, '')} ${code} ${message}`;
  });
}

const tree = xenTree();

describe.skipIf(tree === undefined)("Xen's example policy", () => {
  const lint = (edits: Edits): string[] => told(lintFiles(editedPolicy(tree ?? '', edits)));

  test('has guests that cannot be ended, or started, and that Argo connects', () => {
    const argo = (type: string, others: string): string =>
      `guest_features.te:10 lint/argo-connects \`${type}\` shares nothing with other guests, and Argo connects it with ${others}`;
    const unchecked = 'lint/permission-without-effect Xen 4.17 never asks for `domain2 set_vnumainfo`';
    expect(lint({})).toEqual([
      `dom0.te:42 ${unchecked}`,
      argo('isolated_domU_t', '`nomigrate_t`, `dm_dom_t`, `domU_t`'),
      argo('nomigrate_t', '`dm_dom_t`, `domU_t`, `isolated_domU_t`'),
      // Case s04: on real Xen the failed build of a nomigrate guest stays.
      'nomigrate.te:5 lint/cannot-destroy `dom0_t` may make a domain `nomigrate_t_building`, and may not destroy it',
      // Its module gives create_domain and no manage_domain.
      'prot_domU.te:7 lint/never-unpaused a domain can be created as `prot_domU_t`, and nobody may unpause it or relabel it',
      `xen.if:55 ${unchecked}`,
      `xen.if:97 ${unchecked}`,
      'xen.te:11 lint/unused attribute `domain_self_type` is declared and never used',
      'xen.te:12 lint/unused attribute `domain_target_type` is declared and never used',
    ]);
  });

  test.each([
    [
      'a guest that is managed is ended and started',
      'manage_domain(dom0_t, nomigrate_t_building)\nmanage_domain(dom0_t, prot_domU_t)\n',
      ['-lint/cannot-destroy', '-lint/never-unpaused'],
    ],
    [
      'a way back from the label of running',
      'allow nomigrate_t nomigrate_t_building:domain transition;\nallow dom0_t nomigrate_t:domain2 relabelfrom;\nallow dom0_t nomigrate_t_building:domain2 relabelto;\n',
      ['+lint/relabel-back'],
    ],
    ['half of a relabel', 'allow dom0_t domU_t:domain2 relabelfrom;\n', ['+lint/relabel-unused']],
    [
      'a type without rights on itself',
      'type bare_t, domain_type;\ntype bare_t_channel, event_type;\ncreate_domain(dom0_t, bare_t)\nmanage_domain(dom0_t, bare_t)\ndomain_comms(dom0_t, bare_t)\n',
      ['+lint/argo-connects', '+lint/no-self-access'],
    ],
    [
      'a rule that a wider one covers, and one that is there twice',
      'allow isolated_domU_t domU_t:argo send;\nallow dom0_t domU_t:hvm dm;\nallow dom0_t domU_t:hvm dm;\n',
      // create_domain gives the second one too, so that both are one too many.
      ['+lint/shadowed-rule', '+lint/duplicate-rule', '+lint/duplicate-rule'],
    ],
    ['a boolean without a block', 'gen_bool(idle, true)\n', ['+lint/unused']],
  ])('%s', (_, site, expected) => {
    const codes = (lines: readonly string[]): string[] => lines.map((line) => line.split(' ')[1] ?? '');
    const [before, after] = [codes(lint({})), codes(lint({ site }))];
    const gone = [...before];
    const came = after.filter((code) => {
      const at = gone.indexOf(code);
      if (at >= 0) gone.splice(at, 1);
      return at < 0;
    });
    expect([...came.map((code) => `+${code}`), ...gone.map((code) => `-${code}`)].sort()).toEqual(expected.toSorted());
  });
});

test("Dewar's example policy has no more than what it has in common with that of Xen", () => {
  const folder = new URL('../../policies/example/', import.meta.url);
  const files: PolicyFiles = {
    readText: (path) => {
      const file = new URL(path, folder);
      return existsSync(file) ? readFileSync(file, 'latin1') : undefined;
    },
    listNames: (path) => (existsSync(new URL(path, folder)) ? readdirSync(new URL(path, folder)) : []),
    describe: (path) => path,
  };
  expect(told(lintFiles(files)).map((line) => line.replace(/:\d+/, ''))).toEqual([
    'dom0.te lint/duplicate-rule the rule gives what another one with the same types gives',
    'xen.if lint/permission-without-effect Xen 4.17 never asks for `domain2 set_vnumainfo`',
    'xen.te lint/unused attribute `domain_self_type` is declared and never used',
    'xen.te lint/unused attribute `domain_target_type` is declared and never used',
  ]);
});
