/**
 * Prints a diagnostic as text: place, message, code, the line with a mark, notes.
 *
 * @module
 */
import type { Diagnostic, Note } from './diagnostic.ts';
import { type Origin, userSpan } from './origin.ts';
import type { Span } from './source-text.ts';

/** The four things a terminal may want to paint. */
export interface Paint {
  /** The word `error:`. */
  readonly error: (text: string) => string;
  /** The word `warning:`. */
  readonly warning: (text: string) => string;
  /** The word `note:`. */
  readonly note: (text: string) => string;
  /** The message itself. */
  readonly strong: (text: string) => string;
}

const plain: Paint = { error: String, warning: String, note: String, strong: String };

const MAX_EXPANSIONS = 4;

/** A text without the characters that would steer a terminal; each counts as one column. A tab stays. */
function printable(text: string): string {
  return text.replaceAll(/[\0-\x08\n-\x1f\x7f]/g, '?');
}

/** A text with one sign for each character that UTF-8 wrote in several bytes, so that a mark stands below what it marks. */
function columns(text: string): string {
  return text.replaceAll(/[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}/g, 'x');
}

/** `name:line:column` of where a span begins. */
export function placeText(span: Span): string {
  const { line, column } = span.source.positionAt(span.start);
  return `${printable(span.source.name)}:${line}:${column}`;
}

/** Longest part of a source line that is shown, and how much of it stands before the mark. */
const MAX_SHOWN = 200;
const SHOWN_BEFORE = 80;

/** The source line of a span with a mark under it, indented for a diagnostic. Of a long line only the part around the mark. */
function frame(span: Span, remark: string): string[] {
  const { line, column } = span.source.positionAt(span.start);
  const whole = span.source.lineText(line);
  const from = whole.length <= MAX_SHOWN ? 0 : Math.max(0, column - 1 - SHOWN_BEFORE);
  const cut = printable(whole.slice(from, from + MAX_SHOWN));
  const before = from === 0 ? '' : '...';
  const text = `${before}${cut}${from + cut.length < whole.length ? '...' : ''}`;
  const at = before.length + column - 1 - from;
  const indent = columns(text.slice(0, at)).replaceAll(/[^\t]/g, ' ');
  const end = Math.min(at + span.end - span.start, before.length + cut.length);
  const length = Math.max(1, columns(text.slice(at, end)).length);
  const gutter = String(line);
  const mark = `${' '.repeat(gutter.length)} | ${indent}${'^'.repeat(length)}${remark === '' ? '' : ` ${remark}`}`;
  return text.trim() === '' ? [] : [`  ${gutter} | ${text}`, `  ${mark}`];
}

/** Notes that tell through which macros the marked text came, innermost first. */
export function expansionNotes(origin: Origin): Note[] {
  const notes: Note[] = [];
  for (let at = origin; at.kind === 'expanded'; at = at.call) {
    const message = `in the expansion of \`${at.macro}\`, called at ${placeText(at.call.span)}`;
    const last = notes.at(-1);
    // A macro that calls itself is named once.
    if (last?.message !== message || last.origin?.span.start !== at.span.start) notes.push({ message, origin: at });
  }
  if (notes.length <= MAX_EXPANSIONS) return notes;
  const left = notes.length - MAX_EXPANSIONS;
  return [...notes.slice(0, MAX_EXPANSIONS), { message: `and ${left} further expansion${left === 1 ? '' : 's'}` }];
}

/** The diagnostic as lines of text, without a final newline. */
export function renderDiagnostic(diagnostic: Diagnostic, paint: Paint = plain): string {
  const lines: string[] = [];
  const { origin, file } = diagnostic;
  const severity = paint[diagnostic.severity](`${diagnostic.severity}:`);
  const head = `${severity} ${paint.strong(printable(diagnostic.message))} [${diagnostic.code}]`;
  const remark = printable(diagnostic.fixes[0]?.title ?? '');
  // What stands in the body of a macro is shown there, with its cure; the call is only how it got here.
  const isInBody = origin?.kind === 'expanded';
  if (origin === undefined) lines.push(file === undefined ? head : `${printable(file)}: ${head}`);
  else {
    const span = userSpan(origin);
    lines.push(`${placeText(span)}: ${head}`, ...frame(span, isInBody ? '' : remark));
  }
  const notes = [...(origin === undefined ? [] : expansionNotes(origin)), ...diagnostic.notes];
  for (const [i, note] of notes.entries()) {
    const label = paint.note('note:');
    lines.push(
      note.origin === undefined
        ? `${label} ${printable(note.message)}`
        : `${placeText(note.origin.span)}: ${label} ${printable(note.message)}`,
    );
    if (isInBody && i === 0) lines.push(...frame(origin.span, remark));
  }
  return lines.join('\n');
}
