/**
 * Xen's console ring, a guest's pages, xenstore, and what libxl tells of the machine.
 *
 * @module
 */

import { CallFault } from '../call-fault.ts';
import type { HelperCalls, LibxlHostInfo, MappedPage } from '../protocol.ts';
import { type HostAccess, numberIn, structureJson, textIn, xenctrl } from './host-access.ts';

/** How much of the ring is read at a time, and for one call. */
const RING_PIECE = 32 * 1024;
const RING_LIMIT = 1024 * 1024;

/** Reads the console ring from an index on. XEN: `xen/drivers/char/console.c`, `read_console_ring`. */
export function readRing(
  access: HostAccess,
  { index, clear }: HelperCalls['ring.read']['params'],
): HelperCalls['ring.read']['result'] {
  const room = Buffer.alloc(RING_PIECE);
  const at = [index];
  const parts: string[] = [];
  let length = 0;
  let lost = 0;
  // Who writes all the time, a guest say, must not keep a reader for ever: where a piece is not full, the end was reached.
  let isEnd = false;
  while (length < RING_LIMIT) {
    const count = [room.length];
    const [from = 0] = at;
    xenctrl(access, 'xc_readconsolering', room, count, 0, 1, at);
    const [got = 0] = count;
    // Xen begins with the oldest that it has when the place that was asked for is gone. Places are counted modulo 2^32.
    lost += ((at[0] ?? 0) - got - from) >>> 0;
    if (got === 0) {
      isEnd = true;
      break;
    }
    // Overwritten places of the ring read as zeros.
    parts.push(room.toString('latin1', 0, got).replaceAll('\0', ''));
    length += got;
    if (got < room.length) {
      isEnd = true;
      break;
    }
  }
  if (clear) xenctrl(access, 'xc_readconsolering', room, [0], 1, 0, at);
  return { text: parts.join(''), index: (at[0] ?? 0) >>> 0, lost, isEnd };
}

const PAGE_BYTES = 4096;
const HEAD_BYTES = 32;
/** XEN: `PROT_READ`, `PROT_WRITE`. */
const READ = 1;
const WRITE = 2;

let foreignMemory: bigint | undefined;

/** Maps pages of a guest, one at a time, each only for a moment. Nothing is ever written to them. */
export function mapPages(
  access: HostAccess,
  { domid, frames, isWritable }: HelperCalls['memory.map']['params'],
): readonly MappedPage[] {
  const { libraries, logger } = access;
  foreignMemory ??= openForeignMemory(access, logger);
  const handle = foreignMemory;
  return frames.map((frame): MappedPage => {
    const errors = [0];
    const protection = isWritable ? READ | WRITE : READ;
    const frameNumbers = new BigUint64Array([BigInt(frame)]);
    const address = libraries.now('xenforeignmemory_map', handle, domid, protection, 1, frameNumbers, errors);
    const refused = (errno: string): MappedPage => ({ frame, result: errno, head: undefined, hasContent: false });
    if (typeof address !== 'bigint' || address === 0n) return refused(libraries.errno());
    try {
      // A frame that Xen refused has a place in the mapping too; who touches it gets SIGBUS.
      const [error = 0] = errors;
      if (error !== 0) return refused(libraries.errnoName(Math.abs(error)));
      const page = libraries.view(address, PAGE_BYTES);
      const head = page.toString('hex', 0, HEAD_BYTES);
      return { frame, result: 'mapped', head, hasContent: page.some((byte) => byte !== 0) };
    } finally {
      libraries.now('xenforeignmemory_unmap', handle, address, 1);
    }
  });
}

function openForeignMemory({ libraries }: HostAccess, logger: bigint): bigint {
  const handle = libraries.now('xenforeignmemory_open', logger, 0);
  if (typeof handle !== 'bigint' || handle === 0n)
    throw new CallFault({ kind: 'errno', call: 'xenforeignmemory_open', errno: libraries.errno() });
  return handle;
}

let store: bigint | undefined;

/** A value in xenstore. */
export function readXenstore({ libraries }: HostAccess, path: string): string | undefined {
  if (store === undefined) {
    const handle = libraries.now('xs_open', 0);
    if (typeof handle !== 'bigint' || handle === 0n)
      throw new CallFault({ kind: 'errno', call: 'xs_open', errno: libraries.errno() });
    store = handle;
  }
  return libraries.takeText(libraries.now('xs_read', store, 0, libraries.bytes(path), [0]));
}

/** What `xl info` tells. */
export async function hostInfo(access: HostAccess): Promise<LibxlHostInfo> {
  const { libraries, context } = access;
  const structure = libraries.structure('libxl_physinfo_init');
  const rc = Number(await libraries.later('libxl_get_physinfo', context, structure));
  if (rc < 0) throw new CallFault({ kind: 'libxl', call: 'libxl_get_physinfo', rc });
  const machine = structureJson(access, 'libxl_physinfo_to_json', structure);
  libraries.now('libxl_physinfo_dispose', structure);
  // libxl keeps what it tells of the version; it is not ours to free.
  const info = libraries.now('libxl_get_version_info', context);
  const version = typeof info === 'bigint' ? structureJson(access, 'libxl_version_info_to_json', info) : {};
  const scheduler = libraries.now('libxl_scheduler_to_string', libraries.now('libxl_get_scheduler', context));
  return {
    major: numberIn(version, 'xen_version_major'),
    minor: numberIn(version, 'xen_version_minor'),
    extra: textIn(version, 'xen_version_extra') ?? '',
    scheduler: typeof scheduler === 'string' ? scheduler : 'unknown',
    cpus: numberIn(machine, 'nr_cpus'),
    totalPages: numberIn(machine, 'total_pages'),
    freePages: numberIn(machine, 'free_pages'),
    pageSize: numberIn(version, 'pagesize', PAGE_BYTES),
  };
}
