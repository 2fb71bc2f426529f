/**
 * What the host decides about a guest: the settings of xl.conf that end up in its configuration.
 *
 * Follows Xen `tools/xl/xl.c`, `parse_global_config`.
 *
 * @module
 */
import type { Guest } from './key-table.ts';

/** What `xl.conf` says, as far as it decides what a key means that is not set. */
export interface XlDefaults {
  /** `claim_mode` */
  readonly claimMode: boolean;
  /** `run_hotplug_scripts` */
  readonly runHotplugScripts: boolean;
  /** `max_grant_frames`; undefined leaves it to the hypervisor. */
  readonly maxGrantFrames: number | undefined;
  /** `max_maptrack_frames` */
  readonly maxMaptrackFrames: number | undefined;
  /** `max_grant_version` */
  readonly maxGrantVersion: number | undefined;
  /** `blkdev_start` */
  readonly firstBlockDevice: string | undefined;
  /** How many CPUs the host has, as `cpus` can name no more. */
  readonly hostCpus: number;
  /** How many NUMA nodes the host has; all of its CPUs are in the first. */
  readonly hostNodes: number;
  /** The kind of guest without `type`: `pv` on x86, `pvh` on Arm. */
  readonly guest: Guest;
  /** Where xl was built to look for `firmware`. */
  readonly firmwareFolder: string;
}

/** An x86 host of four CPUs with an empty xl.conf, and Debian's folders. */
export const XL_DEFAULTS: XlDefaults = {
  claimMode: true,
  runHotplugScripts: true,
  maxGrantFrames: undefined,
  maxMaptrackFrames: undefined,
  maxGrantVersion: undefined,
  firstBlockDevice: undefined,
  hostCpus: 4,
  hostNodes: 1,
  guest: 'pv',
  firmwareFolder: '/usr/lib/xen-4.17/boot',
};
