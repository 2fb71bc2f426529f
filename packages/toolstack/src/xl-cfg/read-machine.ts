/**
 * Reads the machine that every guest gets: scheduling, memory, processors, what to do when it stops, what to boot.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`, in its order.
 *
 * @module
 */
import { cfg as report } from './diagnostics.ts';
import { SHUTDOWN_ACTIONS, type ShutdownAction, type ShutdownActions } from './domain-config.ts';
import {
  assignChoice,
  assignNumber,
  badChoice,
  type Choices,
  choiceMember,
  intMember,
  invalidValue,
  kibibytes,
} from './members.ts';
import { readVnuma } from './read-vnuma.ts';
import type { XlDefaults } from './xl-defaults.ts';
import { valueOrigin, type XlReader } from './xl-reader.ts';

/** Reads the parameters of the scheduler. */
export function readScheduling(reader: XlReader): void {
  const path = 'b_info.sched_params.';
  intMember(reader, 'cpu_weight', `${path}weight`, -1);
  for (const key of ['cap', 'period', 'slice', 'latency', 'extratime']) intMember(reader, key, path + key, -1);
}

/** 4 PiB in MiB: the physical addresses of a PC have 52 bits. */
const MOST_MEBIBYTES = 2n ** 32n;

const MOST_VCPUS = 8192n;

function readMemory(reader: XlReader, key: string): number | undefined {
  const value = reader.long(key);
  if (value === undefined) return undefined;
  if (value < 1n || value > MOST_MEBIBYTES) reader.outOfRange(key, ['it is a number of MiB', 'xl says nothing here']);
  const kib = kibibytes(value);
  reader.assign(key === 'memory' ? 'b_info.target_memkb' : 'b_info.max_memkb', kib);
  return Number(kib);
}

/** What `readSize` finds. */
export interface MachineSize {
  readonly memoryKib: number | undefined;
  readonly maxMemoryKib: number | undefined;
  readonly vcpus: number | undefined;
  readonly maxVcpus: number;
}

const NO_VCPU_MAP = [
  'libxl: error: libxl_utils.c:809:libxl_cpu_bitmap_alloc: invalid number of cpus provided',
  'Unable to allocate cpumap',
].join('\n');

/** Reads `memory`, `maxmem`, `vcpus`, `maxvcpus`, `vuart` and `vnuma`. */
export function readSize(reader: XlReader, defaults: XlDefaults): MachineSize {
  const memoryKib = readMemory(reader, 'memory');
  const maxmem = readMemory(reader, 'maxmem');
  const vcpus = reader.long('vcpus');
  if (vcpus !== undefined) {
    if (BigInt.asIntN(32, vcpus) < 0n) reader.exit(1, NO_VCPU_MAP);
    if (vcpus < 1n || vcpus > MOST_VCPUS)
      reader.outOfRange('vcpus', [`a guest has from 1 to ${MOST_VCPUS} virtual CPUs`]);
  }
  const most = reader.long('maxvcpus');
  if (most !== undefined && (most < 1n || most > MOST_VCPUS)) {
    reader.outOfRange('maxvcpus', [`a guest has from 1 to ${MOST_VCPUS} virtual CPUs`, 'xl says nothing here']);
  }
  choiceMember(reader, 'vuart', 'b_info.arch_arm.vuart', VUARTS, invalidValue('vuart'));
  const vnuma = readVnuma(reader, {
    maxVcpus: BigInt.asIntN(32, most ?? 0n),
    maxMemoryKib: maxmem === undefined ? undefined : kibibytes(reader.long('maxmem') ?? 0n),
    hostCpus: defaults.hostCpus,
    hostNodes: defaults.hostNodes,
  });
  if (vnuma !== undefined) reader.assign('b_info.max_memkb', vnuma.maxMemoryKib);
  else if (maxmem === undefined) reader.assign('b_info.max_memkb', reader.members.get('b_info.target_memkb'));
  const given = vnuma?.maxVcpus ?? BigInt.asIntN(32, most ?? 0n);
  const maxVcpus = given === 0n ? BigInt.asIntN(32, vcpus ?? 0n) : given;
  // XEN: max_vcpus is an int, and vcpus a long.
  if (maxVcpus < (vcpus ?? 0n)) {
    reader.exit(1, 'xl: maxvcpus < vcpus');
    const what = `\`maxvcpus\` is less than \`vcpus\`, which is ${vcpus}`;
    if (most !== undefined) reader.diagnostics.push(report.contradiction(reader.origin('maxvcpus'), { what }));
  }
  return {
    memoryKib,
    maxMemoryKib: vnuma === undefined ? (maxmem ?? memoryKib) : Number(vnuma.maxMemoryKib),
    vcpus: vcpus === undefined ? undefined : Number(vcpus),
    maxVcpus: Number(maxVcpus),
  };
}

const VUARTS: Choices = [
  ['unknown', ''],
  ['sbsa_uart', 'sbsa_uart'],
];

const UNLIMITED = 2n ** 32n - 1n;

/** Reads the limits of the grant table. */
export function readGrantLimits(reader: XlReader, defaults: XlDefaults): void {
  const limits = [
    ['max_grant_frames', defaults.maxGrantFrames],
    ['max_maptrack_frames', defaults.maxMaptrackFrames],
    ['max_grant_version', defaults.maxGrantVersion],
  ] as const;
  for (const [key, byDefault] of limits) {
    const value = reader.bounded(key) ?? (byDefault === undefined ? UNLIMITED : BigInt(byDefault));
    assignNumber(reader, `b_info.${key}`, value, UNLIMITED);
  }
}

/** Reads what to do for each reason that a guest stops. */
export function readActions(reader: XlReader): ShutdownActions {
  return {
    poweroff: readAction(reader, 'on_poweroff', 'destroy'),
    reboot: readAction(reader, 'on_reboot', 'restart'),
    watchdog: readAction(reader, 'on_watchdog', 'destroy'),
    crash: readAction(reader, 'on_crash', 'destroy'),
    softReset: readAction(reader, 'on_soft_reset', 'soft-reset'),
  };
}

function readAction(reader: XlReader, key: string, byDefault: ShutdownAction): ShutdownAction {
  const text = reader.text(key);
  if (text === undefined) return byDefault;
  const action = SHUTDOWN_ACTIONS.find((word) => word === text);
  if (action !== undefined) return action;
  reader.exit(1, `Unknown ${key} action "${text}" specified`);
  badChoice(reader, key, SHUTDOWN_ACTIONS);
  return byDefault;
}

const TSC_MODES: Choices = [
  ['default', ''],
  ['always_emulate', 'always_emulate'],
  ['native', 'native'],
  ['native_paravirt', 'native_paravirt'],
];

const TIMER_MODES: Choices = [
  ['delay_for_missed_ticks', 'delay_for_missed_ticks'],
  ['no_delay_for_missed_ticks', 'no_delay_for_missed_ticks'],
  ['no_missed_ticks_pending', 'no_missed_ticks_pending'],
  ['one_missed_tick_pending', 'one_missed_tick_pending'],
  ['unknown', ''],
];

/** Both enumerations count from 0 to 3; what a table has after that is no number for xl. */
const MODE_COUNT = 4;

/** The word of a mode by its number; libxl takes the number as a C `int`. */
function modeWord(modes: Choices, value: bigint): string | undefined {
  const index = Number(BigInt.asIntN(32, value));
  if (index === -1 && modes === TIMER_MODES) return 'unknown';
  return index < MODE_COUNT ? modes[index]?.[0] : undefined;
}

/** A mode given as a number, which xl takes but calls deprecated. */
function readModeNumber(reader: XlReader, key: string, modes: Choices, value: bigint): void {
  const word = modeWord(modes, value);
  const example = word === undefined ? '' : `e.g. ${key}="${word}"`;
  reader.say(
    `WARNING: specifying "${key}" as an integer is deprecated. Please use the named parameter variant. ${example}`,
  );
  if (value < 0n || value >= MODE_COUNT) {
    reader.exit(1, `ERROR: invalid value ${value} for "${key}"`);
    badChoice(
      reader,
      key,
      modes.map(([mode]) => mode),
    );
    return;
  }
  const setting = reader.setting(key);
  if (setting !== undefined && word !== undefined) {
    const fixes = [{ title: `write '${word}'`, edits: [{ span: setting.value.span, newText: `'${word}'` }] }];
    reader.diagnostics.push(report.deprecated(valueOrigin(setting), { key, how: 'deprecated as a number' }, { fixes }));
  }
  assignChoice(reader, `b_info.${key}`, modes[Number(value)]?.[1] ?? '');
}

export function readTscMode(reader: XlReader): void {
  const number = reader.long('tsc_mode', 'tries');
  if (number !== undefined) {
    readModeNumber(reader, 'tsc_mode', TSC_MODES, number);
    return;
  }
  const text = reader.text('tsc_mode');
  if (text === undefined) return;
  reader.say(`got a tsc mode string: "${text}"`);
  choiceMember(reader, 'tsc_mode', 'b_info.tsc_mode', TSC_MODES, invalidValue('tsc_mode'), 'tries');
}

export function readTimerMode(reader: XlReader, isPv: boolean): void {
  const key = 'timer_mode';
  const number = reader.long(key, 'tries');
  const text = number === undefined ? reader.text(key) : undefined;
  if (number === undefined && text === undefined) return;
  if (isPv) {
    reader.exit(3, 'ERROR: "timer_mode" option is not supported for PV guests.');
    reader.diagnostics.push(
      report.contradiction(reader.origin(key), { what: 'a pv guest cannot have a `timer_mode`' }),
    );
  } else if (number !== undefined) {
    readModeNumber(reader, key, TIMER_MODES, number);
  } else if (text !== undefined) {
    choiceMember(reader, key, `b_info.${key}`, TIMER_MODES, invalidValue(key), 'tries');
  }
}

const ALTP2M_MODES: Choices = [
  ['disabled', ''],
  ['mixed', 'mixed'],
  ['external', 'external'],
  ['limited', 'limited'],
];

/** Reads `altp2m` and `vmtrace_buf_kb`. */
export function readAltp2m(reader: XlReader): void {
  const number = reader.long('altp2m', 'tries');
  if (number === undefined) {
    choiceMember(reader, 'altp2m', 'b_info.altp2m', ALTP2M_MODES, invalidValue('altp2m'));
  } else if (number < 0n || number > 3n) {
    reader.exit(1, `ERROR: invalid value ${number} for "altp2m"`);
    badChoice(
      reader,
      'altp2m',
      ALTP2M_MODES.map(([mode]) => mode),
    );
  } else {
    assignChoice(reader, 'b_info.altp2m', ALTP2M_MODES[Number(number)]?.[1] ?? '');
  }
  const buffer = reader.long('vmtrace_buf_kb', 'silent');
  if (buffer !== undefined) assignNumber(reader, 'b_info.vmtrace_buf_kb', BigInt.asIntN(32, buffer), 0n);
}

/** Reads `cmdline`, `root` and `extra`. Follows `parse_cmdline`. */
export function readCmdline(reader: XlReader): string | undefined {
  const cmdline = reader.text('cmdline');
  const root = reader.text('root');
  const extra = reader.text('extra');
  if (cmdline !== undefined) {
    if (root !== undefined || extra !== undefined) {
      reader.say('Warning: ignoring root= and extra= in favour of cmdline=');
      for (const key of ['root', 'extra']) {
        const origin = reader.origin(key);
        if (origin !== undefined)
          reader.diagnostics.push(report.deprecated(origin, { key, how: 'ignored: `cmdline` is set' }));
      }
    }
    return cmdline;
  }
  if (root === undefined) return extra;
  return extra === undefined ? `root=${root}` : `root=${root} ${extra}`;
}

/** Reads `bootloader_args`: a list, or a text that xl splits at blanks. */
export function readBootloaderArgs(reader: XlReader): void {
  const key = 'bootloader_args';
  const list = reader.list(key, 'tries');
  if (list !== undefined) {
    const texts = reader.leading(key, list).map((item) => item.text);
    reader.assign(`b_info.${key}`, texts.length === 0 ? undefined : texts);
    return;
  }
  const text = reader.text(key);
  const setting = reader.setting(key);
  if (text === undefined || setting === undefined) return;
  reader.say('WARNING: Specifying "bootloader_args" as a string is deprecated. Please use a list of arguments.');
  reader.diagnostics.push(report.deprecated(valueOrigin(setting), { key, how: 'deprecated as a string: use a list' }));
  const words = text.split(/[ \t\n]+/).filter((word) => word !== '');
  // XEN: split_string_into_string_list copies a first word that is not there.
  if (words.length === 0) {
    reader.die('SIGSEGV');
    reader.outOfRange(key, ['it has no words in it', 'xl does not report this: it dies of it']);
  } else reader.assign(`b_info.${key}`, words);
}

/** Reads `gic_version` and `tee`, where xl keeps silent about a wrong shape. */
export function readArm(reader: XlReader): void {
  choiceMember(reader, 'gic_version', 'b_info.arch_arm.gic_version', GIC_VERSIONS, unknown('gic_version'), 'silent');
  choiceMember(reader, 'tee', 'b_info.tee', TEES, unknown('tee'), 'silent');
}

const unknown = (key: string): { code: number; line: (text: string) => string } => ({
  code: 3,
  line: (text) => `Unknown ${key} "${text}" specified`,
});

const GIC_VERSIONS: Choices = [
  ['default', ''],
  ['v2', 'v2'],
  ['v3', 'v3'],
];

const TEES: Choices = [
  ['none', ''],
  ['optee', 'optee'],
];

const PASSTHROUGH: Choices = [
  ['default', ''],
  ['disabled', 'disabled'],
  ['enabled', 'enabled'],
  ['sync_pt', 'sync_pt'],
  ['share_pt', 'share_pt'],
];

export function readPassthrough(reader: XlReader): void {
  choiceMember(reader, 'passthrough', 'c_info.passthrough', PASSTHROUGH, {
    code: 1,
    line: (text) => `ERROR: unknown passthrough option '${text}'`,
  });
}
