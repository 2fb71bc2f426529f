/**
 * The text that xl hands to libxlutil: the file, and the `key=value` words of the command line after it.
 *
 * Follows Xen `tools/xl/xl_vmcontrol.c`, `main_create` and `create_domain`.
 *
 * @module
 */
import { SourceText, type Span } from '@dewar/policy/text';

/** A text to parse, and where each stretch of it was written. */
export interface CfgText {
  /** The name that stands before the line number in libxlutil's messages. */
  readonly name: string;
  readonly source: SourceText;
  readonly text: string;
  spanOf(start: number, end: number): Span;
}

/** Whether xl takes this word of its command line as a line of configuration. */
export function isExtraWord(word: string): boolean {
  return word.includes('=');
}

/**
 * The text for a file and the extra words given to `xl create`.
 *
 * xl ends the file with a line end of its own, then writes one word a line, then one more line end. So words
 * override the file, and what is wrong with them has a line number past the end of the file.
 */
export function cfgText(source: SourceText, extraWords: readonly string[]): CfgText {
  if (extraWords.length === 0) {
    return { name: source.name, source, text: source.text, spanOf: (start, end) => ({ source, start, end }) };
  }
  const words = new SourceText('command line', extraWords.map((word) => `${word}\n`).join(''));
  const begin = source.text.length + 1;
  return {
    name: source.name,
    source,
    text: `${source.text}\n${words.text}\n`,
    spanOf(start, end) {
      if (start < begin) return { source, start, end: Math.min(end, source.text.length) };
      return { source: words, start: start - begin, end: end - begin };
    },
  };
}
