/**
 * A policy with auditing on a real host, for the time of a command: whether that can be, its beginning, and its end.
 *
 * @module
 */
import {
  type AuditChoice,
  type AuditEnd,
  type Auditing,
  type AuditPurpose,
  auditPolicy,
  auditWitnesses,
  beginAuditing,
  type LogSource,
  settleAuditing,
  XenError,
  type XenHost,
} from '@dewar/xen';
import { RequestError } from './failures.ts';
import { openRealHost, realHostFolder } from './host-session.ts';
import { viewOf } from './policy-on-host.ts';
import type { Terminal } from './terminal.ts';

export const STILL_AUDITED = 'the policy with auditing is still in force, since the one before could not be loaded';
export const NO_CONSOLE = 'dom0 may not read the console of Xen (`xen { readconsole }`), where its log is';

/** A policy in force with its form that has auditing, and how one is told from the other. */
export interface AuditablePolicy {
  readonly name: string;
  readonly original: Uint8Array;
  readonly audited: Uint8Array;
  readonly witnesses: ReturnType<typeof auditWitnesses>;
}

/** Gives the policy in force auditing, without loading it; throws where nobody could put it back. */
export async function prepareAuditing(
  host: XenHost,
  { name, bytes }: { readonly name: string; readonly bytes: Uint8Array },
  choice: AuditChoice,
): Promise<AuditablePolicy> {
  const view = viewOf(bytes);
  const { bytes: audited } = auditPolicy(bytes, choice);
  if (view === undefined || audited === undefined)
    throw new RequestError(`\`${name}\` cannot be given auditing: it cannot be read`);
  const { value: domains = [] } = await host.list();
  const inUse = domains.flatMap(({ label }) => (label === undefined ? [] : [label]));
  const initial = view.policy.objectContexts.initialSids.map(({ context }) => view.text(context));
  const witnesses = auditWitnesses(bytes, audited, [...inUse, ...initial]);
  const answers = await host.decide(witnesses);
  if (answers === undefined)
    throw new RequestError(
      'dom0 may not ask Xen for decisions (`security { compute_av }`), so nobody could tell which policy is in force afterwards',
    );
  if (!witnesses.some(({ auditAllow }, i) => answers[i]?.auditAllow !== auditAllow))
    throw new RequestError('the policy in force has auditing already, or cannot be told from one that has');
  return { name, original: bytes, audited, witnesses };
}

/** Whether Xen decides what is audited as the policy with auditing does. */
export async function isAudited(host: XenHost, { witnesses }: AuditablePolicy): Promise<boolean> {
  const answers = await host.decide(witnesses);
  return answers !== undefined && witnesses.every(({ auditAllow }, i) => answers[i]?.auditAllow === auditAllow);
}

/** What is audited, and for whom. */
interface AuditRequest extends AuditablePolicy {
  readonly purpose: AuditPurpose;
  readonly command: string;
}

const NOTHING_DONE: Readonly<Record<AuditPurpose, string>> = {
  trace: 'nothing was traced',
  test: 'nothing was tested',
};

/** Loads the policy with auditing. A helper that dies over it may have loaded it. */
export async function begin(host: XenHost, request: AuditRequest, terminal: Terminal): Promise<Auditing> {
  try {
    const auditing = await beginAuditing(host, realHostFolder(), request);
    if ('refused' in auditing) throw new RequestError(`${NOTHING_DONE[request.purpose]}: ${auditing.refused}`);
    return auditing;
  } catch (error) {
    if (!(error instanceof XenError)) throw error;
    const end = await putBackAnew(terminal);
    const fate = end.kind === 'failed' ? `${STILL_AUDITED}: ${end.reason}` : 'the policy before is in force';
    throw new XenError(error.code, `${error.message}; ${fate}`, error);
  }
}

/** Puts the policy back. */
export async function putBack(auditing: Auditing, terminal: Terminal): Promise<AuditEnd> {
  try {
    return await auditing.end();
  } catch (error) {
    if (!(error instanceof XenError)) throw error;
    return putBackAnew(terminal);
  }
}

/** Puts back what this command has loaded by way of another helper, where ours is gone. */
async function putBackAnew(terminal: Terminal): Promise<AuditEnd> {
  try {
    const other = await openRealHost(terminal);
    try {
      const settled = await settleAuditing(other, realHostFolder(), true);
      return settled.kind === 'settled' ? settled.end : { kind: 'replaced' };
    } finally {
      await other.close();
    }
  } catch (error) {
    if (!(error instanceof XenError)) throw error;
    return { kind: 'failed', reason: error.message };
  }
}

/** Xen must log what it was asked for last, or else there is nothing to be had. What the log has by then is read away. */
export async function requireLog(host: XenHost, { purpose, witnesses }: AuditRequest, log: LogSource): Promise<void> {
  await host.decide(witnesses.slice(0, 1));
  const { text } = (await log.read()) ?? { text: '' };
  if (!text.includes('avc:'))
    throw new RequestError(
      `${NOTHING_DONE[purpose]}: Xen writes no avc lines to its console; was it booted with a \`loglvl\` below \`warning\`?`,
    );
}
