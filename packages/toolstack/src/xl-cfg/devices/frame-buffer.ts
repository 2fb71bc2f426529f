/**
 * Reads an entry of `vfb`; xl says nothing about parts that it does not know.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`.
 *
 * @module
 */
import type { Device, DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import { atoi } from '../strtol.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor, inOrder, type Members, type Part, partsOf } from './device.ts';

const VNC = ['enable', 'listen', 'passwd', 'display', 'findunused'];
const SDL = ['enable', 'opengl', 'display', 'xauthority'];

type Kind = 'flag' | 'number' | 'text';

const PARTS: ReadonlyMap<string, readonly [where: 'vnc' | 'sdl' | 'top', field: string, kind: Kind]> = new Map([
  ['vnc', ['vnc', 'enable', 'flag']],
  ['vnclisten', ['vnc', 'listen', 'text']],
  ['vncpasswd', ['vnc', 'passwd', 'text']],
  ['vncdisplay', ['vnc', 'display', 'number']],
  ['vncunused', ['vnc', 'findunused', 'flag']],
  ['keymap', ['top', 'keymap', 'text']],
  ['sdl', ['sdl', 'enable', 'flag']],
  ['opengl', ['sdl', 'opengl', 'flag']],
  ['display', ['sdl', 'display', 'text']],
  ['xauthority', ['sdl', 'xauthority', 'text']],
]);

function valueFor(kind: Kind, text: string): JsonValue | undefined {
  switch (kind) {
    case 'text':
      return text;
    case 'flag':
      return atoi(text) === 0 ? 'False' : 'True';
    case 'number':
      return atoi(text) === 0 ? undefined : atoi(text);
  }
}

/** Reads the entries of `vfb`. */
export function readFrameBuffers(reader: XlReader): readonly Device[] {
  const advisor = new DeviceAdvisor(reader, 'vfb');
  return reader.specs('vfb').map((spec, index) => ({ ...spec, members: readEntry(spec, index, advisor) }));
}

function readEntry(spec: DeviceSpec, index: number, advisor: DeviceAdvisor): Members {
  const values = {
    vnc: new Map<string, JsonValue | undefined>(),
    sdl: new Map<string, JsonValue | undefined>(),
    top: new Map<string, JsonValue | undefined>(),
  };
  const parts = partsOf(spec.text);
  for (const [at, part] of parts.entries()) {
    const equals = part.text.indexOf('=');
    if (equals === -1) {
      // XEN: the loop ends at the first part without a value.
      for (const left of parts.slice(at)) ignore(spec, left, advisor, 'xl reads up to the first part without a value');
      break;
    }
    const known = PARTS.get(part.text.slice(0, equals));
    if (known === undefined) {
      ignore(spec, part, advisor, 'xl does not know it');
      continue;
    }
    const [where, field, kind] = known;
    values[where].set(field, valueFor(kind, part.text.slice(equals + 1)));
  }
  return [
    ['devid', index],
    ['vnc', { members: inOrder(VNC, values.vnc) }],
    ['sdl', { members: inOrder(SDL, values.sdl) }],
    ...inOrder(['keymap'], values.top),
  ];
}

function ignore(spec: DeviceSpec, part: Part, advisor: DeviceAdvisor, why: string): void {
  advisor.ignoreSilently(spec, part.start, part.start + part.text.length, why);
}
