/**
 * What stands before a guest in a file of `xl save` and on the way of `xl migrate`: a header, and its configuration.
 *
 * Follows Xen `tools/xl/xl.h`, `struct save_file_header`; `tools/xl/xl_saverestore.c`, `save_domain_core_writeconfig`;
 * `tools/xl/xl_vmcontrol.c`, `create_domain`.
 *
 * @module
 */

const MAGIC: Buffer = Buffer.from('Xen saved domain, xl format\n \0 \r', 'latin1');
/** The length of the header. */
export const SAVE_HEADER_BYTES = 48;
const BYTE_ORDER = 0x01020304;
const FLAG_JSON = 1;
const FLAG_STREAM_V2 = 2;
/** No configuration is larger. */
const CONFIG_LIMIT = 16 * 1024 * 1024;
/** XEN: a save file says how long its configuration is twice: with and without this number itself. */
const LENGTH_BYTES = 4;

/** The header and the configuration. `config` is a C string, with its end. */
export function saveHead(config: Buffer): Buffer {
  const head = Buffer.alloc(SAVE_HEADER_BYTES + LENGTH_BYTES);
  MAGIC.copy(head);
  head.writeUInt32LE(BYTE_ORDER, 32);
  head.writeUInt32LE(FLAG_STREAM_V2 | FLAG_JSON, 36);
  head.writeUInt32LE(config.length + LENGTH_BYTES, 44);
  head.writeUInt32LE(config.length, SAVE_HEADER_BYTES);
  return Buffer.concat([head, config]);
}

/** What a header says is behind it, or why it is none. */
export type SaveHeader =
  | { readonly kind: 'header'; readonly length: number; readonly isJson: boolean }
  | { readonly kind: 'refused'; readonly reason: string };

/** Reads a header. `what` is what it should be the header of, in words. */
export function readSaveHeader(header: Buffer, what: string): SaveHeader {
  const refuse = (reason: string): SaveHeader => ({ kind: 'refused', reason });
  if (header.length !== SAVE_HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC))
    return refuse(`it is no ${what}`);
  if (header.readUInt32LE(32) !== BYTE_ORDER) return refuse('it is of a machine with another byte order');
  const flags = header.readUInt32LE(36);
  const length = header.readUInt32LE(44);
  if ((flags & ~(FLAG_JSON | FLAG_STREAM_V2)) !== 0 || (flags & FLAG_STREAM_V2) === 0)
    return refuse(`it has flags that are not known: 0x${flags.toString(16)}`);
  if (length > CONFIG_LIMIT) return refuse('its configuration is too large');
  return { kind: 'header', length, isJson: (flags & FLAG_JSON) !== 0 && length >= LENGTH_BYTES };
}

/** The configuration in what stands behind a header that announced one in JSON. */
export function configInData(data: Buffer): string {
  const end = LENGTH_BYTES + Math.min(data.readUInt32LE(0), data.length - LENGTH_BYTES);
  return data.toString('latin1', LENGTH_BYTES, end).replace(/\0+$/, '');
}
