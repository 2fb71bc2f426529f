/**
 * The policies that Dewar loaded into a host, and which of them should be in force. Xen does not give a policy back, so
 * who loads one has to remember it.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What was loaded last. */
export interface LoadedPolicy {
  /** The boot that it was loaded in; a machine that boots anew has the policy of its boot loader. */
  readonly boot: string;
  readonly sha256: string;
  /** How the user named it. */
  readonly name: string;
  /** Xen's sequence number afterwards: each load and each boolean that is set raises it. Undefined if it was not told. */
  readonly seqno: number | undefined;
  /** What was in force before, if that is known. */
  readonly previous: string | undefined;
}

const HASH = /^[0-9a-f]{64}$/;

function isLoadedPolicy(value: unknown): value is LoadedPolicy {
  if (typeof value !== 'object' || value === null) return false;
  // An object that is not null has string keys.
  const { boot, sha256, name, seqno, previous } = value as Readonly<Record<string, unknown>>;
  return (
    typeof boot === 'string' &&
    typeof name === 'string' &&
    typeof sha256 === 'string' &&
    HASH.test(sha256) &&
    (seqno === undefined || typeof seqno === 'number') &&
    (previous === undefined || (typeof previous === 'string' && HASH.test(previous)))
  );
}

/** Policies by their hashes, in a folder that is made when something is kept. */
export class PolicyStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  #write(path: string, bytes: Uint8Array): void {
    mkdirSync(join(this.#folder, 'policies'), { recursive: true, mode: 0o700 });
    const draft = `${path}.${process.pid}`;
    const file = openSync(draft, 'w', 0o600);
    try {
      let done = 0;
      while (done < bytes.length) done += writeSync(file, bytes, done);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  }

  #file(sha256: string): string {
    return join(this.#folder, 'policies', `${sha256}.policy`);
  }

  /** Keeps a policy; answers its hash. */
  keep(bytes: Uint8Array): string {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.#write(this.#file(sha256), bytes);
    return sha256;
  }

  /** A policy by its hash; undefined when it was never kept, or is not what it was. */
  read(sha256: string): Uint8Array | undefined {
    try {
      const bytes = readFileSync(this.#file(sha256));
      return createHash('sha256').update(bytes).digest('hex') === sha256 ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  /** What was loaded last, in whichever boot. */
  get loaded(): LoadedPolicy | undefined {
    try {
      const value: unknown = JSON.parse(readFileSync(join(this.#folder, 'loaded.json'), 'utf8'));
      return isLoadedPolicy(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Remembers what is in force now. */
  remember(loaded: LoadedPolicy): void {
    this.#write(join(this.#folder, 'loaded.json'), Buffer.from(`${JSON.stringify(loaded, undefined, 2)}\n`));
  }
}
