/**
 * The JSON of a guest's configuration, as `xl create -n` prints it and libxl's `_from_json` reads it.
 *
 * Fields stand in the order of Xen `tools/libs/light/libxl_types.idl`, and what has its default is left out.
 *
 * @module
 */
import type { DomainConfig, ShutdownAction } from './domain-config.ts';
import { type JsonValue, printJson } from './json.ts';
import { flagJson } from './members.ts';

type Members = { readonly members: readonly (readonly [string, JsonValue])[] };
type Fields = ReadonlyMap<string, JsonValue>;

const C_INFO = [
  ...['type', 'hap', 'oos', 'ssid_label', 'name', 'uuid', 'pool_name', 'run_hotplug_scripts', 'driver_domain'],
  ...['passthrough', 'xend_suspend_evtchn_compat'],
];

const B_INFO = [
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

const SCHED_PARAMS = ['weight', 'cap', 'period', 'extratime', 'slice', 'latency'];
const VNC = ['enable', 'listen', 'passwd', 'display', 'findunused'];
const SDL = ['enable', 'opengl', 'display', 'xauthority'];
const SPICE = [
  ...['enable', 'port', 'tls_port', 'host', 'disable_ticketing', 'passwd', 'agent_mouse', 'vdagent'],
  ...['clipboard_sharing', 'usbredirection', 'image_compression', 'streaming_video'],
];

const UNION = {
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
} as const;

/** Structures inside structures; libxl prints these even when they are empty. */
const INNER: ReadonlyMap<string, readonly string[]> = new Map([
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

/** The names of the actions in libxl, where they differ from xl.cfg; `destroy` is the default. */
const ACTIONS: Readonly<Record<ShutdownAction, string | undefined>> = {
  destroy: undefined,
  restart: 'restart',
  'rename-restart': 'restart_rename',
  preserve: 'preserve',
  'coredump-destroy': 'coredump_destroy',
  'coredump-restart': 'coredump_restart',
  'soft-reset': 'soft_reset',
};

/** A PV guest may have as many; a number above is not a number of CPUs, and not worth as many lines. */
const MOST_VCPUS = 8192;

/** libxl's JSON of the fields that `DomainConfig` carries. */
export function printDomainConfigJson(config: DomainConfig): string {
  const fields = fieldsOf(config);
  const members: (readonly [string, JsonValue])[] = [
    ['c_info', structure(fields, 'c_info', C_INFO)],
    ['b_info', structure(fields, 'b_info', namedUnion(config))],
  ];
  const frameBuffers = frameBuffersOf(config, fields);
  const keyboards = frameBuffers.map((_, devid): Members => ({ members: [['devid', devid]] }));
  for (const [name, devices] of [
    ['disks', config.disks],
    ['nics', config.vifs],
    ['pcidevs', config.pciDevices],
    ['dtdevs', config.treeDevices],
    ['vfbs', frameBuffers],
    ['vkbs', [...keyboards, ...config.keyboards]],
    ['vtpms', config.tpms],
    ['p9s', config.sharedFolders],
    ['pvcallsifs', config.sockets],
    ['vdispls', config.displays],
    ['vsnds', config.soundCards],
    ['channels', config.channels],
    ['usbctrls', config.usbControllers],
    ['usbdevs', config.usbDevices],
  ] as const) {
    if (devices.length > 0) members.push([name, devices.map((device): Members => ({ members: device.members }))]);
  }
  for (const [name, action] of [
    ['on_poweroff', config.actions.poweroff],
    ['on_reboot', config.actions.reboot],
    ['on_watchdog', config.actions.watchdog],
    ['on_crash', config.actions.crash],
    ['on_soft_reset', config.actions.softReset],
  ] as const) {
    const json = ACTIONS[action];
    if (json !== undefined) members.push([name, json]);
  }
  return printJson({ members });
}

/** The fields of `b_info`, with the union under the name that says which kind of guest it is for. */
function namedUnion(config: DomainConfig): readonly string[] {
  return B_INFO.map((name) => (name === 'type' ? `type.${config.guest}` : name));
}

function structure(fields: Fields, path: string, names: readonly string[]): Members {
  const members: (readonly [string, JsonValue])[] = [];
  for (const name of names) {
    const inner = `${path}.${name}`;
    const innerNames = INNER.get(inner) ?? unionNames(inner);
    const value = innerNames === undefined ? fields.get(inner) : structure(fields, inner, innerNames);
    if (value !== undefined) members.push([name, value]);
  }
  return { members };
}

function unionNames(path: string): readonly string[] | undefined {
  switch (path) {
    case 'b_info.type.pv':
      return UNION.pv;
    case 'b_info.type.pvh':
      return UNION.pvh;
    case 'b_info.type.hvm':
      return UNION.hvm;
    default:
      return undefined;
  }
}

/** Those that the file lists, and the one that `vnc` asks for in a PV guest without a list. */
function frameBuffersOf(config: DomainConfig, fields: Fields): readonly Members[] {
  if (!fields.has('vfbs')) return config.frameBuffers;
  const { members } = structure(fields, 'vfbs', ['vnc', 'sdl', 'keymap']);
  return [...config.frameBuffers, { members: [['devid', config.frameBuffers.length], ...members] }];
}

const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** Everything that is printed, by path. */
function fieldsOf(config: DomainConfig): Fields {
  const fields = new Map(config.members);
  const set = (path: string, value: JsonValue | undefined): void => {
    if (value !== undefined) fields.set(path, value);
  };
  const flag = (value: boolean | undefined): string | undefined => (value === undefined ? undefined : flagJson(value));
  set('c_info.type', config.guest);
  set('c_info.ssid_label', config.labels.build?.text);
  set('c_info.name', config.name);
  set('c_info.uuid', config.uuid === NIL_UUID ? undefined : config.uuid);
  set('c_info.pool_name', config.pool);
  set('c_info.driver_domain', flag(config.isDriverDomain));
  set('b_info.max_vcpus', config.maxVcpus === 0 ? undefined : config.maxVcpus);
  const online = Math.max(0, Math.min(config.vcpus ?? 0, MOST_VCPUS));
  if (online > 0)
    set(
      'b_info.avail_vcpus',
      Array.from({ length: online }, (_, cpu) => cpu),
    );
  // A size that no number holds exactly stands among the members.
  const size = (kib: number | undefined): number | undefined => (Number.isSafeInteger(kib) ? kib : undefined);
  set('b_info.max_memkb', size(config.maxMemoryKib));
  set('b_info.target_memkb', size(config.memoryKib));
  set('b_info.exec_ssid_label', config.labels.run?.text);
  set('b_info.disable_migrate', flag(config.refusesMigration));
  set('b_info.device_model_stubdomain', flag(config.hasStubdomain));
  set('b_info.device_model_ssid_label', config.labels.deviceModel?.text);
  set('b_info.kernel', config.kernel);
  set('b_info.cmdline', config.cmdline);
  set('b_info.ramdisk', config.ramdisk);
  return fields;
}
