/** Auditing changes what is logged, and nothing that is decided. */
import { compileDirectory } from '@dewar/policy/compiler';
import { readPolicydb } from '@dewar/policy/policydb';
import { PolicyView } from '@dewar/policy/security-server';
import { examplePolicy } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { auditPolicy, NOT_AUDITED } from './audit-policy.ts';

function viewOf(bytes: Uint8Array | undefined): PolicyView {
  const read = readPolicydb(bytes ?? new Uint8Array());
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  return new PolicyView(read.policy);
}

const { bytes = new Uint8Array() } = compileDirectory(examplePolicy(), { release: '4.17' });
const before = viewOf(bytes);
const after = viewOf(auditPolicy(bytes).bytes);
const types = before.policy.types.entries.filter(({ kind }) => kind === 'type').map(({ value }) => value);

test('all that is granted is audited, but for what would drown the log; all decisions are as before', () => {
  let audited = 0;
  for (const flips of [false, true]) {
    for (const view of [before, after]) {
      for (const { value, state } of view.policy.booleans.entries) view.booleans[value] = state !== flips;
      view.applyBooleans();
    }
    for (const source of types) {
      for (const target of types) {
        for (const { name, value, permissions } of before.policy.classes.entries) {
          const [old, now] = [before, after].map((view) => view.ruleVectors(source, target, value));
          const bits = (view: typeof old): unknown => [name, (view?.allowed ?? 0) >>> 0, (view?.auditDeny ?? 0) >>> 0];
          expect(bits(now)).toEqual(bits(old));
          const left = permissions.filter((one) => NOT_AUDITED[name]?.includes(one.name) === true);
          const mask = left.reduce((bits, one) => bits | (1 << (one.value - 1)), 0);
          const wanted = ((old?.allowed ?? 0) & ~mask) >>> 0;
          expect(((now?.auditAllow ?? 0) & wanted) >>> 0).toBe(wanted);
          if (wanted !== 0) audited++;
        }
      }
    }
  }
  expect(audited).toBeGreaterThan(100);
});

test('only rules that concern the chosen types are audited', () => {
  const view = viewOf(auditPolicy(bytes, { types: ['nomigrate_t'] }).bytes);
  const value = (name: string): number => view.policy.types.byName.get(name)?.value ?? 0;
  const domain = view.policy.classes.byName.get('domain')?.value ?? 0;
  const audit = (target: string): number => view.ruleVectors(value('dom0_t'), value(target), domain).auditAllow;
  expect(audit('nomigrate_t')).not.toBe(0);
  expect(audit('domU_t')).toBe(0);
});

test('what is no policy is no audited policy either', () => {
  expect(auditPolicy(Buffer.from('no policy at all')).diagnostics.map(({ code }) => code)).toEqual([
    'policydb/bad-magic',
  ]);
});
