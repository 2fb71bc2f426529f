/**
 * An argument of a run for the text alone, while it is read.
 *
 * @module
 */
import { isWordCode } from './pieces.ts';
import type { Grown } from './text-macro.ts';

/** A shorter beginning of a body is not worth remembering. */
const MIN_GROWN = 64;

/** An argument that is being read: what can be remembered as `Grown`, and all behind that. */
export class Argument {
  grown = '';
  rest = '';
  isGrowing: boolean;
  endsInWord = false;
  /** Parentheses that are open. */
  level = 0;
  /** The rules under which it began to be read. */
  readonly generation: number;

  constructor(canGrow: boolean, generation: number) {
    this.isGrowing = canGrow;
    this.generation = generation;
  }

  /** Adds text that stands for itself. */
  addPlain(text: string): void {
    if (this.isGrowing && !text.includes('$')) {
      this.grown += text;
      this.endsInWord = isWordCode(text.charCodeAt(text.length - 1));
    } else this.add(text);
  }

  addGrown({ text, endsInWord }: Grown): void {
    if (this.isGrowing) {
      this.grown += text;
      this.endsInWord = endsInWord;
    } else this.rest += text;
  }

  /** Adds any other text. */
  add(text: string): void {
    this.isGrowing = false;
    this.rest += text;
  }

  get length(): number {
    return this.grown.length + this.rest.length;
  }

  /** Takes what can be remembered away from the text, where it is worth it. */
  takeGrown(): Grown | undefined {
    const { grown: text, generation, endsInWord } = this;
    this.grown = '';
    if (text.length >= MIN_GROWN) return { text, generation, endsInWord };
    this.rest = text + this.rest;
    return undefined;
  }
}
