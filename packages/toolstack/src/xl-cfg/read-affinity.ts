/**
 * Reads `cpus` and `cpus_soft`: the CPUs of the host that virtual CPUs run on.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_vcpu_affinity` and `parse_cpurange`.
 *
 * @module
 */
import { cfg as report } from './diagnostics.ts';
import type { DeviceSpec } from './domain-config.ts';
import type { JsonValue } from './json.ts';
import { showBytes } from './show-text.ts';
import { parseUnsigned } from './strtol.ts';
import type { XlDefaults } from './xl-defaults.ts';
import type { XlReader } from './xl-reader.ts';

/**
 * `cpus`: the CPUs, in order; `hasNodes` where the text names NUMA nodes, whose CPUs differ from host to host.
 * `refused`: xl writes this line and exits.
 */
type CpuRange =
  | { readonly kind: 'cpus'; readonly cpus: readonly number[]; readonly hasNodes: boolean }
  | { readonly kind: 'refused'; readonly line: string };

const ULONG_MAX = 2n ** 64n - 1n;

/** A number, or two with a dash between them; undefined for anything else. */
function parseRange(text: string): { readonly first: bigint; readonly last: bigint } | undefined {
  const first = parseUnsigned(text, 0, 10);
  if (first === undefined || first.value === ULONG_MAX) return undefined;
  const last = text.charAt(first.end) === '-' ? parseUnsigned(text, first.end + 1, 10) : first;
  if (last === undefined || last.value === ULONG_MAX || last.value < first.value) return undefined;
  return last.end === text.length ? { first: first.value, last: last.value } : undefined;
}

/** What of the host decides which CPUs a text names. */
export type AffinityHost = Pick<XlDefaults, 'hostCpus' | 'hostNodes'>;

/** A bitmap is made of whole bytes, and all its bits can be set. */
const widthOf = (bits: number): number => Math.ceil(bits / 8) * 8;

/** The CPUs that a text names. */
function parseCpuRange(text: string, { hostCpus, hostNodes }: AffinityHost): CpuRange {
  const width = widthOf(hostCpus);
  // XEN: the CPUs of a node come in a bitmap that is made for nodes.
  const ofFirstNode = Array.from({ length: Math.min(hostCpus, widthOf(hostNodes)) }, (_, cpu) => cpu);
  const cpus = new Set<number>();
  let hasNodes = false;
  for (const part of text.split(',')) {
    if (part === '') continue;
    const isNot = part.startsWith('^');
    const range = part.slice(isNot ? 1 : 0);
    const isNodes = /^nodes?:/.test(range);
    const rest = range.replace(/^nodes?:/, '');
    if (rest === 'all') {
      if (isNot) return { kind: 'refused', line: `Can't combine "^" and "all".` };
      for (let cpu = 0; cpu < width; cpu++) cpus.add(cpu);
      continue;
    }
    const ends = parseRange(rest);
    if (ends === undefined) return { kind: 'refused', line: `Invalid pcpu range: ${rest}.` };
    if (isNodes) {
      hasNodes = true;
      const named = ends.first === 0n ? ofFirstNode : [];
      for (const cpu of named) isNot ? cpus.delete(cpu) : cpus.add(cpu);
    } else {
      for (let cpu = ends.first; cpu <= ends.last && cpu < width; cpu++) {
        if (isNot) cpus.delete(Number(cpu));
        else cpus.add(Number(cpu));
      }
    }
  }
  return { kind: 'cpus', cpus: [...cpus].sort((a, b) => a - b), hasNodes };
}

/** More virtual CPUs than this are an error by themselves, and not worth as many copies. */
const MOST_VCPUS = 8192;

class Affinity {
  readonly #reader: XlReader;
  readonly #key: string;
  readonly #host: AffinityHost;

  constructor(reader: XlReader, key: string, host: AffinityHost) {
    this.#reader = reader;
    this.#key = key;
    this.#host = host;
  }

  /** The CPUs of one text; undefined when xl exits. */
  read({ text, origin }: DeviceSpec): readonly number[] | undefined {
    const range = parseCpuRange(text, this.#host);
    switch (range.kind) {
      case 'cpus':
        if (range.hasNodes) {
          const args = { key: this.#key, cpus: this.#host.hostCpus };
          this.#reader.diagnostics.push(report['host-nodes'](origin, args));
        }
        return range.cpus;
      case 'refused': {
        this.#reader.exit(1, range.line);
        const notes = [{ message: 'it is written as `2-3,^3`, `all`, or `node:0`' }];
        const args = { key: this.#key, value: showBytes(text) };
        this.#reader.diagnostics.push(report['bad-choice'](origin, args, { notes }));
        return undefined;
      }
    }
  }
}

/** Reads both; a list is tried first, and has one entry for each virtual CPU. */
export function readAffinity(reader: XlReader, maxVcpus: number, host: AffinityHost): void {
  const most = Math.max(0, Math.min(maxVcpus, MOST_VCPUS));
  for (const [key, field] of [
    ['cpus', 'vcpu_hard_affinity'],
    ['cpus_soft', 'vcpu_soft_affinity'],
  ] as const) {
    const affinity = new Affinity(reader, key, host);
    const list = reader.list(key, 'tries');
    const text = list === undefined ? reader.text(key) : undefined;
    const origin = reader.origin(key);
    let found: (readonly number[] | undefined)[] = [];
    if (list !== undefined) {
      found = reader
        .leading(key, list)
        .slice(0, most)
        .map((spec) => affinity.read(spec));
    } else if (text !== undefined && origin !== undefined) {
      const cpus = affinity.read({ text, origin });
      found = Array.from({ length: most }, () => cpus);
    }
    const known: JsonValue[] = found.flatMap((cpus) => (cpus === undefined ? [] : [cpus]));
    if (known.length === found.length && known.length > 0) reader.assign(`b_info.${field}`, known);
    if (list !== undefined || (text !== undefined && key === 'cpus_soft')) {
      reader.assign('b_info.numa_placement', 'False');
    }
  }
}

/** Ends xl when `cpus` names no CPU for a virtual CPU. Follows `apply_global_affinity_masks`, which comes after all keys. */
export function checkAffinity(reader: XlReader): void {
  const affinity = reader.members.get('b_info.vcpu_hard_affinity');
  if (!Array.isArray(affinity) || !affinity.some((cpus) => Array.isArray(cpus) && cpus.length === 0)) return;
  reader.exit(1, 'vcpu hard affinity map is empty');
  const what = '`cpus` leaves a virtual CPU without a CPU to run on';
  reader.diagnostics.push(report.contradiction(reader.origin('cpus'), { what }));
}
