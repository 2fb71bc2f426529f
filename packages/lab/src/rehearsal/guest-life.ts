/**
 * What a policy lets happen to a guest: each operation of its life tried on a host of its own.
 *
 * Start reading at `rehearseLife`.
 *
 * @module
 */
import type { Host, OperationReport } from '@dewar/toolstack';
import type { DomainConfig } from '@dewar/toolstack/xl-cfg';
import { checksOf, denialText } from './check-patterns.ts';

/** How one operation of a guest's life came out. */
export interface LifeOperation {
  readonly operation: string;
  readonly outcome: 'done' | 'failed';
  /** The denials that were enforced, as rules would allow them. */
  readonly denied: readonly string[];
}

const UUID = '00000000-0000-4000-8000-000000000001';

type Attempt = (host: Host, guest: string) => Promise<OperationReport<unknown>>;

/** Whether dom0 may map memory is an outcome like others here. */
async function probe(host: Host, guest: string, access: 'read' | 'read-write'): Promise<OperationReport<unknown>> {
  const report = await host.probeForeignMap(guest, access);
  return { ...report, outcome: report.value?.outcome === 'mapped' ? 'done' : 'failed' };
}

/** More than small guests have, in MiB. */
const SOME_MIB = 512;

/** The one operation whose guest must be paused. */
const UNPAUSE = 'unpause';

/** Operations on a guest that runs. Each is tried by itself: what one does is not in the way of the next. */
const ATTEMPTS: Readonly<Record<string, Attempt>> = {
  pause: (host, guest) => host.pause(guest),
  [UNPAUSE]: (host, guest) => host.unpause(guest),
  'dom0 reads its memory': (host, guest) => probe(host, guest, 'read'),
  'dom0 writes its memory': (host, guest) => probe(host, guest, 'read-write'),
  'dump-core': (host, guest) => host.dumpCore(guest),
  'vcpu-list': (host, guest) => host.vcpuList(guest),
  'vcpu-pin': (host, guest) => host.vcpuPin(guest, 'all', 'all'),
  'vcpu-set': (host, guest) => host.vcpuSet(guest, 1),
  'mem-max': (host, guest) => host.memMax(guest, SOME_MIB * 1024, `${SOME_MIB}m`),
  'sched-credit2': (host, guest) => host.schedCredit2(guest, { weight: 256 }),
  trigger: (host, guest) => host.trigger(guest, 'nmi'),
  rename: (host, guest) => host.rename(guest, `${guest}-renamed`),
  save: (host, guest) => host.save(guest),
  'save and restore': async (host, guest) => {
    const saved = await host.save(guest);
    return saved.value === undefined ? saved : host.restore(saved.value, { uuid: UUID });
  },
  reboot: (host, guest) => host.reboot(guest, { wait: true }),
  shutdown: (host, guest) => host.shutdown(guest, { wait: true }),
  destroy: (host, guest) => host.destroy(guest),
};

function outcomeOf(operation: string, report: OperationReport<unknown>): LifeOperation {
  const denied = checksOf(report)
    .filter(({ isEnforced }) => isEnforced)
    .map(denialText);
  return { operation, outcome: report.outcome, denied: [...new Set(denied)] };
}

/** An operation that does not come out as it did, or is denied for other reasons. */
export interface LifeChange {
  readonly operation: string;
  /** Undefined where it could not be tried, because the guest was not created. */
  readonly before: LifeOperation | undefined;
  readonly after: LifeOperation | undefined;
}

/** The operations of a guest's life that differ between two rehearsals. */
export function compareLives(before: readonly LifeOperation[], after: readonly LifeOperation[]): LifeChange[] {
  const names = new Set([...before, ...after].map(({ operation }) => operation));
  return [...names]
    .map((operation) => ({
      operation,
      before: before.find((one) => one.operation === operation),
      after: after.find((one) => one.operation === operation),
    }))
    .filter(({ before: a, after: b }) => a?.outcome !== b?.outcome || a?.denied.join('\n') !== b?.denied.join('\n'));
}

/**
 * Tries to create a guest, and then each operation on it. Where it cannot be created there is only that.
 *
 * @param bootHost boots a host with the policy in question; undefined where it does not boot
 */
export async function rehearseLife(
  config: DomainConfig,
  bootHost: () => Host | undefined,
): Promise<readonly LifeOperation[] | undefined> {
  const first = bootHost();
  if (first === undefined) return undefined;
  const created = await first.create(config, { uuid: UUID });
  const found = [outcomeOf('create', created)];
  const guest = config.name ?? '';
  if (created.outcome === 'failed') return found;
  for (const [operation, attempt] of Object.entries(ATTEMPTS)) {
    const host = bootHost();
    if (host === undefined) return undefined;
    await host.create(config, { uuid: UUID, paused: operation === UNPAUSE });
    found.push(outcomeOf(operation, await attempt(host, guest)));
  }
  return found;
}
