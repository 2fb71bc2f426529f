/** What an older libxl would lose of a description is found. */
import { expect, test } from 'vitest';
import { lostMembers } from './host-access.ts';

test('a description that libxl has read whole loses nothing, whatever libxl prints beside', () => {
  const given = { c_info: { name: 'a' }, disks: [{ vdev: 'xvda' }], b_info: { 'type.pv': {}, arch_x86: {} } };
  expect(lostMembers(given, { ...given, b_info: { 'type.pv': {}, claim_mode: 'True' } })).toEqual([]);
  // The device 0000:00:05.0: what is 0 is not printed.
  expect(lostMembers({ domain: 0, bus: 0, dev: 5, func: 0 }, { dev: 5 })).toEqual([]);
});

test('members that it does not know are named by where they stand', () => {
  const given = {
    b_info: { vpmu: 'True', arch_x86: { msr_relaxed: 'True' } },
    disks: [{ vdev: 'xvda' }, { trusted: 'False' }],
  };
  const kept = { b_info: { max_vcpus: 1 }, disks: [{ vdev: 'xvda' }, {}] };
  expect(lostMembers(given, kept)).toEqual(['b_info.vpmu', 'b_info.arch_x86.msr_relaxed', 'disks[1].trusted']);
});
