import { Random } from '@dewar/testkit';
import { expect, test } from 'vitest';
import { SourceText } from '../text/index.ts';
import { type Insertion, insertionDiff, withInsertions } from './insertion-diff.ts';

/** Applies a unified diff as `patch` does, without any fuzz. */
function patched(text: string, diff: readonly string[]): string {
  const old = text.split('\n');
  const out: string[] = [];
  let from = 0;
  const endsOpen = !text.endsWith('\n');
  let isOpen = endsOpen;
  if (!endsOpen || text === '') old.pop();
  for (const line of diff.slice(2)) {
    const head = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line);
    if (head !== null) {
      const start = Number(head[1]) - (head[2] === '0' ? 0 : 1);
      out.push(...old.slice(from, start));
      from = start;
      expect(out.length).toBe(Number(head[3]) - (head[4] === '0' ? 0 : 1));
    } else if (line.startsWith('+')) {
      out.push(line.slice(1));
      isOpen = false;
    } else if (line.startsWith('\\')) isOpen = true;
    else {
      expect(line.slice(1)).toBe(old[from]);
      if (line.startsWith(' ')) out.push(old[from] ?? '');
      from++;
    }
  }
  const rest = old.slice(from);
  if (rest.length > 0) isOpen = endsOpen;
  return [...out, ...rest].join('\n') + (isOpen || out.length + rest.length === 0 ? '' : '\n');
}

function insertion(source: SourceText, line: number, lines: readonly string[]): Insertion {
  const offset = source.lineStarts[line - 1] ?? source.text.length;
  return { place: { source, path: '', offset, line }, lines };
}

test('the diff shows the place with three lines around it', () => {
  const source = new SourceText('a.te', '1\n2\n3\n4\n5\n6\n7\n8\n');
  expect(insertionDiff(source, [insertion(source, 5, ['new'])])).toEqual([
    '--- a/a.te',
    '+++ b/a.te',
    '@@ -2,6 +2,7 @@',
    ' 2',
    ' 3',
    ' 4',
    '+new',
    ' 5',
    ' 6',
    ' 7',
  ]);
});

test('behind a last line without an end, that line gets one', () => {
  const source = new SourceText('a.te', '1\n2');
  const behind = insertion(source, 3, ['new']);
  expect(insertionDiff(source, [behind]).slice(2)).toEqual([
    '@@ -1,2 +1,3 @@',
    ' 1',
    '-2',
    '\\ No newline at end of file',
    '+2',
    '+new',
  ]);
  expect(withInsertions(source, [behind])).toBe('1\n2\nnew\n');
});

test('applying the diff gives the text that is written', () => {
  const random = new Random(7);
  for (let round = 0; round < 500; round++) {
    const count = random.below(30);
    const end = random.once(4) ? '\r\n' : '\n';
    let text = Array.from({ length: count }, (_, i) => `line ${i}${end}`).join('');
    if (random.once(3)) text = text.replace(/\r?\n$/, '');
    const source = new SourceText('a.te', text);
    const lines = text === '' ? 0 : text.replace(/\n$/, '').split('\n').length;
    const places = Array.from({ length: 1 + random.below(4) }, () => 1 + random.below(lines + 1));
    const insertions = places.map((line, i) => insertion(source, line, i === 0 ? ['x', 'y'] : [`z${i}`]));
    expect(patched(text, insertionDiff(source, insertions))).toBe(withInsertions(source, insertions));
  }
});
