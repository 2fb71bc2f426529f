/**
 * How statements are laid out: sets in braces, long ones over several lines.
 *
 * @module
 */

const WIDTH = 110;
const INDENT = '    ';

/** One name as it is, several in braces. */
export function setText(names: readonly string[]): string {
  const [only] = names;
  return names.length === 1 && only !== undefined ? only : `{ ${names.join(' ')} }`;
}

/** Breaks a statement at blanks into lines of bearable length; lines after the first are indented further. */
export function wrap(statement: string, indent = ''): string {
  if (indent.length + statement.length <= WIDTH) return indent + statement;
  const lines: string[] = [];
  let line = indent;
  let isEmpty = true;
  for (const word of words(statement)) {
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent + INDENT + word;
    } else line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  lines.push(line);
  return lines.join('\n');
}

/** The words of a statement; a text in quotes stays whole. */
function words(statement: string): string[] {
  return statement.match(/(?:"[^"\n]*"|[^\s"])+/g) ?? [];
}
