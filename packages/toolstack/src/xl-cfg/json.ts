/**
 * Prints JSON as libxl does, through yajl: four blanks for each level, an empty line inside what is empty.
 *
 * @module
 */

/** A value whose members keep their order. Texts hold one character per byte; `null` is what libxl prints for an unnamed number. */
export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly members: readonly (readonly [string, JsonValue])[] };

const INDENT = '    ';

const SHORT = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

function quote(text: string): string {
  const escaped = text.replaceAll(/[\x00-\x1f"\\]/g, (byte) => {
    const code = byte.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return SHORT.get(byte) ?? `\\u${code}`;
  });
  return `"${escaped}"`;
}

function write(value: JsonValue, indent: string, parts: string[]): void {
  if (typeof value === 'string') {
    parts.push(quote(value));
  } else if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' || value === null) {
    parts.push(String(value));
  } else if ('members' in value) {
    writeBlock('{', '}', value.members, indent, parts, ([name, member], inner) => {
      parts.push(quote(name), ': ');
      write(member, inner, parts);
    });
  } else {
    writeBlock('[', ']', value, indent, parts, (item, inner) => write(item, inner, parts));
  }
}

function writeBlock<T>(
  open: string,
  close: string,
  items: readonly T[],
  indent: string,
  parts: string[],
  writeItem: (item: T, inner: string) => void,
): void {
  const inner = indent + INDENT;
  parts.push(open, '\n');
  items.forEach((item, index) => {
    parts.push(inner);
    writeItem(item, inner);
    if (index < items.length - 1) parts.push(',\n');
  });
  parts.push('\n', indent, close);
}

/** The value as text, with a line end after it. */
export function printJson(value: JsonValue): string {
  const parts: string[] = [];
  write(value, '', parts);
  return `${parts.join('')}\n`;
}
