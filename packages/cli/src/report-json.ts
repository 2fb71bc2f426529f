/**
 * Reports and diagnostics as JSON for other programs.
 *
 * @module
 */
import { type Diagnostic, type Origin, userSpan } from '@dewar/policy/text';
import type { OperationReport } from '@dewar/toolstack';

interface JsonPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function placeOf(origin: Origin | undefined): JsonPlace | undefined {
  if (origin === undefined) return undefined;
  const { source, start } = userSpan(origin);
  return { file: source.name, ...source.positionAt(start) };
}

/** The calls that a text came through, innermost first. */
function expansionsOf(
  origin: Origin | undefined,
): { readonly macro: string; readonly calledAt: JsonPlace | undefined }[] {
  const calls: { macro: string; calledAt: JsonPlace | undefined }[] = [];
  for (let at = origin; at?.kind === 'expanded'; at = at.call) {
    const { source, start } = at.call.span;
    calls.push({ macro: at.macro, calledAt: { file: source.name, ...source.positionAt(start) } });
  }
  return calls;
}

/** Where something was written, seen from outside: the place a person wrote, the place in the macro, and the calls between. */
export function originJson(origin: Origin): object {
  const { source, start } = origin.span;
  return {
    place: placeOf(origin),
    written: { file: source.name, ...source.positionAt(start) },
    expansions: expansionsOf(origin),
  };
}

/** A diagnostic as plain data. */
export function diagnosticJson({ code, severity, message, origin, notes, fixes, alike }: Diagnostic): object {
  return {
    code,
    severity,
    message,
    place: placeOf(origin),
    expansions: expansionsOf(origin),
    notes: notes.map((note) => ({ message: note.message, place: placeOf(note.origin) })),
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
