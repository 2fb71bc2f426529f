/**
 * HVM containers, in which PVH and HVM guests run: parameters, saved state, page-table memory.
 *
 * Follows Xen `xen/arch/x86/hvm/hvm.c`, `do_hvm_op`, and `xen/arch/x86/domctl.c`.
 *
 * @module
 */
import type { Domid, Errno, HvmParam, HypercallName } from '@dewar/toolstack';
import type { Domain } from './domain.ts';
import { failed, type Handlers, type Machine, ok } from './machine.ts';
import { errnoOf, onDomain } from './on-domain.ts';

/** What this file carries out. */
export type HvmName =
  | Extract<HypercallName, `hvm_op.${string}`>
  | 'domctl.set_paging_mempool_size'
  | 'domctl.gethvmcontext'
  | 'domctl.sethvmcontext';

/** What a guest may set of its own. XEN: `hvm_allow_set_param`. */
const SET_BY_GUEST: ReadonlySet<HvmParam> = new Set(['CALLBACK_IRQ', 'STORE_EVTCHN', 'CONSOLE_EVTCHN'] as const);

/** What a guest may read of its own. XEN: `hvm_allow_get_param`. */
const READ_BY_GUEST: ReadonlySet<HvmParam> = new Set([
  'CALLBACK_IRQ',
  'STORE_PFN',
  'STORE_EVTCHN',
  'CONSOLE_PFN',
  'CONSOLE_EVTCHN',
  'ALTP2M',
] as const);

/** Parameters that Xen asks for again, each with a right of its own. */
const HOOKED: Readonly<Partial<Record<HvmParam, 'nested parameter' | 'altp2m parameter'>>> = {
  NESTEDHVM: 'nested parameter',
  ALTP2M: 'altp2m parameter',
};

/** What can be set to something else than 0 only once. */
const SET_ONCE: ReadonlySet<HvmParam> = new Set(['IOREQ_PFN', 'BUFIOREQ_PFN', 'ALTP2M'] as const);

/** The container with that number, or what Xen says instead before it asks FLASK. */
function container(machine: Machine, domid: Domid): Domain | Errno {
  const domain = machine.domain(domid);
  if (domain === undefined) return 'ESRCH';
  return domain.isHvm ? domain : 'EINVAL';
}

/** How each of them is carried out. */
export const HVM_OPS: Handlers<HvmName> = {
  'hvm_op.set_param': (machine, caller, { domid, param, value }) => {
    const domain = container(machine, domid);
    if (typeof domain === 'string') return failed(domain);
    const denial = machine.check('hvm_op.set_param', caller, { domain });
    if (denial !== undefined) return failed(errnoOf(denial));
    if (domain === caller && !SET_BY_GUEST.has(param)) return failed('EPERM');
    const before = domain.hvmParams.get(param) ?? 0;
    if (!Number.isSafeInteger(value) || value < 0) return failed('EINVAL');
    if (SET_ONCE.has(param) && before !== 0 && before !== value) return failed('EEXIST');
    const when = HOOKED[param];
    if (when !== undefined) {
      const again = machine.check('hvm_op.set_param', caller, { domain, stage: 'hook', when });
      if (again !== undefined) return failed(errnoOf(again));
    }
    domain.hvmParams.set(param, value);
    return ok({});
  },
  'hvm_op.get_param': (machine, caller, { domid, param }) => {
    const domain = container(machine, domid);
    if (typeof domain === 'string') return failed(domain);
    const denial = machine.check('hvm_op.get_param', caller, { domain });
    if (denial !== undefined) return failed(errnoOf(denial));
    if (domain === caller && !READ_BY_GUEST.has(param)) return failed('EPERM');
    return ok({ value: domain.hvmParams.get(param) ?? 0 });
  },
  'domctl.set_paging_mempool_size': (machine, caller, { domid, kib }) =>
    onDomain('domctl.set_paging_mempool_size', machine, caller, domid, (domain) => {
      if (!domain.isHvm) return failed('EOPNOTSUPP');
      return Number.isSafeInteger(kib) && kib >= 0 ? ok({}) : failed('EINVAL');
    }),
  'domctl.gethvmcontext': (machine, caller, { domid }) =>
    onDomain('domctl.gethvmcontext', machine, caller, domid, (domain) =>
      domain === caller || !domain.isHvm ? failed('EINVAL') : ok({ vcpus: domain.vcpuCount }),
    ),
  'domctl.sethvmcontext': (machine, caller, { domid, vcpu, record, others = [] }) =>
    onDomain('domctl.sethvmcontext', machine, caller, domid, (domain) => {
      if (domain === caller || !domain.isHvm) return failed('EINVAL');
      const vcpus = [vcpu, ...others];
      if (!vcpus.every((one) => Number.isInteger(one) && one >= 0 && one < domain.vcpuCount)) return failed('EINVAL');
      // XEN: hvm_load() puts all vCPUs down; a record of registers brings its own up again.
      domain.takeAllDown();
      for (const one of record === 'CPU' ? vcpus : []) {
        domain.initialisedVcpus.add(one);
        domain.bringUp(one);
      }
      return ok({});
    }),
};
