/**
 * Bytes of a binary policy that need not all be in memory.
 *
 * The most of a large policy is one table, of which few questions ask more than a small part. It is looked through piece by
 * piece, in a room that stays in the processor's cache, and brought as a whole only when somebody asks for all of it.
 *
 * @module
 */

/** Where bytes come from, a file for instance. What it gives for one place must always be the same. */
export interface ByteSource {
  readonly length: number;
  /** The same bytes, where they are in memory; nobody may change them. */
  readonly bytes?: Uint8Array;
  /** Fills `into` with the bytes from `offset` on, all of which are there. Throws where it cannot. */
  read(into: Uint8Array, offset: number): void;
}

/** Whether this machine keeps words as a binary policy does. */
export const IS_LITTLE_ENDIAN: boolean = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** So many words are brought at once: few enough to stay in a processor's cache, and a multiple of what an entry has. */
const PIECE_WORDS = 3 * 0x2000;

/** A range of a source's bytes. */
export class ByteBlock {
  /** In bytes. */
  readonly length: number;
  readonly #source: ByteSource;
  readonly #start: number;

  /** @param start where in the source the range of this length begins; the source has all of it */
  constructor(source: ByteSource, start: number, length: number) {
    this.#source = source;
    this.#start = start;
    this.length = length;
  }

  /** The little-endian words of the range, some at a time; each piece is good until the next is asked for. */
  *pieces(): Generator<Uint32Array, void, undefined> {
    const count = this.length / 4;
    const room = new Uint32Array(Math.min(count, PIECE_WORDS));
    for (let first = 0; first < count; first += PIECE_WORDS) {
      const piece = room.subarray(0, Math.min(PIECE_WORDS, count - first));
      this.#read(piece, 4 * first);
      yield piece;
    }
  }

  /** All of them: a copy, of which the caller may do as it likes. */
  words(): Uint32Array {
    const words = new Uint32Array(this.length / 4);
    this.#read(words, 0);
    return words;
  }

  /** Fills `words` with those from a byte of the range on. */
  #read(words: Uint32Array, offset: number): void {
    this.#source.read(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), this.#start + offset);
    if (IS_LITTLE_ENDIAN) return;
    const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
    for (let i = 0; i < words.length; i++) words[i] = view.getUint32(i * 4, true);
  }
}

/** Bytes in memory as a source. They go on being used: nobody may change them. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    length: bytes.length,
    bytes,
    read: (into, offset) => into.set(bytes.subarray(offset, offset + into.length)),
  };
}
