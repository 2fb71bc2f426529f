/** Auditing changes what is logged, and nothing that is decided. */
import { compileDirectory } from '@dewar/policy/compiler';
import { readPolicydb } from '@dewar/policy/policydb';
import { PolicyView } from '@dewar/policy/security-server';
import { examplePolicy } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { type AuditedCheck, auditPolicy, NOT_AUDITED, whyNotTold } from './audit-policy.ts';

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

test('all that concerns the chosen types is audited, and nothing else', () => {
  const view = viewOf(auditPolicy(bytes, { types: ['nomigrate_t'] }).bytes);
  const chosen = view.policy.types.byName.get('nomigrate_t')?.value;
  for (const source of types) {
    for (const target of types) {
      for (const { name, value: tclass } of before.policy.classes.entries) {
        const audits = [before, after, view].map(
          (one) => (one.ruleVectors(source, target, tclass)?.auditAllow ?? 0) >>> 0,
        );
        const [plain, whole, some] = audits;
        const allowed = (before.ruleVectors(source, target, tclass)?.allowed ?? 0) >>> 0;
        if (source === chosen || target === chosen) expect((some ?? 0) & allowed).toBe((whole ?? 0) & allowed);
        else if (name !== 'security') expect(some).toBe(plain);
      }
    }
  }
  const value = (name: string): number => view.policy.types.byName.get(name)?.value ?? 0;
  const domain = view.policy.classes.byName.get('domain')?.value ?? 0;
  const audit = (target: string): number => view.ruleVectors(value('dom0_t'), value(target), domain).auditAllow;
  expect(audit('nomigrate_t')).not.toBe(0);
  expect(audit('domU_t')).toBe(0);
});

test('of chosen checks only those are audited that a log tells of, between the types that were named', () => {
  const checks: readonly AuditedCheck[] = [
    { class: 'domain', permissions: ['pause', 'destroy', 'getdomaininfo'], source: 'dom0_t', target: 'nomigrate_t' },
    { class: 'grant', permissions: ['map_read'], target: 'domU_t' },
    { class: 'mmu', permissions: ['adjust', 'map_read'] },
    { class: 'domain', permissions: ['no_such', 'pause'], source: 'no_such_t' },
    { class: 'no_such', permissions: ['pause'] },
  ];
  const view = viewOf(auditPolicy(bytes, { checks }).bytes);
  const nameOf = new Map(view.policy.types.entries.map(({ value, name }) => [value, name]));
  const isChosen = (source: string, target: string, tclass: string, permission: string): boolean =>
    tclass === 'security' ||
    checks.some(
      (one) =>
        one.class === tclass &&
        one.permissions.includes(permission) &&
        (one.source ?? source) === source &&
        (one.target ?? target) === target &&
        whyNotTold(one, permission) === undefined,
    );
  let audited = 0;
  for (const source of types) {
    for (const target of types) {
      for (const { name, value, permissions } of before.policy.classes.entries) {
        const [old, now] = [before, view].map((one) => one.ruleVectors(source, target, value));
        const more = ((now?.auditAllow ?? 0) & ~(old?.auditAllow ?? 0)) >>> 0;
        // With other booleans more may be allowed, and is audited all the same.
        for (const { name: permission, value: bit } of permissions) {
          const is = ((more >>> (bit - 1)) & 1) === 1;
          const chosen = isChosen(nameOf.get(source) ?? '', nameOf.get(target) ?? '', name, permission);
          if (is) audited++;
          if (is) expect([name, permission, chosen]).toEqual([name, permission, true]);
          const isPlain = (((old?.auditAllow ?? 0) >>> (bit - 1)) & 1) === 1;
          const isAllowed = (((old?.allowed ?? 0) >>> (bit - 1)) & 1) === 1;
          if (chosen && isAllowed && !isPlain) expect([name, permission, is]).toEqual([name, permission, true]);
        }
      }
    }
  }
  expect(audited).toBeGreaterThan(10);
});

test('each permission that auditing leaves out is left out when it is chosen, too, with the reason', () => {
  const told = Object.entries(NOT_AUDITED).flatMap(([name, permissions]) =>
    permissions.filter((one) => whyNotTold({ class: name, permissions }, one) === undefined),
  );
  expect(told).toEqual([]);
  expect(whyNotTold({ class: 'mmu', permissions: [], source: 'dom0_t', target: 'dom0_t' }, 'pinpage')).toContain(
    'a kernel',
  );
});

test('what is no policy is no audited policy either', () => {
  expect(auditPolicy(Buffer.from('no policy at all')).diagnostics.map(({ code }) => code)).toEqual([
    'policydb/bad-magic',
  ]);
});
