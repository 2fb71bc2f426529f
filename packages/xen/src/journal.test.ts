/** The journal tells of every change, also of one that never ended. */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Journal } from './journal.ts';
import { PolicyStore } from './policy-store.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dewar-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a change that was begun and ended is told with how it went', () => {
  const journal = new Journal(join(folder, 'host'));
  expect(journal.read()).toEqual([]);
  journal.begin('destroy', { domain: 'a' }).end('failed', { problem: 'denied' });
  journal.begin('create', { name: 'b' });
  expect(
    journal.read().map(({ operation, outcome, details, result }) => [operation, outcome, details, result]),
  ).toEqual([
    ['destroy', 'failed', { domain: 'a' }, { problem: 'denied' }],
    ['create', 'unfinished', { name: 'b' }, {}],
  ]);
});

test('lines that are no entries are passed over', () => {
  const journal = new Journal(folder);
  journal.begin('pause', { domain: 'a' }).end('done');
  appendFileSync(join(folder, 'journal.jsonl'), 'half a li\n[1]\n{"id":7}\n{"id":"x","outcome":"done"}\n');
  expect(journal.read().map(({ operation }) => operation)).toEqual(['pause']);
});

test('half a line, which a full disk leaves, does not take the next change with it', () => {
  const journal = new Journal(folder);
  journal.begin('pause', { domain: 'a' }).end('done');
  appendFileSync(join(folder, 'journal.jsonl'), '{"id":"x","outc');
  journal.begin('destroy', { domain: 'b' }).end('done');
  expect(journal.read().map(({ operation, outcome }) => [operation, outcome])).toEqual([
    ['pause', 'done'],
    ['destroy', 'done'],
  ]);
});

test('a journal that cannot be read is not one without changes', () => {
  mkdirSync(join(folder, 'journal.jsonl'));
  expect(() => new Journal(folder).read()).toThrow();
});

test('a journal that cannot be written stops the change', () => {
  appendFileSync(join(folder, 'file'), '');
  expect(() => new Journal(join(folder, 'file')).begin('create', {})).toThrow();
});

test('a policy is given back only as it was kept', () => {
  const store = new PolicyStore(folder);
  const hash = store.keep(Buffer.from('policy'));
  expect(Buffer.from(store.read(hash) ?? []).toString()).toBe('policy');
  expect(store.loaded).toBeUndefined();
  store.remember({ boot: 'b', sha256: hash, name: 'p', seqno: 3, previous: undefined });
  expect(store.loaded).toEqual({ boot: 'b', sha256: hash, name: 'p', seqno: 3 });
  appendFileSync(join(folder, 'policies', `${hash}.policy`), '!');
  expect(store.read(hash)).toBeUndefined();
});
