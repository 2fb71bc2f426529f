import { XEN_RELEASES, type XenReleaseName, xenRelease } from '@dewar/policy/releases';
import { expect, test } from 'vitest';
import type { CheckRow } from './checks.ts';
import { checksOf } from './checks-by-release.ts';

function rowsOf(release: XenReleaseName): readonly (readonly [string, CheckRow])[] {
  return Object.entries(checksOf(release)).flatMap(([name, list]) => list.map((row) => [name, row] as const));
}

const rows = rowsOf('4.17');

test.each(XEN_RELEASES)('every check of Xen %s names a class and permissions that it has', (release) => {
  const classes = new Map(xenRelease(release).classes.map(({ name, permissions }) => [name, permissions]));
  for (const [name, row] of rowsOf(release)) {
    const known = classes.get(row.class) ?? [];
    expect([name, row.permissions.filter((permission) => !known.includes(permission))]).toEqual([name, []]);
    expect(row.permissions.length).toBeGreaterThan(0);
  }
});

test.each(XEN_RELEASES)('the permissions of one check of Xen %s stand in the order of their bits', (release) => {
  const classes = new Map(xenRelease(release).classes.map(({ name, permissions }) => [name, permissions]));
  for (const [name, row] of rowsOf(release)) {
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
  for (const [name, list] of XEN_RELEASES.flatMap((release) => Object.entries(checksOf(release)))) {
    const stages = list.map(({ stage }) => stage);
    expect([name, stages.lastIndexOf('entry')]).toEqual([name, stages.filter((stage) => stage === 'entry').length - 1]);
  }
});
