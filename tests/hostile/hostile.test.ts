/**
 * Binaries from outside: whatever their bytes, they are read or refused with a place. `fuzz.ts` does this in volume.
 */
import { type ByteSource, readPolicydb, ruleTables } from '@dewar/policy/policydb';
import { Random } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { examine } from './examine.ts';
import { hostileBinary } from './mutate.ts';
import { seedBinaries } from './seeds.ts';

const seeds = seedBinaries();

test('the binaries to start from are read and loaded', () => {
  for (const bytes of seeds) expect(examine(bytes).fault).toBeUndefined();
  expect(seeds.some((bytes) => examine(bytes).isLoaded)).toBe(true);
});

test.each(seeds.slice(0, 4).map((bytes) => [bytes.length, bytes] as const))(
  'a binary of %i bytes that is cut off anywhere is refused, at a place within it',
  (_, bytes) => {
    for (let length = 0; length < bytes.length; length++) {
      const read = readPolicydb(bytes.subarray(0, length));
      expect('diagnostic' in read, `of ${length} bytes`).toBe(true);
      expect(examine(bytes.subarray(0, length)).fault).toBeUndefined();
    }
  },
);

test('a binary with any one word made huge is read or refused, and what it claims is not allocated', () => {
  const [bytes = new Uint8Array()] = seeds;
  for (let at = 0; at + 4 <= bytes.length; at++) {
    for (const word of [0xffffffff, 0x7fffffff, 0x10000]) {
      const copy = bytes.slice();
      new DataView(copy.buffer).setUint32(at, word, true);
      const before = process.memoryUsage();
      expect(examine(copy).fault, `at byte ${at}`).toBeUndefined();
      const after = process.memoryUsage();
      // Numbers beyond the file's size that were believed would show as hundreds of megabytes.
      expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(32 * 1024 * 1024);
    }
  }
});

/** What reading gives: what is wrong, or the rules and what stands around them. */
function readingOf(read: ReturnType<typeof readPolicydb>): unknown {
  if ('diagnostic' in read) return read.diagnostic;
  const { rules: _, conditionals: _blocks, typeSets: _sets, ...rest } = read.policy;
  const tables = ruleTables(read.policy).map((table) => {
    const vectors = [...table.vectors().entries()];
    return { vectors, kinds: [...table.countKinds()], words: [...table.entries()] };
  });
  return { version: read.version, rest, tables };
}

test.each([11, 12])('bytes that are brought piece by piece are read as those in memory (seed %i)', (seed) => {
  const random = new Random(seed);
  for (let i = 0; i < 300; i++) {
    const bytes = i < seeds.length ? (seeds[i] ?? new Uint8Array()) : hostileBinary(seeds, random);
    const source: ByteSource = {
      length: bytes.length,
      read(into, offset) {
        expect(offset + into.length).toBeLessThanOrEqual(bytes.length);
        into.set(bytes.subarray(offset, offset + into.length));
      },
    };
    expect(readingOf(readPolicydb(source)), `binary ${i}`).toEqual(readingOf(readPolicydb(bytes)));
  }
});

describe.each([1, 2, 3, 4])('hostile binaries from seed %i', (seed) => {
  test('are read or refused, and those that are read can be decompiled, described, searched and loaded', () => {
    const random = new Random(seed);
    let read = 0;
    for (let i = 0; i < 750; i++) {
      const { isRead, fault } = examine(hostileBinary(seeds, random));
      if (isRead) read++;
      expect(fault, `binary ${i}`).toBeUndefined();
    }
    expect(read).toBeGreaterThan(20);
  });
});
