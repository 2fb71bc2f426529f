/** What is asked of the rules behind labels is the same of a policy as it was compiled and as it is read back. */
import { examplePolicy } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { compileDirectory } from '../compiler/index.ts';
import { type PolicyDb, permissionsOf, readPolicydb } from '../policydb/index.ts';
import { xenRelease } from '../releases/index.ts';
import { PolicyView } from '../security-server/index.ts';
import { creatableTypes, ownersWithoutChannelType, sourceTypes } from './label-faults.ts';
import { permissionBit, type Subject } from './subject.ts';

const { policy: written, bytes } = compileDirectory(
  examplePolicy({
    'modules/domU.te': (text) =>
      `${text}\nattribute spare_type;\nallow spare_type domU_t:domain { create destroy };\nallow { domain_type -dom0_t } self:event reset;\n`,
  }),
);
const read = readPolicydb(bytes ?? new Uint8Array());
if (written === undefined || 'diagnostic' in read) throw new Error('the policy does not compile');

const subjectOf = (policy: PolicyDb): Subject => ({
  view: new PolicyView(policy),
  release: xenRelease('4.17'),
  source: undefined,
  hasHostBooleans: false,
});
const [asWritten, asRead] = [subjectOf(written), subjectOf(read.policy)];
const types = read.policy.types.entries.filter(({ kind }) => kind === 'type').map(({ value }) => value);

describe('the same is said of', () => {
  test('the types that domains are made with', () => {
    expect(creatableTypes(asWritten)).toEqual(creatableTypes(asRead));
    expect(creatableTypes(asRead).length).toBeGreaterThan(3);
  });

  test('who may do what to whom', () => {
    let found = 0;
    for (const tclass of read.policy.classes.entries) {
      for (const { name } of permissionsOf(read.policy, tclass)) {
        const bit = permissionBit(asRead, tclass, name);
        for (const target of types) {
          const sources = sourceTypes(asRead, target, tclass, bit);
          found += sources.length;
          expect(sourceTypes(asWritten, target, tclass, bit), `${tclass.name} ${name} ${target}`).toEqual(sources);
        }
      }
    }
    expect(found).toBeGreaterThan(1000);
  });

  test('labels of event channels that no rule made', () => {
    const object = read.policy.roles.byName.get('object_r')?.value ?? 0;
    const user = read.policy.users.entries[0]?.value ?? 0;
    const level = { sensitivity: 0, categories: read.policy.permissive };
    const answers = types.map((type) => {
      const label = { user, role: object, type, range: { low: level, high: level } };
      const owners = ownersWithoutChannelType(asRead, label);
      expect(ownersWithoutChannelType(asWritten, label)).toEqual(owners);
      return owners;
    });
    expect(answers).toContain(undefined);
    expect(answers.some((one) => one !== undefined)).toBe(true);
  });
});
