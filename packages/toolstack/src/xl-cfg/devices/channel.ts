/**
 * Reads an entry of `channel`: a console with a name.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`.
 *
 * @module
 */
import type { Device, DeviceSpec } from '../domain-config.ts';
import type { JsonValue } from '../json.ts';
import { showBytes } from '../show-text.ts';
import type { XlReader } from '../xl-reader.ts';
import { DeviceAdvisor, inOrder } from './device.ts';

// XEN: libxl_types.idl, device_channel
const PTY = 'connection.pty';
const SOCKET = 'connection.socket';
const FIELDS = ['backend_domname', 'devid', 'name', PTY, SOCKET];

/** C's `isspace`. */
const trim = (text: string): string => text.replace(/^[ \t\n\v\f\r]+/, '').replace(/[ \t\n\v\f\r]+$/, '');

/** Reads the entries of `channel`. */
export function readChannels(reader: XlReader): readonly Device[] {
  const advisor = new DeviceAdvisor(reader, 'channel');
  return reader.specs('channel').map((spec, index) => readChannel(reader, advisor, spec, index));
}

function readChannel(reader: XlReader, advisor: DeviceAdvisor, spec: DeviceSpec, index: number): Device {
  const values = new Map<string, JsonValue | undefined>([['devid', index]]);
  let connection: string | undefined;
  let path: string | undefined;
  const parts = Array.from(spec.text.matchAll(/[^,]+/g), (match) => ({ text: match[0], start: match.index }));
  if (parts.length === 0) {
    // XEN: split_string_into_string_list copies a first part that is not there.
    reader.die('SIGSEGV');
    advisor.refuse(spec, 0, 0, 'it is empty');
    return { ...spec, members: [] };
  }
  for (const { text, start } of parts) {
    const end = start + text.length;
    const [untrimmed, given] = text.split('=').filter((piece) => piece !== '');
    if (untrimmed === undefined || given === undefined) {
      reader.exit(1, `failed to parse channel configuration: ${text}`, '');
      advisor.refuse(spec, start, end, `\`${showBytes(text)}\` has no value`);
      return { ...spec, members: [] };
    }
    const name = trim(untrimmed);
    const value = trim(given);
    if (name === 'backend') values.set('backend_domname', value);
    else if (name === 'name') values.set('name', value);
    else if (name === 'path') path = value;
    else if (name !== 'connection') {
      reader.say(`unknown channel parameter '${name}', ignoring`);
      advisor.ignore(spec, start, end, 'xl does not know it');
    } else if (value === 'pty' || value === 'socket') connection = value;
    else {
      reader.exit(1, `unknown channel connection '${value}'`);
      advisor.refuse(spec, start, end, `\`${showBytes(value)}\` is no value of \`connection\``);
      return { ...spec, members: [] };
    }
  }
  if (connection === undefined) {
    reader.exit(1, "channel has unknown 'connection'");
    advisor.refuse(spec, 0, 0, 'there is no `connection`');
  } else if (connection === 'socket' && path === undefined) {
    reader.exit(1, "channel connection 'socket' requires path=..");
    advisor.refuse(spec, 0, 0, 'a socket has a `path`');
  }
  if (connection === 'pty') values.set(PTY, { members: [] });
  if (connection === 'socket') values.set(SOCKET, { members: [['path', path ?? '']] });
  return { ...spec, members: inOrder(FIELDS, values) };
}
