/**
 * Reads entries whose parts all have names: `p9`, `vtpm`, `pvcalls`, `channel`, `vkb`, `usbctrl`, `usbdev`.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data` and the functions that it calls; the lines that xl writes
 * before it exits differ from list to list.
 *
 * @module
 */
import type { Device, DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import { showBytes } from '../show-text.ts';
import { atoi, strtoul } from '../strtol.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor, inOrder, type Part, partsOf } from './device.ts';

type Values = Map<string, JsonValue | undefined>;

/** What ends xl: the line that it writes, and why it is wrong. */
interface Refusal {
  readonly line: string;
  readonly why: string;
}

/** One kind of list. */
interface Kind {
  readonly key: string;
  /** The members of libxl's structure, in its order. */
  readonly fields: readonly string[];
  /** The entry has a number of its own in libxl. */
  readonly hasDevid: boolean;
  /** A part without a value ends the entry in silence. */
  readonly stopsWithoutValue: boolean;
  /** Takes one part. */
  readonly take: (values: Values, name: string, value: string, part: string) => Refusal | undefined;
  /** What must be there at the end. */
  readonly close?: (values: Values) => Refusal | undefined;
}

const unknown = (line: string, part: string): Refusal => ({ line, why: `xl does not know \`${showBytes(part)}\`` });

/** Words of an enumeration; the default has no JSON. */
function choose(
  values: Values,
  field: string,
  words: ReadonlyMap<string, JsonValue | undefined>,
  word: string,
): boolean {
  const plain = word.toLowerCase();
  if (!words.has(plain)) return false;
  values.set(field, words.get(plain));
  return true;
}

const nonzero = (value: number): number | undefined => (value === 0 ? undefined : value);

const P9: Kind = {
  key: 'p9',
  fields: ['backend_domname', 'tag', 'path', 'security_model'],
  hasDevid: false,
  stopsWithoutValue: true,
  take(values, name, value) {
    if (name === 'backend') values.set('backend_domname', value);
    else if (name === 'tag' || name === 'path' || name === 'security_model') values.set(name, value);
    else return unknown(`Unknown string \`${name}' in 9pfs spec`, name);
    return undefined;
  },
  close(values) {
    const missing = ['tag', 'path', 'security_model'].find((field) => values.get(field) === undefined);
    return missing === undefined
      ? undefined
      : { line: '9pfs spec missing required field!', why: `there is no \`${missing}\`` };
  },
};

const UUID = /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const VTPM: Kind = {
  key: 'vtpm',
  fields: ['backend_domname', 'devid', 'uuid'],
  hasDevid: true,
  stopsWithoutValue: true,
  take(values, name, value) {
    if (name === 'backend') {
      values.set('backend_domname', value);
    } else if (name !== 'uuid') {
      return unknown(`Unknown string \`${name}' in vtpm spec`, name);
    } else if (UUID.test(value)) {
      values.set('uuid', value === NIL_UUID ? undefined : value.toLowerCase());
    } else {
      return { line: `Failed to parse vtpm UUID: ${value}`, why: `\`${showBytes(value)}\` is no UUID` };
    }
    return undefined;
  },
  close(values) {
    const line = 'vtpm spec missing required backend field!';
    return values.get('backend_domname') === undefined ? { line, why: 'there is no `backend`' } : undefined;
  },
};

const PVCALLS: Kind = {
  key: 'pvcalls',
  fields: ['backend_domname', 'devid'],
  hasDevid: true,
  stopsWithoutValue: true,
  take(values, name, value) {
    if (name !== 'backend') return unknown(`Unknown string \`${name}' in pvcalls spec`, name);
    values.set('backend_domname', value);
    return undefined;
  },
};

const CONTROLLERS = new Map<string, JsonValue | undefined>([
  ['auto', undefined],
  ['pv', 'pv'],
  ['devicemodel', 'devicemodel'],
  ['qusb', 'qusb'],
]);

const USB_CONTROLLER: Kind = {
  key: 'usbctrl',
  fields: ['type', 'devid', 'version', 'ports'],
  hasDevid: true,
  stopsWithoutValue: false,
  take(values, name, value, part) {
    if (name === 'version' || name === 'ports') {
      values.set(name, nonzero(atoi(value)));
    } else if (name !== 'type') {
      return unknown(`Unknown string \`${part}' in usbctrl spec`, part);
    } else if (!choose(values, 'type', CONTROLLERS, value)) {
      return {
        line: `Invalid usb controller type '${value}'`,
        why: `\`${showBytes(value)}\` is no kind of controller`,
      };
    }
    return undefined;
  },
};

const HOST_DEVICE = 'type.hostdev';

const USB_DEVICE: Kind = {
  key: 'usbdev',
  fields: ['ctrl', 'port', HOST_DEVICE],
  hasDevid: false,
  stopsWithoutValue: false,
  take(values, name, value, part) {
    switch (name) {
      case 'type':
        // XEN: the line has the argument of an option of xl in it, not the value, and there is no such option.
        if (value.toLowerCase() !== 'hostdev') {
          return { line: 'Invalid usb device type: (null)', why: `\`${showBytes(value)}\` is no kind of device` };
        }
        values.set(HOST_DEVICE, { members: [] });
        return undefined;
      case 'hostbus':
      case 'hostaddr':
        values.set(name, nonzero(Number(BigInt.asUintN(8, strtoul(value)))));
        return undefined;
      case 'controller':
        values.set('ctrl', atoi(value) === -1 ? undefined : atoi(value));
        return undefined;
      case 'port':
        values.set('port', nonzero(atoi(value)));
        return undefined;
      default:
        return unknown(`Unknown string \`${part}' in usbdev spec`, part);
    }
  },
  close(values) {
    const isGiven = values.get(HOST_DEVICE) !== undefined;
    if (isGiven) values.set(HOST_DEVICE, { members: inOrder(['hostbus', 'hostaddr'], values) });
    return undefined;
  },
};

const KEYBOARDS = new Map<string, JsonValue | undefined>([
  ['unknown', undefined],
  ['qemu', 'qemu'],
  ['linux', 'linux'],
]);

const KEYBOARD_FLAGS = ['disable-keyboard', 'disable-pointer', 'abs-pointer', 'raw-pointer', 'multi-touch'].map(
  (name) => `feature-${name}`,
);
const TOUCH_SIZES = ['multi-touch-width', 'multi-touch-height', 'multi-touch-num-contacts'];
const KEYBOARD_NUMBERS = ['width', 'height', ...TOUCH_SIZES];
const fieldOf = (name: string): string => name.replaceAll('-', '_');

const KEYBOARD: Kind = {
  key: 'vkb',
  fields: [
    ...['backend_domname', 'devid', 'backend_type', 'unique_id'],
    ...[...KEYBOARD_FLAGS, ...KEYBOARD_NUMBERS].map(fieldOf),
  ],
  hasDevid: true,
  stopsWithoutValue: false,
  take(values, name, value, part) {
    if (name === 'backend') {
      values.set('backend_domname', value);
    } else if (name === 'unique-id') {
      values.set('unique_id', value);
    } else if (KEYBOARD_FLAGS.includes(name)) {
      values.set(fieldOf(name), strtoul(value) === 0n ? undefined : true);
    } else if (KEYBOARD_NUMBERS.includes(name)) {
      values.set(fieldOf(name), nonzero(Number(BigInt.asUintN(32, strtoul(value)))));
    } else if (name !== 'backend-type') {
      return unknown(`Unknown string "${part}" in vkb spec`, part);
    } else if (!choose(values, 'backend_type', KEYBOARDS, value)) {
      const line = `Unknown backend_type "${value}" in vkb spec`;
      return { line, why: `\`${showBytes(value)}\` is no value of \`backend-type\`` };
    }
    return undefined;
  },
  close(values) {
    if (values.get('backend_type') === undefined) {
      return { line: 'backend-type should be set in vkb spec', why: 'there is no `backend-type`' };
    }
    const hasSize = TOUCH_SIZES.some((name) => values.get(fieldOf(name)) !== undefined);
    if (hasSize) values.set('feature_multi_touch', true);
    if (hasSize || values.get('feature_multi_touch') === undefined) return undefined;
    const line = `${TOUCH_SIZES.join(', ')} should be set for multi touch in vkb spec`;
    return { line, why: 'multi touch needs a width, a height or a number of contacts' };
  },
};

type ListName = 'p9s' | 'vtpms' | 'pvcallsifs' | 'usbctrls' | 'usbdevs' | 'vkbs';

/** The lists that are read here, by libxl's names. */
const KINDS: Readonly<Record<ListName, Kind>> = {
  p9s: P9,
  vtpms: VTPM,
  pvcallsifs: PVCALLS,
  usbctrls: USB_CONTROLLER,
  usbdevs: USB_DEVICE,
  vkbs: KEYBOARD,
};

/** Reads the entries of one list; numbers begin after those that are there already. */
export function readNamedParts(reader: XlReader, list: ListName, first = 0): readonly Device[] {
  const kind = KINDS[list];
  const advisor = new DeviceAdvisor(reader, kind.key);
  let earlier: Values = new Map();
  return reader.specs(kind.key).map((spec, index) => {
    const own: Values = new Map(kind.hasDevid ? [['devid', first + index]] : []);
    const refused = readParts(advisor, kind, spec, own);
    // XEN: what an entry of `p9` leaves out, it has from the entry before.
    const values: Values = kind === P9 ? new Map([...earlier, ...own]) : own;
    const refusal = refused?.refusal ?? kind.close?.(values);
    const missing = kind === P9 && refusal === undefined ? kind.close?.(own) : undefined;
    if (refusal !== undefined) {
      reader.exit(1, refusal.line);
      advisor.refuse(spec, refused?.start ?? 0, refused?.end ?? 0, refusal.why);
    } else if (missing !== undefined) {
      advisor.refuse(spec, 0, 0, `${missing.why}, and xl takes that of the entry before`);
    }
    earlier = values;
    return { ...spec, members: inOrder(kind.fields, values) };
  });
}

/** Takes one part after another, up to one that ends xl. */
function readParts(
  advisor: DeviceAdvisor,
  kind: Kind,
  spec: DeviceSpec,
  values: Values,
): { readonly refusal: Refusal; readonly start: number; readonly end: number } | undefined {
  for (const part of partsOf(spec.text)) {
    const { name, value } = split(part);
    if (value === undefined && kind.stopsWithoutValue) {
      advisor.ignoreSilently(spec, part.start, spec.text.length, 'xl reads up to the first part without a value');
      return undefined;
    }
    const refusal = kind.take(values, value === undefined ? '' : name, value ?? '', part.text);
    if (refusal !== undefined) return { refusal, start: part.start, end: part.start + part.text.length };
  }
  return undefined;
}

function split({ text }: Part): { readonly name: string; readonly value: string | undefined } {
  const equals = text.indexOf('=');
  return equals === -1
    ? { name: text, value: undefined }
    : { name: text.slice(0, equals), value: text.slice(equals + 1) };
}
