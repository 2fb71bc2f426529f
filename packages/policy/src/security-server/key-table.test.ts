import { expect, test } from 'vitest';
import { KeyTable, typePair } from './key-table.ts';

/** Keys that a policy could have, and some that only differ in one of the words. */
function* keys(count: number): Generator<readonly [pair: number, word: number]> {
  for (let i = 0; i < count; i++) yield [typePair(1 + (i % 37), 1 + ((i * 7) % 41)), 1 + ((i * i) % 53)];
}

test.each([
  ['as many as were expected', 3000],
  ['more than were expected: the table grows', 0],
  ['a few', 9],
])('keys have the numbers in which a map would hold them: %s', (_, expected) => {
  const table = new KeyTable(expected);
  const map = new Map<string, number>();
  for (const [pair, word] of keys(3000)) {
    const key = `${pair} ${word}`;
    const known = map.get(key);
    expect(table.find(pair, word)).toBe(known ?? -1);
    expect(table.add(pair, word)).toBe(known ?? map.size);
    if (known === undefined) map.set(key, map.size);
    expect(table.count).toBe(map.size);
    expect(table.find(pair, word + 100)).toBe(-1);
  }
  expect(map.size).toBeGreaterThan(1000);
  for (const [key, number] of map) {
    const [pair = 0, word = 0] = key.split(' ').map(Number);
    expect(table.find(pair, word)).toBe(number);
  }
});

test('source and target take a half each', () => {
  expect(typePair(1, 2)).toBe(0x20001);
  expect(typePair(0xffff, 0xffff)).toBe(0xffffffff);
});
