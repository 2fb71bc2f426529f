/**
 * Numbers for words, found in a text without making a string of each occurrence.
 *
 * @module
 */

/**
 * The hash of a word: for each character `hash = (hash << 5) ^ (hash >>> 27) ^ code`, beginning with 0. Who reads words out
 * of long texts writes that step out in the loop that looks for the word's end: a call costs more than the step.
 */
export function hashOf(word: string): number {
  let hash = 0;
  for (let at = 0; at < word.length; at++) hash = (hash << 5) ^ (hash >>> 27) ^ word.charCodeAt(at);
  return hash;
}

/** Spreads hashes of words that differ in their last digits, as the names of many users do (Knuth's golden ratio). */
const SPREAD = 0x9e3779b1;

/** Gives each different word a number, counting from 0. */
export class SpellingTable {
  readonly #words: string[] = [];
  readonly #hashes: number[] = [];
  #table = new Int32Array(1024);
  /** So many bits of 32 are more than a slot of the table has. */
  #shift = 22;

  /** Word by number. */
  get words(): readonly string[] {
    return this.#words;
  }

  /** Number of the word that stands in `text` from `start` to `end`; `-1 - slot`, for `add`, where it is new. */
  find(text: string, start: number, end: number, hash: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    for (let slot = Math.imul(hash, SPREAD) >>> this.#shift; ; slot = (slot + 1) & mask) {
      const found = (table[slot] ?? 0) - 1;
      if (found < 0) return -1 - slot;
      if (this.#hashes[found] !== hash) continue;
      const known = this.#words[found] ?? '';
      if (known.length === end - start && text.startsWith(known, start)) return found;
    }
  }

  /** Adds a word that `find` did not find, at the slot that it named. */
  add(slot: number, word: string, hash: number): number {
    const number = this.#words.push(word) - 1;
    this.#hashes.push(hash);
    this.#table[slot] = number + 1;
    if (this.#words.length * 2 > this.#table.length) this.#widen();
    return number;
  }

  /** Number of a word, new or not. */
  numberOf(word: string): number {
    const hash = hashOf(word);
    const found = this.find(word, 0, word.length, hash);
    return found >= 0 ? found : this.add(-1 - found, word, hash);
  }

  #widen(): void {
    const table = new Int32Array(this.#table.length * 2);
    this.#shift--;
    for (const [number, hash] of this.#hashes.entries()) {
      let slot = Math.imul(hash, SPREAD) >>> this.#shift;
      while (table[slot] !== 0) slot = (slot + 1) & (table.length - 1);
      table[slot] = number + 1;
    }
    this.#table = table;
  }
}
