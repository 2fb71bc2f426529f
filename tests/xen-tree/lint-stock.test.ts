/** What `dewar lint` finds in the example policy that comes with Xen 4.17: each read in its sources. */
import { compileDirectory } from '@dewar/policy/compiler';
import { lintPolicy } from '@dewar/policy/linter';
import { readPolicydb } from '@dewar/policy/policydb';
import { xenRelease } from '@dewar/policy/releases';
import { placeText, userSpan } from '@dewar/policy/text';
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { type Edits, editedPolicy } from './edited-tree.ts';

const tree = xenTree();

/** Place, code and message of each finding. */
function lintStock(edits: Edits = {}): string[] {
  const compiled = compileDirectory(editedPolicy(tree ?? '', edits));
  if (compiled.bytes === undefined) throw new Error(compiled.diagnostics.map(({ message }) => message).join('; '));
  const read = readPolicydb(compiled.bytes);
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  return lintPolicy({ policy: read.policy, compiled, release: xenRelease('4.17') }).map(
    ({ code, message, origin }) =>
      `${origin === undefined ? '' : placeText(userSpan(origin))} ${code.replace('lint/', '')}: ${message}`,
  );
}

const STOCK = [
  'modules/nomigrate.te:5:1 cannot-destroy: `dom0_t` can make a domain as `nomigrate_t_building`, and cannot destroy it',
  'modules/prot_domU.te:7:2 cannot-destroy: `dom0_t` can make a domain as `prot_domU_t`, and cannot destroy it while `prot_doms_locked` is true',
  'modules/prot_domU.te:7:2 never-unpaused: a domain can be made as `prot_domU_t`, and nobody can unpause it',
  'modules/xen.te:37:1 dom0-cannot-list: `dom0_t` may not list domains once Xen 4.17 is updated to 4.17.7',
  'modules/guest_features.te:10:1 argo-connects: domains of `nomigrate_t` and of `nomigrate_t` reach each other by Argo, and by nothing else',
  'modules/domU.te:14:1 repeated-rule: other rules give all that this gives',
  'modules/dom0.te:41:1 permission-does-nothing: Xen 4.17 never asks for the permission `set_vnumainfo` of class `domain2`',
  'modules/xen.if:54:2 permission-does-nothing: Xen 4.17 never asks for the permission `set_vnumainfo` of class `domain2`',
  'modules/xen.if:97:5 permission-does-nothing: Xen 4.17 never asks for the permission `set_vnumainfo` of class `domain2`',
  'modules/xen.te:12:1 unused-attribute: attribute `domain_target_type` is declared, and no rule names it',
  'modules/xen.te:15:1 unused-attribute: attribute `mls_priv` is declared, and no rule names it',
  'modules/xen.te:11:1 unused-attribute: attribute `domain_self_type` is declared, and no rule names it',
];

describe.skipIf(tree === undefined)("lint on Xen's example policy", () => {
  test('finds what is wrong in it, and nothing else', () => {
    expect(lintStock()).toEqual(STOCK);
  });

  test('finds what a site adds', () => {
    const site = [
      'type gpu_dev_t;',
      'type vault_t, domain_type;',
      'allow dom0_t vault_t:domain { create unpause destroy };',
      'allow domU_t isolated_domU_t:domain transition; allow isolated_domU_t domU_t:domain transition;',
      'allow dom0_t { domU_t isolated_domU_t }:domain2 { relabelfrom relabelto };',
      'create_domain(dom0_t, domU_t)',
    ].join('\n');
    const found = lintStock({ site, deviceContexts: 'pirqcon 40 system_u:object_r:gpu_dev_t\n' });
    const added = found.filter((one) => one.startsWith('modules/site.te') || one.startsWith('policy/'));
    expect(added).toEqual([
      'modules/site.te:2:1 no-own-rights: `vault_t` may not do to itself what every guest does: `grant { query setup }`, `mmu { map_read map_write }`, `hvm { getparam }`',
      'modules/site.te:4:1 relabel-back: a domain can be relabelled from `domU_t` to `isolated_domU_t`, and back',
      'modules/site.te:6:1 repeated-rule: other rules give all that this gives',
      'policy/device_contexts:33:1 unused-device-label: interrupt 40 has the label `system_u:object_r:gpu_dev_t`, and no rule is about devices of this type',
    ]);
  });
});
