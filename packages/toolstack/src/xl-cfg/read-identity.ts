/**
 * Reads who the guest is: the kind of guest, its name, its UUID.
 *
 * Follows Xen `tools/xl/xl_parse.c`, `parse_config_data`, in its order.
 *
 * @module
 */
import { cfg as report } from './diagnostics.ts';
import type { Guest } from './key-table.ts';
import { badChoice, flagMember, textMember } from './members.ts';
import { valueOrigin, type XlReader } from './xl-reader.ts';

/** The first of these words that `text` is a beginning of; the empty text is a beginning of each. */
function byPrefix<T>(words: readonly (readonly [string, T])[], text: string): T | undefined {
  return words.find(([word]) => word.startsWith(text))?.[1];
}

const TYPES: readonly (readonly [string, Guest])[] = [
  ['hvm', 'hvm'],
  ['pv', 'pv'],
  ['pvh', 'pvh'],
];

const BUILDERS: readonly (readonly [string, Guest])[] = [
  ['hvm', 'hvm'],
  ['generic', 'pv'],
];

/** Reads `type` and `builder`. */
export function readGuestType(reader: XlReader, byDefault: Guest): Guest {
  const type = readGuestWord(reader, 'type', TYPES);
  const builder = readGuestWord(reader, 'builder', BUILDERS);
  if (type !== undefined && builder !== undefined && type !== builder) {
    reader.exit(1, 'Contradicting "builder" and "type" options specified.');
    const what = `\`builder\` asks for a ${builder} guest, and \`type\` for a ${type} guest`;
    const origin = reader.origin('type');
    const notes = [origin === undefined ? { message: '`type`' } : { message: '`type` is given here', origin }];
    reader.diagnostics.push(report.contradiction(reader.origin('builder'), { what }, { notes }));
  }
  return builder ?? type ?? byDefault;
}

function readGuestWord(
  reader: XlReader,
  key: 'type' | 'builder',
  words: readonly (readonly [string, Guest])[],
): Guest | undefined {
  const text = reader.text(key);
  const setting = reader.setting(key);
  if (text === undefined || setting === undefined) return undefined;
  const guest = byPrefix(words, text);
  if (guest === undefined) {
    reader.exit(1, `Invalid domain type ${text}.`);
    badChoice(
      reader,
      key,
      words.map(([word]) => word),
    );
  } else if (!words.some(([word]) => word === text)) {
    const how = `cut short: xl takes it for \`${words.find(([, kind]) => kind === guest)?.[0] ?? guest}\``;
    const notes = [{ message: 'xl says nothing here: it takes every beginning of a word for the word' }];
    reader.diagnostics.push(report.shortened(valueOrigin(setting), { key, how }, { notes }));
  }
  return guest;
}

/** Reads `hap`, `name`, `uuid`, `oos` and `pool`. */
export function readNameAndUuid(reader: XlReader): {
  name: string;
  uuid: string | undefined;
  pool: string | undefined;
} {
  flagMember(reader, 'hap', 'c_info.hap');
  const name = reader.text('name');
  if (name === undefined) {
    reader.exit(1, 'Domain name must be specified.');
    reader.diagnostics.push(report.required(reader.origin('name'), { what: 'the file gives the domain no name' }));
  }
  const uuid = readUuid(reader);
  flagMember(reader, 'oos', 'c_info.oos');
  const pool = reader.text('pool');
  return { name: name ?? '', uuid, pool };
}

// XEN: libxl_uuid_from_string is libuuid's uuid_parse.
const UUID = /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$/;

function readUuid(reader: XlReader): string | undefined {
  const text = reader.text('uuid');
  const setting = reader.setting('uuid');
  if (text === undefined || setting === undefined) return undefined;
  if (UUID.test(text)) return text.toLowerCase();
  reader.exit(1, `Failed to parse UUID: ${text}`);
  const notes = [{ message: 'a UUID is written as `5b0f216a-fe6f-4bc7-8198-eecb3fdba49f`' }];
  reader.diagnostics.push(report['bad-uuid'](valueOrigin(setting), {}, { notes }));
  return undefined;
}

/** Reads what only a PVH guest has: the shim. */
export function readPvShim(reader: XlReader): void {
  const path = 'b_info.type.pvh.';
  flagMember(reader, 'pvshim', `${path}pvshim`);
  textMember(reader, 'pvshim_path', `${path}pvshim_path`);
  textMember(reader, 'pvshim_cmdline', `${path}pvshim_cmdline`);
  textMember(reader, 'pvshim_extra', `${path}pvshim_extra`);
}
