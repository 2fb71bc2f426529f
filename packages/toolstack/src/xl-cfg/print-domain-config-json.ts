/**
 * The JSON of a guest's configuration, as `xl create -n` prints it and libxl's `_from_json` reads it.
 *
 * Fields stand in the order of Xen `tools/libs/light/libxl_types.idl`, and what has its default is left out.
 *
 * @module
 */
import type { DomainConfig, ShutdownAction } from './domain-config.ts';
import { type JsonObject, type JsonValue, printJson } from './json.ts';
import { B_INFO, C_INFO, INNER, UNION } from './member-order.ts';
import { flagJson } from './members.ts';

type Fields = ReadonlyMap<string, JsonValue>;

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

/** xl prints a line for each; a number above is not a number of CPUs, and not worth as many lines. */
const MOST_VCPUS = 2 ** 20;

/** libxl's JSON of the fields that `DomainConfig` carries, as `xl create -n` prints it. */
export function printDomainConfigJson(config: DomainConfig): string {
  return printJson(domainConfigJson(config));
}

/** XEN: `INVALID_DOMID`: any that is free. */
const ANY_DOMID = 0xffff_ffff;

/** The same as xl then gives it to libxl: it leaves the number of the domain to Xen. XEN: `create_domain`, `domid_policy`. */
export function configToCreate(config: DomainConfig): JsonObject {
  return domainConfigJson(config, ANY_DOMID);
}

function domainConfigJson(config: DomainConfig, domid?: number): JsonObject {
  const fields = fieldsOf(config, domid);
  const members: (readonly [string, JsonValue])[] = [
    ['c_info', structure(fields, 'c_info', C_INFO)],
    ['b_info', structure(fields, 'b_info', namedUnion(config))],
  ];
  const frameBuffers = frameBuffersOf(config, fields);
  const keyboards = frameBuffers.map((_, devid): JsonObject => ({ members: [['devid', devid]] }));
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
    if (devices.length > 0) members.push([name, devices.map((device): JsonObject => ({ members: device.members }))]);
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
  return { members };
}

/** The fields of `b_info`, with the union under the name that says which kind of guest it is for. */
function namedUnion(config: DomainConfig): readonly string[] {
  return B_INFO.map((name) => (name === 'type' ? `type.${config.guest}` : name));
}

function structure(fields: Fields, path: string, names: readonly string[]): JsonObject {
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
function frameBuffersOf(config: DomainConfig, fields: Fields): readonly JsonObject[] {
  if (!fields.has('vfbs')) return config.frameBuffers;
  const { members } = structure(fields, 'vfbs', ['vnc', 'sdl', 'keymap']);
  return [...config.frameBuffers, { members: [['devid', config.frameBuffers.length], ...members] }];
}

const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** Everything that is printed, by path. */
function fieldsOf(config: DomainConfig, domid: number | undefined): Fields {
  const fields = new Map(config.members);
  const set = (path: string, value: JsonValue | undefined): void => {
    if (value !== undefined) fields.set(path, value);
  };
  const flag = (value: boolean | undefined): string | undefined => (value === undefined ? undefined : flagJson(value));
  set('c_info.type', config.guest);
  set('c_info.ssid_label', config.labels.build?.text);
  set('c_info.name', config.name);
  set('c_info.domid', domid);
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
