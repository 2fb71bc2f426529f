import { expect, test } from 'vitest';
import { maxMemoryMib } from './xenstore-memory.ts';

/** A host with 2 GiB. */
const PAGES = 2 * 1024 * 256;

test.each([
  ['32', 32],
  ['1/64', 32],
  ['16:1/64', 32],
  ['1/64:48', 48],
  ['1/3', 682],
  [' +9', 9],
  ['', 0],
])('%j is the size, the share or the larger of both', (text, mib) => {
  expect(maxMemoryMib(text, PAGES)).toBe(mib);
});

// Each follows from the loop of `parse_maxmem`: one size and one share, no number 0, nothing after a number but `:` and `/`.
test.each([
  '0',
  'x',
  '8M',
  '-8',
  '8:',
  ':8',
  '8:9',
  '1/2:1/3',
  '1/2/3',
  '1/',
  '/2',
  '0/4',
  '1/0',
  '8:1',
  '2097151',
  '2000000/1',
])('%j is illegal', (text) => {
  expect(maxMemoryMib(text, PAGES)).toBeUndefined();
});
