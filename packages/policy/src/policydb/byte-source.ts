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
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** A range of a source's bytes. */
export class ByteBlock {
  /** In bytes. */
  readonly length: number;
  readonly #source: ByteSource;
  readonly #start: number;
  #view: DataView | undefined;

  /** @param start where in the source the range of this length begins; the source has all of it */
  constructor(source: ByteSource, start: number, length: number) {
    this.#source = source;
    this.#start = start;
    this.length = length;
  }

  /** The range as a whole; for reading only. */
  get view(): DataView {
    if (this.#view === undefined) {
      const { bytes } = this.#source;
      if (bytes === undefined) {
        const own = new Uint8Array(this.length);
        this.#source.read(own, this.#start);
        this.#view = new DataView(own.buffer);
      } else this.#view = new DataView(bytes.buffer, bytes.byteOffset + this.#start, this.length);
    }
    return this.#view;
  }

  /** Fills `words` with the little-endian words from a byte of the range on. */
  readWords(words: Uint32Array, offset: number): void {
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
