/**
 * Every key of xl.cfg that xl 4.17 reads.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data` and the functions it calls; meanings are told in our words.
 *
 * @module
 */

/** The kinds of guests that `type` names. */
export type Guest = 'pv' | 'pvh' | 'hvm';

/** What a key's value may look like. `number, string` means that a number is tried first. */
export type Shape =
  | 'string'
  | 'number'
  | 'flag'
  | 'list'
  | 'list of lists'
  | 'number, string'
  | 'list, string'
  | 'list, flag';

/** What is known about one key. */
export interface KnownKey {
  readonly shape: Shape;
  /** The guests that the key has an effect on. */
  readonly guests: readonly Guest[];
  /** The value when the key is not set, as a reader would say it; empty for none. */
  readonly default: string;
  /** What the key is for. */
  readonly meaning: string;
}

type Row = readonly [key: string, shape: Shape, fallback: string, meaning: string];

const ALL: readonly Guest[] = ['pv', 'pvh', 'hvm'];
const LOADED: readonly Guest[] = ['pv', 'pvh'];
const PV: readonly Guest[] = ['pv'];
const PVH: readonly Guest[] = ['pvh'];
const HVM: readonly Guest[] = ['hvm'];
const HARDWARE: readonly Guest[] = ['pvh', 'hvm'];

const GROUPS: readonly (readonly [readonly Guest[], readonly Row[]])[] = [
  [
    ALL,
    [
      // Identity, life, labels.
      ['name', 'string', '', 'the name of the domain; must be given'],
      ['type', 'string', 'pv', 'the kind of guest: `pv`, `pvh` or `hvm`'],
      ['builder', 'string', '', 'the older way to say `type`: `generic` or `hvm`'],
      ['uuid', 'string', 'random', 'the UUID of the domain'],
      ['seclabel', 'string', 'the initial SID domU', 'the label that the guest runs under'],
      ['init_seclabel', 'string', '', 'the label that the guest is built under, until it is relabelled to `seclabel`'],
      ['pool', 'string', 'pool 0', 'the CPU pool, by name or number'],
      ['driver_domain', 'flag', '0', 'the guest serves devices to other guests'],
      ['passthrough', 'string', 'disabled', 'how devices given to the guest reach memory'],
      ['xend_suspend_evtchn_compat', 'flag', '0', 'the guest may write its whole device folder in xenstore'],
      ['on_poweroff', 'string', 'destroy', 'what to do when the guest shuts down'],
      ['on_reboot', 'string', 'restart', 'what to do when the guest reboots'],
      ['on_watchdog', 'string', 'destroy', "what to do when the guest's watchdog fires"],
      ['on_crash', 'string', 'destroy', 'what to do when the guest crashes'],
      ['on_soft_reset', 'string', 'soft-reset', 'what to do when the guest resets itself for a kexec'],
      ['nomigrate', 'flag', '0', 'the guest must not be migrated; not related to the type `nomigrate_t`'],
      // Processors and memory.
      ['vcpus', 'number', '1', 'virtual CPUs online at the start'],
      ['maxvcpus', 'number', 'vcpus', 'the most virtual CPUs that the guest may have'],
      ['cpus', 'list, string', '', 'the CPUs that the virtual CPUs may run on'],
      ['cpus_soft', 'list, string', '', 'the CPUs that the virtual CPUs should run on'],
      ['cpu_weight', 'number', '256', 'the share of CPU time, against other guests'],
      ['cap', 'number', '0', 'the most CPU time, in percent of one CPU'],
      ['period', 'number', '', 'the period of the real-time scheduler'],
      ['slice', 'number', '', 'a parameter of a scheduler that Xen no longer has'],
      ['latency', 'number', '', 'a parameter of a scheduler that Xen no longer has'],
      ['extratime', 'number', '', 'whether the real-time scheduler gives spare time'],
      ['memory', 'number', '32', 'memory at the start, in MiB'],
      ['maxmem', 'number', 'memory', 'the most memory, in MiB'],
      ['shadow_memory', 'number', 'computed', 'memory for shadow or HAP page tables, in MiB'],
      ['max_grant_frames', 'number', 'from xl.conf', 'the most frames of the grant table'],
      ['max_maptrack_frames', 'number', 'from xl.conf', 'the most frames for grants that the guest maps'],
      ['max_grant_version', 'number', 'from xl.conf', 'the highest version of the grant table'],
      ['max_event_channels', 'number', '1023', 'the most event channels'],
      ['tsc_mode', 'number, string', 'default', 'how the guest reads the time stamp counter'],
      ['localtime', 'flag', '0', "the guest's clock shows local time"],
      ['rtc_timeoffset', 'number', '0', "seconds to add to the guest's clock"],
      ['acpi', 'flag', '1', 'the guest sees ACPI tables'],
      ['vpmu', 'flag', '0', 'the guest may use performance counters'],
      ['msr_relaxed', 'flag', '0', 'reading an unknown MSR does not fault'],
      ['cpuid', 'list, string', '', 'CPU features to show or hide'],
      ['vmtrace_buf_kb', 'number', '0', 'KiB of buffer for tracing each virtual CPU'],
      ['dm_restrict', 'flag', '0', 'the device model gives up its rights after the start'],
      // What to boot.
      ['kernel', 'string', '', 'the kernel image'],
      ['ramdisk', 'string', '', 'the initial ramdisk'],
      ['cmdline', 'string', '', "the kernel's command line"],
      ['root', 'string', '', 'the root device, for the command line'],
      ['extra', 'string', '', 'more words for the command line'],
      ['firmware', 'string', '', 'the firmware to boot instead of a kernel'],
      ['device_tree', 'string', '', 'a partial device tree for the guest (Arm)'],
      // Devices.
      ['disk', 'list', '', 'the disks'],
      ['vif', 'list', '', 'the network interfaces'],
      ['vif2', 'list', '', 'an older kind of network interface that xl does not support'],
      ['vkb', 'list', '', 'virtual keyboards and pointers'],
      ['vtpm', 'list', '', 'virtual TPMs'],
      ['p9', 'list', '', 'folders shared over 9pfs'],
      ['pvcalls', 'list', '', 'sockets carried out by another domain'],
      ['vdispl', 'list', '', 'virtual displays'],
      ['vsnd', 'list of lists', '', 'virtual sound cards'],
      ['channel', 'list', '', 'consoles with names'],
      ['usbctrl', 'list', '', 'virtual USB controllers'],
      ['usbdev', 'list', '', 'USB devices given to the guest'],
      ['pci', 'list', '', 'PCI devices given to the guest'],
      ['pci_msitranslate', 'number', '0', 'translate MSI to INTx, for all PCI devices'],
      ['pci_power_mgmt', 'number', '0', 'the guest may manage power, for all PCI devices'],
      ['pci_permissive', 'number', '0', 'the guest may write all of the configuration space, for all PCI devices'],
      ['pci_seize', 'number', '0', 'take PCI devices from their drivers'],
      ['dtdev', 'list', '', 'device tree nodes given to the guest (Arm)'],
      ['ioports', 'list', '', 'I/O ports given to the guest'],
      ['irqs', 'list', '', 'interrupts given to the guest'],
      ['iomem', 'list', '', 'pages of device memory given to the guest'],
      ['rdm', 'string', '', 'how to keep device memory out of the way of the guest'],
      // The device model and the screen.
      ['device_model_version', 'string', 'qemu-xen', 'which device model'],
      ['device_model_override', 'string', '', 'the path of the device model'],
      ['device_model', 'string', '', 'ignored by xl'],
      ['device_model_stubdomain_override', 'flag', '0', 'run the device model in a domain of its own, the stub domain'],
      ['device_model_stubdomain_seclabel', 'string', 'the initial SID domDM', 'the label of the stub domain'],
      ['device_model_user', 'string', '', 'the user that the device model runs as'],
      ['device_model_args', 'list', '', 'more arguments for the device model'],
      ['device_model_args_pv', 'list', '', 'more arguments for the device model of a PV guest'],
      ['device_model_args_hvm', 'list', '', 'more arguments for the device model of an HVM guest'],
      ['stubdomain_kernel', 'string', 'built in', 'the kernel of the stub domain'],
      ['stubdomain_cmdline', 'string', '', 'the command line of the stub domain'],
      ['stubdomain_ramdisk', 'string', 'built in', 'the ramdisk of the stub domain'],
      ['stubdomain_memory', 'number', '28 or 128', 'the memory of the stub domain, in MiB'],
      ['vnc', 'flag', '1 for HVM', 'show the screen over VNC'],
      ['vnclisten', 'string', '127.0.0.1', 'the address that VNC listens on'],
      ['vncpasswd', 'string', '', 'the password for VNC'],
      ['vncdisplay', 'number', '0', 'the number of the VNC display'],
      ['vncunused', 'flag', '1', 'take the next VNC display that is free'],
      ['vncviewer', 'number', '', 'ignored by xl'],
      ['sdl', 'flag', '0', 'show the screen in a window'],
      ['opengl', 'flag', '0', 'use OpenGL for the window'],
      ['display', 'string', '', 'the X display for the window'],
      ['xauthority', 'string', '', 'the X authority file for the window'],
      ['keymap', 'string', 'en-us', 'the keyboard layout'],
      // Arm.
      ['gic_version', 'string', 'default', 'the version of the interrupt controller (Arm)'],
      ['vuart', 'string', '', 'the virtual serial port (Arm)'],
      ['tee', 'string', 'none', 'the trusted execution environment (Arm)'],
    ],
  ],
  [
    LOADED,
    [
      ['bootloader', 'string', '', 'the program that finds the kernel in the guest'],
      ['bootloader_args', 'list, string', '', 'arguments for the bootloader'],
      ['vfb', 'list', '', 'virtual frame buffers'],
    ],
  ],
  [PV, [['e820_host', 'flag', '0', "the guest sees the host's memory map"]]],
  [
    PVH,
    [
      ['pvshim', 'flag', '0', 'run a PV kernel in a PVH guest, under a small Xen'],
      ['pvshim_path', 'string', 'xen-shim', 'the image of the small Xen'],
      ['pvshim_cmdline', 'string', 'pv-shim console=xen,pv', 'the command line of the small Xen'],
      ['pvshim_extra', 'string', '', 'more words for the command line of the small Xen'],
    ],
  ],
  [
    HARDWARE,
    [
      ['hap', 'flag', '1 if the CPU can', 'use hardware assisted paging'],
      ['oos', 'flag', '1', 'shadow page tables may lag behind'],
      ['timer_mode', 'number, string', 'no_delay_for_missed_ticks', 'what happens to timer ticks that a guest missed'],
      ['nestedhvm', 'flag', '0', 'the guest may run guests of its own'],
      ['altp2m', 'number, string', 'disabled', 'who may switch between views of guest memory'],
    ],
  ],
  [
    HVM,
    [
      ['vnuma', 'list of lists', '', 'the NUMA nodes that the guest sees'],
      ['videoram', 'number', 'by display card', 'memory of the display card, in MiB'],
      ['apic', 'flag', '1', 'the guest has an APIC'],
      ['bios', 'string', 'seabios', 'the firmware by name'],
      ['bios_path_override', 'string', '', 'the path of the firmware'],
      ['firmware_override', 'string', '', 'the path of hvmloader'],
      ['boot', 'string', 'cda', 'the order of devices to boot from'],
      ['hdtype', 'string', 'ide', 'the kind of disk controller'],
      ['pae', 'flag', '1', 'the guest sees PAE'],
      ['acpi_s3', 'flag', '1', 'the guest may sleep'],
      ['acpi_s4', 'flag', '1', 'the guest may hibernate'],
      ['acpi_laptop_slate', 'flag', '0', 'the guest sees a laptop or slate switch'],
      ['nx', 'flag', '1', 'the guest sees the no-execute bit'],
      ['hpet', 'flag', '1', 'the guest has an HPET'],
      ['vpt_align', 'flag', '1', 'align timers to save power'],
      ['viridian', 'list, flag', '0', 'interfaces that Windows knows from Hyper-V'],
      ['mmio_hole', 'number', '256', 'the hole for devices below 4 GiB, in MiB'],
      ['altp2mhvm', 'flag', '0', 'the older way to say `altp2m`'],
      ['smbios_firmware', 'string', '', 'a file of SMBIOS tables'],
      ['acpi_firmware', 'string', '', 'a file of ACPI tables'],
      ['ms_vm_genid', 'string', 'none', 'a generation ID for Windows: `generate` or `none`'],
      ['mca_caps', 'list', '', 'machine check abilities'],
      ['rdm_mem_boundary', 'number', '2048', 'where memory below 4 GiB may be moved for devices, in MiB'],
      ['vga', 'string', 'cirrus', 'the display card'],
      ['stdvga', 'number', '', 'the older way to say `vga`'],
      ['spice', 'flag', '0', 'show the screen over SPICE'],
      ['spiceport', 'number', '', 'the port of SPICE'],
      ['spicetls_port', 'number', '', 'the TLS port of SPICE'],
      ['spicehost', 'string', '', 'the address that SPICE listens on'],
      ['spicedisable_ticketing', 'flag', '0', 'SPICE needs no password'],
      ['spicepasswd', 'string', '', 'the password for SPICE'],
      ['spiceagent_mouse', 'flag', '1', 'SPICE moves the pointer through its agent'],
      ['spicevdagent', 'flag', '0', 'the SPICE agent is used'],
      ['spice_clipboard_sharing', 'flag', '0', 'the clipboard is shared'],
      ['spiceusbredirection', 'number', '', 'how many USB devices SPICE may redirect'],
      ['spice_image_compression', 'string', '', 'how SPICE compresses images'],
      ['spice_streaming_video', 'string', '', 'how SPICE detects video'],
      ['nographic', 'flag', '0', 'no screen at all'],
      ['gfx_passthru', 'number, string', '0', 'the guest gets the graphics card of the host'],
      ['serial', 'list, string', '', 'the serial ports'],
      ['usb', 'flag', '0', 'the device model has a USB controller'],
      ['usbversion', 'number', '0', 'the version of that USB controller'],
      ['usbdevice', 'list, string', '', 'devices on that USB controller'],
      ['vkb_device', 'flag', '1', 'the guest has a PV keyboard'],
      ['soundhw', 'string', '', 'the sound card'],
      ['xen_platform_pci', 'flag', '1', 'the guest has the PCI device that PV drivers look for'],
      ['vendor_device', 'string', 'none', 'a PCI device for drivers of one vendor'],
    ],
  ],
];

/** The keys and what is known of them. */
export const KEY_TABLE: ReadonlyMap<string, KnownKey> = new Map(
  GROUPS.flatMap(([guests, rows]) =>
    rows.map(([key, shape, fallback, meaning]): [string, KnownKey] => [
      key,
      { shape, guests, default: fallback, meaning },
    ]),
  ),
);

/** Keys that only releases after Xen 4.17 read. */
export const LATER_KEYS: ReadonlySet<string> = new Set([
  'virtio',
  'xenstore_feature_mask',
  'xenstore_quota',
  'llc_colors',
  'bootloader_restrict',
  'bootloader_user',
  'hvm_pirq',
  'smbios',
  'altp2m_count',
  'xen_platform_pci_bar_uc',
  'sve',
  'nr_spis',
  'trap_unmapped_accesses',
  'arm_sci',
]);
