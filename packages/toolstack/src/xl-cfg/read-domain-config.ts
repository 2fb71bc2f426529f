/**
 * From settings to a guest's configuration, step by step as xl reads it.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`; the order of the steps is that of the warnings xl prints.
 * Start reading at `readDomainConfig`.
 *
 * @module
 */
import type { Diagnostic } from '@dewar/policy/text';
import { hasErrors } from '@dewar/policy/text';
import { readNamedParts } from './devices/named-parts.ts';
import { cfg as report } from './diagnostics.ts';
import type { DomainConfig, KeyValue, Labels } from './domain-config.ts';
import type { JsonValue } from './json.ts';
import { adviseKeys } from './key-advice.ts';
import { adviseLabels, readDeviceModelLabel, readGuestLabels } from './labels.ts';
import { flagJson, flagMember, memoryMember, textMember, uint32Member } from './members.ts';
import { checkAffinity, readAffinity } from './read-affinity.ts';
import { readCpuid } from './read-cpuid.ts';
import { readDeviceModel, readDeviceModelDetails, readDevices, readDisplay, readPci } from './read-devices.ts';
import { readHvmDevices, readHvmPlatform } from './read-hvm.ts';
import { readGuestType, readNameAndUuid, readPvShim } from './read-identity.ts';
import {
  readActions,
  readAltp2m,
  readArm,
  readBootloaderArgs,
  readCmdline,
  readGrantLimits,
  readPassthrough,
  readScheduling,
  readSize,
  readTimerMode,
  readTscMode,
} from './read-machine.ts';
import type { XlCfg } from './settings.ts';
import { showBytes } from './show-text.ts';
import { XL_DEFAULTS, type XlDefaults } from './xl-defaults.ts';
import { type XlEnd, XlReader } from './xl-reader.ts';

/**
 * What xl does with the file.
 *
 * `made`: it has a configuration and goes on to create the guest; warnings stand in `stderr`.
 * `exits`, `dies`: it ends, with this status or by this signal.
 */
export type XlOutcome = ({ readonly kind: 'made'; readonly config: DomainConfig } | XlEnd) & {
  readonly stderr: string;
};

/** What a file says about a guest. */
export interface DomainConfigReading {
  /** The guest, when there is no error. xl may go on where we have an error: see `xl`. */
  readonly config: DomainConfig | undefined;
  /** The labels that the file gives, even when there is no guest for another reason. */
  readonly labels: Labels;
  /** Those of the parser and our own, in the order of the file. */
  readonly diagnostics: readonly Diagnostic[];
  readonly xl: XlOutcome;
}

/** Reads a guest's configuration out of the settings of a file. */
export function readDomainConfig(cfg: XlCfg, defaults: XlDefaults = XL_DEFAULTS): DomainConfigReading {
  if (cfg.outcome !== 'parsed') {
    // What stands before the fault is wrong or right whatever the rest says.
    const diagnostics = inFileOrder(cfg, [...cfg.diagnostics, ...adviseKeys(cfg, undefined)]);
    return { config: undefined, labels: NO_LABELS, diagnostics, xl: unparsed(cfg) };
  }
  const reader = new XlReader(cfg);
  const config = read(reader, defaults);
  const diagnostics = inFileOrder(cfg, [
    ...cfg.diagnostics,
    ...reader.diagnostics,
    ...adviseLabels(reader, config.labels, config.guest === 'hvm' && config.hasStubdomain === true),
    ...adviseKeys(cfg, config.guest),
  ]);
  const { end, stderr } = reader;
  const xl: XlOutcome = end === undefined ? { kind: 'made', config, stderr } : { ...end, stderr };
  return {
    config: end === undefined && !hasErrors(diagnostics) ? config : undefined,
    labels: config.labels,
    diagnostics,
    xl,
  };
}

const NO_LABELS: Labels = { build: undefined, run: undefined, deviceModel: undefined };

function unparsed(cfg: XlCfg): XlOutcome {
  if (cfg.outcome === 'aborted') return { kind: 'dies', signal: 'SIGABRT', stderr: cfg.libxlReport };
  return { kind: 'exits', code: 1, stderr: `${cfg.libxlReport}Failed to parse config: Invalid argument\n` };
}

/** By place: first the file, then the command line, then what has no place. */
function inFileOrder(cfg: XlCfg, diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const rank = ({ origin }: Diagnostic): number =>
    origin === undefined ? 2 : origin.span.source === cfg.source ? 0 : 1;
  const start = ({ origin }: Diagnostic): number => origin?.span.start ?? 0;
  return [...diagnostics].sort((a, b) => rank(a) - rank(b) || start(a) - start(b));
}

function read(reader: XlReader, defaults: XlDefaults): DomainConfig {
  const guestLabels = readGuestLabels(reader);
  reader.assign('c_info.run_hotplug_scripts', flagJson(defaults.runHotplugScripts));
  const guest = readGuestType(reader, defaults.guest);
  const isPv = guest === 'pv';
  const isHvm = guest === 'hvm';
  const identity = readNameAndUuid(reader);
  if (guest === 'pvh') readPvShim(reader);
  reader.assign('b_info.blkdev_start', defaults.firstBlockDevice);
  readScheduling(reader);
  const size = readSize(reader, defaults);
  readAffinity(reader, size.maxVcpus, defaults);
  readGrantLimits(reader, defaults);
  reader.assign('b_info.claim_mode', flagJson(defaults.claimMode));
  const actions = readActions(reader);
  if (isPv) flagMember(reader, 'e820_host', 'b_info.type.pv.e820_host');
  const passed = readPci(reader, guest);
  readPassthrough(reader);
  memoryMember(reader, 'shadow_memory', 'b_info.shadow_memkb');
  const refusesMigration = reader.flag('nomigrate');
  readTscMode(reader);
  readClocks(reader);
  uint32Member(reader, 'max_event_channels', 'b_info.event_channels');
  const given = readBoot(reader);
  const isDriverDomain = reader.flag('driver_domain');
  flagMember(reader, 'acpi', 'b_info.acpi');
  const bootloader = textMember(reader, 'bootloader', 'b_info.bootloader');
  readBootloaderArgs(reader);
  readTimerMode(reader, isPv);
  flagMember(reader, 'nestedhvm', 'b_info.nested_hvm');
  const kernel = isHvm
    ? readHvmPlatform(reader, given.kernel)
    : readLoadedKernel(reader, given.kernel, bootloader, defaults.firmwareFolder);
  readAltp2m(reader);
  const devices = readDevices(reader);
  readCpuid(reader);
  const hasStubdomain = readDeviceModel(reader, isHvm);
  const labels: Labels = { ...guestLabels, deviceModel: readDeviceModelLabel(reader) };
  readDeviceModelDetails(reader);
  readDisplay(reader, isPv, devices.frameBuffers.length);
  flagMember(reader, 'dm_restrict', 'b_info.dm_restrict');
  if (isHvm) readHvmDevices(reader);
  readArm(reader);
  // XEN: every frame buffer has a keyboard, and they come first.
  const firstKeyboard = devices.frameBuffers.length + (reader.members.has('vfbs') ? 1 : 0);
  const keyboards = readNamedParts(reader, 'vkbs', firstKeyboard);
  flagMember(reader, 'xend_suspend_evtchn_compat', 'c_info.xend_suspend_evtchn_compat');
  readRelaxedMsrs(reader);
  flagMember(reader, 'vpmu', 'b_info.vpmu');
  checkAffinity(reader);

  return {
    source: reader.cfg.source,
    name: identity.name,
    guest,
    uuid: identity.uuid,
    labels,
    ...size,
    kernel,
    ramdisk: given.ramdisk,
    cmdline: given.cmdline,
    ...passed,
    ...devices,
    keyboards,
    actions,
    pool: identity.pool,
    refusesMigration,
    isDriverDomain,
    claimsMemory: defaults.claimMode,
    hasStubdomain,
    rest: restOf(reader.values),
    members: new Map<string, JsonValue>(reader.members),
  };
}

/** Keys that have a field of their own in `DomainConfig`. */
const CARRIED: ReadonlySet<string> = new Set([
  ...['name', 'type', 'builder', 'uuid', 'seclabel', 'init_seclabel', 'device_model_stubdomain_seclabel'],
  ...['memory', 'maxmem', 'vcpus', 'maxvcpus', 'kernel', 'ramdisk', 'cmdline', 'root', 'extra', 'disk', 'vif', 'pci'],
  ...['dtdev', 'vfb', 'ioports', 'irqs', 'iomem', 'vkb', 'vtpm', 'p9', 'pvcalls', 'channel', 'usbctrl', 'usbdev'],
  ...['vdispl', 'vsnd', 'vnuma', 'cpuid'],
  ...['on_poweroff', 'on_reboot', 'on_watchdog', 'on_crash', 'on_soft_reset', 'pool', 'nomigrate', 'driver_domain'],
  'device_model_stubdomain_override',
]);

function restOf(values: ReadonlyMap<string, KeyValue>): ReadonlyMap<string, KeyValue> {
  return new Map(Array.from(values).filter(([key]) => !CARRIED.has(key)));
}

function readClocks(reader: XlReader): void {
  uint32Member(reader, 'rtc_timeoffset', 'b_info.rtc_timeoffset');
  if (reader.long('vncviewer') !== undefined) {
    reader.say(
      'WARNING: ignoring "vncviewer" option. Use "-V" option of "xl create" to automatically spawn vncviewer.',
    );
    const how = 'ignored: use the option `-V` of `xl create`';
    reader.diagnostics.push(report.deprecated(reader.origin('vncviewer'), { key: 'vncviewer', how }));
  }
  flagMember(reader, 'localtime', 'b_info.localtime');
  memoryMember(reader, 'videoram', 'b_info.video_memkb');
}

interface BootGiven {
  readonly kernel: string | undefined;
  readonly ramdisk: string | undefined;
  readonly cmdline: string | undefined;
}

function readBoot(reader: XlReader): BootGiven {
  const kernel = reader.text('kernel');
  const ramdisk = reader.text('ramdisk');
  textMember(reader, 'device_tree', 'b_info.device_tree');
  return { kernel, ramdisk, cmdline: readCmdline(reader) };
}

/** What a PV or PVH guest boots: the kernel, or the firmware that is one. */
function readLoadedKernel(
  reader: XlReader,
  kernel: string | undefined,
  bootloader: string | undefined,
  folder: string,
): string | undefined {
  const firmware = reader.text('firmware');
  if (firmware !== undefined) {
    if (kernel !== undefined) {
      reader.exit(1, 'ERROR: both kernel and firmware specified');
      const what = '`kernel` and `firmware` are both given';
      reader.diagnostics.push(report.contradiction(reader.origin('firmware'), { what }));
    } else if (!'pvgrub32'.startsWith(firmware) && !'pvgrub64'.startsWith(firmware)) {
      reader.exit(1, 'ERROR: only pvgrub{32|64} supported as firmware options');
      const notes = [{ message: 'values are `pvgrub32`, `pvgrub64`' }];
      const args = { key: 'firmware', value: showBytes(firmware) };
      reader.diagnostics.push(report['bad-choice'](reader.origin('firmware'), args, { notes }));
    }
    return `${folder}/${firmware}.bin`;
  }
  if (kernel === undefined && bootloader === undefined) {
    reader.exit(1, 'Neither kernel nor bootloader specified');
    const what = 'the guest has nothing to boot: neither `kernel` nor `bootloader` nor `firmware` is given';
    reader.diagnostics.push(report.required(reader.origin('name'), { what }));
  }
  return kernel;
}

function readRelaxedMsrs(reader: XlReader): void {
  const key = 'msr_relaxed';
  if (flagMember(reader, key, 'b_info.arch_x86.msr_relaxed') === undefined) return;
  reader.say('WARNING: msr_relaxed will be removed in future versions.');
  reader.say('If it fixes an issue you are having please report to xen-devel@lists.xenproject.org.');
  reader.diagnostics.push(report.deprecated(reader.origin(key), { key, how: 'going to be removed from Xen' }));
}
