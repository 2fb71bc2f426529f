/**
 * Entries of an access vector table as they lie in the bytes of a binary.
 *
 * Of a large policy nearly all are type rules about event channels. Those that give permissions are at hand by themselves;
 * all entries are taken out of the bytes when somebody asks for them.
 *
 * @module
 */
import { ENTRY_WORDS } from './av-entries.ts';
import { AVTAB_ENABLED } from './format.ts';

/** Bytes of one entry. */
export const ENTRY_SIZE: number = 4 * ENTRY_WORDS;

/** The kinds of entries are numbers below this. */
const KINDS = 0x80;

/** Whether this machine keeps words as a binary policy does. */
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The entries of one table. */
export class FileEntries {
  readonly count: number;
  /** The entries that give permissions, in words as `AvEntries` has them, without flags. */
  readonly vectors: Uint32Array;
  readonly #bytes: DataView;
  readonly #hasFlags: boolean;

  /**
   * @param bytes the entries, each of them found right; nobody may change them
   * @param hasFlags whether the kind of some entry has a flag with it
   */
  constructor(bytes: DataView, hasFlags: boolean, vectors: Uint32Array) {
    this.#bytes = bytes;
    this.#hasFlags = hasFlags;
    this.vectors = vectors;
    this.count = bytes.byteLength / ENTRY_SIZE;
  }

  /** How many entries there are of each kind. */
  countKinds(): Map<number, number> {
    const view = this.#bytes;
    const counts = new Uint32Array(KINDS);
    // The kind stands in the upper half of an entry's second word; what is above is the flag.
    for (let at = 6; at < view.byteLength; at += ENTRY_SIZE) {
      const kind = view.getUint16(at, true) % KINDS;
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return new Map(Array.from(counts, (count, kind): [number, number] => [kind, count]));
  }

  /** All entries in words as `AvEntries` has them, without flags: a copy, of which the caller may do as it likes. */
  words(): Uint32Array {
    const { buffer, byteOffset, byteLength } = this.#bytes;
    const words = new Uint32Array(byteLength / 4);
    new Uint8Array(words.buffer).set(new Uint8Array(buffer, byteOffset, byteLength));
    if (!IS_LITTLE_ENDIAN) {
      const view = new DataView(words.buffer);
      for (let i = 0; i < words.length; i++) words[i] = view.getUint32(i * 4, true);
    }
    if (this.#hasFlags)
      for (let at = 1; at < words.length; at += ENTRY_WORDS) words[at] = (words[at] ?? 0) & ~(AVTAB_ENABLED << 16);
    return words;
  }
}
