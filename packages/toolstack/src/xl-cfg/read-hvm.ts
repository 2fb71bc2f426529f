/**
 * Reads what only an HVM guest has: firmware, platform, display, the device model's devices.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`, in its order.
 *
 * @module
 */
import { cfg as report } from './diagnostics.ts';
import {
  assignNumber,
  badChoice,
  type Choices,
  choiceMember,
  choose,
  flagJson,
  flagMember,
  intMember,
  invalidValue,
  kibibytes,
  memoryMember,
  textMember,
  textsJson,
} from './members.ts';
import { showBytes } from './show-text.ts';
import { valueOrigin, type XlReader } from './xl-reader.ts';

const PATH = 'b_info.type.hvm.';

const BIOSES: Choices = [
  ['unknown', ''],
  ['rombios', 'rombios'],
  ['seabios', 'seabios'],
  ['ovmf', 'ovmf'],
];

/** Reads what xl reads in its block for HVM guests, from `kernel` on. */
export function readHvmPlatform(reader: XlReader, kernel: string | undefined): string | undefined {
  const isLoader = kernel !== undefined && kernel.slice(kernel.lastIndexOf('/') + 1) === 'hvmloader';
  if (isLoader) adviseLoader(reader);
  textMember(reader, 'firmware_override', `${PATH}firmware`);
  const systemFirmware = textMember(reader, 'bios_path_override', `${PATH}system_firmware`);
  if (reader.form('bios') === 'string') {
    choiceMember(reader, 'bios', `${PATH}bios`, BIOSES, invalidValue('bios'));
  } else {
    reader.text('bios');
    if (systemFirmware !== undefined) reader.say('WARNING: bios_path_override given without specific bios name');
  }
  for (const key of ['pae', 'acpi_s3', 'acpi_s4', 'acpi_laptop_slate', 'nx', 'hpet', 'vpt_align']) {
    flagMember(reader, key, PATH + key);
  }
  flagMember(reader, 'apic', 'b_info.apic');
  readViridian(reader);
  readMmioHole(reader);
  readAltp2mHvm(reader);
  textMember(reader, 'smbios_firmware', `${PATH}smbios_firmware`);
  textMember(reader, 'acpi_firmware', `${PATH}acpi_firmware`);
  readGenerationId(reader);
  memoryMember(reader, 'rdm_mem_boundary', `${PATH}rdm_mem_boundary_memkb`);
  readMcaCaps(reader);
  readFirmware(reader);
  return isLoader ? undefined : kernel;
}

function adviseLoader(reader: XlReader): void {
  reader.say(
    'WARNING: you seem to be using "kernel" directive to override HVM guest firmware. Ignore that. Use "firmware_override" instead if you really want a non-default firmware',
  );
  const setting = reader.setting('kernel');
  if (setting === undefined) return;
  const fixes = [
    { title: 'write `firmware_override`', edits: [{ span: setting.keySpan, newText: 'firmware_override' }] },
  ];
  const how = 'ignored: an HVM guest gets its loader by `firmware_override`';
  reader.diagnostics.push(report.deprecated(valueOrigin(setting), { key: 'kernel', how }, { fixes }));
}

const VIRIDIAN = [
  'base',
  'freq',
  'time_ref_count',
  'reference_tsc',
  'hcall_remote_tlb_flush',
  'apic_assist',
  'crash_ctl',
  'synic',
  'stimer',
  'hcall_ipi',
  'ex_processor_masks',
  'no_vp_limit',
  'cpu_hotplug',
];

/** The width of libxl's sets of Viridian interfaces; `all` sets every bit. */
const VIRIDIAN_WIDTH = 64;

function readViridian(reader: XlReader): void {
  const key = 'viridian';
  if (reader.form(key) !== 'list') {
    flagMember(reader, key, PATH + key, 'silent');
    return;
  }
  const items = reader.list(key)?.items ?? [];
  const enabled = new Set<number>();
  const disabled = new Set<number>();
  for (const item of items) {
    if (item.kind === 'list') {
      // XEN: the item's text is compared without a look whether there is one.
      reader.die('SIGSEGV');
      reader.diagnostics.push(report['list-in-list']({ kind: 'written', span: item.span }, { key }));
      break;
    }
    if (item.text === 'all') {
      for (let bit = 0; bit < VIRIDIAN_WIDTH; bit++) enabled.add(bit);
    } else if (item.text === 'defaults') {
      reader.assign(PATH + key, flagJson(true));
    } else {
      const isOff = item.text.startsWith('!');
      const word = isOff ? item.text.slice(1) : item.text;
      const bit = VIRIDIAN.indexOf(word.toLowerCase());
      if (bit === -1) {
        reader.exit(3, `xl: unknown viridian enlightenment '${word}'`);
        badItem(reader, key, item.span, word, VIRIDIAN);
        break;
      }
      (isOff ? disabled : enabled).add(bit);
      (isOff ? enabled : disabled).delete(bit);
    }
  }
  const bits = (set: ReadonlySet<number>): number[] => [...set].sort((a, b) => a - b);
  if (enabled.size > 0) reader.assign(`${PATH}viridian_enable`, bits(enabled));
  if (disabled.size > 0) reader.assign(`${PATH}viridian_disable`, bits(disabled));
}

function badItem(
  reader: XlReader,
  key: string,
  span: Parameters<typeof valueOrigin>[0]['keySpan'],
  word: string,
  words: readonly string[],
): void {
  const notes = [{ message: `values are ${words.map((choice) => `\`${choice}\``).join(', ')}` }];
  reader.diagnostics.push(report['bad-choice']({ kind: 'written', span }, { key, value: showBytes(word) }, { notes }));
}

// XEN: HVM_BELOW_4G_MMIO_START and HVM_BELOW_4G_MMIO_LENGTH of xen/include/public/hvm/e820.h.
const MMIO_START = 0xf0000000n;
const MMIO_LENGTH = 2n ** 32n - MMIO_START;

function readMmioHole(reader: XlReader): void {
  const key = 'mmio_hole';
  const value = reader.long(key);
  if (value === undefined) return;
  const size = kibibytes(value);
  const bytes = BigInt.asUintN(64, size * 1024n);
  assignNumber(reader, `${PATH}mmio_hole_memkb`, size, 2n ** 64n - 1n);
  if (bytes >= MMIO_LENGTH && bytes <= MMIO_START) return;
  reader.exit(1, `ERROR: invalid value ${value} for "${key}"`);
  reader.outOfRange(key, [`it is from ${MMIO_LENGTH >> 20n} to ${MMIO_START >> 20n} MiB`]);
}

function readAltp2mHvm(reader: XlReader): void {
  const key = 'altp2mhvm';
  if (flagMember(reader, key, `${PATH}altp2m`) === undefined) return;
  reader.say('WARNING: Specifying "altp2mhvm" is deprecated. Please use "altp2m" instead.');
  reader.diagnostics.push(report.deprecated(reader.origin(key), { key, how: 'deprecated: use `altp2m`' }));
}

function readGenerationId(reader: XlReader): void {
  const text = reader.text('ms_vm_genid');
  if (text === undefined || text === 'generate' || text === 'none') return;
  reader.exit(1, 'ERROR: "ms_vm_genid" option must be "generate" or "none"');
  badChoice(reader, 'ms_vm_genid', ['generate', 'none']);
}

const MCA_CAPABILITY = 'lmce';

function readMcaCaps(reader: XlReader): void {
  const key = 'mca_caps';
  if (reader.form(key) === 'string') {
    reader.exit(3, 'ERROR: unable to parse mca_caps.');
    reader.diagnostics.push(report['must-be-list'](reader.origin(key), { key }));
    return;
  }
  for (const item of reader.list(key)?.items ?? []) {
    if (item.kind === 'list') {
      reader.die('SIGSEGV');
      reader.diagnostics.push(report['list-in-list']({ kind: 'written', span: item.span }, { key }));
      return;
    }
    if (item.text !== MCA_CAPABILITY) {
      reader.exit(3, `ERROR: unrecognized MCA capability '${item.text}'.`);
      badItem(reader, key, item.span, item.text, [MCA_CAPABILITY]);
      return;
    }
    reader.assign(`${PATH}mca_caps`, 1);
  }
}

/** `firmware` names a firmware, or is the path of one. */
function readFirmware(reader: XlReader): void {
  const text = reader.text('firmware');
  if (text === undefined) return;
  const bios = choose(BIOSES, text);
  if (bios !== undefined) reader.assign(`${PATH}bios`, bios === '' ? undefined : bios);
  else if ('uefi'.startsWith(text)) reader.assign(`${PATH}bios`, 'ovmf');
  else if (!'bios'.startsWith(text)) reader.assign(`${PATH}firmware`, text);
}

const VGA: Choices = [
  ['stdvga', 'std'],
  ['cirrus', 'cirrus'],
  ['none', 'none'],
  ['qxl', 'qxl'],
];

const HDTYPES: Choices = [
  ['ide', ''],
  ['ahci', 'ahci'],
];

/** Reads what xl reads last for HVM guests: the display and the devices of the device model. */
export function readHvmDevices(reader: XlReader): void {
  readVga(reader);
  choiceMember(reader, 'hdtype', `${PATH}hdtype`, HDTYPES, invalidValue('hdtype'));
  textMember(reader, 'keymap', `${PATH}keymap`);
  readSpice(reader);
  flagMember(reader, 'nographic', `${PATH}nographic`);
  readGraphicsPassthrough(reader);
  readTextOrTexts(reader, 'serial');
  textMember(reader, 'boot', `${PATH}boot`);
  flagMember(reader, 'usb', `${PATH}usb`);
  intMember(reader, 'usbversion', `${PATH}usbversion`);
  readTextOrTexts(reader, 'usbdevice');
  flagMember(reader, 'vkb_device', `${PATH}vkb_device`);
  textMember(reader, 'soundhw', `${PATH}soundhw`);
  flagMember(reader, 'xen_platform_pci', `${PATH}xen_platform_pci`);
  checkVncDisplay(reader);
  choiceMember(reader, 'vendor_device', `${PATH}vendor_device`, VENDOR_DEVICES, {
    code: 3,
    line: (text) => `xl: unknown vendor_device '${text}'`,
  });
}

const VENDOR_DEVICES: Choices = [
  ['none', ''],
  ['xenserver', 'xenserver'],
];

function readVga(reader: XlReader): void {
  const text = reader.text('vga');
  if (text === undefined) {
    const number = reader.long('stdvga');
    if (number !== undefined) reader.assign(`${PATH}vga.kind`, number === 0n ? 'cirrus' : 'std');
    return;
  }
  // Here case counts: xl compares the words itself.
  const json = VGA.find(([word]) => word === text)?.[1];
  if (json !== undefined) {
    reader.assign(`${PATH}vga.kind`, json);
    return;
  }
  reader.exit(1, `Unknown vga "${text}" specified`);
  badChoice(
    reader,
    'vga',
    VGA.map(([word]) => word),
  );
}

function readSpice(reader: XlReader): void {
  const path = `${PATH}spice.`;
  flagMember(reader, 'spice', `${path}enable`);
  intMember(reader, 'spiceport', `${path}port`);
  intMember(reader, 'spicetls_port', `${path}tls_port`);
  textMember(reader, 'spicehost', `${path}host`);
  flagMember(reader, 'spicedisable_ticketing', `${path}disable_ticketing`);
  textMember(reader, 'spicepasswd', `${path}passwd`);
  flagMember(reader, 'spiceagent_mouse', `${path}agent_mouse`);
  flagMember(reader, 'spicevdagent', `${path}vdagent`);
  flagMember(reader, 'spice_clipboard_sharing', `${path}clipboard_sharing`);
  intMember(reader, 'spiceusbredirection', `${path}usbredirection`);
  textMember(reader, 'spice_image_compression', `${path}image_compression`);
  textMember(reader, 'spice_streaming_video', `${path}streaming_video`);
}

const GRAPHICS: Choices = [
  ['default', ''],
  ['igd', 'igd'],
];

function readGraphicsPassthrough(reader: XlReader): void {
  const key = 'gfx_passthru';
  const number = reader.long(key, 'tries');
  if (number !== undefined) {
    reader.assign(PATH + key, flagJson(number !== 0n));
    return;
  }
  choiceMember(reader, key, `${PATH}gfx_passthru_kind`, GRAPHICS, invalidValue(key));
  if (reader.form(key) === 'string') reader.assign(PATH + key, flagJson(true));
}

/** A list of texts, or one text. */
function readTextOrTexts(reader: XlReader, key: string): void {
  const list = reader.form(key) === 'list' ? reader.list(key) : undefined;
  if (list === undefined) textMember(reader, key, PATH + key);
  else reader.assign(`${PATH}${key}_list`, textsJson(reader.leading(key, list).map((item) => item.text)));
}

function checkVncDisplay(reader: XlReader): void {
  const listen = reader.members.get(`${PATH}vnc.listen`);
  if (typeof listen !== 'string' || !listen.includes(':') || !reader.members.has(`${PATH}vnc.display`)) return;
  reader.exit(1, 'ERROR: Display specified both in vnclisten and vncdisplay!');
  const what = '`vnclisten` and `vncdisplay` both give the display';
  reader.diagnostics.push(report.contradiction(reader.origin('vncdisplay'), { what }));
}
