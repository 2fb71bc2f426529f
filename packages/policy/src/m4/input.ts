/**
 * The input stack: files, and expansions that are scanned again before the rest of the text they stood in.
 *
 * Line numbers follow GNU m4: a file's line advances when the first character of the next line is read, and text
 * from an expansion counts as the line where the macro's name stood.
 *
 * @module
 */
import type { SourceText } from '../text/index.ts';
import { type Chunk, type Piece, plainChunk } from './pieces.ts';
import { type Frame, leaf, leafSlice, leavesOf, type Provenance, sequence } from './provenance.ts';

/** What `peek` answers at the end of all input. */
const END = -1;
/** What `peek` answers before a builtin's definition. */
const BUILTIN = -2;

/** One text being scanned. */
export class Entry {
  readonly chunks: readonly Chunk[];
  /** Set for a file. */
  readonly source: SourceText | undefined;
  readonly file: string;
  line: number;
  index = 0;
  /** The current stretch, and its text. */
  chunk: Chunk | undefined;
  text: string;
  at = 0;
  #leaves: Provenance[] | undefined;
  #leaf = 0;
  #leafStart = 0;

  constructor(chunks: readonly Chunk[], file: string, line: number, source?: SourceText) {
    this.chunks = chunks;
    this.file = file;
    this.line = line;
    this.source = source;
    this.chunk = chunks[0];
    this.text = this.chunk?.text ?? '';
  }

  /** Goes to the next stretch; false when there is none. */
  advance(): boolean {
    if (this.index + 1 >= this.chunks.length) return false;
    this.chunk = this.chunks[++this.index];
    this.text = this.chunk?.text ?? '';
    this.at = 0;
    this.#leaves = undefined;
    return true;
  }

  /** Line of a character of a file; for other text, the line it counts under. Asked in ascending order. */
  lineAt(at: number): number {
    if (this.source === undefined) return this.line;
    const starts = this.source.lineStarts;
    while (this.line < starts.length && (starts[this.line] ?? 0) <= at) this.line++;
    return this.line;
  }

  /** Where characters of the current stretch came from. Asked in ascending order. */
  provenance(from: number, to: number): Provenance {
    const whole = this.chunk?.provenance;
    if (whole !== undefined && from === 0 && to === this.text.length) return whole;
    if (whole?.frame !== undefined) return leafSlice(whole, from, to);
    if (this.#leaves === undefined) {
      this.#leaves = whole === undefined ? [] : leavesOf(whole);
      this.#leaf = 0;
      this.#leafStart = 0;
    }
    if (from < this.#leafStart) {
      this.#leaf = 0;
      this.#leafStart = 0;
    }
    let part = this.#leaves[this.#leaf];
    while (part !== undefined && this.#leafStart + part.length <= from) {
      this.#leafStart += part.length;
      part = this.#leaves[++this.#leaf];
    }
    if (part !== undefined && to <= this.#leafStart + part.length) {
      return leafSlice(part, from - this.#leafStart, to - this.#leafStart);
    }
    const parts: Provenance[] = [];
    let start = this.#leafStart;
    for (let i = this.#leaf; part !== undefined && start < to; part = this.#leaves[++i]) {
      parts.push(leafSlice(part, Math.max(0, from - start), Math.min(part.length, to - start)));
      start += part.length;
    }
    return sequence(parts, to - from);
  }
}

/** The stack itself. `onFileEnd` is told whenever a file begins or has been read to its end. */
export class Input {
  readonly stack: Entry[] = [];
  /** The entry that the last character came from, and its place there. */
  #last: Entry | undefined;
  #lastAt = 0;
  readonly #onFileChange: () => void;

  constructor(onFileChange: () => void) {
    this.#onFileChange = onFileChange;
  }

  pushFile(source: SourceText, frame: Frame): void {
    const chunk = plainChunk(source.text, leaf(source.text.length, frame, 0));
    this.stack.push(new Entry([chunk], source.name, 1, source));
    this.#onFileChange();
  }

  push(chunks: readonly Chunk[], file: string, line: number): void {
    if (chunks.length === 0) return;
    // A finished expansion makes room at once, so that a macro that calls itself last needs no more stack each time.
    for (let top = this.stack.at(-1); top !== undefined && top.source === undefined; top = this.stack.at(-1)) {
      if (top.at < top.text.length || top.chunk?.builtin !== undefined || top.index + 1 < top.chunks.length) break;
      this.stack.pop();
    }
    this.stack.push(new Entry(chunks, file, line));
  }

  pushPiece(piece: Piece, file: string, line: number): void {
    this.push(piece.chunks, file, line);
  }

  /** The topmost text with a character left; finished texts are dropped on the way. */
  top(): Entry | undefined {
    const first = this.stack[this.stack.length - 1];
    if (first !== undefined && first.at < first.text.length) return first;
    for (let entry = first; entry !== undefined; entry = this.stack[this.stack.length - 1]) {
      if (entry.at < entry.text.length || entry.chunk?.builtin !== undefined) return entry;
      if (entry.advance()) continue;
      this.stack.pop();
      if (entry.source !== undefined) this.#onFileChange();
    }
    return undefined;
  }

  /**
   * What comes next. Nothing is dropped for a look: as in GNU m4 a file ends when something behind it is read, which
   * tells its `#line` marks.
   */
  peek(): number {
    for (let i = this.stack.length - 1; i >= 0; i--) {
      const entry = this.stack[i];
      while (entry !== undefined) {
        if (entry.at < entry.text.length) return entry.text.charCodeAt(entry.at);
        if (entry.chunk?.builtin !== undefined) return BUILTIN;
        if (!entry.advance()) break;
      }
    }
    return END;
  }

  /** Steps over characters of the topmost text. */
  consume(entry: Entry, count: number): void {
    entry.at += count;
    this.#last = entry;
    this.#lastAt = entry.at - 1;
  }

  /** Steps over a builtin's definition. */
  skipBuiltin(entry: Entry): void {
    if (!entry.advance()) this.stack.splice(this.stack.indexOf(entry), 1);
  }

  /** File that the last character counts under. */
  get file(): string {
    return this.#last?.file ?? '';
  }

  /** Line that the last character counts under. */
  get line(): number {
    return this.#last?.lineAt(this.#lastAt) ?? 0;
  }

  /** After the end of all input there is no current file. */
  forgetPlace(): void {
    this.#last = undefined;
  }

  /** Whether the input goes on with `wanted`, across the ends of texts. */
  startsWith(wanted: string): boolean {
    let matched = 0;
    for (let i = this.stack.length - 1; i >= 0; i--) {
      const entry = this.stack[i];
      if (entry === undefined) break;
      for (let c = entry.index; c < entry.chunks.length; c++) {
        const text = entry.chunks[c]?.text ?? '';
        for (let at = c === entry.index ? entry.at : 0; at < text.length; at++) {
          if (text[at] !== wanted[matched]) return false;
          if (++matched === wanted.length) return true;
        }
      }
    }
    return false;
  }
}
