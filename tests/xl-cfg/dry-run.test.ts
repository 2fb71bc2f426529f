/**
 * `xl create -n` of whole guests: the same JSON, the same warnings, the same end.
 *
 * `golden/` was recorded from xl 4.17; where xl is installed it is asked again. `compare-dry-runs.ts` asks in volume.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { generateDeviceGuest, generateGuest } from './generate-guests.ts';
import { Dice } from './generate-texts.ts';
import { guestFiles, readRecord, recordText } from './guest-files.ts';
import { isSameDryRun, ourDryRun } from './our-dry-run.ts';
import { xlReference } from './xl-reference.ts';

const SEED = 4_170_005;
const GUESTS = 150;

const reference = xlReference();
afterAll(() => {
  if ('dispose' in reference) reference.dispose();
});

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

  test('of generated guests prints what the installed xl prints', ({ skip }) => {
    if ('reason' in reference) return skip(reference.reason);
    const dice = new Dice(SEED);
    for (let left = GUESTS; left > 0; left--) {
      const text = left % 2 === 0 ? generateGuest(dice) : generateDeviceGuest(dice);
      const ours = ourDryRun(text, []);
      const theirs = reference.dryRun(text, []);
      expect(isSameDryRun(ours, theirs) ? theirs : ours, text).toEqual(theirs);
    }
  });
});
