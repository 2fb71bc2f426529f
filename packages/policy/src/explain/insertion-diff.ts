/**
 * Unified diffs of texts to which lines are added.
 *
 * @module
 */
import type { SourceText } from '../text/index.ts';
import type { Placement } from './place-statement.ts';

/** Lines to add at a place. */
export interface Insertion {
  readonly place: Placement;
  readonly lines: readonly string[];
}

const CONTEXT = 3;
const NO_NEWLINE = '\\ No newline at end of file';

/** The line end of a text: that of its first line. */
function lineEnd(text: string): string {
  const at = text.indexOf('\n');
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n';
}

/** Insertions in the order of their places; those of one place follow each other. */
function inOrder(insertions: readonly Insertion[]): Insertion[] {
  return insertions.toSorted((a, b) => a.place.offset - b.place.offset);
}

/** A text with lines added. All insertions are into this text. */
export function withInsertions({ text }: SourceText, insertions: readonly Insertion[]): string {
  const end = lineEnd(text);
  let out = '';
  let from = 0;
  for (const { place, lines } of inOrder(insertions)) {
    out += text.slice(from, place.offset);
    if (out !== '' && !out.endsWith('\n')) out += end;
    out += lines.map((line) => `${line}${end}`).join('');
    from = place.offset;
  }
  return out + text.slice(from);
}

/** The change as a unified diff, without the ends of its lines. Takes one file at a time. */
export function insertionDiff(source: SourceText, insertions: readonly Insertion[]): string[] {
  const old = source.text.split('\n');
  const endsWithNewline = source.text.endsWith('\n');
  if (endsWithNewline || source.text === '') old.pop();
  const carriage = lineEnd(source.text).slice(0, -1);
  /** Old lines before each place, and what is added there. */
  const places = inOrder(insertions).map(({ place, lines }) => ({ before: place.line - 1, lines }));
  const isRelative = !/^[/\\]/.test(source.name);
  const out = [`--- ${isRelative ? 'a/' : ''}${source.name}`, `+++ ${isRelative ? 'b/' : ''}${source.name}`];
  let added = 0;
  for (let i = 0; i < places.length; ) {
    let last = i;
    while ((places[last + 1]?.before ?? Number.POSITIVE_INFINITY) - (places[last]?.before ?? 0) <= 2 * CONTEXT) last++;
    const hunk = places.slice(i, last + 1);
    const from = Math.max(0, (hunk[0]?.before ?? 0) - CONTEXT);
    const to = Math.min(old.length, (hunk.at(-1)?.before ?? 0) + CONTEXT);
    const body: string[] = [];
    const isBehindOpenEnd = !endsWithNewline && hunk.some(({ before }) => before === old.length);
    for (let line = from; line <= to; line++) {
      for (const { before, lines } of hunk) if (before === line) body.push(...lines.map((one) => `+${one}${carriage}`));
      if (line === to) break;
      const text = old[line] ?? '';
      if (endsWithNewline || line < old.length - 1) body.push(` ${text}`);
      else if (isBehindOpenEnd) body.push(`-${text}`, NO_NEWLINE, `+${text}${carriage}`);
      else body.push(` ${text}`, NO_NEWLINE);
    }
    const count = hunk.reduce((sum, { lines }) => sum + lines.length, 0);
    const start = to === from ? from : from + 1;
    out.push(`@@ -${start},${to - from} +${from + added + 1},${to - from + count} @@`, ...body);
    added += count;
    i = last + 1;
  }
  return out;
}
