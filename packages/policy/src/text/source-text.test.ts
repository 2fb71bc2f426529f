import { expect, test } from 'vitest';
import { nearestName, SourceText } from './index.ts';

test('lines and columns count from 1, and an offset past the end counts as the end', () => {
  const source = new SourceText('a.te', 'one\n\nthree');
  expect([0, 2, 3, 4, 5, 9, 10, 99, -1].map((at) => source.positionAt(at))).toEqual([
    { line: 1, column: 1 },
    { line: 1, column: 3 },
    { line: 1, column: 4 },
    { line: 2, column: 1 },
    { line: 3, column: 1 },
    { line: 3, column: 5 },
    { line: 3, column: 6 },
    { line: 3, column: 6 },
    { line: 1, column: 1 },
  ]);
  expect([1, 2, 3, 4].map((line) => source.lineText(line))).toEqual(['one', '', 'three', '']);
});

test.each([
  ['create_domian', 'create_domain'],
  ['domU_tt', 'domU_t'],
  ['dom', undefined],
  ['domU_t', undefined],
  ['seclable', 'seclabel'],
])('the nearest name to %s is %s', (name, expected) => {
  expect(nearestName(name, ['create_domain', 'domU_t', 'seclabel', 'zz'])).toBe(expected);
});
