/**
 * Devices as a command line gives them: `xl block-attach` and `xl network-attach`.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_disk_config_multistring` and `parse_nic_config`, and
 * `tools/libs/util/libxlu_disk.c`, `xlu_disk_parse`.
 *
 * @module
 */
import { type Diagnostic, SourceText } from '@dewar/policy/text';
import { DeviceAdvisor } from './devices/device.ts';
import { readDisk } from './devices/disk.ts';
import { readPciDevice } from './devices/pci.ts';
import { readVifWords } from './devices/vif.ts';
import type { Device, DeviceSpec } from './domain-config.ts';
import { printJson } from './json.ts';
import { XlReader } from './xl-reader.ts';

/** A device that was read from words of a command line. */
export interface SpecReading {
  /** Undefined where xl stops at one of the words. */
  readonly device: Device | undefined;
  /** What xl writes to its standard error, line by line. */
  readonly messages: readonly string[];
  /** xl's exit status where it stops. */
  readonly exitCode: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** Words of a command line as a text that messages can point into: each in quotes, with a blank between. */
function sourceOf(words: readonly string[]): { readonly reader: XlReader; readonly specs: DeviceSpec[] } {
  const source = new SourceText('command line', words.map((word) => `'${word}'`).join(' '));
  let at = 0;
  const specs = words.map((text): DeviceSpec => {
    const start = at;
    at += text.length + 3;
    return { text, origin: { kind: 'written', span: { source, start, end: start + text.length + 2 } } };
  });
  const reader = new XlReader({
    source,
    outcome: 'parsed',
    settings: [],
    byKey: new Map(),
    libxlReport: '',
    diagnostics: [],
  });
  return { reader, specs };
}

function readWords(
  key: 'disk' | 'vif' | 'pci',
  words: readonly string[],
  read: (reader: XlReader, advisor: DeviceAdvisor, specs: readonly DeviceSpec[], whole: DeviceSpec) => Device,
): SpecReading {
  const { reader, specs } = sourceOf(words);
  const { source } = reader.cfg;
  const span = { source, start: 0, end: source.text.length };
  const whole: DeviceSpec = { text: words.join(','), origin: { kind: 'written', span } };
  const device = read(reader, new DeviceAdvisor(reader, key), specs, whole);
  const { end, stderr, diagnostics } = reader;
  return {
    device: end === undefined ? device : undefined,
    messages: stderr === '' ? [] : stderr.replace(/\n$/, '').split('\n'),
    exitCode: end?.kind === 'exits' ? end.code : 1,
    diagnostics,
  };
}

/** A device as the JSON that libxl's `_from_json` reads, and `xl -N` prints. */
export function deviceJson({ members }: Device): string {
  return printJson({ members });
}

/** Reads a disk; its parts may stand in one word, with commas, or in more. */
export function readDiskWords(words: readonly string[]): SpecReading {
  return readWords('disk', words, readDisk);
}

/** Reads a network card; each word is one part, commas and all. */
export function readNicWords(words: readonly string[]): SpecReading {
  return readWords('vif', words, readVifWords);
}

/** Reads a PCI device: an address, a slot, options. */
export function readPciWord(word: string): SpecReading {
  return readWords('pci', [word], (reader, advisor, _, whole) => readPciDevice(reader, advisor, whole));
}

/** The members that say where a PCI device is; what is 0 is not printed. */
export function addressMembers(sbdf: number): readonly (readonly [string, number])[] {
  const all = [
    ['func', sbdf & 7],
    ['dev', (sbdf >> 3) & 0x1f],
    ['bus', (sbdf >> 8) & 0xff],
    ['domain', sbdf >>> 16],
  ] as const;
  return all.filter(([, value]) => value !== 0);
}

/** The device of an address alone, for what is set aside; with the name that it is to have. */
export function pciDeviceJson(sbdf: number, name: string | undefined): string {
  return printJson({ members: [...addressMembers(sbdf), ...(name === undefined ? [] : [['name', name] as const])] });
}
