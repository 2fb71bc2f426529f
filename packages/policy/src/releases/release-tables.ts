/**
 * Object classes, permissions and initial SIDs of Xen by release: data.
 *
 * A list stands under the release in which it became what it is; it holds until the next one of its class. The position
 * of a permission is its bit. Facts: Xen `xen/xsm/flask/policy/{security_classes,access_vectors,initial_sids}`.
 *
 * @module
 */

/**
 * Releases that have tables, oldest first within and between their series. A series alone stands for the point releases
 * that `POINT_RELEASES` names; a later point release that FLASK tells apart has an entry of its own. `master` is the state
 * of development after 4.22.
 */
export const XEN_RELEASES = [
  '4.3',
  '4.8',
  '4.13',
  '4.14',
  '4.15',
  '4.16',
  '4.17',
  '4.17.7',
  '4.18',
  '4.18.6',
  '4.19',
  '4.19.6',
  '4.20',
  '4.20.4',
  '4.21',
  '4.21.2',
  '4.22',
  'master',
] as const;

/** A release that has tables. */
export type XenReleaseName = (typeof XEN_RELEASES)[number];

/**
 * The point releases for which each entry holds, the first and the last: in them `xen/xsm/flask` asks for the same things
 * under the same numbers. Of 4.3 and 4.8 only the first was read.
 */
export const POINT_RELEASES: Readonly<
  Record<Exclude<XenReleaseName, 'master'>, readonly [first: string, last: string]>
> = {
  '4.3': ['4.3.0', '4.3.0'],
  '4.8': ['4.8.0', '4.8.0'],
  '4.13': ['4.13.0', '4.13.5'],
  '4.14': ['4.14.0', '4.14.6'],
  '4.15': ['4.15.0', '4.15.7'],
  '4.16': ['4.16.0', '4.16.7'],
  '4.17': ['4.17.5', '4.17.6'],
  '4.17.7': ['4.17.7', '4.17.7'],
  '4.18': ['4.18.5', '4.18.5'],
  '4.18.6': ['4.18.6', '4.18.6'],
  '4.19': ['4.19.2', '4.19.5'],
  '4.19.6': ['4.19.6', '4.19.6'],
  '4.20': ['4.20.0', '4.20.3'],
  '4.20.4': ['4.20.4', '4.20.4'],
  '4.21': ['4.21.0', '4.21.1'],
  '4.21.2': ['4.21.2', '4.21.2'],
  '4.22': ['4.22.0', '4.22.0'],
};

/** Lists of names by the release in which they changed. */
export type ByRelease = Readonly<Partial<Record<XenReleaseName, string>>>;

/** The permissions of each class, the classes in the order of their numbers. */
export const PERMISSIONS: Readonly<Record<string, ByRelease>> = {
  xen: {
    '4.3':
      'settime tbufcontrol readconsole clearconsole perfcontrol mtrr_add mtrr_del mtrr_read microcode ' +
      'physinfo quirk writeconsole readapic writeapic privprofile nonprivprofile kexec firmware sleep ' +
      'frequency getidle debug getcpuinfo heap pm_op mca_op lockprof cpupool_op tmem_op tmem_control ' +
      'getscheduler setscheduler',
    '4.13':
      'settime tbufcontrol readconsole clearconsole perfcontrol mtrr_add mtrr_del mtrr_read microcode ' +
      'physinfo quirk writeconsole readapic writeapic privprofile nonprivprofile kexec firmware sleep ' +
      'frequency getidle debug getcpuinfo heap pm_op mca_op lockprof cpupool_op getscheduler setscheduler',
    '4.14':
      'settime tbufcontrol readconsole clearconsole perfcontrol mtrr_add mtrr_del mtrr_read microcode ' +
      'physinfo quirk writeconsole readapic writeapic privprofile nonprivprofile kexec firmware sleep ' +
      'frequency getidle debug getcpuinfo heap pm_op mca_op lockprof cpupool_op hypfs_op getscheduler ' +
      'setscheduler',
    '4.22':
      'settime tbufcontrol readconsole clearconsole perfcontrol mtrr_add mtrr_del mtrr_read microcode ' +
      'physinfo quirk writeconsole readapic writeapic kexec firmware sleep frequency getidle debug ' +
      'getcpuinfo heap pm_op mca_op lockprof cpupool_op hypfs_op getscheduler setscheduler',
  },
  xen2: {
    '4.8':
      'resource_op psr_cmt_op psr_cat_op get_symbol pmu_ctrl pmu_use get_cpu_levelling_caps ' +
      'get_cpu_featureset livepatch_op',
    '4.13':
      'resource_op psr_cmt_op psr_alloc get_symbol pmu_ctrl pmu_use get_cpu_levelling_caps ' +
      'get_cpu_featureset livepatch_op coverage_op set_parameter',
    '4.14':
      'resource_op psr_cmt_op psr_alloc get_symbol pmu_ctrl pmu_use get_cpu_levelling_caps ' +
      'get_cpu_featureset livepatch_op coverage_op',
    '4.18':
      'resource_op psr_cmt_op psr_alloc get_symbol pmu_ctrl pmu_use get_cpu_levelling_caps ' +
      'get_cpu_featureset livepatch_op coverage_op get_dom0_console',
    '4.22':
      'resource_op psr_cmt_op psr_alloc get_symbol pmu_ctrl pmu_use get_cpu_featureset livepatch_op ' +
      'coverage_op get_dom0_console',
  },
  domain: {
    '4.3':
      'setvcpucontext pause unpause resume create transition max_vcpus destroy setaffinity getaffinity ' +
      'getscheduler getdomaininfo getvcpuinfo getvcpucontext setdomainmaxmem setdomainhandle setdebugging ' +
      'hypercall settime set_target shutdown setaddrsize getaddrsize trigger getextvcpucontext ' +
      'setextvcpucontext getvcpuextstate setvcpuextstate getpodtarget setpodtarget set_misc_info ' +
      'set_virq_handler',
    '4.8':
      'setvcpucontext pause unpause resume create transition max_vcpus destroy setaffinity getaffinity ' +
      'getscheduler getdomaininfo getvcpuinfo getvcpucontext setdomainmaxmem setdomainhandle setdebugging ' +
      'hypercall settime set_target shutdown setaddrsize getaddrsize trigger getpodtarget setpodtarget ' +
      'set_misc_info set_virq_handler',
    '4.17':
      'setvcpucontext pause unpause resume create transition max_vcpus destroy setaffinity getaffinity ' +
      'getscheduler getdomaininfo getvcpuinfo getvcpucontext setdomainmaxmem setdomainhandle setdebugging ' +
      'hypercall settime set_target shutdown setaddrsize getaddrsize trigger getpodtarget setpodtarget ' +
      'set_misc_info set_virq_handler getpagingmempool setpagingmempool',
  },
  domain2: {
    '4.3':
      'relabelfrom relabelto relabelself make_priv_for set_as_target set_cpuid gettsc settsc setscheduler ' +
      'setclaim',
    '4.8':
      'relabelfrom relabelto relabelself make_priv_for set_as_target set_cpuid gettsc settsc setscheduler ' +
      'setclaim set_max_evtchn cacheflush create_hardware_domain set_vnumainfo get_vnumainfo psr_cmt_op ' +
      'vm_event soft_reset mem_access mem_paging mem_sharing psr_cat_op',
    '4.13':
      'relabelfrom relabelto relabelself make_priv_for set_as_target set_cpu_policy gettsc settsc ' +
      'setscheduler setclaim cacheflush create_hardware_domain set_vnumainfo get_vnumainfo psr_cmt_op ' +
      'vm_event soft_reset mem_access mem_paging mem_sharing psr_alloc resource_map get_cpu_policy',
    '4.18':
      'relabelfrom relabelto relabelself make_priv_for set_as_target set_cpu_policy gettsc settsc ' +
      'setscheduler setclaim cacheflush create_hardware_domain set_vnumainfo get_vnumainfo psr_cmt_op ' +
      'vm_event soft_reset mem_access mem_paging mem_sharing psr_alloc resource_map get_cpu_policy vuart_op',
    '4.19':
      'relabelfrom relabelto relabelself make_priv_for set_as_target set_cpu_policy gettsc settsc ' +
      'setscheduler setclaim cacheflush create_hardware_domain set_vnumainfo get_vnumainfo psr_cmt_op ' +
      'vm_event soft_reset mem_access mem_paging mem_sharing psr_alloc resource_map get_cpu_policy vuart_op ' +
      'dt_overlay',
    '4.20':
      'relabelfrom relabelto relabelself make_priv_for set_as_target set_cpu_policy gettsc settsc ' +
      'setscheduler setclaim cacheflush create_hardware_domain set_vnumainfo get_vnumainfo psr_cmt_op ' +
      'vm_event soft_reset mem_access mem_paging mem_sharing psr_alloc resource_map get_cpu_policy vuart_op ' +
      'dt_overlay set_llc_colors',
    '4.21':
      'relabelfrom relabelto relabelself make_priv_for set_as_target set_cpu_policy gettsc settsc ' +
      'setscheduler setclaim cacheflush create_hardware_domain set_vnumainfo get_vnumainfo psr_cmt_op ' +
      'vm_event soft_reset mem_access mem_paging mem_sharing psr_alloc resource_map get_cpu_policy vuart_op ' +
      'dt_overlay set_llc_colors get_domain_state',
  },
  hvm: {
    '4.3':
      'sethvmc gethvmc setparam getparam pcilevel irqlevel pciroute bind_irq cacheattr trackdirtyvram ' +
      'hvmctl mem_event mem_sharing audit_p2m send_irq share_mem nested',
    '4.8':
      'sethvmc gethvmc setparam getparam pcilevel irqlevel pciroute bind_irq cacheattr trackdirtyvram ' +
      'hvmctl mem_sharing audit_p2m send_irq share_mem nested altp2mhvm altp2mhvm_op',
    '4.13':
      'sethvmc gethvmc setparam getparam bind_irq hvmctl mem_sharing audit_p2m share_mem nested altp2mhvm ' +
      'altp2mhvm_op dm',
    '4.15':
      'sethvmc gethvmc setparam getparam bind_irq hvmctl mem_sharing audit_p2m share_mem altp2mhvm ' +
      'altp2mhvm_op dm',
  },
  mmu: {
    '4.3':
      'map_read map_write pageinfo pagelist adjust stat updatemp physmap pinpage memorymap remote_remap ' +
      'mmuext_op exchange target_hack',
    '4.13':
      'map_read map_write pageinfo adjust stat updatemp physmap pinpage memorymap remote_remap mmuext_op ' +
      'exchange target_hack',
  },
  resource: {
    '4.3':
      'add remove use add_irq remove_irq add_ioport remove_ioport add_iomem remove_iomem stat_device ' +
      'add_device remove_device plug unplug setup',
    '4.13':
      'add remove use use_iommu use_iommu_nointremap use_noiommu add_irq remove_irq add_ioport ' +
      'remove_ioport add_iomem remove_iomem stat_device add_device remove_device plug unplug setup',
  },
  shadow: {
    '4.3': 'disable enable logdirty',
  },
  event: {
    '4.3': 'bind send status create reset',
  },
  grant: {
    '4.3': 'map_read map_write unmap transfer setup copy query',
  },
  security: {
    '4.3':
      'compute_av compute_create compute_member check_context load_policy compute_relabel compute_user ' +
      'setenforce setbool setsecparam add_ocontext del_ocontext',
    '4.8':
      'compute_av compute_create compute_member check_context load_policy compute_relabel setenforce ' +
      'setbool setsecparam add_ocontext del_ocontext',
  },
  version: {
    '4.8':
      'xen_extraversion xen_compile_info xen_capabilities xen_changeset xen_pagesize xen_guest_handle ' +
      'xen_commandline xen_build_id',
  },
  argo: {
    '4.13': 'enable register_single_source register_any_source send',
  },
};

/** The initial SIDs in the order of their numbers, from 1. */
export const INITIAL_SIDS: ByRelease = {
  '4.3': 'xen dom0 domio domxen unlabeled security ioport iomem irq device',
  '4.8': 'xen dom0 domio domxen unlabeled security ioport iomem irq device domU domDM',
  '4.17': 'xenboot xen dom0 domio domxen unlabeled security ioport iomem irq device domU domDM',
};
