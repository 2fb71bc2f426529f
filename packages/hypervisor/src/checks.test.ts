import { xenRelease } from '@dewar/policy/releases';
import { expect, test } from 'vitest';
import { CHECKS, type CheckRow } from './checks.ts';

const rows: readonly (readonly [string, CheckRow])[] = Object.entries(CHECKS).flatMap(([name, list]) =>
  list.map((row) => [name, row] as const),
);

test('every check names a class and permissions that Xen 4.17 has', () => {
  const classes = new Map(xenRelease('4.17').classes.map(({ name, permissions }) => [name, permissions]));
  for (const [name, row] of rows) {
    const known = classes.get(row.class) ?? [];
    expect([name, row.permissions.filter((permission) => !known.includes(permission))]).toEqual([name, []]);
    expect(row.permissions.length).toBeGreaterThan(0);
  }
});

test('the permissions of one check stand in the order of their bits, as the avc line prints them', () => {
  const classes = new Map(xenRelease('4.17').classes.map(({ name, permissions }) => [name, permissions]));
  for (const [name, row] of rows) {
    const bits = row.permissions.map((permission) => classes.get(row.class)?.indexOf(permission) ?? -1);
    expect([name, bits]).toEqual([name, [...bits].sort((a, b) => a - b)]);
  }
});

test('a check that names both domains is about a domain; one on Xen or the security server names the caller alone', () => {
  for (const [name, row] of rows) {
    if (row.target === 'xen' || row.target === 'security') expect([name, row.audit]).toEqual([name, 'current']);
    if (row.target === 'target') expect([name, row.audit]).toEqual([name, 'domains']);
  }
});

test('checks of a later part of a hypercall stand after those of its entry', () => {
  for (const [name, list] of Object.entries(CHECKS)) {
    const stages = list.map(({ stage }) => stage);
    expect([name, stages.lastIndexOf('entry')]).toEqual([name, stages.filter((stage) => stage === 'entry').length - 1]);
  }
});
