/**
 * Files that say which PCI devices a simulated host has: a device a line, `#` begins a comment.
 *
 *     0000:03:00.0  ports=e000-e01f  memory=fb200000-fb2fffff,fb3f0000-fb3f3fff  irq=33
 *
 * Ports and addresses are hexadecimal, as Linux writes them in `/proc/ioports` and `/proc/iomem`, and both ends belong to a
 * range. Imports: `@dewar/policy/text`, `@dewar/hypervisor`, `@dewar/toolstack`.
 *
 * @module
 */
import type { HostPciDevice } from '@dewar/hypervisor';
import type { Origin, Report, SourceText } from '@dewar/policy/text';
import { parseSbdf } from '@dewar/toolstack';
import { deviceFile as report } from './diagnostics.ts';

/** More devices than this are in no file. */
export const DEVICE_LIMIT = 4096;

/** Ranges of one kind that a device can have: six base addresses, an expansion ROM, and room for bridges. */
const RANGE_LIMIT = 16;

const PORT_LIMIT = 0x1_0000n;
/** XEN: a physical address of x86 has 52 bits. */
const ADDRESS_LIMIT = 1n << 52n;
const IRQ_LIMIT = 1024;
const PAGE_SIZE = 4096n;

/** A range of numbers, both ends included. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** A word of a line, and where it stands. */
interface Word {
  readonly text: string;
  readonly origin: Origin;
}

/** Ranges after `ports=` or `memory=`; undefined where one of them is none. */
function readRanges(text: string, limit: bigint): Range[] | undefined {
  const parts = text.split(',', RANGE_LIMIT + 1);
  if (parts.length > RANGE_LIMIT) return undefined;
  const ranges: Range[] = [];
  for (const part of parts) {
    const [, low = '', high = low] = /^([0-9a-f]{1,16})(?:-([0-9a-f]{1,16}))?$/i.exec(part) ?? [];
    if (low === '') return undefined;
    const [first, last] = [BigInt(`0x${low}`), BigInt(`0x${high}`)];
    if (last < first || last >= limit) return undefined;
    ranges.push({ first, last });
  }
  return ranges;
}

/** XEN: `pci_add_dm_done`: whole pages are handed out. */
function framesOf({ first, last }: Range): { readonly first: number; readonly count: number } {
  const frame = first / PAGE_SIZE;
  return { first: Number(frame), count: Number(last / PAGE_SIZE - frame) + 1 };
}

/** What the words after the address say. */
type Parts = Omit<HostPciDevice, 'sbdf'>;

/** Adds what one word says; the reason where it says nothing. */
function readPart(parts: Parts, word: string): Parts | string {
  const [, name = '', value = ''] = /^(ports|memory|irq)=(.*)$/.exec(word) ?? [];
  if (name === 'ports') {
    const ranges = readRanges(value, PORT_LIMIT);
    if (ranges === undefined) return 'range of I/O ports: one is written as `ports=e000-e01f`';
    const ports = ranges.map(({ first, last }) => ({ first: Number(first), count: Number(last - first) + 1 }));
    return { ...parts, ports: [...parts.ports, ...ports] };
  }
  if (name === 'memory') {
    const ranges = readRanges(value, ADDRESS_LIMIT);
    if (ranges === undefined) return 'range of memory: one is written as `memory=fb200000-fb2fffff`';
    return { ...parts, frames: [...parts.frames, ...ranges.map(framesOf)] };
  }
  if (name === 'irq') {
    const irq = /^[0-9]{1,4}$/.test(value) ? Number(value) : IRQ_LIMIT;
    return irq < IRQ_LIMIT
      ? { ...parts, irq }
      : `interrupt line: one is written as \`irq=33\`, and is below ${IRQ_LIMIT}`;
  }
  return 'part of a device: those are `ports=`, `memory=` and `irq=`';
}

/** The words of a line before its comment. */
function wordsOf(source: SourceText, line: string, start: number): Word[] {
  const text = line.replace(/#.*$/, '');
  return [...text.matchAll(/[^ \t\r]+/g)].map((match) => {
    const at = start + match.index;
    return { text: match[0], origin: { kind: 'written', span: { source, start: at, end: at + match[0].length } } };
  });
}

/** Reads the devices of a file, in its order. Where something is reported, the file is not to be used. */
export function readDeviceFile(source: SourceText, tell: Report): HostPciDevice[] {
  const devices = new Map<number, HostPciDevice>();
  let start = 0;
  for (const line of source.text.split('\n')) {
    const [address, ...words] = wordsOf(source, line, start);
    start += line.length + 1;
    if (address === undefined) continue;
    const sbdf = parseSbdf(address.text);
    if (sbdf === undefined) {
      tell(report['bad-device'](address.origin, { text: address.text, what: 'address of a device: `0000:03:00.0`' }));
      continue;
    }
    if (devices.has(sbdf)) {
      tell(report['repeated-device'](address.origin, { device: address.text }));
      continue;
    }
    if (devices.size >= DEVICE_LIMIT) {
      tell(report['too-many-devices'](address.origin, { limit: DEVICE_LIMIT }));
      break;
    }
    let parts: Parts = { ports: [], frames: [], irq: undefined };
    for (const { text, origin } of words) {
      const read = readPart(parts, text);
      if (typeof read === 'string') tell(report['bad-device'](origin, { text, what: read }));
      else parts = read;
    }
    devices.set(sbdf, { sbdf, ...parts });
  }
  return [...devices.values()];
}
