/**
 * The snippets of a page: fenced blocks whose info string says how the text is to be read.
 *
 *     ```LANGUAGE wrong|right [WORD]... [NAME=VALUE]...
 *
 * `run-snippet.ts` tells the languages.
 *
 * @module
 */

/** One fenced block. */
export interface Snippet {
  /** How it is read: `policy`, `policy.conf`, `policy-directory`, `m4`, `xl.cfg`, `binary`,
   * `scenario`, `devices` or `host`. */
  readonly language: string;
  readonly isRight: boolean;
  readonly words: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  /** One character per byte, with a line end after the last line unless `no-newline` was said. */
  readonly text: string;
}

/** All fenced blocks of a page; throws for a block that is neither wrong nor right. */
export function snippetsOf(page: string): Snippet[] {
  const snippets: Snippet[] = [];
  for (const [, info = '', body = ''] of page.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)) {
    const [language = '', verdict, ...rest] = info.split(' ');
    if (verdict !== 'wrong' && verdict !== 'right') throw new Error(`a snippet says neither wrong nor right: ${info}`);
    const words = new Set(rest.filter((word) => !word.includes('=')));
    const values = new Map(
      rest
        .filter((word) => word.includes('='))
        .map((word) => {
          const at = word.indexOf('=');
          return [word.slice(0, at), word.slice(at + 1)] as const;
        }),
    );
    let text = words.has('no-newline') ? body.replace(/\n$/, '') : body;
    // Bytes that no editor shows are written as `\xHH`.
    if (words.has('bytes'))
      text = text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    snippets.push({ language, isRight: verdict === 'right', words, values, text });
  }
  return snippets;
}

/** The codes that a wrong snippet gives besides that of its page. */
export function otherCodes({ values }: Snippet): string[] {
  return values.get('also')?.split(',') ?? [];
}
