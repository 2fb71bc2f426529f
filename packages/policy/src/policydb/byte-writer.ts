/**
 * Writes the primitives of the binary policy into a growing buffer.
 *
 * @module
 */

import { type AvEntries, ENTRY_WORDS } from './av-entries.ts';
import { IS_LITTLE_ENDIAN } from './byte-source.ts';
import type { Ebitmap } from './ebitmap.ts';

/** Tables from this size on are not copied until the end. */
const LARGE = 1024 * 1024;

/** Little-endian output that grows as needed. Large tables are kept as they are until the end. */
export class ByteWriter {
  #bytes = new Uint8Array(64 * 1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #finished: Uint8Array[] = [];

  u32(...values: number[]): void {
    this.#reserve(values.length * 4);
    const view = this.#view;
    let at = this.#length;
    for (let i = 0; i < values.length; i++, at += 4) view.setUint32(at, values[i] ?? 0, true);
    this.#length = at;
  }

  u64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigUint64(this.#length, value, true);
    this.#length += 8;
  }

  /** The bytes of a text that has one character per byte. */
  string(text: string): void {
    this.#reserve(text.length);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  /** SPEC: ebitmap: unit size, end of the last unit, count, then units that are not empty. */
  ebitmap(set: Ebitmap): void {
    const { bits } = set;
    if (bits.length === 0) {
      this.u32(64, 0, 0);
      return;
    }
    if (bits.length === 1) {
      const bit = bits[0] ?? 0;
      const start = bit & ~63;
      const half = (1 << (bit & 31)) >>> 0;
      this.u32(64, start + 64, 1, start, (bit & 32) === 0 ? half : 0, (bit & 32) === 0 ? 0 : half);
      return;
    }
    const units: { start: number; low: number; high: number }[] = [];
    for (const bit of bits) {
      const start = bit & ~63;
      let unit = units.at(-1);
      if (unit === undefined || unit.start !== start) {
        unit = { start, low: 0, high: 0 };
        units.push(unit);
      }
      const offset = bit & 63;
      if (offset < 32) unit.low |= 1 << offset;
      else unit.high |= 1 << (offset - 32);
    }
    const last = units.at(-1);
    this.u32(64, last === undefined ? 0 : last.start + 64, units.length);
    for (const unit of units) this.u32(unit.start, unit.low >>> 0, unit.high >>> 0);
  }

  entries(entries: AvEntries): void {
    const words = entries.words.subarray(0, entries.count * ENTRY_WORDS);
    const size = words.length * 4;
    if (IS_LITTLE_ENDIAN && size < LARGE) {
      this.#reserve(size);
      this.#bytes.set(new Uint8Array(words.buffer, words.byteOffset, size), this.#length);
      this.#length += size;
    } else if (IS_LITTLE_ENDIAN) {
      this.#finished.push(this.#bytes.subarray(0, this.#length));
      this.#finished.push(new Uint8Array(words.buffer, words.byteOffset, size));
      this.#bytes = new Uint8Array(64 * 1024);
      this.#view = new DataView(this.#bytes.buffer);
      this.#length = 0;
    } else {
      for (let i = 0; i < words.length; i += ENTRY_WORDS) {
        const [keys = 0, header = 0, data = 0] = words.subarray(i, i + ENTRY_WORDS);
        this.u32(keys, header, data);
      }
    }
  }

  /** What was written, in parts: to make one of large tables is to copy them. */
  take(): readonly Uint8Array[] {
    return [...this.#finished, this.#bytes.subarray(0, this.#length)];
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    const wider = new Uint8Array(Math.max(needed + 64 * 1024, this.#bytes.length * 2));
    wider.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = wider;
    this.#view = new DataView(wider.buffer);
  }
}

/** Parts as one. */
export function joinedParts(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
