/**
 * vCPUs: which a domain has, which of them are up, where they may run, and their registers.
 *
 * Follows Xen `xen/common/domctl.c`, `xen/arch/x86/domctl.c` and `xen/common/domain.c`, `do_vcpu_op`.
 *
 * @module
 */
import type { Domid, HypercallName, HypercallResult } from '@dewar/toolstack';
import type { Affinity, Domain } from './domain.ts';
import { failed, type Handlers, HOST_CPUS, type Machine, ok } from './machine.ts';
import { onDomain } from './on-domain.ts';

/** Domctls that are about one vCPU's registers. */
type ContextName =
  | 'domctl.setvcpucontext'
  | 'domctl.getvcpucontext'
  | 'domctl.get_ext_vcpucontext'
  | 'domctl.set_ext_vcpucontext'
  | 'domctl.getvcpuextstate'
  | 'domctl.setvcpuextstate'
  | 'domctl.get_vcpu_msrs'
  | 'domctl.set_vcpu_msrs';

/** What this file carries out. */
export type VcpuName =
  | ContextName
  | 'domctl.setvcpuaffinity'
  | 'domctl.getvcpuaffinity'
  | 'domctl.getvcpuinfo'
  | 'domctl.sendtrigger'
  | Extract<HypercallName, `vcpu_op.${string}`>;

const ALL_CPUS: readonly number[] = Array.from({ length: HOST_CPUS }, (_, cpu) => cpu);

/** Where the vCPU may run. */
function affinityOf(domain: Domain, vcpu: number): Affinity {
  return domain.affinities.get(vcpu) ?? { hard: ALL_CPUS, soft: ALL_CPUS };
}

function hasVcpu(domain: Domain, vcpu: number): boolean {
  return Number.isInteger(vcpu) && vcpu >= 0 && vcpu < domain.vcpuCount;
}

function onVcpu<N extends ContextName>(
  name: N,
  work: (domain: Domain, vcpu: number) => HypercallResult<N>,
): (machine: Machine, caller: Domain, args: { readonly domid: Domid; readonly vcpu: number }) => HypercallResult<N> {
  return (machine, caller, { domid, vcpu }) =>
    onDomain(name, machine, caller, domid, (domain) =>
      domain === caller || !hasVcpu(domain, vcpu) ? failed('EINVAL') : work(domain, vcpu),
    );
}

/** How each of them is carried out. */
export const VCPU_OPS: Handlers<VcpuName> = {
  'domctl.setvcpucontext': onVcpu('domctl.setvcpucontext', (domain, vcpu) => {
    domain.initialisedVcpus.add(vcpu);
    domain.bringUp(vcpu);
    return ok({});
  }),
  'domctl.getvcpucontext': onVcpu('domctl.getvcpucontext', (domain, vcpu) =>
    domain.initialisedVcpus.has(vcpu) ? ok({}) : failed('ENODATA', `vCPU ${vcpu} never got any registers`),
  ),
  'domctl.get_ext_vcpucontext': onVcpu('domctl.get_ext_vcpucontext', () => ok({})),
  'domctl.set_ext_vcpucontext': onVcpu('domctl.set_ext_vcpucontext', () => ok({})),
  'domctl.getvcpuextstate': onVcpu('domctl.getvcpuextstate', () => ok({})),
  'domctl.setvcpuextstate': onVcpu('domctl.setvcpuextstate', () => ok({})),
  'domctl.get_vcpu_msrs': onVcpu('domctl.get_vcpu_msrs', () => ok({})),
  'domctl.set_vcpu_msrs': onVcpu('domctl.set_vcpu_msrs', () => ok({})),
  'domctl.setvcpuaffinity': (machine, caller, { domid, vcpu, hard, soft }) =>
    onDomain('domctl.setvcpuaffinity', machine, caller, domid, (domain) => {
      // XEN: XEN_DOMCTL_setvcpuaffinity: first that there could be such a vCPU, then that there is.
      if (!Number.isInteger(vcpu) || vcpu < 0 || vcpu >= domain.maxVcpus) return failed('EINVAL');
      if (!hasVcpu(domain, vcpu)) return failed('ESRCH');
      const before = affinityOf(domain, vcpu);
      const onHost = (cpus: readonly number[]): number[] => ALL_CPUS.filter((cpu) => cpus.includes(cpu));
      const next = { hard: onHost(hard ?? before.hard), soft: onHost(soft ?? before.soft) };
      // XEN: a vCPU that may run nowhere is refused.
      if (next.hard.length === 0) return failed('EINVAL', 'the host has none of these CPUs');
      if (hard !== undefined || soft !== undefined) domain.affinities.set(vcpu, next);
      return ok({ effectiveSoft: next.soft.filter((cpu) => next.hard.includes(cpu)) });
    }),
  'domctl.getvcpuaffinity': (machine, caller, { domid, vcpu }) =>
    onDomain('domctl.getvcpuaffinity', machine, caller, domid, (domain) =>
      hasVcpu(domain, vcpu) ? ok(affinityOf(domain, vcpu)) : failed('ESRCH'),
    ),
  'domctl.getvcpuinfo': (machine, caller, { domid, vcpu }) =>
    onDomain('domctl.getvcpuinfo', machine, caller, domid, (domain) => {
      if (!hasVcpu(domain, vcpu)) return failed('EINVAL');
      return ok({ isOnline: domain.onlineVcpus.has(vcpu), cpu: affinityOf(domain, vcpu).hard[0] ?? 0 });
    }),
  'domctl.sendtrigger': (machine, caller, { domid, vcpu, trigger }) =>
    onDomain('domctl.sendtrigger', machine, caller, domid, (domain) => {
      if (!hasVcpu(domain, vcpu)) return failed('ESRCH');
      switch (trigger) {
        case 'nmi':
          return ok({});
        case 'power':
        case 'sleep':
          // XEN: these two press the buttons of the ACPI of an HVM container; others have none.
          return domain.isHvm ? ok({}) : failed('EINVAL');
        case 'reset':
        case 'init':
          return failed('ENOSYS');
      }
    }),
  'vcpu_op.up': (_, caller, { vcpu }) => {
    if (!hasVcpu(caller, vcpu)) return failed('ENOENT');
    caller.initialisedVcpus.add(vcpu);
    caller.bringUp(vcpu);
    return ok({});
  },
  'vcpu_op.down': (_, caller, { vcpu }) => {
    if (!hasVcpu(caller, vcpu)) return failed('ENOENT');
    caller.takeDown(vcpu);
    return ok({});
  },
};
