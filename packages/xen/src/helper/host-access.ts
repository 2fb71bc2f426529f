/**
 * The open host: libxl's context, a handle of libxenctrl's, and how their answers are read.
 *
 * @module
 */
import { CallFault } from '../call-fault.ts';
import type { FunctionName, Libraries } from './libraries.ts';

/** XEN: `XTL_INFO`, `XTL_STDIOSTREAM_HIDE_PROGRESS`, `XTL_STDIOSTREAM_PROGRESS_NO_CR` (`xentoollog.h`). */
const LOG_LEVEL = 5;
const LOG_FLAGS = 0o04 | 0o20;

/** What all calls work with. */
export interface HostAccess {
  readonly libraries: Libraries;
  /** `libxl_ctx *`; none on a host that is open without libxl. */
  readonly context: bigint;
  /** `xc_interface *`, of our own, so that a hypercall need not wait for libxl's lock. */
  readonly control: bigint;
  /** `xentoollog_logger *`, which writes to the standard error stream. */
  readonly logger: bigint;
}

/** Opens the host, `isBare` without libxl. What stands in the way is logged by the libraries. */
export function openHost(libraries: Libraries, isBare = false): HostAccess {
  const stream = libraries.now('fdopen', 2, 'w');
  const logger = libraries.now('xtl_createlogger_stdiostream', stream, LOG_LEVEL, LOG_FLAGS);
  const contexts: unknown[] = [isBare ? 0n : null];
  const rc = isBare ? 0 : libraries.now('libxl_ctx_alloc', contexts, 0, 0, logger);
  const control = libraries.now('xc_interface_open', logger, logger, 0);
  const [context] = contexts;
  if (rc !== 0 || typeof context !== 'bigint' || typeof control !== 'bigint' || typeof logger !== 'bigint') {
    const errno = libraries.errno();
    throw new CallFault({
      kind: 'world',
      code: 'no-connection',
      reason: rc === 0 ? `libxenctrl cannot open the host: ${errno}` : `libxl cannot open the host (rc=${String(rc)})`,
    });
  }
  return { libraries, context, control, logger };
}

/** Calls libxl on another thread; a return code below 0 is a fault. */
export async function libxl(access: HostAccess, name: FunctionName, ...args: readonly unknown[]): Promise<number> {
  const rc = Number(await access.libraries.later(name, access.context, ...args));
  if (rc < 0) throw new CallFault({ kind: 'libxl', call: name, rc });
  return rc;
}

/** Calls libxenctrl at once; -1 is a fault with an errno. */
export function xenctrl(access: HostAccess, name: FunctionName, ...args: readonly unknown[]): number {
  const result = Number(access.libraries.now(name, access.control, ...args));
  if (result < 0) throw new CallFault({ kind: 'errno', call: name, errno: access.libraries.errno() });
  return result;
}

/** A structure as the JSON that libxl makes of it. */
export function structureJson(
  access: HostAccess,
  toJson: FunctionName,
  structure: Buffer | bigint,
): Readonly<Record<string, unknown>> {
  const text = access.libraries.takeText(access.libraries.now(toJson, access.context, structure));
  if (text === undefined) throw new CallFault({ kind: 'libxl', call: toJson, rc: -3 });
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new CallFault({ kind: 'libxl', call: toJson, rc: -3 });
  // An object that is not null has string keys.
  return value as Readonly<Record<string, unknown>>;
}

/**
 * What a description has and a structure that was read from it has not: an older libxl passes over members that it does not
 * know. Dewar writes hardly a member that has its default, and libxl prints none: what is 0 is no loss.
 */
export function lostMembers(given: unknown, kept: unknown, path = ''): string[] {
  if (typeof given !== 'object' || given === null) return kept === undefined && given !== 0 ? [path] : [];
  const inside = typeof kept === 'object' && kept !== null ? kept : {};
  return Object.entries(given).flatMap(([name, value]) => {
    const where = Array.isArray(given) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
    // Both have string keys.
    return lostMembers(value, (inside as Readonly<Record<string, unknown>>)[name], where);
  });
}

/** Reads a structure from its description; what its libxl would lose of it is refused. */
export function readStructure(
  access: HostAccess,
  name: 'domain_config' | 'device_disk' | 'device_nic' | 'device_pci',
  structure: Buffer,
  json: string,
): void {
  const { libraries, context } = access;
  const fromJson = `libxl_${name}_from_json` as const;
  const rc = Number(libraries.now(fromJson, context, structure, libraries.bytes(json)));
  if (rc < 0) throw new CallFault({ kind: 'libxl', call: fromJson, rc });
  const lost = lostMembers(JSON.parse(json), structureJson(access, `libxl_${name}_to_json`, structure));
  if (lost.length === 0) return;
  const names = lost.map((path) => `\`${path}\``).join(', ');
  throw new CallFault({ kind: 'refused', reason: `\`${libraries.file}\` does not know ${names}, and would lose it` });
}

/** A member that is a number; libxl leaves out what has its default, and prints what fits no double as text. */
export function numberIn(members: Readonly<Record<string, unknown>>, name: string, absent = 0): number {
  const value = members[name];
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^[0-9]+$/.test(value) ? Number(value) : absent;
}

/** A member that is a text. */
export function textIn(members: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = members[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A member that is a set of small numbers: libxl prints a map of CPUs as the list of those in it. */
export function numbersIn(members: Readonly<Record<string, unknown>>, name: string): number[] {
  const value = members[name];
  return Array.isArray(value) ? value.filter((item): item is number => typeof item === 'number') : [];
}
