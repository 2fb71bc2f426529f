/**
 * Reads `cpuid`: CPU features to show or hide, as a text of names or as a list of registers.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`, and `tools/libs/light/libxl_cpuid.c`.
 *
 * @module
 */
import { CPU_FEATURES, type FeaturePlace, REGISTERS, type Register } from './cpu-features.ts';
import { DeviceAdvisor } from './devices/device.ts';
import type { DeviceSpec } from './domain-config.ts';
import type { JsonValue } from './json.ts';
import { parseUnsigned } from './strtol.ts';
import type { XlReader } from './xl-reader.ts';

/** A leaf whose number is this one ends libxl's list. XEN: `XEN_CPUID_INPUT_UNUSED`. */
const UNUSED = 0xffffffff;

const REGISTER_BITS = 32;
const MSR_BITS = 64;

interface Leaf {
  readonly leaf: number;
  readonly subleaf: number;
  readonly registers: Map<Register, string>;
}

/** What is wrong: libxl's number of the error, and its words. */
interface Refusal {
  readonly code: number;
  readonly words: string;
}

const NO_NAME: Refusal = { code: 2, words: 'unknown CPUID flag name' };
const NO_EQUALS: Refusal = { code: 1, words: 'missing "=" in key=value' };
const BAD_VALUE: Refusal = { code: 3, words: 'illegal CPUID value (must be: [0|1|x|k|s])' };
const NO_LEAF: Refusal = { code: 1, words: 'illegal leaf number' };
const NO_SUBLEAF: Refusal = { code: 2, words: 'illegal subleaf number' };
const NO_COLON: Refusal = { code: 3, words: 'missing colon' };
const NO_REGISTER: Refusal = { code: 4, words: 'invalid register name (must be e[abcd]x)' };
const NO_POLICY: Refusal = { code: 5, words: 'policy string must be exactly 32 characters long' };

/** The text with another one written over it. */
function overwrite(text: string, at: number, part: string): string {
  return text.slice(0, at) + part + text.slice(at + part.length);
}

const binary = (value: bigint, length: number): string =>
  BigInt.asUintN(length, value).toString(2).padStart(length, '0');

/** The bits of a feature in its register's text. XEN: `cpuid_add` */
function setFeature(
  before: string,
  name: string,
  { bit, length }: FeaturePlace & { readonly kind: 'cpuid' },
  bits: string,
  value: bigint,
): string {
  switch (name) {
    case 'family': {
      // A family above 15 stands in two fields, which are added up.
      if (value < 16n) {
        return overwrite(overwrite(before, REGISTER_BITS - 4 - bit, bits.slice(4)), 4, '00000000');
      }
      const extended = bits.slice(0, 1) + binary(value - 15n, 7);
      return overwrite(overwrite(before, REGISTER_BITS - 4 - bit, '1111'), 4, extended);
    }
    case 'model':
      return overwrite(overwrite(before, 12, bits.slice(0, 4)), REGISTER_BITS - 4 - bit, bits.slice(4));
    default:
      return overwrite(before, REGISTER_BITS - length - bit, bits);
  }
}

/** libxl's list of leaves and MSRs, as it grows. */
class CpuPolicy {
  readonly #leaves: Leaf[] = [];
  readonly #msrs = new Map<number, string>();

  /** The entry of a leaf, which is made if there is none. XEN: `cpuid_find_match` */
  #leaf(leaf: number, subleaf: number): Leaf {
    const found = this.#leaves.find((entry) => entry.leaf === leaf && entry.subleaf === subleaf);
    if (found !== undefined) return found;
    const entry: Leaf = { leaf, subleaf, registers: new Map() };
    if (leaf !== UNUSED) this.#leaves.push(entry);
    return entry;
  }

  /** One `name=value`. XEN: `libxl_cpuid_parse_config` */
  takeName(text: string): Refusal | undefined {
    const equals = text.indexOf('=');
    if (equals === -1) return NO_EQUALS;
    const name = text.slice(0, equals);
    const value = text.slice(equals + 1);
    const place = CPU_FEATURES.get(name);
    if (place === undefined) return NO_NAME;
    return place.kind === 'msr' ? this.#addMsr(place, value) : this.#add(name, place, value);
  }

  #add(name: string, place: FeaturePlace & { readonly kind: 'cpuid' }, text: string): Refusal | undefined {
    const entry = this.#leaf(place.leaf, place.subleaf ?? UNUSED);
    const number = parseUnsigned(text, 0, 0)?.value;
    const isLetter = number === undefined && /^[xks]/.test(text);
    if (number === undefined && !isLetter) return BAD_VALUE;
    const bits = isLetter ? text.charAt(0).repeat(place.length) : binary(number ?? 0n, place.length);
    const before = entry.registers.get(place.register) ?? 'x'.repeat(REGISTER_BITS);
    entry.registers.set(place.register, setFeature(before, name, place, bits, number ?? 0n));
    return undefined;
  }

  /** XEN: `msr_add` */
  #addMsr({ index, bit }: FeaturePlace & { readonly kind: 'msr' }, value: string): Refusal | undefined {
    const before = this.#msrs.get(index) ?? 'x'.repeat(MSR_BITS);
    this.#msrs.set(index, before);
    if (!/^[01xks]$/.test(value)) return BAD_VALUE;
    this.#msrs.set(index, overwrite(before, MSR_BITS - 1 - bit, value === 's' ? 'k' : value));
    return undefined;
  }

  /** One `leaf,subleaf:register=bits,...`. XEN: `libxl_cpuid_parse_config_xend` */
  takeRegisters(text: string): Refusal | undefined {
    const leaf = parseUnsigned(text, 0, 0);
    if (leaf === undefined) return NO_LEAF;
    let at = leaf.end;
    let subleaf = UNUSED;
    if (text.charAt(at) === ',') {
      const found = parseUnsigned(text, at + 1, 0);
      if (found === undefined) return NO_SUBLEAF;
      subleaf = Number(BigInt.asUintN(32, found.value));
      at = found.end;
    }
    if (text.charAt(at) !== ':') return NO_COLON;
    const entry = this.#leaf(Number(BigInt.asUintN(32, leaf.value)), subleaf);
    at++;
    while (at < text.length) {
      const register = REGISTERS['abcd'.indexOf(text.charAt(at + 1))];
      const equals = text.indexOf('=', at);
      if (text.charAt(at) !== 'e' || text.charAt(at + 2) !== 'x' || text.charAt(at + 1) === '') return NO_REGISTER;
      if (register === undefined || equals === -1) return NO_REGISTER;
      const comma = text.indexOf(',', equals);
      const end = comma === -1 ? text.length : comma;
      if (end - equals - 1 !== REGISTER_BITS) return NO_POLICY;
      entry.registers.set(register, text.slice(equals + 1, end));
      if (comma === -1) break;
      at = end + 1;
      while (text.charAt(at) === ' ' || text.charAt(at) === '\n') at++;
    }
    return undefined;
  }

  /** XEN: `libxl_cpuid_policy_list_gen_json`; undefined where there is nothing. */
  get json(): JsonValue | undefined {
    if (this.#leaves.length === 0 && this.#msrs.size === 0) return undefined;
    const cpuid = this.#leaves.map(({ leaf, subleaf, registers }): JsonValue => {
      const members: (readonly [string, JsonValue])[] = [['leaf', leaf]];
      if (subleaf !== UNUSED) members.push(['subleaf', subleaf]);
      for (const name of REGISTERS) {
        const bits = registers.get(name);
        if (bits !== undefined) members.push([name, bits]);
      }
      return { members };
    });
    const msr = [...this.#msrs].map(
      ([index, policy]): JsonValue => ({
        members: [
          ['index', index],
          ['policy', policy],
        ],
      }),
    );
    return {
      members: [
        ['cpuid', cpuid],
        ['msr', msr],
      ],
    };
  }
}

/** Reads `cpuid`. What is wrong with an entry does not end xl. */
export function readCpuid(reader: XlReader): void {
  const policy = new CpuPolicy();
  const advisor = new DeviceAdvisor(reader, 'cpuid');
  if (reader.form('cpuid') === 'list') {
    for (const spec of reader.specs('cpuid')) {
      const refusal = policy.takeRegisters(spec.text);
      if (refusal === undefined) continue;
      reader.say(`while parsing CPUID line: "${spec.text}":\n  error #${refusal.code}: ${refusal.words}`);
      advisor.ignore(spec, 0, spec.text.length, refusal.words);
    }
  } else {
    const text = reader.text('cpuid');
    const origin = reader.origin('cpuid');
    if (text !== undefined && origin !== undefined) readNames(reader, advisor, policy, { text, origin });
  }
  reader.assign('b_info.cpuid', policy.json);
}

function readNames(reader: XlReader, advisor: DeviceAdvisor, policy: CpuPolicy, spec: DeviceSpec): void {
  const [first, ...rest] = spec.text.matchAll(/[^,]+/g);
  if (first === undefined) return;
  if (first[0] !== 'host') {
    reader.say(`while parsing CPUID string: "${spec.text}":\n  error: first word must be "host"`);
    advisor.ignore(spec, 0, spec.text.length, 'the first word must be `host`');
    return;
  }
  for (const { 0: part, index } of rest) {
    const refusal = policy.takeName(part);
    if (refusal === undefined) continue;
    reader.say(`while parsing CPUID flag: "${part}":\n  error #${refusal.code}: ${refusal.words}`);
    advisor.ignore(spec, index, index + part.length, refusal.words);
  }
}
