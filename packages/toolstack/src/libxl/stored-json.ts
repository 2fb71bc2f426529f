/**
 * The configuration of a guest as libxl keeps it in a file of its own: the JSON of what `create` was given, with what libxl
 * itself decided. What changes later it does not write down; it is found where it is kept when somebody asks.
 *
 * Follows Xen `tools/libs/light/libxl_internal.c`, `libxl__update_domain_configuration`; `libxl_device.c`,
 * `device_add_domain_config`; `libxl_domain.c`, `retrieve_domain_configuration_end`.
 *
 * @module
 */
import { compactJson, type JsonObject, type JsonValue, parseJson, printJson } from '../xl-cfg/json.ts';
import { B_INFO, C_INFO, DISK, DOMAIN_CONFIG, NIC } from '../xl-cfg/member-order.ts';

/** The lists of devices that libxl compares with xenstore, where such devices are rehearsed. */
type DeviceList = 'disks' | 'nics' | 'pcidevs';

/** What libxl decides of a network card. */
export interface MadeUpCard {
  readonly devid: number;
  readonly mac: string;
}

/** What libxl decides while it builds a guest. */
export interface Decided {
  readonly uuid: string;
  /** Memory of the display card; of a guest that has none, what was asked for. */
  readonly videoKib: number | undefined;
  /** In the order of the configuration. */
  readonly cards: readonly MadeUpCard[];
  /** It comes from a save file or from another host. */
  readonly isRestored: boolean;
}

/** What is found elsewhere when the configuration is asked for. */
export interface LiveState {
  readonly name: string;
  readonly uuid: string;
  /** vCPUs that are to be used. */
  readonly onlineVcpus: number;
  /** As xenstore has it, but for an HVM guest with the memory of its display card. */
  readonly targetKib: number;
  readonly maxKib: number;
  readonly scheduler: { readonly weight: number; readonly cap: number };
  /** Whether xenstore has a device: by the name of a disk, the number of a card, the address of a PCI device. */
  readonly hasDevice: (list: DeviceList, key: string | number) => boolean;
}

/** Where libxl prints nothing of a guest's configuration. */
const NONE: JsonObject = { members: [] };

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && 'members' in value;
}

function memberOf({ members }: JsonObject, name: string): JsonValue | undefined {
  return members.find(([key]) => key === name)?.[1];
}

function objectIn(object: JsonObject, name: string): JsonObject {
  const value = memberOf(object, name);
  return isObject(value) ? value : NONE;
}

function listIn(object: JsonObject, name: string): readonly JsonObject[] {
  const value = memberOf(object, name);
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Sets a member at its place in libxl's order, or takes it away. */
function withMember(
  object: JsonObject,
  order: readonly string[],
  name: string,
  value: JsonValue | undefined,
): JsonObject {
  const rank = (key: string): number => {
    // The union is called after the kind of guest.
    const found = order.indexOf(key.startsWith('type.') ? 'type' : key);
    return found === -1 ? order.length : found;
  };
  const others = object.members.filter(([key]) => key !== name);
  if (value === undefined) return { members: others };
  const behind = others.findIndex(([key]) => rank(key) > rank(name));
  const at = behind === -1 ? others.length : behind;
  return { members: [...others.slice(0, at), [name, value], ...others.slice(at)] };
}

type Change = readonly [name: string, value: JsonValue | undefined];

function withMembers(object: JsonObject, order: readonly string[], changes: readonly Change[]): JsonObject {
  return changes.reduce((changed, [name, value]) => withMember(changed, order, name, value), object);
}

/** Reads what was stored; undefined when it is no configuration. */
export function readStoredJson(text: string): JsonObject | undefined {
  const value = parseJson(text);
  return isObject(value) ? value : undefined;
}

/** A card with what libxl made up. XEN: `libxl__device_nic_setdefault`, `libxl__update_config_nic`. */
function completeCard(card: JsonObject, type: JsonValue | undefined, isLate: boolean, made: MadeUpCard): JsonObject {
  const byDefault = type === 'hvm' && !isLate ? 'vif_ioemu' : 'vif';
  const kind = type === 'hvm' ? (memberOf(card, 'nictype') ?? byDefault) : 'vif';
  return withMembers(card, NIC, [
    ['devid', made.devid],
    ['mac', made.mac],
    ['nictype', kind],
  ]);
}

/** The configuration that is stored once a guest is built; a text that is no configuration stays as it is. */
export function storedAtBuild(text: string, { uuid, videoKib, cards, isRestored }: Decided): string {
  const config = readStoredJson(text);
  if (config === undefined) return text;
  const type = memberOf(objectIn(config, 'c_info'), 'type');
  const build = objectIn(config, 'b_info');
  const x86 = objectIn(build, 'arch_x86');
  const nics = listIn(config, 'nics').map((card, index) => {
    const made = cards[index];
    return made === undefined ? card : completeCard(card, type, false, made);
  });
  // XEN: `unset_disk_colo_restore`, of each disk that is there from the start.
  const disks = listIn(config, 'disks').map((disk) => withMember(disk, DISK, 'colo_restore_enable', 'False'));
  // XEN: `libxl_domain_create_restore`: a guest that has run may have seen more than one that is new may see.
  const relaxed = isRestored ? 'True' : 'False';
  const changed = withMembers(config, DOMAIN_CONFIG, [
    ['c_info', withMember(objectIn(config, 'c_info'), C_INFO, 'uuid', uuid)],
    [
      'b_info',
      withMembers(build, B_INFO, [
        ['video_memkb', videoKib ?? memberOf(build, 'video_memkb') ?? 0],
        ['arch_x86', withMember(x86, ['msr_relaxed'], 'msr_relaxed', memberOf(x86, 'msr_relaxed') ?? relaxed)],
      ]),
    ],
    ['disks', disks.length === 0 ? undefined : disks],
    ['nics', nics.length === 0 ? undefined : nics],
  ]);
  return compactJson(changed);
}

/** What tells two devices of a kind apart. */
function keyOf(list: DeviceList, device: JsonObject): string | number {
  const number = (name: string): number => Number(memberOf(device, name) ?? 0);
  switch (list) {
    case 'disks':
      return String(memberOf(device, 'vdev') ?? '');
    case 'nics':
      return Number(memberOf(device, 'devid') ?? -1);
    case 'pcidevs':
      return ((number('domain') << 16) | (number('bus') << 8) | (number('dev') << 3) | number('func')) >>> 0;
  }
}

/** The stored configuration with one more device, which takes the place of one that has its name. */
export function storedWithDevice(
  text: string,
  list: DeviceList,
  device: JsonObject,
  made: MadeUpCard | undefined,
): string {
  const config = readStoredJson(text);
  if (config === undefined) return text;
  const type = memberOf(objectIn(config, 'c_info'), 'type');
  const added = made === undefined ? device : completeCard(device, type, true, made);
  const devices = listIn(config, list);
  const key = keyOf(list, added);
  const at = devices.findLastIndex((one) => keyOf(list, one) === key);
  const all = at === -1 ? [...devices, added] : devices.with(at, added);
  return compactJson(withMember(config, DOMAIN_CONFIG, list, all));
}

/** XEN: `LIBXL_MEMKB_DEFAULT`, a `uint64_t` that says that nothing was given. */
const NOT_GIVEN = 2n ** 64n - 1n;

/** Of an HVM guest that may grow, so much is no part of its target. XEN: `LIBXL_MAXMEM_CONSTANT`. */
const GROWING_KIB = 1024;

/** The same of a stored text. */
export function growingKibOf(text: string): number {
  const config = readStoredJson(text);
  return config === undefined ? 0 : growingKib(config);
}

/** XEN: `libxl__get_targetmem_fudge`, but for the memory of the display card. */
function growingKib(config: JsonObject): number {
  const build = objectIn(config, 'b_info');
  const kib = (name: string): bigint => {
    const value = memberOf(build, name);
    return typeof value === 'bigint' || Number.isSafeInteger(value) ? BigInt(String(value)) : NOT_GIVEN;
  };
  const isHvm = memberOf(objectIn(config, 'c_info'), 'type') === 'hvm';
  return isHvm && kib('max_memkb') > kib('target_memkb') ? GROWING_KIB : 0;
}

/** XEN: a domain that libxl did not make says nothing of a display card, which libxl counts as the largest number: as -1. */
function withoutDisplay(build: JsonObject): number {
  return memberOf(build, 'video_memkb') === undefined ? -1 : 0;
}

/** No guest has more. XEN: `MAX_VIRT_CPUS`. */
const MOST_VCPUS = 8192;

/** The devices of a list that xenstore still has. */
function devicesLeft(
  config: JsonObject,
  list: DeviceList,
  { hasDevice }: LiveState,
): { readonly left: readonly JsonObject[]; readonly gone: number } {
  const devices = listIn(config, list);
  const left = devices.filter((device) => hasDevice(list, keyOf(list, device)));
  return { left, gone: devices.length - left.length };
}

/** The configuration as it stands, and how many of the devices that were stored xenstore has no more. */
export function liveConfiguration(
  config: JsonObject,
  live: LiveState,
): { readonly config: JsonObject; readonly gone: number } {
  const build = objectIn(config, 'b_info');
  const maxVcpus = Number(memberOf(build, 'max_vcpus') ?? 0);
  const online = Array.from({ length: Math.min(maxVcpus, live.onlineVcpus, MOST_VCPUS) }, (_, vcpu) => vcpu);
  const lists = (['disks', 'nics', 'pcidevs'] as const).map((list) => ({ list, ...devicesLeft(config, list, live) }));
  const changed = withMembers(config, DOMAIN_CONFIG, [
    [
      'c_info',
      withMembers(objectIn(config, 'c_info'), C_INFO, [
        ['name', live.name],
        ['uuid', isNil(live.uuid) ? undefined : live.uuid],
      ]),
    ],
    [
      'b_info',
      withMembers(build, B_INFO, [
        ['avail_vcpus', online.length === 0 ? undefined : online],
        ['max_memkb', live.maxKib],
        ['target_memkb', live.targetKib + growingKib(config) + withoutDisplay(build)],
        ['sched_params', schedulerJson(live.scheduler)],
      ]),
    ],
    ...lists.map(({ list, left }): Change => [list, left.length === 0 ? undefined : left]),
  ]);
  return { config: changed, gone: lists.reduce((sum, { gone }) => sum + gone, 0) };
}

/** A UUID of zeros is not printed. */
function isNil(uuid: string): boolean {
  return /^[0-]*$/.test(uuid);
}

function schedulerJson({ weight, cap }: LiveState['scheduler']): JsonObject {
  const members: Change[] = [
    ['sched', 'credit2'],
    ['weight', weight],
    ['cap', cap],
  ];
  return { members: members.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])) };
}

/**
 * What libxl keeps of a domain that it did not make: its kind. XEN: `gen_stub_json_config` of `tools/helpers`, for dom0 and
 * for a xenstore domain.
 */
export function bareConfiguration(type: 'pv' | 'pvh'): JsonObject {
  return {
    members: [
      ['c_info', { members: [['type', type]] }],
      [
        'b_info',
        {
          members: [
            ['sched_params', NONE],
            [`type.${type}`, NONE],
            ['arch_arm', NONE],
            ['arch_x86', NONE],
          ],
        },
      ],
    ],
  };
}

/** The longest text of a stored configuration. */
export const STORED_LIMIT: number = 2 ** 20;

/** Where the configuration has the vCPUs of a guest run. */
export interface Placement {
  /** libxl looks for NUMA nodes with room for it. */
  readonly isAutomatic: boolean;
  /** Physical CPUs for each vCPU, those on which it may run and those on which it had better run. */
  readonly hard: readonly (readonly number[])[];
  readonly soft: readonly (readonly number[])[];
}

/** What a configuration says of it. */
export function placementOf(text: string): Placement {
  const build = objectIn(readStoredJson(text) ?? NONE, 'b_info');
  const maps = (name: string): readonly (readonly number[])[] => {
    const value = memberOf(build, name);
    if (!Array.isArray(value)) return [];
    return value.map((cpus) => (Array.isArray(cpus) ? cpus.map(Number) : []));
  };
  return {
    isAutomatic: memberOf(build, 'numa_placement') !== 'False',
    hard: maps('vcpu_hard_affinity'),
    soft: maps('vcpu_soft_affinity'),
  };
}

/** A UUID of no domain, where only its length counts. */
const SOME_UUID = '00000000-0000-0000-0000-000000000000';

/**
 * How many bytes a configuration takes in the head of a save file, as xl tells it: its length, its text with a NUL. XEN:
 * `save_domain_core_writeconfig`, which leaves the number of the domain out.
 */
export function savedLength(text: string): number {
  const config = readStoredJson(text);
  if (config === undefined) return 0;
  const info = withMember(objectIn(config, 'c_info'), C_INFO, 'domid', undefined);
  const uuid = memberOf(info, 'uuid') ?? SOME_UUID;
  const whole = withMember(config, DOMAIN_CONFIG, 'c_info', withMember(info, C_INFO, 'uuid', uuid));
  return 4 + printJson(whole).length + 1;
}
