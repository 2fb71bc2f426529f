/**
 * A guest's configuration as libxl stores it: labels as text, never as SIDs, which mean nothing after a reboot of Xen.
 *
 * Follows Xen `tools/libs/light/libxl_domain.c`, `libxl__set_domain_configuration`.
 *
 * @module
 */
import type { Origin } from '@dewar/policy/text';
import {
  configToCreate,
  type DomainConfig,
  SHUTDOWN_ACTIONS,
  type ShutdownAction,
  type ShutdownActions,
} from '../xl-cfg/index.ts';
import { compactJson } from '../xl-cfg/json.ts';
import { type GuestHardware, hardwareOf, NO_HARDWARE, readHardware } from './guest-devices.ts';
import { STORED_LIMIT } from './stored-json.ts';

/** A label, and where the user wrote it; what was stored no longer knows. */
export interface GuestLabel {
  readonly text: string;
  readonly origin: Origin | undefined;
}

/** The labels of a guest and of its stub domain. */
interface GuestLabels {
  readonly build: GuestLabel | undefined;
  readonly run: GuestLabel | undefined;
  readonly deviceModel: GuestLabel | undefined;
}

/** All that building a guest needs to know. */
export interface GuestConfig {
  readonly name: string;
  readonly type: 'pv' | 'pvh' | 'hvm';
  readonly uuid: string | undefined;
  readonly labels: GuestLabels;
  readonly memoryKib: number;
  readonly maxMemoryKib: number;
  /** vCPUs online at the start, and the most. */
  readonly vcpus: number;
  readonly maxVcpus: number;
  readonly claimsMemory: boolean;
  /** What differs from the scheduler's own defaults. */
  readonly scheduler: { readonly weight?: number; readonly cap?: number };
  readonly actions: ShutdownActions;
  readonly hardware: GuestHardware;
  readonly boot: BootFiles;
  /** The CPU pool, by its name or number. */
  readonly pool?: string;
  /** All of it, as libxl has it: JSON, see `stored-json.ts`. */
  readonly json: string;
}

/** What the guest starts from, where the configuration says so. */
interface BootFiles {
  readonly kernel?: string;
  readonly ramdisk?: string;
  readonly cmdline?: string;
}

/** The longest text of a stored configuration. */
const TEXT_LIMIT = 4096;

/** Memory that libxl gives when the configuration names none. XEN: `LIBXL_MEMKB_DEFAULT`, 32 MiB. */
const DEFAULT_MEMORY_KIB = 32 * 1024;

/** `cpu_weight` and `cap`. */
function schedulerOf({ rest }: DomainConfig): GuestConfig['scheduler'] {
  const numberAt = (key: string): number | undefined => {
    const value = rest.get(key);
    return value?.kind === 'number' ? Number(value.value) : undefined;
  };
  const weight = numberAt('cpu_weight');
  const cap = numberAt('cap');
  return { ...(weight === undefined ? {} : { weight }), ...(cap === undefined ? {} : { cap }) };
}

/** These are only shown; more of one than a stored configuration may hold is not. */
function bootFilesOf({ kernel, ramdisk, cmdline }: Partial<Record<keyof BootFiles, unknown>>): BootFiles {
  const shown = (value: unknown): string | undefined =>
    typeof value === 'string' && value !== '' ? value.slice(0, TEXT_LIMIT) : undefined;
  const [one, two, three] = [shown(kernel), shown(ramdisk), shown(cmdline)];
  return {
    ...(one === undefined ? {} : { kernel: one }),
    ...(two === undefined ? {} : { ramdisk: two }),
    ...(three === undefined ? {} : { cmdline: three }),
  };
}

/** What libxl takes from the configuration of xl. */
export function guestConfigOf(config: DomainConfig): GuestConfig {
  const vcpus = config.vcpus ?? 1;
  const memoryKib = config.memoryKib ?? DEFAULT_MEMORY_KIB;
  const { build, run, deviceModel } = config.labels;
  const label = (one: typeof build): GuestLabel | undefined =>
    one === undefined ? undefined : { text: one.text, origin: one.origin };
  return {
    name: config.name,
    type: config.guest,
    uuid: config.uuid,
    labels: { build: label(build), run: label(run), deviceModel: label(deviceModel) },
    memoryKib,
    maxMemoryKib: Math.max(config.maxMemoryKib ?? memoryKib, memoryKib),
    vcpus,
    maxVcpus: config.maxVcpus > 0 ? config.maxVcpus : vcpus,
    claimsMemory: config.claimsMemory,
    scheduler: schedulerOf(config),
    actions: config.actions,
    hardware: hardwareOf(config),
    boot: bootFilesOf(config),
    ...(config.pool === undefined ? {} : { pool: config.pool }),
    json: compactJson(configToCreate(config)),
  };
}

/** What libxl keeps: labels without the place where the user wrote them. */
export function withoutOrigins(config: GuestConfig): GuestConfig {
  const plain = (label: GuestLabel | undefined): GuestLabel | undefined =>
    label === undefined ? undefined : { text: label.text, origin: undefined };
  const { build, run, deviceModel } = config.labels;
  return { ...config, labels: { build: plain(build), run: plain(run), deviceModel: plain(deviceModel) } };
}

/** A stored configuration as plain JSON. */
export type StoredConfig = Readonly<Record<string, unknown>>;

/** Writes a configuration down. */
export function storeConfig(config: GuestConfig): StoredConfig {
  const { labels, actions, scheduler, ...rest } = config;
  return {
    ...rest,
    scheduler: { ...scheduler },
    actions: { ...actions },
    buildLabel: labels.build?.text,
    runLabel: labels.run?.text,
    deviceModelLabel: labels.deviceModel?.text,
  };
}

const KIB_LIMIT = 2 ** 44;
const VCPU_LIMIT = 8192;

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_LIMIT;
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || isText(value);
}

function isCount(value: unknown, limit: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= limit;
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function readActions(value: unknown): ShutdownActions | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // An object that is not null has string keys.
  const fields = value as Readonly<Record<string, unknown>>;
  const action = (name: string): ShutdownAction | undefined => SHUTDOWN_ACTIONS.find((one) => one === fields[name]);
  const [poweroff, reboot, watchdog, crash, softReset] = [
    action('poweroff'),
    action('reboot'),
    action('watchdog'),
    action('crash'),
    action('softReset'),
  ];
  if (poweroff === undefined || reboot === undefined || watchdog === undefined) return undefined;
  if (crash === undefined || softReset === undefined) return undefined;
  return { poweroff, reboot, watchdog, crash, softReset };
}

function readScheduler(value: unknown): GuestConfig['scheduler'] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // As above.
  const { weight, cap } = value as Readonly<Record<string, unknown>>;
  if ((weight !== undefined && !isCount(weight, 65_535)) || (cap !== undefined && !isCount(cap, 65_535)))
    return undefined;
  return { ...(weight === undefined ? {} : { weight }), ...(cap === undefined ? {} : { cap }) };
}

/** Reads what was stored; undefined when it is no configuration. */
export function readStoredConfig(value: unknown): GuestConfig | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // As above.
  const fields = value as Readonly<Record<string, unknown>>;
  const { name, type, uuid, buildLabel, runLabel, memoryKib, maxMemoryKib, vcpus, maxVcpus, claimsMemory } = fields;
  const { json, pool } = fields;
  if (!isOptionalText(pool)) return undefined;
  if (typeof json !== 'string' || json.length > STORED_LIMIT) return undefined;
  const actions = readActions(fields['actions']);
  const scheduler = readScheduler(fields['scheduler']);
  // What an older version of Dewar saved has no devices.
  const hardware = fields['hardware'] === undefined ? NO_HARDWARE : readHardware(fields['hardware']);
  const deviceModelLabel = fields['deviceModelLabel'];
  if (scheduler === undefined || hardware === undefined || !isOptionalText(deviceModelLabel)) return undefined;
  if (type === 'hvm' && hardware.deviceModel === undefined) return undefined;
  if (!isText(name) || (type !== 'pv' && type !== 'pvh' && type !== 'hvm') || typeof claimsMemory !== 'boolean')
    return undefined;
  if (!isOptionalText(uuid) || !isOptionalText(buildLabel) || !isOptionalText(runLabel)) return undefined;
  if (!isCount(memoryKib, KIB_LIMIT) || !isCount(maxMemoryKib, KIB_LIMIT)) return undefined;
  if (!isCount(vcpus, VCPU_LIMIT) || !isCount(maxVcpus, VCPU_LIMIT) || actions === undefined) return undefined;
  const label = (text: string | undefined): GuestLabel | undefined =>
    text === undefined ? undefined : { text, origin: undefined };
  return {
    name,
    type,
    uuid,
    labels: { build: label(buildLabel), run: label(runLabel), deviceModel: label(deviceModelLabel) },
    memoryKib,
    maxMemoryKib,
    vcpus,
    maxVcpus,
    claimsMemory,
    scheduler,
    actions,
    hardware,
    // Files of older versions of Dewar have none.
    boot: bootFilesOf(isFields(fields['boot']) ? fields['boot'] : {}),
    ...(pool === undefined ? {} : { pool }),
    json,
  };
}
