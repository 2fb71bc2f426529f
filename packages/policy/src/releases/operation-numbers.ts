/**
 * The operations that Xen names by number where FLASK has no check for them: data.
 *
 * Facts: Xen `xen/include/public/{domctl,sysctl,platform}.h` of 4.3.0 to master; whether `xen/xsm/flask/hooks.c` of each
 * point release has a case for the number.
 * Start reading at `operationOf`.
 *
 * @module
 */

/** Names by number, `number:name`; two names of a number are those of different releases, the older one first. */
const NAMES: Readonly<Record<string, string>> = {
  domctl:
    '1:createdomain 2:destroydomain 3:pausedomain 4:unpausedomain 5:getdomaininfo 6:getmemlist 7:getpageframeinfo ' +
    '8:getpageframeinfo2 9:setvcpuaffinity 10:shadow_op 11:max_mem 12:setvcpucontext 13:getvcpucontext 14:getvcpuinfo ' +
    '15:max_vcpus 16:scheduler_op 17:setdomainhandle 18:setdebugging 19:irq_permission 20:iomem_permission ' +
    '21:ioport_permission 22:hypercall_init 23:arch_setup 23:soft_reset_cont 24:settimeoffset 25:getvcpuaffinity ' +
    '26:real_mode_area 27:resumedomain 28:sendtrigger 29:subscribe 33:gethvmcontext 34:sethvmcontext ' +
    '35:set_address_size 36:get_address_size 37:assign_device 38:bind_pt_irq 39:memory_mapping 40:ioport_mapping ' +
    '41:pin_mem_cacheattr 42:set_ext_vcpucontext 43:get_ext_vcpucontext 44:set_opt_feature 45:test_assign_device ' +
    '46:set_target 47:deassign_device 48:unbind_pt_irq 49:set_cpuid 50:get_device_group 51:set_machine_address_size ' +
    '52:get_machine_address_size 53:suppress_spurious_page_faults 54:debug_op 55:gethvmcontext_partial ' +
    '56:mem_event_op 56:vm_event_op 57:mem_sharing_op 58:disable_migrate 59:gettscinfo 60:settscinfo ' +
    '61:getpageframeinfo3 62:setvcpuextstate 63:getvcpuextstate 64:set_access_required 65:audit_p2m ' +
    '66:set_virq_handler 67:set_broken_page_p2m 68:setnodeaffinity 69:getnodeaffinity 70:set_max_evtchn 71:cacheflush ' +
    '72:get_vcpu_msrs 73:set_vcpu_msrs 74:setvnumainfo 75:psr_cmt_op 76:arm_configure_domain 77:monitor_op ' +
    '78:psr_cat_op 78:psr_alloc 79:soft_reset 80:set_gnttab_limits 81:vuart_op 82:get_cpu_policy 83:set_cpu_policy ' +
    '84:vmtrace_op 85:get_paging_mempool_size 86:set_paging_mempool_size 87:dt_overlay 88:gsi_permission ' +
    '89:set_llc_colors 90:get_domain_state 1000:gdbsx_guestmemio 1001:gdbsx_pausevcpu 1002:gdbsx_unpausevcpu ' +
    '1003:gdbsx_domstatus',
  sysctl:
    '1:readconsole 2:tbuf_op 3:physinfo 4:sched_id 5:perfc_op 6:getdomaininfolist 7:debug_keys 8:getcpuinfo ' +
    '9:availheap 10:get_pmstat 11:cpu_hotplug 12:pm_op 14:page_offline_op 15:lockprof_op 16:topologyinfo ' +
    '16:cputopoinfo 17:numainfo 18:cpupool_op 19:scheduler_op 20:coverage_op 21:psr_cmt_op 22:pcitopoinfo ' +
    '23:psr_cat_op 23:psr_alloc 24:tmem_op 25:get_cpu_levelling_caps 26:get_cpu_featureset 27:livepatch_op ' +
    '28:set_parameter 29:get_cpu_policy 30:dt_overlay',
  platform_op:
    '17:settime32 31:add_memtype 32:del_memtype 33:read_memtype 35:microcode_update 39:platform_quirk ' +
    '48:get_cpu_version 49:efi_runtime_call 50:firmware_info 51:enter_acpi_sleep 52:change_freq 53:getidletime ' +
    '54:set_processor_pminfo 55:get_cpuinfo 56:cpu_online 57:cpu_offline 58:cpu_hotadd 59:mem_hotadd 60:core_parking ' +
    '61:resource_op 62:settime64 63:get_symbol 64:get_dom0_console 65:get_ucode_revision 66:microcode_update2',
};

/** Operations that some point releases have and do not check, with those releases. */
const UNCHECKED: Readonly<Record<string, string>> = {
  'domctl.arch_setup': '4.3.0 to 4.14.0, which no longer do anything with it',
  'domctl.soft_reset_cont': '4.12.4, 4.13.2 and all after it: a soft reset that is interrupted cannot go on',
  'domctl.real_mode_area': 'all releases, which no longer do anything with it',
  'domctl.set_opt_feature': 'all releases, which no longer do anything with it',
  'domctl.set_broken_page_p2m': 'all releases',
  'domctl.vuart_op': '4.10.0 to 4.18.4, 4.19.0 and 4.19.1 (Arm)',
  'domctl.dt_overlay': '4.19.0 and 4.19.1 (Arm)',
  'sysctl.coverage_op': '4.3.0 to 4.8.5',
  'sysctl.dt_overlay': '4.18.0 and all after it (Arm)',
  'platform_op.get_dom0_console': '4.18.0 to 4.18.2',
  'platform_op.get_ucode_revision': '4.18.0 and all after it',
  'platform_op.microcode_update2': '4.20.0 and all after it',
};

/** An operation that Xen named by its number. */
export interface NumberedOperation {
  /** `domctl.vuart_op`; two where the number changed its meaning; none where it is not known. */
  readonly names: readonly string[];
  /** In words, the releases that have it and do not check it; undefined where each release that has it checks it. */
  readonly unchecked: string | undefined;
}

/** What stands behind a number in a line of Xen that FLASK does not know an operation. */
export function operationOf(group: string, number: number): NumberedOperation {
  const table = Object.hasOwn(NAMES, group) ? NAMES[group] : undefined;
  const names = (table ?? '')
    .split(' ')
    .filter((entry) => entry.startsWith(`${number}:`))
    .map((entry) => `${group}.${entry.slice(entry.indexOf(':') + 1)}`);
  const gaps = names.flatMap((name) => (UNCHECKED[name] === undefined ? [] : [UNCHECKED[name]]));
  return { names, unchecked: gaps.at(-1) };
}
