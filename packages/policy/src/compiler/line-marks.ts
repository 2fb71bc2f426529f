/**
 * Where the lines of a text that m4 expanded were written, as its `#line` marks say: with `-s`, as Xen's build calls it, m4
 * puts one wherever the next line is not of the line that follows.
 *
 * Start reading at `withWrittenLines`.
 *
 * @module
 */
import { type Diagnostic, type SourceText, userSpan } from '../text/index.ts';

interface Mark {
  /** Line of the text that the mark stands in, from 1. */
  readonly at: number;
  /** File and line of what the next line is of. */
  readonly file: string;
  readonly line: number;
}

const MARK = /^#line ([0-9]{1,9})(?: "([^"\n]{1,4096})")?$/gm;

function readMarks(source: SourceText): Mark[] {
  const marks: Mark[] = [];
  let file = '';
  for (const { 1: number, 2: name, index } of source.text.matchAll(MARK)) {
    file = name ?? file;
    marks.push({ at: source.positionAt(index).line, file, line: Number(number) });
  }
  return marks;
}

/** The last mark above a line. */
function markAbove(marks: readonly Mark[], line: number): Mark | undefined {
  let low = 0;
  let high = marks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((marks[middle]?.at ?? 0) < line) low = middle + 1;
    else high = middle;
  }
  return marks[low - 1];
}

/** The diagnostics of a text, each with a note of where its line was written, if the text has marks of m4. */
export function withWrittenLines(diagnostics: readonly Diagnostic[], source: SourceText): readonly Diagnostic[] {
  if (diagnostics.length === 0) return diagnostics;
  const marks = readMarks(source);
  if (marks.length === 0) return diagnostics;
  return diagnostics.map((one) => {
    if (one.origin === undefined) return one;
    const { line } = source.positionAt(userSpan(one.origin).start);
    const mark = markAbove(marks, line);
    if (mark === undefined || mark.file === '') return one;
    const message = `m4 made it of line ${mark.line + line - mark.at - 1} of \`${mark.file}\``;
    return { ...one, notes: [...one.notes, { message }] };
  });
}
