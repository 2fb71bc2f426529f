import { expect, test } from 'vitest';
import { compileText } from '../compiler/index.ts';
import { readPolicydb } from '../policydb/index.ts';
import { SourceText } from '../text/index.ts';
import { policyText } from './fixtures/policy-text.ts';
import { PolicyView } from './index.ts';

function viewOf(isMls: boolean): PolicyView {
  const { bytes = new Uint8Array() } = compileText(new SourceText('test.conf', policyText({ isMls })), { isMls });
  const read = readPolicydb(bytes);
  if ('diagnostic' in read) throw new Error(read.diagnostic.message);
  return new PolicyView(read.policy);
}

const plain = viewOf(false);
const mls = viewOf(true);

/** The context as Xen would print it again, or what is wrong with it. */
function shown(view: PolicyView, text: string): string {
  const context = view.parse(text);
  return 'part' in context ? `${context.part}: ${context.message}` : view.text(context);
}

test('one byte behind the NUL that ends a range is one too many', () => {
  const ends = 'range: the context goes on after its range';
  for (const range of ['s0', 's0:c1', 's0-s1', 's0-s1:c1']) {
    const text = `customer_1:vm_r:guest_t:${range}`;
    expect(shown(mls, text)).toBe(text);
    expect(shown(mls, `${text}\0`)).toBe(text);
    expect(shown(mls, `${text}\0x`)).toBe(ends);
    expect(shown(mls, `${text}\0xy`)).toBe(ends);
  }
});

test('one byte behind the type is too many, but for a lone separator', () => {
  const text = 'customer_1:vm_r:guest_t';
  expect([shown(plain, text), shown(plain, `${text}:`), shown(plain, `${text}\0`)]).toEqual([text, text, text]);
  for (const more of [':x', '\0x', '::']) {
    expect(shown(plain, `${text}${more}`)).toBe('range: the policy has no MLS, and the context has a range');
  }
});

test('a category that does not exist is named as it is written, and may be empty', () => {
  const said = (range: string): string => shown(mls, `customer_1:vm_r:guest_t:${range}`);
  expect(said('s1:.c1')).toBe('range: the policy has no category ``');
  expect(said('s1:c1.')).toBe('range: the policy has no category ``');
  expect(said('s1:c99.c1')).toBe('range: the policy has no category `c99`');
});

test('a context may be 4096 bytes long, and no longer', () => {
  expect(shown(plain, 'x'.repeat(4096))).toMatch(/has not the form/);
  expect(shown(plain, 'x'.repeat(4097))).toBe('form: the context is longer than 4096 bytes');
});

test('categories are written as ranges where three or more follow each other', () => {
  const written = (range: string): string =>
    shown(mls, `customer_1:vm_r:guest_t:${range}`).split(':').slice(3).join(':');
  expect(written('s1:c0,c1')).toBe('s1:c0,c1');
  expect(written('s1:c0,c1,c2')).toBe('s1:c0.c2');
  expect(written('s1:c0,c2.c4')).toBe('s1:c0,c2.c4');
  expect(written('s1:c4,c2,c0')).toBe('s1:c0,c2,c4');
  expect(written('s1:c3.c4')).toBe('s1:c3,c4');
});

test('each number of a context must name something', () => {
  const context = plain.parse('customer_1:vm_r:guest_t');
  if ('part' in context) throw new Error(context.message);
  expect(plain.fault(context)).toBeUndefined();
  for (const wrong of [{ user: 999 }, { role: 999 }, { type: 999 }, { role: 999, type: 999 }]) {
    expect(plain.fault({ ...context, ...wrong })?.part).toBe('form');
  }
});

test('names that do not go together are read, though the context is not valid', () => {
  expect(shown(plain, 'customer_1:vm_r:dom0_t')).toBe('type: role `vm_r` may not have type `dom0_t`');
  const context = plain.read('customer_1:vm_r:dom0_t');
  expect(context && plain.text(context)).toBe('customer_1:vm_r:dom0_t');
  expect(plain.read('customer_1:vm_r:nosuch_t')).toBeUndefined();
  expect(mls.read('customer_1:vm_r:guest_t:s9')).toBeUndefined();
});
