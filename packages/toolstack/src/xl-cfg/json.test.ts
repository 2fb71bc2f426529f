/** JSON as libxl prints it: what is read is printed again as it was. */
import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { compactJson, type JsonValue, parseJson, plainJson, printJson } from './json.ts';

const values: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) }),
    fc.maxSafeInteger(),
    fc.bigInt(2n ** 60n, 2n ** 64n - 1n),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 3 }).map((members) => ({ members })),
  ),
})).value;

test.prop([values])('a value that was printed, in many lines or in one, is read as it was', (value) => {
  expect(parseJson(printJson(value))).toEqual(value);
  expect(parseJson(compactJson(value))).toEqual(value);
  expect(JSON.stringify(JSON.parse(compactJson(value)))).toBe(JSON.stringify(JSON.parse(printJson(value))));
});

test('members keep their order, and numbers all their digits', () => {
  const text = '{"b":18446744073709551615,"a":[1,-2.5],"b":""}';
  expect(compactJson(parseJson(text) ?? null)).toBe(text);
});

test('a member of any name is a member', () => {
  const plain = plainJson(parseJson('{"__proto__":{"a":1}}') ?? null);
  expect(Object.keys(Object(plain))).toEqual(['__proto__']);
});

test.each([
  '',
  '{',
  '[1,]',
  '{"a":1,}',
  '{"a" 1}',
  '{1:2}',
  '"a',
  '"\\x"',
  '"\\',
  'nul',
  '1 2',
  '[1]]',
  '-',
  '1e999',
  '01x',
  `${'['.repeat(100_000)}`,
  `${'['.repeat(40)}${']'.repeat(40)}`,
  ' '.repeat(2 ** 24 + 1),
])('%j is none', (text) => {
  expect(parseJson(text)).toBeUndefined();
});
