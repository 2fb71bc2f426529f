/**
 * Guests that are built here, and that are destroyed again when nobody finishes them.
 *
 * @module
 */
import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { CallFault } from '../call-fault.ts';
import type { HelperCalls } from '../protocol.ts';
import { configInData, readSaveHeader, SAVE_HEADER_BYTES, saveHead } from '../save-format.ts';
import { configurationOf } from './configuration.ts';
import { relabel } from './flask.ts';
import { type HostAccess, libxl, readStructure, textIn } from './host-access.ts';

/** Where libxl keeps the configuration that a domain was built with. XEN: `libxl_internal.c`, `libxl__set_domain_configuration`. */
const STORED_CONFIG = 'libxl-json';

/** The guests that this process has begun. */
export class Builder {
  readonly #access: HostAccess;
  readonly #unfinished = new Set<number>();
  #isAbandoned = false;

  constructor(access: HostAccess) {
    this.#access = access;
  }

  /** Nobody is there any more to finish what is under way: destroys what was built, now and later. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    for (const domid of this.#unfinished) await this.#destroy(domid);
  }

  async #destroy(domid: number): Promise<void> {
    this.#unfinished.delete(domid);
    await this.#access.libraries.later('libxl_domain_destroy', this.#access.context, domid, null);
  }

  /** Notes that a guest was built; one that nobody waits for is destroyed at once. */
  async #begin(domid: number): Promise<void> {
    this.#unfinished.add(domid);
    if (!this.#isAbandoned) return;
    await this.#destroy(domid);
    throw new CallFault({ kind: 'refused', reason: 'the command has ended; the guest was destroyed again' });
  }

  /** Builds a guest. libxl relabels it as its last step, if the configuration says so. */
  async create({ json }: HelperCalls['domain.create']['params']): Promise<{ readonly domid: number }> {
    const domid = [0];
    await withConfig(this.#access, json, (config) =>
      libxl(this.#access, 'libxl_domain_create_new', config, domid, null, null),
    );
    const [built = 0] = domid;
    await this.#begin(built);
    return { domid: built };
  }

  /** What a file of `save` holds before the guest itself: its configuration. Reads no further. */
  #readHeader(fd: number): string {
    const refuse = (reason: string): never => {
      throw new CallFault({ kind: 'refused', reason });
    };
    const room = Buffer.alloc(SAVE_HEADER_BYTES);
    const count = readSync(fd, room, 0, SAVE_HEADER_BYTES, null);
    const header = readSaveHeader(room.subarray(0, count), 'file that `xl save` or `dewar save` has written');
    if (header.kind === 'refused') return refuse(header.reason);
    const data = Buffer.alloc(header.length);
    let done = 0;
    while (done < data.length) {
      const got = readSync(fd, data, done, data.length - done, null);
      if (got === 0) return refuse('it ends inside the configuration');
      done += got;
    }
    return header.isJson ? configInData(data) : refuse('it has no configuration in JSON');
  }

  /** Builds a guest out of a file. XEN: `tools/xl/xl_vmcontrol.c`, `create_domain`. */
  async restore({
    file,
    json,
  }: HelperCalls['domain.restore']['params']): Promise<HelperCalls['domain.restore']['result']> {
    const fd = openFile(file, 'r');
    try {
      const stored = this.#readHeader(fd);
      const wanted = json ?? stored;
      const built = await restoreFrom(this.#access, fd, wanted);
      await this.#begin(built);
      return { domid: built, name: nameInConfig(wanted) };
    } finally {
      closeSync(fd);
    }
  }

  /** Gives an unfinished guest its run label, as libxl does at the end of a build, and notes it in its configuration. */
  async relabel({ domid, label }: HelperCalls['domain.relabel']['params']): Promise<void> {
    const { libraries } = this.#access;
    relabel(this.#access, domid, label);
    const stored = withRunLabel(await configurationOf(this.#access, domid), label);
    if (stored === undefined) throw new CallFault({ kind: 'libxl', call: 'libxl_domain_config_to_json', rc: -3 });
    const data = libraries.bytes(stored);
    await libxl(this.#access, 'libxl_userdata_store', domid, libraries.bytes(STORED_CONFIG), data, data.length);
  }

  /** The guest is whole. */
  async finish({ domid, isPaused }: HelperCalls['domain.finish']['params']): Promise<void> {
    // A start that is denied leaves the guest as xl leaves it: built, and paused.
    this.#unfinished.delete(domid);
    if (!isPaused) await libxl(this.#access, 'libxl_domain_unpause', domid, null);
  }

  /** Writes a guest to a file in xl's format. XEN: `tools/xl/xl_saverestore.c`, `save_domain`. */
  async save({
    domid,
    file,
    after,
  }: HelperCalls['domain.save']['params']): Promise<HelperCalls['domain.save']['result']> {
    const { libraries, context } = this.#access;
    const json = await configurationOf(this.#access, domid);
    const fd = openFile(file, 'w');
    const isRegular = fstatSync(fd).isFile();
    let [isSuspended, isSaved] = [false, false];
    try {
      const configBytes = writeHeader(fd, libraries.bytes(json));
      isSuspended = true;
      await libxl(this.#access, 'libxl_domain_suspend', domid, fd, 0, null);
      isSaved = true;
      const bytes = fstatSync(fd).size;
      if (after === 'destroy' && !this.#isAbandoned) await libxl(this.#access, 'libxl_domain_destroy', domid, null);
      else {
        if (after === 'resume-paused') await libxl(this.#access, 'libxl_domain_pause', domid, null);
        await libxl(this.#access, 'libxl_domain_resume', domid, 1, null);
      }
      return { bytes, configBytes };
    } finally {
      closeSync(fd);
      if (!isSaved) {
        // Half a guest restores to nothing. XEN: xl leaves the file; the guest goes on with both.
        if (isRegular) rmSync(file, { force: true });
        // A disk that is full already did nothing to the guest.
        if (isSuspended) await libraries.later('libxl_domain_resume', context, domid, 1, null);
      }
    }
  }
}

/** Reads a configuration, does some work with it, and gives its memory back. */
async function withConfig<T>(access: HostAccess, json: string, work: (config: Buffer) => Promise<T>): Promise<T> {
  const { libraries } = access;
  const config = libraries.structure('libxl_domain_config_init');
  try {
    readStructure(access, 'domain_config', config, json);
    return await work(config);
  } finally {
    libraries.now('libxl_domain_config_dispose', config);
  }
}

/** Builds a guest out of what stands behind its configuration. */
export async function restoreFrom(access: HostAccess, fd: number, json: string): Promise<number> {
  const { libraries, context } = access;
  const params = libraries.structure('libxl_domain_restore_params_init');
  const version = libraries.bytes(JSON.stringify({ stream_version: 2 }));
  libraries.now('libxl_domain_restore_params_from_json', context, params, version);
  const domid = [0];
  try {
    await withConfig(access, json, (config) =>
      libxl(access, 'libxl_domain_create_restore', config, domid, fd, -1, params, null, null),
    );
  } finally {
    libraries.now('libxl_domain_restore_params_dispose', params);
  }
  return domid[0] ?? 0;
}

function openFile(file: string, mode: 'r' | 'w'): number {
  try {
    return openSync(file, mode, 0o600);
  } catch (error) {
    const errno = error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
    throw new CallFault({ kind: 'errno', call: 'open', errno });
  }
}

/** Answers how long the configuration is with its own length, as xl tells of it. */
function writeHeader(fd: number, config: Buffer): number {
  const whole = saveHead(config);
  let done = 0;
  while (done < whole.length) done += writeSync(fd, whole, done);
  return whole.length - SAVE_HEADER_BYTES;
}

function parseMembers(json: string): Record<string, unknown> | undefined {
  const value: unknown = JSON.parse(json);
  // An object that is not null has string keys.
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

function membersIn(members: Record<string, unknown> | undefined, name: string): Record<string, unknown> {
  const value = members?.[name];
  // As above.
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function nameInConfig(json: string): string | undefined {
  return textIn(membersIn(parseMembers(json), 'c_info'), 'name');
}

/** A configuration that says too under which label the guest runs. */
function withRunLabel(json: string, label: string): string | undefined {
  const config = parseMembers(json);
  if (config === undefined) return undefined;
  return JSON.stringify({ ...config, b_info: { ...membersIn(config, 'b_info'), exec_ssid_label: label } });
}
