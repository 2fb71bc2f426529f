/**
 * The table of ways: that it speaks of what the release of Xen has, and says what each way rests on.
 */
import { expect, test } from 'vitest';
import { BASELINE_RELEASE, xenRelease } from '../../releases/index.ts';
import { MEMORY_WAYS, waysThatNeed } from './memory-ways.ts';

test('every check of a way is of a class and permissions that Xen 4.17 has', () => {
  const known = new Map(xenRelease(BASELINE_RELEASE).classes.map((one) => [one.name, one.permissions]));
  const unknown = MEMORY_WAYS.flatMap(({ name, checks }) =>
    checks.flatMap((one) =>
      one.permissions
        .filter((permission) => known.get(one.class)?.includes(permission) !== true)
        .map((permission) => `${name}: ${one.class} ${permission}`),
    ),
  );
  expect(unknown).toEqual([]);
});

test('a way has a name of its own, a check and a function of Xen that it rests on', () => {
  expect(new Set(MEMORY_WAYS.map(({ name }) => name)).size).toBe(MEMORY_WAYS.length);
  for (const { checks, restsOn } of MEMORY_WAYS) {
    expect(checks.length).toBeGreaterThan(0);
    expect(restsOn).toMatch(/^xen\/\S+\.c \S+/u);
  }
});

test('what ends or changes the policy is a power without a guest', () => {
  const meta = ['load_policy', 'setenforce', 'setbool'].flatMap((one) => waysThatNeed('security', one));
  expect(meta.map(({ gives }) => gives.kind)).toEqual(['policy', 'policy', 'booleans']);
});

test('a permission is found in every way that needs it', () => {
  expect(waysThatNeed('mmu', 'map_read').map(({ name }) => name)).toEqual([
    'map-read',
    'map-write',
    'page-tables',
    'page-owner-read',
    'page-owner-write',
  ]);
  expect(waysThatNeed('security', 'setsecparam')).toEqual([]);
});
