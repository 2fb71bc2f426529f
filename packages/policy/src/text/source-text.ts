/**
 * Source texts and places in them.
 *
 * Policy text is a sequence of bytes for m4 and checkpolicy, so a text here holds one character per byte
 * (latin-1). Offsets are therefore byte offsets, and what was read is written back unchanged.
 *
 * @module
 */

/** One text a person wrote: a file, standard input, a command-line definition. */
export class SourceText {
  /** How the text is named in messages, normally the path as the user gave it. */
  readonly name: string;
  /** The content, one character per byte. */
  readonly text: string;
  #lineStarts: Uint32Array | undefined;

  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }

  /** Offset of the first character of each line; line 1 is at index 0. */
  get lineStarts(): Uint32Array {
    if (this.#lineStarts === undefined) {
      let count = 1;
      for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1)) count++;
      const starts = new Uint32Array(count);
      let line = 0;
      for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1)) starts[++line] = at + 1;
      this.#lineStarts = starts;
    }
    return this.#lineStarts;
  }

  /** Line and column, both from 1, of an offset. Offsets past the end count as the end. */
  positionAt(offset: number): Position {
    const starts = this.lineStarts;
    const at = Math.max(0, Math.min(offset, this.text.length));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (starts[low] ?? 0) + 1 };
  }

  /** The text of a line without its line end; lines count from 1. Empty for a line that does not exist. */
  lineText(line: number): string {
    const start = this.lineStarts[line - 1];
    if (start === undefined) return '';
    const end = this.lineStarts[line] ?? this.text.length + 1;
    return this.text.slice(start, end - 1);
  }
}

/** A place as people read it: line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A stretch of a source text, `start` included and `end` excluded, in bytes. */
export interface Span {
  readonly source: SourceText;
  readonly start: number;
  readonly end: number;
}
