/**
 * The members of libxl's structures in the order in which its JSON has them.
 *
 * Follows Xen `tools/libs/light/libxl_types.idl`, as far as xl or libxl fills them.
 *
 * @module
 */

/** `libxl_domain_create_info` */
export const C_INFO: readonly string[] = [
  ...['type', 'hap', 'oos', 'ssid_label', 'name', 'domid', 'uuid', 'pool_name', 'run_hotplug_scripts', 'driver_domain'],
  ...['passthrough', 'xend_suspend_evtchn_compat'],
];

/** `libxl_domain_build_info`; `type` is its union, which libxl calls `type.pv` and the like. */
export const B_INFO: readonly string[] = [
  ...[
    'max_vcpus',
    'avail_vcpus',
    'vcpu_hard_affinity',
    'vcpu_soft_affinity',
    'numa_placement',
    'tsc_mode',
    'max_memkb',
    'target_memkb',
    'video_memkb',
  ],
  ...['shadow_memkb', 'rtc_timeoffset', 'exec_ssid_label', 'localtime', 'disable_migrate', 'cpuid', 'blkdev_start'],
  'vnuma_nodes',
  ...['max_grant_frames', 'max_maptrack_frames', 'max_grant_version', 'device_model_version'],
  ...['device_model_stubdomain', 'stubdomain_memkb', 'stubdomain_kernel', 'stubdomain_cmdline', 'stubdomain_ramdisk'],
  ...[
    'device_model',
    'device_model_ssid_label',
    'device_model_user',
    'extra',
    'extra_pv',
    'extra_hvm',
    'sched_params',
    'ioports',
    'irqs',
    'iomem',
  ],
  ...['claim_mode', 'event_channels', 'kernel', 'cmdline', 'ramdisk', 'device_tree', 'acpi', 'bootloader'],
  ...['bootloader_args', 'timer_mode', 'nested_hvm', 'apic', 'dm_restrict', 'tee', 'type', 'arch_arm', 'arch_x86'],
  ...['altp2m', 'vmtrace_buf_kb', 'vpmu'],
];

const SCHED_PARAMS = ['sched', 'weight', 'cap', 'period', 'extratime', 'slice', 'latency'];
const VNC = ['enable', 'listen', 'passwd', 'display', 'findunused'];
const SDL = ['enable', 'opengl', 'display', 'xauthority'];
const SPICE = [
  ...['enable', 'port', 'tls_port', 'host', 'disable_ticketing', 'passwd', 'agent_mouse', 'vdagent'],
  ...['clipboard_sharing', 'usbredirection', 'image_compression', 'streaming_video'],
];

/** The union of `libxl_domain_build_info`, by the kind of guest. */
export const UNION: {
  readonly pv: readonly string[];
  readonly pvh: readonly string[];
  readonly hvm: readonly string[];
} = {
  pv: ['e820_host'],
  pvh: ['pvshim', 'pvshim_path', 'pvshim_cmdline', 'pvshim_extra'],
  hvm: [
    ...['firmware', 'bios', 'pae', 'acpi_s3', 'acpi_s4', 'acpi_laptop_slate', 'nx', 'viridian', 'viridian_enable'],
    ...['viridian_disable', 'hpet', 'vpt_align', 'mmio_hole_memkb', 'altp2m', 'system_firmware', 'smbios_firmware'],
    ...['acpi_firmware', 'hdtype', 'nographic', 'vga', 'vnc', 'keymap', 'sdl', 'spice', 'gfx_passthru'],
    ...['gfx_passthru_kind', 'serial', 'boot', 'usb', 'usbversion', 'usbdevice', 'vkb_device', 'soundhw'],
    ...[
      'xen_platform_pci',
      'usbdevice_list',
      'vendor_device',
      'serial_list',
      'rdm',
      'rdm_mem_boundary_memkb',
      'mca_caps',
    ],
  ],
};

/** Structures inside structures, by path; libxl prints these even when they are empty. */
export const INNER: ReadonlyMap<string, readonly string[]> = new Map([
  ['b_info.sched_params', SCHED_PARAMS],
  ['b_info.arch_arm', ['gic_version', 'vuart']],
  ['b_info.arch_x86', ['msr_relaxed']],
  ['b_info.type.hvm.vga', ['kind']],
  ['b_info.type.hvm.vnc', VNC],
  ['b_info.type.hvm.sdl', SDL],
  ['b_info.type.hvm.spice', SPICE],
  ['b_info.type.hvm.rdm', ['strategy', 'policy']],
  ['vfbs.vnc', VNC],
  ['vfbs.sdl', SDL],
]);

/** `libxl_domain_config`: two structures, lists of devices, what to do when the guest stops. */
export const DOMAIN_CONFIG: readonly string[] = [
  ...['c_info', 'b_info', 'disks', 'nics', 'pcidevs', 'rdms', 'dtdevs', 'vfbs', 'vkbs', 'vtpms', 'p9s', 'pvcallsifs'],
  ...['vdispls', 'vsnds', 'channels', 'usbctrls', 'usbdevs'],
  ...['on_poweroff', 'on_reboot', 'on_watchdog', 'on_crash', 'on_soft_reset'],
];

/** The first members of `libxl_device_nic`, up to the last that libxl makes up itself. */
export const NIC: readonly string[] = [
  ...[
    'backend_domid',
    'backend_domname',
    'devid',
    'mtu',
    'model',
    'mac',
    'ip',
    'bridge',
    'ifname',
    'script',
    'nictype',
  ],
];

/** The members of `libxl_device_disk`. */
export const DISK: readonly string[] = [
  ...['backend_domid', 'backend_domname', 'pdev_path', 'vdev', 'backend', 'format', 'script', 'removable', 'readwrite'],
  ...['is_cdrom', 'direct_io_safe', 'discard_enable', 'specification', 'transport', 'irq', 'base', 'colo_enable'],
  ...['colo_restore_enable', 'colo_host', 'colo_port', 'colo_export', 'active_disk', 'hidden_disk', 'trusted'],
];
