/**
 * Reads an entry of `vsnd`: a virtual sound card, its PCM devices and their streams.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_vsnd_card_config` and `parse_vsnd_item`.
 *
 * @module
 */
import type { Device, DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import type { XlValue } from '../settings.ts';
import { showBytes } from '../show-text.ts';
import { strtoul } from '../strtol.ts';
import { leadingStrings } from '../typed-readers.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor, inOrder, type Part, partsOf } from './device.ts';

// XEN: libxl_types.idl, vsnd_pcm_format
const FORMATS = new Set([
  ...['s8', 'u8', 's16_le', 's16_be', 'u16_le', 'u16_be', 's24_le', 's24_be', 'u24_le', 'u24_be', 's32_le', 's32_be'],
  ...['u32_le', 'u32_be', 'f32_le', 'f32_be', 'f64_le', 'f64_be', 'iec958_subframe_le', 'iec958_subframe_be'],
  ...['mu_law', 'a_law', 'ima_adpcm', 'mpeg', 'gsm'],
]);

type Values = Map<string, JsonValue | undefined>;

interface Stream {
  readonly own: Values;
  readonly params: Values;
}

interface Pcm extends Stream {
  readonly streams: Stream[];
}

/** What ends xl: the line that it writes, if any, and why it is wrong. */
interface Refusal {
  readonly line: string | undefined;
  readonly why: string;
  readonly signal?: string;
}

const fresh = (): Stream => ({ own: new Map(), params: new Map() });

const uint32 = (text: string): number => Number(BigInt.asUintN(32, strtoul(text)));

const NUMBERS: ReadonlyMap<string, string> = new Map([
  ['channels-min', 'channels_min'],
  ['channels-max', 'channels_max'],
  ['buffer-size', 'buffer_size'],
]);

const PARAMS = ['sample_rates', 'sample_formats', 'channels_min', 'channels_max', 'buffer_size'];

/** One card, as its items are read. */
class Card {
  readonly #own: Values;
  readonly #params: Values = new Map();
  readonly #pcms: Pcm[] = [];

  constructor(index: number) {
    this.#own = new Map([['devid', index]]);
  }

  /** The first word of an item says what it is about. XEN: `parse_vsnd_create_item` */
  begin(key: string): Refusal | undefined {
    const kind = key.toLowerCase();
    if (kind === 'card') return undefined;
    if (kind !== 'pcm' && kind !== 'stream') {
      return {
        line: `Invalid key: ${key}`,
        why: `\`${showBytes(key)}\` is neither \`card\` nor \`pcm\` nor \`stream\``,
      };
    }
    if (kind === 'pcm' || this.#pcms.length === 0) this.#pcms.push({ ...fresh(), streams: [] });
    if (kind === 'stream') this.#pcms.at(-1)?.streams.push(fresh());
    return undefined;
  }

  take(key: string, name: string, value: string, part: string): Refusal | undefined {
    const pcm = this.#pcms.at(-1);
    switch (key.toLowerCase()) {
      case 'card':
        return takeParameter(this.#params, name, value) ?? this.#takeOfCard(name, value, part);
      case 'pcm':
        return pcm === undefined
          ? undefined
          : (takeParameter(pcm.params, name, value) ?? takeOwn(pcm.own, PCM, name, value, part));
      default: {
        const stream = pcm?.streams.at(-1);
        if (stream === undefined) return undefined;
        return takeParameter(stream.params, name, value) ?? takeOfStream(stream.own, name, value, part);
      }
    }
  }

  #takeOfCard(name: string, value: string, part: string): Refusal | undefined {
    return takeOwn(this.#own, CARD, name, value, part);
  }

  get members(): Device['members'] {
    const streamJson = ({ own, params }: Stream): JsonValue => ({
      members: [...inOrder(['unique_id', 'type'], own), ['params', paramsJson(params)]],
    });
    const pcms = this.#pcms.map(
      ({ own, params, streams }): JsonValue => ({
        members: [
          ...inOrder(['name'], own),
          ['params', paramsJson(params)],
          ...(streams.length === 0 ? [] : [['streams', streams.map(streamJson)] as const]),
        ],
      }),
    );
    return [
      ...inOrder(['backend_domname', 'devid', 'short_name', 'long_name'], this.#own),
      ['params', paramsJson(this.#params)],
      ...(pcms.length === 0 ? [] : [['pcms', pcms] as const]),
    ];
  }
}

const paramsJson = (params: Values): JsonValue => ({ members: inOrder(PARAMS, params) });

const CARD: ReadonlyMap<string, string> = new Map([
  ['backend', 'backend_domname'],
  ['short-name', 'short_name'],
  ['long-name', 'long_name'],
]);

const PCM: ReadonlyMap<string, string> = new Map([['name', 'name']]);

/** The parameter was taken, and nothing is wrong with it. */
const TAKEN: Refusal = { line: undefined, why: '' };

const invalid = (part: string): Refusal => ({
  line: `Invalid parameter: ${part}`,
  why: `xl does not know \`${showBytes(part)}\``,
});

function takeOwn(own: Values, fields: ReadonlyMap<string, string>, name: string, value: string, part: string): Refusal {
  const field = fields.get(name);
  if (field === undefined) return invalid(part);
  own.set(field, value);
  return TAKEN;
}

function takeOfStream(own: Values, name: string, value: string, part: string): Refusal {
  if (name !== 'type') return takeOwn(own, new Map([['unique-id', 'unique_id']]), name, value, part);
  const type = value.toLowerCase();
  if (type !== 'p' && type !== 'c') {
    return { line: `Invalid stream type: ${value}`, why: `\`${showBytes(value)}\` is neither \`p\` nor \`c\`` };
  }
  own.set('type', type);
  return TAKEN;
}

/** What cards, PCM devices and streams have in common; undefined where it is none of that. XEN: `parse_vsnd_params` */
function takeParameter(params: Values, name: string, value: string): Refusal | undefined {
  const number = NUMBERS.get(name);
  if (number !== undefined) {
    params.set(number, uint32(value) === 0 ? undefined : uint32(value));
    return TAKEN;
  }
  if (name !== 'sample-rates' && name !== 'sample-formats') return undefined;
  const items = value.split(';').filter((piece) => piece !== '');
  // XEN: split_string_into_string_list copies a first part that is not there.
  if (items.length === 0) return { line: undefined, why: `\`${name}\` is empty`, signal: 'SIGSEGV' };
  if (name === 'sample-rates') {
    params.set('sample_rates', items.map(uint32));
    return TAKEN;
  }
  const formats = items.map((item) => item.toLowerCase());
  const bad = formats.findIndex((format) => !FORMATS.has(format));
  if (bad !== -1) {
    const text = items[bad] ?? '';
    return { line: `Invalid pcm format: ${text}`, why: `\`${showBytes(text)}\` is no format of samples` };
  }
  params.set('sample_formats', formats);
  return TAKEN;
}

/** Reads the entries of `vsnd`. */
export function readSoundCards(reader: XlReader): readonly Device[] {
  const advisor = new DeviceAdvisor(reader, 'vsnd');
  return (reader.list('vsnd')?.items ?? []).map((item, index) => readCard(reader, advisor, item, index));
}

function readCard(reader: XlReader, advisor: DeviceAdvisor, item: XlValue, index: number): Device {
  const whole: DeviceSpec = {
    text: item.kind === 'string' ? item.text : '',
    origin: { kind: 'written', span: item.span },
  };
  if (item.kind === 'string') {
    reader.say(`${item.span.source.name}:${item.line}:0: warning: value is not a list`);
    reader.exit(1, 'Failed to get vsnd card list: Invalid argument');
    advisor.refuse(whole, 0, 0, 'a card is a list of its own');
    return { ...whole, members: [] };
  }
  const card = new Card(index);
  for (const { text, span } of leadingStrings(item)) {
    if (!readItem(reader, advisor, card, { text, origin: { kind: 'written', span } })) break;
  }
  return { ...whole, members: card.members };
}

/** Reads one item of a card; false where xl has ended. */
function readItem(reader: XlReader, advisor: DeviceAdvisor, card: Card, spec: DeviceSpec): boolean {
  const refuse = ({ text, start }: Part, refusal: Refusal): false => {
    if (refusal.signal !== undefined) reader.die(refusal.signal);
    else reader.exit(1, refusal.line);
    advisor.refuse(spec, start, start + text.length, refusal.why);
    return false;
  };
  const [first, ...rest] = partsOf(spec.text);
  if (first === undefined) return true;
  const refusal = card.begin(first.text);
  if (refusal !== undefined) return refuse(first, refusal);
  for (const part of rest) {
    const equals = part.text.indexOf('=');
    const name = equals === -1 ? '' : part.text.slice(0, equals);
    const found = card.take(first.text, name, part.text.slice(equals + 1), part.text);
    if (found !== undefined && found !== TAKEN) return refuse(part, found);
  }
  return true;
}
