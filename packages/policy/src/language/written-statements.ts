/**
 * Statements as a person wrote them: where one ends, what block it stands in, and where another one can follow.
 *
 * @module
 */
import type { MappedText, Origin, SourceText, Span } from '../text/index.ts';

/** A statement, or a macro call, outside of any block. */
export interface TopStatement {
  readonly start: number;
  readonly end: number;
}

/** Longest statement that is quoted. */
const QUOTED = 160;

const [HASH, QUOTE, OPEN_PARENTHESIS, CLOSE_PARENTHESIS] = [0x23, 0x27, 0x28, 0x29];
const [SEMICOLON, BACKQUOTE, OPEN_BRACE, CLOSE_BRACE] = [0x3b, 0x60, 0x7b, 0x7d];

/** The end of what begins at `start`: the parenthesis that closes a call, the `;` of a statement, the end of a block. */
export function statementEnd(text: string, start: number): number {
  let depth = 0;
  let quotes = 0;
  const isCall = /^[A-Za-z_]\w*\(/.test(text.slice(start, start + 130));
  for (let at = start; at < text.length; at++) {
    const c = text.charCodeAt(at);
    // Most of a text is names and spaces.
    if (c > BACKQUOTE && c < OPEN_BRACE) continue;
    if (quotes > 0) {
      if (c === BACKQUOTE) quotes++;
      else if (c === QUOTE) quotes--;
      continue;
    }
    switch (c) {
      case HASH: {
        const newline = text.indexOf('\n', at);
        if (newline < 0) return text.length;
        at = newline;
        break;
      }
      case BACKQUOTE:
        quotes++;
        break;
      case OPEN_PARENTHESIS:
      case OPEN_BRACE:
        depth++;
        break;
      case SEMICOLON:
        if (depth === 0) return at + 1;
        break;
      case CLOSE_PARENTHESIS:
      case CLOSE_BRACE: {
        depth--;
        if (depth < 0) return at;
        if (depth > 0) break;
        if (c === CLOSE_PARENTHESIS && isCall) return text[at + 1] === ';' ? at + 2 : at + 1;
        const isBlock = c === CLOSE_BRACE && /^(?:if|optional|else|require)\b/.test(text.slice(start, start + 9));
        if (isBlock && !/^\s*else\b/.test(text.slice(at + 1, at + 64))) return at + 1;
        break;
      }
      default:
    }
  }
  return text.length;
}

/** The statement that begins where a span does, on one line. */
export function quoteStatement({ source, start }: Span): string {
  const end = statementEnd(source.text, start);
  const quoted = source.text
    .slice(start, Math.min(end, start + 4 * QUOTED))
    .replaceAll(/#[^\n]*/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return quoted.length <= QUOTED ? quoted : `${quoted.slice(0, QUOTED - 4)} ...`;
}

/** All statements and calls of a module that stand in no block. */
export function topStatements({ text }: SourceText): TopStatement[] {
  const found: TopStatement[] = [];
  for (let at = 0; at < text.length; ) {
    const c = text[at] ?? '';
    if (c === '#') {
      const newline = text.indexOf('\n', at);
      at = newline < 0 ? text.length : newline + 1;
    } else if (/[A-Za-z_]/.test(c)) {
      const end = Math.max(statementEnd(text, at), at + 1);
      found.push({ start: at, end });
      at = end;
    } else at++;
  }
  return found;
}

/** The `if (…)` of the block in which a place of an expanded text stands, and whether it is in its `else`. */
export function enclosingCondition(
  { text, origins }: MappedText,
  offset: number,
): { readonly text: string; readonly origin: Origin; readonly isElse: boolean } | undefined {
  let isElse = false;
  let at = blockStart(text, offset);
  if (at === undefined) return undefined;
  if (/\belse\s*$/.test(text.slice(Math.max(0, at - 64), at))) {
    isElse = true;
    const closing = text.lastIndexOf('}', at - 1);
    at = closing < 0 ? undefined : blockStart(text, closing);
    if (at === undefined) return undefined;
  }
  const head = /\bif\s*\(([^{}]*)\)\s*$/.exec(text.slice(Math.max(0, at - 2048), at));
  if (head === null) return undefined;
  const start = Math.max(0, at - 2048) + head.index;
  const condition = (head[1] ?? '')
    .replaceAll(/#[^\n]*/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return { text: `if (${condition})`, origin: origins.originAt(start, start + 2), isElse };
}

/** Where the block opens that holds a place; undefined where none does. */
function blockStart(text: string, offset: number): number | undefined {
  let depth = 0;
  // A block of a conditional is short; a policy is not read backwards as a whole.
  for (let at = offset - 1; at >= 0 && offset - at < 4_000_000; at--) {
    const c = text.charCodeAt(at);
    if (c === 0x7d) depth++;
    else if (c === 0x7b && depth-- === 0) return at;
  }
  return undefined;
}
