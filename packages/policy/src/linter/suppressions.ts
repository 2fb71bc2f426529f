/**
 * Findings that the author of a policy knows and means: `# dewar: ignore CODE, CODE` on the line, or alone on the one above.
 *
 * @module
 */
import { type Diagnostic, type Span, userSpan } from '../text/index.ts';

const COMMENT = /#\s*dewar:\s*ignore\s+([a-z/, -]+)/;

function names(line: string): string[] {
  const found = COMMENT.exec(line)?.[1];
  return found === undefined ? [] : found.split(/[\s,]+/).filter((one) => one !== '');
}

function namedAt({ source, start }: Span): string[] {
  const { line } = source.positionAt(start);
  const above = source.lineText(line - 1);
  return [...names(source.lineText(line)), ...(above.trim().startsWith('#') ? names(above) : [])];
}

/** Whether a comment takes a finding back: where a person wrote it, or in the macro that it came from. */
export function isIgnored({ code, origin }: Diagnostic): boolean {
  if (origin === undefined) return false;
  return [...namedAt(userSpan(origin)), ...namedAt(origin.span)].includes(code);
}
