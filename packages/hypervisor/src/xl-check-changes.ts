/**
 * What commands of xl ask for on other releases than Xen 4.17: data, recorded from what the commands do on a simulated host.
 *
 * Made and held by `tests/traces/xl-checks.test.ts`; do not edit. A check: source, target, class, permissions, hypercall.
 *
 * @module
 */

/** A check that commands make on some releases and not on 4.17, with `+` before it, or with `-` for the reverse. */
export interface XlCheckChange {
  readonly change: string;
  readonly releases: readonly string[];
  readonly commands: readonly string[];
}

/** Sorted by check and commands. */
export const XL_CHECK_CHANGES: readonly XlCheckChange[] = [
  {
    change: '+ dom0 build-label domain setextvcpucontext domctl.set_ext_vcpucontext',
    releases: ['4.3'],
    commands: ['xl restore'],
  },
  {
    change: '+ dom0 build-label domain setvcpuextstate domctl.setvcpuextstate',
    releases: ['4.3'],
    commands: ['xl restore'],
  },
  {
    change: '+ dom0 build-label domain2 get_domain_state domctl.get_domain_state',
    releases: ['4.21', '4.21.2', '4.22', 'master'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '+ dom0 build-label domain2 set_cpuid domctl.set_cpu_policy',
    releases: ['4.3', '4.8'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '+ dom0 build-label domain2 set_llc_colors domctl.set_llc_colors',
    releases: ['4.20', '4.20.4'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '+ dom0 build-label grant setup memory_op.acquire_resource',
    releases: ['4.3', '4.8'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '+ dom0 build-label hvm nested hvm_op.set_param',
    releases: ['4.3', '4.8', '4.13', '4.14'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '+ dom0 build-label shadow enable domctl.set_paging_mempool_size',
    releases: ['4.3', '4.8', '4.13', '4.14', '4.15', '4.16'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '+ dom0 domxen domain getdomaininfo sysctl.getdomaininfolist',
    releases: ['4.17.7', '4.18.6', '4.19.6', '4.20.4', '4.21.2', '4.22', 'master'],
    commands: [
      'xl block-attach',
      'xl block-detach',
      'xl block-list',
      'xl console',
      'xl create',
      'xl destroy',
      'xl domid',
      'xl dump-core',
      'xl list',
      'xl mem-max',
      'xl mem-set',
      'xl network-attach',
      'xl network-detach',
      'xl network-list',
      'xl pause',
      'xl reboot',
      'xl rename',
      'xl restore',
      'xl save',
      'xl sched-credit2',
      'xl shutdown',
      'xl sysrq',
      'xl trigger',
      'xl unpause',
      'xl vcpu-list',
      'xl vcpu-pin',
      'xl vcpu-set',
      'xl vm-list',
    ],
  },
  {
    change: '+ dom0 domxen domain2 get_domain_state domctl.get_domain_state',
    releases: ['4.21', '4.21.2', '4.22', 'master'],
    commands: ['xl destroy', 'xl reboot', 'xl save', 'xl shutdown'],
  },
  {
    change: '+ dom0 guest domain getdomaininfo domctl.getdomaininfo',
    releases: ['4.18', '4.18.6', '4.19', '4.19.6', '4.20', '4.20.4', '4.21', '4.21.2', '4.22', 'master'],
    commands: [
      'xl block-attach',
      'xl block-detach',
      'xl console',
      'xl create',
      'xl mem-max',
      'xl mem-set',
      'xl network-attach',
      'xl network-detach',
      'xl rename',
      'xl restore',
      'xl sched-credit2',
      'xl unpause',
      'xl vcpu-list',
      'xl vcpu-pin',
      'xl vcpu-set',
    ],
  },
  {
    change: '+ dom0 guest domain getextvcpucontext domctl.get_ext_vcpucontext',
    releases: ['4.3'],
    commands: ['xl save'],
  },
  {
    change: '+ dom0 guest domain getvcpuextstate domctl.getvcpuextstate',
    releases: ['4.3'],
    commands: ['xl save'],
  },
  {
    change: '+ dom0 guest domain2 get_domain_state domctl.get_domain_state',
    releases: ['4.21', '4.21.2', '4.22', 'master'],
    commands: ['xl destroy', 'xl reboot', 'xl save', 'xl shutdown'],
  },
  {
    change: '+ dom0 guest mmu map_read+map_write mmu_update.map_foreign',
    releases: ['4.14'],
    commands: ['xl save'],
  },
  {
    change: '+ dom0 xen xen mtrr_read sysctl.get_cpu_featureset',
    releases: ['4.8'],
    commands: ['xl create', 'xl reboot'],
  },
  {
    change: '- dom0 build-label domain setpagingmempool domctl.set_paging_mempool_size',
    releases: ['4.3', '4.8', '4.13', '4.14', '4.15', '4.16'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '- dom0 build-label domain setvcpucontext domctl.set_ext_vcpucontext',
    releases: ['4.3'],
    commands: ['xl restore'],
  },
  {
    change: '- dom0 build-label domain setvcpucontext domctl.set_vcpu_msrs',
    releases: ['4.3'],
    commands: ['xl restore'],
  },
  {
    change: '- dom0 build-label domain setvcpucontext domctl.setvcpuextstate',
    releases: ['4.3'],
    commands: ['xl restore'],
  },
  {
    change: '- dom0 build-label domain2 resource_map memory_op.acquire_resource',
    releases: ['4.3', '4.8'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '- dom0 build-label domain2 set_cpu_policy domctl.set_cpu_policy',
    releases: ['4.3', '4.8'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '- dom0 build-label hvm altp2mhvm hvm_op.set_param',
    releases: ['4.3'],
    commands: ['xl create', 'xl reboot', 'xl restore'],
  },
  {
    change: '- dom0 dom0 domain getdomaininfo domctl.getdomaininfo',
    releases: ['4.21', '4.21.2', '4.22', 'master'],
    commands: ['xl destroy', 'xl reboot', 'xl save', 'xl shutdown'],
  },
  {
    change: '- dom0 guest domain getdomaininfo sysctl.getdomaininfolist',
    releases: ['4.18', '4.18.6', '4.19', '4.19.6', '4.20', '4.20.4', '4.21', '4.21.2', '4.22', 'master'],
    commands: ['xl create', 'xl restore'],
  },
  {
    change: '- dom0 guest domain getvcpucontext domctl.get_ext_vcpucontext',
    releases: ['4.3'],
    commands: ['xl save'],
  },
  {
    change: '- dom0 guest domain getvcpucontext domctl.get_vcpu_msrs',
    releases: ['4.3'],
    commands: ['xl save'],
  },
  {
    change: '- dom0 guest domain getvcpucontext domctl.getvcpuextstate',
    releases: ['4.3'],
    commands: ['xl save'],
  },
  {
    change: '- dom0 guest domain2 get_cpu_policy domctl.get_cpu_policy',
    releases: ['4.3', '4.8'],
    commands: ['xl save'],
  },
  {
    change: '- dom0 guest domain2 get_vnumainfo memory_op.get_vnumainfo',
    releases: ['4.3'],
    commands: ['xl save'],
  },
  {
    change: '- dom0 xen version xen_extraversion xen_version.extraversion',
    releases: ['4.3'],
    commands: ['xl info'],
  },
  {
    change: '- dom0 xen xen physinfo sysctl.get_cpu_policy',
    releases: ['4.3', '4.8'],
    commands: ['xl create', 'xl reboot', 'xl save'],
  },
  {
    change: '- dom0 xen xen2 get_cpu_featureset sysctl.get_cpu_featureset',
    releases: ['4.3', '4.8'],
    commands: ['xl create', 'xl reboot'],
  },
  {
    change: '- guest xen version xen_extraversion xen_version.extraversion',
    releases: ['4.3'],
    commands: ['xl create', 'xl reboot'],
  },
];
