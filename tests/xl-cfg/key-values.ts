/**
 * Every key of xl.cfg with values that are usual, extreme and wrong, for each kind of guest.
 *
 * @module
 */
import { KEY_TABLE } from '@dewar/toolstack/xl-cfg';
import { DEVICE_LISTS, generateDevices } from './generate-devices.ts';
import { WORDS } from './generate-guests.ts';
import { generateNested, NESTED_KEYS } from './generate-nested.ts';
import { Dice } from './generate-texts.ts';

const NUMBERS = [
  ...['0', '1', '2', '7', '64', '128', '4096', '65535', '65536', '0x10', '0X1f', '010', '-1', '+1', '-2147483648'],
  ...['2147483647', '2147483648', '4294967295', '4294967296', '4294967297', '4503599627370496', '9007199254740993'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
];

const WRONG = [
  ...['', ' ', 'abc', '08', '0x', '1.5', '1e3', '12x', ' 1', '1 ', 'True', 'yes', 'two words', 'a,b', 'a=b', '%s%n'],
  ...['tab\\there', 'quote\\"', "it's", 'back\\\\slash', '\xe9\xff', 'line\\nbreak', 'x'.repeat(300), '/a/b', 'a:b'],
  ...['none', 'default', 'all', 'system_u:system_r:domU_t'],
];

const LISTS = ['[]', '[""]', '["a"]', '["a","b c"]', '[1,2]', '[["a"]]', '["a",["b"],"c"]', '["a",[]]', '[[],"a"]'];

/** xl counts to these numbers one by one, or makes as many things: what takes it minutes is left out. */
const COUNTED: Readonly<Record<string, number>> = { vcpus: 4096, maxvcpus: 4096 };

const GUESTS = ['pv', 'pvh', 'hvm'];
const DEVICE_ENTRIES = 12;

/** The values of one key, with their quotes and brackets. */
function valuesOf(key: string, dice: Dice): string[] {
  const most = COUNTED[key];
  const numbers = NUMBERS.filter((text) => most === undefined || Math.abs(Number(text)) <= most);
  const words = WORDS.get(key) ?? [];
  const entries = Array.from({ length: DEVICE_ENTRIES }, () => {
    if (NESTED_KEYS.includes(key)) return generateNested(dice, key);
    return DEVICE_LISTS.includes(key) ? generateDevices(dice, key) : '';
  }).filter((text) => text !== '');
  return [...[...words, ...numbers, ...WRONG].map((text) => `"${text}"`), '1', '0x2', ...LISTS, ...entries];
}

function fileOf(key: string, type: string, statements: readonly string[]): string {
  const fixed: readonly (readonly [string, string])[] = [
    ['name', '"guest"'],
    ['kernel', '"/boot/vmlinuz"'],
    ['type', `"${type}"`],
    ['uuid', '"302eb3ee-01c8-4ed9-85ec-b2960e0ca998"'],
  ];
  const lines = fixed.filter(([name]) => name !== key).map(([name, value]) => `${name} = ${value}`);
  return [...lines, ...statements, ''].join('\n');
}

/** Each key with each of its values and each kind of guest, and with `+=` after a value. The same each time. */
export function* keyValueFiles(): Generator<string> {
  for (const key of KEY_TABLE.keys()) {
    const dice = new Dice(key.length * 7919 + key.charCodeAt(0));
    const values = valuesOf(key, dice);
    for (const type of GUESTS) {
      for (const value of values) yield fileOf(key, type, [`${key} = ${value}`]);
      yield fileOf(key, type, [`${key} = "1"`, `${key} += "2"`]);
      yield fileOf(key, type, [`${key} = ["a"]`, `${key} += ["b"]`]);
      yield fileOf(key, type, [`${key} = "1"`, `${key} = ["a"]`]);
    }
  }
}
