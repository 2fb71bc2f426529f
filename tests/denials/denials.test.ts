/** Each operation without each of its permissions, as real Xen 4.17.5 was seen to do it. */
import { expect, test } from 'vitest';
import { DIFFERENCES } from './differences.ts';
import { OPERATIONS } from './operations.ts';
import { NOTHING, variants } from './permissions.ts';
import { compare, RECORDED, recordingsOf } from './recordings.ts';

test.each(RECORDED)(
  '`%s` without a permission: xl says the same, the same is denied, and the same stays',
  { timeout: 60_000 },
  async (operation) => {
    for (const { missing, course, simulated, isSame, reason } of await compare(operation)) {
      if (reason === undefined) expect([missing, simulated]).toEqual([missing, course]);
      // What differs no longer is no longer listed.
      else expect([missing, isSame]).toEqual([missing, false]);
    }
  },
);

test('where nothing is missing, nothing is denied and nothing fails', () => {
  const controls = RECORDED.flatMap(recordingsOf).filter(({ missing }) => missing === NOTHING);
  for (const { operation, course } of controls) {
    expect([operation, course.exitCode, course.denials]).toEqual([operation, 0, []]);
  }
});

test('all operations without a permission are recorded', async () => {
  const keys = new Set(RECORDED.flatMap(recordingsOf).map(({ operation, missing }) => `${operation} ${missing}`));
  const chosen = (await variants()).map(({ operation, missing }) => `${operation} ${missing}`);
  expect(chosen.filter((variant) => !keys.has(variant))).toEqual([]);
  expect(Object.keys(DIFFERENCES).filter((variant) => !keys.has(variant))).toEqual([]);
  expect(RECORDED.filter((operation) => OPERATIONS[operation] === undefined)).toEqual([]);
});
