/** What we count in a policy is what seinfo counts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileText } from '@dewar/policy/compiler';
import { type PolicyInfo, policyInfo } from '@dewar/policy/decompiler';
import { readPolicydb } from '@dewar/policy/policydb';
import { SourceText } from '@dewar/policy/text';
import { referenceTool } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';

const seinfo = referenceTool('seinfo');

/** Our counts under seinfo's names. */
function counts(info: PolicyInfo): Record<string, number | undefined> {
  return {
    Classes: info.classes.length,
    Sensitivities: info.sensitivities.length,
    Categories: info.categories.length,
    Types: info.types.length,
    Attributes: info.attributes.length,
    Users: info.users.length,
    Roles: info.roles.length,
    Booleans: info.booleans.length,
    'Cond. Expr.': info.conditionals.length,
    Allow: info.counts['allow'],
    Auditallow: info.counts['auditallow'],
    Dontaudit: info.counts['dontaudit'],
    Type_trans: info.counts['type_transition'],
    Type_change: info.counts['type_change'],
    Type_member: info.counts['type_member'],
    Range_trans: info.counts['range_transition'],
    'Role allow': info.counts['role allow'],
    Role_trans: info.counts['role_transition'],
    Constraints: info.counts['constrain'],
    Validatetrans: info.counts['validatetrans'],
    'MLS Constrain': info.counts['mlsconstrain'],
    'MLS Val. Tran': info.counts['mlsvalidatetrans'],
    Permissives: info.types.filter(({ isPermissive }) => isPermissive).length,
    Polcap: info.capabilities.length,
    'Initial SIDs': info.initialSids.length,
  };
}

describe.skipIf(seinfo === undefined)('a policy that uses the whole language', () => {
  test.each(['hw-quirks', 'fuzz-9006-mls', 'fuzz-9010-mls', 'fuzz-9029'])('%s has what seinfo counts', (name) => {
    const text = readFileSync(new URL(`../checkpolicy/policies/${name}.conf`, import.meta.url), 'latin1');
    const { bytes } = compileText(new SourceText(name, text), { isMls: name.endsWith('-mls') });
    const read = bytes === undefined ? undefined : readPolicydb(bytes);
    if (bytes === undefined || read === undefined || 'diagnostic' in read) throw new Error('it does not compile');
    const folder = mkdtempSync(join(tmpdir(), 'dewar-seinfo-'));
    try {
      const path = join(folder, 'policy.bin');
      writeFileSync(path, bytes);
      const answer = Buffer.from(seinfo?.run([path]).stdout ?? []).toString('latin1');
      const theirs = new Map(
        [...answer.matchAll(/([A-Z][\w. ]*?): +(\d+)/g)].map(([, what = '', count]) => [what, Number(count)]),
      );
      const ours = counts(policyInfo(read.policy, read.version));
      const shared = Object.keys(ours).map((what): [string, number | undefined] => [what, theirs.get(what)]);
      expect(ours).toEqual(Object.fromEntries(shared));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
