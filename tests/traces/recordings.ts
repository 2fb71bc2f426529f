/**
 * The recordings of real Xen 4.17.5 in `golden`, and the same operations on a simulated host.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { DOM0, type LibxlHost, type OperationReport } from '@dewar/toolstack';
import {
  bootRig,
  DUMP_CORE,
  GUEST_UUID,
  guestConfig,
  OPERATIONS,
  PVH_CFG,
  PVH_LIFE,
  SAVE_RESTORE,
  WHOLE_LIFE,
} from './rig-policy.ts';

/** What the recordings leave out; their headers say so. */
const NOT_RECORDED = new Set([
  'mmu map_read',
  'mmu map_read map_write',
  'mmu mmuext_op',
  'mmu updatemp',
  'domain destroy',
  'event send',
  'event status',
]);

/** Our small policy has one channel type for all guests. */
const SAME_TYPE: Readonly<Record<string, string>> = { guest_t_channel: 'nomigrate_t_channel' };

function typeOf(context: string): string {
  const type = context.split(':')[2] ?? context;
  return SAME_TYPE[type] ?? type;
}

/** All checks in order, equal neighbours once. */
export function checksOf({ timeline }: OperationReport<unknown>, of: 'dom0' | 'guest' = 'dom0'): string[] {
  const lines: string[] = [];
  for (const { checks, domid } of timeline.flatMap((step) => step.hypercalls.flatMap(repeat))) {
    if ((domid === DOM0) === (of === 'dom0')) {
      for (const check of checks) {
        const permissions = check.permissions.join(' ');
        if (NOT_RECORDED.has(`${check.class} ${permissions}`)) continue;
        // What dom0 reads of the version, and what a guest does to its own memory, were not recorded either.
        if (of === 'dom0' && check.class === 'version') continue;
        if (of === 'guest' && check.class === 'mmu') continue;
        const line = `${check.class} { ${permissions} } ${typeOf(check.source)} ${typeOf(check.target)}`;
        if (lines.at(-1) !== line) lines.push(line);
      }
    }
  }
  return lines;
}

/** A record that stands for some equal hypercalls with more than one check stands for those checks in turn. */
function repeat<T extends { readonly count: number; readonly checks: readonly unknown[] }>(record: T): T[] {
  return record.checks.length > 1 ? Array.from({ length: record.count }, () => record) : [record];
}

export function golden(name: string): string[] {
  const text = readFileSync(new URL(`./golden/${name}.txt`, import.meta.url), 'latin1');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** All that the operations of the recordings need. */
export const EVERYTHING: string = WHOLE_LIFE + PVH_LIFE + OPERATIONS + SAVE_RESTORE;

const options = { uuid: GUEST_UUID };

/** A host with the guest of the recordings, which runs. */
async function withGuest(text?: string, rules: string = EVERYTHING): Promise<LibxlHost> {
  const { host } = bootRig(rules);
  await host.create(guestConfig(text), options);
  return host;
}

/** A host on which nothing was done yet. */
function empty(): LibxlHost {
  return bootRig(EVERYTHING).host;
}

/** The operations on a guest that runs which take no preparation; each on a guest of its own. */
const SMALL: Readonly<Record<string, (host: LibxlHost) => Promise<OperationReport<unknown>>>> = {
  list: (host) => host.list(),
  pause: (host) => host.pause('secure1'),
  destroy: (host) => host.destroy('secure1'),
  'vm-list': (host) => host.vmList(),
  'vcpu-list': (host) => host.vcpuList('secure1'),
  'vcpu-pin': (host) => host.vcpuPin('secure1', '0', '0', 'all'),
  'vcpu-set': (host) => host.vcpuSet('secure1', 1),
  'mem-set': (host) => host.memSet('secure1', 120 * 1024),
  'mem-max': (host) => host.memMax('secure1', 150 * 1024),
  'sched-credit2': (host) => host.schedCredit2('secure1'),
  'sched-credit2-set': (host) => host.schedCredit2('secure1', { weight: 200 }),
  sysrq: (host) => host.sysrq('secure1', 'h'),
  trigger: (host) => host.trigger('secure1', 'nmi'),
  domid: (host) => host.domid('secure1'),
  domname: (host) => host.domname('1'),
  info: (host) => host.info(),
  rename: (host) => host.rename('secure1', 'secure2'),
};

/** What the recording `name` is held against; undefined where nothing is. */
export async function simulated(name: string): Promise<readonly string[] | undefined> {
  const small = SMALL[name];
  if (small !== undefined) return checksOf(await small(await withGuest()));
  switch (name) {
    case 'create-paused':
      return checksOf(await empty().create(guestConfig(), { ...options, paused: true }));
    case 'guest-start':
      return checksOf(await empty().create(guestConfig(), options), 'guest');
    case 'pvh-create-paused':
      return checksOf(await empty().create(guestConfig(PVH_CFG), { ...options, paused: true }));
    case 'pvh-guest-start':
      return checksOf(await empty().create(guestConfig(PVH_CFG), options), 'guest');
    case 'unpause':
    case 'pvh-unpause': {
      const host = empty();
      await host.create(guestConfig(name === 'unpause' ? undefined : PVH_CFG), { ...options, paused: true });
      return checksOf(await host.unpause('secure1'));
    }
    case 'dump-core':
      return checksOf(await (await withGuest(undefined, WHOLE_LIFE + DUMP_CORE)).dumpCore('secure1'));
    case 'save': {
      const host = await withGuest();
      await host.vcpuSet('secure1', 1);
      return checksOf(await host.save('secure1'));
    }
    case 'restore-paused': {
      const host = await withGuest();
      const { value } = await host.save('secure1');
      return checksOf(await host.restore(value, { ...options, paused: true }));
    }
    case 'shutdown-request':
    case 'pvh-crash': {
      const found = checksOf(await (await withGuest()).shutdown('secure1'));
      const { length } = golden('shutdown-request');
      // The one recording ends with the look that the other begins with.
      return name === 'shutdown-request' ? found.slice(0, length) : found.slice(length - 1);
    }
    default:
      return undefined;
  }
}
