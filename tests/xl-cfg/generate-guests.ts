/**
 * Files for guests to try on xl and on our reader: any keys, with values that fit and values that do not.
 *
 * @module
 */
import { KEY_TABLE } from '@dewar/toolstack/xl-cfg';
import { DEVICE_LISTS, generateDevices, generateEntry } from './generate-devices.ts';
import { generateNested, NESTED_KEYS } from './generate-nested.ts';
import type { Dice } from './generate-texts.ts';

const SIZES = new Set(['memory', 'maxmem', 'vcpus', 'maxvcpus']);

/** Words for keys that want one of some words, right and wrong. */
export const WORDS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ['type', ['pv', 'pvh', 'hvm', 'h', 'hv', 'p', '', 'PV', 'xen']],
  ['builder', ['hvm', 'generic', 'g', 'linux']],
  [
    'uuid',
    [
      '302EB3EE-01c8-4ed9-85ec-b2960e0ca998',
      '302eb3ee01c84ed985ecb2960e0ca998',
      '00000000-0000-0000-0000-000000000000',
    ],
  ],
  ['tsc_mode', ['default', 'native', 'ALWAYS_EMULATE', 'native_paravirt', '2', '5', '-1', '4294967297']],
  ['timer_mode', ['no_missed_ticks_pending', 'unknown', 'Delay_for_missed_ticks', '0', '1', '-1', '4']],
  ['altp2m', ['external', 'Mixed', 'disabled', '0', '3', '4', '-1']],
  ['passthrough', ['disabled', 'sync_pt', 'Enabled', 'maybe']],
  ['bios', ['ovmf', 'SEABIOS', 'unknown', 'ami']],
  ['firmware', ['ovmf', 'uefi', 'u', '', 'bios', 'pvgrub32', 'pvgrub', 'pvgrub64', '/boot/fw.bin']],
  ['kernel', ['/boot/vmlinuz', '/usr/lib/xen/boot/hvmloader', '']],
  ['hdtype', ['ide', 'AHCI', 'scsi']],
  ['vga', ['stdvga', 'cirrus', 'none', 'qxl', 'STDVGA']],
  ['vendor_device', ['none', 'xenserver', 'acme']],
  ['gfx_passthru', ['1', '0', 'igd', 'default', 'nv']],
  ['gic_version', ['v2', 'V3', 'default', 'v9']],
  ['tee', ['none', 'optee', 'x']],
  ['vuart', ['sbsa_uart', 'unknown', 'pl011']],
  ['ms_vm_genid', ['none', 'x']],
  ['device_model_version', ['qemu-xen', 'qemu-xen-traditional', 'QEMU-XEN']],
  ['device_model', ['/usr/bin/qemu', '/usr/lib/xen/bin/stubdom-dm']],
  ['mmio_hole', ['256', '255', '3840', '3841', '1000']],
  ['bootloader_args', ['-a -b', '  ', 'one']],
  ['vnclisten', ['0.0.0.0', '0.0.0.0:1']],
]);

const ACTIONS = [
  'destroy',
  'restart',
  'rename-restart',
  'preserve',
  'coredump-destroy',
  'coredump-restart',
  'soft-reset',
  'panic',
];
const NUMBERS = [
  '0',
  '1',
  '2',
  '3',
  '7',
  '128',
  '0x10',
  '010',
  '-1',
  '4294967295',
  '4294967296',
  '-9223372036854775808',
];
const SMALL = ['1', '2', '3', '4', '64', '0x20', '010'];
const ODD = [
  '',
  'abc',
  '08',
  '12x',
  '99999999999999999999',
  'two words',
  'tab\\there',
  'quote\\"',
  '\\x',
  '\xe9\xff',
  '%s',
];
const LISTS = ['[]', '["a"]', '["a","b c"]', '["a",["b"],"c"]', '[["a"]]', '[1,2]'];
const ITEM_LISTS = new Map<string, readonly string[]>([
  [
    'viridian',
    [
      '[]',
      '["all"]',
      '["defaults","!stimer"]',
      '["base","!base","FREQ"]',
      '["all","!no_vp_limit"]',
      '["x"]',
      '["base",["x"]]',
    ],
  ],
  ['mca_caps', ['[]', '["lmce"]', '["lmce","x"]', '[["lmce"]]']],
]);

function scalar(dice: Dice, key: string): string {
  if (SIZES.has(key)) return `"${dice.pick(dice.isLucky(8) ? ['abc', '', '08', '-1', '12x'] : SMALL)}"`;
  const words = key.startsWith('on_') ? ACTIONS : WORDS.get(key);
  if (key.startsWith('cpus')) return `"${generateEntry(dice, key)}"`;
  if (words !== undefined && !dice.isLucky(8)) return `"${dice.pick(words)}"`;
  return `"${dice.pick(dice.isLucky(5) ? ODD : NUMBERS)}"`;
}

function list(dice: Dice, key: string): string {
  if (DEVICE_LISTS.includes(key)) return generateDevices(dice, key);
  return dice.pick(ITEM_LISTS.get(key) ?? LISTS);
}

function value(dice: Dice, key: string): string {
  if (NESTED_KEYS.includes(key) && !dice.isLucky(8)) return generateNested(dice, key);
  const shape = KEY_TABLE.get(key)?.shape ?? 'string';
  const wantsList = shape.startsWith('list') ? !dice.isLucky(4) : dice.isLucky(16);
  if (wantsList) return list(dice, key);
  return scalar(dice, key);
}

const KEYS = [...KEY_TABLE.keys()];

/** A file for a guest that is all right but for its devices. */
function generateDeviceGuest(dice: Dice): string {
  const key = dice.pick(DEVICE_LISTS);
  const type = dice.pick(['pv', 'pvh', 'hvm']);
  return [
    'name = "guest"',
    'kernel = "/boot/vmlinuz"',
    `type = "${type}"`,
    'uuid = "302eb3ee-01c8-4ed9-85ec-b2960e0ca998"',
    `vcpus = ${1 + dice.roll(4)}`,
    `${key} = ${generateDevices(dice, key)}`,
    '',
  ].join('\n');
}

/** A file for a guest that is all right but for one of the keys that hold a language of their own. */
function generateNestedGuest(dice: Dice): string {
  const key = dice.pick(NESTED_KEYS);
  return [
    'name = "guest"',
    'kernel = "/boot/vmlinuz"',
    `type = "${dice.pick(['pv', 'pvh', 'hvm', 'hvm'])}"`,
    'uuid = "302eb3ee-01c8-4ed9-85ec-b2960e0ca998"',
    ...(dice.isLucky(2) ? [`vcpus = ${1 + dice.roll(3)}`] : []),
    ...(dice.isLucky(2) ? [`maxvcpus = ${1 + dice.roll(4)}`] : []),
    ...(dice.isLucky(4) ? [`maxmem = ${dice.pick(['64', '128', '96'])}`] : []),
    ...(key === 'rdm' ? ['pci = ["00:05.0","06:00.1,rdm_policy=relaxed"]'] : []),
    `${key} = ${generateNested(dice, key)}`,
    '',
  ].join('\n');
}

/** A file of one of the kinds above. */
export function generateAnyGuest(dice: Dice): string {
  return [generateGuest, generateDeviceGuest, generateNestedGuest][dice.roll(3)]?.(dice) ?? '';
}

/** A file for a guest; most have what xl wants of every guest. */
function generateGuest(dice: Dice): string {
  const lines: string[] = [];
  if (!dice.isLucky(12)) lines.push('name = "guest"');
  if (!dice.isLucky(6)) lines.push('kernel = "/boot/vmlinuz"');
  if (!dice.isLucky(3)) lines.push(`type = "${dice.pick(['pv', 'pvh', 'hvm', 'hvm'])}"`);
  lines.push('uuid = "302eb3ee-01c8-4ed9-85ec-b2960e0ca998"');
  for (let left = dice.roll(10); left > 0; left--) {
    const key = dice.pick(KEYS);
    lines.push(`${key} ${dice.isLucky(20) ? '+=' : '='} ${value(dice, key)}`);
  }
  return `${lines.join('\n')}\n`;
}
