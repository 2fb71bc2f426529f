/**
 * Compiled policies, kept in files, so that a second question about a large policy does not compile it again.
 *
 * An entry is of one build of Dewar, one policy, one folder to work in and one set of options. It names every file that was
 * read and every folder that was listed, each with a hash, and counts only while all of them are as they were: what comes of
 * it is what a compilation would give. A broken entry, or one that somebody else could have written, is none.
 *
 * The binary policy, which is most of what there is of a large one and which few questions need, lies in a file beside the
 * entry. The entry has its hash; where the file is not what that says, the binary is made again of the policy.
 * Start reading at `CompileCache`.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  binaryAgain,
  type CompiledPolicy,
  type CompileOptions,
  type KeptPolicy,
  type PolicyFiles,
  putTogether,
  takeApart,
} from '@dewar/policy/compiler';
import type { PolicyDb } from '@dewar/policy/policydb';
import { InvariantError } from '@dewar/policy/text';
import { writeWhole } from './files.ts';

const MIB = 1024 * 1024;
/** What all entries may take together, and how many there may be. */
const LIMITS = { bytes: 256 * MIB, entries: 32 };
/** A policy with less text is compiled faster than it is looked up. */
const SMALL = 16_384;

/** The first bytes of an entry; another form has another number. */
const MAGIC = Buffer.from('dewar compiled 2', 'latin1');
const HASH_SIZE = 32;
/** Behind magic and hash: the sizes of the parts. */
const SIZES = 5;
/** The end of the name of a binary; the rest is the name of its entry. */
const BINARY = '.policy';
const START = MAGIC.length + HASH_SIZE + SIZES * 4;

/** What a compilation saw: the hash of each file, `null` for one that was not there, and of the names in each folder. */
export interface Seen {
  readonly files: Record<string, string | null>;
  readonly folders: Record<string, string>;
}

/** What an entry says of what it is made of. */
interface Origins {
  readonly seen: Seen;
  /** The hash of the binary. */
  readonly binary: string;
}

function hashOf(bytes: Uint8Array | string): string {
  return createHash('sha256')
    .update(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    .digest('hex');
}

function hashOfNames(names: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('hex');
}

/** The same files, and what was seen of them so far. */
export function watched(files: PolicyFiles): { readonly files: PolicyFiles; readonly seen: Seen } {
  const seen: Seen = { files: Object.create(null), folders: Object.create(null) };
  return {
    seen,
    files: {
      readText(path) {
        const text = files.readText(path);
        seen.files[path] = text === undefined ? null : hashOf(text);
        return text;
      },
      listNames(directory) {
        const names = files.listNames(directory);
        seen.folders[directory] = hashOfNames(names);
        return names;
      },
      describe: (path) => files.describe(path),
    },
  };
}

/** Whether all is as it was seen. */
function isAsSeen(seen: Seen, files: PolicyFiles): boolean {
  for (const [path, hash] of Object.entries(seen.files)) {
    const text = files.readText(path);
    if ((text === undefined ? null : hashOf(text)) !== hash) return false;
  }
  return Object.entries(seen.folders).every(([path, hash]) => hashOfNames(files.listNames(path)) === hash);
}

function partsOf({ json, words, texts }: KeptPolicy, origins: Origins): readonly Buffer[] {
  return [
    Buffer.from(words.buffer, words.byteOffset, words.byteLength),
    Buffer.from(Uint32Array.from(texts, ({ length }) => length).buffer),
    Buffer.from(JSON.stringify(origins), 'utf8'),
    Buffer.from(json, 'utf8'),
    Buffer.from(texts.join(''), 'latin1'),
  ];
}

/** An entry as bytes. */
function encoded(kept: KeptPolicy, origins: Origins): Buffer {
  const parts = partsOf(kept, origins);
  const entry = Buffer.concat([Buffer.alloc(START), ...parts]);
  MAGIC.copy(entry);
  parts.forEach((part, i) => {
    entry.writeUInt32LE(part.length, MAGIC.length + HASH_SIZE + i * 4);
  });
  digestOf(entry).copy(entry, MAGIC.length);
  return entry;
}

function digestOf(entry: Buffer): Buffer {
  return createHash('sha256')
    .update(entry.subarray(MAGIC.length + HASH_SIZE))
    .digest();
}

/** What an entry holds; undefined for one that is not whole. */
function decoded(entry: Buffer): { readonly kept: KeptPolicy; readonly origins: Origins } | undefined {
  if (entry.length < START || !entry.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (!digestOf(entry).equals(entry.subarray(MAGIC.length, MAGIC.length + HASH_SIZE))) return undefined;
  let at = START;
  const parts = Array.from({ length: SIZES }, (_, i) => {
    const size = entry.readUInt32LE(MAGIC.length + HASH_SIZE + i * 4);
    at += size;
    return entry.subarray(at - size, at);
  });
  const [words, lengths, origins, json, text] = parts;
  if (at !== entry.length || !words || !lengths || !origins || !json || !text) return undefined;
  const whole = text.toString('latin1');
  let from = 0;
  const texts = Array.from(numbers(lengths), (length) => {
    from += length;
    return whole.slice(from - length, from);
  });
  return {
    kept: { words: numbers(words), json: json.toString('utf8'), texts },
    // Written by `encoded`: the hash has just told so.
    origins: JSON.parse(origins.toString('utf8')) as Origins,
  };
}

/** Bytes as words, in place where they are aligned. */
function numbers(bytes: Buffer): Uint32Array {
  const own = bytes.byteOffset % 4 === 0 ? bytes : Uint8Array.from(bytes);
  return new Uint32Array(own.buffer, own.byteOffset, own.byteLength >>> 2);
}

/** The bytes of a file that is this user's alone; undefined for any other. */
function readOwn(path: string): Buffer | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const { uid, mode, size } = fstatSync(file);
    const isOwn = process.getuid?.() === uid && (mode & 0o022) === 0;
    return isOwn && size <= LIMITS.bytes ? readFileSync(file) : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Policies that were compiled before. */
export class CompileCache {
  readonly #folder: string;
  readonly #build: string;

  /** `build` tells this build of Dewar from all others. */
  constructor(folder: string, build: string) {
    this.#folder = folder;
    this.#build = build;
  }

  #path(policy: string, { onStage: _, ...options }: CompileOptions): string {
    const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
    return join(this.#folder, hashOf(Buffer.from(JSON.stringify([this.#build, process.cwd(), policy, sorted]))));
  }

  /** What a policy compiles to, if it was kept and nothing that it was made of has changed since. */
  find(policy: string, options: CompileOptions, files: PolicyFiles): CompiledPolicy | undefined {
    const path = this.#path(policy, options);
    const entry = readOwn(path);
    if (entry === undefined) return undefined;
    try {
      const found = decoded(entry);
      if (found === undefined || !isAsSeen(found.origins.seen, files)) return undefined;
      const { binary } = found.origins;
      const compiled = putTogether(found.kept, (known) => binaryOf(`${path}${BINARY}`, binary, known, options));
      const now = new Date();
      utimesSync(path, now, now);
      return compiled;
    } catch {
      // An entry that cannot be read, or a source that cannot: the compilation says what is wrong.
      return undefined;
    }
  }

  /** Keeps what a policy compiled to. A folder that cannot be written to is no fault of the question. */
  keep(policy: string, options: CompileOptions, seen: Seen, compiled: CompiledPolicy): void {
    const { text, bytes } = compiled;
    if (text.text.length < SMALL || bytes === undefined) return;
    const kept = takeApart(compiled);
    if (kept === undefined) return;
    try {
      const entry = encoded(kept, { seen, binary: hashOf(bytes) });
      if (entry.length + bytes.length > LIMITS.bytes / 2) return;
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      this.#makeRoom(entry.length + bytes.length);
      const path = this.#path(policy, options);
      writeWhole(`${path}${BINARY}`, bytes, 0o600);
      writeWhole(path, entry, 0o600);
    } catch {}
  }

  /** Drops what was asked for longest ago until there is room for one more. */
  #makeRoom(size: number): void {
    const sizes = new Map<string, number>();
    const ages = new Map<string, number>();
    for (const name of readdirSync(this.#folder)) {
      const found = statSync(join(this.#folder, name), { throwIfNoEntry: false });
      if (found === undefined) continue;
      const entry = name.endsWith(BINARY) ? name.slice(0, -BINARY.length) : name;
      sizes.set(entry, (sizes.get(entry) ?? 0) + found.size);
      // A binary alone, of which the entry is gone, is the first to go.
      if (entry === name) ages.set(entry, found.mtimeMs);
    }
    const newest = [...sizes.keys()].sort((a, b) => (ages.get(b) ?? 0) - (ages.get(a) ?? 0));
    let bytes = size;
    newest.forEach((entry, i) => {
      bytes += sizes.get(entry) ?? 0;
      if (i + 1 < LIMITS.entries && bytes <= LIMITS.bytes) return;
      for (const name of [entry, `${entry}${BINARY}`]) rmSync(join(this.#folder, name), { force: true });
    });
  }
}

/** The binary of a policy out of a file, or made again where that has not this hash. */
function binaryOf(path: string, hash: string, policy: PolicyDb, options: CompileOptions): Uint8Array {
  const kept = readOwn(path);
  if (kept !== undefined && hashOf(kept) === hash) return kept;
  const made = binaryAgain(policy, options);
  if (hashOf(made) !== hash) throw new InvariantError('a policy that was kept gives another binary than before');
  return made;
}

/** A bundle has the hash of its code in its name. */
const BUILD = /^dewar-[0-9a-f]{16}\.cjs$/;

/**
 * The cache of this user; undefined where `DEWAR_CACHE` is `off`, and where Dewar runs from its sources, which no name tells
 * from others. `DEWAR_CACHE` may name another folder.
 */
export function compileCache(): CompileCache | undefined {
  const build = basename(fileURLToPath(import.meta.url));
  const own = process.env['DEWAR_CACHE'] ?? '';
  if (!BUILD.test(build) || own === 'off') return undefined;
  const base = own !== '' ? own : cacheHome();
  return base === undefined ? undefined : new CompileCache(join(base, 'compiled'), build);
}

/** Where XDG has the caches of a user; undefined for one without a home. */
function cacheHome(): string | undefined {
  const xdg = process.env['XDG_CACHE_HOME'] ?? '';
  // XDG: a relative path is invalid, and to be ignored.
  if (isAbsolute(xdg)) return join(xdg, 'dewar');
  try {
    const home = homedir();
    return isAbsolute(home) ? join(home, '.cache', 'dewar') : undefined;
  } catch {
    return undefined;
  }
}
