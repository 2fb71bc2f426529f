/**
 * `dewar trace` on a real host: the policy in force with auditing, a command, what Xen logged, the policy back.
 *
 * Xen logs each check whose permission the policy audits, each time: its cache of decisions (AVC) keeps what is to be
 * audited beside what is allowed. XEN: `xen/xsm/flask/avc.c`, `avc_has_perm` and `avc_audit`.
 *
 * Start reading at `traceOnXen`.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { type AuditEnd, givenLabels, type LogFollower, type LogPiece, NOT_AUDITED, type XenHost } from '@dewar/xen';
import {
  type AuditablePolicy,
  begin,
  NO_CONSOLE,
  prepareAuditing,
  putBack,
  requireLog,
  STILL_AUDITED,
} from '../auditing-on-host.ts';
import { EXIT, NO_FLASK, RequestError } from '../failures.ts';
import { INTERRUPTED, INTERRUPTS, openRealHost, tablesOf } from '../host-session.ts';
import { findPolicy, viewOf } from '../policy-on-host.ts';
import { coloursFor, printLine, safeLine, type Terminal } from '../terminal.ts';
import { LogReader, TraceRecord } from '../trace-entries.ts';
import type { TellTrace, TraceFlags } from '../trace-request.ts';

/** How long to wait after a look at the ring that found nothing: a small ring is full within milliseconds. */
const POLL_MS = 2;
/** How long a command that is asked to end is waited for, before the policy is put back all the same. */
const GRACE_MS = 5000;

/** What is traced under. */
interface Prepared extends AuditablePolicy {
  readonly isEnforcing: boolean;
}

/** Whatever can be found out before anything is changed. */
async function prepare(host: XenHost, { policy, types, isWhole }: TraceFlags, terminal: Terminal): Promise<Prepared> {
  if (await host.isFlaskDisabled()) throw new RequestError(NO_FLASK);
  const { value: isEnforcing } = await host.getenforce();
  if (isEnforcing === undefined) throw new RequestError('Xen does not tell its mode');
  const known = await findPolicy(host, policy, terminal);
  if (known === undefined)
    throw new RequestError(
      'the policy that this host has loaded is not known to Dewar, so it could not be put back: name it with `--policy`, or load it with Dewar',
    );
  const names = new Set(
    viewOf(known.bytes)
      ?.policy.types.entries.filter(({ kind }) => kind === 'type')
      .map(({ name }) => name),
  );
  const unknown = types.find((name) => !names.has(name));
  if (unknown !== undefined) throw new RequestError(`the policy has no type \`${unknown}\``);
  return {
    ...(await prepareAuditing(host, known, { isWhole, ...(types.length === 0 ? {} : { types }) })),
    isEnforcing,
  };
}

/** How a command ended: its status as a shell has it, and why it did not even begin. */
interface Ending {
  readonly code: number;
  readonly problem: string | undefined;
}

/** Starts the command. Its input and outputs are ours; `toError` sends its output where our errors go. */
function start(
  [program = '', ...args]: readonly string[],
  toError: boolean,
): { readonly child: ChildProcess; readonly ended: Promise<Ending> } {
  const child = spawn(program, args, { stdio: ['inherit', toError ? 2 : 'inherit', 'inherit'] });
  const ended = new Promise<Ending>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT';
      const why = isMissing ? 'there is no such program' : error.message;
      resolve({ code: isMissing ? 127 : 126, problem: `cannot run \`${program}\`: ${why}` });
    });
    child.once('exit', (code, signal) =>
      resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), problem: undefined }),
    );
  });
  return { child, ended };
}

/** What is asked of us from outside, from now on until `stop`: the policy must be put back first. */
class Interruption {
  /** The command, once it runs. */
  child: ChildProcess | undefined;
  isAsked = false;
  /** The command has had its time to end. */
  isOverdue = false;
  readonly #hear = (signal: NodeJS.Signals): void => {
    // Asked twice, we wait no longer.
    if (this.isAsked) this.isOverdue = true;
    else
      setTimeout(() => {
        this.isOverdue = true;
      }, GRACE_MS).unref();
    this.isAsked = true;
    // What is typed at a terminal goes to all that run there; the command has had it.
    if (signal !== 'SIGINT' || process.stdin.isTTY !== true) this.child?.kill(signal);
  };

  constructor() {
    for (const signal of INTERRUPTS) process.on(signal, this.#hear);
  }

  stop(): void {
    for (const signal of INTERRUPTS) process.off(signal, this.#hear);
  }
}

/** What came of following the log. */
interface Followed {
  readonly ending: Ending | undefined;
  readonly lost: number;
}

/** Runs the command and reads the log meanwhile, as fast as it can. */
async function follow(
  { child, ended }: ReturnType<typeof start>,
  interruption: Interruption,
  log: LogFollower,
  reader: LogReader,
  record: TraceRecord,
): Promise<Followed> {
  interruption.child = child;
  let lost = 0;
  const take = (piece: LogPiece | undefined): boolean => {
    if (piece === undefined) return false;
    lost += piece.lost;
    for (const entry of reader.read(piece.text)) record.add(entry);
    return piece.text !== '';
  };
  const over: { ending?: Ending } = {};
  void ended.then((ending) => {
    over.ending = ending;
  });
  while (over.ending === undefined && !interruption.isOverdue) if (!take(await log.next())) await delay(POLL_MS);
  take(await log.read());
  return { ending: over.ending, lost };
}

function leftOutText(): string {
  return Object.entries(NOT_AUDITED)
    .map(([name, permissions]) => `${name} { ${permissions.join(' ')} }`)
    .join(', ');
}

function notesOn(
  { isEnforcing }: Prepared,
  { types, isWhole }: TraceFlags,
  lost: number,
  reader: LogReader,
  end: AuditEnd,
): string[] {
  const notes: string[] = [];
  if (lost > 0)
    notes.push(
      `${lost} characters of Xen's console were gone before they could be read, and checks with them: boot Xen with a larger \`conring_size=\`, or choose with \`--type\``,
    );
  if (reader.suppressed > 0)
    notes.push(`Xen held back ${reader.suppressed} lines: boot it with \`loglvl=warning\` or more to have them all`);
  if (reader.broken > 0) notes.push(`${reader.broken} lines of the log could not be read`);
  notes.push(
    'what other programs and guests asked for meanwhile is among the checks: a log tells them apart by nothing',
  );
  if (types.length > 0)
    notes.push(`only checks with ${types.join(', ')} as source or target, and those of FLASK itself`);
  if (!isWhole) notes.push(`not recorded, unless denied: ${leftOutText()}; \`--everything\` records them`);
  if (!isEnforcing) notes.push('in permissive mode Xen logs a denial once, and not again until a policy is loaded');
  if (end.kind === 'put-back' && end.booleans.setAgain.length > 0)
    notes.push(`booleans that the load had changed were set again: ${end.booleans.setAgain.join(', ')}`);
  return notes;
}

/** Traces a command on the real host that this machine is. Answers its exit code. */
export async function traceOnXen(
  command: readonly string[],
  flags: TraceFlags,
  tell: TellTrace,
  terminal: Terminal,
): Promise<number> {
  const { err } = terminal;
  const { isJson, output } = flags;
  const colours = coloursFor(err);
  const warn = (text: string): void => printLine(err, `${colours.warning('warning:')} ${safeLine(text)}`);
  const error = (text: string): void => printLine(err, `${colours.error('error:')} ${safeLine(text)}`);
  const host = await openRealHost(terminal);
  const interruption = new Interruption();
  try {
    const prepared = await prepare(host, flags, terminal);
    const log = host.followLog();
    if (!(await log.skip())) throw new RequestError(NO_CONSOLE);
    const labelled = givenLabels(host.journal.read(), host.boot);
    if (labelled.length > 0)
      warn(
        `loading a policy takes labels from devices, and the command does not find them: ${labelled.join(', ')}; \`dewar label-pci\` gives them again`,
      );
    const request = { purpose: 'trace', command: command.join(' '), ...prepared } as const;
    const auditing = await begin(host, request, terminal);
    const record = new TraceRecord();
    const reader = new LogReader(tablesOf(host.version), prepared.isEnforcing);
    let followed: Followed | undefined;
    let end: AuditEnd = { kind: 'failed', reason: 'it was not tried' };
    try {
      for (const name of auditing.booleans.noLongerPending)
        warn(`a value was pending for the boolean \`${name}\`; the load of a policy has dropped it`);
      await requireLog(host, request, log);
      if (!interruption.isAsked)
        followed = await follow(start(command, isJson && output === undefined), interruption, log, reader, record);
    } finally {
      end = await putBack(auditing, terminal);
      const { child } = interruption;
      if (child?.exitCode === null && child.signalCode === null && child.pid !== undefined) {
        warn(`the command still runs, as process ${child.pid}, and is not recorded any more`);
        child.unref();
      }
      if (end.kind === 'failed') error(`${STILL_AUDITED}: ${end.reason}; each command of Dewar tries again`);
      if (end.kind === 'replaced') warn('another policy was loaded meanwhile; it stays in force');
    }
    const { ending = { code: INTERRUPTED, problem: undefined }, lost = 0 } = followed ?? {};
    if (followed === undefined) warn('interrupted before the command began');
    if (ending.problem !== undefined) error(ending.problem);
    tell(record, {
      command,
      exit: ending.code,
      host: `Xen ${host.release}`,
      xen: host.release,
      mode: prepared.isEnforcing ? 'enforcing' : 'permissive',
      policy: prepared.name,
      notes: notesOn(prepared, flags, lost, reader, end),
      facts: {
        lost,
        suppressed: reader.suppressed,
        unread: reader.broken,
        notAudited: flags.isWhole ? {} : NOT_AUDITED,
        policyAfter: end.kind,
      },
    });
    return end.kind === 'failed' ? EXIT.world : ending.code;
  } finally {
    interruption.stop();
    await host.close();
  }
}
