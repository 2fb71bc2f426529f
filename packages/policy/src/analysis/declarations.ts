/**
 * Where a policy's text declares a name.
 *
 * @module
 */

/** Kinds of declarations that begin with a word of their own. */
const WORDS = {
  type: 'type',
  attribute: 'attribute',
  role: 'role',
  user: 'user',
  boolean: 'bool',
  sensitivity: 'sensitivity',
  category: 'category',
  class: 'class',
  common: 'common',
  'initial SID': 'sid',
  pirqcon: 'pirqcon',
  devicetreecon: 'devicetreecon',
} as const;

/**
 * Where in a policy's text after m4 the statement begins that declares a name, or gives it its label; undefined where there
 * is none, or where statements of the kind are not found by a name.
 */
export function declarationStart(text: string, kind: string, name: string): number | undefined {
  const word = (WORDS as Readonly<Record<string, string>>)[kind];
  if (word === undefined) return undefined;
  const quoted = name.replaceAll(/[^\w]/g, '\\$&');
  // The last one: a `sid` or a `class` is declared first, and gets its label or its permissions later.
  const pattern = new RegExp(`(?:^|[\\n;{}])[ \\t]*(${word}[ \\t]+${quoted})(?![\\w.-])`, 'g');
  let found: number | undefined;
  for (const match of text.matchAll(pattern)) found = match.index + match[0].length - (match[1]?.length ?? 0);
  return found;
}
