/**
 * Sysctls, the version hypercall and the console: what concerns the host as a whole.
 *
 * Follows Xen `xen/common/sysctl.c`, `do_sysctl`, and `xen/drivers/char/console.c`.
 *
 * @module
 */
import type { HypercallName, HypercallResult } from '@dewar/toolstack';
import { pressKeys } from './debug-keys.ts';
import type { Domain } from './domain.ts';
import { describeDomain } from './domctl.ts';
import { DOMID_XEN, failed, type Handlers, HOST_CPUS, HOST_NODES, type Machine, ok } from './machine.ts';

/** Keys that may be pressed in one go. XEN: there is no limit. */
const DEBUG_KEYS_LIMIT = 64;

/** Characters that a guest may write in one go. */
const CONSOLE_WRITE_LIMIT = 4096;

type SysctlName = Extract<
  HypercallName,
  `sysctl.${string}` | `xen_version.${string}` | `console_io.${string}` | 'sched_op.shutdown'
>;

function onHost<N extends SysctlName>(
  name: N,
  machine: Machine,
  caller: Domain,
  work: () => HypercallResult<N>,
): HypercallResult<N> {
  const denial = machine.check(name, caller);
  return denial === undefined ? work() : failed(denial === 'does less' ? 'EACCES' : denial);
}

/** How each of them is carried out. */
export const SYSCTLS: Handlers<SysctlName> = {
  'xen_version.version': (machine) => ok({ release: machine.behaviour.version.release }),
  'xen_version.extraversion': (machine, caller) =>
    ok({
      text:
        machine.check('xen_version.extraversion', caller) === undefined ? machine.behaviour.version.extra : '<denied>',
    }),
  'xen_version.guest_handle': (machine, caller) => {
    // A denied caller reads zeros.
    machine.check('xen_version.guest_handle', caller);
    return ok({});
  },
  'sysctl.physinfo': (machine, caller) =>
    onHost('sysctl.physinfo', machine, caller, () =>
      ok({
        totalPages: machine.state.hostPages,
        freePages: machine.freePages(),
        cpus: HOST_CPUS,
        nodes: HOST_NODES,
        hasIommu: machine.state.iommu !== 'none',
      }),
    ),
  'sysctl.cputopoinfo': (machine, caller) => onHost('sysctl.cputopoinfo', machine, caller, () => ok({})),
  'sysctl.numainfo': (machine, caller) => onHost('sysctl.numainfo', machine, caller, () => ok({})),
  'sysctl.get_cpu_policy': (machine, caller) => onHost('sysctl.get_cpu_policy', machine, caller, () => ok({})),
  'sysctl.get_cpu_featureset': (machine, caller) => onHost('sysctl.get_cpu_featureset', machine, caller, () => ok({})),
  'sysctl.cpupool_op': (machine, caller) =>
    onHost('sysctl.cpupool_op', machine, caller, () => ok({ scheduler: 'credit2' })),
  'sysctl.sched_id': (machine, caller) =>
    onHost('sysctl.sched_id', machine, caller, () => ok({ scheduler: 'credit2' })),
  'sysctl.getdomaininfolist': (machine, caller, { first, max }) => {
    const denial = machine.check('sysctl.getdomaininfolist', caller, { auditTarget: DOMID_XEN });
    if (denial === 'EACCES') return failed(denial);
    const domains = [];
    for (const domain of machine.domainsFrom(first)) {
      if (domains.length >= max) break;
      if (machine.check('sysctl.getdomaininfolist', caller, { domain, stage: 'hook' }) === undefined) {
        domains.push(describeDomain(domain));
      }
    }
    return ok({ domains });
  },
  'sysctl.debug_keys': (machine, caller, { keys }) =>
    onHost('sysctl.debug_keys', machine, caller, () => {
      if (keys.length > DEBUG_KEYS_LIMIT) return failed('EINVAL');
      pressKeys(machine, keys);
      return ok({});
    }),
  'sysctl.readconsole': (machine, caller, { clear }) => {
    const denial = machine.check('sysctl.readconsole', caller, { when: clear ? 'clearing' : 'read-only' });
    if (denial !== undefined) return failed('EACCES');
    const text = machine.state.console.map((line) => `${line}\n`).join('');
    if (clear) machine.state.console.length = 0;
    return ok({ text });
  },
  'sched_op.shutdown': (machine, caller, { reason }) => {
    // XEN: the machine goes down with dom0.
    if (caller.domid === 0) return failed('EPERM', 'dom0 stops with its host, which goes on here');
    if (caller.shutdownReason === undefined) {
      caller.shutdownReason = reason;
      machine.tellOfChange(caller.domid);
    }
    return ok({});
  },
  'console_io.write': (machine, caller, { text }) =>
    onHost('console_io.write', machine, caller, () => {
      for (const line of text.slice(0, CONSOLE_WRITE_LIMIT).split('\n')) {
        // XEN: what a guest may not print stays out of the ring.
        const shown = line.replaceAll(/[^\x20-\x7e\t]/g, '');
        if (shown !== '') machine.log(`(d${caller.domid}) ${shown}`);
      }
      return ok({});
    }),
};
