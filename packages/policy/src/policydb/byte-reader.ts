/**
 * Reads the primitives of the binary policy, never past the end and never more than the bytes can hold.
 *
 * @module
 */
import { ByteBlock, type ByteSource, sourceOf } from './byte-source.ts';
import { Ebitmap } from './ebitmap.ts';

/** What can be wrong with a binary. */
export type BinaryFault =
  | { readonly kind: 'truncated'; readonly what: string }
  | { readonly kind: 'bad-count'; readonly what: string; readonly count: number }
  | { readonly kind: 'bad-value'; readonly what: string; readonly value: number | string }
  | { readonly kind: 'bad-ebitmap'; readonly what: string }
  | { readonly kind: 'bad-magic'; readonly found: number }
  | { readonly kind: 'not-xen'; readonly found: string }
  | { readonly kind: 'bad-version'; readonly version: number }
  | { readonly kind: 'duplicate'; readonly what: string; readonly name: string }
  | { readonly kind: 'trailing'; readonly count: number };

/** Ends the reading of a binary; caught by `readPolicydb` only. */
export class BinaryError extends Error {
  override readonly name = 'BinaryError';
  readonly fault: BinaryFault;
  readonly offset: number;

  constructor(fault: BinaryFault, offset: number) {
    super(fault.kind);
    this.fault = fault;
    this.offset = offset;
  }
}

/** A function is called with no more arguments than this at once. */
const MAX_ARGUMENTS = 4096;

/** So many bytes of a source are brought at once, or as many as a string has. */
const WINDOW = 0x1_0000;

/** A cursor over the bytes of a policy. `what` in every call names the thing read, for messages. */
export class ByteReader {
  readonly #source: ByteSource;
  /** The bytes around the cursor; all where they are in memory. */
  #bytes: Uint8Array;
  #view: DataView;
  /** Where in the source they begin, and where they end. */
  #base = 0;
  #end: number;
  /** Room for the bits of one set: a policy has a set for each type. */
  readonly #bits: number[] = [];
  offset = 0;

  constructor(from: Uint8Array | ByteSource) {
    this.#source = from instanceof Uint8Array ? sourceOf(from) : from;
    this.#bytes = this.#source.bytes ?? new Uint8Array();
    this.#end = this.#bytes.length;
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
  }

  get remaining(): number {
    return this.#source.length - this.offset;
  }

  fail(fault: BinaryFault, offset: number = this.offset): never {
    throw new BinaryError(fault, offset);
  }

  /** Has the next `size` bytes at hand. */
  need(size: number, what: string): void {
    if (size > this.remaining) this.fail({ kind: 'truncated', what });
    if (this.offset + size <= this.#end) return;
    const wanted = Math.min(Math.max(size, WINDOW), this.remaining);
    this.#bytes = new Uint8Array(wanted);
    this.#view = new DataView(this.#bytes.buffer);
    this.#source.read(this.#bytes, this.offset);
    this.#base = this.offset;
    this.#end = this.offset + wanted;
  }

  u16(what: string): number {
    const at = this.offset;
    if (at + 2 > this.#end) this.need(2, what);
    this.offset = at + 2;
    return this.#view.getUint16(at - this.#base, true);
  }

  u32(what: string): number {
    const at = this.offset;
    if (at + 4 > this.#end) this.need(4, what);
    this.offset = at + 4;
    return this.#view.getUint32(at - this.#base, true);
  }

  u64(what: string): bigint {
    this.need(8, what);
    this.offset += 8;
    return this.#view.getBigUint64(this.offset - 8 - this.#base, true);
  }

  /** The next `size` bytes, which need not be brought for that. */
  block(size: number, what: string): ByteBlock {
    if (size > this.remaining) this.fail({ kind: 'truncated', what });
    this.offset += size;
    return new ByteBlock(this.#source, this.offset - size, size);
  }

  /** A number of records that take at least `size` bytes each: never more than can still follow. */
  count(size: number, what: string): number {
    const count = this.u32(what);
    if (count * size > this.remaining) this.fail({ kind: 'bad-count', what, count }, this.offset - 4);
    return count;
  }

  string(length: number, what: string): string {
    this.need(length, what);
    const start = this.offset - this.#base;
    const past = start + length;
    this.offset += length;
    let text = '';
    for (let at = start; at < past; at += MAX_ARGUMENTS) {
      const end = Math.min(at + MAX_ARGUMENTS, past);
      text += Reflect.apply(String.fromCharCode, undefined, this.#bytes.subarray(at, end));
    }
    return text;
  }

  /** A name: at least one byte, none of them zero. */
  name(length: number, what: string): string {
    const start = this.offset;
    const text = this.string(length, what);
    if (length === 0 || text.includes('\0')) this.fail({ kind: 'bad-value', what, value: text }, start);
    return text;
  }

  /**
   * A set whose bits are all below `limit`. Units must be ascending, aligned and not empty, and end where the set says.
   * XEN: `ebitmap_read` in `xen/xsm/flask/ss/ebitmap.c` refuses the same.
   */
  ebitmap(limit: number, what: string): Ebitmap {
    const start = this.offset;
    const bad = (): never => this.fail({ kind: 'bad-ebitmap', what }, start);
    const unitSize = this.u32(what);
    const end = this.u32(what);
    const count = this.u32(what);
    if (unitSize !== 64 || end % 64 !== 0 || count * 12 > this.remaining || (count === 0) !== (end === 0)) bad();
    const bits = this.#bits;
    let size = 0;
    let next = 0;
    for (let i = 0; i < count; i++) {
      const unit = this.u32(what);
      const low = this.u32(what);
      const high = this.u32(what);
      if (unit % 64 !== 0 || unit < next || unit > end - 64 || (low === 0 && high === 0)) bad();
      next = unit + 64;
      for (let word = low, bit = unit; word !== 0; word >>>= 1, bit++) if ((word & 1) !== 0) bits[size++] = bit;
      for (let word = high, bit = unit + 32; word !== 0; word >>>= 1, bit++) if ((word & 1) !== 0) bits[size++] = bit;
    }
    if (next !== end) bad();
    const last = size === 0 ? -1 : (bits[size - 1] ?? 0);
    if (last >= limit) this.fail({ kind: 'bad-value', what, value: last }, start);
    const own = new Uint32Array(size);
    for (let i = 0; i < size; i++) own[i] = bits[i] ?? 0;
    return Ebitmap.fromSorted(own);
  }
}
