/**
 * Scenarios on a real host that logs what it grants: the policy in force with auditing, of just what must be granted, for
 * the time of the run.
 *
 * Start reading at `runAudited`.
 *
 * @module
 */
import type { CheckPattern, GrantedLog, PolicyImage, Scenario, ScenarioResult } from '@dewar/lab/rehearsal';
import { xenRelease } from '@dewar/policy/releases';
import {
  type AuditEnd,
  type AuditedCheck,
  givenLabels,
  LogListener,
  loggedChecks,
  PolicyStore,
  type XenHost,
} from '@dewar/xen';
import {
  type AuditablePolicy,
  begin,
  isAudited,
  NO_CONSOLE,
  prepareAuditing,
  putBack,
  requireLog,
  STILL_AUDITED,
} from './auditing-on-host.ts';
import { RequestError } from './failures.ts';
import { openRealHost, realHostFolder, tablesOf } from './host-session.ts';
import { sha256 } from './policy-input.ts';
import { applyBooleans, mayDo, policyInForce, viewOf } from './policy-on-host.ts';
import type { World } from './scenario-runs.ts';
import { coloursFor, printLine, safeLine, type Terminal } from './terminal.ts';

/** What became of scenarios. */
export interface RanScenarios {
  readonly results: readonly ScenarioResult[];
  /** The policy with auditing could not be taken away. */
  readonly isLeft: boolean;
}

/** A check of a scenario as auditing is asked for it: by types. */
export function auditedCheck({ source, target, ...check }: CheckPattern): AuditedCheck {
  const typeOf = (label: string): string | undefined => (label === '*' ? undefined : (label.split(':')[2] ?? label));
  return { ...check, source: typeOf(source), target: typeOf(target) };
}

/** The policy in force, which is to be audited: the one that Dewar loaded, or that of the scenarios, as which Xen decides. */
export async function auditable(
  scenarios: readonly Scenario[],
  world: World,
  host: XenHost,
  granted: readonly CheckPattern[],
): Promise<AuditablePolicy> {
  const { value: domains = [] } = await host.list();
  const named = new Map<string, PolicyImage>();
  for (const { policy: path, source, isMls } of scenarios) {
    const policy = await world.policy(path, source.name, isMls);
    if (!('refused' in policy)) named.set(sha256(policy.bytes), policy);
  }
  const inForce = await policyInForce(host, new PolicyStore(realHostFolder()), domains);
  const [known, ...others] = inForce === undefined ? [...named.values()] : [inForce];
  if (known === undefined || others.length > 0)
    throw new RequestError(
      'the scenarios have several policies, so that it is not known which one to put back: load one with Dewar',
    );
  const view = viewOf(known.bytes);
  const dom0 = domains.find(({ domid }) => domid === 0)?.label ?? '';
  const { initialSids } = xenRelease(tablesOf(host.version));
  if (view !== undefined) applyBooleans(view, (await host.booleans()).value ?? []);
  if (view === undefined || !mayDo(view, dom0, initialSids, 'load_policy'))
    throw new RequestError('dom0 may not load a policy (`security { load_policy }`), so nothing can be audited');
  return prepareAuditing(host, known, { checks: granted.map(auditedCheck) });
}

/** How long a check is waited for that somebody else makes: a daemon of dom0 in no time, a kernel that boots in some. */
const LATE_MS = 10_000;

/** Runs scenarios while Xen logs what it grants, and puts the policy back. */
export async function runAudited(
  policy: AuditablePolicy,
  host: XenHost,
  command: string,
  terminal: Terminal,
  runAll: (grantedLog: GrantedLog) => Promise<ScenarioResult[]>,
): Promise<RanScenarios> {
  const say = (kind: 'note' | 'warning' | 'error', text: string): void => {
    const colours = coloursFor(terminal.err);
    const paint = kind === 'error' ? colours.error : colours.warning;
    printLine(terminal.err, `${paint(`${kind}:`)} ${safeLine(text)}`);
  };
  const labelled = givenLabels(host.journal.read(), host.boot);
  if (labelled.length > 0)
    say(
      'warning',
      `loading a policy takes labels from devices: ${labelled.join(', ')}; \`dewar label-pci\` gives them again`,
    );
  // The helper of the host is busy while libxl works, and a small ring is full before it comes back.
  const ears = await openRealHost(terminal, true);
  const follower = ears.followLog();
  let listener: LogListener | undefined;
  try {
    if (!(await follower.skip())) throw new RequestError(NO_CONSOLE);
    listener = new LogListener(follower);
    const grants = listener.reader();
    const request = { purpose: 'test', command, ...policy } as const;
    host.readLogFrom(listener.reader());
    const auditing = await begin(host, request, terminal);
    let end: AuditEnd = { kind: 'failed', reason: 'it was not tried' };
    let results: readonly ScenarioResult[] = [];
    try {
      for (const name of auditing.booleans.noLongerPending)
        say('warning', `a value was pending for the boolean \`${name}\`; the load of a policy has dropped it`);
      await requireLog(host, request, grants);
      results = await runAll({
        next: () => loggedChecks(grants),
        isKept: () => isAudited(host, policy),
        patienceMs: Math.min(LATE_MS, terminal.realHost?.patienceMs ?? LATE_MS),
      });
    } finally {
      end = await putBack(auditing, terminal);
      if (end.kind === 'failed') say('error', `${STILL_AUDITED}: ${end.reason}; each command of Dewar tries again`);
      if (end.kind === 'replaced') say('warning', 'another policy was loaded meanwhile; it stays in force');
    }
    if (end.kind === 'put-back' && end.booleans.setAgain.length > 0)
      say('note', `booleans that the load had changed were set again: ${end.booleans.setAgain.join(', ')}`);
    return { results, isLeft: end.kind === 'failed' };
  } finally {
    await listener?.stop();
    await ears.close();
  }
}
