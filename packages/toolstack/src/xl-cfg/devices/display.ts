/**
 * Reads an entry of `vdispl`: a virtual display and its connectors.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_vdispl_config`.
 *
 * @module
 */
import type { Device, DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import { showBytes } from '../show-text.ts';
import { parseUnsigned, strtoul } from '../strtol.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor, inOrder, type Part, partsOf } from './device.ts';

// XEN: libxl_types.idl, device_vdispl
const FIELDS = ['backend_domname', 'devid', 'be_alloc', 'connectors'];

/** What C's `sscanf` makes of a resolution: the numbers that it found, or -1 where there was nothing to look at. */
interface Scan {
  readonly found: -1 | 0 | 1 | 2;
  readonly width: number;
  readonly height: number;
}

const nonzero = (value: number): number | undefined => (value === 0 ? undefined : value);

function scanResolution(text: string): Scan {
  if (/^[ \t\n\v\f\r]*$/.test(text)) return { found: -1, width: 0, height: 0 };
  const width = parseUnsigned(text, 0, 10);
  if (width === undefined) return { found: 0, width: 0, height: 0 };
  const wide = Number(BigInt.asUintN(32, width.value));
  const height = text.charAt(width.end) === 'x' ? parseUnsigned(text, width.end + 1, 10) : undefined;
  if (height === undefined) return { found: 1, width: wide, height: 0 };
  return { found: 2, width: wide, height: Number(BigInt.asUintN(32, height.value)) };
}

function connectorJson(id: string | undefined, width: number, height: number): JsonValue {
  return {
    members: inOrder(
      ['unique_id', 'width', 'height'],
      new Map<string, JsonValue | undefined>([
        ['unique_id', id],
        ['width', nonzero(width)],
        ['height', nonzero(height)],
      ]),
    ),
  };
}

/** Reads the entries of `vdispl`. */
export function readDisplays(reader: XlReader): readonly Device[] {
  const advisor = new DeviceAdvisor(reader, 'vdispl');
  return reader.specs('vdispl').map((spec, index) => new DisplayEntry(reader, advisor, spec, index).read());
}

class DisplayEntry {
  readonly #reader: XlReader;
  readonly #advisor: DeviceAdvisor;
  readonly #spec: DeviceSpec;
  readonly #values: Map<string, JsonValue | undefined>;

  constructor(reader: XlReader, advisor: DeviceAdvisor, spec: DeviceSpec, index: number) {
    this.#reader = reader;
    this.#advisor = advisor;
    this.#spec = spec;
    this.#values = new Map([['devid', index]]);
  }

  read(): Device {
    for (const part of partsOf(this.#spec.text)) if (!this.#take(part)) break;
    if (this.#values.get('connectors') === undefined) {
      this.#reader.exit(1, 'At least one connector should be specified.');
      this.#advisor.refuse(this.#spec, 0, 0, 'there are no `connectors`');
    }
    return { ...this.#spec, members: inOrder(FIELDS, this.#values) };
  }

  /** Takes one part; false where xl has ended. */
  #take(part: Part): boolean {
    const equals = part.text.indexOf('=');
    const name = equals === -1 ? '' : part.text.slice(0, equals);
    const value = part.text.slice(equals + 1);
    if (name === 'backend') this.#values.set('backend_domname', value);
    else if (name === 'be-alloc') this.#values.set('be_alloc', strtoul(value) === 0n ? undefined : true);
    else if (name === 'connectors') return this.#takeConnectors(part, value);
    else {
      this.#reader.exit(1, `Unknown string "${part.text}" in vdispl spec`);
      return this.#refuse(part, `xl does not know \`${showBytes(part.text)}\``);
    }
    return true;
  }

  #refuse({ text, start }: Part, why: string): false {
    this.#advisor.refuse(this.#spec, start, start + text.length, why);
    return false;
  }

  #takeConnectors(part: Part, value: string): boolean {
    const connectors = value.split(';').filter((piece) => piece !== '');
    if (connectors.length === 0) {
      // XEN: split_string_into_string_list copies a first part that is not there.
      this.#reader.die('SIGSEGV');
      return this.#refuse(part, 'there is no connector');
    }
    const read: JsonValue[] = connectors.map(() => ({ members: [] }));
    this.#values.set('connectors', read);
    for (const [index, text] of connectors.entries()) {
      const [id, resolution] = text.split(':').filter((piece) => piece !== '');
      if (id === undefined || resolution === undefined) {
        // XEN: the resolution is looked at and freed although there is none.
        this.#reader.die('SIGABRT');
        return this.#refuse(part, `\`${showBytes(text)}\` has no resolution`);
      }
      const { found, width, height } = scanResolution(resolution);
      read[index] = connectorJson(id, width, height);
      if (found === 2) continue;
      this.#reader.say("Can't parse connector resolution");
      const why = `\`${showBytes(resolution)}\` is no resolution: one is written as \`1920x1080\``;
      // XEN: what sscanf found is taken for the outcome, so a resolution without any number passes.
      if (found !== 0) this.#reader.exit(1);
      return found === 0 ? !this.#refuse(part, why) : this.#refuse(part, why);
    }
    return true;
  }
}
