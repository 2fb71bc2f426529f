/**
 * `optional` blocks with their `require` blocks.
 *
 * @module
 */
import type { RuleWriter } from './rules.ts';

/** Writes the optional blocks of one policy. */
export class OptionalWriter {
  readonly #rules: RuleWriter;

  constructor(rules: RuleWriter) {
    this.#rules = rules;
  }

  blocks(): string[] {
    return this.#rules.sets.choices.chance(0) ? [this.#rules.avRule()] : [];
  }
}
