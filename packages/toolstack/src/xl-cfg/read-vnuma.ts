/**
 * Reads `vnuma`: the NUMA nodes that the guest is to see.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_vnuma_config`.
 *
 * @module
 */
import { DeviceAdvisor } from './devices/device.ts';
import type { DeviceSpec } from './domain-config.ts';
import type { JsonValue } from './json.ts';
import { kibibytes } from './members.ts';
import type { XlValue } from './settings.ts';
import { showBytes } from './show-text.ts';
import { parseUnsigned } from './strtol.ts';
import type { XlReader } from './xl-reader.ts';

const ULONG_MAX = 2n ** 64n - 1n;

/** xl counts through a range of virtual CPUs one by one. More than this it never ends, for anyone who waits. */
const MOST_COUNTED = 2n ** 32n;

const MOST_NODES = 1024;

/** A node, as far as it is read. */
interface Node {
  memkb: bigint | undefined;
  pnode: number;
  readonly vcpus: Set<number>;
  readonly distances: number[];
}

/** What `vnuma` says of the guest's size. */
export interface VnumaSize {
  readonly maxVcpus: bigint;
  readonly maxMemoryKib: bigint;
}

/** What is known of the guest's size when `vnuma` is read. */
export interface SizeBefore {
  /** `maxvcpus`; 0 where it is not set. */
  readonly maxVcpus: bigint;
  readonly maxMemoryKib: bigint | undefined;
  readonly hostCpus: number;
  readonly hostNodes: number;
}

/** C's `isspace`. */
const trim = (text: string): string => text.replace(/^[ \t\n\v\f\r]+/, '').replace(/[ \t\n\v\f\r]+$/, '');

/** Pieces as C's `strtok` finds them. */
const pieces = (text: string, delimiter: string): string[] => text.split(delimiter).filter((piece) => piece !== '');

/** Reads the nodes one after another, up to what ends xl. */
class VnumaReader {
  readonly #reader: XlReader;
  readonly #advisor: DeviceAdvisor;
  readonly #before: SizeBefore;
  /** How many virtual CPUs a node's bitmap has room for. */
  readonly #width: number;
  readonly nodes: Node[];
  vcpus = 0n;
  memoryKib = 0n;

  constructor(reader: XlReader, before: SizeBefore, count: number) {
    this.#reader = reader;
    this.#advisor = new DeviceAdvisor(reader, 'vnuma');
    this.#before = before;
    const bits = before.maxVcpus === 0n ? before.hostCpus : Number(before.maxVcpus);
    this.#width = Math.ceil(bits / 8) * 8;
    this.nodes = Array.from({ length: count }, () => ({
      memkb: undefined,
      pnode: 0,
      vcpus: new Set(),
      distances: new Array<number>(count).fill(0),
    }));
  }

  #refuse(spec: DeviceSpec, line: string, why: string): false {
    this.#reader.exit(1, line);
    this.#advisor.refuse(spec, 0, 0, why);
    return false;
  }

  /** XEN: `parse_ulong` */
  #number(spec: DeviceSpec, text: string): bigint | undefined {
    const found = parseUnsigned(text, 0, 10);
    if (found !== undefined && found.value !== ULONG_MAX) return found.value;
    this.#refuse(spec, `xl: failed to convert "${text}" to number`, `\`${showBytes(text)}\` is no number`);
    return undefined;
  }

  /** Reads one node; false where xl has ended. */
  take(item: XlValue, node: Node): boolean {
    const spec: DeviceSpec = { text: '', origin: { kind: 'written', span: item.span } };
    if (item.kind !== 'list') {
      this.#reader.say(`${item.span.source.name}:${item.line}:0: warning: value is not a list`);
      return this.#refuse(spec, 'xl: cannot get vnode config option list', 'a node is a list of its own');
    }
    for (const option of item.items) {
      if (option.kind !== 'string') continue;
      const inner: DeviceSpec = { text: option.text, origin: { kind: 'written', span: option.span } };
      if (!this.#takeOption(inner, node)) return false;
    }
    return true;
  }

  #takeOption(spec: DeviceSpec, node: Node): boolean {
    const [name, given] = pieces(spec.text, '=');
    if (name === undefined || given === undefined) {
      const why = `\`${showBytes(spec.text)}\` has no value`;
      return this.#refuse(spec, `xl: failed to split "${spec.text}" into pair`, why);
    }
    const value = trim(given);
    switch (trim(name)) {
      case 'pnode':
        return this.#takePnode(spec, node, value);
      case 'size': {
        const size = this.#number(spec, value);
        if (size === undefined) return false;
        node.memkb = kibibytes(size);
        this.memoryKib = BigInt.asUintN(64, this.memoryKib + node.memkb);
        return true;
      }
      case 'vcpus':
        return this.#takeVcpus(spec, node, value);
      case 'vdistances':
        return this.#takeDistances(spec, node, value);
      default:
        this.#advisor.ignoreSilently(spec, 0, spec.text.length, 'xl does not know it');
        return true;
    }
  }

  #takePnode(spec: DeviceSpec, node: Node, value: string): boolean {
    const number = this.#number(spec, value);
    if (number === undefined) return false;
    if (number >= BigInt(this.#before.hostNodes)) {
      return this.#refuse(spec, `xl: invalid pnode number: ${number}`, `the host has no node ${number}`);
    }
    node.pnode = Number(number);
    this.#reader.assign('b_info.numa_placement', 'False');
    return true;
  }

  /** XEN: what `parse_range` says of the text is not looked at: a number is taken as far as it goes. */
  #takeVcpus(spec: DeviceSpec, node: Node, value: string): boolean {
    const ranges = pieces(value, ',');
    if (ranges.length === 0) return this.#dies(spec, 'it names no virtual CPU');
    for (const text of ranges) {
      const first = parseUnsigned(text, 0, 10);
      const from = first?.value ?? 0n;
      const second =
        first !== undefined && from !== ULONG_MAX && text.charAt(first.end) === '-'
          ? (parseUnsigned(text, first.end + 1, 10) ?? { value: 0n, end: first.end + 1 })
          : undefined;
      const to = second?.value ?? from;
      if (!/^[0-9]+(?:-[0-9]+)?$/.test(text)) {
        this.#advisor.ignoreSilently(spec, 0, spec.text.length, `xl takes \`${showBytes(text)}\` for ${from} to ${to}`);
      }
      if (to - from >= MOST_COUNTED || to === ULONG_MAX)
        return this.#dies(spec, `xl does not get to the end of \`${showBytes(text)}\``);
      for (let vcpu = from; vcpu <= to && vcpu < this.#width; vcpu++) node.vcpus.add(Number(vcpu));
      if (to >= from) this.vcpus += to - from + 1n;
    }
    return true;
  }

  #takeDistances(spec: DeviceSpec, node: Node, value: string): boolean {
    const distances = pieces(value, ',');
    if (distances.length === 0) return this.#dies(spec, 'it names no distance');
    // XEN: what is too many is written behind the array, and xl may die of it then or later.
    if (distances.length > node.distances.length) return this.#dies(spec, 'there are more distances than nodes');
    for (const [index, text] of distances.entries()) {
      const distance = this.#number(spec, text);
      if (distance === undefined) return false;
      node.distances[index] = Number(BigInt.asUintN(32, distance));
    }
    return true;
  }

  #dies(spec: DeviceSpec, why: string): false {
    this.#reader.die('SIGSEGV');
    this.#advisor.refuse(spec, 0, 0, why);
    return false;
  }

  /** Holds the nodes against `maxvcpus` and `maxmem`, or sets those. */
  close(origin: DeviceSpec['origin']): VnumaSize | undefined {
    const { maxVcpus, maxMemoryKib, hostCpus } = this.#before;
    const spec: DeviceSpec = { text: '', origin };
    if (maxVcpus !== 0n && BigInt.asUintN(64, maxVcpus) !== this.vcpus) {
      this.#refuse(
        spec,
        'xl: vnuma vcpus and maxvcpus= mismatch',
        `its virtual CPUs are ${this.vcpus}, not ${maxVcpus}`,
      );
      return undefined;
    }
    if (maxVcpus === 0n && this.vcpus > BigInt(hostCpus)) {
      const line = 'xl: vnuma specifies more vcpus than pcpus, use maxvcpus= to override this check.';
      this.#refuse(spec, line, `the host has ${hostCpus} CPUs, and \`maxvcpus\` is not set`);
      return undefined;
    }
    if (maxMemoryKib !== undefined && maxMemoryKib !== this.memoryKib) {
      this.#refuse(
        spec,
        'xl: maxmem and vnuma memory size mismatch',
        `its memory is ${this.memoryKib} KiB, not ${maxMemoryKib}`,
      );
      return undefined;
    }
    return { maxVcpus: maxVcpus === 0n ? BigInt.asIntN(32, this.vcpus) : maxVcpus, maxMemoryKib: this.memoryKib };
  }

  get json(): JsonValue {
    return this.nodes.map(({ memkb, pnode, vcpus, distances }): JsonValue => {
      const members: (readonly [string, JsonValue])[] = [];
      if (memkb !== undefined) members.push(['memkb', memkb]);
      members.push(['distances', distances]);
      if (pnode !== 0) members.push(['pnode', pnode]);
      if (vcpus.size > 0) members.push(['vcpus', [...vcpus].sort((a, b) => a - b)]);
      return { members };
    });
  }
}

/** Reads `vnuma`. What it says of the size counts where `maxvcpus` and `maxmem` are not set. */
export function readVnuma(reader: XlReader, before: SizeBefore): VnumaSize | undefined {
  const list = reader.list('vnuma', 'silent');
  const origin = reader.origin('vnuma');
  if (list === undefined || origin === undefined || list.items.length === 0) return undefined;
  if (before.maxVcpus < 0n) {
    reader.exit(1, 'libxl_node_bitmap_alloc failed.');
    return undefined;
  }
  if (list.items.length > MOST_NODES) {
    // Each node has a distance to each: what xl would print is longer than anyone reads.
    const why = `a guest has no more than ${MOST_NODES} nodes`;
    new DeviceAdvisor(reader, 'vnuma').refuse({ text: '', origin }, 0, 0, why);
    return undefined;
  }
  const nodes = new VnumaReader(reader, before, list.items.length);
  for (const [index, item] of list.items.entries()) {
    const node = nodes.nodes[index];
    if (node === undefined || !nodes.take(item, node)) return undefined;
  }
  const size = nodes.close(origin);
  if (size !== undefined) reader.assign('b_info.vnuma_nodes', nodes.json);
  return size;
}
