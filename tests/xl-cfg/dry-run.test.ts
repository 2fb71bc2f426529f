/**
 * `xl create -n` of whole guests: the same JSON, the same warnings, the same end.
 *
 * `golden/` was recorded from xl 4.17; where xl is installed it is asked again. `compare-dry-runs.ts` asks in volume.
 */
import { CPU_FEATURES } from '@dewar/toolstack/xl-cfg';
import { afterAll, describe, expect, test } from 'vitest';
import { generateAnyGuest } from './generate-guests.ts';
import { Dice } from './generate-texts.ts';
import { guestFiles, readRecord, recordText } from './guest-files.ts';
import { keyValueFiles } from './key-values.ts';
import { isSameDryRun, ourDryRun } from './our-dry-run.ts';
import { type XlReference, xlReference } from './xl-reference.ts';

const SEED = 4_170_005;
const GUESTS = 400;

const UUID = '11111111-2222-3333-4444-555555555501';

/** One file in so many of those that `compare-dry-runs.ts --keys` asks about. */
const EVERY = 37;

const reference = xlReference();
afterAll(() => {
  if ('dispose' in reference) reference.dispose();
});

function expectSame(xl: XlReference, text: string): void {
  const ours = ourDryRun(text, []);
  const theirs = xl.dryRun(text, []);
  expect(isSameDryRun(ours, theirs) ? theirs : ours, text).toEqual(theirs);
}

describe('a dry run', () => {
  test.each(guestFiles())('of $name prints what xl was recorded to print', ({ name, text }) => {
    expect(recordText(ourDryRun(text, []), text)).toBe(readRecord(name));
  });

  test.for(guestFiles())('of $name prints what the installed xl prints', ({ text }, { skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    expect(recordText(ourDryRun(text, []), text)).toBe(recordText(reference.dryRun(text, []), text));
  });

  test.for([
    ['seclabel="system_u:system_r:isolated_domU_t"'],
    ['memory=256', 'vcpus=2', 'extra+=" quiet"'],
    ['seclabel=system_u:system_r:domU_t'],
    ['disk=['],
  ])('takes the words %j of the command line as xl does', (words, { skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    const [file] = guestFiles().filter(({ name }) => name === 'pv-labelled.cfg');
    const text = file?.text ?? '';
    expect(ourDryRun(text, words)).toEqual(reference.dryRun(text, words));
  });

  test.for([8193, 20_000])('of a guest with %d vCPUs, which no guest can have, has them all', (vcpus, { skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    const text = `name = 'g'\ntype = 'pv'\nkernel = '/k'\nuuid = '${UUID}'\nvcpus = ${vcpus}\n`;
    expectSame(reference, text);
  });

  test('of generated guests prints what the installed xl prints', ({ skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    const dice = new Dice(SEED);
    for (let left = GUESTS; left > 0; left--) {
      expectSame(reference, generateAnyGuest(dice));
    }
  });

  test('of a guest with any one key prints what the installed xl prints', ({ skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    let index = 0;
    for (const text of keyValueFiles()) if (index++ % EVERY === 0) expectSame(reference, text);
  });

  test('knows the place of every CPU feature that the installed xl knows', ({ skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    const head = 'name = "guest"\nkernel = "/k"\nuuid = "302eb3ee-01c8-4ed9-85ec-b2960e0ca998"\n';
    const text = `${head}cpuid = "host,${[...CPU_FEATURES.keys()].map((name) => `${name}=1`).join(',')}"\n`;
    const run = reference.dryRun(text, []);
    expect(run.stderr).not.toContain('error');
    expect(ourDryRun(text, [])).toEqual(run);
  });
});
