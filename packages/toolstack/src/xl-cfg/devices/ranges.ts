/**
 * Reads `ioports`, `irqs` and `iomem`: what of the machine is given to the guest.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`.
 *
 * @module
 */
import type { DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import { showBytes } from '../show-text.ts';
import { parseUnsigned, scanHex } from '../strtol.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor } from './device.ts';

const UINT32_MAX = 2n ** 32n - 1n;

/** What reads one entry: its JSON, or what xl says before it exits. */
type Entry =
  | { readonly kind: 'value'; readonly json: JsonValue; readonly warning?: string }
  | { readonly kind: 'refused'; readonly line: string; readonly why: string };

const refused = (line: string, why: string): Entry => ({ kind: 'refused', line, why });

const members = (...pairs: readonly (readonly [string, bigint, bigint])[]): JsonValue => ({
  members: pairs.flatMap(([name, value, byDefault]) => (value === byDefault ? [] : [[name, value] as const])),
});

function readPorts(text: string): Entry {
  const line = `xl: Invalid argument parsing ioport: ${text}`;
  const why = `\`${showBytes(text)}\` is no range of ports: one is written in hexadecimal, as \`3f8-3ff\``;
  const tooBig = (port: bigint): Entry => refused(`xl: ioport ${port.toString(16)} too big`, why);
  const first = parseUnsigned(text, 0, 16);
  if (first === undefined) return refused(line, why);
  if (first.value >= UINT32_MAX) return tooBig(first.value);
  let last = first.value;
  const isRange = text.charAt(first.end) === '-';
  if (isRange) {
    const end = parseUnsigned(text, first.end + 1, 16);
    if (end === undefined || end.end !== text.length) return refused(line, why);
    if (end.value >= UINT32_MAX) return tooBig(end.value);
    last = end.value;
  }
  // XEN: the ends of a range are not compared, so one that is turned around wraps.
  const count = BigInt.asUintN(32, last - first.value + 1n);
  const json = members(['first', first.value, 0n], ['number', count, 0n]);
  return isRange || first.end === text.length ? { kind: 'value', json } : { kind: 'value', json, warning: line };
}

function readIrq(text: string): Entry {
  const why = `\`${showBytes(text)}\` is no number of an interrupt`;
  const found = parseUnsigned(text, 0, 10);
  if (found === undefined || found.end !== text.length)
    return refused(`xl: Invalid argument parsing irq: ${text}`, why);
  if (found.value >= UINT32_MAX) return refused(`xl: irq ${found.value.toString(16)} too big`, why);
  return { kind: 'value', json: found.value };
}

const INVALID_GFN = 2n ** 64n - 1n;

function readMemory(text: string): Entry {
  const why = `\`${showBytes(text)}\` is no range of pages: one is written in hexadecimal, as \`fed00,1\` or \`fed00,1@e0000\``;
  const bad = refused(`xl: Invalid argument parsing iomem: ${text}`, why);
  const start = scanHex(text, 0, 64);
  if (start === undefined || text.charAt(start.end) !== ',') return bad;
  const count = scanHex(text, start.end + 1, 64);
  if (count === undefined) return bad;
  const place = text.charAt(count.end) === '@' ? scanHex(text, count.end + 1, 64) : undefined;
  if ((place ?? count).end !== text.length) return bad;
  const gfn = place?.value ?? INVALID_GFN;
  const json = members(['start', start.value, 0n], ['number', count.value, 0n], ['gfn', gfn, INVALID_GFN]);
  return { kind: 'value', json };
}

const RESOURCES = [
  ['ioports', 'b_info.ioports', readPorts, (index: number) => `#${index} in ioport`],
  ['irqs', 'b_info.irqs', readIrq, (index: number) => `${index} in irq`],
  ['iomem', 'b_info.iomem', readMemory, (index: number) => `${index} in iomem`],
] as const;

/** Reads all three. */
export function readResources(reader: XlReader): void {
  for (const [key, path, read, place] of RESOURCES) {
    const list = reader.list(key);
    if (list === undefined) continue;
    const advisor = new DeviceAdvisor(reader, key);
    const found: JsonValue[] = [];
    for (const [index, item] of list.items.entries()) {
      const spec: DeviceSpec = {
        text: item.kind === 'string' ? item.text : '',
        origin: { kind: 'written', span: item.span },
      };
      const entry =
        item.kind === 'string'
          ? read(item.text)
          : refused(`xl: Unable to get element ${place(index)} list`, 'an entry cannot be a list');
      if (entry.kind === 'refused') {
        reader.exit(1, entry.line);
        advisor.refuse(spec, 0, 0, entry.why);
        continue;
      }
      if (entry.warning !== undefined) {
        reader.say(entry.warning);
        advisor.refuse(spec, 0, 0, `\`${showBytes(spec.text)}\` goes on after the number, and xl takes the number`);
      }
      found.push(entry.json);
    }
    reader.assign(path, found.length === 0 ? undefined : found);
  }
}
