/**
 * Access vectors, contexts of new objects and valid contexts: Dewar decides as libsepol does, but for the known
 * differences, where Dewar decides as Xen does.
 *
 * `decisions.sha256` was recorded from answers that libsepol had confirmed; where the library is installed it is asked
 * again. `compare.ts` asks in volume.
 */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { compareWith } from './comparison.ts';
import { KNOWN_DIFFERENCES } from './known-differences.ts';
import { sepolReference } from './sepol-reference.ts';
import { digestOf, recordedDigests, suite } from './suite.ts';

const reference = sepolReference();
afterAll(() => {
  if ('dispose' in reference) reference.dispose();
});

const digests = new Map(
  readFileSync(recordedDigests, 'latin1')
    .trim()
    .split('\n')
    .map((line) => [line.slice(65), line.slice(0, 64)]),
);
const entries = suite();

describe('decisions', () => {
  test('are asked for a hundred thousand times', () => {
    const count = entries.reduce((sum, { asked }) => sum + asked.questions.length, 0);
    expect(count).toBeGreaterThanOrEqual(100_000);
  });

  test('are of every kind, and both given and refused', () => {
    const answers = entries.flatMap(({ asked }) =>
      asked.questions.map(({ kind }, i) => [kind, asked.ours[i] ?? ''] as const),
    );
    for (const kind of ['c', 't', 'm', 'h']) {
      const refused = answers.filter(([of, answer]) => of === kind && (answer === '-' || answer === '0')).length;
      const given = answers.filter(([of]) => of === kind).length - refused;
      expect(Math.min(refused, given), kind).toBeGreaterThan(100);
    }
    const vectors = answers.filter(([kind]) => kind === 'a').map(([, answer]) => answer);
    expect(vectors.filter((answer) => !answer.startsWith('0 ')).length).toBeGreaterThan(10_000);
    expect(vectors.filter((answer) => answer.startsWith('0 ')).length).toBeGreaterThan(10_000);
    expect(vectors.filter((answer) => !answer.endsWith(' 0 ffffffff')).length).toBeGreaterThan(5000);
  });

  test.each(entries)('about $name are those recorded', ({ name, asked }) => {
    expect(digestOf(asked.ours)).toBe(digests.get(name));
  });

  test.for(entries)('about $name are those of libsepol', ({ subject, asked }, { skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    expect(compareWith(reference, subject, asked).differences).toEqual([]);
  });

  test('differ from libsepol only in ways that are written down', () => {
    const page = readFileSync(new URL('differences.md', import.meta.url), 'utf8');
    const headings = [...page.matchAll(/^## `([a-z-]+)`$/gm)].map(([, name]) => name);
    expect(headings).toEqual(expect.arrayContaining([...KNOWN_DIFFERENCES]));
  });
});
