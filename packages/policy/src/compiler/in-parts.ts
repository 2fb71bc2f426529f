/**
 * Rules in the order in which libsepol copies them: part after part of the policy, and in each the last one first.
 *
 * Format: checkpolicy `module_compiler.c` (`append_role_trans` and its kin, which prepend), libsepol `expand.c`
 * (`copy_and_expand_avrule_block`).
 *
 * @module
 */

/** A list of what the parts of a policy hold. The first part is outside of optional blocks, each block is another. */
export class InParts<T> {
  readonly #ended: T[] = [];
  #part: T[] = [];

  add(one: T): void {
    this.#part.push(one);
  }

  endPart(): void {
    this.#ended.push(...this.#part.reverse());
    this.#part = [];
  }

  /** All of them, once every part has ended. */
  inOrder(): readonly T[] {
    return this.#ended;
  }
}
