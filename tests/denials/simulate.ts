/**
 * An operation without one permission on a simulated host, written down as `denials.sh` writes it on real Xen.
 *
 * @module
 */
import { Hypervisor } from '@dewar/hypervisor';
import {
  DOM0,
  type DomainInfo,
  LibxlHost,
  type OperationReport,
  restoreToolstack,
  type ShutdownReason,
} from '@dewar/toolstack';
import { GUEST_UUID, guestConfig } from '../traces/rig-policy.ts';
import { type Course, course } from './course.ts';
import { type Before, CONFIGURATIONS, type Operation, type Stage } from './operations.ts';

/** The guest that only waits (`waiting-guest.S`) watches nothing in xenstore; a simulated kernel is Linux, unless it hangs. */
function withDeafGuests(hypervisor: Hypervisor, host: LibxlHost): LibxlHost {
  const state = restoreToolstack(host.snapshot());
  for (const domid of state?.guests.keys() ?? []) Object.assign(state?.guests.get(domid) ?? {}, { isStuck: true });
  return new LibxlHost(hypervisor, state);
}

/** A host with what the operation begins with. */
async function setStage(before: Before, whole: Uint8Array): Promise<Stage & { readonly hypervisor: Hypervisor }> {
  const boot = Hypervisor.boot({ policy: whole });
  if (boot.kind === 'refused') throw new Error(boot.reason);
  const { hypervisor } = boot;
  const host = new LibxlHost(hypervisor);
  if (before === 'nothing') return { hypervisor, host, whole };
  const isSmall = before === 'waiting' || before === 'paused';
  await host.create(guestConfig(CONFIGURATIONS[isSmall ? 'pv' : 'linux']), {
    uuid: GUEST_UUID,
    unwatched: true,
    paused: before === 'paused',
  });
  if (isSmall) return { hypervisor, host: withDeafGuests(hypervisor, host), whole };
  if (before !== 'saved') return { hypervisor, host, whole };
  const { value } = await host.save('secure1');
  return { hypervisor, host, whole, ...(value === undefined ? {} : { saved: value }) };
}

/** The operation when nothing is missing. */
export async function withWhole(operation: Operation, whole: Uint8Array): Promise<OperationReport<unknown>> {
  return operation.ask(await setStage(operation.before, whole));
}

const REASON_LETTERS: Readonly<Record<ShutdownReason, string>> = {
  poweroff: '-',
  reboot: 'r',
  suspend: 's',
  crash: 'c',
  watchdog: 'w',
  'soft-reset': 'S',
};

/** The state of a domain in the letters of `xl list`. */
function letters({ isPaused, isDying, shutdownReason, isRunning }: DomainInfo): string {
  const end = shutdownReason === undefined ? '--' : `s${REASON_LETTERS[shutdownReason]}`;
  const isUp = isRunning && !isPaused && shutdownReason === undefined;
  return `${isUp ? 'r' : '-'}-${isPaused ? 'p' : '-'}${end}${isDying ? 'd' : '-'}`;
}

/** As `flask-loadpolicy` does it, which asks nothing else. */
function load(hypervisor: Hypervisor, bytes: Uint8Array): void {
  hypervisor.call({ domid: DOM0, process: 'flask tools' }, 'xsm_op.load_policy', { bytes });
}

/** What comes of the operation under a policy that lacks something; what stays is seen with the whole one. */
export async function simulate(operation: Operation, whole: Uint8Array, lacking: Uint8Array): Promise<Course> {
  const stage = await setStage(operation.before, whole);
  const { host, hypervisor } = stage;
  load(hypervisor, lacking);
  await host.dmesg({ clear: true });
  const report = await operation.ask(stage);
  load(hypervisor, whole);
  const ring = (await host.dmesg()).value ?? '';
  const left = ((await host.list()).value ?? [])
    .filter(({ domid }) => domid !== 0)
    .map(({ domid, name, label }) => {
      const found = hypervisor.inspectDomain(domid);
      return `${name ?? '(null)'} ${found === undefined ? 'gone' : letters(found.info)} ${label}`;
    });
  return course({
    said: report.xlMessages,
    exitCode: report.xlExitCode,
    denials: ring.split('\n').filter((line) => line.includes('avc:  denied')),
    left,
  });
}
