/**
 * Puts a policy with auditing into force for a while, and sees to it that the one before comes back.
 *
 * Three look after that: whoever began it ends it; when that process is gone, its helper does; when both are gone, the
 * next command finds the record of it in the state folder. Whoever it is asks Xen first whether the policy with auditing
 * is still in force, so that nobody undoes what somebody else has loaded meanwhile.
 *
 * Start reading at `beginAuditing`.
 *
 * @module
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { failureText } from '../operations/real-operation.ts';
import { PolicyStore } from '../policy-store.ts';
import { isAlive, isMark, markOf, type ProcessMark } from '../process-mark.ts';
import type { AuditBooleans, AuditWitness } from '../protocol.ts';
import type { XenHost } from '../xen-host.ts';

/** What a policy is audited for: a command that is traced, or scenarios. */
export type AuditPurpose = 'trace' | 'test';

/** What is written down while a policy with auditing is in force. */
interface AuditRecord {
  readonly boot: string;
  /** The entry of the journal. */
  readonly entry: string;
  /** Not there in one that an older Dewar wrote for a trace. */
  readonly purpose?: AuditPurpose;
  /** The command that is traced, or that runs scenarios. */
  readonly command: string;
  readonly owner: ProcessMark;
  readonly helper: ProcessMark;
  /** The hash of the policy that is to come back. */
  readonly original: string;
  readonly witnesses: readonly AuditWitness[];
}

/** What is to be audited, and on whose behalf. */
export interface AuditPlan {
  /** Also the name of the entry in the journal. */
  readonly purpose: AuditPurpose;
  readonly command: string;
  /** The policy in force. */
  readonly original: Uint8Array;
  /** The same with auditing. */
  readonly audited: Uint8Array;
  /** Decisions that tell the two apart (`auditWitnesses`); there must be some. */
  readonly witnesses: readonly AuditWitness[];
}

/** How it ended. */
export type AuditEnd =
  /** The policy that was in force before is in force again. */
  | { readonly kind: 'put-back'; readonly booleans: AuditBooleans }
  /** Somebody has loaded another policy meanwhile, which was let be. */
  | { readonly kind: 'replaced' }
  /** The policy with auditing is still in force. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Auditing that is under way. */
export interface Auditing {
  readonly booleans: AuditBooleans;
  /** Puts the policy before back. A second call does nothing and answers the same. */
  end(): Promise<AuditEnd>;
}

const FILE = 'auditing.json';
const SIZE_LIMIT = 1024 * 1024;
/** How long a helper is waited for that is putting a policy back. */
const PATIENCE_MS = 20_000;
const POLL_MS = 100;

function isRecord(value: unknown): value is AuditRecord {
  if (typeof value !== 'object' || value === null) return false;
  // An object that is not null has string keys.
  const { boot, entry, purpose, command, owner, helper, original, witnesses } = value as Readonly<
    Record<string, unknown>
  >;
  return (
    (purpose === undefined || purpose === 'trace' || purpose === 'test') &&
    [boot, entry, command, original].every((one) => typeof one === 'string') &&
    isMark(owner) &&
    isMark(helper) &&
    Array.isArray(witnesses)
  );
}

function readRecord(folder: string): AuditRecord | undefined {
  try {
    const file = join(folder, FILE);
    if (statSync(file).size > SIZE_LIMIT) return undefined;
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    // It is written as a whole: what cannot be read is not ours.
    return undefined;
  }
}

/** Writes the record; false when there is one already. It is there as a whole or not at all: others look for it. */
function claim(folder: string, record: AuditRecord): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `${FILE}.${process.pid}`);
  const file = openSync(draft, 'w', 0o600);
  try {
    const bytes = Buffer.from(JSON.stringify(record));
    let done = 0;
    while (done < bytes.length) done += writeSync(file, bytes, done);
    fsyncSync(file);
    linkSync(draft, join(folder, FILE));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    closeSync(file);
    rmSync(draft, { force: true });
  }
}

function drop(folder: string): void {
  rmSync(join(folder, FILE), { force: true });
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Asks Xen what is in force, and puts the original back if it is the policy with auditing. */
async function endWith(host: XenHost, original: Uint8Array, witnesses: readonly AuditWitness[]): Promise<AuditEnd> {
  const outcome = await host.audit('audit.end', { original: toBase64(original), witnesses });
  if (outcome.kind === 'failed') return { kind: 'failed', reason: failureText(outcome.failure) };
  const { outcome: kind, booleans } = outcome.value;
  return kind === 'replaced' ? { kind } : { kind, booleans };
}

/** Loads the policy with auditing. Answers why not, where that cannot be. */
export async function beginAuditing(
  host: XenHost,
  folder: string,
  { purpose, command, original, audited, witnesses }: AuditPlan,
): Promise<Auditing | { readonly refused: string }> {
  const kept = new PolicyStore(folder).keep(original);
  const [owner, helper] = [markOf(process.pid), markOf(host.helperPid ?? 0)];
  const entry = host.journal.begin(purpose, { command, policy: kept });
  const record = { boot: host.boot, entry: entry.id, purpose, command, owner, helper, original: kept, witnesses };
  const refuse = (reason: string): { readonly refused: string } => {
    entry.end('failed', { problem: reason });
    return { refused: reason };
  };
  if (!claim(folder, record)) return refuse('another command is being traced on this host, or tests it');
  const outcome = await host.audit('audit.begin', {
    audited: toBase64(audited),
    original: toBase64(original),
    witnesses,
  });
  let ended: Promise<AuditEnd> | undefined;
  const end = async (): Promise<AuditEnd> => {
    const result = await endWith(host, original, witnesses);
    if (result.kind === 'failed') entry.end('failed', { problem: result.reason });
    else {
      entry.end('done', { outcome: result.kind });
      drop(folder);
    }
    return result;
  };
  if (outcome.kind === 'ok') {
    return {
      booleans: outcome.value.booleans,
      end() {
        ended ??= end();
        return ended;
      },
    };
  }
  const reason = failureText(outcome.failure);
  const back = await endWith(host, original, witnesses);
  if (back.kind === 'failed') return refuse(`${reason}, and it could not be undone: ${back.reason}`);
  drop(folder);
  return refuse(reason);
}

/** What there was of auditing that nobody ended. */
export type Settlement =
  | { readonly kind: 'nothing' }
  | ({ readonly purpose: AuditPurpose; readonly command: string } & (
      | /** Its command still runs. */ { readonly kind: 'under-way' }
      /** The machine was booted anew since, or the helper has put the policy back. */
      | { readonly kind: 'over' }
      | { readonly kind: 'settled'; readonly end: AuditEnd }
    ));

/** Whether the state folder has a record of auditing: a look at one file, and nothing else. */
export function hasAuditRecord(folder: string): boolean {
  return statSync(join(folder, FILE), { throwIfNoEntry: false }) !== undefined;
}

/**
 * Puts back what a command that was killed has left. `isOurs`: it is this process that began it, and whose helper is
 * gone.
 */
export async function settleAuditing(host: XenHost, folder: string, isOurs = false): Promise<Settlement> {
  const record = readRecord(folder);
  if (record === undefined) {
    drop(folder);
    return { kind: 'nothing' };
  }
  const { boot, entry, purpose = 'trace', command, owner, helper, original, witnesses } = record;
  const begun = { purpose, command };
  const over = (outcome: 'done' | 'failed', words: string): Settlement => {
    host.journal.end(entry, outcome, { outcome: words });
    drop(folder);
    return { kind: 'over', ...begun };
  };
  if (boot !== host.boot) return over('failed', 'the machine was booted anew');
  if (!isOurs && isAlive(owner)) return { kind: 'under-way', ...begun };
  for (const end = Date.now() + PATIENCE_MS; isAlive(helper) && Date.now() < end; ) await delay(POLL_MS);
  const bytes = new PolicyStore(folder).read(original);
  if (bytes === undefined)
    return { kind: 'settled', ...begun, end: { kind: 'failed', reason: 'the policy before was not kept' } };
  const end = await endWith(host, bytes, witnesses);
  if (end.kind === 'replaced') return over('done', 'put back by the helper, or replaced');
  if (end.kind === 'put-back') {
    host.journal.end(entry, 'done', { outcome: 'put back by a later command' });
    drop(folder);
  }
  return { kind: 'settled', ...begun, end };
}
