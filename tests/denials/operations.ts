/**
 * The operations in which a permission is missed: what stands before each, the command that real Xen is given, and the same
 * on a simulated host.
 *
 * @module
 */
import type { LibxlHost, OperationReport, SavedGuest } from '@dewar/toolstack';
import { GUEST_CFG, GUEST_UUID, guestConfig, PVH_CFG } from '../traces/rig-policy.ts';

/**
 * What an operation begins with: no guest; one that waits and does nothing (`paused`, if it was not started); one that
 * runs Linux; a saved one.
 */
export type Before = 'nothing' | 'waiting' | 'paused' | 'linux' | 'saved';

/** What is at hand on a simulated host. */
export interface Stage {
  readonly host: LibxlHost;
  readonly saved?: SavedGuest;
  /** The policy that lacks nothing. */
  readonly whole: Uint8Array;
}

/** An operation. */
export interface Operation {
  readonly before: Before;
  /** For busybox sh in dom0. */
  readonly command: string;
  readonly ask: (stage: Stage) => Promise<OperationReport<unknown>>;
  /** Seconds until what the guest does by itself is over. */
  readonly wait?: number;
}

/** What waits needs little memory. */
function small(text: string): string {
  return text.replace('memory = 128', 'memory = 32').replace('maxmem = 160', 'maxmem = 40');
}

/** The configurations, by the name of their file. */
export const CONFIGURATIONS: Readonly<Record<'pv' | 'pvh' | 'linux', string>> = {
  pv: small(GUEST_CFG),
  pvh: small(PVH_CFG),
  linux: GUEST_CFG,
};

const options = { uuid: GUEST_UUID, unwatched: true };

function create(name: keyof typeof CONFIGURATIONS, paused: boolean): Operation['ask'] {
  return ({ host }) => host.create(guestConfig(CONFIGURATIONS[name]), { ...options, paused });
}

/** Operations in which the guest itself misses something. */
export const OF_THE_GUEST: readonly string[] = ['start', 'balloon'];

/** By their names in the recordings. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  create: { before: 'nothing', command: 'xl create -q -p -e pv.cfg', ask: create('pv', true) },
  'create-pvh': { before: 'nothing', command: 'xl create -q -p -e pvh.cfg', ask: create('pvh', true) },
  unpause: { before: 'paused', command: 'xl unpause secure1', ask: ({ host }) => host.unpause('secure1') },
  pause: { before: 'waiting', command: 'xl pause secure1', ask: ({ host }) => host.pause('secure1') },
  destroy: { before: 'waiting', command: 'xl destroy secure1', ask: ({ host }) => host.destroy('secure1') },
  list: { before: 'waiting', command: 'xl list', ask: ({ host }) => host.list() },
  'vm-list': { before: 'waiting', command: 'xl vm-list', ask: ({ host }) => host.vmList() },
  rename: {
    before: 'waiting',
    command: 'xl rename secure1 secure2',
    ask: ({ host }) => host.rename('secure1', 'secure2'),
  },
  'vcpu-list': { before: 'waiting', command: 'xl vcpu-list secure1', ask: ({ host }) => host.vcpuList('secure1') },
  'vcpu-pin': {
    before: 'waiting',
    command: 'xl vcpu-pin secure1 0 0 all',
    ask: ({ host }) => host.vcpuPin('secure1', '0', '0', 'all'),
  },
  'vcpu-set': { before: 'waiting', command: 'xl vcpu-set secure1 1', ask: ({ host }) => host.vcpuSet('secure1', 1) },
  'mem-set': {
    before: 'waiting',
    command: 'xl mem-set secure1 30',
    ask: ({ host }) => host.memSet('secure1', 30 * 1024, '30'),
  },
  'mem-max': {
    before: 'waiting',
    command: 'xl mem-max secure1 38',
    ask: ({ host }) => host.memMax('secure1', 38 * 1024, '38'),
  },
  'sched-credit2': { before: 'waiting', command: 'xl sched-credit2', ask: ({ host }) => host.schedCredit2() },
  'sched-credit2-set': {
    before: 'waiting',
    command: 'xl sched-credit2 -d secure1 -w 100',
    ask: ({ host }) => host.schedCredit2('secure1', { weight: 100 }),
  },
  trigger: { before: 'waiting', command: 'xl trigger secure1 nmi', ask: ({ host }) => host.trigger('secure1', 'nmi') },
  sysrq: { before: 'waiting', command: 'xl sysrq secure1 h', ask: ({ host }) => host.sysrq('secure1', 'h') },
  'dump-core': {
    before: 'linux',
    command: 'xl dump-core secure1 /run/core',
    ask: ({ host }) => host.dumpCore('secure1', '/run/core'),
  },
  info: { before: 'nothing', command: 'xl info', ask: ({ host }) => host.info() },
  dmesg: { before: 'nothing', command: 'xl dmesg', ask: ({ host }) => host.dmesg() },
  'dmesg-clear': { before: 'nothing', command: 'xl dmesg -c', ask: ({ host }) => host.dmesg({ clear: true }) },
  setenforce: { before: 'nothing', command: 'xl setenforce 1', ask: ({ host }) => host.setenforce(true) },
  loadpolicy: { before: 'nothing', command: 'xl loadpolicy whole', ask: ({ host, whole }) => host.loadPolicy(whole) },
  save: {
    before: 'linux',
    command: 'xl save secure1 /run/save',
    ask: ({ host }) => host.save('secure1', { file: '/run/save' }),
  },
  checkpoint: {
    before: 'linux',
    command: 'xl save -c secure1 /run/save',
    ask: ({ host }) => host.save('secure1', { checkpoint: true, file: '/run/save' }),
  },
  restore: {
    before: 'saved',
    command: 'xl restore -p -e /run/saved',
    ask: ({ host, saved }) => host.restore(saved, { ...options, paused: true, file: '/run/saved' }),
  },
  start: { before: 'nothing', command: 'xl create -q -e linux.cfg', ask: create('linux', false), wait: 30 },
  balloon: {
    before: 'linux',
    command: 'xl mem-set secure1 120',
    ask: ({ host }) => host.memSet('secure1', 120 * 1024, '120'),
    wait: 3,
  },
};
