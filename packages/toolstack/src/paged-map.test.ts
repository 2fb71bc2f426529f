/** `PagedMap` beside a plain map: the same records in order, whatever was read of it, and no page that was left alone is written. */
import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { type KeptPage, KeptPageError, MapSlice, PagedMap, type RecordForm } from './paged-map.ts';

interface Item {
  value: number;
}

/** A record knows its number, so that it need not be written. */
const FORM: RecordForm<number, Item> = {
  write: ({ value }) => [value],
  read: (value) => (Array.isArray(value) && typeof value[0] === 'number' ? { value: value[0] } : undefined),
};
const WIDE: RecordForm<number, Item> = { ...FORM, pageOf: (key) => Math.floor(key / 1000) };

const key = fc.oneof(fc.nat(200), fc.nat(5000), fc.integer({ min: 2 ** 40, max: 2 ** 40 + 99 }));
const asked = fc.array(
  fc.oneof(
    fc.record({ verb: fc.constant('set'), key, value: fc.nat() }),
    fc.record({ verb: fc.constantFrom('delete', 'look', 'change', 'keep', 'add'), key }),
  ),
  { maxLength: 200 },
);

/** The pages of a map with others put over them. */
function overlaid(pages: readonly KeptPage[], changed: readonly KeptPage[]): KeptPage[] {
  return [...new Map([...pages, ...changed].map((one) => [one.page, one])).values()];
}

describe.each([
  ['even pages', FORM],
  ['pages of their own', WIDE],
])('%s', (_, form) => {
  property.prop([asked], { numRuns: 200 })(
    'it is a map, in the order of the numbers, however it is kept',
    (requests) => {
      const model = new Map<number, number>();
      let kept: readonly KeptPage[] = [];
      let map = new PagedMap<number, Item>(form);
      for (const request of requests) {
        const { key: one } = request;
        if ('value' in request) {
          model.set(one, request.value);
          map.set(one, { value: request.value });
        } else if (request.verb === 'delete') expect(map.delete(one)).toBe(model.delete(one));
        else if (request.verb === 'look') {
          expect(map.look(one)?.value).toBe(model.get(one));
          expect(map.has(one)).toBe(model.has(one));
        } else if (request.verb === 'change') {
          const found = map.get(one);
          expect(found?.value).toBe(model.get(one));
          if (found === undefined) continue;
          found.value++;
          model.set(one, found.value);
        } else if (request.verb === 'keep') {
          kept = map.kept();
          map = new PagedMap(form, kept);
        } else {
          kept = overlaid(kept, map.changed());
          map = new PagedMap(form, kept);
        }
        expect(map.size).toBe(model.size);
      }
      const all = [...model].sort(([a], [b]) => a - b);
      const [low, high] = [100, 3000];
      const some = all.filter(([one]) => one >= low && one < high);
      expect([...map.keys(low, high)]).toEqual(some.map(([one]) => one));
      expect([...map.within(low, high)].map(({ value }) => value)).toEqual(some.map(([, value]) => value));
      expect([...map.values()].map(({ value }) => value)).toEqual(all.map(([, value]) => value));
      expect([...new PagedMap(form, map.kept()).keys()]).toEqual(all.map(([one]) => one));
    },
  );
});

function filled(count: number): PagedMap<number, Item> {
  const map = new PagedMap<number, Item>(FORM);
  for (let i = 0; i < count; i++) map.set(i, { value: i });
  return map;
}

test('a page is read when one of its records is asked for, and written when one may have changed', () => {
  let reads = 0;
  const pages = filled(640)
    .kept()
    .map(({ page, count, text }) => ({
      page,
      count,
      get text() {
        reads++;
        return text;
      },
    }));
  const map = new PagedMap(FORM, pages);
  expect([map.size, reads]).toEqual([640, 0]);
  expect(map.look(70)?.value).toBe(70);
  expect([reads, map.changed()]).toEqual([1, []]);
  expect([...map.keys(0, 128)]).toHaveLength(128);
  expect([reads, map.changed()]).toEqual([2, []]);
  const found = map.get(300);
  expect(found).toBeDefined();
  expect([reads, map.changed().map(({ page }) => page)]).toEqual([3, [4]]);
  for (let i = 64; i < 128; i++) map.delete(i);
  expect(map.changed().map(({ page, count }) => [page, count])).toEqual([
    [1, 0],
    [4, 64],
  ]);
  expect(map.kept().map(({ page }) => page)).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a record that was handed out may change after its page was written', () => {
  const map = new PagedMap(FORM, filled(3).kept());
  const found = map.get(1);
  map.kept();
  if (found !== undefined) found.value = 7;
  expect(map.kept()[0]?.text).toBe('[0,[0],1,[7],2,[2]]');
});

test.each([
  ['no JSON', '[0,[1]'],
  ['no list', '{}'],
  ['another number of records', '[0,[1],1,[2]]'],
  ['a number of another page', '[64,[1]]'],
  ['a number that is none', '["0",[1]]'],
  ['no record', '[0,"1"]'],
])('a page that holds %s is told of when it is asked for', (_, text) => {
  const map = new PagedMap(FORM, [{ page: 0, count: 1, text }]);
  expect(() => map.look(0)).toThrow(KeptPageError);
  expect(() => [...map.values()]).toThrow(KeptPageError);
});

test('numbers are in their order in a page, and pages have one number each', () => {
  expect(() => new PagedMap(FORM, [{ page: 0, count: 2, text: '[1,[1],0,[0]]' }]).look(0)).toThrow(KeptPageError);
  const page = { page: 0, count: 1, text: '[0,[1]]' };
  expect(() => new PagedMap(FORM, [page, page])).toThrow(KeptPageError);
  expect(() => new PagedMap(FORM).set(-1, { value: 0 })).toThrow(RangeError);
});

test('a slice sees the numbers of its owner alone', () => {
  const map = new PagedMap<number, Item>(FORM);
  const [first, second] = [new MapSlice(map, 0, 100), new MapSlice(map, 1, 100)];
  first.set(99, { value: 1 });
  second.set(0, { value: 2 }).set(5, { value: 3 });
  expect([first.has(0), first.has(100), second.has(0), second.get(5)?.value]).toEqual([false, false, true, 3]);
  expect([...first.values()].map(({ value }) => value)).toEqual([1]);
  second.clear();
  expect([[...second.values()].length, map.size, second.delete(0), first.delete(99)]).toEqual([0, 1, false, true]);
  expect(() => first.set(100, { value: 1 })).toThrow(RangeError);
});
