/**
 * The folder of all simulated hosts.
 *
 * `FOLDER/hosts/NAME/host.jsonl` is a host, `FOLDER/current` names the one that was used last.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type BootOptions, Hypervisor } from '@dewar/hypervisor';
import { KeptPageError, LibxlHost, restoreToolstack } from '@dewar/toolstack';
import { HostFile, hostText } from './host-file.ts';
import { HostLock } from './host-lock.ts';
import { LabError } from './lab-error.ts';

/** The policy that a host was booted with. */
export interface LabPolicy {
  /** How the user named it. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Tells two policies apart. */
  readonly sha256: string;
}

/** A host while a command uses it. */
export interface RunningHost {
  readonly policy: { readonly name: string; readonly sha256: string };
  readonly hypervisor: Hypervisor;
  readonly host: LibxlHost;
}

/** Why a host is none. XEN: xenstored since 4.21; what it prints was seen on a real 4.22.0. */
const NO_XENSTORED =
  'xenstored ends as it starts, and without it no command of `xl` comes back: dom0 lacks `domain2 { get_domain_state }` on ' +
  'the label of initial SID `domxen`, or on itself (`FATAL: Could not determine xenstore domid`)';

/** A host that has just been booted. */
export interface BootedHost extends RunningHost {
  /** Why a permissive Xen did not take the policy and runs without one. */
  readonly policyRefused: string | undefined;
}

/** What `transact` hands out: the host as it was left, and the means to boot it anew. */
export interface LabSlot {
  readonly name: string;
  /** Undefined before its first boot. */
  readonly running: RunningHost | undefined;
  /** Boots the host with a policy; what ran on it is gone. Answers why Xen would stop, if it would. */
  boot(
    policy: LabPolicy,
    options?: Pick<BootOptions, 'flask' | 'release' | 'memoryMib' | 'dom0MemoryMib' | 'iommu' | 'devices'>,
  ): BootedHost | { readonly refused: string };
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

function badName(name: string): LabError {
  const rule = 'one begins with a letter or digit and goes on with these, `.`, `_` and `-`, up to 100 in all';
  return new LabError('bad-name', `\`${name}\` cannot be the name of a host: ${rule}`);
}
const PATIENCE_MS = 30_000;

/** A file in which less than its half counts is written anew once it has more than that to spare. */
const SPARE_BYTES = 1 << 18;

/** Puts text behind the first `length` bytes of a file, in the place of what stands there, which counts for nothing. */
function extend(path: string, length: number, text: string): void {
  try {
    const file = openSync(path, 'r+');
    try {
      ftruncateSync(file, length);
      for (let at = 0; at < text.length; ) at += writeSync(file, text.slice(at), length + at, 'latin1');
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new LabError('unwritable', `cannot write \`${path}\``, error);
  }
}

/** Writes a file so that it is there whole or not at all. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}-${randomUUID()}`;
  try {
    const file = openSync(draft, 'wx');
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw new LabError('unwritable', `cannot write \`${path}\``, error);
  }
}

function notAHost(path: string, cause?: unknown): LabError {
  const words = 'does not hold a host that this version of Dewar can go on with; remove it to begin anew';
  return new LabError('not-a-host', `\`${path}\` ${words}`, cause);
}

/** A host and the file that it is read from. */
interface StoredHost {
  readonly running: RunningHost;
  readonly file: HostFile;
}

function openStored(path: string): HostFile {
  let file: HostFile | undefined;
  try {
    file = HostFile.open(path);
  } catch (error) {
    throw new LabError('unreadable', `cannot read the host in \`${path}\``, error);
  }
  if (file === undefined) throw notAHost(path);
  return file;
}

/** The host of a file, which stays open. */
function readStored(path: string): StoredHost | undefined {
  if (!existsSync(path)) return undefined;
  const file = openStored(path);
  try {
    return { running: runningHost(path, file.host), file };
  } catch (error) {
    file.close();
    throw error instanceof LabError ? error : notAHost(path, error);
  }
}

function runningHost(path: string, { policy, hypervisor: xen, toolstack }: HostFile['host']): RunningHost {
  if (typeof policy !== 'object' || policy === null) throw notAHost(path);
  // An object that is not null has string keys.
  const { name, sha256 } = policy as Readonly<Record<string, unknown>>;
  const hypervisor = Hypervisor.restore(xen);
  const state = restoreToolstack(toolstack);
  if (typeof name !== 'string' || typeof sha256 !== 'string' || hypervisor === undefined || state === undefined)
    throw notAHost(path);
  return { policy: { name, sha256 }, hypervisor, host: new LibxlHost(hypervisor, state) };
}

/** All simulated hosts under one folder, which need not exist yet. */
export class Lab {
  readonly folder: string;
  readonly #onHost: ((hypervisor: Hypervisor) => void) | undefined;

  /** `onHost` is told of each hypervisor that is taken or booted, before it is used. */
  constructor(folder: string, onHost?: (hypervisor: Hypervisor) => void) {
    this.folder = folder;
    this.#onHost = onHost;
  }

  /** Names of the hosts, ascending. */
  names(): string[] {
    const hosts = join(this.folder, 'hosts');
    if (!existsSync(hosts)) return [];
    return readdirSync(hosts)
      .filter((name) => NAME.test(name) && existsSync(this.#file(name)))
      .sort();
  }

  /** The host that was used last, if it is still there. */
  get current(): string | undefined {
    const path = join(this.folder, 'current');
    if (!existsSync(path)) return undefined;
    const name = readFileSync(path, 'utf8').trim();
    return NAME.test(name) && existsSync(this.#file(name)) ? name : undefined;
  }

  #file(name: string): string {
    return join(this.folder, 'hosts', name, 'host.jsonl');
  }

  /**
   * Uses a host: nobody else can meanwhile, and what `work` leaves is kept once it is done.
   * When `work` throws, the host stays as it was.
   */
  async transact<T>(name: string, work: (slot: LabSlot) => Promise<T>): Promise<T> {
    const open = await this.#open(name);
    try {
      const result = await work(open.slot);
      open.keep();
      return result;
    } catch (error) {
      throw error instanceof KeptPageError ? notAHost(this.#file(name), error) : error;
    } finally {
      open.release();
    }
  }

  /**
   * Uses two hosts at a time. What `work` leaves of `to` is kept first: a command that is killed between the two has
   * a guest that goes from one to the other on both, and not on none.
   */
  async transactBoth<T>(from: string, to: string, work: (from: LabSlot, to: LabSlot) => Promise<T>): Promise<T> {
    if (from === to) throw new LabError('bad-name', `\`${from}\` is one host, not two`);
    // Taken in the same order by everybody, so that nobody waits for somebody who waits for him.
    const [first, second] = from < to ? [from, to] : [to, from];
    const one = await this.#open(first);
    try {
      const other = await this.#open(second);
      try {
        const [source, target] = from < to ? [one, other] : [other, one];
        const result = await work(source.slot, target.slot);
        target.keep();
        source.keep();
        return result;
      } catch (error) {
        throw error instanceof KeptPageError ? notAHost(`${this.#file(from)}\` or \`${this.#file(to)}`, error) : error;
      } finally {
        other.release();
      }
    } finally {
      one.release();
    }
  }

  /** Takes a host for one transaction. */
  async #open(name: string): Promise<{ readonly slot: LabSlot; keep(): void; release(): void }> {
    if (!NAME.test(name)) throw badName(name);
    const path = this.#file(name);
    try {
      mkdirSync(dirname(path), { recursive: true });
    } catch (error) {
      throw new LabError('unwritable', `cannot make \`${dirname(path)}\``, error);
    }
    const lock = await HostLock.take(join(dirname(path), 'lock'), PATIENCE_MS);
    let stored: StoredHost | undefined;
    try {
      stored = readStored(path);
    } catch (error) {
      lock.release();
      throw error;
    }
    let running = stored?.running;
    const onHost = this.#onHost;
    if (running !== undefined) onHost?.(running.hypervisor);
    const slot: LabSlot = {
      name,
      get running() {
        return running;
      },
      boot({ bytes, name: policyName, sha256 }, options = {}) {
        const outcome = Hypervisor.boot({ ...options, policy: bytes });
        if (outcome.kind === 'refused') return { refused: outcome.reason };
        const { hypervisor, policyRefused } = outcome;
        const booted = { policy: { name: policyName, sha256 }, hypervisor, host: new LibxlHost(hypervisor) };
        if (!booted.host.hasXenstored) return { refused: NO_XENSTORED };
        running = booted;
        onHost?.(hypervisor);
        return { ...booted, policyRefused };
      },
    };
    const keep = (): void => {
      if (running === undefined) return;
      const { policy, hypervisor, host } = running;
      const file = running === stored?.running ? stored.file : undefined;
      const changes = file?.changed({ policy, hypervisor: hypervisor.changes(), toolstack: host.changes() });
      const limit = file === undefined ? 0 : 2 * file.needed + SPARE_BYTES;
      const added = changes !== undefined && changes.end + changes.text.length < limit ? changes : undefined;
      const whole = () => hostText({ policy, hypervisor: hypervisor.snapshot(), toolstack: host.snapshot() });
      const text = added?.text ?? whole();
      if (!lock.isHeld) throw new LabError('lost-lock', `another process took over the host in \`${path}\``);
      if (added === undefined) writeWhole(path, text);
      else extend(path, added.end, text);
      writeWhole(join(this.folder, 'current'), `${name}\n`);
    };
    const release = (): void => {
      stored?.file.close();
      lock.release();
    };
    return { slot, keep, release };
  }

  /** Looks at a host as the last command left it, without taking it; undefined where there is none. What is done to it is lost. */
  async look<T>(name: string, use: (running: RunningHost) => T | Promise<T>): Promise<T | undefined> {
    if (!NAME.test(name)) throw badName(name);
    const path = this.#file(name);
    const stored = readStored(path);
    try {
      return stored && (await use(stored.running));
    } catch (error) {
      throw error instanceof KeptPageError ? notAHost(path, error) : error;
    } finally {
      stored?.file.close();
    }
  }

  /** Forgets a host, also one that cannot be read. Answers whether there was one. */
  async remove(name: string): Promise<boolean> {
    if (!NAME.test(name)) throw badName(name);
    const folder = dirname(this.#file(name));
    if (!existsSync(this.#file(name))) return false;
    await HostLock.take(join(folder, 'lock'), PATIENCE_MS);
    rmSync(folder, { recursive: true, force: true });
    return true;
  }
}
