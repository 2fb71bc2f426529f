/**
 * What `POLICY` on the command line can be: a policy directory, an expanded policy text, or a binary.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CompiledPolicy, CompileOptions, PolicyFiles } from '@dewar/policy/compiler';
import { type ByteSource, POLICYDB_MAGIC, type PolicyDb, type ReadPolicy } from '@dewar/policy/policydb';
import { aboutFile, type Diagnostic, SourceText } from '@dewar/policy/text';
import { FileError, RequestError, reasonOf, UsageError } from './failures.ts';
import { FileBytes, readBytes, SIZE_LIMIT } from './files.ts';
import { expectWork } from './optimizer.ts';
import { byteText } from './terminal.ts';

/** The policy that ships with Dewar. Its place is the same seen from the sources and from the bundle. */
export const EXAMPLE_POLICY: string = fileURLToPath(new URL('../../../policies/example', import.meta.url));

/** A policy that was read, and what was said about it. */
export interface PolicyReading {
  /** How the user would name it. */
  readonly name: string;
  /** The full path, links resolved: what tells its simulated host from others. */
  readonly path: string;
  /** Undefined when it does not compile. */
  readonly bytes: Uint8Array | undefined;
  /** The same to be read, which need not be in memory as a whole: see `readBinary`. */
  readonly binary: Uint8Array | ByteSource | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** What its macros printed. */
  readonly errorOutput: string;
  /** The full paths of what it was read from: a directory as itself, then the files. */
  readonly files: readonly string[];
  /** What the compiler made of it; undefined for a binary. */
  readonly compiled: CompiledPolicy | undefined;
  /** The directory; undefined for a text and for a binary. */
  readonly folder?: PolicyFiles;
}

/** The shorter of a path and the same path seen from here. */
export function displayPath(path: string): string {
  const seen = relative(process.cwd(), path);
  if (seen === '') return '.';
  return seen.startsWith(`..${sep}..${sep}..`) || seen.length > path.length ? path : seen;
}

/** A policy directory on this machine. `onRead` is told the full path and the size of each file that is read. */
export function policyFolder(folder: string, onRead: (file: string, size: number) => void): PolicyFiles {
  const shown = displayPath(folder);
  // What is shown of the folder stands before all that is in it, but where one works in the folder.
  const isElsewhere = !/^\.$|(?:^|\/)\.\.$/.test(shown);
  return {
    readText(path) {
      const file = join(folder, path);
      // Most modules have no file of some kinds, and an error costs more than a look.
      if (!existsSync(file)) return undefined;
      try {
        const text = readFileSync(file, 'latin1');
        onRead(file, text.length);
        return text;
      } catch (error) {
        if (!existsSync(file)) return undefined;
        throw new FileError(`cannot read \`${displayPath(file)}\`: ${reasonOf(error)}`, { cause: error });
      }
    },
    listNames(directory) {
      try {
        return readdirSync(join(folder, directory));
      } catch {
        return [];
      }
    },
    describe: (path) => byteText(isElsewhere ? join(shown, path) : displayPath(join(folder, path))),
  };
}

/** A policy text has no zero byte; one within this many bytes tells another kind of file. */
const SNIFFED = 4096;

/** Ends of the names of files that belong to a policy directory. */
const SOURCE_ENDING = /\.(?:te|if|cons)$/;

function isBinary(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === POLICYDB_MAGIC;
}

/** A binary with fewer bytes is read at once. */
const SMALL_BINARY = 0x10_0000;

/** A large binary, of which only those parts are read that are asked for; undefined where the file is another. */
function largeBinary(path: string): FileBytes | undefined {
  const status = statSync(path);
  if (!status.isFile() || status.size < SMALL_BINARY || status.size > SIZE_LIMIT) return undefined;
  const binary = FileBytes.open(path);
  const start = new Uint8Array(4);
  binary.read(start, 0);
  return isBinary(start) ? binary : undefined;
}

/** Where the policy is that `POLICY` names, links resolved; without a name, the example policy. */
export function policyPath(named: string | undefined): string {
  const given = named ?? EXAMPLE_POLICY;
  if (given === '-') return given;
  try {
    return realpathSync.native(resolve(given));
  } catch (error) {
    throw new FileError(`cannot read the policy \`${given}\`: ${reasonOf(error)}`, { cause: error });
  }
}

/** A policy directory with fewer bytes of sources is compiled before optimized code would pay. */
const SHORT_SOURCES = 80_000;

/**
 * One with fewer than this is read before it would. Whether rules are expanded before, too, its size does not tell: what it
 * has more may be users, whose number adds, or types, whose number multiplies.
 */
const SHORT_READING = 128_000;

/** The same for a text after m4. */
const SHORT_TEXT = 400_000;

/** What a compilation gave; its binary is taken when somebody asks for it. */
function compiledReading(
  compiled: CompiledPolicy,
  source: Pick<PolicyReading, 'name' | 'path' | 'files' | 'folder'>,
): PolicyReading {
  const { diagnostics, errorOutput } = compiled;
  return {
    ...source,
    get bytes() {
      return compiled.bytes;
    },
    get binary() {
      return compiled.bytes;
    },
    diagnostics: aboutFile(source.name, diagnostics),
    errorOutput,
    compiled,
  };
}

/** What was kept of the policy at a place, or what its compilation gives, which is then kept. */
async function fromCache(
  isFresh: boolean,
  path: string,
  options: CompileOptions,
  files: PolicyFiles,
  compile: (files: PolicyFiles) => CompiledPolicy,
): Promise<CompiledPolicy> {
  if (isFresh) return compile(files);
  const { compileCache, watched } = await import('./compile-cache.ts');
  const cache = compileCache();
  if (cache === undefined) return compile(files);
  const known = cache.find(path, options, files);
  if (known !== undefined) return known;
  const { files: seenFiles, seen } = watched(files);
  const compiled = compile(seenFiles);
  cache.keep(path, options, seen, compiled);
  return compiled;
}

/** Refuses a folder of a policy directory, which is no policy. */
function refusePart(path: string, given: string): void {
  const around = ['modules', 'policy', 'policy/support'].find((part) => path.endsWith(`/${part}`));
  if (around === undefined || existsSync(join(path, 'modules/modules.conf'))) return;
  const whole = path.slice(0, -around.length - 1);
  if (!existsSync(join(whole, 'modules/modules.conf'))) return;
  const shown = byteText(displayPath(whole));
  throw new UsageError(`\`${given}\` is a part of the policy in \`${shown}\`, which is compiled as a whole`);
}

/**
 * Reads, and where needed compiles, what `POLICY` names; without a name, the example policy. What was compiled before is
 * taken from the cache, unless it is to be compiled afresh.
 */
export async function readPolicy(
  named: string | undefined,
  options: CompileOptions,
  { isFresh = false }: { readonly isFresh?: boolean } = {},
): Promise<PolicyReading> {
  const given = named ?? EXAMPLE_POLICY;
  const realPath = policyPath(named);
  const path = given === '-' ? '-' : resolve(given);
  const name = byteText(given === '-' ? 'standard input' : displayPath(path));
  const { compileDirectory, compileText } = await import('@dewar/policy/compiler');
  if (path !== '-' && statSync(path).isDirectory()) {
    refusePart(path, given);
    const files = [path];
    let size = 0;
    const folder = policyFolder(path, (file, length) => {
      files.push(file);
      size += length;
    });
    const compiled = await fromCache(isFresh, path, options, folder, (sources) => {
      files.splice(1);
      size = 0;
      const made = compileDirectory(sources, {
        ...options,
        // Answers about a policy name its lines, and what is kept of it has all of them.
        keepsOrigins: !isFresh,
        onStage: (stage) => {
          if (stage === 'expanding macros') expectWork(size < SHORT_READING ? 'short' : 'usual');
          if (stage === 'expanding rules' && size >= SHORT_SOURCES) expectWork('usual');
          options.onStage?.(stage);
        },
      });
      // What is compiled afresh is written, and then the command ends.
      if (!isFresh) expectWork('usual');
      return made;
    });
    return compiledReading(compiled, { name, path: realPath, files, folder });
  }
  const files = path === '-' ? [] : [path];
  const ofBinary = { name, path: realPath, diagnostics: [], errorOutput: '', files, compiled: undefined };
  const binary = path === '-' ? undefined : largeBinary(path);
  if (binary !== undefined) {
    let bytes: Uint8Array | undefined;
    return {
      ...ofBinary,
      binary,
      get bytes() {
        if (bytes === undefined) {
          bytes = new Uint8Array(binary.length);
          binary.read(bytes, 0);
        }
        return bytes;
      },
    };
  }
  const content = readBytes(path);
  if (isBinary(content)) return { ...ofBinary, bytes: content, binary: content };
  if (content.subarray(0, SNIFFED).includes(0))
    throw new RequestError(`\`${given}\` is neither a policy text nor a binary policy`);
  if (SOURCE_ENDING.test(path) && existsSync(join(dirname(path), 'modules.conf'))) {
    const whole = byteText(displayPath(dirname(dirname(path))));
    throw new UsageError(`\`${given}\` is a part of the policy in \`${whole}\`, which is compiled as a whole`);
  }
  const source = new SourceText(name, Buffer.from(content).toString('latin1'));
  const alone: PolicyFiles = { readText: () => source.text, listNames: () => [], describe: () => name };
  const compiled = await fromCache(isFresh || path === '-', path, options, alone, (sources) => {
    sources.readText('');
    expectWork(content.length < SHORT_TEXT ? 'short' : 'usual');
    const made = compileText(source, options);
    if (!isFresh) expectWork('usual');
    return made;
  });
  return compiledReading(compiled, { name, path: realPath, files });
}

/**
 * The policy as the compiler made it, where its binary loses nothing that decides: to make a large policy's entries and to
 * read them again takes longer than most answers. Undefined where it must be read from its bytes.
 */
export function writtenPolicy({ compiled }: Pick<PolicyReading, 'compiled'>): PolicyDb | undefined {
  const written = compiled?.policy;
  // Version 24 has no role transitions.
  return written?.roleTransitions.length === 0 ? written : undefined;
}

/** What is read from the binary, or what is wrong with it; undefined where the policy does not compile. */
export async function readBinary({
  name,
  binary,
}: Pick<PolicyReading, 'name' | 'binary'>): Promise<ReadPolicy | { readonly diagnostic: Diagnostic } | undefined> {
  if (binary === undefined) return undefined;
  const { readPolicydb } = await import('@dewar/policy/policydb');
  const read = readPolicydb(binary);
  return 'policy' in read ? read : { diagnostic: { ...read.diagnostic, file: name } };
}

/** The hash of what these parts are together. */
export function sha256(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** The simulated host of a policy: one for each place that a policy has. */
export function hostNameFor(path: string): string {
  const name = basename(path)
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 40);
  return `${name === '' ? 'policy' : name}-${sha256(path).slice(0, 8)}`;
}
