/**
 * Makes hostile binaries out of sound ones: bits turned, words that count too much, parts repeated, left out or cut off.
 *
 * @module
 */
import { joinedParts } from '@dewar/policy/policydb';
import type { Random } from '@dewar/testkit';

/** Words that like to break readers. */
const WORDS = [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 127, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0xffffff];
const LARGE_WORDS = [0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x15555556, 0x2aaaaaab];

type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

/** A copy with four bytes overwritten; the format is made of words, mostly at even places. */
function withWord(bytes: Uint8Array, at: number, word: number): Uint8Array {
  const copy = bytes.slice();
  if (at + 4 <= copy.length) new DataView(copy.buffer).setUint32(at, word >>> 0, true);
  return copy;
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => joinedParts(parts);

const MUTATIONS: readonly Mutation[] = [
  // One bit.
  (bytes, random) => {
    const copy = bytes.slice();
    const at = random.below(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    return copy;
  },
  // One byte.
  (bytes, random) => {
    const copy = bytes.slice();
    copy[random.below(copy.length)] = random.below(256);
    return copy;
  },
  // A word that counts too much, or too little.
  (bytes, random) => withWord(bytes, random.below(bytes.length), random.pick([...WORDS, ...LARGE_WORDS])),
  // A word that is a little more or less.
  (bytes, random) => {
    const at = random.below(Math.max(1, bytes.length - 4));
    const old = new DataView(bytes.buffer, bytes.byteOffset).getUint32(Math.min(at, bytes.length - 4), true);
    return withWord(bytes, at, old + random.pick([-2, -1, 1, 2, 64, 0x100, 0x10000]));
  },
  // Cut off.
  (bytes, random) => bytes.slice(0, random.below(bytes.length)),
  // A part repeated.
  (bytes, random) => {
    const start = random.below(bytes.length);
    const end = Math.min(bytes.length, start + 1 + random.below(200));
    return joined(bytes.subarray(0, end), bytes.subarray(start, end), bytes.subarray(end));
  },
  // A part left out.
  (bytes, random) => {
    const start = random.below(bytes.length);
    return joined(bytes.subarray(0, start), bytes.subarray(Math.min(bytes.length, start + 1 + random.below(64))));
  },
  // A part of the same or another policy in the place of one.
  (bytes, random, others) => {
    const other = random.pick(others);
    const from = random.below(other.length);
    const part = other.subarray(from, from + 4 + random.below(120));
    const copy = bytes.slice();
    const at = random.below(copy.length);
    copy.set(part.subarray(0, Math.min(part.length, copy.length - at)), at);
    return copy;
  },
  // Two words exchanged.
  (bytes, random) => {
    const copy = bytes.slice();
    const a = random.below(copy.length);
    const b = random.below(copy.length);
    const first = copy.slice(a, a + 4);
    copy.set(copy.slice(b, b + 4).subarray(0, Math.max(0, copy.length - a)), a);
    copy.set(first.subarray(0, Math.max(0, copy.length - b)), b);
    return copy;
  },
];

/** One hostile binary: one mutation of one of the seeds, sometimes several on top of each other. */
export function hostileBinary(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = random.pick(seeds);
  const rounds = random.once(4) ? 2 + random.below(4) : 1;
  for (let i = 0; i < rounds && bytes.length > 8; i++) bytes = random.pick(MUTATIONS)(bytes, random, seeds);
  return bytes;
}
