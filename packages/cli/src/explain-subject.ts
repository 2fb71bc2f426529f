/**
 * What `dewar explain` reads: a log, and the policy that it is explained by.
 *
 * @module
 */
import { gunzipSync } from 'node:zlib';
import type { CompileOptions } from '@dewar/policy/compiler';
import type { Subject } from '@dewar/policy/explain';
import type { PolicyDb } from '@dewar/policy/policydb';
import type { XenReleaseName } from '@dewar/policy/releases';
import { type Diagnostic, InvariantError } from '@dewar/policy/text';
import { FileError, RequestError, reasonOf, UsageError } from './failures.ts';
import { readBytes } from './files.ts';
import { REAL_HOST, useHost, useRealHost } from './host-session.ts';
import { type PolicyReading, readBinary, readPolicy, writtenPolicy } from './policy-input.ts';
import { printDiagnostics, type Terminal } from './terminal.ts';

const MIB = 1024 * 1024;
/** Xen's console ring holds 16 KiB by default; a file in which it was collected for years is still much smaller. */
const LOG_LIMIT = 256 * MIB;

/** Where the policy comes from. */
export interface SubjectChoice {
  readonly policy: string | undefined;
  readonly host: string | undefined;
  readonly compile: CompileOptions;
}

/** Where the log and the policy come from. */
export interface ExplainChoice extends SubjectChoice {
  readonly log: string | undefined;
}

/** A log and the policy for it. */
export interface ExplainInput {
  /** How the log is called. */
  readonly logName: string;
  readonly logText: string;
  readonly reading: PolicyReading;
  /** How the policy is called. */
  readonly policyName: string;
  readonly subject: Subject;
  /** The host that the console, or at least the booleans, are of. */
  readonly host: string | undefined;
  /** The host runs just this policy; of a real one that cannot be asked. */
  readonly isPolicyOfHost: boolean;
}

/** What a host says of itself. */
interface HostState {
  readonly console: string;
  /** The policy that it runs. A real host does not say which, but Dewar knows what it has loaded itself. */
  readonly policy: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  readonly booleans: Readonly<Record<string, boolean>>;
}

/** The Xen host that this machine is; with its policy where none is named. */
async function readRealHost(named: string | undefined, terminal: Terminal): Promise<HostState> {
  let found: HostState | undefined;
  await useRealHost(terminal, async (host) => {
    const { findPolicy } = await import('./policy-on-host.ts');
    const policy = named === undefined ? await findPolicy(host, undefined, terminal) : undefined;
    if (named === undefined && policy === undefined)
      throw new UsageError('Xen does not say which policy it runs: name it with `--policy`, or load it with Dewar');
    const { value: console = '' } = await host.dmesg();
    const { value: booleans = [] } = await host.booleans();
    const values = Object.fromEntries(booleans.map(({ name, enforcing }) => [name, enforcing]));
    found = { console, policy, booleans: values };
    return 0;
  });
  if (found === undefined) throw new UsageError('the Xen host that this machine is could not be read');
  return found;
}

async function readHost(host: string, terminal: Terminal): Promise<HostState> {
  let found: HostState | undefined;
  await useHost({ host }, terminal, async (running) => {
    const { console, flask } = running.hypervisor.snapshot();
    found = {
      console: console.map((line) => `${line}\n`).join(''),
      policy: { name: running.policy.name, bytes: Buffer.from(flask.policy, 'hex') },
      booleans: flask.server.booleans,
    };
    return 0;
  });
  if (found === undefined) throw new UsageError(`the simulated host \`${host}\` could not be read`);
  return found;
}

/** The policy as source where the place that the host had it from still has the same one; else its bytes. */
async function readingOf(
  { name, bytes }: { readonly name: string; readonly bytes: Uint8Array },
  choice: SubjectChoice,
): Promise<PolicyReading> {
  const isSame = (reading: PolicyReading): boolean =>
    reading.bytes !== undefined && Buffer.compare(reading.bytes, bytes) === 0;
  const host = choice.host ?? '';
  try {
    const reading = await readPolicy(choice.policy ?? name, choice.compile);
    if (isSame(reading)) return reading;
    if (choice.policy !== undefined)
      throw new UsageError(`\`${choice.policy}\` is not the policy that the simulated host \`${host}\` runs`);
  } catch (error) {
    if (choice.policy !== undefined || !(error instanceof FileError || error instanceof RequestError)) throw error;
  }
  const called = `the policy of host ${host}`;
  return {
    name: called,
    path: called,
    bytes,
    binary: bytes,
    diagnostics: [],
    errorOutput: '',
    files: [],
    compiled: undefined,
  };
}

const GZIP = 0x8b1f;
/** Other ways to compress, by the first bytes of their files. */
const PACKED: readonly (readonly [name: string, start: string])[] = [
  ['xz', '\xfd7zXZ\0'],
  ['zstd', '\x28\xb5\x2f\xfd'],
  ['bzip2', 'BZh'],
];

/** What a log holds where it was rotated away and packed. */
function unpacked(content: Buffer): Buffer {
  if (content.length >= 2 && content.readUInt16LE(0) === GZIP) {
    try {
      return gunzipSync(content, { maxOutputLength: LOG_LIMIT });
    } catch (error) {
      throw new UsageError(`the log is packed with gzip, and cannot be unpacked: ${reasonOf(error)}`);
    }
  }
  const packed = PACKED.find(([, text]) => content.subarray(0, text.length).equals(Buffer.from(text, 'latin1')));
  if (packed !== undefined) throw new UsageError(`the log is packed with ${packed[0]}: give it unpacked`);
  return content;
}

/** The text of a log: one character for each byte, or for two where a program of Windows wrote it in UTF-16. */
function logText(bytes: Uint8Array): string {
  const content = unpacked(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const mark = content.length < 2 ? 0 : content.readUInt16LE(0);
  if (mark === 0xfeff) return content.subarray(2).toString('utf16le');
  if (mark === 0xfffe)
    return Buffer.from(content.subarray(2, content.length & ~1))
      .swap16()
      .toString('utf16le');
  return content.toString('latin1');
}

function readLogFile(log: string | undefined): { name: string; text: string } {
  if (log === undefined && process.stdin.isTTY === true)
    throw new UsageError('name a log, or give one on the standard input: `xl dmesg | dewar explain`');
  const path = log ?? '-';
  const bytes = readBytes(path);
  if (bytes.length > LOG_LIMIT)
    throw new UsageError(`the log is larger than ${LOG_LIMIT / MIB} MiB: give the part of it that is meant`);
  return { name: path === '-' ? 'standard input' : path, text: logText(bytes) };
}

async function readState({ host, policy }: SubjectChoice, terminal: Terminal): Promise<HostState | undefined> {
  if (host === undefined) return undefined;
  return host === REAL_HOST ? readRealHost(policy, terminal) : readHost(host, terminal);
}

/** A policy, and how it is called. */
interface SubjectReading {
  readonly reading: PolicyReading;
  readonly subject: Subject;
}

/** Is told what is wrong with a policy, by its name. */
type TellFaults = (policy: string, faults: readonly Diagnostic[]) => void;

async function readSubjectIn(
  state: HostState | undefined,
  choice: SubjectChoice,
  tell: TellFaults,
  isRead: boolean,
): Promise<SubjectReading | undefined> {
  if (state?.policy?.bytes.length === 0)
    throw new UsageError(`the simulated host \`${choice.host ?? ''}\` runs without a policy`);
  const inForce = state?.policy;
  const reading =
    inForce === undefined ? await readPolicy(choice.policy, choice.compile) : await readingOf(inForce, choice);
  const errors = reading.diagnostics.filter(({ severity }) => severity === 'error');
  const isWhole = reading.compiled === undefined ? reading.binary !== undefined : reading.compiled.policy !== undefined;
  if (!isWhole || errors.length > 0) {
    tell(reading.name, errors);
    return undefined;
  }
  const policy = await policyOf(reading, isRead);
  if ('severity' in policy) {
    tell(reading.name, [policy]);
    return undefined;
  }
  return { reading, subject: await subjectOf(reading, policy, choice.compile, state?.booleans) };
}

/** Reads a policy, or that of a host, from its bytes; undefined, after the diagnostics, where it is not sound. */
export async function readSubject(choice: SubjectChoice, terminal: Terminal): Promise<SubjectReading | undefined> {
  const tell: TellFaults = (_, faults) => printDiagnostics(terminal, faults);
  return readSubjectIn(await readState(choice, terminal), choice, tell, true);
}

/** Reads all that the answer rests on; undefined, after what is wrong was told, where the policy is not sound. */
export async function readExplainInput(
  choice: ExplainChoice,
  terminal: Terminal,
  tell: TellFaults,
): Promise<ExplainInput | undefined> {
  const { host } = choice;
  const state = await readState(choice, terminal);
  const log =
    state !== undefined && choice.log === undefined
      ? { name: `the console of host ${host ?? ''}`, text: state.console }
      : readLogFile(choice.log);
  const found = await readSubjectIn(state, choice, tell, false);
  if (found === undefined) return undefined;
  const { reading, subject } = found;
  const isPolicyOfHost = state?.policy !== undefined;
  return { logName: log.name, logText: log.text, reading, policyName: reading.name, subject, host, isPolicyOfHost };
}

/**
 * The policy as it was written, where that says all and it need not be read; else as it is read from its bytes, which are
 * known to be there, or what is wrong with them.
 */
export async function policyOf(reading: PolicyReading, isRead: boolean): Promise<PolicyDb | Diagnostic> {
  const written = isRead ? undefined : writtenPolicy(reading);
  if (written !== undefined) return written;
  const read = await readBinary({ name: reading.name, binary: reading.binary ?? new Uint8Array() });
  if (read === undefined) throw new InvariantError('a policy without bytes was to be read');
  return 'diagnostic' in read ? read.diagnostic : read.policy;
}

async function subjectOf(
  reading: PolicyReading,
  policy: PolicyDb,
  options: CompileOptions,
  booleans: Readonly<Record<string, boolean>> | undefined,
): Promise<Subject> {
  const { PolicyView } = await import('@dewar/policy/security-server');
  const { BASELINE_RELEASE, xenRelease } = await import('@dewar/policy/releases');
  const { findRelease } = await import('@dewar/policy/decompiler');
  const view = new PolicyView(policy);
  for (const { name, value } of policy.booleans.entries) {
    const now = booleans !== undefined && Object.hasOwn(booleans, name) ? booleans[name] : undefined;
    if (now !== undefined) view.booleans[value] = now;
  }
  view.applyBooleans();
  // The numbers of initial SIDs are those of the release that the policy was made for.
  const release: XenReleaseName = options.release ?? findRelease(policy)?.release ?? BASELINE_RELEASE;
  const { compiled, folder } = reading;
  const source = compiled?.policy === undefined ? undefined : { compiled, options, files: folder };
  return { view, release: xenRelease(release), source, hasHostBooleans: booleans !== undefined };
}
