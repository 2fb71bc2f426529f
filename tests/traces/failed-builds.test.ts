/** What xl says of a build that a missing permission stops, as it was recorded on real Xen 4.17.5. */
import { expect, test } from 'vitest';
import { bootRig, GUEST_UUID, guestConfig, WHOLE_LIFE } from './rig-policy.ts';

const RECORDED: readonly (readonly [permission: string, lines: readonly string[]])[] = [
  [
    'settsc',
    [
      'libxl: error: libxl_x86.c:506:libxl__arch_domain_create: xc_domain_set_tsc_info() failed: Permission denied',
      'libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain 1:cannot (re-)build domain: -3',
      'libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain 1:Non-existant domain',
      'libxl: error: libxl_domain.c:1137:domain_destroy_callback: Domain 1:Unable to destroy guest',
      'libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain 1:Destruction of domain failed',
    ],
  ],
  [
    'create',
    [
      'libxl: error: libxl_create.c:711:libxl__domain_make: domain creation fail: Permission denied',
      'libxl: error: libxl_create.c:1296:initiate_domain_create: cannot make domain: -3',
    ],
  ],
];

test.each(RECORDED)('a build without the permission `%s` ends with the words of xl', async (permission, lines) => {
  const { host } = bootRig(WHOLE_LIFE.replace(new RegExp(`\\b${permission} `), ''));
  const report = await host.create(guestConfig(), { uuid: GUEST_UUID, paused: true, unwatched: true });
  expect([report.xlExitCode, report.xlMessages]).toEqual([3, lines]);
  expect((await host.list()).value).toHaveLength(1);
});
