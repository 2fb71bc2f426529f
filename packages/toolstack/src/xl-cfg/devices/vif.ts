/**
 * Reads an entry of `vif`: parts between commas. xl leaves out a part that it does not understand, and goes on.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_nic_config`, and `tools/libs/util/libxlu_vif.c`.
 *
 * @module
 */
import type { Device, DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import { showBytes } from '../show-text.ts';
import { parseUnsigned } from '../strtol.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor, inOrder, type Part, partsOf } from './device.ts';

/** The members for COLO, which have the names of their parts but for the first. */
const COLO_SOCKETS = [
  ...['mirror', 'compare_pri_in', 'compare_sec_in', 'compare_notify', 'redirector0', 'redirector1', 'redirector2'],
].flatMap((name) => ['id', 'ip', 'port'].map((end) => `colo_sock_${name}_${end}`));

const COLO = [
  ...COLO_SOCKETS,
  ...['colo_filter_mirror_queue', 'colo_filter_mirror_outdev', 'colo_filter_redirector0_queue'],
  ...['colo_filter_redirector0_indev', 'colo_filter_redirector0_outdev', 'colo_filter_redirector1_queue'],
  ...['colo_filter_redirector1_indev', 'colo_filter_redirector1_outdev', 'colo_compare_pri_in', 'colo_compare_sec_in'],
  ...['colo_compare_out', 'colo_compare_notify_dev', 'colo_sock_sec_redirector0_id', 'colo_sock_sec_redirector0_ip'],
  ...['colo_sock_sec_redirector0_port', 'colo_sock_sec_redirector1_id', 'colo_sock_sec_redirector1_ip'],
  ...['colo_sock_sec_redirector1_port', 'colo_filter_sec_redirector0_queue', 'colo_filter_sec_redirector0_indev'],
  ...['colo_filter_sec_redirector0_outdev', 'colo_filter_sec_redirector1_queue', 'colo_filter_sec_redirector1_indev'],
  ...['colo_filter_sec_redirector1_outdev', 'colo_filter_sec_rewriter0_queue', 'colo_checkpoint_host'],
  'colo_checkpoint_port',
];

// XEN: libxl_types.idl, device_nic
const FIELDS = [
  ...['backend_domname', 'devid', 'mtu', 'model', 'mac', 'ip', 'bridge', 'ifname', 'script', 'nictype'],
  ...['rate_bytes_per_interval', 'rate_interval_usecs', 'gatewaydev', 'coloft_forwarddev'],
  ...COLO,
  'trusted',
];

/** Parts that are texts, and the members that they fill. */
const TEXTS: ReadonlyMap<string, string> = new Map([
  ...['bridge', 'gatewaydev', 'ip', 'script', 'model', ...COLO].map((name) => [name, name] as const),
  ['netdev', 'gatewaydev'],
  ['backend', 'backend_domname'],
  ['vifname', 'ifname'],
  ['forwarddev', 'coloft_forwarddev'],
]);

const TYPES = new Map([
  ['vif', 'vif'],
  ['ioemu', 'vif_ioemu'],
]);

const MAC_BYTES = 6;

/** A network card while it is read. */
class VifEntry {
  readonly values: Map<string, JsonValue | undefined>;
  /** XEN: what `parse_nic_config` answers: xl leaves something out. */
  hasFailed = false;
  readonly #reader: XlReader;
  readonly #advisor: DeviceAdvisor;
  #spec: DeviceSpec;
  /** The bytes of the MAC address as far as one could be read. */
  readonly #mac: number[] = [0, 0, 0, 0, 0, 0];

  constructor(reader: XlReader, advisor: DeviceAdvisor, spec: DeviceSpec, index: number | undefined) {
    this.values = new Map(index === undefined ? [] : [['devid', index]]);
    this.#reader = reader;
    this.#advisor = advisor;
    this.#spec = spec;
  }

  /** Reads some parts of a text. */
  read(spec: DeviceSpec, parts: readonly Part[]): void {
    this.#spec = spec;
    for (const part of parts) this.#part(part);
    if (this.#mac.some((byte) => byte !== 0)) {
      this.values.set('mac', this.#mac.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));
    }
  }

  #part(part: Part): void {
    const equals = part.text.indexOf('=');
    const name = equals === -1 ? part.text : part.text.slice(0, equals);
    const value = part.text.slice(name.length + 1);
    const field = TEXTS.get(name);
    if (equals === -1) {
      if (name === 'trusted' || name === 'untrusted') this.values.set('trusted', name === 'trusted' ? 'True' : 'False');
      else this.#unknown(part);
    } else if (field !== undefined) {
      this.values.set(field, value);
      if (name === 'netdev') this.#deprecate(part, 'the netdev parameter is deprecated, please use gatewaydev instead');
    } else {
      this.#typed(part, name, value);
    }
  }

  #typed(part: Part, name: string, value: string): void {
    switch (name) {
      case 'type': {
        const type = TYPES.get(value);
        if (type === undefined) this.#fail(part, "Invalid parameter `type'.", 'values are `vif` and `ioemu`');
        else this.values.set('nictype', type);
        return;
      }
      case 'mac':
        this.#readMac(part);
        return;
      case 'rate':
        this.#readRate(part, value);
        return;
      case 'accel':
        this.#ignore(part, 'the accel parameter for vifs is currently not supported', 'xl does not support it');
        return;
      case 'devid':
      case 'mtu':
        this.#readNumber(part, name, value);
        return;
      default:
        this.#unknown(part);
    }
  }

  #unknown(part: Part): void {
    this.#fail(part, `unrecognized argument \`${part.text}'`, 'xl does not know it');
  }

  #fail(part: Part, line: string, why: string): void {
    this.hasFailed = true;
    this.#ignore(part, line, why);
  }

  #ignore(part: Part, line: string, why: string): void {
    this.#reader.say(line);
    this.#advisor.ignore(this.#spec, part.start, part.start + part.text.length, why);
  }

  #deprecate(part: Part, line: string): void {
    this.#reader.say(line);
    this.#advisor.deprecate(this.#spec, part.start, part.start + part.text.length, 'netdev', 'gatewaydev');
  }

  /**
   * Six numbers with one character between them, whichever it is.
   *
   * XEN: nobody looks whether the part has ended, so a short address goes on in the part after it.
   */
  #readMac(part: Part): void {
    const { text } = this.#spec;
    // strtok put an end after the part, and after that the text is as it was.
    const partEnd = part.start + part.text.length;
    let at = part.start + 'mac='.length;
    for (let index = 0; index < MAC_BYTES; index++) {
      const end = at <= partEnd ? partEnd : text.length;
      const found = at > text.length ? undefined : parseUnsigned(text.slice(0, end), at, 16);
      const byte = Number(BigInt.asUintN(32, found?.value ?? 256n));
      if (found === undefined || byte > 255) {
        this.#badMac(part, index);
        return;
      }
      this.#mac[index] = byte;
      at = found.end + 1;
    }
    if (at - 1 < partEnd) this.#advisor.ignoreSilently(this.#spec, at - 1, partEnd, 'a MAC address has six bytes');
    if (at - 1 > partEnd) this.#refuse(part, 'xl reads the end of the MAC address out of the next part');
  }

  /** xl says that it is wrong, but keeps the bytes that it could read. */
  #badMac(part: Part, bytes: number): void {
    this.hasFailed = true;
    const why = `\`${showBytes(part.text)}\` is no MAC address: one is written as \`00:16:3e:12:34:56\``;
    if (bytes === 0) this.#ignore(part, "Invalid parameter `mac'.", 'a MAC address is six pairs of hexadecimal digits');
    else {
      this.#reader.say("Invalid parameter `mac'.");
      this.#refuse(part, why);
    }
  }

  #readNumber(part: Part, name: string, value: string): void {
    const found = parseUnsigned(value, 0, 10);
    if (found === undefined || found.value === 2n ** 64n - 1n) {
      this.#reader.exit(1, `xl: failed to convert "${value}" to number`);
      this.#refuse(part, `\`${showBytes(value)}\` is no number`);
      return;
    }
    const number = Number(BigInt.asIntN(32, found.value));
    this.values.set(name, number === (name === 'devid' ? -1 : 0) ? undefined : number);
  }

  #refuse(part: Part, why: string): void {
    this.#advisor.refuse(this.#spec, part.start, part.start + part.text.length, why);
  }

  #readRate(part: Part, value: string): void {
    const rate = parseRate(value);
    if (rate.kind === 'rate') {
      this.values.set('rate_bytes_per_interval', rate.bytes === 0n ? undefined : rate.bytes);
      this.values.set('rate_interval_usecs', rate.interval === 0n ? undefined : rate.interval);
      return;
    }
    const { name } = this.#reader.cfg.source;
    this.#reader.exit(1, `${name}: config parsing error in vif: ${rate.message} in \`${rate.near}'`);
    this.#refuse(part, `\`${showBytes(value)}\` is no rate: one is written as \`10Mb/s@50ms\``);
  }
}

type Rate =
  | { readonly kind: 'rate'; readonly bytes: bigint; readonly interval: bigint }
  | { readonly kind: 'error'; readonly message: string; readonly near: string };

const UINT32_MAX = 2n ** 32n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;
const SCALES = new Map([
  ['G', 1_000_000_000n],
  ['M', 1_000_000n],
  ['K', 1000n],
]);

/** No more digits than this are looked at: a number with more of them is too large. */
const MOST_DIGITS = 64;

/** The digits as C reads them with base 0; 0 stands for what is no number or does not fit. */
function rateNumber(digits: string): { readonly value: bigint; readonly rest: string } {
  const isOctal = /^0[0-9]/.test(digits);
  const run = isOctal ? (/^0[0-7]*/.exec(digits)?.[0] ?? '0') : digits;
  const significant = run.replace(/^0+(?=.)/, '');
  const value = significant.length > MOST_DIGITS ? UINT64_MAX : BigInt(isOctal ? `0o${significant}` : significant);
  return { value, rest: digits.slice(run.length) };
}

function parseRate(rate: string): Rate {
  const sign = rate.indexOf('@');
  const bytes = sign === -1 ? rate : rate.slice(0, sign);
  const error = (message: string, near: string): Rate => ({ kind: 'error', message, near });
  if (bytes === '') return error('no rate specified', rate);
  const match = /^([0-9]+)([GMK]?)([Bb])\/s$/.exec(bytes);
  if (match === null) return error('invalid rate', bytes);
  const number = rateNumber(match[1] ?? '');
  if (number.value === 0n || number.value > UINT32_MAX) return error('rate overflow', bytes);
  // XEN: the unit is looked for where the number ended, which is before an 8 or 9 that is no octal digit.
  const unit = `${number.rest}${match[2]}${match[3]}/s`;
  let perSecond = number.value * (SCALES.get(unit.charAt(0)) ?? 1n);
  if (unit.startsWith('b') || unit.charAt(1) === 'b') perSecond /= 8n;
  const interval = sign === -1 ? 50_000n : parseInterval(rate.slice(sign + 1));
  if (typeof interval !== 'bigint') return interval;
  if (interval !== 0n && perSecond > UINT64_MAX / interval) return error('rate overflow', rate);
  return { kind: 'rate', bytes: (perSecond * interval) / 1_000_000n, interval };
}

function parseInterval(text: string): bigint | Rate {
  const match = /^([0-9]+)([mu]?s?)$/.exec(text);
  if (match === null) return { kind: 'error', message: 'invalid replenishment interval', near: text };
  const overflow: Rate = { kind: 'error', message: 'replenishment interval overflow', near: text };
  const number = rateNumber(match[1] ?? '');
  if (number.value === 0n || number.value > UINT32_MAX) return overflow;
  const unit = `${number.rest}${match[2]}`;
  const scale = unit === '' || unit.startsWith('s') ? 1_000_000n : unit.startsWith('m') ? 1000n : 1n;
  const microseconds = number.value * scale;
  return microseconds > UINT32_MAX ? overflow : microseconds;
}

/** Reads the entries of `vif`. */
export function readVifs(reader: XlReader): readonly Device[] {
  const advisor = new DeviceAdvisor(reader, 'vif');
  return reader.specs('vif').map((spec, index) => {
    const entry = new VifEntry(reader, advisor, spec, index);
    entry.read(spec, partsOf(spec.text));
    return { ...spec, members: inOrder(FIELDS, entry.values) };
  });
}

/** Reads one network card out of words, each of which is one part; the first that xl does not understand ends it. */
export function readVifWords(
  reader: XlReader,
  advisor: DeviceAdvisor,
  words: readonly DeviceSpec[],
  whole: DeviceSpec,
): Device {
  const entry = new VifEntry(reader, advisor, whole, undefined);
  for (const word of words) {
    entry.read(word, [{ text: word.text, start: 0 }]);
    if (entry.hasFailed) reader.exit(1);
    if (reader.end !== undefined) break;
  }
  return { ...whole, members: inOrder(FIELDS, entry.values) };
}
