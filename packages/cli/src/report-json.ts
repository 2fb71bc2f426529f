/**
 * Reports and diagnostics as JSON for other programs.
 *
 * @module
 */
import { type Diagnostic, type Origin, type Span, userSpan } from '@dewar/policy/text';
import type { OperationReport } from '@dewar/toolstack';

interface JsonPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function spanPlace({ source, start }: Span): JsonPlace {
  return { file: source.name, ...source.positionAt(start) };
}

function placeOf(origin: Origin | undefined): JsonPlace | undefined {
  return origin === undefined ? undefined : spanPlace(userSpan(origin));
}

/** The calls that a text came through, innermost first. */
function expansionsOf(
  origin: Origin | undefined,
): { readonly macro: string; readonly calledAt: JsonPlace | undefined }[] {
  const calls: { macro: string; calledAt: JsonPlace | undefined }[] = [];
  for (let at = origin; at?.kind === 'expanded'; at = at.call) {
    calls.push({ macro: at.macro, calledAt: spanPlace(at.call.span) });
  }
  return calls;
}

/** Where something was written, seen from outside: the place a person wrote, the place in the macro, and the calls between. */
export function originJson(origin: Origin): object {
  return {
    place: placeOf(origin),
    written: spanPlace(origin.span),
    expansions: expansionsOf(origin),
  };
}

/**
 * A diagnostic as plain data; `written` is the place in the body of a macro, where it has one, and `file` what it is about
 * where it has no place.
 */
export function diagnosticJson({ code, severity, message, origin, file, notes, fixes, alike }: Diagnostic): object {
  return {
    code,
    severity,
    message,
    place: placeOf(origin),
    ...(file === undefined ? {} : { file }),
    ...(origin?.kind === 'expanded' ? { written: spanPlace(origin.span) } : {}),
    expansions: expansionsOf(origin),
    notes: notes.map((note) => ({
      message: note.message,
      place: note.origin === undefined ? undefined : spanPlace(note.origin.span),
    })),
    fixes: fixes.map(({ title, edits }) => ({
      title,
      edits: edits.map(({ span, newText }) => ({
        file: span.source.name,
        start: span.source.positionAt(span.start),
        end: span.source.positionAt(span.end),
        newText,
      })),
    })),
    ...(alike === undefined ? {} : { alike: alike.map(diagnosticJson) }),
  };
}

/** A report as plain data. */
export function reportJson(report: OperationReport<unknown>): object {
  return { ...report, diagnostics: report.diagnostics.map(diagnosticJson) };
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
