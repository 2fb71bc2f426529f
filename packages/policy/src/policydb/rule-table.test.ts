/** A table of rules is the same whether it was read or put together, and whether its columns were asked for or not. */
import { fc, test } from '@fast-check/vitest';
import { expect, test as plainTest } from 'vitest';
import { ByteBlock, sourceOf } from './byte-source.ts';
import { FileEntries } from './file-entries.ts';
import {
  AVTAB_ALLOWED,
  AVTAB_AUDITDENY,
  AVTAB_ENABLED,
  AVTAB_TRANSITION,
  ENTRY_WORDS,
  isTypeKind,
  RuleTable,
} from './index.ts';

const rows = fc.array(
  fc.record({
    kind: fc.constantFrom(AVTAB_ALLOWED, AVTAB_AUDITDENY, AVTAB_TRANSITION),
    source: fc.integer({ min: 1, max: 0xffff }),
    target: fc.integer({ min: 1, max: 0xffff }),
    tclass: fc.oneof(fc.integer({ min: 1, max: 0xffff }), fc.constant(9)),
    data: fc.integer({ min: 0, max: 0xffffffff }),
  }),
  { maxLength: 200 },
);

type Row = Readonly<Record<'kind' | 'source' | 'target' | 'tclass' | 'data', number>>;

function tableOf(list: readonly Row[]): RuleTable {
  const table = new RuleTable();
  for (const { kind, source, target, tclass, data } of list) table.push(kind, source, target, false, tclass, data, 0);
  return table;
}

function rowsOf({ length, kind, source, target, tclass, data }: RuleTable): Row[] {
  return Array.from({ length }, (_, row) => ({
    kind: kind[row] ?? -1,
    source: source[row] ?? -1,
    target: target[row] ?? -1,
    tclass: tclass[row] ?? -1,
    data: data[row] ?? -1,
  }));
}

test.prop([rows])('rows go into words and come back', (list) => {
  const words = tableOf(list).entries();
  expect(words.length).toBe(list.length * 3);
  const read = RuleTable.ofEntries(words);
  expect(read.length).toBe(list.length);
  expect(rowsOf(read)).toEqual(list);
  expect(read.entries()).toEqual(tableOf(list).entries());
});

test.prop([rows])('the same rows are chosen out of words and out of columns', (list) => {
  const read = RuleTable.ofEntries(tableOf(list).entries());
  const isMeant = (kind: number, source: number, target: number, tclass: number, data: number): boolean =>
    kind === AVTAB_ALLOWED && ((source ^ target ^ tclass ^ data) & 1) === 1;
  const expected = list.filter((row) => isMeant(row.kind, row.source, row.target, row.tclass, row.data));
  const vectors = list.filter(({ kind }) => !isTypeKind(kind));
  expect(rowsOf(read.filter(isMeant))).toEqual(expected);
  expect(rowsOf(read.vectors())).toEqual(vectors);
  for (const { tclass } of list) {
    const ofClass = vectors.filter((one) => one.tclass === tclass);
    expect(rowsOf(read.vectorsOf(tclass))).toEqual(ofClass);
    expect(rowsOf(tableOf(list).vectorsOf(tclass))).toEqual(ofClass);
  }
  expect(rowsOf(read)).toEqual(list);
  expect(rowsOf(read.filter(isMeant))).toEqual(expected);
  expect(rowsOf(tableOf(list).filter(isMeant))).toEqual(expected);
  expect(rowsOf(tableOf(list).vectors())).toEqual(vectors);
});

/** The class of event channels in these files. */
const CHANNELS = 9;

/** The rows as they lie in a binary, which need not start where a word does. */
function fileOf(list: readonly Row[], flag: number): FileEntries {
  const all = tableOf(list).entries();
  const file = new Uint8Array(all.byteLength + 2);
  const bytes = new DataView(file.buffer, 2);
  for (const [i, word] of all.entries())
    bytes.setUint32(i * 4, i % ENTRY_WORDS === 1 ? word | (flag << 16) : word, true);
  const words = (isMeant: (row: Row) => boolean): Uint32Array => tableOf(list.filter(isMeant)).entries();
  const vectors = words(({ kind }) => !isTypeKind(kind));
  const types = words(({ kind, tclass }) => isTypeKind(kind) && tclass !== CHANNELS);
  return new FileEntries(new ByteBlock(sourceOf(file), 2, all.byteLength), flag !== 0, CHANNELS, { vectors, types });
}

test.prop([rows, fc.constantFrom(0, AVTAB_ENABLED)])('rows are the same out of the bytes of a file', (list, flag) => {
  const read = (): RuleTable => RuleTable.ofFile(fileOf(list, flag));
  expect(read().length).toBe(list.length);
  expect(rowsOf(read())).toEqual(list);
  expect(read().entries()).toEqual(tableOf(list).entries());
  expect(rowsOf(read().vectors())).toEqual(rowsOf(tableOf(list).vectors()));
  for (const kind of [AVTAB_ALLOWED, AVTAB_AUDITDENY, AVTAB_TRANSITION]) {
    const count = list.filter((one) => one.kind === kind).length;
    expect([read().countKinds().get(kind) ?? 0, tableOf(list).countKinds().get(kind) ?? 0]).toEqual([count, count]);
  }
  const isMeant = (kind: number, source: number): boolean => isTypeKind(kind) === ((source & 1) === 0);
  const table = read();
  const byClass = list.map(({ tclass }) => rowsOf(table.vectorsOf(tclass)));
  expect(byClass).toEqual(list.map(({ tclass }) => rowsOf(tableOf(list).vectorsOf(tclass))));
  expect(rowsOf(table.filter(isMeant))).toEqual(rowsOf(tableOf(list).filter(isMeant)));
  for (const { tclass } of list) {
    const types = rowsOf(read().typesAbout(tclass)).filter((one) => one.tclass === tclass && isTypeKind(one.kind));
    expect(types).toEqual(list.filter((one) => one.tclass === tclass && isTypeKind(one.kind)));
  }
  for (const { kind, source, target, tclass, data } of list) {
    const keys = [kind, source, target, tclass] as const;
    const found = [read().find(...keys), tableOf(list).find(...keys), read().find(kind, source, target, tclass ^ 1)];
    const same = list.find((one) => keys.join() === [one.kind, one.source, one.target, one.tclass].join());
    expect(found.slice(0, 2)).toEqual([same?.data, same?.data]);
    if (same?.data === data && !list.some((one) => one.tclass === (tclass ^ 1))) expect(found[2]).toBeUndefined();
  }
  expect(rowsOf(table)).toEqual(list);
  expect(rowsOf(table.vectors())).toEqual(rowsOf(tableOf(list).vectors()));
});

plainTest('what is written into a column of a table that was read is in its words', () => {
  const read = RuleTable.ofEntries(Uint32Array.of(0x0002_0001, 0x0001_0003, 5));
  read.data[0] = 7;
  expect(read.entries()).toEqual(Uint32Array.of(0x0002_0001, 0x0001_0003, 7));
});
