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

/** A word that declares, and the name behind it. */
const DECLARATION = new RegExp(
  `(?:^|[\\n;{}])[ \\t]*((${Object.values(WORDS).join('|')})[ \\t]+("[^"\\n]*"|[^\\s;:,{}"]+))`,
  'g',
);

/** The declarations of a policy's text after m4, which is read when the first of them is asked for. */
export class Declarations {
  readonly #text: string;
  #starts: Map<string, number> | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * Where the statement begins that declares a name, or gives it its label; undefined where there is none, or where
   * statements of the kind are not found by a name.
   */
  start(kind: string, name: string): number | undefined {
    const word = (WORDS as Readonly<Record<string, string>>)[kind];
    this.#starts ??= this.#read();
    return word === undefined ? undefined : this.#starts.get(`${word} ${name}`);
  }

  #read(): Map<string, number> {
    const starts = new Map<string, number>();
    for (const { index, 0: all, 1: statement = '', 2: word = '', 3: name = '' } of this.#text.matchAll(DECLARATION)) {
      // The last one counts: a `sid` or a `class` is declared first, and gets its label or its permissions later.
      starts.set(`${word} ${name.startsWith('"') ? name.slice(1, -1) : name}`, index + all.length - statement.length);
    }
    return starts;
  }
}
