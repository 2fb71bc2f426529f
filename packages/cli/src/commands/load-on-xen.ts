/**
 * `dewar loadpolicy` on a real host: shows what changes, asks, loads, verifies, and can put the old policy back.
 *
 * Start reading at `loadOnXen`.
 *
 * @module
 */
import { createInterface } from 'node:readline/promises';
import type { CompileOptions } from '@dewar/policy/compiler';
import { xenRelease } from '@dewar/policy/releases';
import { SecurityServer } from '@dewar/policy/security-server';
import { aboutFile, hasErrors } from '@dewar/policy/text';
import type { DomainState, OperationReport } from '@dewar/toolstack';
import { givenLabels, PolicyStore, type XenHost } from '@dewar/xen';
import { EXIT, RequestError, UsageError } from '../failures.ts';
import { realHostFolder, tablesOf } from '../host-session.ts';
import { readPolicy } from '../policy-input.ts';
import {
  applyBooleans,
  changesFor,
  firstDifference,
  lockOuts,
  type PolicyChanges,
  policyInForce,
  viewOf,
} from '../policy-on-host.ts';
import { coloursFor, printDiagnostics, printLine, safeLine, type Terminal } from '../terminal.ts';

/** How a policy is loaded into a real host. */
export interface LoadFlags {
  readonly compile: CompileOptions;
  /** Do not ask. */
  readonly isSure: boolean;
  /** Load even what would lock dom0 out. */
  readonly isForced: boolean;
  /** Load what was in force before the last load. */
  readonly isBack: boolean;
}

interface Candidate {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The policy that is to be loaded; undefined, and said why, when it cannot be. */
async function candidate(
  named: string | undefined,
  host: XenHost,
  store: PolicyStore,
  { compile, isBack }: LoadFlags,
  terminal: Terminal,
): Promise<Candidate | undefined> {
  if (isBack) {
    if (named !== undefined) throw new UsageError('`--back` loads the policy before the last one, and takes no other');
    const { loaded } = store;
    const bytes = loaded?.previous === undefined ? undefined : store.read(loaded.previous);
    if (loaded === undefined || bytes === undefined || loaded.boot !== host.boot)
      throw new RequestError(
        'there is no policy to put back: Dewar knows none that this host had before, since it booted',
      );
    return { name: `the policy before \`${loaded.name}\``, bytes };
  }
  if (named === undefined) throw new UsageError('name a policy, or put the one before back with `--back`');
  const policy = await readPolicy(named, { ...compile, release: tablesOf(host.version) });
  printDiagnostics(terminal, policy.diagnostics);
  return policy.bytes === undefined || hasErrors(policy.diagnostics)
    ? undefined
    : { name: policy.name, bytes: policy.bytes };
}

function shownName({ name, domid }: DomainState): string {
  return name === undefined ? `domain ${domid}` : `\`${name}\``;
}

function printChanges({ invalid, lost, exposures }: PolicyChanges, isOldKnown: boolean, { err }: Terminal): void {
  const colours = coloursFor(err);
  const line = (text: string): void => printLine(err, `  ${text}`);
  if (!isOldKnown)
    line('the policy in force is not known to Dewar: what the new one refuses is told, whether new or not');
  for (const domain of invalid)
    line(
      `${colours.warning('label')}     ${shownName(domain)}: \`${domain.label}\` becomes invalid; Xen takes it for unlabeled`,
    );
  const byDomain = new Map<DomainState, string[]>();
  for (const { domain, command, lacks } of lost)
    byDomain.set(domain, [...(byDomain.get(domain) ?? []), `xl ${command} (lacks ${lacks.slice(0, 3).join(', ')})`]);
  for (const [domain, commands] of byDomain)
    line(
      `${colours.warning('operation')} ${shownName(domain)}: ${isOldKnown ? 'stops working' : 'refused'}: ${commands.join('; ')}`,
    );
  for (const { by, of, ways, steps } of exposures.found) {
    const [first = '', ...rest] = ways;
    const more = rest.length === 0 ? '' : `; and in ${rest.length} more ways`;
    const newly = isOldKnown ? 'newly ' : '';
    if (steps.length === 0)
      line(
        `${colours.error('memory')}    ${shownName(by)} ${newly}reaches the memory of ${shownName(of)}: ${first}${more}`,
      );
    else {
      line(`${colours.error('memory')}    ${shownName(by)} can ${newly}come to the memory of ${shownName(of)}:`);
      for (const [i, step] of steps.entries()) line(`            ${i + 1}. ${step}`);
    }
  }
  for (const bound of exposures.bounds) line(`${colours.warning('not seen')}  who comes to whose memory: ${bound}`);
  if (invalid.length + lost.length + exposures.found.length === 0) line('nothing changes for the domains that run');
}

/** Asks on the terminal; without one there is nobody to ask. */
async function isConfirmed(question: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) throw new UsageError(`nobody can be asked here: say \`--yes\` (${question})`);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await lines.question(`${question} [y/N] `);
  lines.close();
  return /^y(?:es)?$/i.test(answer.trim());
}

/** Says what a load came to, where it is not as it should be. */
function tellEnd({ xlMessages, diagnostics }: OperationReport, terminal: Terminal): void {
  for (const message of xlMessages) printLine(terminal.err, message);
  printDiagnostics(terminal, diagnostics);
}

/** Loads a policy into the host. */
export async function loadOnXen(
  named: string | undefined,
  host: XenHost,
  flags: LoadFlags,
  terminal: Terminal,
): Promise<number> {
  const { err, out } = terminal;
  const colours = coloursFor(err);
  const hindrance = await host.loadHindrance();
  if (hindrance !== undefined) {
    tellEnd(hindrance, terminal);
    return hindrance.xlExitCode;
  }
  const store = new PolicyStore(realHostFolder());
  const next = await candidate(named, host, store, flags, terminal);
  if (next === undefined) return EXIT.problem;
  const release = xenRelease(tablesOf(host.version));
  const trial = new SecurityServer({ release }).loadPolicy(next.bytes);
  if (trial.kind === 'refused') {
    printDiagnostics(terminal, aboutFile(next.name, trial.diagnostics));
    printLine(err, `${colours.error('error:')} Xen ${host.release} would refuse ${next.name}; nothing was loaded`);
    return EXIT.problem;
  }
  const view = viewOf(next.bytes);
  if (view === undefined) return EXIT.problem;
  const { value: domains = [] } = await host.list();
  const { value: booleans = [] } = await host.booleans();
  // Xen keeps the values of booleans that the new policy has too.
  applyBooleans(view, booleans);
  const dom0 = domains.find(({ domid }) => domid === 0)?.label;
  const locked = dom0 === undefined ? ['the label of dom0 is not known'] : lockOuts(view, dom0, release);
  if (locked.length > 0 && !flags.isForced) {
    printLine(err, `${colours.error('error:')} ${next.name} would lock dom0 out: ${locked.join('; ')}`);
    printLine(err, 'nothing was loaded; `--force` loads it nevertheless');
    return EXIT.problem;
  }
  const before = await policyInForce(host, store, domains);
  const old = viewOf(before?.bytes);
  if (old !== undefined) applyBooleans(old, booleans);
  printLine(err, `what ${next.name} changes for the domains that run:`);
  printChanges(await changesFor(domains, old, view, release), old !== undefined, terminal);
  const labelled = givenLabels(host.journal.read(), host.boot);
  if (labelled.length > 0)
    printLine(
      err,
      `  ${colours.warning('label')}     taken from devices, until \`dewar label-pci\` gives it again: ${safeLine(labelled.join(', '))}`,
    );
  if (!flags.isSure && !(await isConfirmed(`load ${next.name} into this host?`))) {
    printLine(err, 'nothing was loaded');
    return EXIT.problem;
  }
  // What is about to be loaded is kept before, so that a crash in between loses nothing.
  const sha256 = store.keep(next.bytes);
  const previous = before === undefined ? undefined : store.keep(before.bytes);
  const report = await host.loadPolicy(next.bytes);
  tellEnd(report, terminal);
  if (report.outcome === 'failed') return report.xlExitCode;
  const answer = await firstDifference(host, view, domains, release.classes);
  const seqno = answer === 'not-asked' ? undefined : answer.seqno;
  if (answer !== 'not-asked' && answer.difference !== undefined) {
    printLine(err, `${colours.error('error:')} Xen does not decide as ${next.name}: ${answer.difference}`);
    if (before === undefined) return EXIT.problem;
    const back = await host.loadPolicy(before.bytes);
    printLine(err, back.outcome === 'done' ? `${before.name} was put back` : `${before.name} could not be put back`);
    return EXIT.problem;
  }
  store.remember({ boot: host.boot, sha256, name: next.name, seqno, previous });
  printLine(out, 'Successfully loaded policy.');
  printLine(
    err,
    answer === 'not-asked'
      ? `${colours.warning('note:')} dom0 may not ask for decisions (\`security { compute_av }\`), so what Xen decides now was not verified`
      : 'verified: Xen decides as this policy on all that was asked',
  );
  if (previous !== undefined) printLine(err, 'put the policy before back with `dewar loadpolicy --back`');
  return EXIT.done;
}
