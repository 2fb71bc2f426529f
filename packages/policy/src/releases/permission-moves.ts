/**
 * What became of permissions from one release of Xen to a later one: data.
 *
 * A table of permissions tells that one is gone, not what is asked for in its place. Facts: Xen `xen/xsm/flask/hooks.c`
 * and `xen/include/xsm/dummy.h` as they changed.
 *
 * @module
 */
import { hasEarlyChecks, releasesSince } from './release-sets.ts';
import { XEN_RELEASES, type XenReleaseName } from './release-tables.ts';

/** A permission of a class. */
export interface ClassPermission {
  readonly class: string;
  readonly permission: string;
}

/** Permissions that gave way to others; nothing took their place where `after` is empty. */
export interface PermissionMove {
  /** The first release with tables that has it so. */
  readonly since: XenReleaseName;
  /** The first one that has it so no more. */
  readonly until?: XenReleaseName;
  readonly before: readonly ClassPermission[];
  readonly after: readonly ClassPermission[];
  /** One clause, lower case. */
  readonly why: string;
  /** The initial SID whose label is asked for no more than before: that of Xen as it boots, which needs no toolstack. */
  readonly exempt?: string;
}

/** Something that works otherwise in some releases, whatever the policy says. */
export interface BehaviourChange {
  /** The releases in which it holds. */
  readonly releases: readonly XenReleaseName[];
  /** One sentence. */
  readonly text: string;
  /** What a policy has to give for it, or else the host cannot be used. */
  readonly need?: BehaviourNeed;
}

/** A permission that the label of one initial SID needs on that of another. */
export interface BehaviourNeed extends ClassPermission {
  readonly source: string;
  readonly target: string;
  /** What happens without it, one clause. */
  readonly otherwise: string;
}

function permissions(className: string, names: string): ClassPermission[] {
  return names.split(' ').map((permission) => ({ class: className, permission }));
}

/** Permissions that are gone, with what is asked for in their place. */
export const PERMISSION_MOVES: readonly PermissionMove[] = [
  {
    since: '4.8',
    before: permissions('domain', 'getextvcpucontext getvcpuextstate'),
    after: permissions('domain', 'getvcpucontext'),
    why: 'all reading of the state of a vCPU is one permission',
  },
  {
    since: '4.8',
    before: permissions('domain', 'setextvcpucontext setvcpuextstate'),
    after: permissions('domain', 'setvcpucontext'),
    why: 'all writing of the state of a vCPU is one permission',
  },
  {
    since: '4.8',
    before: permissions('hvm', 'mem_event'),
    after: permissions('domain2', 'vm_event mem_access mem_paging'),
    why: 'events of the virtual machine, memory access and memory paging are asked for one by one',
  },
  {
    since: '4.8',
    before: permissions('security', 'compute_user'),
    after: [],
    why: 'Xen no longer computes the contexts that a user can reach',
  },
  {
    since: '4.13',
    before: permissions('domain2', 'set_cpuid'),
    after: permissions('domain2', 'set_cpu_policy'),
    why: 'the CPUID of a domain became a part of its CPU policy',
  },
  {
    since: '4.13',
    before: permissions('domain2', 'psr_cat_op'),
    after: permissions('domain2', 'psr_alloc'),
    why: 'it allocates more than the cache',
  },
  {
    since: '4.13',
    before: permissions('xen2', 'psr_cat_op'),
    after: permissions('xen2', 'psr_alloc'),
    why: 'it allocates more than the cache',
  },
  {
    since: '4.13',
    before: permissions('hvm', 'pcilevel irqlevel pciroute trackdirtyvram send_irq cacheattr'),
    after: permissions('hvm', 'dm'),
    why: 'all that a device model does to its domain is one permission',
  },
  {
    since: '4.13',
    before: permissions('domain2', 'set_max_evtchn'),
    after: [],
    why: 'the limit of event channels is given when the domain is created',
  },
  {
    since: '4.13',
    before: permissions('mmu', 'pagelist'),
    after: [],
    why: 'the list of the pages of a domain can no longer be asked for',
  },
  {
    since: '4.13',
    before: permissions('xen', 'tmem_op tmem_control'),
    after: [],
    why: 'transcendent memory was taken out of Xen',
  },
  {
    since: '4.14',
    before: permissions('xen2', 'set_parameter'),
    after: permissions('xen', 'hypfs_op'),
    why: 'parameters are set through the hypervisor file system',
  },
  {
    since: '4.15',
    before: permissions('hvm', 'nested'),
    after: [],
    why: 'nested virtualisation is chosen when the domain is created',
  },
  {
    since: '4.22',
    before: permissions('xen', 'privprofile nonprivprofile'),
    after: [],
    why: 'xenoprof was taken out of Xen',
  },
  {
    since: '4.22',
    before: permissions('xen2', 'get_cpu_levelling_caps'),
    after: [],
    why: 'the request was taken out of Xen',
  },
];

/** Permissions that stayed but cover less: what `after` names is asked for beside `before`, or in its place. */
export const PERMISSION_SPLITS: readonly PermissionMove[] = [
  {
    since: '4.8',
    before: permissions('hvm', 'mem_sharing'),
    after: permissions('domain2', 'mem_sharing'),
    why: 'sharing the memory of a domain has a permission of its own',
  },
  {
    since: '4.13',
    before: permissions('hvm', 'hvmctl'),
    after: permissions('hvm', 'dm'),
    why: 'what a device model does to its domain has a permission of its own',
  },
  {
    since: '4.13',
    before: permissions('resource', 'use'),
    after: permissions('resource', 'use_iommu use_iommu_nointremap use_noiommu'),
    why: 'using a resource is asked for by how far the IOMMU protects from it',
  },
  {
    since: '4.17',
    before: permissions('shadow', 'enable'),
    after: permissions('domain', 'getpagingmempool setpagingmempool'),
    why: 'the toolstack sets the memory for page tables by requests of their own',
  },
  {
    since: '4.20',
    // Since 4.21 only of a guest whose configuration names colours.
    until: '4.21',
    before: permissions('domain', 'create'),
    after: permissions('domain2', 'set_llc_colors'),
    why: 'libxl says of each guest which cache colours it has, and gives its build up where it may not',
    exempt: 'xenboot',
  },
];

/** Behaviour that no table of permissions shows. */
export const BEHAVIOUR_CHANGES: readonly BehaviourChange[] = [
  { releases: releasesSince('4.8'), text: 'FLASK enforces from the start; before, it started permissive.' },
  {
    releases: releasesSince('4.8'),
    text: 'A policy that cannot be loaded stops an enforcing Xen; before, Xen went on without one.',
  },
  { releases: releasesSince('4.8'), text: 'Xen reads policies up to version 30; before, up to version 24.' },
  {
    releases: releasesSince('4.8'),
    text: 'Requests that FLASK does not know pass where the policy was compiled with `--handle-unknown allow`.',
  },
  {
    releases: releasesSince('4.8'),
    text: 'A guest without `seclabel` has the label of initial SID `domU`, a stub domain that of `domDM`; before, both were unlabeled.',
  },
  {
    releases: releasesSince('4.13'),
    text: 'Ranges of ports and frames may stand in any order; before, they had to ascend.',
  },
  {
    releases: releasesSince('4.17'),
    text: 'Xen boots under initial SID `xenboot`, which needs `domain { create }` on the label of `dom0`, or there is no dom0.',
  },
  {
    releases: releasesSince('4.17'),
    text: 'Only one domain may ever be created with the label of initial SID `dom0`.',
  },
  {
    releases: XEN_RELEASES.filter(hasEarlyChecks),
    text: 'Whoever lists domains needs `domain { getdomaininfo }` on the label of initial SID `domxen`.',
    need: {
      source: 'dom0',
      class: 'domain',
      permission: 'getdomaininfo',
      target: 'domxen',
      otherwise:
        'libxl finds guests by listing domains: without it `xl list` fails, no guest is found by its name, and none can be ' +
        'created; that of Xen 4.17 leaves it half made, and cannot destroy it',
    },
  },
  {
    releases: releasesSince('4.21'),
    text: 'Whoever serves as the xenstore needs `domain2 { get_domain_state }` on the label of initial SID `domxen`, and on those of domains.',
    need: {
      source: 'dom0',
      class: 'domain2',
      permission: 'get_domain_state',
      target: 'domxen',
      otherwise:
        'xenstored asks Xen which domains there are: without it xenstored in dom0 ends as it starts, and there is no toolstack',
    },
  },
];
