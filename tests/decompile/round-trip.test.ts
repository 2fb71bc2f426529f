/**
 * Binary policies become text, and the text becomes the same bytes: the example policy, Xen's own, and generated ones.
 * `round-trips.ts` does this in volume.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { compileDirectory, compileText, type PolicyFiles } from '@dewar/policy/compiler';
import { findRelease, policyInfo } from '@dewar/policy/decompiler';
import { readPolicydb } from '@dewar/policy/policydb';
import { SourceText } from '@dewar/policy/text';
import { xenTree } from '@dewar/testkit';
import { describe, expect, test } from 'vitest';
import { generatePolicy } from '../checkpolicy/generator/generate.ts';
import { editedPolicy } from '../xen-tree/edited-tree.ts';
import { roundTripFaults } from './round-trip.ts';

const folder = new URL('../../policies/example/', import.meta.url);
const example: PolicyFiles = {
  readText: (path) => {
    const file = new URL(path, folder);
    return existsSync(file) ? readFileSync(file, 'latin1') : undefined;
  },
  listNames: (path) => (existsSync(new URL(path, folder)) ? readdirSync(new URL(path, folder)) : []),
  describe: (path) => path,
};

const CASES = [
  { version: 24, isMls: false },
  { version: 24, isMls: true },
  { version: 30, isMls: false },
  { version: 30, isMls: true },
] as const;

function compiled(files: PolicyFiles, settings: (typeof CASES)[number]): Uint8Array {
  const { bytes } = compileDirectory(files, settings);
  if (bytes === undefined) throw new Error('the policy does not compile');
  return bytes;
}

test.each(CASES)('the example policy at version $version, MLS $isMls', (settings) => {
  expect(roundTripFaults(compiled(example, settings))).toEqual([]);
});

const tree = xenTree();

describe.skipIf(tree === undefined)("Xen's own example policy", () => {
  // With MLS it does not compile: its constraints name permissions of older releases.
  test.each(CASES.filter(({ isMls }) => !isMls))('at version $version', (settings) => {
    const bytes = compiled(editedPolicy(tree ?? ''), settings);
    expect(roundTripFaults(bytes)).toEqual([]);
  });

  test('is told to be of Xen 4.17, with the initial SIDs of that release', () => {
    const read = readPolicydb(compiled(editedPolicy(tree ?? ''), CASES[2]));
    if ('diagnostic' in read) throw new Error(read.diagnostic.message);
    expect(findRelease(read.policy)).toEqual({ release: '4.17', isExact: true });
    const { initialSids } = policyInfo(read.policy, read.version);
    expect(initialSids.map(({ sid, name, context }) => `${sid} ${name} ${context}`).slice(0, 4)).toEqual([
      '1 xenboot system_u:system_r:xenboot_t',
      '2 xen system_u:system_r:xen_t',
      '3 dom0 system_u:system_r:dom0_t',
      '4 domio system_u:system_r:domio_t',
    ]);
  });
});

test.each(Array.from({ length: 24 }, (_, i) => i + 1))('the generated policy of seed %i', (seed) => {
  const { text, isMls } = generatePolicy(seed);
  const settings = { version: seed % 2 === 0 ? (24 as const) : (30 as const), isMls };
  const { bytes } = compileText(new SourceText('policy.conf', text), settings);
  // A few of the generated policies are refused, by checkpolicy too.
  expect(bytes === undefined ? [] : roundTripFaults(bytes)).toEqual([]);
});
