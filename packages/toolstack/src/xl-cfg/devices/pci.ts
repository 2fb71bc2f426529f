/**
 * Reads an entry of `pci`: the device, the slot that the guest sees, options.
 *
 * Follows Xen `tools/libs/util/libxlu_pci.c`, `xlu_pci_parse_spec_string`.
 *
 * @module
 */
import type { Device, DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import { showBytes } from '../show-text.ts';
import { atoi, scanHex } from '../strtol.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor, inOrder } from './device.ts';
import { RDM_POLICIES, readReservedMemory } from './reserved-memory.ts';

// XEN: libxl_types.idl, device_pci
const FIELDS = [
  ...['func', 'dev', 'bus', 'domain', 'vdevfn', 'vfunc_mask', 'msitranslate', 'power_mgmt', 'permissive', 'seize'],
  ...['rdm_policy', 'name'],
];

/** Options that are yes or no, and the keys of the file that set them for all entries. */
const FLAGS = ['msitranslate', 'power_mgmt', 'permissive', 'seize'] as const;

const ALL_FUNCTIONS = 0xffffffff;

/** Where reading went wrong, and the text before xl's own line, if libxlutil writes one. */
interface Refused {
  readonly start: number;
  readonly end: number;
  readonly why: string;
  readonly said?: string;
  readonly code?: number;
}

type Values = Map<string, JsonValue | undefined>;

const number = (value: number): number | undefined => (value === 0 ? undefined : value);

/** Reads `[DDDD:]BB:DD.F` at the front of a text; the offset after it, or undefined. */
function readAddress(text: string, values: Values): number | undefined {
  const colons = (/^[0-9A-Fa-f:]*/.exec(text)?.[0] ?? '').split(':').length - 1;
  if (colons !== 1 && colons !== 2) return undefined;
  const fields: number[] = colons === 1 ? [0] : [];
  let at = 0;
  while (fields.length < 3) {
    const found = scanHex(text, at, 32);
    // XEN: sscanf wants this character; without the dot, xl goes on with an offset that was never set.
    const delimiter = fields.length < 2 ? ':' : '.';
    if (found === undefined || text.charAt(found.end) !== delimiter) return undefined;
    fields.push(Number(found.value));
    at = found.end + 1;
  }
  const [domain = 0, bus = 0, dev = 0] = fields;
  if (domain > 0xffff || bus > 0xff || dev > 0x1f) return undefined;
  let func = 0;
  if (text.charAt(at) === '*') {
    values.set('vfunc_mask', ALL_FUNCTIONS);
    at++;
  } else {
    const found = scanHex(text, at, 32);
    if (found === undefined || found.value > 7n) return undefined;
    func = Number(found.value);
    values.set('vfunc_mask', 1);
    at = found.end;
  }
  values.set('domain', number(domain)).set('bus', number(bus)).set('dev', number(dev)).set('func', number(func));
  return at;
}

/** Reads the slot that the guest sees; the offset after it, or undefined. */
function readSlot(text: string, at: number, values: Values): number | undefined {
  const found = scanHex(text, at, 32);
  if (found === undefined || found.value > 0x1fn) return undefined;
  values.set('vdevfn', number(Number(found.value) << 3));
  return found.end;
}

function readEntry(text: string, values: Values): Refused | undefined {
  let at = 0;
  const device = readAddress(text, values);
  if (device !== undefined) {
    at = device;
    if (text.charAt(at) === '@') {
      const end = readSlot(text, at + 1, values);
      if (end === undefined) return { start: at + 1, end: text.length, why: 'a slot is a number from 0 to 1f' };
      at = end;
    }
    if (text.charAt(at) === ',') at++;
    else if (at < text.length)
      return { start: at, end: text.length, why: `\`${showBytes(text.slice(at))}\` has no meaning` };
  }
  return readOptions(text, at, device !== undefined, values);
}

function readOptions(text: string, from: number, hasAddress: boolean, values: Values): Refused | undefined {
  let at = from;
  let isAddressed = hasAddress;
  let isNamed = false;
  while (at < text.length) {
    const start = at;
    const equals = text.indexOf('=', at);
    if (equals === -1) {
      const part = showBytes(text.slice(at));
      const why = hasAddress ? `\`${part}\` has no value` : `\`${part}\` is no device: one is written as \`00:19.0\``;
      return { start, end: text.length, why };
    }
    const comma = text.indexOf(',', equals);
    const end = comma === -1 ? text.length : comma;
    const key = text.slice(at, equals);
    const value = text.slice(equals + 1, end);
    at = comma === -1 ? text.length : comma + 1;
    const refused = readOption(key, value, values);
    if (refused !== undefined) return { start, end, ...refused };
    if (key === 'bdf') isAddressed = true;
    if (key === 'name') isNamed = true;
  }
  if (isAddressed !== isNamed) return undefined;
  const why = isAddressed ? 'it has both a device and a name' : 'it names no device';
  return { start: 0, end: text.length, why };
}

function readOption(key: string, value: string, values: Values): Omit<Refused, 'start' | 'end'> | undefined {
  const shown = `\`${showBytes(value)}\``;
  const flag = FLAGS.find((name) => name === key);
  if (flag !== undefined) {
    values.set(flag, atoi(value) === 0 ? undefined : true);
    return undefined;
  }
  switch (key) {
    case 'bdf':
      return readAddress(value, values) === undefined ? { why: `${shown} is no device` } : undefined;
    case 'vslot':
      return readSlot(value, 0, values) === undefined ? { why: `${shown} is no slot` } : undefined;
    case 'rdm_policy': {
      const policy = RDM_POLICIES.find((word) => word === value.toLowerCase());
      if (policy === undefined)
        return {
          why: `${shown} is no value of \`rdm_policy\``,
          said: `Unknown RDM policy: ${value}`,
          code: ERROR_FAIL,
        };
      values.set('rdm_policy', policy === 'invalid' ? undefined : policy);
      return undefined;
    }
    case 'name':
      values.set('name', value);
      return undefined;
    default:
      return { why: `\`${showBytes(key)}\` is no option`, said: `Unknown PCI_SPEC_STRING option: ${key}` };
  }
}

// XEN: xl exits with the error of libxl: ERROR_INVAL, or ERROR_FAIL for a word that is in no enumeration.
const ERROR_INVAL = 6;
const ERROR_FAIL = 3;

/** Reads the keys for all PCI devices, then the entries of `pci`; `rdmPolicy` is the policy where an entry gives none. */
export function readPciDevices(reader: XlReader, rdmPolicy: string | undefined): readonly Device[] {
  const advisor = new DeviceAdvisor(reader, 'pci');
  const defaults: Values = new Map([['rdm_policy', rdmPolicy]]);
  for (const flag of FLAGS) {
    const value = reader.long(`pci_${flag}`);
    // XEN: the number goes through an int on its way to a bool.
    if (value !== undefined && BigInt.asIntN(32, value) !== 0n) defaults.set(flag, true);
  }
  // XEN: nobody gave that policy a value.
  if (readReservedMemory(reader)) defaults.set('rdm_policy', null);
  return reader.specs('pci').map((spec) => readPciDevice(reader, advisor, spec, new Map(defaults)));
}

/** Reads one entry; `values` has what holds where it says nothing. */
export function readPciDevice(
  reader: XlReader,
  advisor: DeviceAdvisor,
  spec: DeviceSpec,
  values: Values = new Map(),
): Device {
  const refused = readEntry(spec.text, values);
  if (refused !== undefined) {
    const { start, end, why, said = '', code = ERROR_INVAL } = refused;
    reader.exit(code, `${said}unable to parse PCI_SPEC_STRING \`${spec.text}' for passthrough`);
    advisor.refuse(spec, start, end, why);
  }
  return { ...spec, members: inOrder(FIELDS, values) };
}
