/**
 * Where expanded text goes: the output and its diversions, with `#line` marks when they are asked for.
 *
 * @module
 */
import { firstLeaf, fixedLeaf, type Provenance, RunList } from './provenance.ts';

class Diversion {
  parts: string[] = [];
  length = 0;
  runs = new RunList();

  add(text: string, provenance: Provenance): void {
    this.runs.addTree(this.length, provenance);
    this.parts.push(text);
    this.length += text.length;
  }

  addAll(other: Diversion): void {
    this.runs.addAll(this.length, other.runs, other.length);
    for (const part of other.parts) this.parts.push(part);
    this.length += other.length;
  }
}

/** The output of one run. */
export class Output {
  /** The number of the current diversion; a negative one throws text away. */
  current = 0;
  /** Bytes kept so far. */
  total = 0;
  readonly isSynced: boolean;
  readonly #main = new Diversion();
  readonly #diverted: Map<number, Diversion> = new Map();
  #target: Diversion | undefined = this.#main;
  #line = -1;
  #atLineStart = true;

  constructor(isSynced: boolean) {
    this.isSynced = isSynced;
  }

  get isDiscarding(): boolean {
    return this.#target === undefined;
  }

  /** The next line of output must say its file and line anew. */
  forgetLine(): void {
    this.#line = -1;
  }

  /** Writes one token that counts under `file` and `line`. */
  ship(text: string, provenance: Provenance, file: string, line: number): void {
    const target = this.#target;
    if (target === undefined) return;
    if (this.isSynced) this.#sync(target, text, provenance, file, line);
    if (text === '') return;
    target.add(text, provenance);
    this.total += text.length;
  }

  /** Copies a text as it is, without marks. */
  insert(text: string, provenance: Provenance): void {
    if (this.#target === undefined || text === '') return;
    this.#target.add(text, provenance);
    this.total += text.length;
  }

  #sync(target: Diversion, text: string, provenance: Provenance, file: string, line: number): void {
    if (this.#atLineStart) {
      this.#atLineStart = false;
      this.#line++;
      if (this.#line !== line) {
        const mark = this.#line < 1 && file !== '' ? `#line ${line} "${file}"\n` : `#line ${line}\n`;
        const first = firstLeaf(provenance);
        if (first?.frame === undefined) target.add(mark, provenance);
        else target.add(mark, fixedLeaf(mark.length, first.frame, first.offset, 1));
        this.total += mark.length;
        this.#line = line;
      }
    }
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) {
      if (at + 1 < text.length) this.#line++;
      else this.#atLineStart = true;
    }
  }

  /** Sends what follows to another diversion. */
  divert(number: number): void {
    if (number === this.current) return;
    this.current = number;
    this.#line = -1;
    if (number < 0) this.#target = undefined;
    else if (number === 0) this.#target = this.#main;
    else {
      this.#target = this.#diverted.get(number) ?? new Diversion();
      this.#diverted.set(number, this.#target);
    }
  }

  /** Moves a diversion's text to the current one. */
  undivert(number: number): void {
    if (number <= 0 || number === this.current) return;
    const found = this.#diverted.get(number);
    if (found === undefined) return;
    this.#diverted.delete(number);
    if (this.#target === undefined || found.length === 0) return;
    this.#target.addAll(found);
    this.#line = -1;
  }

  /** Moves all diversions, in ascending order. */
  undivertAll(): void {
    for (const number of [...this.#diverted.keys()].sort((a, b) => a - b)) this.undivert(number);
  }

  finish(): { readonly text: string; readonly runs: RunList } {
    return { text: this.#main.parts.join(''), runs: this.#main.runs };
  }
}
