/**
 * A hash table of rules' keys in typed arrays: a large policy has more than a million of them.
 *
 * @module
 */

import { word as wordAt } from './checked-element.ts';

/** Gives each different key, two words, a number of its own from 0 up. The second word is never 0. */
export class KeyTable {
  /** The two words of each place and the number there, beside one another; a second word of 0 marks a free place. */
  #places: Uint32Array;
  #mask: number;
  #count = 0;

  /** `expected` is how many keys there may be; more of them only cost time. Places are at most three quarters full. */
  constructor(expected: number) {
    let size = 16;
    while (size * 2 < expected * 3) size *= 2;
    this.#mask = size - 1;
    this.#places = new Uint32Array(size * 4);
  }

  /** How many keys there are. */
  get count(): number {
    return this.#count;
  }

  /** The key's number, or -1. */
  find(pair: number, word: number): number {
    const places = this.#places;
    const mask = this.#mask;
    for (let at = hash(pair, word) & mask; ; at = (at + 1) & mask) {
      const found = places[at * 4 + 1];
      if (found === 0) return -1;
      if (found === word && places[at * 4] === pair) return wordAt(places, at * 4 + 2);
    }
  }

  /** The key's number; a new one, which is then `count - 1`, if it has none yet. */
  add(pair: number, word: number): number {
    if (this.#count * 4 > this.#mask * 3) this.#grow();
    const places = this.#places;
    const mask = this.#mask;
    let at = hash(pair, word) & mask;
    for (let found = places[at * 4 + 1]; found !== 0; found = places[at * 4 + 1]) {
      if (found === word && places[at * 4] === pair) return wordAt(places, at * 4 + 2);
      at = (at + 1) & mask;
    }
    places[at * 4] = pair;
    places[at * 4 + 1] = word;
    places[at * 4 + 2] = this.#count;
    return this.#count++;
  }

  #grow(): void {
    const old = this.#places;
    const size = (this.#mask + 1) * 2;
    const mask = size - 1;
    const places = new Uint32Array(size * 4);
    for (let from = 0; from < old.length; from += 4) {
      const word = wordAt(old, from + 1);
      if (word === 0) continue;
      const pair = wordAt(old, from);
      let at = hash(pair, word) & mask;
      while (places[at * 4 + 1] !== 0) at = (at + 1) & mask;
      places[at * 4] = pair;
      places[at * 4 + 1] = word;
      places[at * 4 + 2] = wordAt(old, from + 2);
    }
    this.#mask = mask;
    this.#places = places;
  }
}

/** Source and target as one word. */
export function typePair(source: number, target: number): number {
  return (source | (target << 16)) >>> 0;
}

function hash(pair: number, word: number): number {
  let h = Math.imul(pair ^ Math.imul(word, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
