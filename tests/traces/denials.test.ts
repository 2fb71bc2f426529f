/** A guest's life under policies that lack something: whatever is denied, the host stays whole and says what failed. */
import { Hypervisor } from '@dewar/hypervisor';
import { LibxlHost, type OperationReport, restoreToolstack, type SavedGuest } from '@dewar/toolstack';
import { fc, test as property } from '@fast-check/vitest';
import { expect } from 'vitest';
import {
  GUEST_UUID,
  guestConfig,
  HOST_RULES,
  OPERATIONS,
  PVH_CFG,
  PVH_LIFE,
  policyBytes,
  SAVE_RESTORE,
  WHOLE_LIFE,
} from './rig-policy.ts';

/** Every permission of the rules, on its own. */
const grants: readonly string[] = [HOST_RULES, WHOLE_LIFE, PVH_LIFE, OPERATIONS, SAVE_RESTORE]
  .flatMap((rules) => rules.split('\n'))
  .flatMap((line) => {
    const rule = /^allow (\S+|\{[^}]*\}) (\S+|\{[^}]*\}):(\w+) (?:\{([^}]*)\}|(\w+));$/.exec(line);
    if (rule === null) return [];
    const [, source, target, tclass, list, one] = rule;
    return (list ?? one ?? '')
      .trim()
      .split(/\s+/)
      .map((permission) => `allow ${source} ${target}:${tclass} ${permission};`);
  });
const transitions = HOST_RULES.split('\n').filter((line) => line.startsWith('type_transition'));

/** One thing that is asked of the host. */
type Ask = (host: LibxlHost, saved: SavedGuest | undefined) => Promise<OperationReport<unknown>>;
const asks: Readonly<Record<string, Ask>> = {
  createPv: (host) => host.create(guestConfig(), { uuid: GUEST_UUID }),
  createPvh: (host) => host.create(guestConfig(PVH_CFG), { uuid: GUEST_UUID }),
  createPaused: (host) => host.create(guestConfig(), { uuid: GUEST_UUID, paused: true, unwatched: true }),
  pause: (host) => host.pause('secure1'),
  unpause: (host) => host.unpause('secure1'),
  shutdown: (host) => host.shutdown('secure1'),
  reboot: (host) => host.reboot('secure1'),
  save: (host) => host.save('secure1'),
  checkpoint: (host) => host.save('secure1', { checkpoint: true }),
  restore: (host, saved) => host.restore(saved, { uuid: GUEST_UUID }),
  memSet: (host) => host.memSet('secure1', 100 * 1024),
  memMax: (host) => host.memMax('secure1', 200 * 1024),
  vcpuSet: (host) => host.vcpuSet('secure1', 1),
  vcpuPin: (host) => host.vcpuPin('secure1', 'all', '0', '1'),
  vcpuList: (host) => host.vcpuList(),
  scheduler: (host) => host.schedCredit2('secure1', { weight: 100 }),
  trigger: (host) => host.trigger('secure1', 'nmi'),
  dumpCore: (host) => host.dumpCore('secure1'),
  destroy: (host) => host.destroy('secure1'),
};
const names = Object.keys(asks);

property.prop(
  [
    fc.subarray([...grants.keys()], { maxLength: 2 }),
    fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 8 }),
  ],
  { numRuns: 120 },
)(
  'whatever is denied, what failed has a diagnostic, what did not has none, and the host reads back',
  async (missing, plan) => {
    const rules = grants.filter((rule, i) => !missing.includes(i) || rule.startsWith('allow xenboot_t'));
    const boot = Hypervisor.boot({ policy: policyBytes(rules.join('\n'), transitions.join('\n')) });
    if (boot.kind === 'refused') throw new Error(boot.reason);
    const { hypervisor } = boot;
    const host = new LibxlHost(hypervisor);
    let saved: SavedGuest | undefined;
    for (const name of ['createPv', ...plan]) {
      const report = await asks[name]?.(host, saved);
      if (report === undefined) throw new Error(name);
      const hasError = report.diagnostics.some(({ severity }) => severity === 'error');
      expect([name, report.outcome, hasError]).toEqual([name, report.outcome, report.outcome === 'failed']);
      if (report.xlExitCode !== 0) expect([name, report.outcome]).toEqual([name, 'failed']);
      if (name === 'save' && report.value !== undefined) saved = report.value as SavedGuest;
    }
    const stored = JSON.parse(JSON.stringify([hypervisor.snapshot(), host.snapshot()]));
    const restored = Hypervisor.restore(stored[0]);
    const state = restoreToolstack(stored[1]);
    if (restored === undefined || state === undefined) throw new Error('the snapshot was refused');
    expect(JSON.parse(JSON.stringify([restored.snapshot(), new LibxlHost(restored, state).snapshot()]))).toEqual(
      stored,
    );
    // Nobody but the daemons keeps a page of a guest.
    for (const { domid } of (await host.list()).value ?? []) {
      const keepers = hypervisor.openMappings(domid).map(({ mapper }) => mapper.process);
      expect(keepers.filter((keeper) => keeper !== 'xenstored' && keeper !== 'xenconsoled')).toEqual([]);
    }
  },
);
