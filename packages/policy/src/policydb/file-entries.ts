/**
 * Entries of an access vector table as they lie in the bytes of a binary.
 *
 * Of a large policy nearly all are type rules about event channels. The others are at hand by themselves; all are taken out
 * of the bytes when somebody asks for them.
 *
 * @module
 */
import { ENTRY_WORDS } from './av-entries.ts';
import type { ByteBlock } from './byte-source.ts';
import { AVTAB_ENABLED } from './format.ts';

/** Bytes of one entry. */
export const ENTRY_SIZE: number = 4 * ENTRY_WORDS;

/** The kinds of entries are numbers below this. */
const KINDS = 0x80;

/** Entries in words as `AvEntries` has them, without flags. */
export interface TakenEntries {
  /** The entries that give permissions. */
  readonly vectors: Uint32Array;
  /** The type rules about other classes than that of event channels. */
  readonly types: Uint32Array;
}

/** The entries of one table. */
export class FileEntries {
  readonly count: number;
  readonly taken: TakenEntries;
  /** The class of event channels, whose type rules are looked for in the bytes. */
  readonly channelClass: number;
  readonly #bytes: ByteBlock;
  readonly #hasFlags: boolean;

  /**
   * @param bytes the entries, each of them found right; nobody may change them
   * @param hasFlags whether the kind of some entry has a flag with it
   */
  constructor(bytes: ByteBlock, hasFlags: boolean, channelClass: number, taken: TakenEntries) {
    this.#bytes = bytes;
    this.#hasFlags = hasFlags;
    this.channelClass = channelClass;
    this.taken = taken;
    this.count = bytes.length / ENTRY_SIZE;
  }

  /** How many entries there are of each kind. */
  countKinds(): Map<number, number> {
    const counts = new Uint32Array(KINDS);
    for (const words of this.#bytes.pieces()) {
      // The kind stands in the upper half of an entry's second word; what is above is the flag.
      for (let at = 1; at < words.length; at += ENTRY_WORDS) {
        const kind = ((words[at] ?? 0) >>> 16) % KINDS;
        counts[kind] = (counts[kind] ?? 0) + 1;
      }
    }
    return new Map(Array.from(counts, (count, kind): [number, number] => [kind, count]));
  }

  /** Calls back with each entry, in their order. */
  forEach(take: (kind: number, source: number, target: number, tclass: number, data: number) => void): void {
    for (const words of this.#bytes.pieces()) {
      for (let at = 0; at < words.length; at += ENTRY_WORDS) {
        const pair = words[at] ?? 0;
        const header = words[at + 1] ?? 0;
        take((header >>> 16) % KINDS, pair & 0xffff, pair >>> 16, header & 0xffff, words[at + 2] ?? 0);
      }
    }
  }

  /** The datum of the first entry with this kind and key; undefined where there is none. */
  find(kind: number, source: number, target: number, tclass: number): number | undefined {
    const pair = (source | (target << 16)) >>> 0;
    for (const words of this.#bytes.pieces()) {
      for (let at = 0; at < words.length; at += ENTRY_WORDS) {
        if (words[at] !== pair) continue;
        const header = words[at + 1] ?? 0;
        if ((header & 0xffff) === tclass && (header >>> 16) % KINDS === kind) return words[at + 2];
      }
    }
    return undefined;
  }

  /** All entries in words as `AvEntries` has them, without flags: a copy, of which the caller may do as it likes. */
  words(): Uint32Array {
    const words = this.#bytes.words();
    if (this.#hasFlags)
      for (let at = 1; at < words.length; at += ENTRY_WORDS) words[at] = (words[at] ?? 0) & ~(AVTAB_ENABLED << 16);
    return words;
  }
}
