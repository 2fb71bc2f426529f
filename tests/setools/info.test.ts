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

/** What seinfo says of a binary. */
function ask(bytes: Uint8Array, ...options: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'dewar-seinfo-'));
  try {
    const path = join(folder, 'policy.bin');
    writeFileSync(path, bytes);
    return Buffer.from(seinfo?.run([path, ...options]).stdout ?? []).toString('latin1');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A policy of the corpus of checkpolicy's tests, or the text of one, and its bytes. */
function compiled(name: string, text?: string): { readonly bytes: Uint8Array; readonly info: PolicyInfo } {
  const source = text ?? readFileSync(new URL(`../checkpolicy/policies/${name}.conf`, import.meta.url), 'latin1');
  const { bytes } = compileText(new SourceText(name, source), { isMls: name.endsWith('-mls') });
  const read = bytes === undefined ? undefined : readPolicydb(bytes);
  if (bytes === undefined || read === undefined || 'diagnostic' in read) throw new Error('it does not compile');
  return { bytes, info: policyInfo(read.policy, read.version) };
}

const POLICIES = ['hw-quirks', 'fuzz-9006-mls', 'fuzz-9010-mls', 'fuzz-9029'];
/** Attributes that a binary has no types of, although a constraint tells which they were. */
const EXPANDED = `class obj sid xen class obj { read write }
attribute many; attribute some; attribute kept;
expandattribute { many some } true;
type a_t, many, some; type b_t, many; type c_t, kept;
role r; role r types { a_t b_t c_t };
allow many kept:obj read;
user u roles r;
constrain obj write (t1 == many or t2 == { some kept });
sid xen u:r:a_t
`;

describe.skipIf(seinfo === undefined)('a policy that uses the whole language', () => {
  test.each(POLICIES)('%s has what seinfo counts', (name) => {
    const { bytes, info } = compiled(name);
    const theirs = new Map(
      [...ask(bytes).matchAll(/([A-Z][\w. ]*?): +(\d+)/g)].map(([, what = '', count]) => [what, Number(count)]),
    );
    const ours = counts(info);
    const shared = Object.keys(ours).map((what): [string, number | undefined] => [what, theirs.get(what)]);
    expect(ours).toEqual(Object.fromEntries(shared));
  });

  test.each(['hw-quirks', 'fuzz-9006-mls', 'fuzz-9029', 'expanded'])(
    '%s has attributes of the types that seinfo lists',
    (name) => {
      const { bytes, info } = compiled(name, name === 'expanded' ? EXPANDED : undefined);
      const theirs: Record<string, string[]> = {};
      let types: string[] = [];
      for (const line of ask(bytes, '-x', '-a').split('\n')) {
        const attribute = /^ {3}attribute (\S+);$/.exec(line)?.[1];
        const type = /^\t(\S+)$/.exec(line)?.[1];
        if (attribute !== undefined) {
          types = [];
          theirs[attribute] = types;
        } else if (type !== undefined) types.push(type);
      }
      expect(Object.keys(theirs).length).toBeGreaterThan(0);
      for (const list of Object.values(theirs)) list.sort();
      expect(Object.fromEntries(info.attributes.map((one) => [one.name, one.types]))).toEqual(theirs);
      for (const { name: type, attributes } of info.types)
        expect([type, attributes]).toEqual([
          type,
          Object.keys(theirs)
            .filter((one) => theirs[one]?.includes(type))
            .sort(),
        ]);
    },
  );
});
