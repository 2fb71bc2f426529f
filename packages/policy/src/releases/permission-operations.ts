/**
 * The operations that ask for each permission: data.
 *
 * Facts: Xen 4.17.5 `xen/xsm/flask/hooks.c`, `flask_op.c`, and who calls their hooks. Operations have the names of Xen's
 * headers behind the name of their hypercall. Permissions that another release has instead are found by way of
 * `PERMISSION_MOVES`.
 * Start reading at `operationsOf`.
 *
 * @module
 */

/** What asks whether a guest may use a device; the permission depends on the IOMMU. */
const DEVICE_USES =
  'domctl.assign_device domctl.test_assign_device domctl.iomem_permission domctl.ioport_permission ' +
  'domctl.memory_mapping domctl.ioport_mapping domctl.bind_pt_irq physdev_op.map_pirq pci_config.access';

/** Operations by class and permission. */
const OPERATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  xen: {
    settime: 'platform_op.settime32 platform_op.settime64',
    tbufcontrol: 'sysctl.tbuf_op',
    readconsole: 'sysctl.readconsole console_io.read',
    clearconsole: 'sysctl.readconsole',
    perfcontrol: 'sysctl.perfc_op',
    mtrr_add: 'platform_op.add_memtype',
    mtrr_del: 'platform_op.del_memtype',
    mtrr_read: 'platform_op.read_memtype',
    microcode: 'platform_op.microcode_update',
    physinfo: 'sysctl.physinfo sysctl.cputopoinfo sysctl.numainfo sysctl.pcitopoinfo sysctl.get_cpu_policy',
    quirk: 'platform_op.platform_quirk',
    writeconsole: 'console_io.write',
    readapic: 'physdev_op.apic_read physdev_op.alloc_irq_vector',
    writeapic: 'physdev_op.apic_write',
    privprofile: 'xenoprof_op',
    nonprivprofile: 'xenoprof_op.init xenoprof_op.enable_virq xenoprof_op.disable_virq xenoprof_op.get_buffer',
    kexec: 'kexec_op',
    firmware: 'platform_op.efi_runtime_call platform_op.firmware_info',
    sleep: 'platform_op.enter_acpi_sleep',
    frequency: 'platform_op.change_freq',
    getidle: 'platform_op.getidletime',
    debug: 'sysctl.debug_keys',
    getcpuinfo: 'sysctl.getcpuinfo platform_op.get_cpu_version platform_op.get_cpuinfo',
    heap: 'sysctl.availheap',
    pm_op: 'sysctl.get_pmstat sysctl.pm_op platform_op.set_processor_pminfo platform_op.core_parking',
    mca_op: 'mca',
    lockprof: 'sysctl.lockprof_op',
    cpupool_op: 'sysctl.cpupool_op',
    hypfs_op: 'hypfs_op',
    getscheduler: 'sysctl.sched_id sysctl.scheduler_op',
    setscheduler: 'sysctl.scheduler_op',
  },
  xen2: {
    resource_op: 'platform_op.resource_op',
    psr_cmt_op: 'sysctl.psr_cmt_op',
    psr_alloc: 'sysctl.psr_alloc',
    pmu_use: 'xenpmu_op',
    pmu_ctrl: 'xenpmu_op',
    get_symbol: 'platform_op.get_symbol',
    get_cpu_levelling_caps: 'sysctl.get_cpu_levelling_caps',
    get_cpu_featureset: 'sysctl.get_cpu_featureset',
    livepatch_op: 'sysctl.livepatch_op',
    coverage_op: 'sysctl.coverage_op',
    get_dom0_console: 'platform_op.get_dom0_console',
  },
  domain: {
    setvcpucontext: 'domctl.setvcpucontext domctl.set_ext_vcpucontext domctl.setvcpuextstate domctl.set_vcpu_msrs',
    pause: 'domctl.pausedomain',
    unpause: 'domctl.unpausedomain',
    resume: 'domctl.resumedomain',
    create: 'domctl.createdomain',
    transition: 'xsm_op.relabel_domain',
    max_vcpus: 'domctl.max_vcpus',
    destroy: 'domctl.destroydomain',
    setaffinity: 'domctl.setvcpuaffinity domctl.setnodeaffinity',
    getaffinity: 'domctl.getvcpuaffinity domctl.getnodeaffinity',
    getscheduler: 'domctl.scheduler_op.getinfo',
    getdomaininfo: 'domctl.getdomaininfo sysctl.getdomaininfolist',
    // XEN: setvnumainfo too: hooks.c asks for the number of a permission of domain2 in this class.
    getvcpuinfo: 'domctl.getvcpuinfo domctl.setvnumainfo',
    getvcpucontext: 'domctl.getvcpucontext domctl.get_ext_vcpucontext domctl.getvcpuextstate domctl.get_vcpu_msrs',
    setdomainmaxmem: 'domctl.max_mem',
    setdomainhandle: 'domctl.setdomainhandle',
    setdebugging:
      'domctl.setdebugging domctl.debug_op domctl.vmtrace_op domctl.gdbsx_guestmemio domctl.gdbsx_pausevcpu ' +
      'domctl.gdbsx_unpausevcpu domctl.gdbsx_domstatus',
    hypercall: 'domctl.hypercall_init',
    settime: 'domctl.settimeoffset',
    set_target: 'domctl.set_target',
    shutdown: 'sched_op.remote_shutdown',
    setaddrsize: 'domctl.set_address_size',
    getaddrsize: 'domctl.get_address_size',
    trigger: 'domctl.sendtrigger',
    getpodtarget: 'memory_op.get_pod_target',
    setpodtarget: 'memory_op.set_pod_target',
    set_misc_info: 'domctl.subscribe',
    set_virq_handler: 'domctl.set_virq_handler',
    getpagingmempool: 'domctl.get_paging_mempool_size',
    setpagingmempool: 'domctl.set_paging_mempool_size',
  },
  domain2: {
    relabelfrom: 'xsm_op.relabel_domain',
    relabelto: 'xsm_op.relabel_domain',
    relabelself: 'xsm_op.relabel_domain',
    make_priv_for: 'domctl.set_target',
    set_as_target: 'domctl.set_target',
    set_cpu_policy: 'domctl.set_cpu_policy',
    gettsc: 'domctl.gettscinfo',
    settsc: 'domctl.settscinfo',
    setscheduler: 'domctl.scheduler_op.putinfo',
    setclaim: 'memory_op.claim_pages',
    cacheflush: 'domctl.cacheflush',
    get_vnumainfo: 'memory_op.get_vnumainfo',
    psr_cmt_op: 'domctl.psr_cmt_op',
    psr_alloc: 'domctl.psr_alloc',
    soft_reset: 'domctl.soft_reset',
    resource_map: 'memory_op.acquire_resource',
    vm_event: 'domctl.vm_event_op domctl.monitor_op domctl.set_access_required',
    mem_access: 'memory_op.access_op',
    mem_paging: 'memory_op.paging_op',
    mem_sharing: 'memory_op.sharing_op',
    get_cpu_policy: 'domctl.get_cpu_policy',
    vuart_op: 'domctl.vuart_op',
    dt_overlay: 'domctl.dt_overlay',
    set_llc_colors: 'domctl.set_llc_colors',
    get_domain_state: 'domctl.get_domain_state',
  },
  hvm: {
    sethvmc: 'domctl.sethvmcontext',
    gethvmc: 'domctl.gethvmcontext domctl.gethvmcontext_partial',
    setparam: 'hvm_op.set_param',
    getparam: 'hvm_op.get_param',
    bind_irq: 'domctl.bind_pt_irq',
    hvmctl: 'hvm_op.get_mem_type hvm_op.pagetable_dying',
    mem_sharing: 'domctl.mem_sharing_op memory_op.sharing_op',
    audit_p2m: 'domctl.audit_p2m',
    share_mem: 'memory_op.sharing_op',
    altp2mhvm: 'hvm_op.set_param',
    altp2mhvm_op: 'hvm_op.altp2m',
    dm: 'dm_op',
  },
  event: {
    bind: 'event_channel_op.alloc_unbound event_channel_op.bind_interdomain dm_op.create_ioreq_server',
    send: 'event_channel_op.send',
    status: 'event_channel_op.status',
    create: 'event_channel_op.alloc_unbound event_channel_op.bind_interdomain dm_op.create_ioreq_server',
    reset: 'event_channel_op.reset',
  },
  grant: {
    map_read: 'grant_table_op.map_grant_ref',
    map_write: 'grant_table_op.map_grant_ref',
    unmap: 'grant_table_op.unmap_grant_ref grant_table_op.unmap_and_replace',
    transfer: 'grant_table_op.transfer',
    setup: 'grant_table_op.setup_table grant_table_op.get_status_frames',
    copy: 'grant_table_op.copy',
    query: 'grant_table_op.query_size grant_table_op.get_version',
  },
  mmu: {
    map_read: 'mmu_update update_va_mapping memory_op.add_to_physmap',
    map_write: 'mmu_update update_va_mapping memory_op.add_to_physmap',
    pageinfo: 'domctl.getpageframeinfo3',
    adjust: 'memory_op.increase_reservation memory_op.decrease_reservation memory_op.populate_physmap',
    stat: 'memory_op.current_reservation memory_op.maximum_reservation memory_op.maximum_gpfn',
    updatemp: 'mmu_update.machphys_update',
    physmap: 'memory_op.add_to_physmap memory_op.remove_from_physmap',
    pinpage: 'mmuext_op.pin_table',
    memorymap: 'memory_op.set_memory_map memory_op.machine_memory_map',
    remote_remap: 'mmu_update',
    mmuext_op: 'mmuext_op',
    exchange: 'memory_op.exchange',
    target_hack: 'mmu_update',
  },
  resource: {
    add:
      'domctl.assign_device domctl.test_assign_device domctl.irq_permission domctl.iomem_permission domctl.ioport_permission ' +
      'domctl.memory_mapping domctl.ioport_mapping domctl.bind_pt_irq physdev_op.map_pirq',
    remove:
      'domctl.deassign_device domctl.irq_permission domctl.iomem_permission domctl.ioport_permission ' +
      'domctl.memory_mapping domctl.ioport_mapping domctl.unbind_pt_irq physdev_op.unmap_pirq',
    use: 'sysctl.page_offline_op',
    use_iommu: DEVICE_USES,
    use_iommu_nointremap: DEVICE_USES,
    use_noiommu: DEVICE_USES,
    add_irq: 'physdev_op.map_pirq',
    remove_irq: 'physdev_op.unmap_pirq',
    add_ioport: 'domctl.ioport_permission domctl.ioport_mapping',
    remove_ioport: 'domctl.ioport_permission domctl.ioport_mapping',
    add_iomem: 'domctl.iomem_permission domctl.memory_mapping',
    remove_iomem: 'domctl.iomem_permission domctl.memory_mapping',
    stat_device: 'domctl.test_assign_device domctl.get_device_group',
    add_device: 'domctl.assign_device domctl.test_assign_device',
    remove_device: 'domctl.deassign_device',
    plug:
      'physdev_op.pci_device_add platform_op.cpu_online platform_op.cpu_hotadd platform_op.mem_hotadd ' +
      'sysctl.cpu_hotplug sysctl.page_offline_op',
    unplug: 'physdev_op.pci_device_remove platform_op.cpu_offline sysctl.cpu_hotplug sysctl.page_offline_op',
    setup: 'physdev_op.setup_gsi physdev_op.prepare_msix physdev_op.release_msix physdev_op.pci_mmcfg_reserved',
  },
  shadow: {
    disable: 'domctl.shadow_op.off',
    enable: 'domctl.shadow_op.enable domctl.shadow_op.get_allocation domctl.shadow_op.set_allocation',
    logdirty: 'domctl.shadow_op.enable_logdirty domctl.shadow_op.clean domctl.shadow_op.peek',
  },
  security: {
    check_context: 'xsm_op.context_to_sid xsm_op.sid_to_context',
    load_policy: 'xsm_op.load_policy',
    compute_av: 'xsm_op.access',
    compute_create: 'xsm_op.create',
    compute_member: 'xsm_op.member',
    compute_relabel: 'xsm_op.relabel',
    setenforce: 'xsm_op.setenforce',
    setbool: 'xsm_op.setbool xsm_op.commitbools',
    setsecparam: 'xsm_op.setavc_threshold',
    add_ocontext: 'xsm_op.add_ocontext xsm_op.devicetree_label',
    del_ocontext: 'xsm_op.del_ocontext xsm_op.devicetree_label',
  },
  version: {
    xen_extraversion: 'xen_version.extraversion',
    xen_compile_info: 'xen_version.compile_info',
    xen_capabilities: 'xen_version.capabilities',
    xen_changeset: 'xen_version.changeset',
    xen_pagesize: 'xen_version.pagesize',
    xen_guest_handle: 'xen_version.guest_handle',
    xen_commandline: 'xen_version.commandline',
    xen_build_id: 'xen_version.build_id',
  },
  argo: {
    enable: 'argo_op',
    register_single_source: 'argo_op.register_ring',
    register_any_source: 'argo_op.register_ring',
    send: 'argo_op.sendv argo_op.notify',
  },
};

/** The operations that ask for a permission; none where the permission is not known, or nothing asks for it. */
export function operationsOf(className: string, permission: string): string[] {
  const permissions = Object.hasOwn(OPERATIONS, className) ? OPERATIONS[className] : undefined;
  const text =
    permissions !== undefined && Object.hasOwn(permissions, permission) ? permissions[permission] : undefined;
  return text === undefined ? [] : text.split(' ');
}
